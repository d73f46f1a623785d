//! Apps that Python code has loaded, to be served by nodes of this process.

use std::sync::Arc;
use std::time::Duration;

use affiant::{AppBundle, CommitNotice, Frontend, Node, RuntimeOptions};
use affiant_kv::CommitOutcome;
use pyo3::prelude::*;

use crate::app::App;
use crate::frontend::PyFrontend;
use crate::limits::REGISTER_ATTEMPTS_MAX;

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
        &self.app.origin
    }

    /// What will fail when it is called.
    #[getter]
    fn warnings(&self) -> Vec<String> {
        self.app.warnings.clone()
    }
}

impl LoadedApp {
    fn bundle(&self) -> AppBundle {
        AppBundle {
            metadata: self.app.endpoints.clone(),
            modules: self.app.modules.clone(),
            manifest: Some(self.app.manifest.clone()),
            origin: self.app.origin.clone(),
            ..AppBundle::default()
        }
    }

    /// What serves it, with details of exceptions in the answers: whoever embeds a node reads them.
    pub(crate) fn frontend(&self, time_limit: Duration) -> Result<Arc<dyn Frontend>, String> {
        let options = RuntimeOptions {
            max_execution_time_ms: u64::try_from(time_limit.as_millis()).unwrap_or(u64::MAX),
            return_exception_details: true,
            log_exception_details: true,
            ..RuntimeOptions::default()
        };
        let endpoints = self.bundle().endpoints().map_err(|error| error.to_string())?;
        let frontend = PyFrontend::new(self.app.clone(), endpoints, options)
            .map_err(|error| format!("{}: {}", self.app.origin, error.message))?;
        Ok(Arc::new(frontend))
    }

    pub(crate) fn deploy(&self, node: &Node) -> Result<(), String> {
        let bundle = self.bundle();
        for _ in 0..REGISTER_ATTEMPTS_MAX {
            let stored = AppBundle::read(&node.snapshot()).map_err(|error| error.to_string())?;
            if stored.is_some_and(|stored| bundle.is_same_app(&stored)) {
                return Ok(());
            }
            let mut tx = node.begin();
            bundle.store(&mut tx).map_err(|error| error.to_string())?;
            match node.commit(tx) {
                CommitOutcome::Sequenced(txid) => {
                    return match node.wait_committed_blocking(txid) {
                        CommitNotice::Failed(reason) => Err(reason),
                        _ => Ok(()),
                    };
                }
                CommitOutcome::Poisoned(reason) => return Err(reason),
                _ => {}
            }
        }
        Err("the app could not be put into the ledger: conflicts".to_owned())
    }
}
