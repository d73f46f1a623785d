//! A running node in this process, with or without an address.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use affiant::hosting::Frontend;
use affiant::node::{Node, ReceiptOutcome};
use affiant::{CommitNotice, Runtime, TxId, TxStatus};
use parking_lot::{MappedRwLockReadGuard, Mutex, RwLock, RwLockReadGuard};

use crate::boundary::{self, outside_callbacks};
use crate::fault::Fault;
use crate::handle::{self, Kind, Opaque};
use crate::limits::{FREE_WAIT_MS_MAX, WAIT_MS_MAX};
use crate::memory::{Out, affiant_slice};
use crate::options::{NativeEndpoint, affiant_options};
use crate::receipt::{Receipt, affiant_receipt};
use crate::snapshot::{SnapshotView, affiant_snapshot};
use crate::status::{
    AFFIANT_BUSY, AFFIANT_CLOSED, AFFIANT_FAILED, AFFIANT_NO_SUCH_TRANSACTION, AFFIANT_NOT_FOUND,
    AFFIANT_TIMEOUT, affiant_status,
};
use crate::tx::{Transaction, affiant_tx};
use crate::txid::{affiant_tx_status, affiant_txid, tx_status};

/// A running node: a ledger, its store, its endpoints and apps. Opened by `affiant_runtime_open`. Any number
/// of threads may use it at once, and a process may have several.
pub struct affiant_runtime {
    _opaque: [u8; 0],
}

impl Opaque for affiant_runtime {
    type Object = Arc<Host>;
    const KIND: Kind = Kind::Runtime;
}

/// The object behind `affiant_runtime`; transactions and snapshots of it hold it too.
pub(crate) struct Host {
    /// Read-locked by every call under way. None once it has stopped.
    runtime: RwLock<Option<Runtime>>,
    closing: AtomicBool,
    node: Arc<Node>,
    addresses: Vec<String>,
    service_certificate: String,
    node_id: String,
    /// Those of the options, held for as long as they can be called.
    endpoints: Mutex<Vec<NativeEndpoint>>,
    /// The apps that were loaded, in order.
    pub(crate) apps: Mutex<Vec<Arc<dyn Frontend>>>,
}

impl Host {
    fn new(runtime: Runtime, endpoints: Vec<NativeEndpoint>) -> Self {
        let node = runtime.node().clone();
        let info = node.info();
        Self {
            addresses: runtime.addresses().iter().map(ToString::to_string).collect(),
            service_certificate: info.service_certificate_pem,
            node_id: info.node_id,
            node,
            runtime: RwLock::new(Some(runtime)),
            closing: AtomicBool::new(false),
            endpoints: Mutex::new(endpoints),
            apps: Mutex::default(),
        }
    }

    /// A call is under way as long as what is returned lives; refused once it stops.
    pub(crate) fn enter(&self) -> Result<MappedRwLockReadGuard<'_, Runtime>, Fault> {
        let closed = || {
            let text = "this runtime has stopped: open another one";
            Fault::new(AFFIANT_CLOSED, text)
        };
        if self.closing.load(Ordering::Acquire) {
            return Err(closed());
        }
        let guard = self.runtime.try_read_recursive().ok_or_else(closed)?;
        RwLockReadGuard::try_map(guard, Option::as_ref).map_err(|_| closed())
    }

    /// The node, also after the runtime has stopped: what was committed can be read.
    pub(crate) fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// Waits for the calls under way, and stops.
    fn stop(&self, patience: Duration) -> Result<(), Fault> {
        self.closing.store(true, Ordering::Release);
        let Some(mut runtime) = self.runtime.try_write_for(patience) else {
            return Err(Fault::new(
                AFFIANT_TIMEOUT,
                "calls with this runtime are still under way; it takes no new ones: wait for them and stop \
                 it again",
            ));
        };
        let stopping = runtime.take();
        drop(runtime);
        let stopped = stopping.map_or(Ok(()), Runtime::stop);
        // Dropped once they are unlocked: that may call the program.
        let apps = core::mem::take(&mut *self.apps.lock());
        let endpoints = core::mem::take(&mut *self.endpoints.lock());
        drop((apps, endpoints));
        Ok(stopped?)
    }

    /// Waits for a transaction's commit.
    pub(crate) fn wait(&self, txid: TxId, patience: Duration) -> Result<(), Fault> {
        match self.node.store().status(txid) {
            TxStatus::Committed => return Ok(()),
            TxStatus::Pending => {}
            TxStatus::Unknown => {
                let text = format!("this ledger has not heard of transaction {txid}");
                return Err(Fault::new(AFFIANT_NO_SUCH_TRANSACTION, text));
            }
            TxStatus::Invalid => {
                let text = format!("transaction {txid} never was: another one has its number");
                return Err(Fault::new(AFFIANT_NO_SUCH_TRANSACTION, text));
            }
        }
        match self.node.wait_committed_for(txid, patience) {
            Some(CommitNotice::Committed { .. }) => Ok(()),
            Some(CommitNotice::Invalid) => {
                let text = format!("transaction {txid} was rolled back before it was committed");
                Err(Fault::new(AFFIANT_NO_SUCH_TRANSACTION, text))
            }
            Some(CommitNotice::Failed(reason)) => Err(Fault::new(AFFIANT_FAILED, reason)),
            None => {
                let ms = patience.as_millis();
                let text =
                    format!("transaction {txid} was not committed within {ms} ms; it may still be");
                Err(Fault::new(AFFIANT_TIMEOUT, text))
            }
        }
    }

    fn receipt(&self, txid: TxId, patience: Duration) -> Result<Receipt, Fault> {
        let deadline = Instant::now() + patience;
        loop {
            match self.node.receipt(txid)? {
                ReceiptOutcome::Ready(parts) => return Receipt::new(txid, &parts),
                _ => self.wait(txid, deadline.saturating_duration_since(Instant::now()))?,
            }
        }
    }
}

/// A time that a program is ready to wait.
pub(crate) fn patience(timeout_ms: u64) -> Duration {
    Duration::from_millis(timeout_ms.min(WAIT_MS_MAX))
}

/// Starts a node as the options say: a new service, or the one whose data is in their directory. Returns once
/// it is ready. The options stay the program's, and have the text of a failure: `AFFIANT_IN_USE`,
/// `AFFIANT_CORRUPT`, `AFFIANT_STORAGE`, `AFFIANT_INVALID_ARGUMENT`, `AFFIANT_FORKED` where this process was
/// forked while a runtime was open. To be freed with `affiant_runtime_free`.
///
/// # Safety
/// `runtime` leads to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_runtime_open(
    options: *const affiant_options,
    runtime: *mut *mut affiant_runtime,
) -> affiant_status {
    // SAFETY: as promised to this function.
    let out = unsafe { Out::handle(runtime, "runtime") };
    boundary::shared(options, |options| {
        let out = out?;
        let started = options.builder()?.start()?;
        out.write(handle::insert(Arc::new(Host::new(started, options.endpoints.clone())))?);
        Ok(())
    })
}

/// Takes no new calls and requests, waits up to `timeout_ms` for those under way, signs and syncs what there
/// is, and ends every thread. Calls that come later: `AFFIANT_CLOSED`; snapshots and receipts stay readable.
/// A second call does nothing. `AFFIANT_TIMEOUT` if calls remain under way: nothing new is taken, call it
/// again. `AFFIANT_REENTRANT` from inside a callback.
#[unsafe(no_mangle)]
pub extern "C" fn affiant_runtime_stop(
    runtime: *const affiant_runtime,
    timeout_ms: u64,
) -> affiant_status {
    boundary::shared(runtime, |host| {
        outside_callbacks("affiant_runtime_stop")?;
        host.stop(patience(timeout_ms))
    })
}

/// Stops a runtime if that was not done, and frees it. What belongs to it (transactions, snapshots, receipts)
/// is freed by itself, before or after. NULL is allowed. `AFFIANT_BUSY` while other threads are in calls with
/// it, `AFFIANT_REENTRANT` from inside a callback: it is not freed then.
#[unsafe(no_mangle)]
pub extern "C" fn affiant_runtime_free(runtime: *mut affiant_runtime) -> affiant_status {
    boundary::free_if(runtime, |host| {
        outside_callbacks("affiant_runtime_free")?;
        match host.stop(Duration::from_millis(FREE_WAIT_MS_MAX)) {
            Err(fault) if fault.status == AFFIANT_TIMEOUT => {
                Err(Fault { status: AFFIANT_BUSY, ..fault })
            }
            // That a node had failed before was to be heard from it, not from its end.
            _ => Ok(()),
        }
    })
}

/// Where it listens: "127.0.0.1:41234", by position from 0. `AFFIANT_NOT_FOUND` beyond the last. The view lives as
/// long as the runtime.
///
/// # Safety
/// `address` leads to room for an `affiant_slice`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_runtime_address(
    runtime: *const affiant_runtime,
    index: usize,
    address: *mut affiant_slice,
) -> affiant_status {
    boundary::shared(runtime, |host| {
        // SAFETY: as promised to this function.
        let out = unsafe { Out::new(address, "address")? };
        let found = host.addresses.get(index).ok_or_else(|| {
            let count = host.addresses.len();
            let text = format!("this runtime listens at {count} addresses; {index} is beyond them");
            Fault::new(AFFIANT_NOT_FOUND, text)
        })?;
        out.write(affiant_slice::of(found.as_bytes()));
        Ok(())
    })
}

/// The service's certificate, PEM: what receipts and TLS connections are checked against. The view lives as
/// long as the runtime.
///
/// # Safety
/// `pem` leads to room for an `affiant_slice`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_runtime_service_certificate(
    runtime: *const affiant_runtime,
    pem: *mut affiant_slice,
) -> affiant_status {
    boundary::shared(runtime, |host| {
        // SAFETY: as promised to this function.
        let out = unsafe { Out::new(pem, "pem")? };
        out.write(affiant_slice::of(host.service_certificate.as_bytes()));
        Ok(())
    })
}

/// The node's id: the SHA-256 of its public key, in hex. The view lives as long as the runtime.
///
/// # Safety
/// `id` leads to room for an `affiant_slice`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_runtime_node_id(
    runtime: *const affiant_runtime,
    id: *mut affiant_slice,
) -> affiant_status {
    boundary::shared(runtime, |host| {
        // SAFETY: as promised to this function.
        let out = unsafe { Out::new(id, "id")? };
        out.write(affiant_slice::of(host.node_id.as_bytes()));
        Ok(())
    })
}

/// The newest transaction, committed or not.
///
/// # Safety
/// `txid` leads to room for an `affiant_txid`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_runtime_last(
    runtime: *const affiant_runtime,
    txid: *mut affiant_txid,
) -> affiant_status {
    boundary::shared(runtime, |host| {
        // SAFETY: as promised to this function.
        let out = unsafe { Out::new(txid, "txid")? };
        out.write(host.node.store().last().into());
        Ok(())
    })
}

/// The newest committed transaction: it and all before it are on disk and signed.
///
/// # Safety
/// `txid` leads to room for an `affiant_txid`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_runtime_committed(
    runtime: *const affiant_runtime,
    txid: *mut affiant_txid,
) -> affiant_status {
    boundary::shared(runtime, |host| {
        // SAFETY: as promised to this function.
        let out = unsafe { Out::new(txid, "txid")? };
        out.write(host.node.store().committed().into());
        Ok(())
    })
}

/// What is known of a transaction.
///
/// # Safety
/// `status` leads to room for an `affiant_tx_status`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_runtime_tx_status(
    runtime: *const affiant_runtime,
    txid: affiant_txid,
    status: *mut affiant_tx_status,
) -> affiant_status {
    boundary::shared(runtime, |host| {
        // SAFETY: as promised to this function.
        let out = unsafe { Out::new(status, "status")? };
        out.write(tx_status(host.node.store().status(txid.into())));
        Ok(())
    })
}

/// The id of the transaction with that seqno. `AFFIANT_NO_SUCH_TRANSACTION` if the ledger is not that long.
///
/// # Safety
/// `txid` leads to room for an `affiant_txid`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_runtime_txid_at(
    runtime: *const affiant_runtime,
    seqno: u64,
    txid: *mut affiant_txid,
) -> affiant_status {
    boundary::shared(runtime, |host| {
        // SAFETY: as promised to this function.
        let out = unsafe { Out::new(txid, "txid")? };
        let view = host.node.store().view_of(seqno).ok_or_else(|| {
            let last = host.node.store().last();
            let text = format!("there is no transaction with seqno {seqno}; the newest is {last}");
            Fault::new(AFFIANT_NO_SUCH_TRANSACTION, text)
        })?;
        out.write(affiant_txid { view, seqno });
        Ok(())
    })
}

/// Waits up to `timeout_ms` until a transaction is committed. `AFFIANT_TIMEOUT`;
/// `AFFIANT_NO_SUCH_TRANSACTION`.
#[unsafe(no_mangle)]
pub extern "C" fn affiant_runtime_wait(
    runtime: *const affiant_runtime,
    txid: affiant_txid,
    timeout_ms: u64,
) -> affiant_status {
    boundary::shared(runtime, |host| {
        let _under_way = host.enter()?;
        host.wait(txid.into(), patience(timeout_ms))
    })
}

/// Waits up to `timeout_ms` until everything is committed that is there now. `last`, which may be NULL: the
/// newest of it.
///
/// # Safety
/// `last` is NULL or leads to room for an `affiant_txid`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_runtime_sync(
    runtime: *const affiant_runtime,
    timeout_ms: u64,
    last: *mut affiant_txid,
) -> affiant_status {
    boundary::shared(runtime, |host| {
        // SAFETY: as promised to this function.
        let out = unsafe { Out::optional(last, "last")? };
        let _under_way = host.enter()?;
        let newest = host.node.store().last();
        host.wait(newest, patience(timeout_ms))?;
        if let Some(out) = out {
            out.write(newest.into());
        }
        Ok(())
    })
}

/// The receipt of a transaction, for whose commit it waits up to `timeout_ms`. `AFFIANT_TIMEOUT`;
/// `AFFIANT_NO_SUCH_TRANSACTION`. To be freed with `affiant_receipt_free`.
///
/// # Safety
/// `receipt` leads to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_runtime_receipt(
    runtime: *const affiant_runtime,
    txid: affiant_txid,
    timeout_ms: u64,
    receipt: *mut *mut affiant_receipt,
) -> affiant_status {
    // SAFETY: as promised to this function.
    let out = unsafe { Out::handle(receipt, "receipt") };
    boundary::shared(runtime, |host| {
        let out = out?;
        let _under_way = host.enter()?;
        out.write(handle::insert(host.receipt(txid.into(), patience(timeout_ms))?)?);
        Ok(())
    })
}

/// The newest state, which stays as it is however the ledger goes on. To be freed with
/// `affiant_snapshot_free`.
///
/// # Safety
/// `snapshot` leads to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_runtime_snapshot(
    runtime: *const affiant_runtime,
    snapshot: *mut *mut affiant_snapshot,
) -> affiant_status {
    // SAFETY: as promised to this function.
    let out = unsafe { Out::handle(snapshot, "snapshot") };
    boundary::shared(runtime, |host| {
        let out = out?;
        let _under_way = host.enter()?;
        out.write(handle::insert(SnapshotView::new(host.node.snapshot()))?);
        Ok(())
    })
}

/// Begins a transaction: it sees one state of the ledger, and its own writes. Nothing of it is kept unless it
/// is committed. To be freed with `affiant_tx_free`.
///
/// # Safety
/// `tx` leads to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_tx_begin(
    runtime: *const affiant_runtime,
    tx: *mut *mut affiant_tx,
) -> affiant_status {
    // SAFETY: as promised to this function.
    let out = unsafe { Out::handle(tx, "tx") };
    boundary::shared(runtime, |host| {
        let out = out?;
        let _under_way = host.enter()?;
        out.write(handle::insert(Transaction::begin(host))?);
        Ok(())
    })
}
