//! The workers of one app: as many as serve at one time, and a spare one, so that the request after a
//! crash finds a worker whose app is imported.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use affiant::{AppError, log_fail, odata};
use parking_lot::{Condvar, Mutex, MutexGuard};

use super::limits::{
    START_BACKOFF_MS, START_BACKOFF_MS_MAX, STARTING_COUNT_MAX, WORKER_WAIT_MS_MAX,
};
use super::process::{Plan, Process, SharedPlan, stop_all};

/// Gives out workers, and replaces those that end.
pub(super) struct Pool {
    plan: SharedPlan,
    /// A frame: what is served.
    serve: Vec<u8>,
    /// How many workers there are to be, while all seats are taken.
    wanted: usize,
    state: Mutex<State>,
    /// Signalled when the state changes.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Ready, and with nobody.
    spares: VecDeque<Process>,
    /// Given out.
    taken: usize,
    starting: usize,
    /// Threads that ended: their workers are not replaced.
    seats_left: usize,
    closing: bool,
    /// Starts that failed since one succeeded.
    failures: u32,
    /// Until then no other is tried.
    retry_at: Option<Instant>,
}

impl State {
    fn missing(&self, wanted: usize) -> bool {
        self.spares.len() + self.taken + self.starting + self.seats_left < wanted
            && self.starting < STARTING_COUNT_MAX
    }
}

impl Pool {
    /// A pool for `seats` threads, with its first worker.
    ///
    /// # Errors
    /// The first worker does not serve, or there is no thread to start the others.
    pub(super) fn open(
        plan: SharedPlan,
        serve: Vec<u8>,
        first: Process,
        seats: usize,
    ) -> Result<Arc<Self>, String> {
        let first = first.serve(&serve)?;
        let state = State { spares: VecDeque::from([first]), ..State::default() };
        let pool = Arc::new(Self {
            plan,
            serve,
            wanted: seats + 1,
            state: Mutex::new(state),
            changed: Condvar::new(),
        });
        let keeper = pool.clone();
        std::thread::Builder::new()
            .name("python-keeper".to_owned())
            .spawn(move || keeper.keep())
            .map_err(|error| format!("a thread: {error}"))?;
        Ok(pool)
    }

    /// A worker, for the calling thread; [`Self::lost`] or [`Self::leave`] must follow.
    ///
    /// # Errors
    /// There is none, and none is soon to be had.
    pub(super) fn take(&self) -> Result<Process, AppError> {
        let deadline = Instant::now() + Duration::from_millis(WORKER_WAIT_MS_MAX);
        let mut state = self.state.lock();
        loop {
            while let Some(spare) = state.spares.pop_front() {
                self.changed.notify_all();
                if spare.is_alive() {
                    state.taken += 1;
                    return Ok(spare);
                }
                MutexGuard::unlocked(&mut state, || {
                    let (id, how) = (spare.id(), spare.end(&super::Broken::Closed));
                    log_fail!("app", "The Python worker process {id} ended while idle ({how})");
                });
            }
            let hopeless = state.failures > 0 && state.starting == 0;
            if state.closing || hopeless {
                return Err(unavailable());
            }
            if self.changed.wait_until(&mut state, deadline).timed_out() {
                return Err(unavailable());
            }
        }
    }

    /// A worker that was taken is no more.
    pub(super) fn lost(&self) {
        self.state.lock().taken -= 1;
        self.changed.notify_all();
    }

    /// A thread that was served ends, with the worker that it had.
    pub(super) fn leave(&self, worker: Option<Process>) {
        let mut state = self.state.lock();
        state.seats_left += 1;
        state.taken -= usize::from(worker.is_some());
        drop(state);
        stop_all(worker.into_iter().collect());
    }

    /// Nothing new is started; idle workers stop.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.closing = true;
        let spares = core::mem::take(&mut state.spares);
        drop(state);
        self.changed.notify_all();
        stop_all(spares.into());
    }

    fn keep(self: Arc<Self>) {
        loop {
            let mut state = self.state.lock();
            loop {
                if state.closing {
                    return;
                }
                let retry_at = state.retry_at.filter(|at| *at > Instant::now());
                match (state.missing(self.wanted), retry_at) {
                    (true, None) => break,
                    (true, Some(at)) => {
                        self.changed.wait_until(&mut state, at);
                    }
                    (false, _) => self.changed.wait(&mut state),
                }
            }
            state.starting += 1;
            drop(state);
            let starter = self.clone();
            let started = std::thread::Builder::new()
                .name("python-starter".to_owned())
                .spawn(move || starter.started(starter.start()));
            if let Err(error) = started {
                self.started(Err(format!("a thread: {error}")));
            }
        }
    }

    fn start(&self) -> Result<Process, String> {
        let plan: &Plan = &self.plan;
        let (process, _) = Process::start(plan)?;
        process.serve(&self.serve)
    }

    /// Notes how a start ended.
    fn started(&self, result: Result<Process, String>) {
        let mut state = self.state.lock();
        state.starting -= 1;
        match result {
            Ok(process) => {
                state.failures = 0;
                state.retry_at = None;
                if state.closing {
                    drop(state);
                    stop_all(vec![process]);
                    return;
                }
                state.spares.push_back(process);
                drop(state);
            }
            Err(reason) => {
                let wait_ms = START_BACKOFF_MS
                    .saturating_mul(1 << state.failures.min(16))
                    .min(START_BACKOFF_MS_MAX);
                state.failures = state.failures.saturating_add(1);
                state.retry_at = Some(Instant::now() + Duration::from_millis(wait_ms));
                let closing = state.closing;
                drop(state);
                if !closing {
                    log_fail!(
                        "app",
                        "A Python worker process cannot be started; tried again in {wait_ms} ms: \
                         {reason}"
                    );
                }
            }
        }
        self.changed.notify_all();
    }
}

fn unavailable() -> AppError {
    let message = "No process is ready to run this application's handlers. Retry later.";
    AppError::new(503, odata::EXECUTOR_DISPATCH_FAILED, message)
}
