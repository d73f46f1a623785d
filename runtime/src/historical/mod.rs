//! Past transactions (reference A.7, B.8): ranges of committed entries by handles that their askers
//! choose, read and verified by a thread of their own, and kept for a while within bounds.
//!
//! Whoever asks is never made to wait for the disk: a range is not there (`None`) until it is loaded.
//! The thread starts when somebody asks for the first time.
//!
//! Invariants
//! * The one lock is held for bookkeeping only: nothing is read, decoded or freed under it.
//! * Memory, handles, entries per range and lifetimes are bounded (`limits.rs`, `HISTORICAL_`).
//! * Only what is committed is handed out, and only after its receipt has been verified.
//!
//! ```
//! use std::time::Duration;
//!
//! use affiant::historical::HistoricalNamespace;
//! use affiant::node::{Node, NodeSettings};
//!
//! let node = Node::start(NodeSettings::in_memory())?;
//! let (handle, first, last) = (7, 1, 1);
//! let (expiry, patience) = (Duration::from_secs(60), Duration::from_secs(10));
//! let found = node.historical().wait_for_state_range(
//!     HistoricalNamespace::HOST, handle, first, last, expiry, patience,
//! )?;
//! let create = &found.expect("loaded in time")[0];
//! assert_eq!(create.txid().to_string(), "2.1");
//! node.shutdown()?;
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

mod error;
mod loader;
mod request;
mod slots;
mod state;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use affiant_kv::{LedgerIndex, LedgerReader};
use parking_lot::{Condvar, Mutex};

use crate::clock::Clock;
use crate::error::RuntimeResult;
use crate::limits::{
    HISTORICAL_ENTRIES_COUNT_MAX, HISTORICAL_EXPIRY_MS_MAX, HISTORICAL_HANDLES_COUNT_MAX,
    HISTORICAL_SLOTS_COUNT_MAX, HISTORICAL_SWEEP_MS, HISTORICAL_WAIT_MS,
};
use crate::log_fail;
use loader::Loader;
use slots::{Answer, Bounds, Piece, Range, Reservation, SlotKey, Slots};

pub use error::HistoricalError;
pub(crate) use request::refuse_uncommitted;
pub use slots::HistoricalNamespace;
pub use state::{HistoricalState, HistoricalStates};

/// A node's past transactions. Every method may be called on any thread.
pub struct HistoricalCache {
    shared: Arc<Shared>,
    /// Until the thread starts and takes it.
    loader: Mutex<Option<Loader>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    state: Mutex<State>,
    /// There may be something to load.
    work: Condvar,
    /// Something was loaded.
    loaded: Condvar,
    index: Arc<LedgerIndex>,
    clock: Clock,
    /// Single transactions do not load in the time that a request would wait for them.
    slow: AtomicBool,
}

struct State {
    slots: Slots,
    stopped: bool,
}

impl HistoricalCache {
    pub(crate) fn new(
        reader: LedgerReader,
        index: Arc<LedgerIndex>,
        service_certificate_pem: &str,
        bytes_max: usize,
    ) -> RuntimeResult<Self> {
        let bounds = Bounds {
            bytes_max,
            handles_max: HISTORICAL_HANDLES_COUNT_MAX,
            slots_max: HISTORICAL_SLOTS_COUNT_MAX,
        };
        Ok(Self {
            shared: Arc::new(Shared {
                state: Mutex::new(State { slots: Slots::new(bounds), stopped: false }),
                work: Condvar::new(),
                loaded: Condvar::new(),
                index,
                clock: Clock::start(),
                slow: AtomicBool::new(false),
            }),
            loader: Mutex::new(Some(Loader::new(reader, service_certificate_pem)?)),
            thread: Mutex::new(None),
        })
    }

    /// The transactions from `first` to `last`, both included; `None` while they are not loaded, or
    /// not all committed: ask again later. Each call puts the expiry off; a call with another range
    /// replaces what the handle holds.
    ///
    /// # Errors
    /// The range is not one, has too many entries or takes too much memory; the ledger cannot be read;
    /// the node is stopping.
    pub fn state_range(
        &self,
        namespace: HistoricalNamespace,
        handle: u64,
        first: u64,
        last: u64,
        expiry: Duration,
    ) -> Result<Option<HistoricalStates>, HistoricalError> {
        let key = SlotKey { namespace, handle };
        let range = checked_range(first, last)?;
        self.start()?;
        // Freed after the lock, which is declared later.
        let mut garbage = Vec::new();
        let mut state = self.shared.state.lock();
        self.shared.ask(&mut state, key, range, expiry, &mut garbage)
    }

    /// As [`Self::state_range`], waiting up to `patience` on this thread.
    ///
    /// # Errors
    /// As [`Self::state_range`].
    pub fn wait_for_state_range(
        &self,
        namespace: HistoricalNamespace,
        handle: u64,
        first: u64,
        last: u64,
        expiry: Duration,
        patience: Duration,
    ) -> Result<Option<HistoricalStates>, HistoricalError> {
        let key = SlotKey { namespace, handle };
        let range = checked_range(first, last)?;
        self.start()?;
        let deadline = Instant::now() + patience;
        let mut garbage = Vec::new();
        let mut state = self.shared.state.lock();
        loop {
            let answer = self.shared.ask(&mut state, key, range, expiry, &mut garbage)?;
            if answer.is_some() || Instant::now() >= deadline {
                return Ok(answer);
            }
            // Woken also now and then, since commit does not wake.
            let until =
                deadline.min(Instant::now() + Duration::from_millis(HISTORICAL_WAIT_MS / 10));
            self.shared.loaded.wait_until(&mut state, until);
        }
    }

    /// Drops what a handle holds; whether it held anything.
    pub fn drop_cached_states(&self, namespace: HistoricalNamespace, handle: u64) -> bool {
        let mut garbage = Vec::new();
        self.shared.state.lock().slots.remove(SlotKey { namespace, handle }, &mut garbage)
    }

    /// The transaction at `seqno` for a request, which waits for it unless loading takes long these
    /// days.
    fn for_request(&self, seqno: u64) -> Result<Option<Arc<HistoricalState>>, HistoricalError> {
        let slow = &self.shared.slow;
        let patience = if slow.load(Ordering::Relaxed) { 0 } else { HISTORICAL_WAIT_MS };
        let found = self.wait_for_state_range(
            HistoricalNamespace::REQUESTS,
            seqno,
            seqno,
            seqno,
            Duration::from_secs(crate::limits::HISTORICAL_EXPIRY_S_DEFAULT),
            Duration::from_millis(patience),
        )?;
        if found.is_none() {
            slow.store(true, Ordering::Relaxed);
        }
        Ok(found.and_then(|states| states.first().cloned()))
    }

    /// Starts the thread, once.
    fn start(&self) -> Result<(), HistoricalError> {
        let mut thread = self.thread.lock();
        if thread.is_some() {
            return Ok(());
        }
        let Some(loader) = self.loader.lock().take() else {
            return Err(HistoricalError::Unavailable);
        };
        let shared = self.shared.clone();
        let started = std::thread::Builder::new()
            .name("historical".to_owned())
            .spawn(move || work(&shared, loader))
            .map_err(|error| {
                log_fail!("history", "the thread for historical queries cannot start: {error}");
                HistoricalError::Unavailable
            })?;
        *thread = Some(started);
        Ok(())
    }

    /// Ends the thread and forgets everything; whoever asks later is refused.
    pub(crate) fn stop(&self) {
        let emptied = {
            let mut state = self.shared.state.lock();
            state.stopped = true;
            let nothing = Bounds { bytes_max: 0, handles_max: 0, slots_max: 0 };
            core::mem::replace(&mut state.slots, Slots::new(nothing))
        };
        drop(emptied);
        self.shared.work.notify_all();
        self.shared.loaded.notify_all();
        if let Some(thread) = self.thread.lock().take() {
            // Its panics have been reported.
            thread.join().ok();
        }
    }
}

impl Drop for HistoricalCache {
    fn drop(&mut self) {
        self.stop();
    }
}

fn checked_range(first: u64, last: u64) -> Result<Range, HistoricalError> {
    if first == 0 || last < first {
        return Err(HistoricalError::InvalidRange { first, last });
    }
    let range = Range { first, last };
    let count = range.count();
    if count > HISTORICAL_ENTRIES_COUNT_MAX {
        return Err(HistoricalError::TooManyEntries { count });
    }
    Ok(range)
}

impl Shared {
    fn ask(
        &self,
        state: &mut State,
        key: SlotKey,
        range: Range,
        expiry: Duration,
        garbage: &mut Vec<slots::Slot>,
    ) -> Result<Option<HistoricalStates>, HistoricalError> {
        if state.stopped {
            return Err(HistoricalError::Unavailable);
        }
        let now_ms = self.clock.now_ms();
        let expiry_ms = u64::try_from(expiry.as_millis()).unwrap_or(u64::MAX);
        let expires_ms = now_ms + expiry_ms.min(HISTORICAL_EXPIRY_MS_MAX);
        match state.slots.ask(key, range, expires_ms, now_ms, self.index.committed(), garbage) {
            Answer::Ready(states) => Ok(Some(states)),
            Answer::Failed(error) => Err(error),
            Answer::Pending => {
                self.work.notify_one();
                Ok(None)
            }
        }
    }

    /// What to load next; `None` once the node stops. Drops what has expired meanwhile.
    fn next(&self) -> Option<Piece> {
        loop {
            let mut garbage = Vec::new();
            let mut state = self.state.lock();
            if state.stopped {
                return None;
            }
            state.slots.expire(self.clock.now_ms(), &mut garbage);
            if !garbage.is_empty() {
                // To be freed after the lock, and before this thread sleeps.
                continue;
            }
            if let Some(piece) = state.slots.next_piece() {
                return Some(piece);
            }
            if state.slots.is_empty() {
                self.work.wait(&mut state);
            } else {
                self.work.wait_for(&mut state, Duration::from_millis(HISTORICAL_SWEEP_MS));
            }
        }
    }

    fn load(&self, loader: &mut Loader, piece: &Piece) -> RuntimeResult<()> {
        if !piece.reserved {
            // Not committed: the index knows better; it is asked for again.
            let bytes = loader.estimate(piece.whole)?.unwrap_or(0);
            let mut garbage = Vec::new();
            let reserved = self.state.lock().slots.reserve(piece, bytes, &mut garbage);
            if reserved != Reservation::Granted {
                return Ok(());
            }
        }
        let states = loader.load(piece.part)?;
        let mut garbage = Vec::new();
        let took_ms =
            self.state.lock().slots.deliver(piece, states, self.clock.now_ms(), &mut garbage);
        if piece.whole.count() == 1
            && let Some(took_ms) = took_ms
        {
            self.slow.store(took_ms > HISTORICAL_WAIT_MS, Ordering::Relaxed);
        }
        Ok(())
    }

    fn fail(&self, piece: &Piece, why: &dyn core::fmt::Display) {
        let seqno = piece.part.first;
        log_fail!("history", "Entries from {seqno} on cannot be read: {why}");
        let mut garbage = Vec::new();
        let error = HistoricalError::Unreadable { seqno };
        self.state.lock().slots.fail(piece, error, &mut garbage);
    }
}

fn work(shared: &Shared, mut loader: Loader) {
    while let Some(piece) = shared.next() {
        match catch_unwind(AssertUnwindSafe(|| shared.load(&mut loader, &piece))) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => shared.fail(&piece, &error),
            Err(_) => shared.fail(&piece, &"the reader panicked"),
        }
        shared.loaded.notify_all();
    }
}
