//! A round of the core's work: what has happened goes into the replica, what it asks for comes out.
//!
//! While nobody waits, or while a sync runs, entries gather: the core's thread then sleeps on its inbox
//! rather than on the queue, so that writers do not pay for waking it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::{Duration, Instant};

use affiant_kv::{DiskBatch, Effects, Event, Replica};

use super::disk_thread::{SharedDisk, perform};
use super::{Message, Shared};
use crate::clock::{Clock, unix_seconds};
use crate::limits::{
    COMMIT_PACE_US, COMMIT_PACE_US_MAX, CORE_GATHER_MS_MAX, CORE_IDLE_MS_MAX, CORE_STOP_MS_MAX,
    CORE_YIELDS_MAX, ROUND_BATCH_BYTES_MAX,
};
use crate::log_fail;

pub(super) struct Driver {
    replica: Replica,
    effects: Effects,
    shared: Arc<Shared>,
    disk: SharedDisk,
    batches: SyncSender<DiskBatch>,
    clock: Clock,
    /// Batches handed to the disk thread and not yet acknowledged.
    in_flight: u64,
    /// When a stopping core gives up, on its clock.
    stop_by_ms: Option<u64>,
    abandoned: bool,
    /// Rounds in which somebody waited and there was nothing to do.
    fruitless: u32,
    /// When somebody's wait last led to a batch.
    began_at: Instant,
    /// How many waited when waiters last heard, for that or for something later.
    waited: usize,
}

/// How the core's thread is to sleep after a round.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rest {
    /// Until there is a message, or somebody hurries.
    Inbox(Duration),
    /// Hardly.
    Yield,
    /// Until entries come; then, unless a signature is `due`, until more have gathered.
    Queue { timeout: Duration, due: bool },
}

impl Shared {
    pub(super) fn rest(&self, rest: Rest) {
        match rest {
            Rest::Inbox(timeout) => self.wait_for_message(timeout),
            Rest::Yield => std::thread::yield_now(),
            Rest::Queue { timeout, due } => {
                self.committer.queue().wait(timeout);
                // Woken by the first entry of a run, most likely: nobody waits, so let the others
                // gather.
                if self.waiters.count() == 0 && !due {
                    self.wait_for_message(Duration::from_millis(CORE_GATHER_MS_MAX));
                }
            }
        }
    }
}

impl Driver {
    pub(super) fn new(
        replica: Replica,
        effects: Effects,
        shared: Arc<Shared>,
        disk: SharedDisk,
        batches: SyncSender<DiskBatch>,
        clock: Clock,
    ) -> Self {
        Self {
            replica,
            effects,
            shared,
            disk,
            batches,
            clock,
            in_flight: 0,
            stop_by_ms: None,
            abandoned: false,
            fruitless: 0,
            began_at: Instant::now(),
            waited: 0,
        }
    }

    pub(super) fn round(&mut self) {
        let messages = self.shared.take_messages();
        self.take_in(messages);
        self.act();
    }

    /// Whether a round now does for those who wait all that can be done.
    pub(super) fn serves_at_once(&self) -> bool {
        self.in_flight == 0
            && !self.abandoned
            && self.stop_by_ms.is_none()
            && self.pace_left().is_zero()
    }

    fn take_in(&mut self, messages: Vec<Message>) {
        // What the replica has asked for comes first.
        if !self.effects.disk.is_empty() {
            self.act();
        }
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
        if self.in_flight > 0 || !self.effects.disk.is_empty() {
            return;
        }
        if self.stop_by_ms.is_some() {
            if !self.replica.is_idle() {
                self.replica.step(Event::SignNow, &mut self.effects);
            }
        } else if waiting && self.pace_left().is_zero() {
            let commit = self.shared.waiters.want_commit();
            let wanted = if commit { Event::CommitWanted } else { Event::DurableWanted };
            self.replica.step(wanted, &mut self.effects);
            if !self.effects.disk.is_empty() {
                self.began_at = Instant::now();
            }
        }
    }

    fn take_message(&mut self, message: Message) {
        let event = match message {
            Message::Acknowledged(event) => {
                self.in_flight = self.in_flight.saturating_sub(1);
                event
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
        let mut batches = VecDeque::new();
        loop {
            if let Some(reason) = self.effects.poisoned.take() {
                self.effects.disk.clear();
                batches.clear();
                self.shared.fail(&reason);
            }
            batches.extend(self.effects.disk.drain(..));
            self.tell();
            let Some(batch) = batches.pop_front() else { return };
            self.fruitless = 0;
            if self.in_flight == 0 && batch.bytes() <= ROUND_BATCH_BYTES_MAX {
                let event = perform(&self.disk, &self.shared, &batch);
                self.replica.step(event, &mut self.effects);
            } else if !self.hand_over(batch) {
                self.abandoned = true;
                return;
            }
        }
    }

    /// Gives a batch to the disk thread; false if that has ended.
    fn hand_over(&mut self, batch: DiskBatch) -> bool {
        self.in_flight += 1;
        match self.batches.try_send(batch) {
            Err(TrySendError::Full(batch)) => self.batches.send(batch).is_ok(),
            Err(TrySendError::Disconnected(_)) => false,
            Ok(()) => true,
        }
    }

    /// Tells those who wait what has become durable or committed.
    fn tell(&mut self) {
        let durable = self.effects.durable.take();
        let committed = core::mem::take(&mut self.effects.committed);
        if durable.is_none() && committed.is_empty() {
            return;
        }
        let waiters = &self.shared.waiters;
        self.waited = waiters.count();
        waiters.expect(self.waited, self.began_at + self.pace());
        let store = self.shared.committer.store();
        if let Some(seqno) = durable {
            waiters.resolve_durable(store, seqno);
        }
        for root in committed {
            self.shared.last_signed_seqno.store(root.txid.seqno, Ordering::Release);
            self.shared.counters.signatures.fetch_add(1, Ordering::Relaxed);
            let replica = &self.replica;
            waiters.resolve(store, root.txid, |seqno| replica.receipt_for(seqno, &root));
        }
    }

    /// A batch costs a sync, and mostly a signature with two keys, whoever shares it. Those who have
    /// just heard tend to come back, so the next batch waits a little for as many as waited before; a
    /// lone waiter is served at once.
    fn pace(&self) -> Duration {
        let pace = (self.waited as u64).saturating_mul(COMMIT_PACE_US).min(COMMIT_PACE_US_MAX);
        Duration::from_micros(pace)
    }

    fn pace_left(&self) -> Duration {
        if self.shared.waiters.count() >= self.waited {
            return Duration::ZERO;
        }
        self.pace().saturating_sub(self.began_at.elapsed())
    }

    pub(super) fn is_done(&self) -> bool {
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
        self.in_flight == 0 && self.replica.is_idle()
    }

    /// How the core's thread is to sleep.
    pub(super) fn rest(&mut self) -> Rest {
        let gather = Duration::from_millis(CORE_GATHER_MS_MAX);
        let waiting = self.shared.waiters.count() > 0 || self.stop_by_ms.is_some();
        if self.in_flight > 0 {
            return Rest::Inbox(gather);
        }
        let pace = self.pace_left();
        if waiting && self.stop_by_ms.is_none() && !pace.is_zero() {
            return Rest::Inbox(pace);
        }
        if waiting {
            // An entry that somebody waits for has its number and is being sealed: a matter of
            // microseconds.
            self.fruitless += 1;
            let sealing = self.fruitless <= CORE_YIELDS_MAX;
            return if sealing { Rest::Yield } else { Rest::Inbox(gather) };
        }
        self.fruitless = 0;
        let now = self.clock.now_ms();
        let due = self.replica.next_due_ms().map(|due| due.saturating_sub(now));
        let timeout = due.unwrap_or(CORE_IDLE_MS_MAX).clamp(1, CORE_IDLE_MS_MAX);
        Rest::Queue { timeout: Duration::from_millis(timeout), due: due == Some(0) }
    }
}
