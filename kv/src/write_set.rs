//! From a sequenced transaction to the bytes of its ledger entry, and back.
//!
//! Layout: FORMAT.md, "Entry" (CCF `src/kv/generic_serialise_wrapper.h`). The bytes are canonical:
//! maps ascending by name, keys ascending, writes before removals.

use affiant_proof::entry::encode::{
    frame, put_map, put_public_header, put_remove, put_remove_count, put_write,
};
use affiant_proof::entry::{FRAME_BYTES, OVERHEAD_BYTES, iv_for};
use affiant_proof::{Digest, TxId, claims};
use bytes::Bytes;

use crate::error::KvError;
use crate::limits::ENTRY_BYTES_MAX;
use crate::seal::Sealer;
use crate::store::{MapWrites, Sequenced};

/// An entry as it goes to the ledger, with what its Merkle leaf is made of.
pub struct SealedEntry {
    /// Its id.
    pub txid: TxId,
    /// The whole entry, from the header's first byte to the last byte of ciphertext.
    pub bytes: Bytes,
    /// Its leaf.
    pub digests: Digests,
}

/// The Merkle leaf of an entry, and what it is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digests {
    /// SHA-256 of the entry's bytes.
    pub write_set: Digest,
    /// SHA-256 of the commit evidence.
    pub commit_evidence: Digest,
    /// The claims digest, zero where the application set none.
    pub claims: Digest,
    /// The Merkle leaf: SHA-256 of the three digests above.
    pub leaf: Digest,
}

impl Sequenced {
    /// Serialises, seals and hashes. Runs outside every lock, on any thread.
    ///
    /// # Errors
    /// The entry exceeds its bound, or the sealer failed: the number is lost, so the node must stop.
    pub fn seal(&self, sealer: &dyn Sealer) -> Result<SealedEntry, KvError> {
        encode(self.txid, 0, self.claims_digest, &self.writes, sealer)
    }

    /// As [`Self::seal`]; the entry replaces what `bytes` holds.
    pub(crate) fn seal_into(
        &self,
        sealer: &dyn Sealer,
        bytes: &mut Vec<u8>,
    ) -> Result<Digests, KvError> {
        encode_into(bytes, self.txid, 0, self.claims_digest, &self.writes, sealer)
    }
}

pub(crate) fn encode(
    txid: TxId,
    flags: u8,
    claims: Digest,
    writes: &[MapWrites],
    sealer: &dyn Sealer,
) -> Result<SealedEntry, KvError> {
    let mut bytes = Vec::new();
    let digests = encode_into(&mut bytes, txid, flags, claims, writes, sealer)?;
    Ok(SealedEntry { txid, bytes: bytes.into(), digests })
}

fn encode_into(
    bytes: &mut Vec<u8>,
    txid: TxId,
    flags: u8,
    claims: Digest,
    writes: &[MapWrites],
    sealer: &dyn Sealer,
) -> Result<Digests, KvError> {
    let commit_evidence = sealer.commit_evidence_digest(txid)?;
    let size = OVERHEAD_BYTES + writes.iter().map(encoded_size).sum::<usize>();
    if size > ENTRY_BYTES_MAX {
        return Err(KvError::TooLarge { what: "a ledger entry", size, limit: ENTRY_BYTES_MAX });
    }
    bytes.clear();
    bytes.reserve_exact(size);
    bytes.extend_from_slice(&[0; FRAME_BYTES]);
    put_public_header(bytes, txid.seqno, &claims, &commit_evidence);
    for map in writes.iter().filter(|map| map.name.is_public()) {
        encode_map(bytes, map);
    }
    let public_end = bytes.len();
    for map in writes.iter().filter(|map| !map.name.is_public()) {
        encode_map(bytes, map);
    }
    assert_eq!(bytes.len(), size, "the size was computed from the same writes");

    let (clear, private) = bytes.split_at_mut(public_end);
    let tag = sealer.seal(txid, &clear[FRAME_BYTES..], private)?;
    let head = frame(flags, &tag, &iv_for(txid), public_end - FRAME_BYTES, size - public_end);
    bytes[..FRAME_BYTES].copy_from_slice(&head);

    let write_set = Digest::of(bytes);
    let leaf = claims::leaf(&write_set, &commit_evidence, &claims);
    Ok(Digests { write_set, commit_evidence, claims, leaf })
}

/// The commit evidence of `txid` as receipts carry it.
#[must_use]
pub fn commit_evidence(txid: TxId, nonce: &Digest) -> String {
    claims::commit_evidence(txid, &nonce.0)
}

fn encoded_size(map: &MapWrites) -> usize {
    let entries: usize = map
        .writes
        .iter()
        .map(|(key, value)| 8 + key.len() + value.as_ref().map_or(0, |value| 8 + value.len()))
        .sum();
    8 + map.name.as_str().len() + 8 + 8 + 8 + 8 + entries
}

fn encode_map(bytes: &mut Vec<u8>, map: &MapWrites) {
    let removals = map.writes.iter().filter(|(_, value)| value.is_none()).count();
    put_map(bytes, map.name.as_str().as_bytes(), (map.writes.len() - removals) as u64);
    for (key, value) in &map.writes {
        if let Some(value) = value {
            put_write(bytes, key, value);
        }
    }
    put_remove_count(bytes, removals as u64);
    for (key, _) in map.writes.iter().filter(|(_, value)| value.is_none()) {
        put_remove(bytes, key);
    }
}
