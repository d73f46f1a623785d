//! The Rust side of one interpreter: what native functions find behind it.
//!
//! Everything here is interior-mutable because scripts call natives that run callbacks that call
//! natives; no borrow is held while a script runs.

use core::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::{Duration, Instant};

use affiant::attestation::NodeAttestor;
use affiant::governance::GovEffects;
use affiant::historical::{HistoricalCache, HistoricalNamespace, HistoricalState};
pub(crate) use affiant::hosting::ExecutionContext as Context;
use affiant::hosting::RuntimeOptions;
use affiant::{Call, Mode};
use affiant_kv::{Store, Tx};
use bytes::Bytes;

use crate::engine::{self, Atoms, Pinned};
use crate::log::LogSink;
use crate::program::Program;
use crate::surface::{Builtins, Entropy, MapTable, StateTable};

/// What native functions find behind the interpreter they are called from.
pub(crate) struct Host {
    pub(crate) program: Arc<Program>,
    pub(crate) log: LogSink,
    /// The transaction of the running request; `None` outside of one.
    pub(crate) tx: RefCell<Option<Tx>>,
    pub(crate) store: RefCell<Option<Arc<Store>>>,
    pub(crate) context: Cell<Context>,
    /// What `apply` may ask of the node.
    pub(crate) effects: RefCell<Option<Arc<dyn GovEffects>>>,
    /// Makes evidence of the platform under the node.
    pub(crate) attestor: RefCell<Option<Arc<NodeAttestor>>>,
    /// It was made by a native function of another interpreter, which waits for it.
    pub(crate) nested: Cell<bool>,
    /// Past transactions, and where this app's handles of them are.
    pub(crate) historical: RefCell<Option<(Arc<HistoricalCache>, HistoricalNamespace)>>,
    /// The past transaction that the request names.
    pub(crate) historical_state: RefCell<Option<Arc<HistoricalState>>>,
    /// `ccf.historicalState` was read and became a plain property.
    pub(crate) historical_shown: Cell<bool>,
    /// Past transactions that the running request has objects of.
    pub(crate) states: RefCell<StateTable>,
    pub(crate) body: RefCell<Bytes>,
    /// The request's `content-type`.
    pub(crate) content_type: RefCell<String>,
    pub(crate) apply_writes: Cell<Option<bool>>,
    /// When the script began and how long it may run; `None`: for ever.
    clock: Cell<Option<(Instant, Duration)>>,
    /// It was.
    timed_out: Cell<bool>,
    /// The engine was stopped in the middle of something: nothing of it may be used again.
    stopped: Cell<bool>,
    /// Native code panicked: the interpreter is not to be used again.
    pub(crate) panicked: Cell<bool>,
    /// The script asked for something that differs from request to request (the store, the time,
    /// randomness, the log), so its module state must be made anew each time.
    pub(crate) ambient: Cell<bool>,
    /// `ccf.enableMetricsLogging`.
    pub(crate) metrics: Cell<bool>,
    pub(crate) maps: RefCell<MapTable>,
    pub(crate) entropy: RefCell<Entropy>,
    pub(crate) builtins: Cell<Builtins>,
    /// The module whose import is being resolved.
    pub(crate) importer: RefCell<String>,
    pub(crate) pinned: RefCell<Pinned>,
    pub(crate) atoms: Atoms,
    pub(crate) kv_class: Cell<u32>,
    pub(crate) handle_class: Cell<u32>,
    pub(crate) state_class: Cell<u32>,
    kept: Cell<Kept>,
}

/// What [`Host::restore`] goes back to.
#[derive(Clone, Copy, Default)]
struct Kept {
    metrics: bool,
    maps: usize,
    pinned: usize,
}

impl Host {
    pub(crate) fn new(program: Arc<Program>, log: LogSink) -> Self {
        Self {
            program,
            log,
            tx: RefCell::default(),
            store: RefCell::default(),
            context: Cell::new(Context::Application(Mode::default())),
            effects: RefCell::default(),
            attestor: RefCell::default(),
            nested: Cell::default(),
            historical: RefCell::default(),
            historical_state: RefCell::default(),
            historical_shown: Cell::default(),
            states: RefCell::default(),
            body: RefCell::default(),
            content_type: RefCell::default(),
            apply_writes: Cell::default(),
            clock: Cell::default(),
            timed_out: Cell::default(),
            stopped: Cell::default(),
            panicked: Cell::default(),
            ambient: Cell::default(),
            metrics: Cell::default(),
            maps: RefCell::default(),
            entropy: RefCell::default(),
            builtins: Cell::default(),
            importer: RefCell::default(),
            pinned: RefCell::default(),
            atoms: Atoms::default(),
            kv_class: Cell::default(),
            handle_class: Cell::default(),
            state_class: Cell::default(),
            kept: Cell::default(),
        }
    }

    /// Remembers the state that belongs to the scripts.
    pub(crate) fn keep(&self) {
        self.kept.set(Kept {
            metrics: self.metrics.get(),
            maps: self.maps.borrow().len(),
            pinned: self.pinned.borrow().len(),
        });
    }

    /// Goes back to what [`Host::keep`] saw.
    pub(crate) fn restore(&self) {
        let kept = self.kept.get();
        self.metrics.set(kept.metrics);
        self.maps.borrow_mut().truncate(kept.maps);
        self.pinned.borrow_mut().truncate(kept.pinned);
    }

    /// Takes what a call brings of the past.
    pub(crate) fn begin_historical(&self, call: &Call<'_>) {
        let mut known = self.historical.borrow_mut();
        // Of one application all calls bring the same: the count behind it is left alone.
        let same = match (&*known, call.historical) {
            (Some((known, _)), Some(given)) => Arc::ptr_eq(known, given),
            (None, None) => true,
            _ => false,
        };
        if !same {
            *known = call.historical.map(|cache| (cache.clone(), call.namespace));
        }
        *self.historical_state.borrow_mut() = call.historical_state.cloned();
    }

    /// Takes what a call brings of the platform. Of one application all calls bring the same: the count
    /// behind it is left alone.
    pub(crate) fn begin_attestation(&self, given: Option<&Arc<NodeAttestor>>) {
        let mut known = self.attestor.borrow_mut();
        if known.as_ref().map(Arc::as_ptr) != given.map(Arc::as_ptr) {
            *known = given.cloned();
        }
    }

    /// Lets go of it: handles that scripts have kept lead nowhere.
    pub(crate) fn finish_historical(&self) {
        *self.historical_state.borrow_mut() = None;
        self.states.borrow_mut().clear();
    }

    /// Starts the clock: scripts are interrupted after `limit`.
    pub(crate) fn arm(&self, limit: Duration) {
        let now = Instant::now();
        self.clock.set(Some((now, limit)));
        self.timed_out.set(false);
        engine::arm(now, limit);
    }

    /// Goes on with the clock after another interpreter had one on this thread.
    pub(crate) fn rearm(&self) {
        match self.clock.get() {
            Some((start, limit)) => engine::arm(start, limit),
            None => engine::disarm(),
        }
    }

    /// Stops the clock.
    pub(crate) fn disarm(&self) {
        engine::disarm();
        self.clock.set(None);
        self.timed_out.set(false);
    }

    /// The watchdog has stopped the engine.
    pub(crate) fn stop(&self) {
        self.timed_out.set(true);
        self.stopped.set(true);
    }

    /// Whether the watchdog has stopped the engine.
    pub(crate) fn stopped(&self) -> bool {
        self.stopped.get()
    }

    /// How long the script has been running.
    pub(crate) fn elapsed(&self) -> Duration {
        self.clock.get().map_or(Duration::ZERO, |(start, _)| start.elapsed())
    }

    /// How long it may still run; where nothing limits it, the default.
    pub(crate) fn remaining(&self) -> Duration {
        let limit = Duration::from_millis(RuntimeOptions::default().max_execution_time_ms);
        self.clock.get().map_or(limit, |(start, limit)| limit.saturating_sub(start.elapsed()))
    }

    /// Whether the script is to stop; polled by the engine.
    pub(crate) fn check_deadline(&self) -> bool {
        if self.clock.get().is_some_and(|(start, limit)| start.elapsed() >= limit) {
            self.timed_out.set(true);
        }
        self.timed_out.get()
    }

    /// Whether the script was interrupted.
    pub(crate) fn expired(&self) -> bool {
        self.timed_out.get()
    }

    /// Notes that the script used what differs from request to request.
    pub(crate) fn touch(&self) {
        self.ambient.set(true);
    }
}
