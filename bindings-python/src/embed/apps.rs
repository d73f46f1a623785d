//! Apps that Python code has loaded, to be served by nodes of this process.

use std::sync::Arc;
use std::time::Duration;

use affiant::hosting::{AppBundle, Frontend, RuntimeOptions};
use pyo3::prelude::*;

use crate::app::App;
use crate::frontend::PyFrontend;

/// An app that was loaded: `affiant._hosting.load.Loaded`, ready for any number of nodes.
#[pyclass(module = "affiant._native", frozen)]
pub(crate) struct LoadedApp {
    app: Arc<App>,
}

#[pymethods]
impl LoadedApp {
    #[new]
    fn new(loaded: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Self { app: Arc::new(App::of(loaded, false)?) })
    }

    /// Where it came from.
    #[getter]
    fn origin(&self) -> &str {
        &self.app.description.origin
    }

    /// What will fail when it is called.
    #[getter]
    fn warnings(&self) -> Vec<String> {
        self.app.description.warnings.clone()
    }
}

impl LoadedApp {
    /// What is deployed of it.
    pub(crate) fn bundle(&self) -> Result<AppBundle, String> {
        self.app.description.bundle()
    }

    /// What serves it, with details of exceptions in the answers: whoever embeds a node reads them.
    pub(crate) fn frontend(&self, time_limit: Duration) -> Result<Arc<dyn Frontend>, String> {
        let options = RuntimeOptions {
            max_execution_time_ms: u64::try_from(time_limit.as_millis()).unwrap_or(u64::MAX),
            return_exception_details: true,
            log_exception_details: true,
            ..RuntimeOptions::default()
        };
        let endpoints = self.bundle()?.endpoints().map_err(|error| error.to_string())?;
        let frontend = PyFrontend::new(self.app.clone(), endpoints, options)
            .map_err(|error| format!("{}: {}", self.origin(), error.message))?;
        Ok(Arc::new(frontend))
    }
}
