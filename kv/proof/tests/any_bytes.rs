//! Whatever bytes come, every reader answers: it never panics, and allocates no more than it is
//! given. Random bytes rarely get far, so most cases are mutations of real things.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::sync::OnceLock;

use affiant_proof::chunk::{ChunkName, ChunkView};
use affiant_proof::claims::parse_commit_evidence;
use affiant_proof::cose::{self, InclusionProof, RequestHeader, Sign1, parse_inclusion_proofs};
use affiant_proof::entry::{self, EntryView, Maps};
use affiant_proof::merkle::Tree;
use affiant_proof::receipt::Receipt;
use affiant_proof::snapshot::SnapshotView;
use affiant_proof::tables::RootSignature;
use affiant_proof::{
    AuditOptions, Auditor, Certificate, Digest, ExpectedClaims, LedgerSecret, PublicKey, TxId,
    VerifyOptions, verify_cose, verify_json,
};
use common::Chunk;
use common::service::{Identity, Mode, small_ledger};
use proptest::prelude::*;

struct Seeds {
    chunks: Vec<Chunk>,
    secret: LedgerSecret,
    service: Identity,
    key: PublicKey,
    pieces: Vec<Vec<u8>>,
}

/// Well-formed things to mutate: entries, tables, certificates, messages, trees, receipts.
fn seeds() -> &'static Seeds {
    static SEEDS: OnceLock<Seeds> = OnceLock::new();
    SEEDS.get_or_init(|| {
        let (chunks, secret) = small_ledger(Mode::Dual, true);
        let service = Identity::service(11);
        let cert = Certificate::from_pem(&service.cert_pem).unwrap();
        let key = cert.public_key().clone();
        let mut pieces = vec![
            service.cert_pem.clone().into_bytes(),
            cert.der().to_vec(),
            key.spki_der().to_vec(),
            b"ce:2.17:0123".to_vec(),
            b"ledger_15-46.committed.recovery".to_vec(),
        ];
        for chunk in &chunks {
            pieces.push(chunk.bytes.clone());
            for (_, entry) in ChunkView::parse(&chunk.bytes).unwrap().entries() {
                let entry = entry.unwrap();
                pieces.push(entry.bytes().to_vec());
                for map in entry.maps().map(Result::unwrap) {
                    pieces.extend(map.writes().map(|(_, value)| value.to_vec()));
                }
            }
        }
        let signed = pieces.iter().find_map(|piece| cose::decode_table_value(piece).ok()).unwrap();
        let proof = InclusionProof {
            write_set_digest: Digest::of(b"entry"),
            commit_evidence: format!("ce:2.1:{}", Digest::of(b"nonce")),
            claims_digest: Digest::ZERO,
            path: Tree::new().path(0).unwrap(),
        };
        pieces.push(cose::cose_receipt(&signed, &proof).unwrap());
        pieces.push(proof.encode());
        pieces.push(signed);
        let raw = pieces.iter().find_map(|piece| RootSignature::parse(piece).ok()).unwrap();
        let signed = affiant_proof::receipt::SignedRoot {
            cert_pem: raw.cert.as_deref().unwrap(),
            node_id: &raw.node,
            signature_der: &raw.signature_der().unwrap(),
        };
        pieces.push(Receipt::for_signature(&Digest::ZERO, signed).to_json().into_bytes());
        pieces.push(small_snapshot());
        Seeds { chunks, secret, service, key, pieces }
    })
}

/// A snapshot at 2.9 of one map with two rows, and no receipt.
fn small_snapshot() -> Vec<u8> {
    let sized = |bytes: &[u8]| [&(bytes.len() as u64).to_le_bytes()[..], bytes].concat();
    let padded = |bytes: &[u8]| {
        let mut row = sized(bytes);
        row.resize(row.len().next_multiple_of(8), 0);
        row
    };
    let value = |version: u64, value: &[u8]| [&version.to_le_bytes()[..], value].concat();
    let rows = [
        padded(b"key"),
        padded(&value(3, b"value")),
        padded(b"another key"),
        padded(&value(4, b"")),
    ]
    .concat();
    let domain = [
        &[1][..],
        &9_u64.to_le_bytes(),
        &[0; 8],
        &sized(&[7; 32]),
        &sized(&[1_u64.to_le_bytes(), 1_u64.to_le_bytes()].concat()),
        &sized(b"public:map"),
        &4_u64.to_le_bytes(),
        &sized(&rows),
    ]
    .concat();
    let iv = entry::iv_for_snapshot(9);
    let snapshot = [&entry::encode::frame(0, &[0; 16], &iv, domain.len(), 0)[..], &domain].concat();
    let view = SnapshotView::parse(&snapshot).unwrap();
    assert_eq!(view.txid(), TxId::new(2, 9));
    let map = view.maps().next().unwrap().unwrap();
    let rows: Vec<_> = map.rows().collect();
    assert_eq!(rows, [(&b"key"[..], 3, &b"value"[..]), (b"another key", 4, b"")]);
    snapshot
}

/// One change: overwrite, insert, delete, or cut.
#[derive(Clone, Debug)]
enum Change {
    Set(usize, u8),
    Insert(usize, Vec<u8>),
    Delete(usize, usize),
    Cut(usize),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        6 => (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        2 => (any::<usize>(), proptest::collection::vec(any::<u8>(), 1..9))
            .prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        1 => (any::<usize>(), 1_usize..9).prop_map(|(at, count)| Change::Delete(at, count)),
        1 => any::<usize>().prop_map(Change::Cut),
    ]
}

fn apply(mut bytes: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        let length = bytes.len();
        if length == 0 {
            return bytes;
        }
        match change {
            Change::Set(at, byte) => bytes[at % length] = *byte,
            Change::Insert(at, new) => {
                let at = at % length;
                bytes.splice(at..at, new.iter().copied());
            }
            Change::Delete(at, count) => {
                let at = at % length;
                bytes.drain(at..(at + count).min(length));
            }
            Change::Cut(at) => bytes.truncate(at % length),
        }
    }
    bytes
}

/// Hands `bytes` to every reader.
fn read_everything(bytes: &[u8]) {
    let seeds = seeds();
    if let Ok((entry, size)) = EntryView::parse(bytes) {
        assert!(size <= bytes.len());
        assert_eq!(entry.bytes(), &bytes[..size]);
        let _ = (entry.txid(), entry.leaf(), entry.flags(), entry.tag(), entry.version());
        for map in entry.maps().flatten() {
            assert_eq!(map.writes().count() as u64, map.write_count());
            assert_eq!(map.removes().count() as u64, map.remove_count());
        }
    }
    Maps::of_private(bytes).for_each(drop);
    if let Ok(snapshot) = SnapshotView::parse(bytes) {
        let _ = (snapshot.txid(), snapshot.digest(), snapshot.leaf());
        for map in snapshot.maps().flatten() {
            map.rows().for_each(drop);
        }
        let options = VerifyOptions::default();
        let _ = snapshot.verify(&seeds.service.cert_pem, &options).to_string();
        let _ = Auditor::after_snapshot(AuditOptions::default(), &snapshot);
    }
    if let Ok(chunk) = ChunkView::parse(bytes) {
        chunk.entries().for_each(drop);
        assert_eq!(chunk.position(chunk.position_count()), None);
    }
    if let Ok(tree) = Tree::deserialise(bytes) {
        assert_eq!(tree.serialise(), bytes, "a tree has one form");
        assert!(tree.matches_serialised(bytes));
        let _ = tree.root();
    }
    let _ = Tree::new().matches_serialised(bytes);
    if let Ok(sign1) = Sign1::parse(bytes) {
        let _ = (sign1.header(), parse_inclusion_proofs(&sign1));
        assert_eq!(Sign1::parse_request(bytes), Ok(sign1), "what the strict reader takes, both do");
    }
    if let Ok(sign1) = Sign1::parse_request(bytes) {
        let _ = RequestHeader::parse(sign1.protected);
    }
    let _ = RequestHeader::parse(bytes);
    if let Ok(proof) = InclusionProof::parse(bytes) {
        let _ = proof.root();
    }
    let _ = verify_cose(bytes, &seeds.key, ExpectedClaims::Any).to_string();
    let _ = cose::decode_table_value(bytes);
    let _ = RootSignature::parse(bytes).map(|raw| (raw.signature_der(), raw.root()));
    if let Ok(receipt) = Receipt::parse(bytes) {
        let options = VerifyOptions { now: Some(1), ..VerifyOptions::default() };
        let _ = verify_json(&receipt, &seeds.service.cert_pem, &options).to_string();
    }
    if let Ok(cert) = Certificate::from_der(bytes) {
        assert_eq!(Certificate::from_pem(&cert.to_pem()), Ok(cert.clone()));
        let _ = (cert.may_issue(), cert.verify_signed_by(&seeds.key), cert.subject());
    }
    let _ = PublicKey::from_spki_der(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = (Certificate::from_pem(text), PublicKey::from_pem(text));
        let _ = (text.parse::<Digest>(), text.parse::<TxId>(), parse_commit_evidence(text));
        if let Ok(name) = ChunkName::parse(text) {
            assert_eq!(name.to_string(), text);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn p09_readers_answer_to_random_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        read_everything(&bytes);
    }

    #[test]
    fn p09_readers_answer_to_mutated_bytes(
        index in any::<prop::sample::Index>(),
        changes in proptest::collection::vec(change(), 0..5),
    ) {
        let pieces = &seeds().pieces;
        read_everything(&apply(index.get(pieces).clone(), &changes));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// The audit answers to anything, and calls nothing valid whose signed bytes were changed.
    #[test]
    fn p06_the_audit_answers_to_mutated_ledgers(
        index in 0_usize..3,
        changes in proptest::collection::vec(change(), 1..4),
        secret in any::<bool>(),
    ) {
        let seeds = seeds();
        let secrets = if secret { vec![seeds.secret.clone()] } else { Vec::new() };
        let mut auditor = Auditor::new(AuditOptions { secrets, ..AuditOptions::default() });
        let mut changed_signed_bytes = false;
        for (at, chunk) in seeds.chunks.iter().enumerate() {
            if at == index {
                let bytes = apply(chunk.bytes.clone(), &changes);
                changed_signed_bytes = bytes != chunk.bytes && at + 1 < seeds.chunks.len();
                auditor.chunk(&chunk.name, &bytes);
            } else {
                auditor.chunk(&chunk.name, &chunk.bytes);
            }
        }
        let report = auditor.finish();
        let valid = report.verdict == affiant_proof::AuditVerdict::Valid;
        prop_assert!(!(valid && changed_signed_bytes), "{}", report);
    }
}
