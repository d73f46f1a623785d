//! Python apps for the commands: this process is a CPython.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use affiant::AppError;
use affiant::hosting::{AppBundle, Frontend, python};
use affiant_cli::{AppLoader, Console, Failure, LoadedApp, Manner, exit};
use affiant_python::{
    App, AppSource, Description, LoadOptions, PyFrontend, PyWorkersFrontend, WorkersApp,
};
use pyo3::exceptions::PySystemExit;
use pyo3::prelude::*;

/// Loads Python apps, into this process or into worker processes.
pub(crate) struct PythonHere;

/// A loaded app, wherever it is.
enum Loaded {
    Here(App),
    Workers(WorkersApp),
}

impl Loaded {
    fn load(source: &AppSource, manner: &Manner) -> Result<(Self, Description), String> {
        let options =
            LoadOptions { packages: manner.packages.display().to_string(), guarded: true };
        match NonZeroUsize::new(manner.python_workers) {
            None => {
                let app = App::load(source, &options)?;
                let description = app.description.clone();
                Ok((Self::Here(app), description))
            }
            Some(count) => {
                let console = match manner.console {
                    Console::Log => affiant_python::Console::Log,
                    Console::Plain => affiant_python::Console::Plain,
                };
                let app = WorkersApp::load(source, &options, console, count)?;
                let description = app.description.clone();
                Ok((Self::Workers(app), description))
            }
        }
    }

    fn serve(
        self,
        bundle: AppBundle,
        warnings: Vec<String>,
        manner: &Manner,
    ) -> Result<LoadedApp, String> {
        let endpoints = bundle.endpoints().map_err(|error| error.to_string())?;
        let options = manner.options.clone();
        let frontend: Result<Arc<dyn Frontend>, AppError> = match self {
            Self::Here(app) => PyFrontend::new(Arc::new(app), endpoints, options)
                .map(|frontend| Arc::new(frontend) as _),
            Self::Workers(app) => PyWorkersFrontend::new(app, endpoints, options)
                .map(|frontend| Arc::new(frontend) as _),
        };
        let frontend = frontend.map_err(|error| format!("{}: {}", bundle.origin, error.message))?;
        Ok(LoadedApp { bundle, frontend, warnings })
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
        let source = AppSource::Place(app.display().to_string());
        let (loaded, description) = Loaded::load(&source, manner)?;
        let bundle = description.bundle()?;
        loaded.serve(bundle, description.warnings, manner)
    }

    fn of_bundle(&self, bundle: AppBundle, manner: &Manner) -> Result<LoadedApp, String> {
        let source = AppSource::Modules {
            modules: bundle.modules.clone(),
            endpoints: bundle.metadata.clone(),
            manifest: bundle.manifest.clone().unwrap_or_default(),
        };
        let (loaded, description) = Loaded::load(&source, manner)?;
        loaded.serve(bundle, description.warnings, manner)
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
