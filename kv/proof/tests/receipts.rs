//! Receipts: those of a real node verify, altered ones do not, and the verdict says why.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;

use affiant_proof::chunk::ChunkView;
use affiant_proof::claims::EvidenceKey;
use affiant_proof::cose::{self, Epoch, InclusionProof, cose_receipt};
use affiant_proof::entry::{EntryView, SINGLETON_KEY};
use affiant_proof::merkle::{Step, Tree};
use affiant_proof::receipt::{LeafComponents, ProofStep, Receipt, SignedRoot};
use affiant_proof::tables::RootSignature;
use affiant_proof::{
    Certificate, Digest, ExpectedClaims, Outcome, PublicKey, TxId, Verdict, VerifyOptions,
    verify_cose, verify_cose_endorsed, verify_json,
};

struct Recorded {
    name: String,
    json: Vec<u8>,
}

/// The receipts of the recorded node, and its service certificate.
fn recorded() -> Option<(Vec<Recorded>, String)> {
    let root = common::fixtures("ccf-http")?;
    let cert = fs::read_to_string(root.join("service_cert_before_recovery.pem")).unwrap();
    let receipts = fs::read_dir(root.join("receipts")).unwrap().map(|file| {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        Recorded { name, json: fs::read(path).unwrap() }
    });
    Some((receipts.collect(), cert))
}

fn verify(receipt: &Receipt, trusted: &str) -> Verdict {
    verify_json(receipt, trusted, &VerifyOptions::default())
}

fn outcome(verdict: &Verdict, name: &str) -> Outcome {
    verdict.check(name).unwrap_or_else(|| panic!("no check {name} in:\n{verdict}")).outcome
}

#[test]
fn every_node_receipt_verifies_and_is_written_again_byte_for_byte() {
    let Some((receipts, trusted)) = recorded() else { return };
    let mut signatures = 0;
    let mut seen = 0;
    for Recorded { name, json } in &receipts {
        if !name.contains("node_receipt") {
            continue;
        }
        seen += 1;
        let receipt = Receipt::parse(json).unwrap();
        let verdict = verify(&receipt, &trusted);
        assert!(verdict.is_valid(), "{name}\n{verdict}");
        match verdict.txid {
            Some(txid) => assert!(name.starts_with(&format!("{txid}."))),
            None => signatures += 1,
        }
        assert_eq!(receipt.to_json().as_bytes(), json.trim_ascii_end(), "{name}");
    }
    assert!(seen > 15 && signatures > 1, "{seen} {signatures}");
}

#[test]
fn receipts_that_an_application_built_verify_with_their_claims() {
    let Some((receipts, trusted)) = recorded() else { return };
    let written = fs::read(common::fixtures("ccf-http").unwrap().join("transactions.json"));
    let written: serde_json::Value = serde_json::from_slice(&written.unwrap()).unwrap();
    let set_claims = |name: &str| {
        let transactions = written.as_array().unwrap();
        transactions.iter().any(|written| {
            let txid = written["txid"].as_str().unwrap();
            name.starts_with(&format!("{txid}.")) && written["body"]["record_claim"] == true
        })
    };
    let mut seen = 0;
    for Recorded { name, json } in &receipts {
        if !name.contains("historical_receipt") {
            continue;
        }
        seen += 1;
        let whole: serde_json::Value = serde_json::from_slice(json).unwrap();
        let receipt = Receipt::parse(whole["receipt"].to_string().as_bytes()).unwrap();
        let message = whole["msg"].as_str().unwrap();
        let claims = if set_claims(name) {
            ExpectedClaims::Preimage(message.as_bytes())
        } else {
            ExpectedClaims::None
        };
        let options = VerifyOptions { claims, ..VerifyOptions::default() };
        let verdict = verify_json(&receipt, &trusted, &options);
        assert!(verdict.is_valid(), "{name}\n{verdict}");
        if receipt.leaf_components.as_ref().unwrap().claims_digest.is_none() {
            let claims = ExpectedClaims::Preimage(b"another message");
            let options = VerifyOptions { claims, ..VerifyOptions::default() };
            let verdict = verify_json(&receipt, &trusted, &options);
            assert_eq!(outcome(&verdict, "signature"), Outcome::Failed, "{name}");
        }
    }
    assert!(seen > 10, "{seen}");
}

/// Each way of altering a receipt, and the check that must fail for it.
fn altered(receipt: &Receipt) -> Vec<(&'static str, Receipt)> {
    let digit = |hex: &str| {
        let last = if hex.ends_with('0') { '1' } else { '0' };
        format!("{}{last}", &hex[..hex.len() - 1])
    };
    let parts = receipt.leaf_components.clone().unwrap();
    let with = |parts: LeafComponents| Receipt { leaf_components: Some(parts), ..receipt.clone() };
    let claims_digest = parts.claims_digest.as_deref().map(digit);
    let commit_evidence = digit(&parts.commit_evidence);
    let write_set_digest = digit(&parts.write_set_digest);
    let mut shorter = receipt.clone();
    shorter.proof.pop();
    let mut swapped = receipt.clone();
    swapped.proof[0] = match swapped.proof[0].clone() {
        ProofStep::Left(hex) => ProofStep::Right(hex),
        ProofStep::Right(hex) => ProofStep::Left(hex),
    };
    let mut step = receipt.clone();
    step.proof[0] = match step.proof[0].clone() {
        ProofStep::Left(hex) => ProofStep::Left(digit(&hex)),
        ProofStep::Right(hex) => ProofStep::Right(digit(&hex)),
    };
    let node_id = digit(&receipt.node_id);
    vec![
        ("signature", with(LeafComponents { claims_digest, ..parts.clone() })),
        ("signature", with(LeafComponents { commit_evidence, ..parts.clone() })),
        ("signature", with(LeafComponents { write_set_digest, ..parts.clone() })),
        ("signature", shorter),
        ("signature", swapped),
        ("signature", step),
        ("node id", Receipt { node_id, ..receipt.clone() }),
        ("signature", Receipt { signature: "MAYCAQECAQE=".into(), ..receipt.clone() }),
        ("signature", Receipt { signature: "AA".into(), ..receipt.clone() }),
        ("node id", Receipt { cert: "no certificate".into(), ..receipt.clone() }),
        (
            "commit evidence",
            with(LeafComponents { commit_evidence: "2.21".into(), ..parts.clone() }),
        ),
    ]
}

#[test]
fn p05_altered_receipts_fail_the_check_that_covers_the_change() {
    let Some((receipts, trusted)) = recorded() else { return };
    let json = &receipts.iter().find(|r| r.name == "2.21.node_receipt.200.json").unwrap().json;
    let receipt = Receipt::parse(json).unwrap();
    for (check, altered) in altered(&receipt) {
        let verdict = verify(&altered, &trusted);
        assert!(!verdict.is_valid(), "{altered:?}\n{verdict}");
        assert_eq!(outcome(&verdict, check), Outcome::Failed, "{verdict}");
        assert!(verdict.to_string().contains("NOT valid"));
    }
    assert!(Receipt::parse(&vec![b' '; 1 << 20]).is_err());
    assert!(Receipt::parse(br#"{"cert":"","proof":[],"signature":""}"#).is_err());
}

#[test]
fn a_receipt_of_another_service_or_another_time_is_refused() {
    let (Some((receipts, trusted)), Some(other)) =
        (recorded(), common::fixtures("ccf-ledgers/cose_flipflop_service/common"))
    else {
        return;
    };
    let json = &receipts.iter().find(|r| r.name == "2.21.node_receipt.200.json").unwrap().json;
    let receipt = Receipt::parse(json).unwrap();
    let other = fs::read_to_string(other.join("service_cert.pem")).unwrap();
    let verdict = verify(&receipt, &other);
    assert_eq!(outcome(&verdict, "signature"), Outcome::Passed);
    assert_eq!(outcome(&verdict, "certificate chain"), Outcome::Failed);
    assert!(!verdict.is_valid());
    assert!(!verify(&receipt, "").is_valid());
    assert!(verify(&receipt, &format!("{other}{trusted}")).is_valid(), "one of two is enough");

    let cert = Certificate::from_pem(&trusted).unwrap();
    for (now, valid) in [
        (cert.not_before() - 1, false),
        (cert.not_before() + 86_400, true),
        (cert.not_after() + 1, false),
    ] {
        let options = VerifyOptions { now: Some(now), ..VerifyOptions::default() };
        let verdict = verify_json(&receipt, &trusted, &options);
        assert_eq!(verdict.is_valid(), valid, "{now}\n{verdict}");
    }
}

/// What is needed for a receipt of one entry of the `acme` ledger.
struct Material {
    proof: InclusionProof,
    sign1: Vec<u8>,
    signature: RootSignature,
    root: Digest,
    txid: TxId,
}

/// Cuts the material from a real ledger. The evidence text is not in a ledger, and without the
/// ledger secret nobody can make it: it stays empty here.
fn material(seqno: u64) -> Option<Material> {
    let chunks = common::fixture_ledger("acme_containing_service")?;
    let mut tree = Tree::new();
    let mut wanted: Option<(EntryView<'_>, TxId)> = None;
    for chunk in &chunks {
        for (_, entry) in ChunkView::parse(&chunk.bytes).unwrap().entries() {
            let entry = entry.unwrap();
            let maps: Vec<_> = entry.maps().map(Result::unwrap).collect();
            let table = |name: &str| {
                let map = maps.iter().find(|map| map.name() == name.as_bytes())?;
                map.value(&SINGLETON_KEY)
            };
            if let (Some((found, txid)), Some(cose), Some(raw)) = (
                wanted,
                table("public:ccf.internal.cose_signatures"),
                table("public:ccf.internal.signatures"),
            ) {
                let proof = InclusionProof {
                    write_set_digest: found.write_set_digest(),
                    commit_evidence: String::new(),
                    claims_digest: found.claims_digest().unwrap(),
                    path: tree.path(txid.seqno).unwrap(),
                };
                return Some(Material {
                    proof,
                    sign1: cose::decode_table_value(cose).unwrap(),
                    signature: RootSignature::parse(raw).unwrap(),
                    root: tree.root(),
                    txid,
                });
            }
            if entry.txid().seqno == seqno {
                wanted = Some((entry, entry.txid()));
            }
            tree.append(entry.leaf());
        }
    }
    None
}

#[test]
fn receipts_of_signature_transactions_are_written_and_verify() {
    let Some(material) = material(4) else { return };
    let root = common::fixtures("ccf-ledgers/acme_containing_service/common").unwrap();
    let trusted = fs::read_to_string(root.join("service_cert.pem")).unwrap();
    let signed = SignedRoot {
        cert_pem: material.signature.cert.as_deref().unwrap(),
        node_id: &material.signature.node,
        signature_der: &material.signature.signature_der().unwrap(),
    };
    let receipt = Receipt::for_signature(&material.root, signed);
    let receipt = Receipt::parse(receipt.to_json().as_bytes()).unwrap();
    let verdict = verify(&receipt, &trusted);
    assert!(verdict.is_valid(), "{verdict}");

    // With other evidence than the real one the leaf is another, and so is the root.
    let evidence = EvidenceKey::new(&[0; 32]).evidence(material.txid);
    let receipt = Receipt::for_transaction(
        &material.proof.write_set_digest,
        &evidence,
        &material.proof.claims_digest,
        &material.proof.path,
        signed,
    );
    let verdict = verify(&receipt, &trusted);
    assert_eq!(outcome(&verdict, "commit evidence"), Outcome::Passed);
    assert_eq!(outcome(&verdict, "signature"), Outcome::Failed, "{verdict}");
}

/// A service of our own: a key, a leaf of known evidence, a signed root.
struct OurService {
    key: PublicKey,
    receipt: Vec<u8>,
    claims: Digest,
}

fn public_key(key: &p256::ecdsa::SigningKey) -> PublicKey {
    let key = p256::PublicKey::from(key.verifying_key());
    let spki = p256::pkcs8::EncodePublicKey::to_public_key_der(&key).unwrap();
    PublicKey::from_spki_der(spki.as_bytes()).unwrap()
}

fn our_service() -> OurService {
    use p256::ecdsa::signature::hazmat::PrehashSigner as _;
    use sha2::Digest as _;

    let signing = p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap();
    let key = public_key(&signing);
    let claims = Digest::of(b"a statement");
    let txid = TxId::new(2, 5);
    let mut tree = Tree::new();
    (1..5).for_each(|index: u64| tree.append(Digest::of(&index.to_le_bytes())));
    let mut proof = InclusionProof {
        write_set_digest: Digest::of(b"an entry"),
        commit_evidence: EvidenceKey::new(&[9; 32]).evidence(txid),
        claims_digest: claims,
        path: Default::default(),
    };
    tree.append(proof.leaf());
    tree.append(Digest::of(b"a later entry"));
    proof.path = tree.path(5).unwrap();
    assert!(proof.path.steps().iter().any(|step| matches!(step, Step::Right(_))));
    let protected = cose::encode_protected(
        key.algorithm(),
        &key.key_id(),
        1_800_000_000,
        "service.example.com",
        "ledger.signature",
        TxId::new(2, 7),
    );
    let signed = cose::to_be_signed(&protected, &tree.root().0);
    let signature: p256::ecdsa::Signature =
        signing.sign_prehash(&sha2::Sha256::digest(signed)).unwrap();
    let sign1 = cose::encode_sign1(&protected, &signature.to_bytes());
    OurService { key, receipt: cose_receipt(&sign1, &proof).unwrap(), claims }
}

#[test]
fn cose_receipts_verify_with_the_right_claims_and_the_right_key() {
    let OurService { key, receipt, claims } = our_service();
    let verdict = verify_cose(&receipt, &key, ExpectedClaims::Digest(claims));
    assert!(verdict.is_valid(), "{verdict}");
    assert_eq!(verdict.txid, Some(TxId::new(2, 5)));
    assert!(verify_cose(&receipt, &key, ExpectedClaims::Preimage(b"a statement")).is_valid());
    let verdict = verify_cose(&receipt, &key, ExpectedClaims::None);
    assert_eq!(outcome(&verdict, "claims"), Outcome::Failed);
    assert!(!verdict.is_valid());

    let other = p256::ecdsa::SigningKey::from_slice(&[8; 32]).unwrap();
    let other = public_key(&other);
    let verdict = verify_cose(&receipt, &other, ExpectedClaims::Any);
    assert_eq!(outcome(&verdict, "key id"), Outcome::Failed);
    assert_eq!(outcome(&verdict, "signature"), Outcome::Failed);
}

#[test]
fn p05_no_byte_of_a_cose_receipt_can_change_or_go() {
    let OurService { key, receipt, claims } = our_service();
    let claims = ExpectedClaims::Digest(claims);
    for at in 0..receipt.len() {
        for flip in [0x01, 0x20, 0xff] {
            let mut altered = receipt.clone();
            altered[at] ^= flip;
            let verdict = verify_cose(&altered, &key, claims);
            assert!(!verdict.is_valid(), "byte {at} ^ {flip:#x}\n{verdict}");
        }
        assert!(!verify_cose(&receipt[..at], &key, claims).is_valid());
    }
    assert!(!verify_cose(&[receipt, vec![0]].concat(), &key, claims).is_valid());
}

#[test]
fn real_cose_signatures_verify_with_the_service_key_only() {
    let Some(material) = material(4) else { return };
    let root = common::fixtures("ccf-ledgers/acme_containing_service/common").unwrap();
    let key =
        PublicKey::from_pem(&fs::read_to_string(root.join("service_cert.pem")).unwrap()).unwrap();
    let sign1 = cose::Sign1::parse(&material.sign1).unwrap();
    let signed = sign1.to_be_signed(&material.root.0);
    key.verify_cose("root", &signed, sign1.signature).unwrap();
    let other = sign1.to_be_signed(&Digest::ZERO.0);
    assert!(key.verify_cose("root", &other, sign1.signature).is_err());
    assert_eq!(sign1.header().unwrap().key_id, Some(key.key_id().as_bytes()));
}

/// An endorsement of `old` by `new`, for the transactions of `epoch`.
fn endorse(new: &p256::ecdsa::SigningKey, old: &PublicKey, epoch: &Epoch) -> Vec<u8> {
    use p256::ecdsa::signature::hazmat::PrehashSigner as _;
    use sha2::Digest as _;

    let protected =
        cose::encode_endorsement_protected(public_key(new).algorithm(), 1_900_000_000, epoch);
    let signed = cose::to_be_signed(&protected, old.spki_der());
    let signature: p256::ecdsa::Signature =
        new.sign_prehash(&sha2::Sha256::digest(signed)).unwrap();
    cose::encode_sign1_attached(&protected, old.spki_der(), &signature.to_bytes())
}

#[test]
fn cose_receipts_verify_over_the_endorsements_of_later_services() {
    let OurService { key, receipt, .. } = our_service();
    let [second, third] =
        [8, 9].map(|seed| p256::ecdsa::SigningKey::from_slice(&[seed; 32]).unwrap());
    let epoch = |from, to| Epoch { from, to: Some((to, Digest::of(b"last root"))) };
    let first_epoch = epoch(TxId::new(2, 1), TxId::new(2, 7));
    let oldest = endorse(&second, &key, &first_epoch);
    let middle = endorse(&third, &public_key(&second), &epoch(TxId::new(4, 8), TxId::new(4, 20)));
    let trusted = public_key(&third);
    let verify = |endorsements: &[&[u8]]| {
        verify_cose_endorsed(&receipt, endorsements, &trusted, ExpectedClaims::Any)
    };
    let verdict = verify(&[&middle, &oldest]);
    assert!(verdict.is_valid(), "{verdict}");
    assert_eq!(outcome(&verdict, "endorsements"), Outcome::Passed);
    assert_eq!(outcome(&verdict, "epoch"), Outcome::Passed);
    assert!(!verify(&[]).is_valid());
    assert!(!verify(&[&oldest, &middle]).is_valid(), "newest first");
    assert!(!verify(&[&middle]).is_valid());
    assert!(!verify(&vec![&middle[..]; 100]).is_valid());

    let earlier = epoch(TxId::new(2, 1), TxId::new(2, 4));
    let too_early = endorse(&second, &key, &earlier);
    let verdict = verify(&[&middle, &too_early]);
    assert_eq!(outcome(&verdict, "epoch"), Outcome::Failed, "{verdict}");
    assert!(!verdict.is_valid());
    for at in 0..oldest.len() {
        let mut altered = oldest.clone();
        altered[at] ^= 0x01;
        assert!(!verify(&[&middle, &altered]).is_valid(), "byte {at}");
    }
}
