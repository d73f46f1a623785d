//! A Python app in a host: as in the wheel's process, but for what a host's process does not have.

use std::mem::ManuallyDrop;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use affiant::hosting::{Frontend, FrontendWorker, Threads};
use affiant::{AppError, Endpoint};
use affiant_python::PyFrontend;
use serde_json::Value as Json;

use crate::interpreter::Interpreter;
use crate::{signals, without_gil};

/// What serves a loaded app.
pub(crate) struct Hosted {
    /// Until it is dropped.
    app: Option<PyFrontend>,
    endpoints: Vec<Endpoint>,
    openapi: Option<Json>,
    version: Option<String>,
    threads: Threads,
    patience: Option<Duration>,
    interpreter: Arc<Interpreter>,
}

impl Hosted {
    pub(crate) fn new(app: PyFrontend, interpreter: Arc<Interpreter>) -> Self {
        Self {
            endpoints: app.endpoints().to_vec(),
            openapi: app.openapi().cloned(),
            version: app.engine_version().map(str::to_owned),
            threads: apart(app.threads()),
            patience: app.give_up_after(),
            app: Some(app),
            interpreter,
        }
    }
}

/// The same threads, for callers in process too: those of the host, which may be small, run no Python.
fn apart(threads: Threads) -> Threads {
    match threads {
        Threads::Own(count) | Threads::Apart(count) => Threads::Apart(count),
        Threads::Shared => Threads::Apart(NonZeroUsize::MIN),
    }
}

impl Frontend for Hosted {
    fn language(&self) -> &'static str {
        "python"
    }

    fn threads(&self) -> Threads {
        self.threads
    }

    fn give_up_after(&self) -> Option<Duration> {
        self.patience
    }

    fn engine_version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    fn openapi(&self) -> Option<&Json> {
        self.openapi.as_ref()
    }

    fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    fn worker(&self) -> Result<Box<dyn FrontendWorker>, AppError> {
        signals::block_pipe();
        let app = self.app.as_ref();
        app.ok_or_else(|| AppError::internal("the app was unloaded"))?.worker()
    }
}

impl Drop for Hosted {
    /// Ends the app, what its framework has started included, on the interpreter's thread.
    fn drop(&mut self) {
        let Some(app) = self.app.take() else { return };
        let app = ManuallyDrop::new(app);
        // In a forked process, where that thread is missing, the app is left as it is.
        let _ = without_gil(|| self.interpreter.run(move || drop(ManuallyDrop::into_inner(app))));
    }
}
