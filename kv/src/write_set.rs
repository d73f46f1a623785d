//! From a sequenced transaction to the bytes of its ledger entry, and back.
//!
//! Layout: FORMAT.md, "Entry" (CCF `src/kv/generic_serialise_wrapper.h`). The bytes are canonical:
//! maps ascending by name, keys ascending, writes before removals.

use affiant_proof::{Digest, TxId};

use crate::error::KvError;
use crate::limits::ENTRY_BYTES_MAX;
use crate::seal::Sealer;
use crate::store::{MapWrites, Sequenced};

/// An entry as it goes to the ledger, with what its Merkle leaf is made of.
pub struct SealedEntry {
    /// Its id.
    pub txid: TxId,
    /// The whole entry, from the header's first byte to the last byte of ciphertext.
    pub bytes: Vec<u8>,
    /// SHA-256 of `bytes`.
    pub write_set_digest: Digest,
    /// SHA-256 of the commit evidence.
    pub commit_evidence_digest: Digest,
    /// The claims digest, zero where the application set none.
    pub claims_digest: Digest,
    /// The Merkle leaf: SHA-256 of the three digests above.
    pub leaf: Digest,
}

const HEADER_BYTES: usize = 8;
const SEAL_BYTES: usize = 16 + 12;
const PUBLIC_OFFSET: usize = HEADER_BYTES + SEAL_BYTES + 8;
const ENTRY_VERSION: u8 = 1;
const ENTRY_TYPE: u8 = 4;

impl Sequenced {
    /// Serialises, seals and hashes. Runs outside every lock, on any thread.
    ///
    /// # Errors
    /// The entry exceeds its bound, or the sealer failed: the number is lost, so the node must stop.
    pub fn seal(&self, sealer: &dyn Sealer) -> Result<SealedEntry, KvError> {
        encode(self.txid, 0, self.claims_digest, &self.writes, sealer)
    }
}

pub(crate) fn encode(
    txid: TxId,
    flags: u8,
    claims_digest: Digest,
    writes: &[MapWrites],
    sealer: &dyn Sealer,
) -> Result<SealedEntry, KvError> {
    let nonce = sealer.commit_nonce(txid)?;
    let commit_evidence_digest = Digest::of(commit_evidence(txid, &nonce).as_bytes());

    let size: usize = PUBLIC_OFFSET + 81 + writes.iter().map(encoded_size).sum::<usize>();
    if size > ENTRY_BYTES_MAX {
        return Err(KvError::TooLarge { what: "a ledger entry", size, limit: ENTRY_BYTES_MAX });
    }
    let mut bytes = Vec::with_capacity(size);
    bytes.push(ENTRY_VERSION);
    bytes.push(flags);
    bytes.extend_from_slice(&((size - HEADER_BYTES) as u64).to_le_bytes()[..6]);
    bytes.extend_from_slice(&[0; 16]);
    bytes.extend_from_slice(&txid.seqno.to_le_bytes());
    bytes.extend_from_slice(&u32::try_from(txid.view).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend_from_slice(&[0; 8]);
    bytes.push(ENTRY_TYPE);
    bytes.extend_from_slice(&txid.seqno.to_le_bytes());
    bytes.extend_from_slice(&claims_digest.0);
    bytes.extend_from_slice(&commit_evidence_digest.0);
    bytes.extend_from_slice(&[0; 8]);
    for map in writes.iter().filter(|map| map.name.is_public()) {
        encode_map(&mut bytes, map);
    }
    let public_end = bytes.len();
    let public_size = ((public_end - PUBLIC_OFFSET) as u64).to_le_bytes();
    bytes[PUBLIC_OFFSET - 8..PUBLIC_OFFSET].copy_from_slice(&public_size);
    for map in writes.iter().filter(|map| !map.name.is_public()) {
        encode_map(&mut bytes, map);
    }
    assert_eq!(bytes.len(), size, "the size was computed from the same writes");

    let (clear, private) = bytes.split_at_mut(public_end);
    let tag = sealer.seal(txid, &clear[PUBLIC_OFFSET..], private)?;
    bytes[HEADER_BYTES..HEADER_BYTES + 16].copy_from_slice(&tag);

    let write_set_digest = Digest::of(&bytes);
    let leaf =
        Digest::of_parts(&[&write_set_digest.0, &commit_evidence_digest.0, &claims_digest.0]);
    Ok(SealedEntry { txid, bytes, write_set_digest, commit_evidence_digest, claims_digest, leaf })
}

/// The commit evidence of `txid` as receipts carry it.
#[must_use]
pub fn commit_evidence(txid: TxId, nonce: &Digest) -> String {
    format!("ce:{}.{}:{}", txid.view, txid.seqno, nonce.to_hex())
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
    let mut put = |part: &[u8]| {
        bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bytes.extend_from_slice(part);
    };
    put(map.name.as_str().as_bytes());
    let removals = map.writes.iter().filter(|(_, value)| value.is_none()).count();
    let count = |bytes: &mut Vec<u8>, number: usize| {
        bytes.extend_from_slice(&(number as u64).to_le_bytes());
    };
    // Read version and read count, always zero.
    bytes.extend_from_slice(&[0; 16]);
    count(bytes, map.writes.len() - removals);
    for (key, value) in &map.writes {
        if let Some(value) = value {
            count(bytes, key.len());
            bytes.extend_from_slice(key);
            count(bytes, value.len());
            bytes.extend_from_slice(value);
        }
    }
    count(bytes, removals);
    for (key, _) in map.writes.iter().filter(|(_, value)| value.is_none()) {
        count(bytes, key.len());
        bytes.extend_from_slice(key);
    }
}
