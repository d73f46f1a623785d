//! Wrapping keys in keys.

use affiant::crypto::wrap;

use super::deliver;
use super::key::affiant_key;
use crate::boundary;
use crate::bytes::affiant_bytes;
use crate::fault::Fault;
use crate::memory::{Out, affiant_slice};
use crate::status::affiant_status;

/// Wraps `data` with AES-KWP (RFC 5649) under an AES key of 16, 24 or 32 bytes. To be freed with
/// `affiant_bytes_free`. From any thread.
///
/// # Safety
/// The slices lead to as many bytes as they say, `wrapped` to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_aes_kwp_wrap(
    key: affiant_slice,
    data: affiant_slice,
    wrapped: *mut *mut affiant_bytes,
) -> affiant_status {
    boundary::plain(|| {
        // SAFETY: as promised to this function.
        let (out, key, data) =
            unsafe { (Out::handle(wrapped, "wrapped")?, key.bytes("key")?, data.bytes("data")?) };
        deliver(out, wrap::aes_kwp_wrap(key, data)?)
    })
}

/// Unwraps what `affiant_aes_kwp_wrap` has wrapped. To be freed with `affiant_bytes_free`. From any thread.
///
/// # Safety
/// The slices lead to as many bytes as they say, `data` to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_aes_kwp_unwrap(
    key: affiant_slice,
    wrapped: affiant_slice,
    data: *mut *mut affiant_bytes,
) -> affiant_status {
    boundary::plain(|| {
        // SAFETY: as promised to this function.
        let (out, key, wrapped) =
            unsafe { (Out::handle(data, "data")?, key.bytes("key")?, wrapped.bytes("wrapped")?) };
        deliver(out, wrap::aes_kwp_unwrap(key, wrapped)?)
    })
}

/// A label, or none where its data is NULL.
///
/// # Safety
/// As [`affiant_slice::bytes`].
unsafe fn label_of<'a>(label: affiant_slice) -> Result<Option<&'a [u8]>, Fault> {
    // SAFETY: as promised to this function.
    let bytes = unsafe { label.bytes("label")? };
    Ok((!label.data.is_null()).then_some(bytes))
}

/// Encrypts `data` with RSA-OAEP (RFC 8017), SHA-256. `label` may be empty. To be freed with
/// `affiant_bytes_free`.
///
/// # Safety
/// The slices lead to as many bytes as they say, `wrapped` to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_rsa_oaep_wrap(
    key: *const affiant_key,
    data: affiant_slice,
    label: affiant_slice,
    wrapped: *mut *mut affiant_bytes,
) -> affiant_status {
    // SAFETY: as promised to this function.
    let out = unsafe { Out::handle(wrapped, "wrapped") };
    boundary::shared(key, |key| {
        // SAFETY: as promised to this function.
        let (out, data, label) = unsafe { (out?, data.bytes("data")?, label_of(label)?) };
        deliver(out, wrap::rsa_oaep_wrap(key.public(), data, label)?)
    })
}

/// Decrypts what `affiant_rsa_oaep_wrap` has encrypted. To be freed with `affiant_bytes_free`.
///
/// # Safety
/// The slices lead to as many bytes as they say, `data` to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_rsa_oaep_unwrap(
    key: *const affiant_key,
    wrapped: affiant_slice,
    label: affiant_slice,
    data: *mut *mut affiant_bytes,
) -> affiant_status {
    // SAFETY: as promised to this function.
    let out = unsafe { Out::handle(data, "data") };
    boundary::shared(key, |key| {
        // SAFETY: as promised to this function.
        let (out, wrapped, label) = unsafe { (out?, wrapped.bytes("wrapped")?, label_of(label)?) };
        deliver(out, wrap::rsa_oaep_unwrap(key.private()?, wrapped, label)?)
    })
}

/// Wraps `data` of any length: AES-KWP under a fresh key of `aes_key_bits` (128, 192, 256), which is
/// encrypted with RSA-OAEP and precedes it. `label` may be empty. To be freed with `affiant_bytes_free`.
///
/// # Safety
/// The slices lead to as many bytes as they say, `wrapped` to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_rsa_oaep_aes_kwp_wrap(
    key: *const affiant_key,
    aes_key_bits: u32,
    data: affiant_slice,
    label: affiant_slice,
    wrapped: *mut *mut affiant_bytes,
) -> affiant_status {
    // SAFETY: as promised to this function.
    let out = unsafe { Out::handle(wrapped, "wrapped") };
    boundary::shared(key, |key| {
        // SAFETY: as promised to this function.
        let (out, data, label) = unsafe { (out?, data.bytes("data")?, label_of(label)?) };
        let bits = aes_key_bits as usize;
        deliver(out, wrap::rsa_oaep_aes_kwp_wrap(key.public(), bits, data, label)?)
    })
}

/// Unwraps what `affiant_rsa_oaep_aes_kwp_wrap` has wrapped. To be freed with `affiant_bytes_free`.
///
/// # Safety
/// The slices lead to as many bytes as they say, `data` to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_rsa_oaep_aes_kwp_unwrap(
    key: *const affiant_key,
    wrapped: affiant_slice,
    label: affiant_slice,
    data: *mut *mut affiant_bytes,
) -> affiant_status {
    // SAFETY: as promised to this function.
    let out = unsafe { Out::handle(data, "data") };
    boundary::shared(key, |key| {
        // SAFETY: as promised to this function.
        let (out, wrapped, label) = unsafe { (out?, wrapped.bytes("wrapped")?, label_of(label)?) };
        deliver(out, wrap::rsa_oaep_aes_kwp_unwrap(key.private()?, wrapped, label)?)
    })
}
