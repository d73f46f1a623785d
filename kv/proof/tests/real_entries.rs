//! Entries, leaves, trees and COSE messages of ledgers that CCF nodes wrote.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use affiant_proof::claims::EvidenceKey;
use affiant_proof::cose::{
    self, Algorithm, EndorsementRecord, Epoch, Sign1, encode_protected, encode_sign1,
};
use affiant_proof::entry::{self, EntryKind, EntryView, SINGLETON_KEY, encode};
use affiant_proof::merkle::Tree;
use affiant_proof::{Digest, PublicKey, TxId, tables};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const SIGNATURES: &[u8] = b"public:ccf.internal.signatures";
const COSE_SIGNATURES: &[u8] = b"public:ccf.internal.cose_signatures";
const TREE: &[u8] = b"public:ccf.internal.tree";

/// Calls `visit` for each entry of `chunk`.
fn each_entry<'a>(chunk: &'a common::Chunk, mut visit: impl FnMut(EntryView<'a>)) {
    let table = u64::from_le_bytes(chunk.bytes[..8].try_into().unwrap()) as usize;
    let end = if table == 0 { chunk.bytes.len() } else { table };
    let mut at = 8;
    while at < end {
        let (entry, size) = EntryView::parse(&chunk.bytes[at..end]).unwrap();
        visit(entry);
        at += size;
    }
}

fn table<'a>(entry: &EntryView<'a>, name: &[u8]) -> Option<&'a [u8]> {
    let map = entry.maps().map(Result::unwrap).find(|map| map.name() == name)?;
    map.value(&SINGLETON_KEY)
}

#[test]
fn leaves_and_trees_agree_with_every_recorded_root_and_tree() {
    for (service, chunks) in common::fixture_ledgers() {
        let mut tree = Tree::new();
        let mut signatures = 0;
        for chunk in &chunks {
            each_entry(chunk, |entry| {
                assert_eq!(entry.txid().seqno, tree.size(), "{service}");
                assert_eq!(entry.version(), tree.size(), "{service}");
                if let Some(signature) = table(&entry, SIGNATURES) {
                    let json: serde_json::Value = serde_json::from_slice(signature).unwrap();
                    assert_eq!(json["root"], tree.root().to_hex(), "{service} {:?}", entry);
                    let recorded = table(&entry, TREE).unwrap();
                    let loaded = Tree::deserialise(recorded).unwrap();
                    assert_eq!(loaded.root(), tree.root());
                    assert_eq!(loaded.size(), tree.size());
                    tree.flush_to(loaded.flushed().max(tree.flushed())).unwrap();
                    assert_eq!(tree.serialise(), recorded, "{service} {:?}", entry);
                    signatures += 1;
                }
                tree.append(entry.leaf());
            });
        }
        assert!(signatures > 5, "{service}");
    }
}

#[test]
fn real_entries_re_encode_byte_for_byte() {
    for (service, chunks) in common::fixture_ledgers() {
        for chunk in &chunks {
            each_entry(chunk, |entry| {
                if entry.kind() != EntryKind::WriteSetWithCommitEvidenceAndClaims
                    || entry.reserved() != 0
                {
                    return;
                }
                let mut public = Vec::new();
                encode::put_public_header(
                    &mut public,
                    entry.version(),
                    &entry.claims_digest().unwrap(),
                    &entry.commit_evidence_digest().unwrap(),
                );
                assert_eq!(public.len(), entry::PUBLIC_HEADER_BYTES);
                for map in entry.maps().map(Result::unwrap) {
                    encode::put_map(&mut public, map.name(), map.write_count());
                    map.writes().for_each(|(k, v)| encode::put_write(&mut public, k, v));
                    encode::put_remove_count(&mut public, map.remove_count());
                    map.removes().for_each(|key| encode::put_remove(&mut public, key));
                }
                let private = entry.private_ciphertext();
                let frame = encode::frame(
                    entry.flags(),
                    &entry.tag(),
                    &entry::iv_for(entry.txid()),
                    public.len(),
                    private.len(),
                );
                let bytes = [&frame[..], &public, private].concat();
                assert!(bytes == entry.bytes(), "{service} {entry:?}");
            });
        }
    }
}

#[test]
fn real_cose_signatures_re_encode_byte_for_byte() {
    let mut seen = 0;
    for (service, chunks) in common::fixture_ledgers() {
        for chunk in &chunks {
            each_entry(chunk, |entry| {
                let Some(value) = table(&entry, COSE_SIGNATURES) else { return };
                let message = cose::decode_table_value(value).unwrap();
                assert_eq!(cose::encode_table_value(&message), value);
                let sign1 = Sign1::parse(&message).unwrap();
                let header = sign1.header().unwrap();
                assert_eq!(header.txid, Some(entry.txid()), "{service}");
                assert_eq!(header.data_structure, Some(2));
                let protected = encode_protected(
                    Algorithm::from_cose_id(header.algorithm.unwrap()).unwrap(),
                    std::str::from_utf8(header.key_id.unwrap()).unwrap(),
                    header.issued_at.unwrap().try_into().unwrap(),
                    header.issuer.unwrap(),
                    header.subject.unwrap(),
                    header.txid.unwrap(),
                );
                assert_eq!(protected, sign1.protected, "{service}");
                assert_eq!(encode_sign1(&protected, sign1.signature), message);
                seen += 1;
            });
        }
    }
    assert!(seen == 0 || seen >= 13, "{seen}");
}

#[test]
fn real_endorsements_re_encode_byte_for_byte_and_verify() {
    let mut seen = 0;
    for (service, chunks) in common::fixture_ledgers() {
        let mut key = None;
        for chunk in &chunks {
            each_entry(chunk, |entry| {
                if let Some(info) = table(&entry, tables::SERVICE_INFO.as_bytes()) {
                    let info: serde_json::Value = serde_json::from_slice(info).unwrap();
                    key = Some(PublicKey::from_pem(info["cert"].as_str().unwrap()).unwrap());
                }
                let name = tables::SERVICE_ENDORSEMENT.as_bytes();
                let Some(value) = table(&entry, name) else { return };
                let record = EndorsementRecord::parse(value).unwrap();
                assert_eq!(record.to_json(), value, "{service}");
                let key = key.as_ref().unwrap();
                let endorsed = record.verify(key).unwrap();
                assert_eq!(&endorsed.key, key, "a service that endorses itself");
                assert_eq!(endorsed.epoch, Epoch { from: TxId::new(2, 1), to: None });
                let message = STANDARD.decode(&record.endorsement).unwrap();
                let sign1 = Sign1::parse(&message).unwrap();
                let issued_at = sign1.header().unwrap().issued_at.unwrap().try_into().unwrap();
                let protected =
                    cose::encode_endorsement_protected(key.algorithm(), issued_at, &endorsed.epoch);
                let payload = key.spki_der();
                let again = cose::encode_sign1_attached(&protected, payload, sign1.signature);
                assert_eq!(again, message, "{service}");
                seen += 1;
            });
        }
    }
    assert!(seen == 0 || seen == 2, "{seen}");
}

#[test]
fn the_worked_private_entry_reads_as_documented() {
    let Some(chunks) = common::fixture_ledger("cose_flipflop_service") else { return };
    let mut found = None;
    for chunk in &chunks {
        each_entry(chunk, |entry| {
            if entry.txid() == TxId::new(2, 17) {
                found = Some(entry);
            }
        });
    }
    let entry = found.unwrap();
    assert_eq!(entry.bytes().len(), 195);
    assert_eq!(entry.kind(), EntryKind::WriteSetWithCommitEvidenceAndClaims);
    assert_eq!(entry.public_domain().len(), 81);
    assert_eq!(entry.private_ciphertext().len(), 70);
    assert_eq!(entry.claims_digest(), Some(Digest::ZERO));
    assert_eq!(entry.maps().count(), 0);
    assert!(!entry.iv_marks_snapshot());
    assert!(entry.write_set_digest().to_hex().starts_with("c5496af8"));
    assert!(entry.commit_evidence_digest().unwrap().to_hex().starts_with("266ee6ffc4bd0034"));
}

#[test]
fn no_cut_and_no_flipped_byte_of_an_entry_makes_the_reader_panic() {
    let Some(chunks) = common::fixture_ledger("cose_flipflop_service") else { return };
    let mut seen = 0;
    each_entry(&chunks[1], |entry| {
        if seen > 3 {
            return;
        }
        seen += 1;
        for end in 0..entry.bytes().len() {
            assert!(EntryView::parse(&entry.bytes()[..end]).is_err());
        }
        let mut bytes = entry.bytes().to_vec();
        for at in 0..bytes.len() {
            for flip in [0x01, 0x80, 0xff] {
                bytes[at] ^= flip;
                if let Ok((changed, _)) = EntryView::parse(&bytes) {
                    changed.maps().for_each(drop);
                    let _ = (changed.txid(), changed.leaf());
                }
                bytes[at] ^= flip;
            }
        }
    });
}

#[test]
fn commit_evidence_follows_the_eight_byte_label() {
    // Independent computation: HMAC by its definition, over SHA-256.
    let secret = [7_u8; 32];
    let hmac = |key: &[u8; 32], message: &[u8]| {
        let pad = |byte: u8| {
            let mut block = [byte; 64];
            block.iter_mut().zip(key).for_each(|(b, k)| *b ^= k);
            block
        };
        let inner = Digest::of_parts(&[&pad(0x36), message]);
        Digest::of_parts(&[&pad(0x5c), &inner.0]).0
    };
    let nonce = hmac(&hmac(&secret, b"Commit S"), b"2.17");
    let key = EvidenceKey::new(&secret);
    let txid = TxId::new(2, 17);
    assert_eq!(key.nonce(txid), nonce);
    assert_eq!(key.evidence(txid), format!("ce:2.17:{}", affiant_proof::to_hex(&nonce)));
    assert_eq!(key.evidence_digest(txid), Digest::of(key.evidence(txid).as_bytes()));
    assert_eq!(affiant_proof::claims::parse_commit_evidence(&key.evidence(txid)), Ok(txid));
    assert_eq!(key.nonce(TxId::new(u64::MAX, u64::MAX)).len(), 32);
}
