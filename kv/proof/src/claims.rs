//! What an entry's leaf is made of: the digest of its bytes, its commit evidence, its claims.
//!
//! The evidence is a text that only holders of the ledger secret can make before commit. It is
//! published in receipts, so a receipt shows that its entry was committed, not merely ordered.

use core::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::limits::COMMIT_EVIDENCE_BYTES_MAX;
use crate::{Digest, ProofError, TxId, to_hex};

/// What CCF feeds to the HMAC: its label is longer, but `sizeof` of a pointer cuts it to 8 bytes.
const COMMIT_SECRET_LABEL: &[u8] = b"Commit S";

/// The leaf of a transaction: SHA-256(write set digest || commit evidence digest || claims
/// digest).
#[must_use]
pub fn leaf(write_set: &Digest, commit_evidence: &Digest, claims: &Digest) -> Digest {
    Digest::leaf(write_set, commit_evidence, claims)
}

/// Derives the commit evidence of every entry sealed by one ledger secret.
#[derive(Clone)]
pub struct EvidenceKey(Hmac<Sha256>);

impl EvidenceKey {
    /// Prepares the key from the ledger secret in force.
    #[must_use]
    pub fn new(ledger_secret: &[u8; 32]) -> Self {
        let mut commit_secret = hmac(&Self::keyed(ledger_secret), COMMIT_SECRET_LABEL);
        let key = Self::keyed(&commit_secret);
        zeroize::Zeroize::zeroize(&mut commit_secret);
        Self(key)
    }

    fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
        Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
    }

    /// The nonce of the entry `txid`.
    #[must_use]
    pub fn nonce(&self, txid: TxId) -> [u8; 32] {
        let mut text = DecimalPair { text: [0; 41], length: 0 };
        write!(text, "{txid}").expect("two 64-bit decimals and a dot fit");
        hmac(&self.0, text.bytes())
    }

    /// The commit evidence text of the entry `txid`.
    #[must_use]
    pub fn evidence(&self, txid: TxId) -> String {
        commit_evidence(txid, &self.nonce(txid))
    }

    /// The SHA-256 of [`EvidenceKey::evidence`].
    #[must_use]
    pub fn evidence_digest(&self, txid: TxId) -> Digest {
        Digest::of(self.evidence(txid).as_bytes())
    }
}

impl core::fmt::Debug for EvidenceKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("EvidenceKey(..)")
    }
}

fn hmac(keyed: &Hmac<Sha256>, message: &[u8]) -> [u8; 32] {
    let mut mac = keyed.clone();
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// `<view>.<seqno>` without a heap allocation: at most 20 + 1 + 20 characters.
struct DecimalPair {
    text: [u8; 41],
    length: usize,
}

impl DecimalPair {
    fn bytes(&self) -> &[u8] {
        &self.text[..self.length]
    }
}

impl core::fmt::Write for DecimalPair {
    fn write_str(&mut self, part: &str) -> core::fmt::Result {
        let room = self.text.get_mut(self.length..self.length + part.len());
        room.ok_or(core::fmt::Error)?.copy_from_slice(part.as_bytes());
        self.length += part.len();
        Ok(())
    }
}

/// The commit evidence text of `txid`: `ce:<view>.<seqno>:<64 hex characters of the nonce>`.
#[must_use]
pub fn commit_evidence(txid: TxId, nonce: &[u8; 32]) -> String {
    format!("ce:{txid}:{}", to_hex(nonce))
}

/// The transaction id within a commit evidence text.
///
/// # Errors
/// The text is not `ce:<view>.<seqno>:<64 lower-case hex characters>`.
pub fn parse_commit_evidence(text: &str) -> Result<TxId, ProofError> {
    let malformed = |why| ProofError::Malformed { what: "commit evidence", offset: 0, why };
    if text.len() > COMMIT_EVIDENCE_BYTES_MAX {
        return Err(ProofError::TooLarge {
            what: "commit evidence size",
            found: text.len() as u64,
            limit: COMMIT_EVIDENCE_BYTES_MAX as u64,
        });
    }
    let rest = text.strip_prefix("ce:").ok_or_else(|| malformed("it must start with \"ce:\""))?;
    let (txid, nonce) =
        rest.split_once(':').ok_or_else(|| malformed("it must have three parts"))?;
    let txid = txid.parse().map_err(|_| malformed("its second part must be a transaction id"))?;
    let lower_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if nonce.len() != 64 || !nonce.bytes().all(lower_hex) {
        return Err(malformed("its third part must be 64 lower-case hex characters"));
    }
    Ok(txid)
}
