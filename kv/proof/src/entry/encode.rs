//! The writer's half of the entry format: the same bytes that [`super::EntryView`] reads.
//!
//! A writer appends the public domain after [`FRAME_BYTES`] bytes of room, then the private
//! plaintext, seals that in place with the public domain as additional data, and fills the room
//! with [`frame`]. For byte identity with CCF it writes maps by ascending name, and keys in
//! ascending order, all writes of a map before its removes.

use super::{
    EntryKind, FORMAT_VERSION, FRAME_BYTES, HEADER_BYTES, IV_BYTES, IV_OFFSET, PUBLIC_SIZE_OFFSET,
    TAG_BYTES, TAG_OFFSET,
};
use crate::Digest;

/// The first 44 bytes of an entry, for a public domain of `public_bytes` and a private domain of
/// `private_bytes`.
///
/// # Panics
/// If the entry's size needs more than 48 bits.
#[must_use]
pub fn frame(
    flags: u8,
    tag: &[u8; TAG_BYTES],
    iv: &[u8; IV_BYTES],
    public_bytes: usize,
    private_bytes: usize,
) -> [u8; FRAME_BYTES] {
    let size = (FRAME_BYTES - HEADER_BYTES + public_bytes + private_bytes) as u64;
    assert!(size < 1 << 48, "an entry's size has 48 bits");
    let mut frame = [0; FRAME_BYTES];
    frame[0] = FORMAT_VERSION;
    frame[1] = flags;
    frame[2..HEADER_BYTES].copy_from_slice(&size.to_le_bytes()[..6]);
    frame[TAG_OFFSET..IV_OFFSET].copy_from_slice(tag);
    frame[IV_OFFSET..PUBLIC_SIZE_OFFSET].copy_from_slice(iv);
    frame[PUBLIC_SIZE_OFFSET..].copy_from_slice(&(public_bytes as u64).to_le_bytes());
    frame
}

/// Appends the head of a transaction's public domain (kind 4, 81 bytes).
pub fn put_public_header(out: &mut Vec<u8>, seqno: u64, claims: &Digest, evidence: &Digest) {
    out.push(EntryKind::WriteSetWithCommitEvidenceAndClaims as u8);
    out.extend_from_slice(&seqno.to_le_bytes());
    out.extend_from_slice(&claims.0);
    out.extend_from_slice(&evidence.0);
    out.extend_from_slice(&[0; 8]);
}

/// Appends the head of a map that will have `write_count` writes; then come the writes
/// ([`put_write`]), the number of removes ([`put_remove_count`], also when it is 0) and the
/// removes ([`put_remove`]).
pub fn put_map(out: &mut Vec<u8>, name: &[u8], write_count: u64) {
    put_sized(out, name);
    out.extend_from_slice(&[0; 16]);
    out.extend_from_slice(&write_count.to_le_bytes());
}

/// Appends one write of a map.
pub fn put_write(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    put_sized(out, key);
    put_sized(out, value);
}

/// Appends the number of removes of a map.
pub fn put_remove_count(out: &mut Vec<u8>, remove_count: u64) {
    out.extend_from_slice(&remove_count.to_le_bytes());
}

/// Appends one remove of a map.
pub fn put_remove(out: &mut Vec<u8>, key: &[u8]) {
    put_sized(out, key);
}

fn put_sized(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    out.extend_from_slice(bytes);
}
