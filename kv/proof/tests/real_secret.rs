//! With the ledger secret of a real ledger, recovered from its member's published test key, every
//! seal and every commit evidence digest that a CCF node wrote is checked.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::path::Path;

use affiant_proof::chunk::ChunkView;
use affiant_proof::claims::EvidenceKey;
use affiant_proof::entry::{EntryView, Maps, SINGLETON_KEY};
use affiant_proof::{AuditOptions, AuditVerdict, Auditor, Certificate, LedgerSecret, TxId};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, PrivateDecryptingKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::Chunk;

fn entries(chunks: &[Chunk]) -> impl Iterator<Item = EntryView<'_>> {
    chunks.iter().flat_map(|chunk| {
        ChunkView::parse(&chunk.bytes).unwrap().entries().map(|(_, entry)| entry.unwrap())
    })
}

/// Tag, IV, ciphertext; no additional data.
fn open(key: &[u8; 32], blob: &[u8]) -> Vec<u8> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).unwrap());
    let (tag, rest) = blob.split_at(16);
    let (iv, sealed) = rest.split_at(12);
    let mut bytes = [sealed, tag].concat();
    let nonce = Nonce::try_assume_unique_for_key(iv).unwrap();
    let size = key.open_in_place(nonce, Aad::empty(), &mut bytes).unwrap().len();
    bytes.truncate(size);
    bytes
}

struct Length32;

impl KeyType for Length32 {
    fn len(&self) -> usize {
        32
    }
}

/// The one share of a service with one member holds the secret's 40 bytes as they are; the
/// wrapping key is their HKDF with the same bytes as info.
fn unwrap_secret(share: &[u8], wrapped: &[u8]) -> [u8; 32] {
    assert_eq!(share.len(), 44);
    let secret = &share[4..];
    let key = Salt::new(HKDF_SHA256, &[]).extract(secret);
    let mut wrapping = [0; 32];
    key.expand(&[secret], Length32).unwrap().fill(&mut wrapping).unwrap();
    open(&wrapping, wrapped).try_into().unwrap()
}

fn recover(common_directory: &Path, chunks: &[Chunk]) -> LedgerSecret {
    let read = |name: &str| fs::read_to_string(common_directory.join(name)).unwrap();
    let member = Certificate::from_pem(&read("member0_cert.pem")).unwrap().id();
    let pem = read("member0_enc_privk.pem");
    let pkcs8: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let key = PrivateDecryptingKey::from_pkcs8(&STANDARD.decode(pkcs8).unwrap()).unwrap();
    let key = OaepPrivateDecryptingKey::new(key).unwrap();

    let map = entries(chunks)
        .flat_map(|entry| entry.maps().map(Result::unwrap))
        .filter(|map| map.name() == b"public:ccf.internal.recovery_shares")
        .last();
    let shares: serde_json::Value =
        serde_json::from_slice(map.unwrap().value(&SINGLETON_KEY).unwrap()).unwrap();
    let decode = |value: &serde_json::Value| STANDARD.decode(value.as_str().unwrap()).unwrap();
    let encrypted = decode(&shares["encrypted_shares"][&member]);
    let mut room = vec![0; key.min_output_size()];
    let share = key.decrypt(&OAEP_SHA256_MGF1SHA256, &encrypted, &mut room, None).unwrap();
    let wrapped = decode(&shares["wrapped_latest_ledger_secret"]);
    LedgerSecret { first_seqno: 1, key: unwrap_secret(share, &wrapped) }
}

fn service() -> Option<(Vec<Chunk>, LedgerSecret)> {
    let chunks = common::fixture_ledger("cose_flipflop_service")?;
    let directory = common::fixtures("ccf-ledgers/cose_flipflop_service/common")?;
    let secret = recover(&directory, &chunks);
    Some((chunks, secret))
}

#[test]
fn p10_every_seal_of_a_real_ledger_holds() {
    let Some((chunks, secret)) = service() else { return };
    let options = AuditOptions { secrets: vec![secret.clone()], ..AuditOptions::default() };
    let mut auditor = Auditor::new(options);
    chunks.iter().for_each(|chunk| auditor.chunk(&chunk.name, &chunk.bytes));
    let report = auditor.finish();
    assert_eq!(report.verdict, AuditVerdict::Valid, "{report}");
    assert_eq!(report.seals, report.entries, "{report}");
    assert_eq!(report.findings, [], "nothing is left unproven");

    let other = LedgerSecret { first_seqno: 1, key: [0; 32] };
    let options = AuditOptions { secrets: vec![other], ..AuditOptions::default() };
    let mut auditor = Auditor::new(options);
    auditor.chunk(&chunks[0].name, &chunks[0].bytes);
    let report = auditor.finish();
    assert_eq!((report.verdict, report.seals), (AuditVerdict::Invalid, 0));
}

#[test]
fn the_commit_evidence_of_a_real_node_is_derived_again() {
    let Some((chunks, secret)) = service() else { return };
    let key = EvidenceKey::new(&secret.key);
    let mut seen = 0;
    for entry in entries(&chunks) {
        let digest = key.evidence_digest(entry.txid());
        assert_eq!(entry.commit_evidence_digest(), Some(digest), "{entry:?}");
        seen += 1;
    }
    assert_eq!(seen, 46);
}

#[test]
fn the_worked_private_entry_opens_as_documented() {
    let Some((chunks, secret)) = service() else { return };
    let entry = entries(&chunks).find(|entry| entry.txid() == TxId::new(2, 17)).unwrap();
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &secret.key).unwrap());
    let mut bytes = [entry.private_ciphertext(), &entry.tag()].concat();
    let nonce = Nonce::assume_unique_for_key(entry.iv());
    let plaintext = key.open_in_place(nonce, Aad::from(entry.public_domain()), &mut bytes).unwrap();
    let maps: Vec<_> = Maps::of_private(plaintext).map(Result::unwrap).collect();
    assert_eq!(maps.len(), 1);
    assert_eq!(maps[0].name(), b"records");
    assert_eq!(maps[0].value(b"42"), Some(&b"hello"[..]));
    assert_eq!((maps[0].write_count(), maps[0].remove_count()), (1, 0));
}
