//! A language for tests: an app is a path that ends with `.fake`, and answers with what its loader says.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use affiant::hosting::{AppBundle, Frontend, FrontendWorker, RuntimeOptions};
use affiant::{AppError, Call, Endpoint, Response};
use serde_json::json;

use crate::exit::Failure;
use crate::language::{AppLoader, LoadedApp, Manner};

/// What a [`Fake`] was asked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Asked {
    Load(PathBuf, usize, PathBuf),
    OfBundle(RuntimeOptions),
    Prepare,
    Bundle(Vec<OsString>),
}

#[derive(Default)]
pub(crate) struct Fake {
    asked: Mutex<Vec<Asked>>,
}

impl Fake {
    /// What it was asked for since the last call.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().map(|mut asked| std::mem::take(&mut *asked)).unwrap_or_default()
    }

    fn note(&self, asked: Asked) {
        if let Ok(mut all) = self.asked.lock() {
            all.push(asked);
        }
    }

    /// A bundle of this language: one endpoint, `GET /x`.
    pub(crate) fn bundle(text: &str) -> AppBundle {
        let endpoint = json!({"js_module": "app.fake", "js_function": "f", "mode": "readonly",
            "forwarding_required": "never", "authn_policies": []});
        AppBundle {
            metadata: json!({"/x": {"get": endpoint}}),
            modules: vec![("/app.fake".to_owned(), text.to_owned())],
            origin: "app.fake".to_owned(),
            ..AppBundle::default()
        }
    }
}

impl AppLoader for Fake {
    fn language(&self) -> &'static str {
        "fake"
    }

    fn recognises(&self, app: &Path) -> bool {
        app.extension().is_some_and(|extension| extension == "fake")
    }

    fn recognises_bundle(&self, bundle: &AppBundle) -> bool {
        bundle.module("app.fake").is_some()
    }

    fn load(&self, app: &Path, manner: &Manner) -> Result<LoadedApp, String> {
        self.note(Asked::Load(app.to_owned(), manner.python_workers, manner.packages.clone()));
        ready(Self::bundle(&app.display().to_string()))
    }

    fn of_bundle(&self, bundle: AppBundle, manner: &Manner) -> Result<LoadedApp, String> {
        self.note(Asked::OfBundle(manner.options.clone()));
        ready(bundle)
    }

    fn files(&self, app: &Path) -> Vec<PathBuf> {
        vec![app.to_owned()]
    }

    fn prepare(&self, _manner: &Manner) -> Result<(), String> {
        self.note(Asked::Prepare);
        Ok(())
    }

    fn bundle(&self, arguments: &[OsString]) -> Result<u8, Failure> {
        self.note(Asked::Bundle(arguments.to_vec()));
        if arguments.len() > 1 { Ok(7) } else { Err(Failure::new(9, "one argument only")) }
    }
}

fn ready(bundle: AppBundle) -> Result<LoadedApp, String> {
    let endpoints = bundle.endpoints().map_err(|error| error.to_string())?;
    let answer = bundle.module("app.fake").unwrap_or_default().to_owned();
    Ok(LoadedApp {
        bundle,
        frontend: Arc::new(Answers { endpoints, answer }),
        warnings: Vec::new(),
    })
}

struct Answers {
    endpoints: Vec<Endpoint>,
    answer: String,
}

impl Frontend for Answers {
    fn language(&self) -> &'static str {
        "fake"
    }

    fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    fn worker(&self) -> Result<Box<dyn FrontendWorker>, AppError> {
        Ok(Box::new(Worker(self.answer.clone())))
    }
}

struct Worker(String);

impl FrontendWorker for Worker {
    fn call(&mut self, _call: &mut Call<'_>) -> Result<Response, AppError> {
        Ok(Response::text(200, self.0.clone()))
    }
}
