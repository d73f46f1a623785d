//! Tokens of Azure Attestation. No real one could be had: every token here is self-made, signed by a
//! key of the test, with claims in the shapes that the service documents.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::LazyLock;

use affiant_attest::maa::{
    self, MaaForm, MaaIssuer, MaaPolicy, MaaToken, MaaVerification, ReleasePolicy,
};
use affiant_attest::{Allowed, AttestError, Outcome, limits};
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use der::asn1::{AnyRef, UintRef};
use der::{Decode as _, SliceReader};
use proptest::prelude::*;
use serde_json::{Value, json};

const ISSUER: &str = "https://self-made.example.attest.azure.net";
const NOW: u64 = 1_760_000_000;
const HOST_DATA: &str = "73973b78d70cc68353426de188db5dfc57e5b766e399935fb73a61127ea26d20";

struct Signer {
    key: RsaKeyPair,
    kid: String,
}

impl Signer {
    fn new(kid: &str) -> Self {
        Self { key: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(), kid: kid.to_owned() }
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let signed = unsigned(header, claims);
        let mut signature = vec![0; self.key.public_modulus_len()];
        let random = SystemRandom::new();
        let padding: &'static dyn aws_lc_rs::signature::RsaEncoding =
            if header["alg"] == "PS256" { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
        self.key.sign(padding, &random, signed.as_bytes(), &mut signature).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn modulus(&self) -> Value {
        // RSAPublicKey: a sequence of two integers.
        let key = self.key.public_key();
        let body = AnyRef::from_der(key.as_ref()).unwrap();
        let mut reader = SliceReader::new(body.value()).unwrap();
        let mut number = || {
            let number = UintRef::decode(&mut reader).unwrap();
            URL_SAFE_NO_PAD.encode(number.as_bytes())
        };
        let (n, e) = (number(), number());
        json!({ "kty": "RSA", "kid": self.kid, "n": n, "e": e })
    }

    fn certified(&self) -> Value {
        let pkcs8: Pkcs8V1Der<'_> = self.key.as_der().unwrap();
        let key = rcgen::KeyPair::try_from((*pkcs8).as_ref()).unwrap();
        let certificate =
            rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap();
        json!({ "kty": "RSA", "kid": self.kid, "x5c": [STANDARD.encode(certificate.der())] })
    }
}

static SIGNER: LazyLock<Signer> = LazyLock::new(|| Signer::new("key-1"));
static OTHER: LazyLock<Signer> = LazyLock::new(|| Signer::new("key-2"));

fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

fn header() -> Value {
    json!({ "alg": "RS256", "typ": "JWT", "kid": "key-1", "jku": format!("{ISSUER}/certs") })
}

fn guest(compliance: &str, host_data: &str) -> Value {
    json!({
        "x-ms-attestation-type": "sevsnpvm",
        "x-ms-compliance-status": compliance,
        "x-ms-sevsnpvm-authorkeydigest": "0".repeat(96),
        "x-ms-sevsnpvm-bootloader-svn": 4,
        "x-ms-sevsnpvm-familyId": "01000000000000000000000000000000",
        "x-ms-sevsnpvm-guestsvn": 2,
        "x-ms-sevsnpvm-hostdata": host_data,
        "x-ms-sevsnpvm-idkeydigest": "0".repeat(96),
        "x-ms-sevsnpvm-imageId": "02000000000000000000000000000000",
        "x-ms-sevsnpvm-is-debuggable": false,
        "x-ms-sevsnpvm-launchmeasurement": "5f".repeat(48),
        "x-ms-sevsnpvm-microcode-svn": 219,
        "x-ms-sevsnpvm-migration-allowed": false,
        "x-ms-sevsnpvm-reportdata": "0".repeat(128),
        "x-ms-sevsnpvm-reportid": "0".repeat(64),
        "x-ms-sevsnpvm-smt-allowed": true,
        "x-ms-sevsnpvm-snpfw-svn": 24,
        "x-ms-sevsnpvm-tee-svn": 0,
        "x-ms-sevsnpvm-vmpl": 0,
        "x-ms-runtime": { "keys": [{ "kid": "wrapping", "kty": "RSA", "e": "AQAB" }] },
    })
}

fn registered(mut claims: Value) -> Value {
    for (name, value) in [
        ("iss", json!(ISSUER)),
        ("exp", json!(NOW + 3600)),
        ("nbf", json!(NOW - 60)),
        ("iat", json!(NOW - 60)),
        ("jti", json!("a token")),
        ("nonce", json!("n-1")),
        ("x-ms-policy-hash", json!("abc")),
        ("x-ms-ver", json!("1.0")),
    ] {
        claims[name] = value;
    }
    claims
}

fn container() -> Value {
    registered(guest("azure-compliant-uvm", HOST_DATA))
}

fn virtual_machine() -> Value {
    registered(json!({
        "x-ms-attestation-type": "azurevm",
        "x-ms-isolation-tee": guest("azure-compliant-cvm", &"0".repeat(64)),
        "x-ms-runtime": { "client-payload": { "nonce": "" } },
    }))
}

fn issuer() -> MaaIssuer {
    let set = json!({ "keys": [OTHER.modulus(), SIGNER.modulus()] });
    MaaIssuer::new(ISSUER, set.to_string().as_bytes()).unwrap()
}

fn policy() -> MaaPolicy {
    MaaPolicy {
        issuers: vec![ISSUER.to_owned()],
        host_data: Allowed::OneOf(vec![HOST_DATA.to_uppercase()]),
        ..MaaPolicy::default()
    }
}

fn verify(token: &str, policy: &MaaPolicy) -> MaaVerification {
    maa::verify(token, &[issuer()], policy, NOW)
}

/// The names of the checks that failed.
fn failures(verification: &MaaVerification) -> Vec<&'static str> {
    verification.verdict.failures().map(|check| check.name).collect()
}

fn failures_of(header: &Value, claims: &Value) -> Vec<&'static str> {
    failures(&verify(&SIGNER.sign(header, claims), &policy()))
}

#[test]
fn a_self_made_token_of_a_container_is_trusted_and_its_claims_are_typed() {
    let token = SIGNER.sign(&header(), &container());
    let verification = verify(&format!("\n{token}\n"), &policy());
    assert!(verification.verdict.is_trusted(), "{}", verification.verdict);
    let claims = verification.claims.unwrap();
    assert_eq!(claims.form, MaaForm::Container);
    assert_eq!(claims.issuer, ISSUER);
    assert_eq!(claims.token_id.as_deref(), Some("a token"));
    assert_eq!(claims.snp.microcode_svn, Some(219));
    assert_eq!(claims.snp.smt_allowed, Some(true));
    assert_eq!(claims.runtime.unwrap()["keys"][0]["kid"], "wrapping");
    assert_eq!(claims.all["x-ms-ver"], "1.0");
}

#[test]
fn a_self_made_token_of_a_virtual_machine_has_its_claims_one_level_down() {
    let token = SIGNER.sign(&header(), &virtual_machine());
    let verification = verify(&token, &policy());
    assert_eq!(failures(&verification), ["compliance status", "host data"]);
    assert!(verification.claims.is_none(), "claims of a token that is not trusted stay inside");
    let policy = MaaPolicy {
        compliance_status: vec!["azure-compliant-cvm".to_owned()],
        host_data: Allowed::ANY,
        runtime: [("/keys/0/kid".to_owned(), json!("wrapping"))].into(),
        ..policy()
    };
    let verification = verify(&token, &policy);
    assert!(verification.verdict.is_trusted(), "{}", verification.verdict);
    let claims = verification.claims.unwrap();
    assert_eq!(claims.form, MaaForm::VirtualMachine);
    assert_eq!(claims.runtime.unwrap()["keys"][0]["kid"], "wrapping", "not the outer one");
}

#[test]
fn keys_come_as_moduli_or_certificates_and_must_agree() {
    let token = SIGNER.sign(&header(), &container());
    for key in [SIGNER.modulus(), SIGNER.certified()] {
        let set = json!({ "keys": [{ "kty": "EC", "kid": "key-1" }, { "kty": "RSA" }, key] });
        let issuer = MaaIssuer::new(ISSUER, set.to_string().as_bytes()).unwrap();
        let verification = maa::verify(&token, &[issuer], &policy(), NOW);
        assert!(verification.verdict.is_trusted(), "{}", verification.verdict);
    }
    let mut both = SIGNER.modulus();
    both["x5c"] = SIGNER.certified()["x5c"].clone();
    let set = |key: &Value| json!({ "keys": [key] }).to_string();
    let with = |mut key: Value, member: &str, value: &str| {
        key[member] = json!(value);
        key
    };
    let signing = with(with(SIGNER.modulus(), "use", "sig"), "alg", "RS256");
    assert!(MaaIssuer::new(ISSUER, set(&signing).as_bytes()).is_ok());
    assert!(MaaIssuer::new(ISSUER, set(&both).as_bytes()).is_ok());
    both["x5c"] = OTHER.certified()["x5c"].clone();
    for set in [
        set(&both),
        set(&json!({ "kty": "RSA", "kid": "x" })),
        set(&json!({ "kty": "RSA", "kid": "x", "n": "!", "e": "AQAB" })),
        set(&json!({ "kty": "RSA", "kid": "x", "x5c": ["AAAA"] })),
        set(&json!({ "kty": "EC", "kid": "x" })),
        set(&with(SIGNER.modulus(), "use", "enc")),
        set(&with(SIGNER.modulus(), "alg", "RS512")),
        "{}".to_owned(),
        String::new(),
    ] {
        assert!(MaaIssuer::new(ISSUER, set.as_bytes()).is_err(), "{set}");
    }
}

#[test]
fn the_signature_counts_and_nothing_the_token_says_of_it() {
    assert_eq!(failures(&verify(&OTHER.sign(&header(), &container()), &policy())), ["signature"]);
    let with = |name: &str, value: Value| {
        let mut header = header();
        header[name] = value;
        failures_of(&header, &container())
    };
    assert_eq!(with("kid", json!("key-9")), ["key", "signature"]);
    assert_eq!(with("kid", json!("key-2")), ["signature"], "a key of the issuer, but another");
    assert_eq!(with("kid", Value::Null), ["key", "signature"]);
    for algorithm in ["PS256", "RS512", "none", "HS256", "rs256"] {
        assert_eq!(with("alg", json!(algorithm)), ["algorithm", "signature"], "{algorithm}");
    }
    assert_eq!(with("crit", json!(["exp"])), ["token"]);
    // Unsigned, and signed over other claims.
    let bare = format!("{}.", unsigned(&header(), &container()));
    assert_eq!(failures(&verify(&bare, &policy())), ["signature"]);
    let mut claims = container();
    claims["exp"] = json!(NOW + 7200);
    let signature = SIGNER.sign(&header(), &container());
    let signature = signature.rsplit_once('.').unwrap().1;
    let spliced = format!("{}.{signature}", unsigned(&header(), &claims));
    assert_eq!(failures(&verify(&spliced, &policy())), ["signature"]);
}

#[test]
fn another_address_for_keys_is_reported_and_never_decides() {
    let mut header = header();
    header["jku"] = json!("https://attacker.example/certs");
    let verification = verify(&SIGNER.sign(&header, &container()), &policy());
    let check = verification.verdict.check("key address").unwrap();
    assert_eq!(check.outcome, Outcome::Warned);
    assert!(verification.verdict.is_trusted(), "signed by the pinned key all the same");
    let verification = verify(&OTHER.sign(&header, &container()), &policy());
    assert_eq!(failures(&verification), ["signature"]);
}

#[test]
fn what_a_token_says_steers_no_terminal() {
    let mut claims = container();
    claims["iss"] = json!(format!("\u{1b}[2Jhttps://{}", "x".repeat(50_000)));
    let shown = verify(&SIGNER.sign(&header(), &claims), &policy()).verdict.to_string();
    assert!(!shown.contains('\u{1b}'));
    assert!(shown.len() < 20_000, "{} bytes", shown.len());
}

#[test]
fn issuers_are_compared_to_the_letter() {
    for issuer in [
        "https://self-made.example.attest.azure.net/",
        "https://self-made.example.attest.azure.net.evil.example",
        "http://self-made.example.attest.azure.net",
        "",
    ] {
        let mut claims = container();
        claims["iss"] = json!(issuer);
        let wanted = ["issuer", "signature", "accepted issuer"];
        assert_eq!(failures_of(&header(), &claims), wanted, "{issuer}");
    }
    let token = SIGNER.sign(&header(), &container());
    let nobody = MaaPolicy { issuers: Vec::new(), ..policy() };
    assert_eq!(failures(&verify(&token, &nobody)), ["accepted issuer"]);
    let verification = maa::verify(&token, &[], &policy(), NOW);
    assert_eq!(failures(&verification), ["issuer", "signature"]);
}

#[test]
fn times_hold_within_the_skew_and_not_beyond() {
    let with = |name: &str, value: Value| {
        let mut claims = container();
        claims[name] = value;
        failures_of(&header(), &claims)
    };
    assert_eq!(with("exp", json!(NOW - 59)), [""; 0]);
    assert_eq!(with("exp", json!(NOW - 60)), ["expiry"]);
    assert_eq!(with("exp", json!(0)), ["expiry"]);
    assert_eq!(with("nbf", json!(NOW + 60)), [""; 0]);
    assert_eq!(with("nbf", json!(NOW + 61)), ["not before"]);
    assert_eq!(with("iat", json!(NOW + 61)), ["issued at"]);
    assert_eq!(with("exp", Value::Null), ["token"]);
    assert_eq!(with("exp", json!("2030")), ["token"]);
    assert_eq!(with("exp", json!(-1)), ["token"]);
    assert_eq!(with("exp", json!(u64::MAX)), [""; 0]);

    let token = |issued: Value| {
        let mut claims = container();
        claims["iat"] = issued;
        SIGNER.sign(&header(), &claims)
    };
    let recent = MaaPolicy { maximum_age_s: Some(300), ..policy() };
    assert!(verify(&token(json!(NOW - 360)), &recent).verdict.is_trusted());
    assert_eq!(failures(&verify(&token(json!(NOW - 361)), &recent)), ["age"]);
    assert_eq!(failures(&verify(&token(Value::Null), &recent)), ["age"]);
}

#[test]
fn every_field_of_the_policy_refuses_what_it_does_not_name() {
    let token = SIGNER.sign(&header(), &container());
    let refused = |policy: MaaPolicy, check: &str| {
        assert_eq!(failures(&verify(&token, &policy)), [check]);
    };
    let text = |text: &str| vec![text.to_owned()];
    refused(
        MaaPolicy { compliance_status: text("azure-compliant-cvm"), ..policy() },
        "compliance status",
    );
    refused(MaaPolicy { compliance_status: Vec::new(), ..policy() }, "compliance status");
    refused(MaaPolicy { host_data: Allowed::NONE, ..policy() }, "host data");
    refused(MaaPolicy { host_data: Allowed::OneOf(text("00")), ..policy() }, "host data");
    let other = Allowed::OneOf(text(&"60".repeat(48)));
    refused(MaaPolicy { launch_measurements: other, ..policy() }, "launch measurement");
    refused(MaaPolicy { debuggable: Some(true), ..policy() }, "debug");
    refused(MaaPolicy { migration_allowed: Some(true), ..policy() }, "migration");
    refused(MaaPolicy { smt_allowed: Some(false), ..policy() }, "smt");
    refused(MaaPolicy { vmpl: Some(1), ..policy() }, "vmpl");
    refused(MaaPolicy { policy_hashes: Some(text("abd")), ..policy() }, "policy hash");
    refused(MaaPolicy { nonce: Some("n-2".to_owned()), ..policy() }, "nonce");
    for (pointer, value) in
        [("/keys/0/kid", json!("other")), ("/keys/1/kid", json!("wrapping")), ("keys", json!(1))]
    {
        let runtime = [(pointer.to_owned(), value)].into();
        refused(MaaPolicy { runtime, ..policy() }, "runtime claims");
    }
    for (minimum, check) in [
        (json!({ "guest": 3 }), "guest svn"),
        (json!({ "boot_loader": 5 }), "boot loader svn"),
        (json!({ "tee": 1 }), "tee svn"),
        (json!({ "snp": 25 }), "snp svn"),
        (json!({ "microcode": 220 }), "microcode svn"),
    ] {
        let minimum_svn = serde_json::from_value(minimum).unwrap();
        refused(MaaPolicy { minimum_svn, ..policy() }, check);
    }
    let strictest = MaaPolicy {
        launch_measurements: Allowed::OneOf(text(&"5F".repeat(48))),
        smt_allowed: Some(true),
        minimum_svn: serde_json::from_value(
            json!({ "guest": 2, "boot_loader": 4, "tee": 0, "snp": 24, "microcode": 219 }),
        )
        .unwrap(),
        runtime: [("/keys/0/kid".to_owned(), json!("wrapping"))].into(),
        policy_hashes: Some(text("abc")),
        nonce: Some("n-1".to_owned()),
        maximum_age_s: Some(60),
        clock_skew_s: 0,
        ..policy()
    };
    let verification = verify(&token, &strictest);
    assert!(verification.verdict.is_trusted(), "{}", verification.verdict);
    let skipped =
        verification.verdict.checks.iter().filter(|check| check.outcome == Outcome::Skipped);
    assert_eq!(skipped.count(), 0);
}

#[test]
fn a_claim_that_is_asked_for_must_be_there() {
    for (claim, check) in [
        ("x-ms-compliance-status", "compliance status"),
        ("x-ms-sevsnpvm-hostdata", "host data"),
        ("x-ms-sevsnpvm-is-debuggable", "debug"),
        ("x-ms-sevsnpvm-migration-allowed", "migration"),
        ("x-ms-sevsnpvm-vmpl", "vmpl"),
    ] {
        let mut claims = container();
        claims.as_object_mut().unwrap().remove(claim);
        assert_eq!(failures_of(&header(), &claims), [check]);
    }
    let mut claims = container();
    claims.as_object_mut().unwrap().remove("x-ms-sevsnpvm-guestsvn");
    let minimum_svn = serde_json::from_value(json!({ "guest": 0 })).unwrap();
    let policy = MaaPolicy { minimum_svn, ..policy() };
    assert_eq!(failures(&verify(&SIGNER.sign(&header(), &claims), &policy)), ["guest svn"]);
    claims = container();
    claims["x-ms-sevsnpvm-is-debuggable"] = json!("false");
    assert_eq!(failures_of(&header(), &claims), ["token"], "a text is no truth value");
    claims = container();
    claims["x-ms-attestation-type"] = json!("sgx");
    assert_eq!(failures_of(&header(), &claims), ["token"]);
    claims = virtual_machine();
    claims["x-ms-attestation-type"] = json!("sevsnpvm");
    assert_eq!(failures_of(&header(), &claims), ["token"], "two guests");
}

#[test]
fn a_policy_is_read_from_json_and_its_mistakes_are_refused() {
    let text = json!({ "issuers": [ISSUER], "host_data": [HOST_DATA], "vmpl": null }).to_string();
    let read: MaaPolicy = serde_json::from_str(&text).unwrap();
    assert_eq!(read.vmpl, None);
    assert_eq!(read.debuggable, Some(false));
    let written = serde_json::to_string(&policy()).unwrap();
    assert_eq!(serde_json::from_str::<MaaPolicy>(&written).unwrap(), policy());
    for mistake in [
        json!({ "issuer": [ISSUER] }),
        json!({ "host_data": "all" }),
        json!({ "minimum_svn": { "firmware": 1 } }),
        json!({ "debuggable": "no" }),
    ] {
        assert!(serde_json::from_value::<MaaPolicy>(mistake.clone()).is_err(), "{mistake}");
    }
}

fn release(all_of: Value) -> ReleasePolicy {
    let policy = json!({
        "version": "1.0.0",
        "anyOf": [{ "authority": format!("{ISSUER}/"), "allOf": all_of }],
    });
    ReleasePolicy::from_json(policy.to_string().as_bytes()).unwrap()
}

#[test]
fn release_policies_decide_over_claims_and_their_gaps_are_named() {
    let claims = verify(&SIGNER.sign(&header(), &container()), &policy()).claims.unwrap();
    let equals = |claim: &str, value: Value| json!({ "claim": claim, "equals": value });
    let compliant = equals("x-ms-compliance-status", json!("azure-compliant-uvm"));
    let host_data = equals("x-ms-sevsnpvm-hostdata", json!(HOST_DATA));
    let undebuggable = equals("x-ms-sevsnpvm-is-debuggable", json!(false));
    let wrong = equals("x-ms-sevsnpvm-vmpl", json!(1));

    let verdict = release(json!([compliant, host_data, undebuggable])).evaluate(&claims);
    assert!(verdict.is_trusted(), "{verdict}");
    assert!(verdict.check("coverage").is_none(), "nothing left out");
    let verdict = release(json!([host_data])).evaluate(&claims);
    assert!(verdict.is_trusted(), "{verdict}");
    let gaps = verdict.checks.iter().filter(|check| check.outcome == Outcome::Warned);
    assert_eq!(gaps.count(), 2, "neither compliance nor debug");

    for refused in [
        json!([host_data, wrong]),
        json!([equals("x-ms-sevsnpvm-vmpl", json!("0"))]),
        json!([equals("x-ms-absent", json!(null))]),
        json!([equals("x-ms-runtime.keys.0.kid", json!("wrapping"))]),
        json!([{ "anyOf": [wrong, wrong] }]),
        json!([{ "anyOf": [] }]),
        json!([{ "allOf": [] }, host_data]),
        json!([]),
        json!([{ "allOf": [host_data, wrong] }]),
    ] {
        assert!(!release(refused.clone()).evaluate(&claims).is_trusted(), "{refused}");
    }
    let nested = json!([{ "anyOf": [wrong, { "allOf": [host_data, compliant] }] }, undebuggable]);
    let verdict = release(nested).evaluate(&claims);
    assert!(verdict.is_trusted(), "{verdict}");
    assert!(verdict.check("coverage").is_none(), "{verdict}");

    let mut elsewhere = release(json!([host_data]));
    elsewhere.any_of[0].authority = "https://other.example".to_owned();
    assert!(!elsewhere.evaluate(&claims).is_trusted());
    elsewhere.any_of.push(release(json!([compliant])).any_of.remove(0));
    assert!(elsewhere.evaluate(&claims).is_trusted(), "the second rule holds");
    elsewhere.any_of.clear();
    assert!(!elsewhere.evaluate(&claims).is_trusted(), "no rule");
}

#[test]
fn a_release_policy_reaches_into_the_claims_of_a_virtual_machine() {
    let accepted = MaaPolicy {
        compliance_status: vec!["azure-compliant-cvm".to_owned()],
        host_data: Allowed::ANY,
        ..policy()
    };
    let claims = verify(&SIGNER.sign(&header(), &virtual_machine()), &accepted).claims.unwrap();
    let name = "x-ms-isolation-tee.x-ms-compliance-status";
    let rule = json!([{ "claim": name, "equals": "azure-compliant-cvm" }]);
    assert!(release(rule).evaluate(&claims).is_trusted());
    let rule = json!([{ "claim": "x-ms-compliance-status", "equals": "azure-compliant-cvm" }]);
    assert!(!release(rule).evaluate(&claims).is_trusted());
}

#[test]
fn what_is_no_release_policy_is_refused() {
    for text in [
        json!({ "version": "1.0.0" }),
        json!({ "version": "2.0.0", "anyOf": [] }),
        json!({ "version": "1.0.0", "anyOf": [{ "authority": "x" }] }),
        json!({ "version": "1.0.0", "anyOf": [{ "authority": "x", "allOf": [{ "claim": "x" }] }] }),
        json!({ "version": "1.0.0", "anyOf": [], "allOf": [] }),
        json!({
            "version": "1.0.0",
            "anyOf": [{ "authority": "x", "allOf": [{ "claim": "x", "equals": 1, "exists": 2 }] }],
        }),
    ] {
        assert!(ReleasePolicy::from_json(text.to_string().as_bytes()).is_err(), "{text}");
    }
    let huge = vec![b' '; limits::RELEASE_POLICY_BYTES_MAX + 1];
    let refused = ReleasePolicy::from_json(&huge);
    assert!(matches!(refused, Err(AttestError::TooLarge { .. })));
}

#[test]
fn every_sampled_bit_change_of_a_token_is_refused() {
    let token = SIGNER.sign(&header(), &container());
    for bit in (0..token.len() * 8).step_by(7) {
        let mut changed = token.clone().into_bytes();
        changed[bit / 8] ^= 1 << (bit % 8);
        let Ok(changed) = String::from_utf8(changed) else { continue };
        assert!(!verify(&changed, &policy()).verdict.is_trusted(), "bit {bit} changed");
    }
}

proptest! {
    #[test]
    fn any_text_is_refused_and_never_panics(
        text in any::<String>(),
        parts in proptest::collection::vec(any::<Vec<u8>>(), 3),
    ) {
        prop_assert!(MaaToken::parse(&text).is_err());
        let parts: Vec<_> = parts.iter().map(|part| URL_SAFE_NO_PAD.encode(part)).collect();
        prop_assert!(MaaToken::parse(&parts.join(".")).is_err());
        prop_assert!(ReleasePolicy::from_json(text.as_bytes()).is_err());
        prop_assert!(MaaIssuer::new(ISSUER, text.as_bytes()).is_err());
    }

    #[test]
    fn any_claims_are_read_without_panic(name in "[a-z-]{1,20}", value in any::<String>()) {
        let mut claims = container();
        claims[name] = json!(value);
        let token = format!("{}.AAAA", unsigned(&header(), &claims));
        prop_assert!(!verify(&token, &policy()).verdict.is_trusted());
    }
}
