//! Interrupts handlers that run for longer than they may.
//!
//! A thread looks at every running call a few times a limit's length and has `ccf.TimeLimitExceeded`
//! raised in the thread of one that is overdue; again, should the handler swallow it. The exception comes
//! between two steps of Python: what loops inside one C function is beyond it, and only ends with its
//! process, which is what worker processes are for.
//!
//! A handler may have other threads work for it: those that were handed their work by way of
//! [`Assisting`] are interrupted for themselves, under the same limit.

use core::ffi::c_long;
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::error;
use crate::limits::{ENDING_MS_MAX, INTERRUPT_AGAIN_MS, WATCHDOG_TICK_MS};
use crate::session;

/// How long a call may take.
#[derive(Clone, Copy)]
pub(crate) struct Time {
    since: Instant,
    limit: Duration,
}

impl Time {
    /// `limit` from now on.
    pub(crate) fn from_now(limit: Duration) -> Self {
        Self { since: Instant::now(), limit }
    }

    /// Whether it has passed.
    pub(crate) fn is_over(self) -> bool {
        let ending = Duration::from_millis(ENDING_MS_MAX);
        let ending = ENDING.load(Ordering::Relaxed).then_some(ending);
        self.since.elapsed() >= ending.map_or(self.limit, |ending| ending.min(self.limit))
    }
}

struct Running {
    time: Time,
    interrupted: Option<Instant>,
}

/// One thread that runs handlers.
pub(crate) struct Watched {
    /// As Python numbers it.
    thread: c_long,
    running: Mutex<Option<Running>>,
}

static WATCHED: Mutex<Vec<std::sync::Weak<Watched>>> = Mutex::new(Vec::new());
static WATCHDOG: OnceLock<bool> = OnceLock::new();
static ENDING: AtomicBool = AtomicBool::new(false);

/// The process is about to end: handlers get little more time, whatever their limit. An interpreter that
/// ends while a thread runs in it ends the thread wherever it is, and the process with it.
pub(crate) fn process_ends() {
    ENDING.store(true, Ordering::Relaxed);
}

impl Watched {
    /// The calling thread, watched from now on.
    ///
    /// # Errors
    /// No thread for the watchdog.
    pub(crate) fn this_thread(py: Python<'_>) -> PyResult<Arc<Self>> {
        let thread = py.import("threading")?.call_method0("get_ident")?;
        // The identifier is an unsigned long to Python, and handed to a function that takes it so.
        let thread = thread.extract::<core::ffi::c_ulong>()?.cast_signed();
        let watched = Arc::new(Self { thread, running: Mutex::new(None) });
        WATCHED.lock().push(Arc::downgrade(&watched));
        let started = *WATCHDOG.get_or_init(|| {
            std::thread::Builder::new().name("python-watchdog".to_owned()).spawn(watch).is_ok()
        });
        if started {
            Ok(watched)
        } else {
            Err(error::general(py, "the watchdog's thread could not be started"))
        }
    }

    /// A call begins.
    pub(crate) fn begin(&self, time: Time) {
        self.replace(Some(Running { time, interrupted: None }));
    }

    /// The call has ended: no interruption of it comes later.
    pub(crate) fn end(&self, py: Python<'_>) {
        self.end_within(py, None);
    }

    /// As [`Self::end`], for a call within another one.
    fn end_within(&self, _py: Python<'_>, outer: Option<Running>) {
        let ended = self.replace(outer);
        if ended.is_some_and(|ended| ended.interrupted.is_some()) {
            // SAFETY: the GIL is held; a null exception takes back one that is pending.
            unsafe { pyo3::ffi::PyThreadState_SetAsyncExc(self.thread, core::ptr::null_mut()) };
        }
    }

    fn replace(&self, running: Option<Running>) -> Option<Running> {
        core::mem::replace(&mut *self.running.lock(), running)
    }

    fn is_overdue(&self) -> bool {
        self.running.lock().as_ref().is_some_and(Running::is_due)
    }

    fn interrupt(&self, py: Python<'_>) {
        let Ok(class) = error::time_limit_class(py) else { return };
        let mut running = self.running.lock();
        let Some(running) = running.as_mut().filter(|running| running.is_due()) else { return };
        running.interrupted = Some(Instant::now());
        // SAFETY: the GIL is held, and the class is a live exception class; the call still runs, since
        // it ends under the same lock.
        unsafe { pyo3::ffi::PyThreadState_SetAsyncExc(self.thread, class.as_ptr()) };
    }
}

impl Running {
    fn is_due(&self) -> bool {
        match self.interrupted {
            None => self.time.is_over(),
            Some(last) => last.elapsed() >= Duration::from_millis(INTERRUPT_AGAIN_MS),
        }
    }
}

fn watch() {
    loop {
        std::thread::sleep(Duration::from_millis(WATCHDOG_TICK_MS));
        let mut all = WATCHED.lock();
        all.retain(|watched| watched.strong_count() > 0);
        let overdue: Vec<Arc<Watched>> = all
            .iter()
            .filter_map(std::sync::Weak::upgrade)
            .filter(|watched| watched.is_overdue())
            .collect();
        drop(all);
        if !overdue.is_empty() {
            // Waits for the GIL, with no lock held. Without an interpreter nothing runs any more.
            let _ = Python::try_attach(|py| {
                for watched in &overdue {
                    watched.interrupt(py);
                }
            });
        }
    }
}

thread_local! {
    /// This thread, where it works for handlers of other threads.
    static ASSISTANT: RefCell<Option<Arc<Watched>>> = const { RefCell::new(None) };
}

/// A function that another thread runs for a handler, and no longer than the handler may take.
#[pyclass(module = "affiant._native", frozen)]
struct Assisting {
    function: Py<PyAny>,
    time: Time,
}

#[pymethods]
impl Assisting {
    #[pyo3(signature = (*arguments, **named))]
    fn __call__<'py>(
        &self,
        py: Python<'py>,
        arguments: &Bound<'py, PyTuple>,
        named: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let known = ASSISTANT.with_borrow(Clone::clone);
        let watched = match known {
            Some(watched) => watched,
            None => {
                let made = Watched::this_thread(py)?;
                ASSISTANT.set(Some(made.clone()));
                made
            }
        };
        let outer = watched.replace(Some(Running { time: self.time, interrupted: None }));
        let result = self.function.bind(py).call(arguments, named);
        watched.end_within(py, outer);
        result
    }
}

/// What a handler hands to another thread: `function`, which is interrupted there once the handler has
/// run for longer than it may. Outside handlers, `function` itself.
#[pyfunction]
fn assisting<'py>(py: Python<'py>, function: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    match session::find(py)?.and_then(|session| session.get().time()) {
        Some(time) => {
            Ok(Bound::new(py, Assisting { function: function.unbind(), time })?.into_any())
        }
        None => Ok(function),
    }
}

/// Puts [`assisting`] into the extension module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(assisting, module)?)
}
