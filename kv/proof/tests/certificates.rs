//! Certificates of real services and nodes, and chains over former services.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;

use affiant_proof::merkle::Tree;
use affiant_proof::receipt::{Receipt, SignedRoot};
use affiant_proof::{
    Certificate, Digest, Outcome, ProofError, PublicKey, VerifyOptions, verify_chain, verify_json,
};
use common::service::Identity;
use p256::ecdsa::Signature;
use p256::ecdsa::signature::hazmat::PrehashSigner as _;

#[test]
fn real_certificates_read_write_and_sign_themselves() {
    let Some(root) = common::fixtures("ccf-ledgers") else { return };
    let mut seen = 0;
    for service in fs::read_dir(root).unwrap() {
        for file in fs::read_dir(service.unwrap().path().join("common")).unwrap() {
            let path = file.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            if !text.contains("BEGIN CERTIFICATE") {
                continue;
            }
            seen += 1;
            let cert = Certificate::from_pem(&text).unwrap();
            assert_eq!(cert.to_pem(), text, "{}", path.display());
            cert.verify_signed_by(cert.public_key()).unwrap();
            assert_eq!(PublicKey::from_pem(&text).as_ref(), Ok(cert.public_key()));
            let again = PublicKey::from_spki_der(cert.public_key().spki_der());
            assert_eq!(again.as_ref(), Ok(cert.public_key()));
            assert!(cert.not_before() < cert.not_after());
            if path.ends_with("service_cert.pem") {
                assert!(cert.may_issue());
                assert!(cert.subject().starts_with("CN="));
            }
        }
    }
    assert!(seen > 12, "{seen}");
}

#[test]
fn keys_of_other_kinds_are_refused_by_name() {
    let Some(root) = common::fixtures("ccf-ledgers/cose_flipflop_service/common") else { return };
    let rsa = fs::read_to_string(root.join("member0_enc_pubk.pem")).unwrap();
    assert!(matches!(PublicKey::from_pem(&rsa), Err(ProofError::Unsupported { .. })));
    assert!(PublicKey::from_pem("").is_err());
    assert!(Certificate::from_pem(&rsa).is_err());
}

#[test]
fn chains_hold_link_by_link() {
    let (old, new) = (Identity::service(1), Identity::service(2));
    let node = Identity::node(3, &old);
    let cert = |identity: &Identity| Certificate::from_pem(&identity.cert_pem).unwrap();
    let (node, old, new) = (cert(&node), cert(&old), cert(&new));
    assert_eq!(verify_chain(&node, &[], &old, None), Ok(()));
    // Both services have the same name: only the signature tells them apart.
    assert!(matches!(verify_chain(&node, &[], &new, None), Err(ProofError::BadSignature { .. })));
    assert!(verify_chain(&old, &[], &node, None).is_err(), "a node issues nothing");
    assert!(matches!(verify_chain(&node, &[], &old, Some(0)), Err(ProofError::Certificate { .. })));
    assert!(!node.may_issue());
    assert!(matches!(
        old.verify_issued_by(&node),
        Err(ProofError::Mismatch { what: "issuer of the certificate", .. })
    ));
}

#[test]
fn receipts_older_than_a_recovery_verify_over_endorsements() {
    let (old, new) = (Identity::service(1), Identity::service(2));
    let node = Identity::node(3, &old);
    let endorsement = old.endorsed_by(&new);
    let root = Tree::new().root();
    let signature: Signature = node.key.sign_prehash(&root.0).unwrap();
    let receipt = Receipt::for_signature(
        &root,
        SignedRoot {
            cert_pem: &node.cert_pem,
            node_id: &node.id,
            signature_der: signature.to_der().as_bytes(),
        },
    );
    let verify =
        |receipt: &Receipt, trusted: &str| verify_json(receipt, trusted, &VerifyOptions::default());
    assert!(verify(&receipt, &old.cert_pem).is_valid());
    assert!(!verify(&receipt, &new.cert_pem).is_valid());

    let endorsed =
        Receipt { service_endorsements: Some(vec![endorsement.clone()]), ..receipt.clone() };
    let endorsed = Receipt::parse(endorsed.to_json().as_bytes()).unwrap();
    let verdict = verify(&endorsed, &new.cert_pem);
    assert!(verdict.is_valid(), "{verdict}");
    let chain = verdict.check("certificate chain").unwrap();
    assert!(chain.explanation.contains("1 endorsements"), "{verdict}");

    let stranger = Identity::service(9);
    let verdict = verify(&endorsed, &stranger.cert_pem);
    assert_eq!(verdict.check("certificate chain").unwrap().outcome, Outcome::Failed);
    let forged = stranger.endorsed_by(&new);
    let forged = Receipt { service_endorsements: Some(vec![forged]), ..receipt.clone() };
    assert!(!verify(&forged, &new.cert_pem).is_valid());
    let many = Receipt { service_endorsements: Some(vec![endorsement; 40]), ..receipt };
    assert!(Receipt::parse(many.to_json().as_bytes()).is_err());
}

#[test]
fn a_root_is_signed_as_it_is_and_not_hashed_again() {
    let service = Identity::service(1);
    let key = PublicKey::from_pem(&service.cert_pem).unwrap();
    let root = Digest::of(b"root");
    let over = |digest: &Digest| -> Signature { service.key.sign_prehash(&digest.0).unwrap() };
    let signature = over(&root).to_der();
    assert_eq!(key.verify_root("root", &root, signature.as_bytes()), Ok(()));
    let hashed = over(&Digest::of(&root.0)).to_der();
    assert!(key.verify_root("root", &root, hashed.as_bytes()).is_err());
    let mut longer = signature.as_bytes().to_vec();
    longer.push(0);
    assert!(key.verify_root("root", &root, &longer).is_err());
}
