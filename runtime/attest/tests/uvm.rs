//! UVM endorsements: the real ones hold, and nothing that is near them does.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod wire;

use affiant_attest::AttestError;
use affiant_attest::uvm::{self, TransparencyService, UvmForm};
use affiant_proof::cose::Sign1;
use affiant_proof::{Certificate, Outcome};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

const ACI: &str = "did:x509:0:sha256:I__iuL25oXEVFdTP_aBLx_eT1RPHbCQ_ECBQfYZpt9s::\
                   eku:1.3.6.1.4.1.311.76.59.1.2";
const AKS: &str = "did:x509:0:sha256:I__iuL25oXEVFdTP_aBLx_eT1RPHbCQ_ECBQfYZpt9s::\
                   eku:1.3.6.1.4.1.311.76.59.1.5";
const ENVELOPE: &str = "uvm_endorsements/uvm_0.2.10.cose";

/// File, issuer, feed, version, start of the measurement, signing time, form.
const FIXTURES: [(&str, &str, &str, u64, &str, u64, UvmForm); 6] = [
    (
        "uvm_endorsements/ecdsa_test1.cose",
        AKS,
        "ConfAKS-AMD-UVM",
        1,
        "1b66347c",
        1_728_857_236,
        UvmForm::Json,
    ),
    (
        "uvm_endorsements/rsa_test1.cose",
        ACI,
        "ContainerPlat-AMD-UVM",
        100,
        "02c3b0d5",
        1_699_989_632,
        UvmForm::Json,
    ),
    (
        "uvm_endorsements/int_svn.cose",
        ACI,
        "ContainerPlat-AMD-UVM",
        102,
        "d0c9e2be",
        1_753_124_023,
        UvmForm::Json,
    ),
    (
        "uvm_endorsements/uvm_0.2.9.cose",
        ACI,
        "ContainerPlat-AMD-UVM",
        103,
        "d0c9e2be",
        1_759_253_046,
        UvmForm::Json,
    ),
    (ENVELOPE, ACI, "ContainerPlat-AMD-UVM", 104, "4904167a", 1_766_437_887, UvmForm::HashEnvelope),
    (
        "aci-milan/body.uvm_reference_info.bin",
        ACI,
        "ContainerPlat-AMD-UVM",
        22,
        "51068107",
        1_675_834_943,
        UvmForm::Json,
    ),
];

#[test]
fn real_endorsements_hold_and_say_what_they_are_for() {
    for (file, did, feed, svn, measurement, signed_at, form) in FIXTURES {
        let Some(bytes) = wire::fixture(file) else { return };
        let endorsement = uvm::verify(&bytes).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(endorsement.did, did, "{file}");
        assert_eq!(endorsement.feed, feed, "{file}");
        assert_eq!(endorsement.svn, svn, "{file}");
        assert_eq!(endorsement.measurement[..4], wire::hex(measurement), "{file}");
        assert_eq!(endorsement.signed_at_unix_s, Some(signed_at), "{file}");
        assert_eq!(endorsement.form, form, "{file}");
        assert!(endorsement.signer.contains("O=Microsoft Corporation"), "{}", endorsement.signer);
        let life = endorsement.signer_valid_from_unix_s..=endorsement.signer_valid_to_unix_s;
        assert!(life.contains(&signed_at), "{file}");
    }
}

#[test]
fn every_sampled_bit_change_of_what_is_signed_is_refused() {
    for (file, ..) in FIXTURES {
        let Some(bytes) = wire::fixture(file) else { return };
        let sign1 = Sign1::parse(&bytes).unwrap();
        let header = wire::position(&bytes, sign1.protected);
        let payload = wire::position(&bytes, sign1.payload.unwrap());
        let signature = wire::position(&bytes, sign1.signature);
        let changes = wire::flipped(&bytes, 0..header.start, 1)
            .chain(wire::flipped(&bytes, header, 101))
            .chain(wire::flipped(&bytes, payload, 11))
            .chain(wire::flipped(&bytes, signature, 19));
        let mut tried = 0;
        for (bit, changed) in changes {
            assert!(uvm::verify(&changed).is_err(), "{file}: bit {bit} changed");
            tried += 1;
        }
        assert!(tried > 500, "{file}: {tried} bits");
    }
}

#[test]
fn nothing_is_taken_from_the_unsigned_header() {
    let Some(bytes) = wire::fixture("uvm_endorsements/int_svn.cose") else { return };
    let sign1 = Sign1::parse(&bytes).unwrap();
    let at = wire::position(&bytes, sign1.unprotected);
    let emptied = [&bytes[..at.start], &[0xa0], &bytes[at.end..]].concat();
    assert_eq!(uvm::verify(&emptied), uvm::verify(&bytes));
    assert!(uvm::verify(&emptied).is_ok());
}

#[test]
fn an_endorsement_cut_short_or_with_more_after_it_is_refused() {
    let Some(bytes) = wire::fixture(ENVELOPE) else { return };
    for end in (0..bytes.len()).step_by(37) {
        assert!(uvm::verify(&bytes[..end]).is_err(), "cut at {end}");
    }
    assert!(uvm::verify(&[&bytes[..], &[0]].concat()).is_err());
    let huge = vec![0xd2; affiant_attest::limits::UVM_ENDORSEMENT_BYTES_MAX + 1];
    assert!(matches!(uvm::verify(&huge), Err(AttestError::TooLarge { .. })));
}

#[test]
fn parts_of_two_real_endorsements_make_none() {
    let Some(one) = wire::fixture("uvm_endorsements/int_svn.cose") else { return };
    let other = wire::fixture("uvm_endorsements/uvm_0.2.9.cose").unwrap();
    let (one, other) = (Sign1::parse(&one).unwrap(), Sign1::parse(&other).unwrap());
    for (header, payload, signature) in [
        (one.protected, other.payload, other.signature),
        (one.protected, other.payload, one.signature),
        (one.protected, one.payload, other.signature),
    ] {
        let made = affiant_proof::cose::encode_sign1_attached(header, payload.unwrap(), signature);
        let refused = uvm::verify(&made).unwrap_err();
        assert!(matches!(refused, AttestError::BadSignature { .. }), "{refused}");
    }
}

/// The services' keys as the fixture has them: certificates in base64.
fn service() -> Option<TransparencyService> {
    let json = wire::fixture("uvm_endorsements/esrp-cts-db.json")?;
    let store: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let keys = store["parameters"].as_array().unwrap().iter().map(|service| {
        let der = STANDARD.decode(service["serviceCertificate"].as_str().unwrap()).unwrap();
        Certificate::from_der(&der).unwrap().public_key().clone()
    });
    let issuer = "esrp-cts-db.confidential-ledger.azure.com".to_owned();
    Some(TransparencyService { issuer, keys: keys.collect() })
}

#[test]
fn a_transparent_statement_is_in_the_ledger_that_its_receipt_names() {
    let (Some(bytes), Some(service)) = (wire::fixture(ENVELOPE), service()) else { return };
    let shown = uvm::transparency(&bytes, core::slice::from_ref(&service)).unwrap();
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0].issuer, service.issuer);
    assert_eq!(shown[0].txid.unwrap().to_string(), "458.12440");
    assert!(shown[0].verdict.is_valid(), "{:?}", shown[0].verdict);
    let claims = shown[0].verdict.check("claims").unwrap();
    assert_eq!(claims.outcome, Outcome::Passed, "the statement itself is what was entered");

    // Another service, no key of the service, another's keys.
    let other = TransparencyService { issuer: "other.example".to_owned(), ..service.clone() };
    let refused = uvm::transparency(&bytes, &[other]).unwrap_err();
    assert!(refused.to_string().contains("esrp-cts-db"), "{refused}");
    let none = TransparencyService { keys: Vec::new(), ..service.clone() };
    assert!(uvm::transparency(&bytes, &[none]).is_err());
    let signer = shown[0].verdict.clone();
    for key in &service.keys {
        let one = TransparencyService { keys: vec![key.clone()], ..service.clone() };
        let verdict = uvm::transparency(&bytes, &[one]).unwrap().remove(0).verdict;
        assert_eq!(verdict.is_valid(), verdict == signer, "only the key that signed");
    }
    let without = wire::fixture("uvm_endorsements/int_svn.cose").unwrap();
    assert!(uvm::transparency(&without, &[service]).is_err(), "no receipt");
}

#[test]
fn every_sampled_bit_change_of_a_transparent_statement_is_refused() {
    let (Some(bytes), Some(service)) = (wire::fixture(ENVELOPE), service()) else { return };
    for (bit, changed) in wire::flipped(&bytes, 0..bytes.len(), 151) {
        let shown = uvm::transparency(&changed, core::slice::from_ref(&service));
        let holds = shown.is_ok_and(|shown| shown.iter().all(|one| one.verdict.is_valid()));
        assert!(!holds, "bit {bit} changed");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_refused_and_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(uvm::verify(&bytes).is_err());
        prop_assert!(uvm::transparency(&bytes, &[]).is_err());
    }

    #[test]
    fn any_change_of_several_bytes_is_refused(
        at in 0_usize..10_000,
        change in proptest::collection::vec(1_u8.., 1..8),
    ) {
        let Some(mut bytes) = wire::fixture("uvm_endorsements/rsa_test1.cose") else { return Ok(()) };
        let unsigned = Sign1::parse(&bytes).unwrap().unprotected.to_vec();
        let unsigned = wire::position(&bytes, &unsigned);
        let at = at % (bytes.len() - change.len());
        prop_assume!(at + change.len() <= unsigned.start || at >= unsigned.end);
        for (byte, change) in bytes[at..].iter_mut().zip(&change) {
            *byte ^= change;
        }
        prop_assert!(uvm::verify(&bytes).is_err());
    }
}
