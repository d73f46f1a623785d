//! A node in a test: the replica driven by hand, on a disk in memory, with real keys.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of this")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

pub mod keys;

use std::sync::Arc;

use affiant_kv::{
    CommitOutcome, Committer, Disk, DiskBatch, DiskOp, Effects, Event, KvError, LedgerReader,
    MapName, MemDisk, Recovered, Replica, ReplicaConfig, SealedQueue, SignedRoot, Store, Tx,
};
use affiant_proof::TxId;
pub use keys::Keys;

pub struct Node {
    pub config: ReplicaConfig,
    pub disk: MemDisk,
    pub keys: Keys,
    pub committer: Committer,
    pub replica: Replica,
    pub now_ms: u64,
    /// Every signature that was reported as committed.
    pub committed: Vec<Arc<SignedRoot>>,
    /// The last seqno that was reported as durable.
    pub durable: u64,
    pub poisoned: Option<String>,
    /// Batches that were handed out and not yet performed.
    pub pending: Vec<DiskBatch>,
    /// Every operation performed, and what was reported as durable before it.
    pub log: Vec<(DiskOp, u64)>,
}

impl Node {
    pub fn create(config: ReplicaConfig) -> Self {
        Self::create_on(config, MemDisk::new(), Keys::new())
    }

    /// A new service, opened as a real one is: service and node are in the first entry.
    pub fn create_on(config: ReplicaConfig, disk: MemDisk, keys: Keys) -> Self {
        let (store, queue) = (Store::new(), Arc::new(SealedQueue::default()));
        let (replica, effects) = Replica::create(
            config.clone(),
            store.clone(),
            queue.clone(),
            keys.sealer(),
            keys.signer(),
        )
        .unwrap();
        let committer = Committer::new(store, keys.sealer(), queue);
        let mut node = Self::assemble(config, disk, keys, committer, replica);
        node.start(effects);
        let (service, node_id, certificate) =
            (node.keys.service_pem(), node.keys.node_id(), node.keys.node_pem());
        node.commit(|tx| {
            let info = format!(r#"{{"cert":{service:?},"status":"Open"}}"#);
            put(tx, "public:ccf.gov.service.info", &[0; 8], info.as_bytes());
            put(tx, "public:ccf.gov.nodes.info", node_id.as_bytes(), br#"{"status":"Trusted"}"#);
            let table = "public:ccf.gov.nodes.endorsed_certificates";
            put(tx, table, node_id.as_bytes(), certificate.as_bytes());
        });
        node.settle();
        node
    }

    /// A restart on what the disk holds.
    pub fn recover(
        config: ReplicaConfig,
        mut disk: MemDisk,
        keys: Keys,
    ) -> Result<(Self, Recovered), KvError> {
        let (store, queue) = (Store::new(), Arc::new(SealedQueue::default()));
        let (replica, effects, recovered) = Replica::recover(
            config.clone(),
            &mut disk,
            store.clone(),
            queue.clone(),
            keys.sealer(),
            keys.signer(),
            &mut |done, all| assert!(done <= all),
        )?;
        let committer = Committer::new(store, keys.sealer(), queue);
        let mut node = Self::assemble(config, disk, keys, committer, replica);
        node.start(effects);
        Ok((node, recovered))
    }

    fn assemble(
        config: ReplicaConfig,
        disk: MemDisk,
        keys: Keys,
        committer: Committer,
        replica: Replica,
    ) -> Self {
        let durable = committer.store().committed().seqno;
        Self {
            config,
            disk,
            keys,
            committer,
            replica,
            now_ms: 0,
            committed: Vec::new(),
            durable,
            poisoned: None,
            pending: Vec::new(),
            log: Vec::new(),
        }
    }

    fn start(&mut self, effects: Effects) {
        self.take(effects);
        self.tick(1);
        self.settle();
    }

    pub fn store(&self) -> &Arc<Store> {
        self.committer.store()
    }

    /// Commits one transaction; it must not conflict.
    pub fn commit(&mut self, act: impl FnOnce(&mut Tx)) -> TxId {
        let mut tx = self.committer.begin();
        act(&mut tx);
        match self.committer.commit(tx) {
            CommitOutcome::Sequenced(txid) => txid,
            other => panic!("not sequenced: {other:?}"),
        }
    }

    pub fn put(&mut self, map: &str, key: &str, value: &str) -> TxId {
        self.commit(|tx| put(tx, map, key.as_bytes(), value.as_bytes()))
    }

    pub fn step(&mut self, event: Event) {
        let mut effects = Effects::default();
        self.replica.step(event, &mut effects);
        self.take(effects);
    }

    fn take(&mut self, effects: Effects) {
        self.pending.extend(effects.disk);
        if let Some(durable) = effects.durable {
            assert!(durable > self.durable, "{durable} is durable, {} was", self.durable);
            self.durable = durable;
        }
        self.committed.extend(effects.committed);
        assert!(self.store().committed().seqno <= self.durable, "what is committed is durable");
        if effects.poisoned.is_some() {
            self.poisoned = effects.poisoned;
        }
    }

    pub fn tick(&mut self, ms: u64) {
        self.now_ms += ms;
        self.step(Event::Tick { now_ms: self.now_ms, unix_s: 1_700_000_000 + self.now_ms / 1000 });
    }

    /// Hands over what is queued.
    pub fn drain(&mut self) {
        let entries = self.committer.queue().drain();
        if !entries.is_empty() {
            self.step(Event::Entries(entries));
        }
    }

    /// Performs the oldest batch; false if there is none.
    pub fn perform_one(&mut self) -> bool {
        if self.pending.is_empty() {
            return false;
        }
        let batch = self.pending.remove(0);
        self.log.extend(batch.ops.iter().map(|op| (op.clone(), self.durable)));
        match batch.perform(&mut self.disk) {
            Ok(()) => self.step(Event::Synced { batch: batch.id }),
            Err(error) => self.step(Event::DiskFailed { batch: batch.id, error }),
        }
        true
    }

    pub fn perform_all(&mut self) {
        while self.perform_one() {}
    }

    /// Brings everything that is sequenced to the commit point.
    pub fn settle(&mut self) {
        for _ in 0..100 {
            self.drain();
            self.step(Event::CommitWanted);
            self.perform_all();
            self.drain();
            if self.poisoned.is_some() || self.replica.is_idle() {
                return;
            }
            self.step(Event::SignNow);
            self.perform_all();
        }
        panic!("the replica does not settle");
    }

    pub fn reader(&self) -> LedgerReader {
        LedgerReader::new(
            Box::new(self.disk.clone()),
            &self.config.ledger_dir,
            self.replica.reader_index(),
            self.keys.sealer(),
        )
    }

    /// A restart on a copy of the disk.
    pub fn restart(&self) -> Result<(Self, Recovered), KvError> {
        Self::recover(self.config.clone(), copy(&self.disk), self.keys.clone())
    }
}

pub fn put(tx: &mut Tx, map: &str, key: &[u8], value: &[u8]) {
    tx.put(&MapName::new(map).unwrap(), key, value).unwrap();
}

pub fn small_chunks() -> ReplicaConfig {
    ReplicaConfig { chunk_bytes: 4_000, ..ReplicaConfig::default() }
}

/// Every file below the root, with its bytes.
pub fn files(disk: &MemDisk) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for dir in ["ledger", "state"] {
        for name in disk.list(dir).unwrap() {
            let path = format!("{dir}/{name}");
            let size = disk.size(&path).unwrap() as usize;
            let bytes = disk.read_at(&path, 0, size).unwrap();
            all.push((path, bytes));
        }
    }
    all
}

pub fn disk_of(files: &[(String, Vec<u8>)]) -> MemDisk {
    let mut disk = MemDisk::new();
    disk.create_dir("ledger").unwrap();
    disk.create_dir("state").unwrap();
    for (path, bytes) in files {
        disk.create(path).unwrap();
        disk.append(path, bytes).unwrap();
    }
    disk
}

/// As [`copy`], of a disk on which directories may be missing still.
pub fn copy_tree(disk: &MemDisk) -> MemDisk {
    let mut copy = MemDisk::new();
    for dir in disk.list("").unwrap() {
        copy.create_dir(&dir).unwrap();
        for name in disk.list(&dir).unwrap() {
            let path = format!("{dir}/{name}");
            let size = disk.size(&path).unwrap() as usize;
            copy.create(&path).unwrap();
            copy.append(&path, &disk.read_at(&path, 0, size).unwrap()).unwrap();
        }
    }
    copy
}

pub fn copy(disk: &MemDisk) -> MemDisk {
    disk_of(&files(disk))
}
