//! A loaded Python app and its workers in the node's own process.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use affiant::hosting::{ExecutionContext, Frontend, FrontendWorker, RuntimeOptions, Threads};
use affiant::{AppError, Call, Endpoint, Response};
use pyo3::intern;
use pyo3::prelude::*;
use serde_json::Value as Json;

use crate::app::{App, Handler, Kind};
use crate::error;
use crate::limits::{GIVE_UP_GRACE_MS, OBJECT_BYTES_DEFAULT};
use crate::memory;
use crate::request::Request;
use crate::response;
use crate::session::{self, Session};
use crate::surface::Local;
use crate::thread::KeptThread;
use crate::watchdog::{Time, Watched};

/// A Python app, ready to be served by this process.
pub struct PyFrontend {
    shared: Arc<Shared>,
}

struct Shared {
    app: Arc<App>,
    endpoints: Vec<Endpoint>,
    /// Per endpoint.
    handlers: Vec<Handler>,
    options: RuntimeOptions,
    version: String,
    openapi: Option<Json>,
}

impl PyFrontend {
    /// The app under `options`, with the endpoints that its metadata gave.
    ///
    /// # Errors
    /// An endpoint has no handler.
    pub fn new(
        app: Arc<App>,
        endpoints: Vec<Endpoint>,
        options: RuntimeOptions,
    ) -> Result<Self, AppError> {
        let handlers = Python::attach(|py| {
            endpoints.iter().map(|endpoint| app.handler(py, endpoint)).collect::<Result<_, _>>()
        });
        let handlers = handlers.map_err(AppError::internal)?;
        // Unguarded, this process is not the app's alone: only whoever runs it may bound its objects.
        if app.guarded || bounds_objects(&options) {
            Python::attach(|py| memory::bound(py, object_bytes(&options)));
        }
        let version = Python::version_str().to_owned();
        let openapi = app.description.openapi().map_err(AppError::internal)?;
        let shared = Shared { app, endpoints, handlers, options, version, openapi };
        Ok(Self { shared: Arc::new(shared) })
    }
}

/// The bound that governance sets; CCF's default is one for JavaScript's small heaps.
pub(crate) fn object_bytes(options: &RuntimeOptions) -> u64 {
    if bounds_objects(options) { options.max_heap_bytes } else { OBJECT_BYTES_DEFAULT }
}

fn bounds_objects(options: &RuntimeOptions) -> bool {
    options.max_heap_bytes != RuntimeOptions::default().max_heap_bytes
}

impl Frontend for PyFrontend {
    fn language(&self) -> &'static str {
        "python"
    }

    fn engine_version(&self) -> Option<&str> {
        Some(&self.shared.version)
    }

    /// One: more would wait for each other's GIL.
    fn threads(&self) -> Threads {
        Threads::Own(NonZeroUsize::MIN)
    }

    fn give_up_after(&self) -> Option<Duration> {
        let limit = self.shared.options.max_execution_time_ms;
        Some(Duration::from_millis(limit.saturating_add(GIVE_UP_GRACE_MS)))
    }

    fn openapi(&self) -> Option<&Json> {
        self.shared.openapi.as_ref()
    }

    fn endpoints(&self) -> &[Endpoint] {
        &self.shared.endpoints
    }

    fn worker(&self) -> Result<Box<dyn FrontendWorker>, AppError> {
        let thread = KeptThread::new();
        let watched = Python::attach(Watched::this_thread)
            .map_err(|error| AppError::internal(error.to_string()))?;
        Ok(Box::new(PyWorker { shared: self.shared.clone(), watched, _thread: thread }))
    }
}

/// One thread that runs handlers.
struct PyWorker {
    shared: Arc<Shared>,
    watched: Arc<Watched>,
    _thread: KeptThread,
}

impl FrontendWorker for PyWorker {
    fn call(&mut self, call: &mut Call<'_>) -> Result<Response, AppError> {
        let Some(handler) = self.shared.handlers.get(call.endpoint_index) else {
            return Err(AppError::internal("no such Python endpoint"));
        };
        let context = ExecutionContext::Application(call.endpoint.options.mode);
        let request = call.request.clone();
        let local = Local::take(call);
        let (result, local) = Python::attach(|py| {
            let shared = &self.shared;
            let limit = Duration::from_millis(shared.options.max_execution_time_ms);
            let called = Called { time: Time::from_now(limit), context, request };
            self.watched.begin(called.time);
            let (result, surface) = run(py, &shared.app, handler, Box::new(local), called);
            // Still watched: what an exception says of itself is code of the app.
            let result = result.map_err(|failed| error::answer(py, &failed, &shared.options));
            self.watched.end(py);
            (result, surface)
        });
        match local.and_then(crate::surface::Surface::into_local) {
            Some(local) => local.give_back(call),
            // Only a session that never came to be loses its transaction; nothing was done in it.
            None => return Err(AppError::internal("the request could not be handed to Python")),
        }
        result
    }
}

/// One call of a handler.
pub(crate) struct Called {
    pub(crate) time: Time,
    pub(crate) context: ExecutionContext,
    pub(crate) request: affiant::Request,
}

type Behind = Option<Box<dyn crate::surface::Surface>>;

/// Runs one handler in a session of its own; what was behind the session comes back.
pub(crate) fn run(
    py: Python<'_>,
    app: &App,
    handler: &Handler,
    surface: Box<dyn crate::surface::Surface>,
    called: Called,
) -> (PyResult<Response>, Behind) {
    let Called { time, context, request } = called;
    let made = Bound::new(py, Request::new(request)).and_then(|request| {
        let session = Session::new(surface, context, Some(request.clone().unbind())).within(time);
        Ok((Bound::new(py, session)?, request))
    });
    let (session, request) = match made {
        Ok(made) => made,
        Err(failed) => return (Err(failed), None),
    };
    let result = session::enter(&session).and_then(|token| {
        let result = catch_unwind(AssertUnwindSafe(|| serve(py, app, handler, &request)))
            .unwrap_or_else(|panic| Err(error::panicked(py, &*panic)));
        session::leave(&token)?;
        result
    });
    (result, session.get().close_detached(py))
}

fn serve(
    py: Python<'_>,
    app: &App,
    handler: &Handler,
    request: &Bound<'_, Request>,
) -> PyResult<Response> {
    let mut value = handler.callable.bind(py).call1((request,))?;
    if value.get_type().is(app.coroutine_class.bind(py)) {
        value = app.module.bind(py).call_method1(intern!(py, "run"), (value,))?;
    }
    match handler.kind {
        Kind::Handler => response::of_handler(&value),
        Kind::Web => response::of_web(&value),
    }
}
