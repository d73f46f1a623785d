//! The seal of entries: checked for those whose ledger secret the caller hands over.

use core::fmt;

use aes_gcm::aead::{AeadInOut as _, KeyInit as _};
use aes_gcm::{Aes256Gcm, Nonce, Tag};
use zeroize::Zeroize as _;

use crate::ProofError;
use crate::claims::EvidenceKey;
use crate::entry::{EntryView, Maps, PUBLIC_PREFIX};

/// A ledger secret and the seqno from which it seals. Zeroised when dropped; never printed.
#[derive(Clone, zeroize::ZeroizeOnDrop)]
pub struct LedgerSecret {
    /// The first seqno that it seals; 1 for the first secret of a ledger.
    #[zeroize(skip)]
    pub first_seqno: u64,
    /// The key.
    pub key: [u8; 32],
}

impl fmt::Debug for LedgerSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LedgerSecret(from {})", self.first_seqno)
    }
}

/// A secret made ready.
#[derive(Clone)]
struct Key {
    first_seqno: u64,
    cipher: Aes256Gcm,
    evidence: EvidenceKey,
}

/// The secrets of a ledger, made ready, in order of their first seqno.
#[derive(Clone, Default)]
pub(super) struct Seals {
    keys: Vec<Key>,
    /// Room for one opened private domain; zeroised after each use.
    plaintext: Vec<u8>,
}

impl Seals {
    pub(super) fn new(secrets: &[LedgerSecret]) -> Self {
        let ready = |secret: &LedgerSecret| Key {
            first_seqno: secret.first_seqno,
            cipher: Aes256Gcm::new(&secret.key.into()),
            evidence: EvidenceKey::new(&secret.key),
        };
        let mut keys: Vec<_> = secrets.iter().map(ready).collect();
        keys.sort_by_key(|key| key.first_seqno);
        Self { keys, plaintext: Vec::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether the secret of the entry at `seqno` was given.
    pub(super) fn covers(&self, seqno: u64) -> bool {
        self.keys.first().is_some_and(|key| key.first_seqno <= seqno)
    }

    /// Checks the tag over both domains, the commit evidence, and the grammar of the private
    /// maps. False if no secret is known for the entry.
    pub(super) fn check(&mut self, entry: &EntryView<'_>) -> Result<bool, ProofError> {
        let txid = entry.txid();
        let Some(key) = self.keys.iter().rev().find(|key| key.first_seqno <= txid.seqno) else {
            return Ok(false);
        };
        self.plaintext.clear();
        self.plaintext.extend_from_slice(entry.private_ciphertext());
        let opened = key.cipher.decrypt_inout_detached(
            &Nonce::from(entry.iv()),
            entry.public_domain(),
            self.plaintext.as_mut_slice().into(),
            &Tag::from(entry.tag()),
        );
        let outcome = match opened {
            Err(_) => Err(ProofError::BadTag { txid }),
            Ok(()) => check_private_maps(&self.plaintext),
        };
        self.plaintext.zeroize();
        outcome?;
        if let Some(found) = entry.commit_evidence_digest() {
            let expected = key.evidence.evidence_digest(txid);
            if found != expected {
                return Err(ProofError::Mismatch {
                    what: "commit evidence digest",
                    expected: expected.to_hex(),
                    found: found.to_hex(),
                });
            }
        }
        Ok(true)
    }
}

fn check_private_maps(plaintext: &[u8]) -> Result<(), ProofError> {
    for map in Maps::of_private(plaintext) {
        if map?.name().starts_with(PUBLIC_PREFIX) {
            let why = "a public map stands in the private domain";
            return Err(ProofError::Malformed { what: "private domain", offset: 0, why });
        }
    }
    Ok(())
}
