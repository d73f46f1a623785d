//! Answers while the disk is slow or broken: nothing is called committed that is not synced.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod http_support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use affiant::Runtime;
use affiant::node::Storage;
use affiant_kv::{Disk, DiskError, DiskResult, MemDisk};
use http_support::{Client, assert_serves, listener, settings, with_endpoints};

/// A disk whose syncs wait while the gate is shut, or fail.
#[derive(Clone)]
struct Gated {
    inner: MemDisk,
    shut: Arc<(Mutex<bool>, Condvar)>,
    broken: Arc<AtomicBool>,
}

impl Gated {
    fn new() -> Self {
        Self { inner: MemDisk::new(), shut: Arc::default(), broken: Arc::default() }
    }

    fn shut(&self, shut: bool) {
        *self.shut.0.lock().unwrap() = shut;
        self.shut.1.notify_all();
    }

    fn pass(&self, path: &str) -> DiskResult<()> {
        drop(self.shut.1.wait_while(self.shut.0.lock().unwrap(), |shut| *shut).unwrap());
        if self.broken.load(Ordering::Relaxed) {
            return Err(DiskError {
                operation: "sync",
                path: path.to_owned(),
                reason: "broken on purpose".to_owned(),
                full: false,
                missing: false,
            });
        }
        Ok(())
    }
}

impl Disk for Gated {
    fn create_dir(&mut self, path: &str) -> DiskResult<()> {
        self.inner.create_dir(path)
    }
    fn create(&mut self, path: &str) -> DiskResult<()> {
        self.inner.create(path)
    }
    fn append(&mut self, path: &str, bytes: &[u8]) -> DiskResult<()> {
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
        self.pass(path)?;
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

fn start(disk: &Gated) -> Runtime {
    let mut settings = settings(&[]);
    let disk = disk.clone();
    settings.storage = Storage::Custom(Arc::new(move || Ok(Box::new(disk.clone()))));
    with_endpoints(Runtime::builder().node(settings)).listen(listener()).start().unwrap()
}

#[test]
fn what_is_not_synced_is_not_called_committed() {
    let disk = Gated::new();
    let runtime = start(&disk);
    let mut client = Client::new(&runtime);
    assert_eq!(client.post("/app/durable/0", b"x").status, 200);
    disk.shut(true);
    // Early answers leave.
    assert_eq!(client.post("/app/records/1", b"early").status, 200);
    // Others wait, and say after their deadline where to ask.
    let soon = [("x-affiant-timeout-ms", "50")];
    let answer = client.request("POST", "/app/durable/2", &soon, b"late");
    let txid = answer.txid().unwrap().to_owned();
    assert_eq!(answer.status, 202);
    assert!(answer.text().contains(&format!("/app/tx?transaction_id={txid}")), "{}", answer.text());
    let status = client.get(&format!("/app/tx?transaction_id={txid}")).json();
    assert_eq!(status["status"], "Pending");
    let receipt = client.get(&format!("/app/receipt?transaction_id={txid}"));
    assert_eq!((receipt.status, receipt.code().as_str()), (404, "TransactionPendingOrUnknown"));
    // A read that is to be committed reveals nothing uncommitted, not even that a key is missing.
    let soon = [("x-affiant-respond", "committed"), ("x-affiant-timeout-ms", "50")];
    for path in ["/app/records/1", "/app/records/none"] {
        let answer = client.request("GET", path, &soon, b"");
        assert_eq!(answer.status, 202, "{path}");
        assert!(!answer.text().contains("early"));
    }
    // As soon as the disk has it, waiting ends.
    let waiting = std::thread::spawn(move || {
        let answer = client.post("/app/durable/3", b"waits");
        (answer, client)
    });
    while runtime.node().metrics().waiters == 0 {
        std::thread::yield_now();
    }
    disk.shut(false);
    let (answer, mut client) = waiting.join().unwrap();
    assert_eq!(answer.status, 200);
    let status = client.get(&format!("/app/tx?transaction_id={txid}")).json();
    assert_eq!(status["status"], "Committed");
    let answer =
        client.request("GET", "/app/records/1", &[("x-affiant-respond", "committed")], b"");
    assert_eq!((answer.status, answer.text()), (200, "early"));
    assert_serves(&runtime);
}

#[test]
fn a_broken_disk_ends_writing_and_nothing_else() {
    let disk = Gated::new();
    let runtime = start(&disk);
    let mut client = Client::new(&runtime);
    assert_eq!(client.post("/app/durable/1", b"kept").status, 200);
    disk.broken.store(true, Ordering::Relaxed);
    let answer = client.post("/app/durable/2", b"lost");
    assert_eq!((answer.status, answer.txid()), (503, None));
    assert_eq!(answer.code(), "TransactionReplicationFailed");
    let answer = client.post("/app/records/3", b"refused");
    assert_eq!((answer.status, answer.code().as_str()), (503, "TransactionReplicationFailed"));
    assert!(!answer.text().contains("on purpose"), "the log has the cause, the client does not");
    assert_eq!(client.get("/app/records/1").text(), "kept");
    assert_eq!(client.get("/node/state").status, 200);
    assert_serves(&runtime);
    assert!(runtime.stop().is_err(), "stopping says that the node had failed");
}
