//! The rules, the endpoints and the proofs, in process: no address, no files.

use std::error::Error;
use std::sync::Arc;

use affiant::auth::CertCaller;
use affiant::{Caller, Peer, Response, Runtime};
use serde_json::{Value as Json, json};

use crate::custody::{Custody, Refusal, inventory};
use crate::{WAIT, service};

type Checked = Result<(), Box<dyn Error>>;

fn started() -> Result<(Runtime, Custody), Box<dyn Error>> {
    let custody = Custody::new()?;
    let runtime = service::endpoints(Runtime::builder().in_memory(), &custody).start()?;
    Ok((runtime, custody))
}

/// Somebody for whom this program vouches.
fn user(name: &str) -> Peer {
    let (id, cert): (Arc<str>, Arc<str>) = (name.into(), "".into());
    Peer::Trusted(Caller::UserCert(CertCaller { id, data: json!({"name": name}), cert }))
}

fn hand_over(runtime: &Runtime, from: &str, to: &str) -> Result<Response, Box<dyn Error>> {
    let body = json!({"to": to}).to_string();
    Ok(runtime.call("POST", "/app/samples/blood-7/handover", body, user(from))?)
}

#[test]
fn a_sample_goes_from_hand_to_hand() -> Checked {
    let (runtime, custody) = started()?;
    runtime.run(|tx| Ok(custody.register(tx, "blood-7", "alice")?))?;
    assert_eq!(hand_over(&runtime, "alice", "bob")?.status, 200);
    // It is bob's now.
    assert_eq!(hand_over(&runtime, "alice", "carol")?.status, 403);
    assert_eq!(hand_over(&runtime, "bob", "carol")?.status, 200);
    let answer = runtime.call("GET", "/app/samples/blood-7", "", Peer::Anonymous)?;
    let seen: Json = serde_json::from_slice(&answer.body)?;
    assert_eq!(
        (&seen["holder"], seen["steps"].as_array().map(Vec::len)),
        (&json!("carol"), Some(3))
    );
    assert_eq!(runtime.call("GET", "/app/samples/none", "", Peer::Anonymous)?.status, 404);
    // A name that begins with the other one is another sample.
    runtime.run(|tx| Ok(custody.register(tx, "blood-70", "dave")?))?;
    assert_eq!(custody.history(&mut runtime.begin(), "blood-7").len(), 3);
    let all: Vec<_> = inventory(&runtime.snapshot()).collect();
    assert_eq!(
        all,
        [("blood-7".to_owned(), json!("carol")), ("blood-70".to_owned(), json!("dave"))]
    );
    Ok(())
}

#[test]
fn what_is_refused_leaves_nothing() -> Checked {
    let (runtime, custody) = started()?;
    let before = runtime.last();
    let mut tx = runtime.begin();
    assert_eq!(custody.hand_over(&mut tx, "none", "alice", "bob"), Err(Refusal::Unknown));
    assert_eq!(custody.register(&mut tx, "two words", "alice"), Err(Refusal::NoName));
    let error = runtime.run(|tx| Ok(custody.register(tx, "", "alice")?)).unwrap_err();
    assert!(error.to_string().starts_with("A sample's name has"), "{error}");
    let stranger = runtime.call("POST", "/app/samples/x/handover", "{}", Peer::Anonymous)?;
    assert_eq!(stranger.status, 401);
    assert_eq!(runtime.last(), before);
    Ok(())
}

#[test]
fn an_answer_carries_a_receipt_that_holds_for_this_service_only() -> Checked {
    use affiant::proof::{VerifyOptions, verify_receipt};

    let (runtime, custody) = started()?;
    runtime.run(|tx| Ok(custody.register(tx, "blood-7", "alice")?))?;
    let answer = hand_over(&runtime, "alice", "bob")?;
    let options = VerifyOptions::default();
    let (_, verdict) = verify_receipt(&answer.body, &runtime.service_certificate(), &options)?;
    assert!(verdict.is_valid(), "{verdict}");
    let (other, _) = started()?;
    let (_, verdict) = verify_receipt(&answer.body, &other.service_certificate(), &options)?;
    assert!(!verdict.is_valid());
    assert!(runtime.receipt(runtime.committed(), WAIT)?.cose().is_none(), "that of a signature");
    Ok(())
}
