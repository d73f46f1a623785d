//! Promise: entries are numbered without a gap, views never go back, and every signature entry
//! signs, with the node's key and the service's, the Merkle root over all entries before it.

use affiant_proof::cose::Sign1;
use affiant_proof::merkle::Tree;

use crate::keys::SimVerifier;
use crate::ledger::LedgerEntry;
use crate::violation::{Checked, Violation};

/// Checks a whole ledger from seqno 1 on.
///
/// # Errors
/// At the first entry that breaks the promise.
pub(crate) fn check_history(entries: &[LedgerEntry], verifier: &SimVerifier) -> Checked {
    let mut tree = Tree::new();
    let mut view = 0;
    for (position, entry) in entries.iter().enumerate() {
        let txid = entry.txid;
        if txid.seqno != position as u64 + 1 {
            return Err(violation(format!("{txid} stands at place {}", position + 1)));
        }
        if txid.view < view {
            return Err(violation(format!("{txid} follows an entry of view {view}")));
        }
        view = txid.view;
        check_signature(entry, &tree, verifier)?;
        tree.append(entry.leaf);
    }
    Ok(())
}

fn check_signature(entry: &LedgerEntry, tree: &Tree, verifier: &SimVerifier) -> Checked {
    let txid = entry.txid;
    let signature =
        entry.signature().map_err(|why| violation(format!("signature entry {txid}: {why}")))?;
    let Some((root, signature, cose)) = signature else { return Ok(()) };
    if root != tree.root() {
        return Err(violation(format!("{txid} signs another root than that of its ledger")));
    }
    if !verifier.node_signed(&root, &signature) {
        return Err(violation(format!("the node's signature in {txid} does not verify")));
    }
    let sign1 = Sign1::parse(&cose)
        .map_err(|error| violation(format!("the COSE signature in {txid}: {error}")))?;
    if !verifier.service_signed(&sign1.to_be_signed(&root.0), sign1.signature) {
        return Err(violation(format!("the service's signature in {txid} does not verify")));
    }
    Ok(())
}

fn violation(detail: String) -> Violation {
    Violation::new("history", detail)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

    use super::*;
    use crate::fixture;
    use crate::keys::{SignerKind, SimSealer};
    use crate::ledger;

    #[test]
    fn gaps_steps_back_and_wrong_roots_are_seen() {
        let verifier = SimVerifier::new(SignerKind::Fast);
        let small = fixture::small_ledger();
        let entries = ledger::read(&small.files(), &*SimSealer::new(), u64::MAX).unwrap();
        assert!(entries.len() > 3);
        assert_eq!(check_history(&entries, &verifier), Ok(()));
        assert!(check_history(&entries[1..], &verifier).is_err(), "does not start at 1");
        let mut back = entries.clone();
        back[0].txid.view = 9;
        assert!(check_history(&back, &verifier).is_err(), "a view goes back");
        let mut other = entries.clone();
        other[0].leaf = other[1].leaf;
        assert!(check_history(&other, &verifier).is_err(), "another root");
        let real = SimVerifier::new(SignerKind::Real);
        assert!(check_history(&entries, &real).is_err(), "signed by other keys");
    }
}
