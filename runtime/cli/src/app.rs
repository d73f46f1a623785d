//! Loading an app: a bundle from disk becomes a front end, and every fault of it a sentence.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use affiant::log::Level;
use affiant::{AppBundle, Constitution, Endpoint, Frontend, RuntimeOptions};
use affiant_js::{JsConstitution, JsFrontend, LogSink};

/// Where `console` goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Console {
    /// Into the node's log.
    Log,
    /// To standard output, without the log's ornaments.
    Plain,
}

/// How an app is run.
#[derive(Clone, Debug)]
pub(crate) struct Manner {
    /// What the tables leave open.
    pub(crate) options: RuntimeOptions,
    pub(crate) console: Console,
}

impl Manner {
    /// What runs constitutions and ballots.
    pub(crate) fn constitution(&self) -> Arc<dyn Constitution> {
        Arc::new(match self.console {
            Console::Log => JsConstitution::default(),
            Console::Plain => JsConstitution::with_log(plain()),
        })
    }
}

/// An app, ready to be deployed.
pub(crate) struct App {
    pub(crate) bundle: AppBundle,
    pub(crate) frontend: Arc<dyn Frontend>,
    /// What will fail when it is called: modules that do not compile, missing handlers.
    pub(crate) warnings: Vec<String>,
    options: RuntimeOptions,
}

impl App {
    /// Loads a directory (`app.json` and `src/`), a `bundle.json` or a proposal with `set_js_app`.
    pub(crate) fn load(path: &Path, manner: &Manner) -> Result<Self, String> {
        if !path.exists() {
            return Err(format!(
                "{}: no such file or directory; an app is a directory with app.json and src/, a \
                 bundle.json, or a proposal with set_js_app",
                path.display()
            ));
        }
        let bundle = AppBundle::load(path).map_err(|error| error.to_string())?;
        Self::of_bundle(bundle, manner)
    }

    /// Makes a bundle ready.
    pub(crate) fn of_bundle(bundle: AppBundle, manner: &Manner) -> Result<Self, String> {
        let endpoints = bundle.endpoints().map_err(|error| error.to_string())?;
        Self::compile(bundle, endpoints, manner.options.clone(), manner.console)
    }

    /// The same app under other options.
    pub(crate) fn under(self, options: RuntimeOptions, manner: &Manner) -> Result<Self, String> {
        if self.options == options {
            return Ok(self);
        }
        let endpoints = self.endpoints().to_vec();
        Self::compile(self.bundle, endpoints, options, manner.console)
    }

    fn compile(
        bundle: AppBundle,
        endpoints: Vec<Endpoint>,
        options: RuntimeOptions,
        console: Console,
    ) -> Result<Self, String> {
        let given = options.clone();
        let frontend = match console {
            Console::Log => JsFrontend::load(&bundle, endpoints, given),
            Console::Plain => JsFrontend::load_with_log(&bundle, endpoints, given, plain()),
        };
        let frontend = frontend.map_err(|error| format!("{}: {error}", bundle.origin))?;
        let warnings = frontend.warnings().to_vec();
        Ok(Self { bundle, frontend: Arc::new(frontend), warnings, options })
    }

    pub(crate) fn endpoints(&self) -> &[Endpoint] {
        self.frontend.endpoints()
    }
}

/// Lines as they come, without the log's ornaments.
fn plain() -> LogSink {
    Arc::new(|level, tag, text| {
        let level = if level == Level::Info { "" } else { level.as_str() };
        let space = if level.is_empty() { "" } else { " " };
        // Nothing sensible can be done when nobody reads the output any more.
        let _ = writeln!(std::io::stdout(), "[{tag}]{space}{level} {text}");
    })
}
