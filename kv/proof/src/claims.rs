//! What an entry's leaf is made of: the digest of its bytes, its commit evidence, its claims.
//!
//! The evidence is a text that only holders of the ledger secret can make before commit. It is
//! published in receipts, so a receipt shows that its entry was committed, not merely ordered.

use zeroize::Zeroize as _;

use crate::digest::{State, hex_digits};
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

/// Derives the commit evidence of every entry sealed by one ledger secret. Zeroised when dropped.
#[derive(Clone, zeroize::ZeroizeOnDrop)]
pub struct EvidenceKey(HmacKey);

impl EvidenceKey {
    /// Prepares the key from the ledger secret in force.
    #[must_use]
    pub fn new(ledger_secret: &[u8; 32]) -> Self {
        let mut commit_secret = HmacKey::new(ledger_secret).authenticate(COMMIT_SECRET_LABEL);
        let key = HmacKey::new(&commit_secret.0);
        commit_secret.0.zeroize();
        Self(key)
    }

    /// The nonce of the entry `txid`.
    #[must_use]
    pub fn nonce(&self, txid: TxId) -> [u8; 32] {
        self.0.authenticate(Text::of(txid).id()).0
    }

    /// The commit evidence text of the entry `txid`.
    #[must_use]
    pub fn evidence(&self, txid: TxId) -> String {
        commit_evidence(txid, &self.nonce(txid))
    }

    /// The SHA-256 of [`EvidenceKey::evidence`], without making the text.
    #[must_use]
    pub fn evidence_digest(&self, txid: TxId) -> Digest {
        let mut text = Text::of(txid);
        let nonce = self.0.authenticate(text.id());
        text.push(b":");
        for byte in nonce.0 {
            text.push(&hex_digits(byte));
        }
        Digest::of(text.bytes())
    }
}

impl core::fmt::Debug for EvidenceKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("EvidenceKey(..)")
    }
}

/// HMAC-SHA-256 under one key: the hash states after the two padded keys, so that a short message
/// takes two blocks instead of four.
#[derive(Clone, zeroize::ZeroizeOnDrop)]
struct HmacKey {
    inner: State,
    outer: State,
}

impl HmacKey {
    fn new(key: &[u8; 32]) -> Self {
        let padded = |with: u8| {
            let mut block = [with; 64];
            block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
            let state = State::after(&block);
            block.zeroize();
            state
        };
        Self { inner: padded(0x36), outer: padded(0x5c) }
    }

    fn authenticate(&self, message: &[u8]) -> Digest {
        self.outer.finish(&self.inner.finish(message, 64).0, 64)
    }
}

/// Room for the longest commit evidence: `ce:`, two 64-bit decimals, a dot, a colon, the nonce.
const TEXT_BYTES: usize = 3 + 20 + 1 + 20 + 1 + 64;

/// The start of a commit evidence, without a heap allocation and without the formatting machinery:
/// every entry needs it.
struct Text {
    bytes: [u8; TEXT_BYTES],
    length: usize,
}

impl Text {
    const PREFIX: &[u8] = b"ce:";

    /// `ce:<view>.<seqno>`.
    fn of(txid: TxId) -> Self {
        let mut text = Self { bytes: [0; TEXT_BYTES], length: 0 };
        text.push(Self::PREFIX);
        text.push_decimal(txid.view);
        text.push(b".");
        text.push_decimal(txid.seqno);
        text
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// All but the prefix.
    fn id(&self) -> &[u8] {
        &self.bytes[Self::PREFIX.len()..self.length]
    }

    fn push(&mut self, part: &[u8]) {
        let end = self.length + part.len();
        assert!(end <= TEXT_BYTES, "commit evidence has a longest form");
        self.bytes[self.length..end].copy_from_slice(part);
        self.length = end;
    }

    fn push_decimal(&mut self, mut number: u64) {
        let mut digits = [0; 20];
        let mut from = digits.len();
        loop {
            from -= 1;
            digits[from] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        self.push(&digits[from..]);
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
