//! Loading an app, in whatever language, and keeping it under the options that are in force.

use std::path::Path;
use std::sync::Arc;

use affiant::Endpoint;
use affiant::governance::Constitution;
use affiant::hosting::{AppBundle, Frontend, RuntimeOptions};

use crate::javascript;
use crate::language::{Languages, LoadedApp, Manner};

/// Whence apps come here: the languages, and how they are run.
#[derive(Clone)]
pub(crate) struct Apps {
    pub(crate) languages: Languages,
    pub(crate) manner: Manner,
}

/// An app, ready to be deployed.
pub(crate) struct App {
    pub(crate) bundle: AppBundle,
    pub(crate) frontend: Arc<dyn Frontend>,
    /// [`LoadedApp::warnings`].
    pub(crate) warnings: Vec<String>,
    options: RuntimeOptions,
}

impl App {
    pub(crate) fn endpoints(&self) -> &[Endpoint] {
        self.frontend.endpoints()
    }
}

impl Apps {
    /// Loads the app that `path` names.
    pub(crate) fn load(&self, path: &Path) -> Result<App, String> {
        let loaded = self.languages.of_app(path)?.load(path, &self.manner)?;
        Ok(app(loaded, self.manner.options.clone()))
    }

    /// Makes a bundle ready, under `options`.
    pub(crate) fn of_bundle(
        &self,
        bundle: AppBundle,
        options: RuntimeOptions,
    ) -> Result<App, String> {
        let manner = Manner { options: options.clone(), ..self.manner.clone() };
        let loaded = self.languages.of_bundle(&bundle)?.of_bundle(bundle, &manner)?;
        Ok(app(loaded, options))
    }

    /// The same app under other options.
    pub(crate) fn under(&self, app: App, options: RuntimeOptions) -> Result<App, String> {
        if app.options == options { Ok(app) } else { self.of_bundle(app.bundle, options) }
    }

    /// Before a node is started whose tables hold an app in `language`.
    pub(crate) fn prepare(&self, language: &str) -> Result<(), String> {
        self.languages.named(language).map_or(Ok(()), |loader| loader.prepare(&self.manner))
    }

    /// What runs constitutions and ballots.
    pub(crate) fn constitution(&self) -> Arc<dyn Constitution> {
        javascript::constitution(self.manner.console)
    }
}

fn app(loaded: LoadedApp, options: RuntimeOptions) -> App {
    let LoadedApp { bundle, frontend, warnings } = loaded;
    App { bundle, frontend, warnings, options }
}
