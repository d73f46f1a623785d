//! What the runtime signs, seals and shares, the verifier crate and recorded CCF ledgers agree with.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::path::PathBuf;

use affiant::crypto::{
    CertificateRequest, Curve, EncryptionKey, LedgerSecret, MemberIdentity, RuntimeSealer,
    RuntimeSigner, Share, SharedSecret, SigningKey, SubjectName, certificate_id, rsa_encrypt,
};
use affiant_kv::{Sealer as _, Signer as _};
use affiant_proof::chunk::ChunkView;
use affiant_proof::entry::{EntryView, SINGLETON_KEY};
use affiant_proof::{Certificate, Digest, PublicKey, TxId, verify_chain};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

const NOW: u64 = 1_790_000_000;

fn fixture(path: &str) -> Option<Vec<u8>> {
    let root = std::env::var_os("AFFIANT_FIXTURES").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/fixtures"),
        PathBuf::from,
    );
    let file = root.join(path);
    if !file.exists() {
        println!("skipped: the fixture {path} is not here");
        return None;
    }
    Some(std::fs::read(file).unwrap())
}

fn request(name: &str) -> CertificateRequest {
    CertificateRequest {
        subject: SubjectName::parse(name).unwrap(),
        subject_alt_names: vec!["127.0.0.1".to_owned(), "node.example.com".to_owned()],
        valid_from_unix_s: NOW,
        validity_days: 90,
    }
}

#[test]
fn root_and_cose_signatures_verify_elsewhere() {
    for curve in [Curve::P384, Curve::P256] {
        let node = std::sync::Arc::new(SigningKey::generate(Curve::P384).unwrap());
        let service = std::sync::Arc::new(SigningKey::generate(curve).unwrap());
        let signer = RuntimeSigner::new(
            node.clone(),
            service.clone(),
            String::new(),
            "issuer".to_owned(),
            "subject".to_owned(),
        );
        let root = Digest::of(b"root");
        let node_key = PublicKey::from_spki_der(node.public_key_der()).unwrap();
        assert_eq!(node_key.key_id(), signer.node_id());
        let signature = signer.sign_root(&root).unwrap();
        node_key.verify_root("root", &root, &signature).unwrap();
        assert!(node_key.verify_root("root", &Digest::of(b"other"), &signature).is_err());

        let service_key = PublicKey::from_pem(&service.public_key_pem()).unwrap();
        assert_eq!(service_key.key_id(), signer.service_key_id());
        assert_eq!(service_key.algorithm().cose_id(), signer.service_algorithm());
        let signature = signer.sign_with_service_key(b"to be signed").unwrap();
        service_key.verify_cose("cose", b"to be signed", &signature).unwrap();
        assert!(service_key.verify_cose("cose", b"else", &signature).is_err());
    }
}

#[test]
fn a_p256_node_key_signs_roots_too() {
    let node = SigningKey::generate(Curve::P256).unwrap();
    let key = PublicKey::from_spki_der(node.public_key_der()).unwrap();
    let root = Digest::of(b"root");
    key.verify_root("root", &root, &node.sign_digest(&root).unwrap()).unwrap();
}

#[test]
fn certificates_chain_and_have_ccfs_profile() {
    let service_key = SigningKey::generate(Curve::P384).unwrap();
    let node_key = SigningKey::generate(Curve::P384).unwrap();
    let name = "CN=CCF Service";
    let service = request(name).self_signed_authority(&service_key).unwrap();
    let node = request("CN=CCF Node")
        .endorsed(&node_key, &SubjectName::parse(name).unwrap(), &service_key)
        .unwrap();
    let service_cert = Certificate::from_pem(&service.pem).unwrap();
    let node_cert = Certificate::from_pem(&node.pem).unwrap();
    verify_chain(&node_cert, &[], &service_cert, Some(NOW + 1)).unwrap();
    assert!(verify_chain(&node_cert, &[], &service_cert, Some(NOW - 1)).is_err());
    assert!(verify_chain(&node_cert, &[], &service_cert, Some(NOW + 91 * 86_400)).is_err());
    assert!(verify_chain(&service_cert, &[], &node_cert, None).is_err());
    assert!(service_cert.may_issue() && !node_cert.may_issue());
    assert_eq!(node_cert.not_after(), node.valid_to_unix_s);
    assert_eq!(node_cert.public_key().key_id(), node_key.id());
    let member = MemberIdentity::generate("member0", false).unwrap();
    assert_eq!(certificate_id(&member.certificate_pem).unwrap(), member.id);
    assert_eq!(Certificate::from_pem(&member.certificate_pem).unwrap().id(), member.id);
}

#[test]
fn encryption_keys_survive_pem_and_refuse_other_ciphertext() {
    let key = EncryptionKey::generate().unwrap();
    let again = EncryptionKey::from_pem(&key.to_pem().unwrap()).unwrap();
    let mut sealed = rsa_encrypt(key.public_key_pem(), b"share").unwrap();
    assert_eq!(&**again.decrypt(&sealed).unwrap(), b"share");
    sealed[0] ^= 1;
    assert!(again.decrypt(&sealed).is_err());
    assert!(rsa_encrypt("no key", b"share").is_err());
}

/// The recovery share of a real member unwraps a real service's ledger secret, which opens a real
/// entry and derives its recorded commit evidence.
#[test]
fn a_recorded_share_recovers_a_recorded_secret() {
    let ledger = "ccf-ledgers/cose_flipflop_service/ledger";
    let Some(key) = fixture("ccf-ledgers/cose_flipflop_service/common/member0_enc_privk.pem")
    else {
        return;
    };
    let (Some(first), Some(second)) = (
        fixture(&format!("{ledger}/ledger_1-14.committed")),
        fixture(&format!("{ledger}/ledger_15-46.committed")),
    ) else {
        return;
    };
    let member = EncryptionKey::from_pem(core::str::from_utf8(&key).unwrap()).unwrap();
    let opening = entry_at(&first, 13);
    let opening = EntryView::parse(&opening).unwrap().0;
    let record = table_value(&opening, "public:ccf.internal.recovery_shares");
    let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
    let decode = |text: &serde_json::Value| STANDARD.decode(text.as_str().unwrap()).unwrap();
    let shares = record["encrypted_shares"].as_object().unwrap();
    let share = member.decrypt(&decode(shares.values().next().unwrap())).unwrap();
    let shared = SharedSecret::combine(&[Share::from_bytes(&share).unwrap()]).unwrap();
    let secret =
        shared.unwrap_ledger_secret(&decode(&record["wrapped_latest_ledger_secret"]), 1).unwrap();
    let sealer = RuntimeSealer::new(&[secret]).unwrap();

    let bytes = entry_at(&second, 17);
    let entry = EntryView::parse(&bytes).unwrap().0;
    let txid = entry.txid();
    assert_eq!(txid, TxId::new(2, 17));
    let mut private = entry.private_ciphertext().to_vec();
    sealer.open(txid, entry.public_domain(), &mut private, &entry.tag()).unwrap();
    assert!(private.windows(5).any(|window| window == b"hello"));
    let evidence = affiant_kv::commit_evidence(txid, &sealer.commit_nonce(txid).unwrap());
    assert_eq!(Some(Digest::of(evidence.as_bytes())), entry.commit_evidence_digest());
    // And sealing the same text again gives the recorded bytes.
    let tag = sealer.seal(txid, entry.public_domain(), &mut private).unwrap();
    assert_eq!(private, entry.private_ciphertext());
    assert_eq!(tag, entry.tag());
}

fn entry_at(chunk: &[u8], seqno: u64) -> Vec<u8> {
    ChunkView::parse(chunk)
        .unwrap()
        .entries()
        .map(|(_, entry)| entry.unwrap())
        .find(|entry| entry.txid().seqno == seqno)
        .unwrap()
        .bytes()
        .to_vec()
}

fn table_value(entry: &EntryView<'_>, name: &str) -> Vec<u8> {
    entry
        .maps()
        .map(Result::unwrap)
        .find(|map| map.name() == name.as_bytes())
        .unwrap()
        .value(&SINGLETON_KEY)
        .unwrap()
        .to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_is_sealed_opens(
        view in 1_u64..1 << 31,
        seqno in 1_u64..,
        aad in proptest::collection::vec(any::<u8>(), 0..200),
        text in proptest::collection::vec(any::<u8>(), 0..200),
        flip in any::<prop::sample::Index>(),
    ) {
        let sealer = RuntimeSealer::new(&[LedgerSecret::generate(1).unwrap()]).unwrap();
        let txid = TxId::new(view, seqno);
        let mut sealed = text.clone();
        let tag = sealer.seal(txid, &aad, &mut sealed).unwrap();
        let mut opened = sealed.clone();
        sealer.open(txid, &aad, &mut opened, &tag).unwrap();
        prop_assert_eq!(opened, text);
        if !sealed.is_empty() {
            let at = flip.index(sealed.len());
            sealed[at] ^= 1;
            prop_assert!(sealer.open(txid, &aad, &mut sealed, &tag).is_err());
        }
    }

    #[test]
    fn shares_of_any_count_recombine(count in 1_usize..12, extra in 0_usize..12) {
        let threshold = 1 + extra % count;
        let secret = SharedSecret::generate().unwrap();
        let shares = secret.split(count, threshold).unwrap();
        let back = SharedSecret::combine(&shares[count - threshold..]).unwrap();
        prop_assert!(back.whole() == secret.whole());
    }
}
