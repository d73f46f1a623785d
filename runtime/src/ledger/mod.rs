//! The ledger as a library: transactions that the embedding host begins and ends itself, waiting for
//! their commit, and their receipts.

mod error;
mod receipt;

use std::time::{Duration, Instant};

use affiant_kv::{Snapshot, Tx, TxStatus};
use affiant_proof::TxId;

pub use error::LedgerError;
pub use receipt::Receipt;

use crate::core::DurableNotice;
use crate::crypto::random_bytes;
use crate::limits::{RUN_ATTEMPTS_MAX, RUN_BACKOFF_US_MAX, RUN_BACKOFF_US_MIN, RUN_WAIT_MS_MAX};
use crate::node::ReceiptOutcome;
use crate::runtime::Runtime;

impl Runtime {
    /// Begins a transaction: one state of the ledger, and its own writes. Dropped, it leaves no trace.
    ///
    /// ```
    /// # use affiant::{MapName, Runtime};
    /// # let runtime = Runtime::builder().in_memory().start()?;
    /// let accounts = MapName::new("accounts")?;
    /// let mut tx = runtime.begin();
    /// tx.put(&accounts, b"alice", b"10")?;
    /// assert_eq!(tx.get(&accounts, b"alice").as_deref(), Some(&b"10"[..]));
    /// drop(tx);
    /// assert!(!runtime.begin().has(&accounts, b"alice"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn begin(&self) -> Tx {
        self.node().begin()
    }

    /// Gives a transaction its number, so that those who begin now see it. It is not on disk yet: wait
    /// for it, or for several at once with [`Self::sync`]. Returns its id; that of the state it read if
    /// it wrote nothing.
    ///
    /// # Errors
    /// A conflict, too much that waits, or the node accepts nothing more; nothing of it was kept.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use affiant::{MapName, Runtime};
    /// # let runtime = Runtime::builder().in_memory().start()?;
    /// let log = MapName::new("log")?;
    /// for line in ["one", "two", "three"] {
    ///     let mut tx = runtime.begin();
    ///     tx.put(&log, line.as_bytes(), b"")?;
    ///     runtime.commit(tx)?;
    /// }
    /// runtime.sync(Duration::from_secs(10))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn commit(&self, tx: Tx) -> Result<TxId, LedgerError> {
        self.sequence(tx).map(|(txid, _)| txid)
    }

    /// As [`Self::commit`], and waits until the transaction is final: on disk and signed. What only read
    /// waits for what it read.
    ///
    /// # Errors
    /// As [`Self::commit`]; or the wait fails, as in [`Self::wait`]: a timeout names the transaction,
    /// which may still be committed.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use affiant::{MapName, Runtime, TxStatus};
    /// # let runtime = Runtime::builder().in_memory().start()?;
    /// let mut tx = runtime.begin();
    /// tx.put(&MapName::new("accounts")?, b"alice", b"10")?;
    /// let txid = runtime.commit_and_wait(tx, Duration::from_secs(10))?;
    /// assert_eq!(runtime.status(txid), TxStatus::Committed);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn commit_and_wait(&self, tx: Tx, timeout: Duration) -> Result<TxId, LedgerError> {
        let (txid, wrote) = self.sequence(tx)?;
        // What was read may be somebody's who still waits.
        if wrote || txid.seqno > self.committed().seqno {
            self.wait(txid, timeout)?;
        }
        Ok(txid)
    }

    /// Calls `work` with a transaction, commits it and waits until it is final, for a minute at most.
    /// When it conflicts the work is called again with a fresh one, up to 100 times, after pauses that
    /// grow to 50 ms; so what it does outside of the transaction may be done several times. Returns what
    /// the work returned, and the transaction's id. Where the work gives up, nothing is kept.
    ///
    /// # Errors
    /// What the work gives up with; a conflict each time; otherwise as [`Self::commit_and_wait`].
    ///
    /// ```
    /// # use affiant::{LedgerError, MapName, Runtime};
    /// # let runtime = Runtime::builder().in_memory().start()?;
    /// let counters = MapName::new("counters")?;
    /// let (visits, txid) = runtime.run(|tx| {
    ///     let before = tx.get(&counters, b"visits").map_or(0, |value| value[0]);
    ///     let visits = before.checked_add(1).ok_or_else(|| LedgerError::aborted("too many visits"))?;
    ///     tx.put(&counters, b"visits", &[visits])?;
    ///     Ok(visits)
    /// })?;
    /// assert_eq!(visits, 1);
    /// println!("{txid} is on disk");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn run<T>(
        &self,
        mut work: impl FnMut(&mut Tx) -> Result<T, LedgerError>,
    ) -> Result<(T, TxId), LedgerError> {
        let wait = Duration::from_millis(RUN_WAIT_MS_MAX);
        for attempt in 0..RUN_ATTEMPTS_MAX {
            let mut tx = self.begin();
            let result = work(&mut tx)?;
            match self.commit_and_wait(tx, wait) {
                Ok(txid) => return Ok((result, txid)),
                Err(LedgerError::Conflict) => pause(attempt),
                Err(other) => return Err(other),
            }
        }
        Err(LedgerError::Conflict)
    }

    /// The newest state, whether or not it is committed yet: reading it takes no lock.
    ///
    /// ```
    /// # use affiant::{MapName, Runtime};
    /// # let runtime = Runtime::builder().in_memory().start()?;
    /// let accounts = MapName::new("accounts")?;
    /// runtime.run(|tx| Ok(tx.put(&accounts, b"alice", b"10")?))?;
    /// let snapshot = runtime.snapshot();
    /// runtime.run(|tx| Ok(tx.put(&accounts, b"alice", b"20")?))?;
    /// assert_eq!(snapshot.get("accounts", b"alice").as_deref(), Some(&b"10"[..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.node().snapshot()
    }

    /// What became of a transaction.
    ///
    /// ```
    /// # use affiant::{Runtime, TxId, TxStatus};
    /// # let runtime = Runtime::builder().in_memory().start()?;
    /// assert_eq!(runtime.status(runtime.committed()), TxStatus::Committed);
    /// assert_eq!(runtime.status(TxId::new(2, 1_000_000)), TxStatus::Unknown);
    /// # Ok::<(), affiant::RuntimeError>(())
    /// ```
    #[must_use]
    pub fn status(&self, txid: TxId) -> TxStatus {
        self.node().store().status(txid)
    }

    /// The id of the newest transaction.
    ///
    /// ```
    /// # use affiant::Runtime;
    /// # let runtime = Runtime::builder().in_memory().start()?;
    /// assert!(runtime.last().seqno >= runtime.committed().seqno);
    /// # Ok::<(), affiant::RuntimeError>(())
    /// ```
    #[must_use]
    pub fn last(&self) -> TxId {
        self.node().store().last()
    }

    /// The id of the newest transaction that is final.
    ///
    /// ```
    /// # use affiant::Runtime;
    /// # let runtime = Runtime::builder().in_memory().start()?;
    /// assert_eq!(runtime.committed().view, 2, "of a new service");
    /// # Ok::<(), affiant::RuntimeError>(())
    /// ```
    #[must_use]
    pub fn committed(&self) -> TxId {
        self.node().store().committed()
    }

    /// Waits until a transaction is final, and makes the node hurry.
    ///
    /// # Errors
    /// It is not in time, but may come to be; it was rolled back; or the node has failed.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use affiant::{LedgerError, MapName, Runtime, TxId};
    /// # let runtime = Runtime::builder().in_memory().start()?;
    /// let mut tx = runtime.begin();
    /// tx.put(&MapName::new("accounts")?, b"alice", b"10")?;
    /// let txid = runtime.commit(tx)?;
    /// runtime.wait(txid, Duration::from_secs(10))?;
    ///
    /// let never = runtime.wait(TxId::new(2, 1_000_000), Duration::from_millis(1));
    /// assert!(matches!(never, Err(LedgerError::Timeout { .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait(&self, txid: TxId, timeout: Duration) -> Result<(), LedgerError> {
        LedgerError::of_wait(txid, timeout, self.node().wait_committed_for(txid, timeout))
    }

    /// Waits until a transaction is durable: on disk, so that no crash and no loss of power takes it back,
    /// which is what databases call a commit. It costs one sync and no signature; that follows within
    /// [`crate::RuntimeBuilder::signature_delay`], and with it the receipt.
    ///
    /// # Errors
    /// As [`Self::wait`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use affiant::{MapName, Runtime};
    /// # let runtime = Runtime::builder().in_memory().start()?;
    /// let mut tx = runtime.begin();
    /// tx.put(&MapName::new("accounts")?, b"alice", b"10")?;
    /// let txid = runtime.commit(tx)?;
    /// runtime.wait_durable(txid, Duration::from_secs(10))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait_durable(&self, txid: TxId, timeout: Duration) -> Result<(), LedgerError> {
        match self.node().wait_durable_for(txid, timeout) {
            Some(DurableNotice::Durable) => Ok(()),
            Some(DurableNotice::Invalid) => Err(LedgerError::Invalid { txid }),
            Some(DurableNotice::Failed(reason)) => Err(LedgerError::Closed { reason }),
            None => Err(LedgerError::Timeout { txid, waited: timeout }),
        }
    }

    /// Waits until everything that has a number by now is final; the newest of it.
    ///
    /// # Errors
    /// As [`Self::wait`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use affiant::{MapName, Runtime};
    /// # let runtime = Runtime::builder().in_memory().start()?;
    /// let mut tx = runtime.begin();
    /// tx.put(&MapName::new("accounts")?, b"alice", b"10")?;
    /// let txid = runtime.commit(tx)?;
    /// assert!(runtime.sync(Duration::from_secs(10))?.seqno >= txid.seqno);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn sync(&self, timeout: Duration) -> Result<TxId, LedgerError> {
        let last = self.last();
        self.wait(last, timeout)?;
        Ok(last)
    }

    /// The proof of a transaction, for those who do not trust this process. Waits for its commit. Reads
    /// files.
    ///
    /// # Errors
    /// There is no such transaction, the wait fails as in [`Self::wait`], or the ledger cannot be read.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use affiant::{MapName, Runtime};
    /// # let runtime = Runtime::builder().in_memory().start()?;
    /// let (_, txid) = runtime.run(|tx| Ok(tx.put(&MapName::new("accounts")?, b"alice", b"10")?))?;
    /// let receipt = runtime.receipt(txid, Duration::from_secs(10))?;
    /// assert!(receipt.verify(&runtime.service_certificate())?.is_valid());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn receipt(&self, txid: TxId, timeout: Duration) -> Result<Receipt, LedgerError> {
        let started = Instant::now();
        let mut last_try = false;
        loop {
            match self.node().receipt(txid)? {
                ReceiptOutcome::Ready(parts) => return Ok(Receipt::of(txid, &parts)?),
                ReceiptOutcome::Pending if last_try => {
                    return Err(LedgerError::Timeout { txid, waited: timeout });
                }
                ReceiptOutcome::Pending => {
                    let left = timeout.saturating_sub(started.elapsed());
                    self.wait(txid, left)?;
                    last_try = left.is_zero();
                }
                ReceiptOutcome::Unknown => return Err(LedgerError::Unknown { txid }),
                ReceiptOutcome::Invalid => return Err(LedgerError::Invalid { txid }),
            }
        }
    }

    /// The certificate that every receipt of this ledger leads to, PEM: for those who verify, who must
    /// have it from somewhere they trust.
    ///
    /// ```
    /// # use affiant::Runtime;
    /// # let runtime = Runtime::builder().in_memory().start()?;
    /// assert!(runtime.service_certificate().starts_with("-----BEGIN CERTIFICATE-----"));
    /// # Ok::<(), affiant::RuntimeError>(())
    /// ```
    #[must_use]
    pub fn service_certificate(&self) -> String {
        self.node().info().service_certificate_pem
    }

    /// The transaction's id, and whether it wrote.
    fn sequence(&self, tx: Tx) -> Result<(TxId, bool), LedgerError> {
        let node = self.node();
        if !tx.is_of(node.store()) {
            return Err(LedgerError::OtherLedger);
        }
        let (txid, wrote) = LedgerError::of_commit(node.commit(tx))?;
        // Without an id it did nothing at all: any state will do.
        Ok((txid.unwrap_or_else(|| self.committed()), wrote))
    }
}

/// Waits before the attempt after this one: not at all the first time, then for a random part of a time
/// that doubles, so that those who conflict do not meet again.
fn pause(attempt: u32) {
    if attempt == 0 {
        return;
    }
    let ceiling = RUN_BACKOFF_US_MIN.saturating_mul(1 << attempt.min(10)).min(RUN_BACKOFF_US_MAX);
    let chance = random_bytes().map_or(u64::MAX, u64::from_le_bytes);
    std::thread::sleep(Duration::from_micros(chance % (ceiling + 1)));
}
