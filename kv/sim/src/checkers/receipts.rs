//! Promise: every receipt ever handed out verifies for ever, and speaks of what the ledger holds.

use affiant_kv::ReceiptParts;
use affiant_proof::cose::{Sign1, cose_receipt};
use affiant_proof::receipt::SignedRoot as ReceiptSignature;
use affiant_proof::{Digest, ExpectedClaims, Receipt, VerifyOptions, verify_cose, verify_json};

use crate::keys::{SERVICE_CERTIFICATE, SignerKind, SimVerifier};
use crate::ledger::LedgerEntry;
use crate::violation::{Checked, Violation};

/// A receipt as a client got it.
pub(crate) struct IssuedReceipt {
    /// Its parts.
    pub parts: ReceiptParts,
    /// How it was asked for.
    pub how: &'static str,
}

/// Every receipt handed out.
#[derive(Default)]
pub(crate) struct Receipts {
    issued: Vec<IssuedReceipt>,
}

impl Receipts {
    /// Takes a receipt and verifies it as a stranger would.
    ///
    /// # Errors
    /// It does not verify.
    pub(crate) fn note(&mut self, receipt: IssuedReceipt, verifier: &SimVerifier) -> Checked {
        verify(&receipt, verifier)?;
        self.issued.push(receipt);
        Ok(())
    }

    /// All of them.
    #[cfg(test)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &ReceiptParts> {
        self.issued.iter().map(|receipt| &receipt.parts)
    }

    /// Verifies every receipt again and compares it with the ledger as it is now.
    ///
    /// # Errors
    /// One does not verify, or the ledger has another entry in its place.
    pub(crate) fn check(&self, entries: &[LedgerEntry], verifier: &SimVerifier) -> Checked {
        self.issued.iter().try_for_each(|receipt| {
            verify(receipt, verifier)?;
            agrees(receipt, entries)
        })
    }
}

fn verify(receipt: &IssuedReceipt, verifier: &SimVerifier) -> Checked {
    let IssuedReceipt { parts, how } = receipt;
    let fail = |why: &str| Err(violation(format!("{} ({how}): {why}", parts.txid)));
    let root = &parts.signed_root;
    match &parts.proof {
        Some(proof) if proof.root() != root.root => return fail("its path leads to another root"),
        Some(_) if root.txid.seqno <= parts.txid.seqno => {
            return fail("it is signed by an earlier signature");
        }
        None if root.txid != parts.txid => return fail("it has no path and another's signature"),
        _ => {}
    }
    if !verifier.node_signed(&root.root, &root.signature) {
        return fail("the node's signature does not verify");
    }
    let Ok(sign1) = Sign1::parse(&root.cose) else { return fail("no COSE_Sign1") };
    if !verifier.service_signed(&sign1.to_be_signed(&root.root.0), sign1.signature) {
        return fail("the service's signature does not verify");
    }
    if verifier.kind() == SignerKind::Real { verify_encoded(receipt, verifier) } else { Ok(()) }
}

/// Cuts both forms of the receipt and has the verifier of strangers judge them.
fn verify_encoded(receipt: &IssuedReceipt, verifier: &SimVerifier) -> Checked {
    let IssuedReceipt { parts, how } = receipt;
    let root = &parts.signed_root;
    let signed = ReceiptSignature {
        cert_pem: &root.node_certificate_pem,
        node_id: &root.node_id,
        signature_der: &root.signature,
    };
    let json = match &parts.proof {
        Some(proof) => Receipt::for_transaction(
            &proof.write_set_digest,
            &proof.commit_evidence,
            &proof.claims_digest,
            &proof.path,
            signed,
        ),
        None => Receipt::for_signature(&root.root, signed),
    };
    let claims = |digest: Digest| match digest {
        Digest::ZERO => ExpectedClaims::None,
        digest => ExpectedClaims::Digest(digest),
    };
    let expected = parts.proof.as_ref().map_or(ExpectedClaims::Any, |p| claims(p.claims_digest));
    let json = Receipt::parse(json.to_json().as_bytes())
        .map_err(|error| violation(format!("{} ({how}): {error}", parts.txid)))?;
    let options = VerifyOptions { now: None, claims: expected };
    let verdict = verify_json(&json, SERVICE_CERTIFICATE, &options);
    if !verdict.is_valid() {
        return Err(violation(format!("{} ({how}), JSON: {verdict}", parts.txid)));
    }
    let Some(proof) = &parts.proof else { return Ok(()) };
    let cose = cose_receipt(&root.cose, proof)
        .map_err(|error| violation(format!("{} ({how}): {error}", parts.txid)))?;
    let verdict = verify_cose(&cose, verifier.service_key(), expected);
    if !verdict.is_valid() {
        return Err(violation(format!("{} ({how}), COSE: {verdict}", parts.txid)));
    }
    Ok(())
}

fn agrees(receipt: &IssuedReceipt, entries: &[LedgerEntry]) -> Checked {
    let IssuedReceipt { parts, how } = receipt;
    let at = |seqno: u64| entries.get(usize::try_from(seqno).ok()?.checked_sub(1)?);
    let fail = |why: &str| Err(violation(format!("{} ({how}): {why}", parts.txid)));
    let Some(entry) = at(parts.txid.seqno).filter(|entry| entry.txid == parts.txid) else {
        return fail("a receipt was handed out for what is not in the ledger");
    };
    if let Some(proof) = &parts.proof
        && proof.leaf() != entry.leaf
    {
        return fail("the receipt's leaf is not that of the ledger");
    }
    match at(parts.signed_root.txid.seqno).map(LedgerEntry::signature) {
        Some(Ok(Some((root, ..)))) if root == parts.signed_root.root => Ok(()),
        _ => fail("its signature is not in the ledger"),
    }
}

fn violation(detail: String) -> Violation {
    Violation::new("receipts", detail)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

    use std::sync::Arc;

    use affiant_kv::SignedRoot;
    use affiant_proof::TxId;

    use super::*;
    use crate::fixture;
    use crate::keys::SimSealer;
    use crate::ledger;

    #[test]
    fn receipts_of_another_root_key_or_ledger_are_seen() {
        let verifier = SimVerifier::new(SignerKind::Fast);
        let small = fixture::small_ledger();
        let entries = ledger::read(&small.files(), &*SimSealer::new(), u64::MAX).unwrap();
        let good = small.receipt;
        let issue = |parts: &ReceiptParts| IssuedReceipt { parts: parts.clone(), how: "test" };
        let mut receipts = Receipts::default();
        assert_eq!(receipts.note(issue(&good), &verifier), Ok(()));
        assert_eq!(receipts.check(&entries, &verifier), Ok(()));
        assert_eq!(receipts.iter().count(), 1);

        let seqno = good.txid.seqno as usize;
        assert!(receipts.check(&entries[..seqno - 1], &verifier).is_err(), "not in the ledger");
        let mut changed = entries.clone();
        changed[seqno - 1].leaf = Digest::of(b"other");
        assert!(receipts.check(&changed, &verifier).is_err(), "another leaf");

        let change_root = |change: &dyn Fn(&mut SignedRoot)| {
            let mut root = (*good.signed_root).clone();
            change(&mut root);
            ReceiptParts { signed_root: Arc::new(root), ..good.clone() }
        };
        let mut refuse = |parts: &ReceiptParts| {
            assert!(receipts.note(issue(parts), &verifier).is_err());
        };
        refuse(&change_root(&|root| root.root = Digest::of(b"other")));
        refuse(&change_root(&|root| root.signature[0] ^= 1));
        refuse(&change_root(&|root| *root.cose.last_mut().unwrap() ^= 1));
        refuse(&change_root(&|root| root.txid = TxId::new(2, 1)));
        refuse(&ReceiptParts { proof: None, ..good.clone() });
    }
}
