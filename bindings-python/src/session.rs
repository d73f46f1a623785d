//! The running request as Python code finds it: a context variable leads to a [`Session`], also in the
//! threads to which frameworks copy the context.
//!
//! A session outlives its request where somebody keeps it; what it led to is taken out when the request
//! ends, so that late code is told so instead of touching another request's transaction.

use affiant::hosting::ExecutionContext;
use parking_lot::Mutex;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::error;
use crate::request::Request;
use crate::surface::{Failure, Outcome, Surface};
use crate::watchdog::Time;

const NOTHING_RUNS: &str = "no transaction is running here: use ccf.kv and its siblings while a \
                            request is handled, or within `with ccf.transaction():`";
const ENDED: &str = "the request that this code belongs to has ended, and its transaction with it";

/// One attempt at one request, or one explicit transaction.
#[pyclass(module = "affiant._native", frozen)]
pub(crate) struct Session {
    surface: Mutex<Option<Box<dyn Surface>>>,
    waits: bool,
    context: ExecutionContext,
    request: Option<Py<Request>>,
    time: Option<Time>,
}

impl Session {
    pub(crate) fn new(
        surface: Box<dyn Surface>,
        context: ExecutionContext,
        request: Option<Py<Request>>,
    ) -> Self {
        Self {
            waits: surface.waits(),
            surface: Mutex::new(Some(surface)),
            context,
            request,
            time: None,
        }
    }

    /// The same for code that may run for so long.
    pub(crate) fn within(self, time: Time) -> Self {
        Self { time: Some(time), ..self }
    }

    /// How long its code may run; None: for ever.
    pub(crate) fn time(&self) -> Option<Time> {
        self.time
    }

    pub(crate) fn context(&self) -> ExecutionContext {
        self.context
    }

    pub(crate) fn request(&self) -> Option<&Py<Request>> {
        self.request.as_ref()
    }

    /// Whether its request still runs.
    pub(crate) fn is_open(&self) -> bool {
        // Locked: somebody uses it.
        self.surface.try_lock().is_none_or(|surface| surface.is_some())
    }

    /// Ends the session: what was behind it. Waits for another thread's operation, so the GIL must be
    /// free where that may wait.
    pub(crate) fn close(&self) -> Option<Box<dyn Surface>> {
        self.surface.lock().take()
    }

    /// As [`Self::close`], from a thread that has the GIL.
    pub(crate) fn close_detached(&self, py: Python<'_>) -> Option<Box<dyn Surface>> {
        if self.waits { py.detach(|| self.close()) } else { self.close() }
    }

    /// Lends the surface to `run`.
    ///
    /// # Errors
    /// The request has ended, or `run` fails.
    pub(crate) fn with<R: Send>(
        &self,
        py: Python<'_>,
        run: impl FnOnce(&mut dyn Surface) -> Outcome<R> + Send,
    ) -> PyResult<R> {
        #[expect(clippy::redundant_closure, reason = "the function itself would borrow for ever")]
        let locked = || self.surface.lock().as_deref_mut().map(|surface| run(surface));
        // Let go before locking: a lock that is held while the GIL is waited for is a deadlock.
        let outcome = if self.waits { py.detach(locked) } else { locked() };
        match outcome {
            Some(Ok(value)) => Ok(value),
            Some(Err(failure)) => Err(raise(py, &failure)),
            None => Err(error::no_transaction(py, ENDED)),
        }
    }
}

fn raise(py: Python<'_>, failure: &Failure) -> PyErr {
    match failure {
        Failure::Store(refused) => error::of_store(py, refused),
        Failure::Other(reason) => error::general(py, reason),
    }
}

/// The context variable.
fn variable(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static VARIABLE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let made = VARIABLE.get_or_try_init(py, || {
        let class = py.import("contextvars")?.getattr("ContextVar")?;
        let arguments = pyo3::types::PyDict::new(py);
        arguments.set_item("default", py.None())?;
        Ok::<_, PyErr>(class.call(("ccf",), Some(&arguments))?.unbind())
    })?;
    Ok(made.bind(py))
}

/// The session of the code that runs.
///
/// # Errors
/// There is none.
pub(crate) fn current(py: Python<'_>) -> PyResult<Bound<'_, Session>> {
    find(py)?.ok_or_else(|| error::no_transaction(py, NOTHING_RUNS))
}

/// The session of the code that runs, if there is one.
pub(crate) fn find(py: Python<'_>) -> PyResult<Option<Bound<'_, Session>>> {
    let value = variable(py)?.call_method0(intern!(py, "get"))?;
    Ok(value.cast_into::<Session>().ok())
}

/// Makes `session` the current one until [`leave`].
pub(crate) fn enter<'py>(session: &Bound<'py, Session>) -> PyResult<Bound<'py, PyAny>> {
    let py = session.py();
    variable(py)?.call_method1(intern!(py, "set"), (session,))
}

/// Goes back to what was current before [`enter`] gave `token`.
pub(crate) fn leave(token: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = token.py();
    variable(py)?.call_method1(intern!(py, "reset"), (token,))?;
    Ok(())
}
