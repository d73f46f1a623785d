//! Receipts, made and checked.

use super::*;

struct Proof {
    json: Vec<u8>,
    cose: Vec<u8>,
    certificate: Vec<u8>,
    txid: affiant_txid,
}

fn proof(claims: &[u8]) -> Proof {
    let runtime = in_memory();
    let tx = begin(&runtime);
    put(tx, "a", "1");
    let digest = affiant_proof::Digest::of(claims);
    // SAFETY: the slice is here.
    ok(unsafe { affiant_tx_set_claims_digest(tx, affiant_slice::of(&digest.0)) }, tx);
    let txid = commit(tx);
    let (mut receipt, mut told) = (core::ptr::null_mut(), affiant_txid::default());
    let (mut json, mut cose, mut certificate) =
        (affiant_slice::EMPTY, affiant_slice::EMPTY, affiant_slice::EMPTY);
    let handle = runtime.runtime;
    // SAFETY: the outputs are here.
    unsafe {
        ok(affiant_runtime_receipt(handle, txid, LONG_MS, &raw mut receipt), handle);
        ok(affiant_receipt_json(receipt, &raw mut json), receipt);
        ok(affiant_receipt_cose(receipt, &raw mut cose), receipt);
        ok(affiant_receipt_txid(receipt, &raw mut told), receipt);
        ok(affiant_runtime_service_certificate(handle, &raw mut certificate), handle);
    }
    assert_eq!(told, txid);
    let certificate = shown(certificate);
    drop(runtime);
    let made = Proof { json: shown(json), cose: shown(cose), certificate, txid };
    assert_eq!(affiant_receipt_free(receipt), AFFIANT_OK);
    made
}

fn check(
    receipt: &[u8],
    certificate: &[u8],
    options: Option<&affiant_receipt_options>,
) -> (affiant_status, *mut affiant_verdict) {
    let mut verdict = core::ptr::null_mut();
    let options = options.map_or(core::ptr::null(), core::ptr::from_ref);
    let (receipt, certificate) = (affiant_slice::of(receipt), affiant_slice::of(certificate));
    // SAFETY: everything that is pointed to is here.
    let status = unsafe { affiant_verify_receipt(receipt, certificate, options, &raw mut verdict) };
    (status, verdict)
}

#[test]
fn receipts_hold_in_both_forms_and_name_their_transaction() {
    let proof = proof(b"I owe you 5");
    for receipt in [&proof.json, &proof.cose] {
        let claims = affiant_receipt_options {
            size: size_of::<affiant_receipt_options>(),
            claims: text("I owe you 5"),
            claims_digest: affiant_slice::EMPTY,
            at_unix_s: 0,
        };
        let (status, verdict) = check(receipt, &proof.certificate, Some(&claims));
        let (mut valid, mut txid, mut count) = (false, affiant_txid::default(), 0);
        let mut json = affiant_slice::EMPTY;
        // SAFETY: the outputs are here.
        unsafe {
            ok(affiant_verdict_is_valid(verdict, &raw mut valid), verdict);
            ok(affiant_verdict_json(verdict, &raw mut json), verdict);
            ok(affiant_verdict_txid(verdict, &raw mut txid), verdict);
            ok(affiant_verdict_count(verdict, &raw mut count), verdict);
        }
        let json = String::from_utf8(shown(json)).unwrap();
        assert_eq!((status, valid, txid), (AFFIANT_OK, true, proof.txid), "{json}");
        assert!(count > 3 && json.contains(r#""name":"signature""#), "{json}");
        assert_eq!(affiant_verdict_free(verdict), AFFIANT_OK);
        let other = affiant_receipt_options { claims: text("I owe you 6"), ..claims };
        let (status, verdict) = check(receipt, &proof.certificate, Some(&other));
        assert_eq!(status, AFFIANT_NOT_VERIFIED);
        assert!(failures(verdict).iter().any(|(name, _)| name.contains("claims")));
        assert_eq!(affiant_verdict_free(verdict), AFFIANT_OK);
    }
}

/// Names and explanations of the checks that failed.
fn failures(verdict: *mut affiant_verdict) -> Vec<(String, String)> {
    let mut failed = Vec::new();
    for index in 0.. {
        let mut check = affiant_check {
            size: size_of::<affiant_check>(),
            name: affiant_slice::EMPTY,
            explanation: affiant_slice::EMPTY,
            outcome: 0,
            reserved: 0,
        };
        // SAFETY: the struct is here.
        match unsafe { affiant_verdict_check(verdict, index, &raw mut check) } {
            AFFIANT_NOT_FOUND => break,
            status => ok(status, verdict),
        }
        let words = |view| String::from_utf8(shown(view)).unwrap();
        if check.outcome == AFFIANT_CHECK_FAILED {
            failed.push((words(check.name), words(check.explanation)));
        }
    }
    failed
}

#[test]
fn what_was_changed_or_is_of_another_service_is_refused() {
    let (ours, theirs) = (proof(b"x"), proof(b"x"));
    let (status, verdict) = check(&ours.json, &theirs.certificate, None);
    assert_eq!(status, AFFIANT_NOT_VERIFIED);
    assert!(!failures(verdict).is_empty());
    assert_eq!(affiant_verdict_free(verdict), AFFIANT_OK);
    let changed = String::from_utf8(ours.json.clone()).unwrap();
    let digest = changed.split(r#""write_set_digest":""#).nth(1).unwrap().chars().next().unwrap();
    let other = if digest == '0' { '1' } else { '0' };
    let changed = changed.replace(
        &format!(r#""write_set_digest":"{digest}"#),
        &format!(r#""write_set_digest":"{other}"#),
    );
    let (status, verdict) = check(changed.as_bytes(), &ours.certificate, None);
    assert_eq!(status, AFFIANT_NOT_VERIFIED);
    assert_eq!(affiant_verdict_free(verdict), AFFIANT_OK);
    for (receipt, certificate) in
        [(&b"{"[..], &*ours.certificate), (b"", &ours.certificate), (&ours.json, b"no certificate")]
    {
        let (status, verdict) = check(receipt, certificate, None);
        assert!(status == AFFIANT_UNREADABLE && verdict.is_null());
    }
}
