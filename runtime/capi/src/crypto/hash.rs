//! Hashes, HMAC, random bytes.

use affiant::crypto::{Hash, hmac_sign, hmac_verify, random_bytes};
use affiant_proof::Digest;

use super::deliver;
use crate::boundary;
use crate::bytes::affiant_bytes;
use crate::fault::Fault;
use crate::limits::RANDOM_BYTES_MAX;
use crate::memory::{Out, affiant_slice};
use crate::status::{AFFIANT_NOT_VERIFIED, AFFIANT_TOO_LARGE, affiant_status};

/// A hash function: one of the constants `AFFIANT_HASH_...`.
pub type affiant_hash = u32;

/// SHA-256 (FIPS 180-4).
pub const AFFIANT_HASH_SHA256: affiant_hash = 1;
/// SHA-384 (FIPS 180-4).
pub const AFFIANT_HASH_SHA384: affiant_hash = 2;
/// SHA-512 (FIPS 180-4).
pub const AFFIANT_HASH_SHA512: affiant_hash = 3;

pub(super) fn hash_of(hash: affiant_hash) -> Result<Hash, Fault> {
    match hash {
        AFFIANT_HASH_SHA256 => Ok(Hash::Sha256),
        AFFIANT_HASH_SHA384 => Ok(Hash::Sha384),
        AFFIANT_HASH_SHA512 => Ok(Hash::Sha512),
        other => Err(Fault::argument(format!("{other} is no AFFIANT_HASH_... constant"))),
    }
}

/// The SHA-256 of `data`: 32 bytes to `digest`. From any thread.
///
/// # Safety
/// `data` leads to as many bytes as it says, `digest` to room for 32.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_sha256(data: affiant_slice, digest: *mut u8) -> affiant_status {
    boundary::plain(|| {
        // SAFETY: as promised to this function; an array of bytes is aligned anywhere.
        let (data, out) =
            unsafe { (data.bytes("data")?, Out::new(digest.cast::<[u8; 32]>(), "digest")?) };
        out.write(Digest::of(data).0);
        Ok(())
    })
}

/// The hash of `data`. To be freed with `affiant_bytes_free`. From any thread.
///
/// # Safety
/// `data` leads to as many bytes as it says, `digest` to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_digest(
    hash: affiant_hash,
    data: affiant_slice,
    digest: *mut *mut affiant_bytes,
) -> affiant_status {
    boundary::plain(|| {
        // SAFETY: as promised to this function.
        let (out, data) = unsafe { (Out::handle(digest, "digest")?, data.bytes("data")?) };
        deliver(out, hash_of(hash)?.digest(data))
    })
}

/// The HMAC (RFC 2104) of `data` under `key`. To be freed with `affiant_bytes_free`. From any thread.
///
/// # Safety
/// The slices lead to as many bytes as they say, `tag` to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_hmac(
    hash: affiant_hash,
    key: affiant_slice,
    data: affiant_slice,
    tag: *mut *mut affiant_bytes,
) -> affiant_status {
    boundary::plain(|| {
        // SAFETY: as promised to this function.
        let (out, key, data) =
            unsafe { (Out::handle(tag, "tag")?, key.bytes("key")?, data.bytes("data")?) };
        deliver(out, hmac_sign(hash_of(hash)?, key, data))
    })
}

/// Whether `tag` is the HMAC of `data` under `key`, compared in constant time: `AFFIANT_NOT_VERIFIED` if not.
/// From any thread.
///
/// # Safety
/// The slices lead to as many bytes as they say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_hmac_verify(
    hash: affiant_hash,
    key: affiant_slice,
    data: affiant_slice,
    tag: affiant_slice,
) -> affiant_status {
    boundary::plain(|| {
        // SAFETY: as promised to this function.
        let (key, data, tag) =
            unsafe { (key.bytes("key")?, data.bytes("data")?, tag.bytes("tag")?) };
        if hmac_verify(hash_of(hash)?, key, data, tag) {
            return Ok(());
        }
        Err(Fault::new(AFFIANT_NOT_VERIFIED, "the tag is not that of this key and these data"))
    })
}

/// Fills `bytes` with `size` random bytes from the system, 1 MiB at most. From any thread.
///
/// # Safety
/// `bytes` leads to room for `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_random(bytes: *mut u8, size: usize) -> affiant_status {
    boundary::plain(|| {
        if size == 0 {
            return Ok(());
        }
        if bytes.is_null() {
            return Err(Fault::null("bytes"));
        }
        if size > RANDOM_BYTES_MAX {
            let text = format!("{size} random bytes; at most {RANDOM_BYTES_MAX} are made at once");
            return Err(Fault::new(AFFIANT_TOO_LARGE, text));
        }
        let mut made = 0;
        while made < size {
            let some = random_bytes::<64>().map_err(affiant::RuntimeError::from)?;
            let count = some.len().min(size - made);
            // SAFETY: there is room for `size` bytes, and `made + count` is no more.
            unsafe { bytes.add(made).copy_from_nonoverlapping(some.as_ptr(), count) };
            made += count;
        }
        Ok(())
    })
}
