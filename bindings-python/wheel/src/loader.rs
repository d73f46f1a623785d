//! Python apps for the commands: this process is a CPython.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use affiant::AppBundle;
use affiant_cli::{AppLoader, Failure, LoadedApp, Manner, exit, python};
use affiant_python::{App, AppSource, LoadOptions, PyFrontend};
use pyo3::exceptions::PySystemExit;
use pyo3::prelude::*;

/// Loads Python apps into this process.
pub(crate) struct PythonHere;

impl PythonHere {
    fn app(source: &AppSource, manner: &Manner) -> Result<Arc<App>, String> {
        let options =
            LoadOptions { packages: manner.packages.display().to_string(), guarded: true };
        App::load(source, &options).map(Arc::new)
    }

    fn serve(app: Arc<App>, bundle: AppBundle, manner: &Manner) -> Result<LoadedApp, String> {
        let endpoints = bundle.endpoints().map_err(|error| error.to_string())?;
        let warnings = app.warnings.clone();
        let frontend = PyFrontend::new(app, endpoints, manner.options.clone())
            .map_err(|error| format!("{}: {}", bundle.origin, error.message))?;
        Ok(LoadedApp { bundle, frontend: Arc::new(frontend), warnings })
    }
}

impl AppLoader for PythonHere {
    fn language(&self) -> &'static str {
        "python"
    }

    fn recognises(&self, app: &Path) -> bool {
        python::is_app(app)
    }

    fn recognises_bundle(&self, bundle: &AppBundle) -> bool {
        python::is_bundle(bundle)
    }

    fn load(&self, app: &Path, manner: &Manner) -> Result<LoadedApp, String> {
        let app = Self::app(&AppSource::Place(app.display().to_string()), manner)?;
        let bundle = AppBundle {
            metadata: app.endpoints.clone(),
            modules: app.modules.clone(),
            manifest: Some(app.manifest.clone()),
            origin: app.origin.clone(),
            ..AppBundle::default()
        };
        Self::serve(app, bundle, manner)
    }

    fn of_bundle(&self, bundle: AppBundle, manner: &Manner) -> Result<LoadedApp, String> {
        let source = AppSource::Modules {
            modules: bundle.modules.clone(),
            endpoints: bundle.metadata.clone(),
            manifest: bundle.manifest.clone().unwrap_or_default(),
        };
        Self::serve(Self::app(&source, manner)?, bundle, manner)
    }

    fn files(&self, app: &Path) -> Vec<PathBuf> {
        python::files(app)
    }

    fn bundle(&self, arguments: &[OsString]) -> Result<u8, Failure> {
        let code = Python::attach(|py| {
            let run = || {
                let command = py.import("affiant._bundle.command")?;
                command.call_method1("main", (arguments.to_vec(),))?.extract::<u8>()
            };
            run().or_else(|error| exit_code(py, &error).ok_or(error))
        });
        code.map_err(|error| Failure::new(exit::FAILURE, format!("bundle: {error}")))
    }
}

/// The code of a `SystemExit`, with which Python's commands end at wrong usage.
fn exit_code(py: Python<'_>, error: &PyErr) -> Option<u8> {
    if !error.is_instance_of::<PySystemExit>(py) {
        return None;
    }
    error.value(py).getattr("code").ok()?.extract().ok()
}
