//! Loading: what `affiant._hosting.load` makes of a directory or of modules from the ledger.

use std::collections::{BTreeMap, HashMap};

use affiant::Endpoint;
use affiant::hosting::AppBundle;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::error::{reason_of, trace_of};
use crate::json;

/// Where an app comes from.
#[derive(Clone, Debug)]
pub enum AppSource {
    /// A path as on a command line: `app.py`, `app.py:attribute`, a directory, a bundle.
    Place(String),
    /// Modules from the ledger, with the endpoints that the tables have, and the manifest.
    Modules {
        /// Name with a leading slash, and source.
        modules: Vec<(String, String)>,
        /// As `endpoints` of an app.json.
        endpoints: Json,
        /// What the bundle says of itself; null if nothing.
        manifest: Json,
    },
}

/// How an app is loaded.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// Where the packages of bundles lie.
    pub packages: String,
    /// The app gets what its policy names and nothing else; for the life of this process.
    pub guarded: bool,
}

/// Who understands a handler's result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Any value of the handler contract.
    Handler,
    /// Status, header lines and body, final.
    Web,
}

/// One endpoint's code.
pub(crate) struct Handler {
    pub(crate) callable: Py<PyAny>,
    pub(crate) kind: Kind,
}

/// What an app says of itself once it is loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// What the app declares, as app.json has it; JSON.
    pub endpoints: String,
    /// The app's own modules: name with a leading slash, and source.
    pub modules: Vec<(String, String)>,
    /// What will fail when it is called.
    pub warnings: Vec<String>,
    /// The app's own OpenAPI document, such as FastAPI's; JSON.
    pub openapi: Option<String>,
    /// What is recorded of it in the ledger beside endpoints and modules; JSON.
    pub manifest: String,
    /// Where its metadata came from, for messages.
    pub origin: String,
}

impl Description {
    /// What is deployed of the app.
    ///
    /// # Errors
    /// It is not what it says, which only a worker process that was overwritten brings about.
    pub fn bundle(&self) -> Result<AppBundle, String> {
        Ok(AppBundle {
            metadata: self.json("endpoints", &self.endpoints)?,
            modules: self.modules.clone(),
            manifest: Some(self.json("manifest", &self.manifest)?),
            origin: self.origin.clone(),
            ..AppBundle::default()
        })
    }

    /// The app's own OpenAPI document.
    pub(crate) fn openapi(&self) -> Result<Option<Json>, String> {
        self.openapi.as_deref().map(|text| self.json("OpenAPI document", text)).transpose()
    }

    fn json(&self, what: &str, text: &str) -> Result<Json, String> {
        serde_json::from_str(text).map_err(|error| format!("{}: its {what}: {error}", self.origin))
    }
}

/// A loaded app.
pub struct App {
    loaded: Py<PyAny>,
    /// `affiant._hosting.asgi`, whose `run` drives coroutines.
    pub(crate) module: Py<PyModule>,
    pub(crate) coroutine_class: Py<PyAny>,
    /// What it says of itself.
    pub description: Description,
    /// Where the wheels of its bundle were unpacked. Under the guard only we can remove it.
    unpacked: Option<String>,
    /// [`LoadOptions::guarded`].
    pub(crate) guarded: bool,
}

impl App {
    /// Imports the app and finds its handlers.
    ///
    /// # Errors
    /// Why it cannot be loaded, in a sentence for its author.
    pub fn load(source: &AppSource, options: &LoadOptions) -> Result<Self, String> {
        Python::attach(|py| load(py, source, options).map_err(|error| why(py, &error)))
    }

    /// From what `affiant._hosting` has loaded, with the origin and the manifest that `place` adds.
    pub(crate) fn of(loaded: &Bound<'_, PyAny>, guarded: bool) -> PyResult<Self> {
        let py = loaded.py();
        let text = |name: &str| -> PyResult<String> {
            Ok(String::from_utf8(json::dumps(&loaded.getattr(name)?)?)?)
        };
        let modules: BTreeMap<String, String> = loaded.getattr("modules")?.extract()?;
        let has_openapi = !loaded.getattr("openapi")?.is_none();
        let description = Description {
            endpoints: text("endpoints")?,
            modules: modules.into_iter().collect(),
            warnings: loaded.getattr("warnings")?.extract()?,
            openapi: has_openapi.then(|| text("openapi")).transpose()?,
            manifest: text("manifest")?,
            origin: loaded.getattr("origin")?.extract()?,
        };
        let bundle = loaded.getattr("bundle")?;
        let unpacked =
            if bundle.is_none() { None } else { bundle.getattr("directory")?.extract()? };
        let coroutine_class = py.import("types")?.getattr("CoroutineType")?.unbind();
        Ok(Self {
            module: py.import("affiant._hosting.asgi")?.unbind(),
            coroutine_class,
            description,
            unpacked,
            guarded,
            loaded: loaded.clone().unbind(),
        })
    }

    pub(crate) fn handler(&self, py: Python<'_>, endpoint: &Endpoint) -> Result<Handler, String> {
        self.handler_of(py, &endpoint.method, &endpoint.path)
    }

    pub(crate) fn handler_of(
        &self,
        py: Python<'_>,
        method: &str,
        path: &str,
    ) -> Result<Handler, String> {
        let key = format!("{method} {path}");
        let found = self
            .loaded
            .bind(py)
            .getattr(intern!(py, "handlers"))
            .and_then(|handlers| handlers.get_item(&key))
            .map_err(|_| format!("{key}: the app has no handler for this endpoint"))?;
        let kind = found.getattr(intern!(py, "kind")).and_then(|kind| kind.extract::<String>());
        let kind = match kind.as_deref() {
            Ok("web") => Kind::Web,
            _ => Kind::Handler,
        };
        Ok(Handler { callable: found.unbind(), kind })
    }
}

impl Drop for App {
    /// Ends the app's lifespan, and removes what was unpacked for it.
    fn drop(&mut self) {
        // After the interpreter's end there is nobody to tell.
        let _ = Python::try_attach(|py| {
            let ended = self.loaded.bind(py).call_method0(intern!(py, "shutdown"));
            if let Err(error) = ended {
                affiant::log_fail!("app", "The app failed as it ended: {}", reason_of(py, &error));
            }
        });
        if let Some(directory) = &self.unpacked {
            // Else the next one to unpack a bundle there does it.
            let _ = std::fs::remove_dir_all(directory);
        }
    }
}

/// Why an app is not loaded, in a sentence for its author.
pub(crate) fn why(py: Python<'_>, error: &PyErr) -> String {
    let own = error.get_type(py).name().is_ok_and(|name| name == "AppLoadError");
    if own { error.value(py).to_string() } else { traced(py, error) }
}

/// The reason with its traceback, since the author of the app asked for it to be loaded.
fn traced(py: Python<'_>, error: &PyErr) -> String {
    let trace = trace_of(py, error).unwrap_or_else(|| reason_of(py, error));
    format!("the app failed as it was imported:\n{}", trace.trim_end())
}

fn load(py: Python<'_>, source: &AppSource, options: &LoadOptions) -> PyResult<App> {
    let place = py.import("affiant._hosting.place")?;
    let value = |json: &Json| json::loads(py, json.to_string().as_bytes());
    let arguments = PyDict::new(py);
    arguments.set_item("packages", &options.packages)?;
    arguments.set_item("guarded", options.guarded)?;
    let loaded = match source {
        AppSource::Place(path) => place.call_method("load", (path,), Some(&arguments))?,
        AppSource::Modules { modules, endpoints, manifest } => {
            let modules: HashMap<_, _> = modules.iter().cloned().collect();
            let given = (modules, value(endpoints)?, value(manifest)?);
            place.call_method("load_modules", given, Some(&arguments))?
        }
    };

    App::of(&loaded, options.guarded)
}
