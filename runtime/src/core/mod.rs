//! The two threads behind a node: the core, which owns the replica and feeds it events, and the disk
//! thread, which performs what the replica asks for.
//!
//! Invariants
//! * Batches are performed and acknowledged in order.
//! * A panic or failure in either thread poisons the node and tells every waiter; nobody hangs.
//! * The core never waits for the disk, except where the bounded channel to it is full.

mod disk_thread;
mod driver;
mod waiters;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use affiant_kv::{Committer, Disk, DiskError, Effects, Replica};
use parking_lot::{Condvar, Mutex};

use crate::clock::Clock;
use crate::error::{RuntimeError, RuntimeResult};
use crate::log_fatal;

pub use waiters::CommitNotice;
pub(crate) use waiters::{Reply, Waiters};

/// What other threads tell the core.
pub(crate) enum Message {
    Synced {
        batch: u64,
    },
    DiskFailed {
        batch: u64,
        error: DiskError,
    },
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
    /// The core sleeps on the inbox, not on the queue.
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

    /// Somebody has begun to wait for commit: wakes the core, wherever it sleeps.
    pub(crate) fn hurry(&self) {
        let inbox = self.inbox.lock();
        if inbox.core_waits_here {
            self.inbox_filled.notify_one();
        } else {
            drop(inbox);
            self.committer.queue().wake();
        }
    }

    /// Sleeps until there is a message or somebody hurries; for the core only.
    fn wait_for_message(&self, timeout: Duration) {
        let mut inbox = self.inbox.lock();
        if inbox.messages.is_empty() {
            inbox.core_waits_here = true;
            self.inbox_filled.wait_for(&mut inbox, timeout);
            inbox.core_waits_here = false;
        }
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

/// The running threads.
pub(crate) struct Core {
    pub(crate) shared: Arc<Shared>,
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
        let (batches, disk_thread) = disk_thread::spawn(disk, shared.clone()).map_err(no_thread)?;
        let core_thread =
            driver::spawn(replica, effects, shared.clone(), batches, clock).map_err(no_thread)?;
        Ok(Self {
            shared,
            threads: Mutex::new(vec![core_thread, disk_thread]),
            stopped: AtomicBool::new(false),
        })
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

fn no_thread(error: std::io::Error) -> RuntimeError {
    RuntimeError::Stopped { reason: format!("no thread could be started: {error}") }
}

/// Runs a thread's body; a panic in it fails the node instead of hanging its waiters.
fn guarded(shared: &Arc<Shared>, name: &'static str, body: impl FnOnce()) {
    if let Err(panic) = std::panic::catch_unwind(core::panic::AssertUnwindSafe(body)) {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("without a message");
        shared.fail(&format!("the {name} thread panicked: {text}"));
    }
}
