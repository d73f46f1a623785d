//! A node's life: start, commit, receipts, stop, resume; and what happens when the disk, the sealed
//! identity or the operator get in the way.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use affiant::crypto::{Curve, EncryptionKey, MemberIdentity, Share, SharedSecret};
use affiant::hosting::{AppBundle, json_receipt, receipt_cose, receipt_json};
use affiant::node::{
    NewMember, NewUser, Node, NodeSettings, ReceiptOutcome, StartMode, Storage, VolatileKey,
};
use affiant::tables::{self, RecoveryShares, ServiceStatus};
use affiant::{CommitNotice, RuntimeError};
use affiant_kv::{CommitOutcome, Disk, DiskError, DiskResult, MapName, MemDisk, TxStatus};
use affiant_proof::chunk::ChunkView;
use affiant_proof::cose::EndorsementRecord;
use affiant_proof::entry::EntryView;
use affiant_proof::{
    AuditOptions, AuditVerdict, Auditor, Certificate, Digest, ExpectedClaims, Receipt, TxId,
    VerifyOptions, verify_cose, verify_json,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;
use serde_json::{Value as Json, json};

fn records() -> MapName {
    MapName::new("records").unwrap()
}

/// Settings over one tree in memory that outlives the node.
fn shared_settings(disk: &MemDisk) -> NodeSettings {
    let disk = disk.clone();
    let mut settings = NodeSettings::in_memory();
    settings.storage =
        Storage::Custom(Arc::new(move || Ok(Box::new(disk.clone()) as Box<dyn Disk>)));
    settings.start = StartMode::ResumeOrNew;
    settings
}

fn write(node: &Node, key: u64) -> TxId {
    let mut tx = node.begin();
    tx.put(&records(), &key.to_le_bytes(), b"value").unwrap();
    match node.commit(tx) {
        CommitOutcome::Sequenced(txid) => txid,
        other => panic!("not sequenced: {other:?}"),
    }
}

fn committed(node: &Node, txid: TxId) {
    match node.wait_committed_blocking(txid) {
        CommitNotice::Committed { .. } => {}
        other => panic!("{txid} is not committed: {other:?}"),
    }
}

fn ready(node: &Node, txid: TxId) -> Arc<affiant_kv::ReceiptParts> {
    match node.receipt(txid).unwrap() {
        ReceiptOutcome::Ready(parts) => parts,
        other => panic!("no receipt of {txid}: {other:?}"),
    }
}

/// The JSON receipt verifies, for the service that the node says it serves.
fn assert_json_receipt(node: &Node, txid: TxId) {
    let parts = ready(node, txid);
    assert_eq!(parts.txid, txid);
    let service = node.info().service_certificate_pem;
    let verdict = verify_json(&json_receipt(&parts), &service, &VerifyOptions::default());
    assert!(verdict.is_valid(), "{txid}: {verdict:?}");
}

/// Both encodings verify.
fn assert_receipt(node: &Node, txid: TxId, claims: ExpectedClaims<'_>) {
    let parts = ready(node, txid);
    assert_eq!(parts.txid, txid);
    let service = node.info().service_certificate_pem;
    let options = VerifyOptions { claims, ..VerifyOptions::default() };
    let verdict = verify_json(&json_receipt(&parts), &service, &options);
    assert!(verdict.is_valid(), "{txid}: {verdict:?}");
    let key = Certificate::from_pem(&service).unwrap();
    if let Some(cose) = receipt_cose(&parts).unwrap() {
        let verdict = verify_cose(&cose, key.public_key(), claims);
        assert!(verdict.is_valid(), "{txid}: {verdict:?}");
    } else {
        assert!(receipt_json(&parts)["leaf"].is_string(), "only signatures have no COSE receipt");
    }
}

/// Reads the whole ledger from the disk and audits it against the node's service.
fn audit(disk: &MemDisk, service_pem: &str) -> affiant_proof::AuditReport {
    let mut auditor = Auditor::new(AuditOptions {
        secrets: Vec::new(),
        trusted_service: Some(Certificate::from_pem(service_pem).unwrap()),
        now: None,
    });
    let mut names = disk.list("ledger").unwrap();
    names.sort_by_key(|name| {
        let digits: String = name.chars().skip(7).take_while(char::is_ascii_digit).collect();
        digits.parse::<u64>().unwrap()
    });
    for name in names {
        let path = format!("ledger/{name}");
        let size = usize::try_from(disk.size(&path).unwrap()).unwrap();
        auditor.chunk(&name, &disk.read_at(&path, 0, size).unwrap());
    }
    auditor.finish()
}

#[test]
fn a_thousand_transactions_have_receipts_before_and_after_a_restart() {
    let disk = MemDisk::new();
    let mut settings = shared_settings(&disk);
    settings.chunk_bytes = 30_000;
    settings.signature_entries_max = 100;
    settings.sealing = Arc::new(VolatileKey::default());
    let node = Node::start(settings.clone()).unwrap();
    assert!(node.service_open());
    assert_eq!(node.store().view_of(1), Some(2), "the first view is 2");
    let service = node.info().service_certificate_pem;
    let node_id = node.info().node_id;
    let mut ids = Vec::new();
    for run in 0..10 {
        ids.extend((run * 100..(run + 1) * 100).map(|key| write(&node, key)));
        committed(&node, ids[ids.len() - 1]);
    }
    for txid in &ids {
        assert_json_receipt(&node, *txid);
    }
    let before = node.store().committed();
    node.shutdown().unwrap();
    assert!(matches!(node.commit_refused(), CommitOutcome::Poisoned(_)));
    drop(node);

    let node = Node::start(settings.clone()).unwrap();
    let info = node.info();
    assert_eq!((info.service_certificate_pem, info.node_id), (service.clone(), node_id));
    assert!(info.startup_seqno >= before.seqno);
    let fresh = write(&node, 5_000);
    assert_eq!(fresh.view, 3, "a restart opens the next view");
    committed(&node, fresh);
    for txid in ids.iter().step_by(97).chain([&ids[999], &fresh]) {
        assert_eq!(node.store().status(*txid), TxStatus::Committed);
        assert_receipt(&node, *txid, ExpectedClaims::None);
    }
    assert_eq!(
        node.snapshot().get("records", &7_u64.to_le_bytes()).as_deref(),
        Some(&b"value"[..])
    );
    node.shutdown().unwrap();
    let report = audit(&disk, &service);
    assert_eq!(report.verdict, AuditVerdict::Valid, "{:?}", report.findings);
    assert_eq!(report.unsigned_tail, 0);
    assert!(report.chunks > 3 && report.entries > 1_000, "{report:?}");
}

trait Refused {
    fn commit_refused(&self) -> CommitOutcome;
}

impl Refused for Node {
    fn commit_refused(&self) -> CommitOutcome {
        let mut tx = self.begin();
        tx.put(&records(), b"late", b"").unwrap();
        self.commit(tx)
    }
}

#[test]
fn the_first_transactions_have_ccfs_tables() {
    let member = MemberIdentity::generate("member0", true).unwrap();
    let user = MemberIdentity::generate("user0", false).unwrap();
    let mut settings = NodeSettings::in_memory();
    settings.rpc_interfaces.insert(
        "main".to_owned(),
        json!({"bind_address": "127.0.0.1:8000", "published_address": "10.0.0.1:8000"}),
    );
    settings.service.members = vec![NewMember {
        certificate_pem: member.certificate_pem.clone(),
        encryption_public_key_pem: member.encryption.as_ref().map(|keys| keys.0.clone()),
        member_data: json!({"name": "one"}),
        recovery_role: None,
    }];
    settings.service.users =
        vec![NewUser { certificate_pem: user.certificate_pem.clone(), user_data: Json::Null }];
    let node = Node::start(settings).unwrap();
    let state = node.snapshot();
    let text = |table: &MapName, key: &str| -> String {
        tables::read_text(&state, table, key.as_bytes()).unwrap_or_default()
    };
    let service = node.service().unwrap();
    assert_eq!(service.status, ServiceStatus::Open);
    assert_eq!(service.current_service_create_txid.as_deref(), Some("2.1"));
    assert_eq!(service.previous_service_identity_version, Some(1));
    assert_eq!(service.cert, node.info().service_certificate_pem);
    assert_eq!(
        text(&tables::MEMBER_INFO, &member.id),
        r#"{"member_data":{"name":"one"},"status":"Active"}"#
    );
    assert_eq!(text(&tables::USER_CERTS, &user.id), user.certificate_pem);
    assert_eq!(text(&tables::USER_INFO, &user.id), "");
    let endorsement = state.get(tables::IDENTITY_ENDORSEMENT.as_str(), &[0; 8]).unwrap();
    let own_key = Certificate::from_pem(&service.cert).unwrap();
    EndorsementRecord::parse(&endorsement).unwrap().verify(own_key.public_key()).unwrap();
    let row: Json = serde_json::from_str(&text(&tables::NODE_INFO, node.node_id())).unwrap();
    assert_eq!(
        (row["rpcport"].as_str(), row["pubhost"].as_str()),
        (Some("8000"), Some("10.0.0.1"))
    );
    assert_eq!(row["quote_info"]["format"], "Insecure_Virtual");
    assert_eq!(row["status"], "Trusted");
    let own = text(&tables::NODE_CERTS, node.node_id());
    let chain = Certificate::from_pem(&own).unwrap();
    chain.verify_issued_by(&Certificate::from_pem(&service.cert).unwrap()).unwrap();
    let config: Json =
        serde_json::from_slice(&state.get(tables::SERVICE_CONFIG.as_str(), &[0; 8]).unwrap())
            .unwrap();
    assert_eq!(
        config,
        json!({
            "maximum_node_certificate_validity_days": 365,
            "maximum_service_certificate_validity_days": 365,
            "recovery_threshold": 1
        })
    );
    // The member's share unwraps the ledger secret.
    let shares: RecoveryShares = tables::read_single(&state, &tables::RECOVERY_SHARES).unwrap();
    let key = EncryptionKey::from_pem(&member.encryption.as_ref().unwrap().1).unwrap();
    let share = key.decrypt(&STANDARD.decode(&shares.encrypted_shares[&member.id]).unwrap());
    let secret = SharedSecret::combine(&[Share::from_bytes(&share.unwrap()).unwrap()]).unwrap();
    let wrapped = STANDARD.decode(&shares.wrapped_latest_ledger_secret).unwrap();
    secret.unwrap_ledger_secret(&wrapped, 1).unwrap();
    // Signatures have receipts of their own kind.
    assert_receipt(&node, TxId::new(2, 1), ExpectedClaims::None);
    assert_receipt(&node, TxId::new(2, 2), ExpectedClaims::Any);
    node.shutdown().unwrap();
}

/// Table name to the key sets of its JSON objects (empty for other values).
fn shape(entry: &[u8]) -> BTreeMap<String, BTreeSet<String>> {
    let (entry, _) = EntryView::parse(entry).unwrap();
    let mut tables = BTreeMap::new();
    for map in entry.maps().map(Result::unwrap) {
        let name = String::from_utf8(map.name().to_vec()).unwrap();
        let keys: &mut BTreeSet<String> = tables.entry(name).or_default();
        for (_, value) in map.writes() {
            if let Ok(Json::Object(row)) = serde_json::from_slice(value) {
                keys.extend(row.keys().cloned());
            }
        }
    }
    tables
}

/// The first transaction has the tables, and its rows the fields, of a recorded service's.
#[test]
fn the_first_transaction_has_the_shape_of_a_recorded_one() {
    let root = std::env::var_os("AFFIANT_FIXTURES").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/fixtures"),
        PathBuf::from,
    );
    let file = root.join("ccf-ledgers/cose_flipflop_service/ledger/ledger_1-14.committed");
    let Ok(chunk) = std::fs::read(&file) else {
        println!("skipped: the fixture ccf-ledgers is not here");
        return;
    };
    let recorded: Vec<Vec<u8>> = ChunkView::parse(&chunk)
        .unwrap()
        .entries()
        .map(|(_, entry)| entry.unwrap().bytes().to_vec())
        .collect();
    let member = MemberIdentity::generate("member0", true).unwrap();
    let mut settings = NodeSettings::in_memory();
    settings.service.members = vec![NewMember {
        certificate_pem: member.certificate_pem.clone(),
        encryption_public_key_pem: member.encryption.as_ref().map(|keys| keys.0.clone()),
        ..NewMember::default()
    }];
    let node = Node::start(settings).unwrap();
    let ours = |seqno| node.ledger_entry(seqno).unwrap().unwrap();
    assert_eq!(shape(&ours(1)), shape(&recorded[0]));
    let opening = shape(&ours(3));
    for (table, keys) in shape(&recorded[12]) {
        let of_proposal = table.contains("proposal") || table.contains("cose_history");
        if !of_proposal && !table.contains("users") {
            assert_eq!(opening.get(&table), Some(&keys), "{table}");
        }
    }
}

#[test]
fn a_service_key_may_be_on_the_faster_curve() {
    let mut settings = NodeSettings::in_memory();
    settings.service.curve = Curve::P256;
    let node = Node::start(settings).unwrap();
    let txid = write(&node, 1);
    committed(&node, txid);
    assert_receipt(&node, txid, ExpectedClaims::None);
}

#[test]
fn bundles_and_users_are_stored_as_governance_would() {
    let node = Node::start(NodeSettings::in_memory()).unwrap();
    let bundle = AppBundle {
        metadata: json!({"/log/{id}": {"get": {"js_module": "log.js", "js_function": "get",
            "mode": "readonly", "authn_policies": ["no_auth"]}}}),
        modules: vec![("/log.js".to_owned(), "export function get() {}".to_owned())],
        origin: "test".to_owned(),
        ..AppBundle::default()
    };
    let user = MemberIdentity::generate("user0", false).unwrap();
    let mut tx = node.begin();
    affiant::genesis::store_bundle(&mut tx, &bundle).unwrap();
    let id = affiant::genesis::set_user(&mut tx, &user.certificate_pem, &json!({"admin": true}))
        .unwrap();
    assert_eq!(id, user.id);
    let CommitOutcome::Sequenced(txid) = node.commit(tx) else { panic!("not sequenced") };
    committed(&node, txid);
    let state = node.snapshot();
    let endpoint: Json = tables::read_json(&state, &tables::ENDPOINTS, b"GET /log/{id}").unwrap();
    assert_eq!(endpoint["js_module"], "/log.js");
    assert_eq!(
        tables::read_text(&state, &tables::MODULES, b"/log.js").unwrap(),
        "export function get() {}"
    );
    let info = tables::read_text(&state, &tables::USER_INFO, id.as_bytes()).unwrap();
    assert_eq!(info, r#"{"user_data":{"admin":true}}"#);
    let mut tx = node.begin();
    let broken = AppBundle { metadata: json!([]), ..bundle };
    assert!(affiant::genesis::store_bundle(&mut tx, &broken).is_err());
    assert!(affiant::genesis::set_user(&mut tx, "no certificate", &Json::Null).is_err());
    assert!(affiant::genesis::set_member_active(&mut tx, "nobody").is_err());
}

#[test]
fn claims_reach_the_receipt_and_a_waiter_gets_it_at_commit() {
    let node = Node::start(NodeSettings::in_memory()).unwrap();
    let mut tx = node.begin();
    tx.put(&records(), b"key", b"value").unwrap();
    tx.set_claims_digest(Digest::of(b"claim"));
    let CommitOutcome::Sequenced(txid) = node.commit(tx) else { panic!("not sequenced") };
    let receipt = match node.wait_committed(txid, true).blocking_recv().unwrap() {
        CommitNotice::Committed { receipt: Some(receipt) } => receipt,
        // The commit came before the question; the ledger has it all the same.
        CommitNotice::Committed { receipt: None } => ready(&node, txid),
        other => panic!("{other:?}"),
    };
    let text = receipt_json(&receipt).to_string();
    assert_eq!(text, receipt_json(&ready(&node, txid)).to_string());
    let parsed = Receipt::parse(text.as_bytes()).unwrap();
    let options = |claims| VerifyOptions { claims, ..VerifyOptions::default() };
    let service = node.info().service_certificate_pem;
    let good = options(ExpectedClaims::Preimage(b"claim"));
    assert!(verify_json(&parsed, &service, &good).is_valid());
    let bad = options(ExpectedClaims::Preimage(b"other"));
    assert!(!verify_json(&parsed, &service, &bad).is_valid());
}

#[test]
fn every_state_of_a_transaction_has_its_answer() {
    let mut settings = NodeSettings::in_memory();
    settings.signature_delay_ms = 3_600_000;
    let node = Node::start(settings).unwrap();
    let txid = write(&node, 1);
    assert!(matches!(node.receipt(txid).unwrap(), ReceiptOutcome::Pending));
    let ahead = TxId::new(2, 1_000_000);
    assert!(matches!(node.receipt(ahead).unwrap(), ReceiptOutcome::Unknown));
    committed(&node, txid);
    assert!(matches!(node.receipt(txid).unwrap(), ReceiptOutcome::Ready(_)));
    let other_view = TxId::new(7, txid.seqno);
    assert!(matches!(node.receipt(other_view).unwrap(), ReceiptOutcome::Invalid));
    assert!(matches!(node.wait_committed_blocking(other_view), CommitNotice::Invalid));
    // Whoever waits for what never comes is told when the node stops.
    let never = node.wait_committed(ahead, false);
    node.shutdown().unwrap();
    assert!(matches!(never.blocking_recv().unwrap(), CommitNotice::Failed(_)));
}

#[test]
fn a_process_knows_the_nodes_that_run_in_it() {
    let running = |node: &Arc<Node>| Node::running().iter().any(|known| Arc::ptr_eq(known, node));
    let node = Node::start(NodeSettings::in_memory()).unwrap();
    assert!(running(&node));
    node.shutdown().unwrap();
    assert!(!running(&node));
}

#[test]
fn a_wait_has_an_end() {
    let node = Node::start(NodeSettings::in_memory()).unwrap();
    let never = TxId::new(2, 1_000_000);
    assert!(node.wait_committed_for(never, Duration::from_millis(20)).is_none());
    let notice = node.wait_committed_for(write(&node, 1), Duration::from_secs(60));
    assert!(matches!(notice, Some(CommitNotice::Committed { .. })), "{notice:?}");
    node.shutdown().unwrap();
    let notice = node.wait_committed_for(never, Duration::from_secs(60));
    assert!(matches!(notice, Some(CommitNotice::Failed(_))), "{notice:?}");
}

#[test]
fn many_threads_write_and_wait() {
    let node = Node::start(NodeSettings::in_memory()).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let node = &node;
            scope.spawn(move || {
                for key in 0..50 {
                    let txid = write(node, thread * 1_000 + key);
                    committed(node, txid);
                    assert_eq!(node.store().status(txid), TxStatus::Committed);
                }
            });
        }
    });
    assert_eq!(node.metrics().waiters, 0);
    assert_eq!(node.metrics().entries, 202);
    node.shutdown().unwrap();
}

#[test]
fn what_was_committed_survives_a_node_that_just_vanishes() {
    let disk = MemDisk::new();
    let mut settings = shared_settings(&disk);
    settings.signature_delay_ms = 3_600_000;
    let node = Node::start(settings.clone()).unwrap();
    let service = node.info().service_certificate_pem;
    let safe = write(&node, 1);
    committed(&node, safe);
    let lost = write(&node, 2);
    drop(node);

    let node = Node::start(settings).unwrap();
    assert_eq!(node.info().service_certificate_pem, service);
    assert_eq!(node.store().status(safe), TxStatus::Committed);
    assert!(node.snapshot().get("records", &1_u64.to_le_bytes()).is_some());
    assert!(node.snapshot().get("records", &2_u64.to_le_bytes()).is_none());
    assert_eq!(node.store().status(lost), TxStatus::Invalid);
    assert_receipt(&node, safe, ExpectedClaims::None);
    node.shutdown().unwrap();
    let report = audit(&disk, &service);
    assert_eq!(report.verdict, AuditVerdict::Valid, "{:?}", report.findings);
}

#[test]
fn a_new_service_refuses_a_ledger_that_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let mut settings = NodeSettings::in_directory(directory.path().join("data"));
    settings.start = StartMode::New;
    let node = Node::start(settings.clone()).unwrap();
    let txid = write(&node, 1);
    committed(&node, txid);
    node.shutdown().unwrap();
    drop(node);
    let error = Node::start(settings.clone()).map(drop).unwrap_err();
    let shown = directory.path().join("data/ledger").display().to_string();
    assert_eq!(
        error.to_string(),
        format!("On start, ledger directory should not exist or be empty ({shown})")
    );
    settings.start = StartMode::Resume;
    let node = Node::start(settings).unwrap();
    assert_eq!(node.info().sealing, "insecure-file");
    assert_eq!(node.store().status(txid), TxStatus::Committed);
    node.shutdown().unwrap();
    let mut elsewhere = NodeSettings::in_directory(directory.path().join("other"));
    elsewhere.start = StartMode::Resume;
    let error = Node::start(elsewhere).map(drop).unwrap_err();
    assert!(matches!(error, RuntimeError::NothingToResume { .. }));
}

#[test]
fn a_sealed_identity_that_is_missing_damaged_or_foreign_is_refused() {
    let disk = MemDisk::new();
    let mut settings = shared_settings(&disk);
    let node = Node::start(settings.clone()).unwrap();
    node.shutdown().unwrap();
    drop(node);
    let path = "state/sealed_identity";
    let size = usize::try_from(disk.size(path).unwrap()).unwrap();
    let good = disk.read_at(path, 0, size).unwrap();
    let refused = |settings: &NodeSettings| -> String {
        match Node::start(settings.clone()) {
            Err(error @ RuntimeError::SealedIdentity { .. }) => error.to_string(),
            Err(other) => panic!("another error: {other}"),
            Ok(_) => panic!("accepted"),
        }
    };
    let mut writer = disk.clone();
    let middle = (size / 2) as u64;
    writer.write_at(path, middle, &[good[size / 2] ^ 1]).unwrap();
    assert!(refused(&settings).contains("damaged"));
    writer.write_at(path, middle, &good[size / 2..=size / 2]).unwrap();
    // Another key.
    let sealing = core::mem::replace(&mut settings.sealing, Arc::new(VolatileKey::default()));
    assert!(refused(&settings).contains("another key"));
    settings.sealing = sealing;
    // Another node's identity, sealed under the same key.
    let other_disk = MemDisk::new();
    let mut other = shared_settings(&other_disk);
    other.sealing = settings.sealing.clone();
    Node::start(other).unwrap().shutdown().unwrap();
    let other_size = usize::try_from(other_disk.size(path).unwrap()).unwrap();
    let foreign = other_disk.read_at(path, 0, other_size).unwrap();
    writer.remove(path).unwrap();
    assert!(refused(&settings).contains("missing"));
    writer.create(path).unwrap();
    writer.append(path, &foreign).unwrap();
    let error = Node::start(settings.clone()).map(drop).unwrap_err();
    assert!(error.is_damage(), "{error}");
    // The right one still works: nothing was overwritten by the attempts.
    writer.remove(path).unwrap();
    writer.create(path).unwrap();
    writer.append(path, &good).unwrap();
    Node::start(settings).unwrap().shutdown().unwrap();
}

/// A disk on which calls fail, or panic, from some moment on.
struct FailingDisk {
    inner: MemDisk,
    fault: Arc<Fault>,
}

#[derive(Default)]
struct Fault {
    full: AtomicBool,
    panics: AtomicBool,
    syncs: AtomicUsize,
    hold: Mutex<()>,
}

impl FailingDisk {
    fn check(&self, operation: &'static str, path: &str) -> DiskResult<()> {
        assert!(!self.fault.panics.load(Ordering::Acquire), "this disk panics");
        if self.fault.full.load(Ordering::Acquire) {
            return Err(DiskError::full(operation, path));
        }
        Ok(())
    }
}

impl Disk for FailingDisk {
    fn create_dir(&mut self, path: &str) -> DiskResult<()> {
        self.inner.create_dir(path)
    }
    fn create(&mut self, path: &str) -> DiskResult<()> {
        self.check("create", path)?;
        self.inner.create(path)
    }
    fn append(&mut self, path: &str, bytes: &[u8]) -> DiskResult<()> {
        self.check("append", path)?;
        self.inner.append(path, bytes)
    }
    fn write_at(&mut self, path: &str, offset: u64, bytes: &[u8]) -> DiskResult<()> {
        self.inner.write_at(path, offset, bytes)
    }
    fn read_at(&self, path: &str, offset: u64, length: usize) -> DiskResult<Vec<u8>> {
        self.inner.read_at(path, offset, length)
    }
    fn size(&self, path: &str) -> DiskResult<u64> {
        self.inner.size(path)
    }
    fn truncate(&mut self, path: &str, size: u64) -> DiskResult<()> {
        self.inner.truncate(path, size)
    }
    fn sync(&mut self, path: &str) -> DiskResult<()> {
        self.check("sync", path)?;
        drop(self.fault.hold.lock());
        self.fault.syncs.fetch_add(1, Ordering::AcqRel);
        self.inner.sync(path)
    }
    fn rename(&mut self, from: &str, to: &str) -> DiskResult<()> {
        self.inner.rename(from, to)
    }
    fn sync_dir(&mut self, path: &str) -> DiskResult<()> {
        self.inner.sync_dir(path)
    }
    fn list(&self, path: &str) -> DiskResult<Vec<String>> {
        self.inner.list(path)
    }
    fn remove(&mut self, path: &str) -> DiskResult<()> {
        self.inner.remove(path)
    }
}

fn failing_node() -> (Arc<Node>, Arc<Fault>, NodeSettings) {
    let fault = Arc::new(Fault::default());
    let disk = MemDisk::new();
    let mut settings = shared_settings(&disk);
    let for_disk = fault.clone();
    settings.storage = Storage::Custom(Arc::new(move || {
        Ok(Box::new(FailingDisk { inner: disk.clone(), fault: for_disk.clone() }))
    }));
    settings.signature_delay_ms = 3_600_000;
    (Node::start(settings.clone()).unwrap(), fault, settings)
}

#[test]
fn a_full_disk_stops_the_node_and_loses_nothing_that_was_committed() {
    let (node, fault, settings) = failing_node();
    let safe = write(&node, 1);
    committed(&node, safe);
    fault.full.store(true, Ordering::Release);
    let doomed = write(&node, 2);
    let waiting = node.wait_committed(doomed, false);
    let CommitNotice::Failed(reason) = node.wait_committed_blocking(doomed) else {
        panic!("committed on a full disk")
    };
    assert!(matches!(waiting.blocking_recv().unwrap(), CommitNotice::Failed(_)));
    assert!(reason.contains("append") || reason.contains("sync"), "{reason}");
    assert!(matches!(node.commit_refused(), CommitOutcome::Poisoned(_)));
    assert!(node.failed().is_some());
    assert!(matches!(node.receipt(safe).unwrap(), ReceiptOutcome::Ready(_)), "reads go on");
    assert!(matches!(node.shutdown(), Err(RuntimeError::Stopped { .. })));
    drop(node);
    // Space was made: the node resumes where it stood.
    fault.full.store(false, Ordering::Release);
    let node = Node::start(settings).unwrap();
    assert_eq!(node.store().status(safe), TxStatus::Committed);
    assert_ne!(node.store().status(doomed), TxStatus::Committed);
    let again = write(&node, 3);
    committed(&node, again);
    node.shutdown().unwrap();
}

#[test]
fn a_panic_on_the_disk_thread_is_told_to_everyone() {
    let (node, fault, _) = failing_node();
    fault.panics.store(true, Ordering::Release);
    let txid = write(&node, 1);
    let CommitNotice::Failed(reason) = node.wait_committed_blocking(txid) else {
        panic!("committed without a disk")
    };
    assert!(reason.contains("panicked"), "{reason}");
    assert!(node.shutdown().is_err());
}

#[test]
fn what_waits_while_the_disk_syncs_shares_the_next_sync() {
    let (node, fault, _) = failing_node();
    let first = write(&node, 0);
    committed(&node, first);
    let before = fault.syncs.load(Ordering::Acquire);
    let held = fault.hold.lock();
    let waiters: Vec<_> =
        (1..=100).map(|key| node.wait_committed(write(&node, key), true)).collect();
    drop(held);
    for waiter in waiters {
        assert!(matches!(waiter.blocking_recv().unwrap(), CommitNotice::Committed { .. }));
    }
    let syncs = fault.syncs.load(Ordering::Acquire) - before;
    assert!(syncs <= 10, "{syncs} syncs for 100 waiters that came during one");
    node.shutdown().unwrap();
}

#[test]
fn too_many_shares_are_refused_before_anything_is_written() {
    let disk = MemDisk::new();
    let mut settings = shared_settings(&disk);
    settings.service.config.recovery_threshold = 2;
    let error = Node::start(settings).map(drop).unwrap_err();
    assert!(matches!(error, RuntimeError::RecoveryThreshold { threshold: 2, participants: 0 }));
    assert!(disk.list("ledger").unwrap().is_empty() && disk.list("state").unwrap().is_empty());
}

#[test]
fn a_service_that_is_not_opened_waits_for_its_members() {
    let disk = MemDisk::new();
    let mut settings = shared_settings(&disk);
    settings.service.open = false;
    let node = Node::start(settings.clone()).unwrap();
    assert_eq!(node.service_status(), Some(ServiceStatus::Opening));
    node.shutdown().unwrap();
    drop(node);
    let node = Node::start(settings).unwrap();
    assert_eq!(node.service_status(), Some(ServiceStatus::Opening), "a restart opens nothing");
    let mut tx = node.begin();
    node.open_service(&mut tx).unwrap();
    let CommitOutcome::Sequenced(txid) = node.commit(tx) else { panic!("not sequenced") };
    committed(&node, txid);
    assert!(node.service_open());
    node.shutdown().unwrap();
}

fn copy_file(from: &MemDisk, to: &mut MemDisk, path: &str) {
    let size = usize::try_from(from.size(path).unwrap()).unwrap();
    to.create(path).unwrap();
    to.append(path, &from.read_at(path, 0, size).unwrap()).unwrap();
}

#[test]
fn a_start_that_was_interrupted_goes_on_and_a_lost_ledger_is_refused() {
    let first = MemDisk::new();
    let mut settings = shared_settings(&first);
    let node = Node::start(settings.clone()).unwrap();
    let node_id = node.node_id().to_owned();
    node.shutdown().unwrap();
    drop(node);
    // The identity was sealed, and then the power failed.
    let mut second = MemDisk::new();
    second.create_dir("state").unwrap();
    copy_file(&first, &mut second, "state/sealed_identity");
    settings.storage = shared_settings(&second).storage;
    let node = Node::start(settings.clone()).unwrap();
    assert_eq!(node.node_id(), node_id);
    assert!(node.service_open());
    assert_receipt(
        &node,
        TxId::new(node.store().sequencing_view().unwrap(), 1),
        ExpectedClaims::None,
    );
    drop(node);
    // The ledger was there and is gone: nobody starts anew over that.
    let mut third = MemDisk::new();
    third.create_dir("state").unwrap();
    copy_file(&first, &mut third, "state/sealed_identity");
    copy_file(&first, &mut third, "state/consensus");
    settings.storage = shared_settings(&third).storage;
    let error = Node::start(settings.clone()).map(drop).unwrap_err();
    assert!(error.is_damage(), "{error}");
    // Unless the operator says so; and then what was there is kept aside.
    settings.start = StartMode::New;
    let node = Node::start(settings).unwrap();
    assert_ne!(node.node_id(), node_id);
    let names = third.list("state").unwrap();
    assert!(names.contains(&"sealed_identity.superseded_1".to_owned()), "{names:?}");
    node.shutdown().unwrap();
}
