//! A node: the store, the replica behind it, the keys, and who waits for what.
//!
//! A node serves no requests by itself; [`crate::Runtime`] puts HTTP and applications in front of it.
//!
//! ```
//! use affiant::node::{Node, NodeSettings, NodeState};
//!
//! let settings = NodeSettings { chunk_bytes: 1 << 20, ..NodeSettings::in_memory() };
//! let node = Node::start(settings)?;
//! assert_eq!(node.info().state, NodeState::PartOfNetwork);
//! node.shutdown()?;
//! # Ok::<(), affiant::RuntimeError>(())
//! ```

mod governing;
mod identity;
mod info;
pub(crate) mod join_policy;
mod lock;
pub(crate) mod quote;
mod sealed;
mod settings;
mod start;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use affiant_attest::Attestation;
use affiant_kv::{
    CommitOutcome, Committer, LedgerReader, ReceiptParts, Snapshot, Store, Tx, TxStatus,
};
use affiant_proof::TxId;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::attestation::NodeAttestor;
use crate::core::{CommitNotice, Core, DurableNotice, Message, Reply, WaitFor, Wake, gone};
use crate::error::{RuntimeError, RuntimeResult};
use crate::historical::HistoricalCache;
use crate::tables::{self, ServiceInfo, ServiceStatus};
use identity::NodeIdentity;
use lock::DirectoryLock;

pub use info::{NodeInfo, NodeMetrics, NodeState, TlsIdentity};
pub use join_policy::{JoinPolicy, JoinRefusal};
pub use sealed::{InsecureFileKey, SealingKey, VolatileKey};
pub use settings::{
    NewMember, NewUser, NodeSettings, OpenDisk, ServiceSettings, StartMode, Storage,
};

/// What became of a request for a receipt.
#[derive(Clone, Debug)]
pub enum ReceiptOutcome {
    /// The transaction is committed; see [`crate::hosting::receipt_json`] and
    /// [`crate::hosting::receipt_cose`].
    Ready(Arc<ReceiptParts>),
    /// Not committed yet.
    Pending,
    /// This node has not heard of it.
    Unknown,
    /// It never was: another transaction has or will have that seqno.
    Invalid,
}

struct Running {
    process: u32,
    node: Weak<Node>,
}

static RUNNING: Mutex<Vec<Running>> = Mutex::new(Vec::new());

/// A running node.
pub struct Node {
    settings: NodeSettings,
    identity: NodeIdentity,
    committer: Committer,
    core: Core,
    reader: Mutex<LedgerReader>,
    historical: Arc<HistoricalCache>,
    attestor: Arc<NodeAttestor>,
    /// Bound to the node's key, made when it started.
    evidence: Attestation,
    startup_seqno: u64,
    stop_notice: AtomicBool,
    /// Freed when nothing is written any more.
    lock: Mutex<Option<DirectoryLock>>,
}

impl Node {
    /// Starts a node: a new service or an existing one, as the settings say. Returns once the
    /// service's first transactions are synced, or its data are verified and its next view is open.
    ///
    /// # Errors
    /// As [`RuntimeError`] says; nothing is overwritten. Also where this process was forked off from
    /// one in which a node ran: the threads that then waited for locks are not here, the locks are.
    pub fn start(settings: NodeSettings) -> RuntimeResult<Arc<Self>> {
        let process = std::process::id();
        let inherited = |known: &Running| known.process != process && known.node.strong_count() > 0;
        if let Some(other) = RUNNING.lock().iter().find(|known| inherited(known)) {
            let reason = format!(
                "this process ({process}) was forked from process {} while a ledger was open there; fork \
                 before a ledger is opened, or start processes afresh (in Python the start method \
                 \"spawn\" or \"forkserver\")",
                other.process
            );
            return Err(RuntimeError::Host { reason });
        }
        let node = start::start(settings).map(Arc::new)?;
        let mut running = RUNNING.lock();
        running.retain(|known| known.node.strong_count() > 0);
        running.push(Running { process, node: Arc::downgrade(&node) });
        Ok(node)
    }

    /// The nodes that this process has started and that have not stopped: for code that nobody hands
    /// one to, such as the background jobs of an app.
    #[must_use]
    pub fn running() -> Vec<Arc<Self>> {
        let process = std::process::id();
        let running = RUNNING.lock();
        // In a process that was forked off, a node is a copy without its threads.
        let own = running.iter().filter(|known| known.process == process);
        let nodes: Vec<_> = own.filter_map(|known| known.node.upgrade()).collect();
        drop(running);
        nodes.into_iter().filter(|node| node.failed().is_none()).collect()
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Arc<Store> {
        self.committer.store()
    }

    /// What commits transactions.
    #[must_use]
    pub fn committer(&self) -> &Committer {
        &self.committer
    }

    /// Starts a transaction.
    #[must_use]
    pub fn begin(&self) -> Tx {
        self.committer.begin()
    }

    /// Sequences, seals and queues a transaction; it is durable once its commit is notified.
    #[must_use]
    pub fn commit(&self, tx: Tx) -> CommitOutcome {
        self.committer.commit(tx)
    }

    /// Asks to hear of a transaction's commit, and makes the node hurry. With `want_receipt` the
    /// notice brings the receipt, unless the transaction was committed already.
    #[must_use]
    pub fn wait_committed(
        &self,
        txid: TxId,
        want_receipt: bool,
    ) -> oneshot::Receiver<CommitNotice> {
        let (sender, receiver) = oneshot::channel();
        let (wait_for, reply) = (WaitFor::Committed { receipt: want_receipt }, Reply::Task(sender));
        let shared = &self.core.shared;
        if shared.waiters.register(self.store(), txid, wait_for, reply) != Wake::No {
            shared.hurry();
        }
        receiver
    }

    /// Waits for a transaction's commit on this thread, which meanwhile does the node's own work where
    /// it would only wait for that.
    #[must_use]
    pub fn wait_committed_blocking(&self, txid: TxId) -> CommitNotice {
        self.core.wait(txid, WaitFor::Committed { receipt: false }, None).unwrap_or_else(gone)
    }

    /// As [`Self::wait_committed_blocking`], for as long as `patience`; `None` if nothing was heard by
    /// then. With a patience of a second or more, a disk that hangs may hold the thread up for longer.
    #[must_use]
    pub fn wait_committed_for(&self, txid: TxId, patience: Duration) -> Option<CommitNotice> {
        self.core.wait(txid, WaitFor::Committed { receipt: false }, Some(patience))
    }

    /// Waits on this thread until a transaction is durable: synced to the disk, so that no crash and no
    /// loss of power takes it back. It is not committed by that: the signature, which others can check,
    /// follows within [`NodeSettings::signature_delay_ms`], or as soon as anybody waits for commit. It
    /// is what databases call a commit, and costs one sync and no signature.
    #[must_use]
    pub fn wait_durable_blocking(&self, txid: TxId) -> DurableNotice {
        self.core.wait(txid, WaitFor::Durable, None).unwrap_or_else(gone).into()
    }

    /// As [`Self::wait_durable_blocking`], for as long as `patience`, as [`Self::wait_committed_for`].
    #[must_use]
    pub fn wait_durable_for(&self, txid: TxId, patience: Duration) -> Option<DurableNotice> {
        self.core.wait(txid, WaitFor::Durable, Some(patience)).map(DurableNotice::from)
    }

    /// The receipt of a transaction. Reads files: not for threads that must not block.
    ///
    /// # Errors
    /// The ledger cannot be read or is damaged.
    pub fn receipt(&self, txid: TxId) -> RuntimeResult<ReceiptOutcome> {
        match self.store().status(txid) {
            TxStatus::Committed => {}
            TxStatus::Pending => return Ok(ReceiptOutcome::Pending),
            TxStatus::Unknown => return Ok(ReceiptOutcome::Unknown),
            TxStatus::Invalid => return Ok(ReceiptOutcome::Invalid),
        }
        let parts = self.reader.lock().receipt(txid.seqno)?;
        Ok(parts.map_or(ReceiptOutcome::Pending, |parts| ReceiptOutcome::Ready(Arc::new(parts))))
    }

    /// The bytes of a committed ledger entry. Reads files.
    ///
    /// # Errors
    /// The ledger cannot be read or is damaged.
    pub fn ledger_entry(&self, seqno: u64) -> RuntimeResult<Option<Vec<u8>>> {
        Ok(self.reader.lock().entry(seqno)?)
    }

    /// Past transactions, loaded in the background and verified.
    #[must_use]
    pub fn historical(&self) -> &Arc<HistoricalCache> {
        &self.historical
    }

    /// The newest state.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.store().snapshot()
    }

    /// The service's row.
    #[must_use]
    pub fn service(&self) -> Option<ServiceInfo> {
        tables::read_single(&self.snapshot(), &tables::SERVICE_INFO)
    }

    /// The service's status, if there is a service yet.
    #[must_use]
    pub fn service_status(&self) -> Option<ServiceStatus> {
        self.service().map(|service| service.status)
    }

    /// Whether users are served.
    #[must_use]
    pub fn service_open(&self) -> bool {
        self.service_status() == Some(ServiceStatus::Open)
    }

    /// Opens the service to its users, as an accepted proposal does: recovery shares are issued, the
    /// status changes. To be committed with the transaction.
    ///
    /// # Errors
    /// There is no service, or a member's encryption key cannot be used.
    pub fn open_service(&self, tx: &mut Tx) -> RuntimeResult<()> {
        let unix_s = crate::clock::unix_seconds();
        crate::genesis::open_service(tx, &self.identity.service_key, self.latest_secret()?, unix_s)
    }

    /// Ends the current ledger chunk with a signature, soon.
    pub fn end_chunk(&self) {
        self.core.shared.post(Message::EndChunk);
    }

    /// Signs what there is, whether or not somebody waits.
    pub fn sign_now(&self) {
        self.core.shared.post(Message::SignNow);
    }

    /// Says in `/node/state` that the node is about to stop.
    pub fn set_stop_notice(&self) {
        self.stop_notice.store(true, Ordering::Release);
    }

    /// Why the node accepts nothing more, if so.
    #[must_use]
    pub fn failed(&self) -> Option<String> {
        self.core.shared.waiters.failed()
    }

    /// In a process that was forked off from the one in which this node runs: leaves the lock on the
    /// directory to that one, which could not free it otherwise.
    pub fn leave_lock(&self) {
        // One who held it in the other process is not here to give it back.
        if let Some(mut lock) = self.lock.try_lock()
            && let Some(lock) = &mut *lock
        {
            lock.leave();
        }
    }

    /// Signs and syncs everything, then stops; every waiter hears. To be called once nothing writes
    /// any more: what is sequenced meanwhile may be lost.
    ///
    /// # Errors
    /// The node had failed before.
    pub fn shutdown(&self) -> RuntimeResult<()> {
        let failed = self.failed();
        self.historical.stop();
        self.core.stop();
        self.lock.lock().take();
        match failed {
            Some(reason) => Err(RuntimeError::Stopped { reason }),
            None => Ok(()),
        }
    }
}

impl Drop for Node {
    /// Without [`Node::shutdown`] this is as a power failure: what was committed stays, and nothing
    /// more is written.
    fn drop(&mut self) {
        self.historical.stop();
        self.core.abandon();
    }
}
