//! Where an executor thread runs one request: who waits for the answer, and for how long that is
//! worth it.
//!
//! A handler may never end: an interpreter inside C code cannot be interrupted. Its client is told so
//! by a watchdog that looks at the seats from time to time, and whoever is told first is told last:
//! the reply is taken out of the seat once, and a handler that finds it gone commits nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::application::Entry;
use crate::limits::STUCK_LOOK_MS;
use crate::log_fail;
use crate::odata;
use crate::replies::{Reply, send_all};
use crate::respond::Outcome;

/// One thread's place. Locked by its thread around each handler, and by the watchdog.
pub(crate) struct Seat {
    state: Mutex<State>,
    /// How long a handler may run; `None` where nobody watches.
    patience: Option<Duration>,
    /// How many seats of the executor have a handler that was given up and runs on.
    stuck: Arc<AtomicUsize>,
}

#[derive(Default)]
struct State {
    reply: Option<Reply>,
    running: Option<(Arc<Entry>, Instant)>,
    /// The handler that runs was given up.
    stuck: bool,
    /// Answers that leave together.
    held: Vec<(Reply, Outcome)>,
}

impl Seat {
    pub(crate) fn new(patience: Option<Duration>, stuck: Arc<AtomicUsize>) -> Self {
        Self { state: Mutex::default(), patience, stuck }
    }

    /// A request is taken from the queue.
    pub(super) fn take_up(&self, reply: Reply) {
        self.state.lock().reply = Some(reply);
    }

    /// A handler starts.
    pub(crate) fn handler_begins(&self, entry: &Arc<Entry>) {
        if self.patience.is_some() {
            self.state.lock().running = Some((entry.clone(), Instant::now()));
        }
    }

    /// A handler has ended. Whether somebody waits for what comes of it: if not, the client was told
    /// that it failed, and nothing of it may be kept.
    pub(crate) fn handler_ends(&self) -> bool {
        if self.patience.is_none() {
            return true;
        }
        let mut state = self.state.lock();
        let ended = state.running.take();
        if core::mem::take(&mut state.stuck) {
            self.stuck.fetch_sub(1, Ordering::Relaxed);
            if let Some((entry, since)) = ended {
                let name = entry.name();
                let ms = since.elapsed().as_millis();
                log_fail!("app", "{name}: the handler given up ended after {ms} ms; it is dropped");
            }
        }
        state.reply.is_some()
    }

    /// Whether the request was answered by the watchdog.
    pub(crate) fn given_up(&self) -> bool {
        self.state.lock().reply.is_none()
    }

    /// The request has ended, with no outcome if it panicked. Its answer waits for [`Self::send_held`]
    /// where a watchdog sees to it that it does not wait long.
    pub(super) fn finish(&self, outcome: Option<Outcome>) {
        self.handler_ends();
        let mut state = self.state.lock();
        // A reply that is dropped tells its client that the node is busy.
        let (Some(reply), Some(outcome)) = (state.reply.take(), outcome) else { return };
        if self.patience.is_some() {
            state.held.push((reply, outcome));
            return;
        }
        drop(state);
        reply.send(outcome);
    }

    /// How many answers wait.
    pub(super) fn held(&self) -> usize {
        if self.patience.is_some() { self.state.lock().held.len() } else { 0 }
    }

    /// Lets the answers leave. A client woken for one of them finds the others when it looks.
    pub(super) fn send_held(&self) {
        if self.patience.is_some() {
            let held = core::mem::take(&mut self.state.lock().held);
            send_all(held);
        }
    }

    /// The watchdog's look. Whether the handler is given up now.
    pub(super) fn look(&self) -> bool {
        let mut state = self.state.lock();
        let (Some(patience), Some((entry, since))) = (self.patience, state.running.clone()) else {
            return false;
        };
        let elapsed = since.elapsed();
        let held = if elapsed >= Duration::from_millis(STUCK_LOOK_MS) {
            core::mem::take(&mut state.held)
        } else {
            Vec::new()
        };
        let reply = if elapsed >= patience { state.reply.take() } else { None };
        if reply.is_some() {
            state.stuck = true;
            self.stuck.fetch_add(1, Ordering::Relaxed);
        }
        drop(state);
        send_all(held);
        let Some(reply) = reply else { return false };
        let (name, ms) = (entry.name(), patience.as_millis());
        log_fail!("app", "{name}: the handler did not end within {ms} ms; it is given up");
        let message = format!(
            "The handler of {name} did not end within {ms} ms and cannot be stopped; what it does \
             from now on is dropped. Requests that need its thread are refused until it ends."
        );
        let response = odata::error(500, odata::INTERNAL_ERROR, &message);
        entry.metrics.answered(response.status, elapsed);
        reply.send(Outcome::Done(response.into()));
        true
    }

    /// What runs here, for the log.
    pub(super) fn occupant(&self) -> Option<String> {
        self.state.lock().running.as_ref().map(|(entry, _)| entry.name())
    }
}
