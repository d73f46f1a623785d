//! Ledger secrets, and the AES-256-GCM and commit evidence made with them (reference: ledger format
//! 1.5, 1.7, 3.1).
//!
//! Key schedules are prepared once per secret; a call takes no lock. The commit evidence is the
//! verifier crate's own: it works on the bare block function, at two thirds of the cost of a keyed
//! HMAC context, which matters at one per entry; the test derives it by `aws-lc-rs`.

use std::sync::Arc;

use affiant_kv::{KeyError, Sealer};
use affiant_proof::claims::EvidenceKey;
use affiant_proof::{Digest, TxId};
use arc_swap::ArcSwap;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::keys::random_bytes;

const VIEW_LIMIT: u64 = 1 << 31;

/// 32 random bytes that seal the ledger from one seqno on.
#[derive(Clone)]
pub struct LedgerSecret {
    /// The first seqno sealed with it.
    pub first_seqno: u64,
    /// The secret.
    pub secret: Zeroizing<[u8; 32]>,
}

impl LedgerSecret {
    /// Makes a new one.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn generate(first_seqno: u64) -> Result<Self, KeyError> {
        Ok(Self { first_seqno, secret: Zeroizing::new(random_bytes()?) })
    }
}

struct Schedule {
    first_seqno: u64,
    aead: LessSafeKey,
    evidence: EvidenceKey,
}

impl Schedule {
    fn prepare(secret: &LedgerSecret) -> Result<Self, KeyError> {
        let key = UnboundKey::new(&AES_256_GCM, &*secret.secret)
            .map_err(|_| KeyError("a ledger secret was refused".to_owned()))?;
        Ok(Self {
            first_seqno: secret.first_seqno,
            aead: LessSafeKey::new(key),
            evidence: EvidenceKey::new(&secret.secret),
        })
    }
}

/// The [`Sealer`] of a node.
pub struct RuntimeSealer {
    /// Ascending by first seqno.
    schedules: ArcSwap<Vec<Arc<Schedule>>>,
}

impl RuntimeSealer {
    /// Prepares the secrets of a service.
    ///
    /// # Errors
    /// There is none.
    pub fn new(secrets: &[LedgerSecret]) -> Result<Self, KeyError> {
        let mut schedules = secrets
            .iter()
            .map(|secret| Schedule::prepare(secret).map(Arc::new))
            .collect::<Result<Vec<_>, _>>()?;
        schedules.sort_by_key(|schedule| schedule.first_seqno);
        if schedules.is_empty() {
            return Err(KeyError("a service has at least one ledger secret".to_owned()));
        }
        Ok(Self { schedules: ArcSwap::from_pointee(schedules) })
    }

    /// Adds a secret that is newer than all others.
    ///
    /// # Errors
    /// It is not newer.
    pub fn add(&self, secret: &LedgerSecret) -> Result<(), KeyError> {
        let mut schedules = Vec::clone(&self.schedules.load());
        if schedules.last().is_some_and(|last| last.first_seqno >= secret.first_seqno) {
            return Err(KeyError("a new ledger secret starts after all others".to_owned()));
        }
        schedules.push(Arc::new(Schedule::prepare(secret)?));
        self.schedules.store(Arc::new(schedules));
        Ok(())
    }

    fn with<R>(
        &self,
        txid: TxId,
        act: impl FnOnce(&Schedule) -> Result<R, KeyError>,
    ) -> Result<R, KeyError> {
        let schedules = self.schedules.load();
        let position =
            schedules.partition_point(|schedule| schedule.first_seqno <= txid.seqno).checked_sub(1);
        match position.and_then(|position| schedules.get(position)) {
            Some(schedule) => act(schedule),
            None => Err(KeyError(format!("no ledger secret is in force at {txid}"))),
        }
    }
}

impl Sealer for RuntimeSealer {
    fn seal(&self, txid: TxId, aad: &[u8], in_out: &mut [u8]) -> Result<[u8; 16], KeyError> {
        let nonce = nonce_of(txid)?;
        self.with(txid, |schedule| {
            let tag = schedule
                .aead
                .seal_in_place_separate_tag(nonce, Aad::from(aad), in_out)
                .map_err(|_| KeyError(format!("sealing {txid} failed")))?;
            tag.as_ref().try_into().map_err(|_| KeyError("a GCM tag has 16 bytes".to_owned()))
        })
    }

    fn open(
        &self,
        txid: TxId,
        aad: &[u8],
        in_out: &mut [u8],
        tag: &[u8; 16],
    ) -> Result<(), KeyError> {
        let nonce = nonce_of(txid)?;
        self.with(txid, |schedule| {
            schedule
                .aead
                .open_in_place_separate_tag(nonce, Aad::from(aad), tag, in_out)
                .map(|_| ())
                .map_err(|_| KeyError(format!("{txid} does not authenticate")))
        })
    }

    fn commit_nonce(&self, txid: TxId) -> Result<Digest, KeyError> {
        self.with(txid, |schedule| Ok(Digest(schedule.evidence.nonce(txid))))
    }

    fn commit_evidence_digest(&self, txid: TxId) -> Result<Digest, KeyError> {
        self.with(txid, |schedule| Ok(schedule.evidence.evidence_digest(txid)))
    }
}

fn nonce_of(txid: TxId) -> Result<Nonce, KeyError> {
    let view = u32::try_from(txid.view)
        .ok()
        .filter(|_| txid.view < VIEW_LIMIT)
        .ok_or_else(|| KeyError(format!("view {} does not fit an entry's nonce", txid.view)))?;
    let mut bytes = [0_u8; 12];
    bytes[..8].copy_from_slice(&txid.seqno.to_le_bytes());
    bytes[8..].copy_from_slice(&view.to_le_bytes());
    Ok(Nonce::assume_unique_for_key(bytes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use aws_lc_rs::hmac;

    fn secret(first_seqno: u64, byte: u8) -> LedgerSecret {
        LedgerSecret { first_seqno, secret: Zeroizing::new([byte; 32]) }
    }

    #[test]
    fn nonces_agree_with_another_implementation() {
        let sealer = RuntimeSealer::new(&[secret(1, 7)]).unwrap();
        let keyed = |key: &[u8], text: &[u8]| {
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text).as_ref().to_vec()
        };
        // CCF means "Commit Secret Label", but its HMAC takes as many bytes as a pointer has.
        let commit_secret = keyed(&[7; 32], b"Commit S");
        for txid in [TxId::new(2, 1), TxId::new(u64::MAX, u64::MAX), TxId::new(10, 100)] {
            let expected = keyed(&commit_secret, txid.to_string().as_bytes());
            let nonce = sealer.commit_nonce(txid).unwrap();
            assert_eq!(nonce.0.to_vec(), expected);
            let evidence = affiant_proof::claims::commit_evidence(txid, &nonce.0);
            let digest = sealer.commit_evidence_digest(txid).unwrap();
            assert_eq!(digest, Digest::of(evidence.as_bytes()));
        }
    }

    #[test]
    fn the_secret_in_force_is_chosen_by_seqno() {
        let sealer = RuntimeSealer::new(&[secret(1, 1)]).unwrap();
        sealer.add(&secret(10, 2)).unwrap();
        assert!(sealer.add(&secret(10, 3)).is_err());
        let nonce = |seqno| sealer.commit_nonce(TxId::new(2, seqno)).unwrap().0;
        assert_eq!(nonce(9), EvidenceKey::new(&[1; 32]).nonce(TxId::new(2, 9)));
        assert_eq!(nonce(10), EvidenceKey::new(&[2; 32]).nonce(TxId::new(2, 10)));
        assert!(sealer.commit_nonce(TxId::new(2, 0)).is_err());
        assert!(RuntimeSealer::new(&[]).is_err());
    }

    #[test]
    fn what_is_sealed_opens_and_nothing_else_does() {
        let sealer = RuntimeSealer::new(&[secret(1, 7)]).unwrap();
        let txid = TxId::new(2, 17);
        let mut text = b"private".to_vec();
        let tag = sealer.seal(txid, b"public", &mut text).unwrap();
        assert_ne!(text, b"private");
        let mut opened = text.clone();
        sealer.open(txid, b"public", &mut opened, &tag).unwrap();
        assert_eq!(opened, b"private");
        for (other, aad, flip) in
            [(TxId::new(2, 18), &b"public"[..], 0), (txid, b"other", 0), (txid, b"public", 1)]
        {
            let mut bad = text.clone();
            bad[0] ^= flip;
            assert!(sealer.open(other, aad, &mut bad, &tag).is_err());
        }
        assert!(sealer.seal(TxId::new(VIEW_LIMIT, 1), b"", &mut []).is_err());
    }
}
