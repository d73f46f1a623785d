//! Who calls a handler, and what past its request is about.

use affiant::crypto::{CertificateRequest, Curve, SigningKey, SubjectName};
use serde_json::Value as Json;

use super::endpoints::{add, call, call_with, counter, endpoint, serving};
use super::*;

fn certificate(name: &str) -> String {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let request = CertificateRequest {
        subject: SubjectName::common(name),
        subject_alt_names: Vec::new(),
        valid_from_unix_s: now - 3_600,
        validity_days: 2,
    };
    request.self_signed_person(&SigningKey::generate(Curve::P256).unwrap()).unwrap().pem
}

#[test]
fn callers_are_identified_by_the_policies_of_the_endpoint() {
    let made = options();
    let (user, stranger) = (certificate("user"), certificate("stranger"));
    // SAFETY: the slices are here.
    let added =
        unsafe { affiant_options_add_user(made, text(&user), text(r#"{"role": "clerk"}"#)) };
    ok(added, made);
    let policies = ["user_cert", "any_cert"].map(text);
    let mut declared = endpoint("GET", "/me");
    (declared.policies, declared.policy_count) = (policies.as_ptr(), policies.len());
    let added = add(made, declared, counter(), |given| {
        let policy = given.asked(affiant_request_caller).unwrap();
        let about: Json =
            serde_json::from_str(&given.asked(affiant_request_caller_json).unwrap()).unwrap();
        assert_eq!(about["policy"], *policy);
        assert!(about["cert"].as_str().unwrap().starts_with("-----BEGIN CERTIFICATE"));
        if policy == "user_cert" {
            assert_eq!(about["id"], given.asked(affiant_request_caller_id).unwrap());
            assert_eq!(about["data"]["role"], "clerk");
        } else {
            assert_eq!(given.asked(affiant_request_caller_id), Err(AFFIANT_NOT_FOUND));
            assert!(reason(given.request).contains("any_cert identifies nobody"));
        }
        given.answer(&policy)
    });
    ok(added, made);
    let runtime = open_with(made);
    let asked = |certificate| call_with(runtime.runtime, "GET", "/app/me", &[], certificate);
    asked(&user).unwrap().says(200, "user_cert");
    asked(&stranger).unwrap().says(200, "any_cert");
    assert_eq!(asked("").unwrap().status, 401);
    assert_eq!(asked("no certificate").err().unwrap(), AFFIANT_UNREADABLE);
    assert!(reason(runtime.runtime).starts_with("certificate_pem: "));
}

#[test]
fn a_historical_handler_reads_the_transaction_that_is_named() {
    let mut declared = endpoint("GET", "/past");
    declared.mode = AFFIANT_MODE_HISTORICAL;
    let runtime = serving(declared, |given| {
        let (mut txid, mut value) = (affiant_txid::default(), affiant_slice::EMPTY);
        let mut receipt = core::ptr::null_mut();
        let request = given.request;
        let (map, key) = (text("notes"), text("key"));
        // SAFETY: slices and outputs are here.
        unsafe {
            ok(affiant_request_past_txid(request, &raw mut txid), request);
            ok(affiant_request_past_get(request, map, key, &raw mut value), request);
            let none = affiant_request_past_get(request, map, text("other"), &raw mut value);
            assert_eq!(none, AFFIANT_NOT_FOUND);
            ok(affiant_request_past_receipt(request, &raw mut receipt), request);
            let mut proven = affiant_txid::default();
            ok(affiant_receipt_txid(receipt, &raw mut proven), receipt);
            assert_eq!(proven, txid);
            assert_eq!(affiant_tx_put(given.tx, map, key, key), AFFIANT_READ_ONLY);
        }
        assert_eq!(affiant_receipt_free(receipt), AFFIANT_OK);
        given.answer(&String::from_utf8(shown(value)).unwrap())
    });
    let old = write(&runtime, "key", "old");
    write(&runtime, "key", "new");
    let named = format!("{}.{}", old.view, old.seqno);
    let headers = [("x-ms-ccf-transaction-id", &*named)];
    for _ in 0..10_000 {
        let answer = call_with(runtime.runtime, "GET", "/app/past", &headers, "").unwrap();
        // Not loaded yet.
        if answer.status == 202 {
            std::thread::sleep(std::time::Duration::from_millis(1));
            continue;
        }
        answer.says(200, "old");
        return;
    }
    panic!("the past was never loaded");
}

#[test]
fn an_endpoint_of_the_present_has_no_past_and_may_answer_with_its_receipt() {
    let mut declared = endpoint("POST", "/x");
    declared.respond = AFFIANT_RESPOND_WITH_RECEIPT;
    let runtime = serving(declared, |given| {
        let mut txid = affiant_txid::default();
        // SAFETY: the output is here.
        let none = unsafe { affiant_request_past_txid(given.request, &raw mut txid) };
        assert_eq!(none, AFFIANT_NOT_FOUND);
        put(given.tx, "key", "value");
        given.answer("done")
    });
    let answer = call(&runtime, "POST", "/app/x");
    assert_eq!(answer.status, 200);
    let answer: Json = serde_json::from_slice(&answer.body).unwrap();
    assert!(answer["receipt"].is_object() && answer["transaction_id"].is_string(), "{answer}");
}
