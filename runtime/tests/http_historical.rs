//! Past transactions, asked for over real connections: endpoints with mode `historical`, ranges, and
//! the receipts of both.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod http_support;

use std::sync::Arc;
use std::time::Duration;

use affiant::historical::{HistoricalError, HistoricalNamespace, HistoricalStates};
use affiant::hosting::json_receipt;
use affiant::node::{Node, NodeSettings};
use affiant::{CommitNotice, EndpointOptions, MapName, Respond, Response, Runtime, RuntimeBuilder};
use affiant_kv::{CommitOutcome, Disk, MemDisk, TxStatus};
use affiant_proof::{Digest, Receipt, TxId, VerifyOptions, verify_json};
use http_support::{Client, listener, records, settings, with_endpoints};
use serde_json::{Value as Json, json};

const HOST: HistoricalNamespace = HistoricalNamespace::HOST;
const EXPIRY: Duration = Duration::from_secs(1_800);
/// Longer than any load here.
const PATIENCE: Duration = Duration::from_secs(60);

fn public() -> MapName {
    MapName::new("public:records").unwrap()
}

fn text(bytes: Option<&affiant_kv::Value>) -> Json {
    bytes.map_or(Json::Null, |bytes| String::from_utf8_lossy(bytes).into())
}

/// The usual endpoints and two historical ones.
fn with_history(builder: RuntimeBuilder) -> RuntimeBuilder {
    let early = || EndpointOptions::native().respond(Respond::AtOnce);
    with_endpoints(builder)
        .endpoint("POST", "/both/{id}", EndpointOptions::native(), |request, tx| {
            let id = request.param("id").unwrap_or_default();
            tx.put(&records(), id.as_bytes(), request.body())?;
            tx.put(&public(), id.as_bytes(), request.body())?;
            tx.remove(&public(), b"gone")?;
            tx.set_claims_digest(Digest::of(request.body()));
            Ok(Response::empty(204))
        })
        .endpoint_with_call("GET", "/past/{id}", early().historical(), |call| {
            let id = call.request.param("id").unwrap_or_default().as_bytes();
            let state = call.historical_state.unwrap();
            let names: Vec<&str> = state.map_names().map(MapName::as_str).collect();
            let removed = state.removed(&public()).count();
            let now = call.tx.get(&records(), id);
            Ok(Response::json(
                200,
                &json!({
                    "txid": state.txid().to_string(),
                    "private": text(state.get(&records(), id)),
                    "public": text(state.get(&public(), id)),
                    "other": text(state.get(&records(), b"other")),
                    "now": text(now.as_ref()),
                    "maps": names, "removed": removed, "receipt": state.receipt_json(),
                }),
            ))
        })
        .endpoint_with_call("GET", "/range/{first}/{last}", early().read_only(), |call| {
            let number = |name| call.request.param(name).unwrap_or_default().parse().unwrap_or(0);
            let (first, last) = (number("first"), number("last"));
            let Some(states) = call.state_range(1, first, last, EXPIRY)? else {
                return Ok(Response::empty(202));
            };
            let values: Vec<Json> = states
                .iter()
                .flat_map(|state| state.entries(&records()).map(|(_, value)| text(Some(value))))
                .collect();
            Ok(Response::json(200, &json!({"entries": states.len(), "values": values})))
        })
        .endpoint_with_call("POST", "/sneaky", early().historical(), |call| {
            call.tx.put(&records(), b"sneaky", b"x")?;
            Ok(Response::empty(200))
        })
}

fn start(settings: NodeSettings) -> Runtime {
    with_history(Runtime::builder().node(settings))
        .http_threads(1)
        .listen(listener())
        .start()
        .unwrap()
}

/// Asks as CCF's clients do, until it is not 202.
fn past(client: &mut Client, path: &str, txid: &str) -> http_support::Answer {
    for _ in 0..1_000 {
        let answer = client.request("GET", path, &[("x-ms-ccf-transaction-id", txid)], b"");
        if answer.status != 202 {
            return answer;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{path} at {txid} stays unavailable");
}

fn range(node: &Node, first: u64, last: u64) -> HistoricalStates {
    let cache = node.historical();
    cache.wait_for_state_range(HOST, 1, first, last, EXPIRY, PATIENCE).unwrap().unwrap()
}

/// Commits one small transaction, waiting for commit where asked.
fn write(node: &Node, value: &str, wait: bool) -> TxId {
    let mut tx = node.begin();
    tx.put(&records(), b"key", value.as_bytes()).unwrap();
    tx.put(&public(), b"key", value.as_bytes()).unwrap();
    let CommitOutcome::Sequenced(txid) = node.commit(tx) else { panic!("not sequenced") };
    if wait {
        assert!(matches!(node.wait_committed_blocking(txid), CommitNotice::Committed { .. }));
    }
    txid
}

/// The receipts verify offline: one of seven, since this is slow.
fn assert_receipts(node: &Node, states: &HistoricalStates) {
    let service = node.info().service_certificate_pem;
    for state in states.iter().step_by(7) {
        let receipt = json_receipt(state.receipt());
        let verdict = verify_json(&receipt, &service, &VerifyOptions::default());
        assert!(verdict.is_valid(), "{}: {verdict:?}", state.txid());
        assert_eq!(state.receipt().txid, state.txid());
    }
}

#[test]
fn a_request_gets_the_transaction_that_it_names() {
    let runtime = start(settings(&[]));
    let mut client = Client::new(&runtime);
    let first = client.post("/app/both/7", b"one").txid().unwrap().to_owned();
    let second = client.post("/app/both/7", b"two").txid().unwrap().to_owned();
    for (txid, value) in [(&first, "one"), (&second, "two"), (&first, "one")] {
        let answer = past(&mut client, "/app/past/7", txid);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let mut body = answer.json();
        let receipt = body["receipt"].take();
        assert_eq!(
            body,
            json!({
                "txid": txid, "private": value, "public": value, "other": null, "now": "two",
                "maps": ["public:records", "records"], "removed": 1, "receipt": null,
            })
        );
        let read: TxId = answer.txid().unwrap().parse().unwrap();
        assert!(read >= second.parse().unwrap(), "the state that was read now");
        let served = client.get(&format!("/app/receipt?transaction_id={txid}"));
        assert_eq!(receipt, served.json());
        let receipt = Receipt::parse(receipt.to_string().as_bytes()).unwrap();
        let options = VerifyOptions {
            claims: affiant_proof::ExpectedClaims::Preimage(value.as_bytes()),
            ..VerifyOptions::default()
        };
        let service = runtime.node().info().service_certificate_pem;
        let verdict = verify_json(&receipt, &service, &options);
        assert!(verdict.is_valid(), "{verdict:?}");
        assert_eq!(verdict.txid.map(|txid| txid.to_string()).as_ref(), Some(txid));
    }
    // The write set of that transaction only.
    let answer = past(&mut client, "/app/past/8", &first);
    assert_eq!(answer.json()["private"], Json::Null);
    let answer = client.request("POST", "/app/sneaky", &[("x-ms-ccf-transaction-id", &first)], b"");
    assert_eq!((answer.status, answer.txid()), (500, None), "it reads only");
    runtime.stop().unwrap();
}

#[test]
fn what_cannot_be_had_is_answered_as_ccf_does() {
    // Nothing is signed unless somebody waits: what is written early stays pending.
    let mut settings = settings(&[]);
    settings.signature_delay_ms = 3_600_000;
    let runtime = start(settings);
    let mut client = Client::new(&runtime);
    let mut refusal = |headers: &[(&str, &str)]| {
        let answer = client.request("GET", "/app/past/7", headers, b"");
        assert_eq!((answer.status, answer.txid()), (404, None));
        let cache = answer.header("cache-control").map(str::to_owned);
        (answer.code(), answer.message(), cache)
    };
    let missing =
        ("TransactionInvalid".to_owned(), "Could not extract Transaction Id".to_owned(), None);
    assert_eq!(refusal(&[]), missing);
    for malformed in ["", "2", "2.x", "0.1", "2.0", "-1.2", "2.1.3", "2.99999999999999999999"] {
        assert_eq!(refusal(&[("x-ms-ccf-transaction-id", malformed)]), missing, "{malformed}");
    }
    let of = |code: &str, txid: &str, status: &str, cache: Option<&str>| {
        let message =
            format!("Only committed transactions can be queried. Transaction {txid} is {status}");
        (code.to_owned(), message, cache.map(str::to_owned))
    };
    let no_cache = Some("no-cache");
    for unknown in ["2.999", "9.1000", "9.9007199254740993"] {
        assert_eq!(
            refusal(&[("x-ms-ccf-transaction-id", unknown)]),
            of("TransactionPendingOrUnknown", unknown, "Unknown", no_cache)
        );
    }
    for invalid in ["1.1", "3.1"] {
        assert_eq!(
            refusal(&[("x-ms-ccf-transaction-id", invalid)]),
            of("TransactionInvalid", invalid, "Invalid", None)
        );
    }
    let pending = Client::new(&runtime).post("/app/records/1", b"x").txid().unwrap().to_owned();
    let status = runtime.node().store().status(pending.parse().unwrap());
    assert_eq!(status, TxStatus::Pending);
    assert_eq!(
        refusal(&[("x-ms-ccf-transaction-id", &pending)]),
        of("TransactionPendingOrUnknown", &pending, "Pending", no_cache)
    );
    // `/receipt` speaks of them in the same words.
    let answer = client.get(&format!("/app/receipt?transaction_id={pending}"));
    assert_eq!(answer.status, 404);
    assert_eq!(
        (answer.code(), answer.message(), answer.header("cache-control").map(str::to_owned)),
        of("TransactionPendingOrUnknown", &pending, "Pending", no_cache)
    );
    let answer = client.get("/app/receipt?transaction_id=3.1");
    assert_eq!((answer.status, answer.code().as_str()), (404, "TransactionInvalid"));
    runtime.stop().unwrap();
}

/// A disk whose reads of one file can be held up.
struct SlowDisk {
    inner: MemDisk,
    gate: Arc<parking_lot::RwLock<()>>,
}

impl SlowDisk {
    fn opener(inner: MemDisk, gate: Arc<parking_lot::RwLock<()>>) -> affiant::node::OpenDisk {
        Arc::new(move || Ok(Box::new(Self { inner: inner.clone(), gate: gate.clone() })))
    }
}

impl Disk for SlowDisk {
    fn create_dir(&mut self, path: &str) -> affiant_kv::DiskResult<()> {
        self.inner.create_dir(path)
    }
    fn create(&mut self, path: &str) -> affiant_kv::DiskResult<()> {
        self.inner.create(path)
    }
    fn append(&mut self, path: &str, bytes: &[u8]) -> affiant_kv::DiskResult<()> {
        self.inner.append(path, bytes)
    }
    fn write_at(&mut self, path: &str, offset: u64, bytes: &[u8]) -> affiant_kv::DiskResult<()> {
        self.inner.write_at(path, offset, bytes)
    }
    fn read_at(&self, path: &str, offset: u64, length: usize) -> affiant_kv::DiskResult<Vec<u8>> {
        let open = self.gate.read();
        let read = self.inner.read_at(path, offset, length);
        drop(open);
        read
    }
    fn size(&self, path: &str) -> affiant_kv::DiskResult<u64> {
        self.inner.size(path)
    }
    fn truncate(&mut self, path: &str, size: u64) -> affiant_kv::DiskResult<()> {
        self.inner.truncate(path, size)
    }
    fn sync(&mut self, path: &str) -> affiant_kv::DiskResult<()> {
        self.inner.sync(path)
    }
    fn rename(&mut self, from: &str, to: &str) -> affiant_kv::DiskResult<()> {
        self.inner.rename(from, to)
    }
    fn sync_dir(&mut self, path: &str) -> affiant_kv::DiskResult<()> {
        self.inner.sync_dir(path)
    }
    fn list(&self, path: &str) -> affiant_kv::DiskResult<Vec<String>> {
        self.inner.list(path)
    }
    fn remove(&mut self, path: &str) -> affiant_kv::DiskResult<()> {
        self.inner.remove(path)
    }
}

#[test]
fn while_the_disk_is_slow_it_is_202_and_nobody_else_waits() {
    let gate = Arc::new(parking_lot::RwLock::new(()));
    let mut settings = settings(&[]);
    settings.storage =
        affiant::node::Storage::Custom(SlowDisk::opener(MemDisk::new(), gate.clone()));
    let runtime = start(settings);
    let mut client = Client::new(&runtime);
    let txid = client.post("/app/both/7", b"one").txid().unwrap().to_owned();
    let held = gate.write();
    for _ in 0..3 {
        let answer =
            client.request("GET", "/app/past/7", &[("x-ms-ccf-transaction-id", &txid)], b"");
        assert_eq!(answer.status, 202);
        assert_eq!(answer.header("content-type"), Some("text/plain"));
        assert_eq!(answer.header("retry-after"), Some("3"));
        let message = format!("Historical transaction {txid} is not currently available.");
        assert_eq!(answer.text(), message);
        // Reads and durable writes go on; they need no read of the ledger.
        assert_eq!(client.get("/app/records/7").text(), "one");
        assert_eq!(client.post("/app/durable/8", b"x").status, 200);
    }
    assert_eq!(client.get(&format!("/app/range/1/{}", 2)).status, 202);
    drop(held);
    assert_eq!(past(&mut client, "/app/past/7", &txid).status, 200);
    runtime.stop().unwrap();
}

#[test]
fn ranges_cross_chunks_and_a_restart() {
    let root = tempfile::tempdir().unwrap();
    let settings = || {
        let mut settings = NodeSettings::in_directory(root.path());
        settings.chunk_bytes = 20_000;
        settings
    };
    let fill = |runtime: &Runtime, from: usize| {
        let mut txids: Vec<TxId> = (from..from + 299)
            .map(|index| write(runtime.node(), &format!("value {index}"), index % 37 == 36))
            .collect();
        txids.push(write(runtime.node(), &format!("value {}", from + 299), true));
        txids
    };
    let check = |runtime: &Runtime, txids: &[TxId]| {
        let (first, last) = (txids[0].seqno, txids.last().unwrap().seqno);
        let states = range(runtime.node(), first, last);
        assert_eq!(states.len() as u64, last + 1 - first);
        assert_receipts(runtime.node(), &states);
        for (index, txid) in txids.iter().enumerate() {
            let state = &states[(txid.seqno - first) as usize];
            assert_eq!(state.txid(), *txid);
            let value = format!("value {index}");
            assert_eq!(text(state.get(&records(), b"key")), value.as_str());
            assert_eq!(text(state.get(&public(), b"key")), value.as_str());
        }
        // The same over a connection, as an application does it.
        let mut client = Client::new(runtime);
        let answer = past(&mut client, &format!("/app/range/{first}/{last}"), "-");
        assert_eq!(answer.json()["entries"], last + 1 - first);
        assert_eq!(answer.json()["values"].as_array().unwrap().len(), txids.len());
        let named = past(&mut client, "/app/past/key", &txids[9].to_string());
        assert_eq!(named.json()["private"], "value 9");
    };
    let runtime = start(settings());
    let mut txids = fill(&runtime, 0);
    check(&runtime, &txids);
    runtime.stop().unwrap();
    let runtime = start(settings());
    let after = fill(&runtime, 300);
    assert!(after[0].view > txids[0].view);
    txids.extend(after);
    check(&runtime, &txids);
    let completed = std::fs::read_dir(root.path().join("ledger")).unwrap().count();
    assert!(completed > 5, "{completed} chunks");
    runtime.stop().unwrap();
}

#[test]
fn ranges_are_bounded() {
    let mut settings = settings(&[]);
    settings.historical_bytes_max = 100_000;
    let runtime = start(settings);
    let node = runtime.node();
    let last = write(node, &"x".repeat(200_000), true).seqno;
    let cache = node.historical();
    let ask = |first, last| cache.wait_for_state_range(HOST, 9, first, last, EXPIRY, PATIENCE);
    for (first, end) in [(5, 4), (0, 3), (u64::MAX, 1)] {
        let error = HistoricalError::InvalidRange { first, last: end };
        assert_eq!(ask(first, end).unwrap_err(), error);
    }
    for (first, end) in [(1, 1 << 53), (1, u64::MAX), (1, 10_001)] {
        let count = end - first + 1;
        assert_eq!(ask(first, end).unwrap_err(), HistoricalError::TooManyEntries { count });
    }
    let error = ask(last, last).unwrap_err();
    assert!(
        matches!(error, HistoricalError::TooLarge { bytes: 200_000.., limit: 100_000 }),
        "{error}"
    );
    assert!(error.to_string().contains("historical_cache_soft_limit"), "{error}");
    // What is not committed yet is awaited, not read, and loaded once it is.
    let next = last + 2;
    assert!(cache.state_range(HOST, 9, next, next, EXPIRY).unwrap().is_none());
    assert!(cache.state_range(HOST, 9, 1 << 53, 1 << 53, EXPIRY).unwrap().is_none());
    assert_eq!(write(node, "x", true).seqno, next);
    assert_eq!(ask(next, next).unwrap().unwrap().len(), 1);
    assert!(cache.drop_cached_states(HOST, 9));
    assert!(!cache.drop_cached_states(HOST, 9));
    let mut client = Client::new(&runtime);
    let answer = client.get(&format!("/app/range/1/{}", 1_u64 << 53));
    assert_eq!(answer.status, 500);
    assert!(answer.message().starts_with("Failed to get state range: Invalid range"), "{answer:?}");
    let answer = client.get("/app/range/4/2");
    assert!(answer.message().contains("end 2 is before start 4"), "{answer:?}");
    let cache = cache.clone();
    runtime.stop().unwrap();
    assert_eq!(
        cache.state_range(HOST, 9, next, next, EXPIRY).unwrap_err(),
        HistoricalError::Unavailable
    );
}

#[test]
fn a_changed_ledger_is_never_shown() {
    let disk = MemDisk::new();
    let mut settings = settings(&[]);
    let handle = disk.clone();
    settings.storage =
        affiant::node::Storage::Custom(Arc::new(move || Ok(Box::new(handle.clone()))));
    let runtime = start(settings);
    let mut client = Client::new(&runtime);
    let txid = client.post("/app/both/7", b"one").txid().unwrap().to_owned();
    let seqno = txid.parse::<TxId>().unwrap().seqno;
    let entry = runtime.node().ledger_entry(seqno).unwrap().unwrap();
    let mut writer = disk.clone();
    let path = format!("ledger/{}", disk.list("ledger").unwrap()[0]);
    let size = disk.size(&path).unwrap() as usize;
    let bytes = disk.read_at(&path, 0, size).unwrap();
    let at = bytes.windows(entry.len()).position(|window| window == entry).unwrap();
    let last = at + entry.len() - 1;
    writer.write_at(&path, last as u64, &[bytes[last] ^ 1]).unwrap();
    let answer = past(&mut client, "/app/past/7", &txid);
    assert_eq!((answer.status, answer.code().as_str()), (500, "InternalError"));
    assert!(!answer.text().contains("ledger_"), "files are the operator's: {}", answer.text());
    let cache = runtime.node().historical();
    let found = cache.wait_for_state_range(HOST, 1, 1, seqno, EXPIRY, PATIENCE);
    assert_eq!(found.unwrap_err(), HistoricalError::Unreadable { seqno: 1 });
    assert!(cache.wait_for_state_range(HOST, 1, 1, seqno - 1, EXPIRY, PATIENCE).is_ok());
    writer.write_at(&path, last as u64, &[bytes[last]]).unwrap();
    assert_eq!(past(&mut client, "/app/past/7", &txid).status, 200);
    runtime.stop().unwrap();
}
