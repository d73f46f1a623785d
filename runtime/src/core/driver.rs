//! The core's loop: what has happened goes into the replica, what it asks for comes out.
//!
//! While nobody waits, or while a sync runs, entries gather: the core then sleeps on its inbox rather
//! than on the queue, so that writers do not pay for waking it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use affiant_kv::{DiskBatch, Effects, Event, Replica};

use super::{Message, Shared, guarded};
use crate::clock::{Clock, unix_seconds};
use crate::limits::{
    COMMIT_PACE_US, COMMIT_PACE_US_MAX, CORE_GATHER_MS_MAX, CORE_IDLE_MS_MAX, CORE_STOP_MS_MAX,
    CORE_YIELDS_MAX,
};
use crate::log_fail;

struct Driver {
    replica: Replica,
    effects: Effects,
    shared: Arc<Shared>,
    batches: SyncSender<DiskBatch>,
    clock: Clock,
    /// Batches handed to the disk and not yet acknowledged.
    in_flight: u64,
    /// When a stopping core gives up, on its clock.
    stop_by_ms: Option<u64>,
    abandoned: bool,
    /// Rounds in which somebody waited and there was nothing to do.
    fruitless: u32,
    /// When somebody's wait last led to a signature.
    signed_at: Instant,
    /// How many waited when the last commit came, for that commit or a later one.
    waited: usize,
}

/// Starts the thread.
pub(super) fn spawn(
    replica: Replica,
    effects: Effects,
    shared: Arc<Shared>,
    batches: SyncSender<DiskBatch>,
    clock: Clock,
) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("affiant-core".to_owned()).spawn(move || {
        let for_guard = shared.clone();
        guarded(&for_guard, "core", || {
            let mut driver = Driver {
                replica,
                effects,
                shared,
                batches,
                clock,
                in_flight: 0,
                stop_by_ms: None,
                abandoned: false,
                fruitless: 0,
                signed_at: Instant::now(),
                waited: 0,
            };
            driver.run();
        });
    })
}

impl Driver {
    fn run(&mut self) {
        self.act();
        loop {
            let messages = self.messages();
            self.take_in(messages);
            self.act();
            if self.is_done() {
                break;
            }
            self.sleep();
        }
        // Whoever still waits, and whoever comes later, must hear of it.
        self.shared.committer.fail("the node has stopped");
        self.shared.waiters.fail("the node has stopped");
    }

    fn messages(&self) -> Vec<Message> {
        core::mem::take(&mut self.shared.inbox.lock().messages)
    }

    fn take_in(&mut self, messages: Vec<Message>) {
        let tick = Event::Tick { now_ms: self.clock.now_ms(), unix_s: unix_seconds() };
        self.replica.step(tick, &mut self.effects);
        let waiting = self.shared.waiters.count() > 0;
        let entries = self.shared.committer.queue().drain();
        if !entries.is_empty() {
            let count = entries.len() as u64;
            self.shared.counters.entries.fetch_add(count, Ordering::Relaxed);
            self.replica.step(Event::Entries(entries), &mut self.effects);
        }
        for message in messages {
            self.take_message(message);
        }
        if self.in_flight == 0 && self.effects.disk.is_empty() {
            if self.stop_by_ms.is_some() {
                if !self.all_committed() {
                    self.replica.step(Event::SignNow, &mut self.effects);
                }
            } else if waiting && self.pace_left().is_zero() {
                self.replica.step(Event::CommitWanted, &mut self.effects);
                if !self.effects.disk.is_empty() {
                    self.signed_at = Instant::now();
                }
            }
        }
    }

    fn take_message(&mut self, message: Message) {
        let event = match message {
            Message::Synced { batch } => {
                self.in_flight = self.in_flight.saturating_sub(1);
                Event::Synced { batch }
            }
            Message::DiskFailed { batch, error } => {
                self.in_flight = self.in_flight.saturating_sub(1);
                Event::DiskFailed { batch, error }
            }
            Message::EndChunk => Event::EndChunk,
            Message::SignNow => Event::SignNow,
            Message::Stop => {
                self.stop_by_ms = Some(self.clock.now_ms() + CORE_STOP_MS_MAX);
                return;
            }
            Message::Abandon => {
                self.abandoned = true;
                return;
            }
        };
        self.replica.step(event, &mut self.effects);
    }

    fn act(&mut self) {
        if let Some(reason) = self.effects.poisoned.take() {
            self.effects.disk.clear();
            self.shared.fail(&reason);
        }
        for batch in self.effects.disk.drain(..) {
            self.in_flight += 1;
            self.fruitless = 0;
            let sent = match self.batches.try_send(batch) {
                Err(TrySendError::Full(batch)) => self.batches.send(batch).is_ok(),
                Err(TrySendError::Disconnected(_)) => false,
                Ok(()) => true,
            };
            if !sent {
                self.abandoned = true;
                break;
            }
        }
        for root in core::mem::take(&mut self.effects.committed) {
            self.shared.last_signed_seqno.store(root.txid.seqno, Ordering::Release);
            self.shared.counters.signatures.fetch_add(1, Ordering::Relaxed);
            let store = self.shared.committer.store().clone();
            let replica = &self.replica;
            let waiters = &self.shared.waiters;
            self.waited = waiters.count();
            waiters.expect(self.waited);
            waiters.resolve(&store, root.txid, |seqno| replica.receipt_for(seqno, &root));
        }
    }

    /// A signature costs two operations with the keys, whoever shares it. Those who have just heard
    /// of a commit tend to come back, so the next signature waits a little for as many as waited
    /// before; a lone waiter is served at once.
    fn pace_left(&self) -> Duration {
        if self.shared.waiters.count() >= self.waited {
            return Duration::ZERO;
        }
        let pace = (self.waited as u64).saturating_mul(COMMIT_PACE_US).min(COMMIT_PACE_US_MAX);
        Duration::from_micros(pace).saturating_sub(self.signed_at.elapsed())
    }

    fn all_committed(&self) -> bool {
        let store = self.shared.committer.store();
        store.last().seqno == store.committed().seqno
    }

    fn is_done(&self) -> bool {
        if self.abandoned {
            return true;
        }
        let Some(by_ms) = self.stop_by_ms else { return false };
        if self.shared.waiters.failed().is_some() {
            return true;
        }
        if self.clock.now_ms() >= by_ms {
            log_fail!("node", "Stopping before everything was signed and synced");
            return true;
        }
        self.in_flight == 0 && self.all_committed()
    }

    fn sleep(&mut self) {
        let waiting = self.shared.waiters.count() > 0 || self.stop_by_ms.is_some();
        if self.in_flight > 0 {
            self.shared.wait_for_message(Duration::from_millis(CORE_GATHER_MS_MAX));
            return;
        }
        let pace = self.pace_left();
        if waiting && self.stop_by_ms.is_none() && !pace.is_zero() {
            self.shared.wait_for_message(pace);
            return;
        }
        if waiting {
            // An entry that somebody waits for has its number and is being sealed: a matter of
            // microseconds.
            self.fruitless += 1;
            if self.fruitless <= CORE_YIELDS_MAX {
                std::thread::yield_now();
            } else {
                self.shared.wait_for_message(Duration::from_millis(CORE_GATHER_MS_MAX));
            }
            return;
        }
        self.fruitless = 0;
        let now = self.clock.now_ms();
        let due = self.replica.next_due_ms().map(|due| due.saturating_sub(now));
        let timeout = due.unwrap_or(CORE_IDLE_MS_MAX).clamp(1, CORE_IDLE_MS_MAX);
        self.shared.committer.queue().wait(Duration::from_millis(timeout));
        // Woken by the first entry of a run, most likely: nobody waits, so let the others gather.
        if self.shared.waiters.count() == 0 && due != Some(0) {
            self.shared.wait_for_message(Duration::from_millis(CORE_GATHER_MS_MAX));
        }
    }
}
