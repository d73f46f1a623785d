//! What runs behind a node: the core, which feeds the replica events and does what it asks for, and the
//! disk thread, which performs large batches meanwhile.
//!
//! The core's work is done in rounds, by whichever thread has the seat: mostly a thread of its own, but
//! also one that waits for its transaction and would only sleep until others had done it. Alone it then
//! pays for no hand-over, and in a group the last to come sees to all. A small batch is performed in
//! the round itself, since there would be nothing to do until its sync has returned.
//!
//! Invariants
//! * Batches are performed and acknowledged in order: one is performed in a round only while the disk
//!   thread has none.
//! * A panic or failure in a round or in the disk thread poisons the node and tells every waiter; nobody
//!   hangs.
//! * Whoever leaves the seat while somebody waits wakes the core's thread.

mod disk_thread;
mod driver;
mod seat;
mod waiters;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use affiant_kv::{Committer, Disk, Effects, Event, Replica};
use affiant_proof::TxId;
use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::clock::Clock;
use crate::error::{RuntimeError, RuntimeResult};
use crate::limits::HELP_PATIENCE_MS_MIN;
use crate::log_fatal;
use driver::Driver;

use seat::Seat;
pub use waiters::{CommitNotice, DurableNotice};
pub(crate) use waiters::{Reply, WaitFor, Waiters, Wake};

/// What other threads tell the core.
pub(crate) enum Message {
    /// The disk thread is done with a batch.
    Acknowledged(Event),
    EndChunk,
    SignNow,
    /// Sign and sync what there is, then end.
    Stop,
    /// End at once.
    Abandon,
}

/// What the core's threads share with everyone else.
pub(crate) struct Shared {
    pub(crate) committer: Committer,
    pub(crate) waiters: Waiters,
    pub(crate) last_signed_seqno: AtomicU64,
    pub(crate) counters: Counters,
    inbox: Mutex<Inbox>,
    inbox_filled: Condvar,
}

#[derive(Default)]
struct Inbox {
    messages: Vec<Message>,
    /// Somebody has begun to wait, or still waits, since the last round began.
    hurried: bool,
    /// The core's thread sleeps on the inbox, not on the queue.
    core_waits_here: bool,
}

/// What the core has done since it started.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) entries: AtomicU64,
    pub(crate) signatures: AtomicU64,
    pub(crate) batches: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) sync_us: AtomicU64,
}

impl Shared {
    /// Leaves a message and wakes the core, wherever it sleeps.
    pub(crate) fn post(&self, message: Message) {
        let mut inbox = self.inbox.lock();
        // Asked for twice is asked for once, so the inbox is bounded by the batches under way.
        let asked = |known: &Message| {
            matches!(
                (known, &message),
                (Message::SignNow, Message::SignNow) | (Message::EndChunk, Message::EndChunk)
            )
        };
        if inbox.messages.iter().any(asked) {
            return;
        }
        inbox.messages.push(message);
        if inbox.core_waits_here {
            self.inbox_filled.notify_one();
        } else {
            drop(inbox);
            self.committer.queue().wake();
        }
    }

    /// Somebody waits: wakes the core's thread, wherever it sleeps.
    pub(crate) fn hurry(&self) {
        let mut inbox = self.inbox.lock();
        inbox.hurried = true;
        if inbox.core_waits_here {
            self.inbox_filled.notify_one();
        } else {
            drop(inbox);
            self.committer.queue().wake();
        }
    }

    /// Takes what was posted, at the start of a round.
    fn take_messages(&self) -> Vec<Message> {
        let mut inbox = self.inbox.lock();
        inbox.hurried = false;
        core::mem::take(&mut inbox.messages)
    }

    /// Sleeps until there is a message or somebody hurries; for the core's thread only.
    fn wait_for_message(&self, timeout: Duration) {
        let mut inbox = self.inbox.lock();
        if inbox.messages.is_empty() && !inbox.hurried {
            self.wait_here(&mut inbox, timeout);
        }
    }

    /// As [`Self::wait_for_message`], whatever has come before: somebody has the seat and sees to it.
    fn wait_for_news(&self, timeout: Duration) {
        self.wait_here(&mut self.inbox.lock(), timeout);
    }

    fn wait_here(&self, inbox: &mut MutexGuard<'_, Inbox>, timeout: Duration) {
        inbox.core_waits_here = true;
        self.inbox_filled.wait_for(inbox, timeout);
        inbox.core_waits_here = false;
    }

    /// Whether there is anything that the core's thread must be woken for.
    fn has_work(&self) -> bool {
        self.waiters.count() > 0 || !self.inbox.lock().messages.is_empty()
    }

    /// Stops the node for good; the first reason stays.
    pub(crate) fn fail(&self, reason: &str) {
        if self.waiters.failed().is_none() {
            log_fatal!("node", "The node accepts nothing more: {reason}");
        }
        self.committer.fail(reason);
        self.waiters.fail(reason);
    }
}

/// The core of a running node.
pub(crate) struct Core {
    pub(crate) shared: Arc<Shared>,
    seat: Arc<Seat>,
    /// The process that the threads are in.
    process: u32,
    threads: Mutex<Vec<JoinHandle<()>>>,
    stopped: AtomicBool,
}

impl Core {
    /// Starts both threads; `effects` are what making the replica asked for.
    pub(crate) fn start(
        replica: Replica,
        effects: Effects,
        disk: Box<dyn Disk>,
        committer: Committer,
        clock: Clock,
    ) -> RuntimeResult<Self> {
        let shared = Arc::new(Shared {
            committer,
            waiters: Waiters::default(),
            last_signed_seqno: AtomicU64::new(0),
            counters: Counters::default(),
            inbox: Mutex::default(),
            inbox_filled: Condvar::new(),
        });
        let disk = Arc::new(Mutex::new(disk));
        let (batches, disk_thread) =
            disk_thread::spawn(disk.clone(), shared.clone()).map_err(no_thread)?;
        let driver = Driver::new(replica, effects, shared.clone(), disk, batches, clock);
        let seat = Arc::new(Seat::new(driver));
        let core_thread = seat::spawn(seat.clone(), shared.clone()).map_err(no_thread)?;
        Ok(Self {
            shared,
            seat,
            process: std::process::id(),
            threads: Mutex::new(vec![core_thread, disk_thread]),
            stopped: AtomicBool::new(false),
        })
    }

    /// Waits for a transaction, as long as `patience` says. If that is not short, this thread does the
    /// core's work itself where it would otherwise only wait for it, and so may be held up by the disk.
    /// `None` if nothing was heard by then, or ever will be.
    pub(crate) fn wait(
        &self,
        txid: TxId,
        wait_for: WaitFor,
        patience: Option<Duration>,
    ) -> Option<CommitNotice> {
        let (sender, receiver) = sync_channel(1);
        let store = self.shared.committer.store();
        let wake = self.shared.waiters.register(store, txid, wait_for, Reply::Thread(sender));
        let long = Duration::from_millis(HELP_PATIENCE_MS_MIN);
        let patient = patience.is_none_or(|patience| patience >= long);
        match wake {
            Wake::No => {}
            Wake::Now if patient => self.help(),
            Wake::By(moment) if patient => {
                let left = moment.saturating_duration_since(Instant::now());
                match receiver.recv_timeout(left) {
                    Err(RecvTimeoutError::Timeout) => self.help(),
                    heard => return Some(heard.unwrap_or_else(|_| gone())),
                }
            }
            Wake::Now | Wake::By(_) => self.shared.hurry(),
        }
        let Some(patience) = patience else { return receiver.recv().ok() };
        match receiver.recv_timeout(patience) {
            Ok(notice) => Some(notice),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(gone()),
        }
    }

    /// Does a round on this thread, or sees to it that the core's thread does one.
    fn help(&self) {
        // A process that was forked off has a copy of the node, which must not write.
        let helped = self.process == std::process::id() && self.seat.help(&self.shared);
        if !helped || self.shared.has_work() {
            self.shared.hurry();
        }
    }

    /// Signs and syncs what there is, ends both threads and waits for them.
    pub(crate) fn stop(&self) {
        self.end(Message::Stop);
    }

    /// Ends both threads at once, as a power failure would.
    pub(crate) fn abandon(&self) {
        self.end(Message::Abandon);
    }

    fn end(&self, message: Message) {
        if !self.stopped.swap(true, Ordering::AcqRel) {
            self.shared.post(message);
        }
        let threads: Vec<JoinHandle<()>> = self.threads.lock().drain(..).collect();
        for thread in threads {
            // Its panic has been reported by itself.
            let _ = thread.join();
        }
    }
}

/// What a waiter hears of a core that has ended without a word.
pub(crate) fn gone() -> CommitNotice {
    CommitNotice::Failed("the node has stopped".to_owned())
}

fn no_thread(error: std::io::Error) -> RuntimeError {
    RuntimeError::Stopped { reason: format!("no thread could be started: {error}") }
}

/// Runs a body; a panic in it fails the node instead of hanging its waiters.
/// False if it did panic.
fn guarded(shared: &Shared, name: &'static str, body: impl FnOnce()) -> bool {
    if let Err(panic) = std::panic::catch_unwind(core::panic::AssertUnwindSafe(body)) {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("without a message");
        shared.fail(&format!("the {name} panicked: {text}"));
        return false;
    }
    true
}
