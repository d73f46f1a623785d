//! JavaScript apps: a directory with `app.json` and `src/`, a `bundle.json`, or a proposal.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use affiant::governance::Constitution;
use affiant::hosting::AppBundle;
use affiant::limits::{MODULE_DEPTH_MAX, MODULES_COUNT_MAX};
use affiant::log::Level;
use affiant_js::{JsConstitution, JsFrontend, LogSink};

use crate::language::{AppLoader, Console, LoadedApp, Manner};

/// Runs JavaScript, in this process.
pub(crate) struct JavaScript;

impl AppLoader for JavaScript {
    fn language(&self) -> &'static str {
        "javascript"
    }

    /// Everything: it is asked last, and says best what an app is.
    fn recognises(&self, _app: &Path) -> bool {
        true
    }

    fn recognises_bundle(&self, _bundle: &AppBundle) -> bool {
        true
    }

    fn load(&self, app: &Path, manner: &Manner) -> Result<LoadedApp, String> {
        if !app.exists() {
            return Err(format!(
                "{}: no such file or directory; an app is a directory with app.json and src/, a \
                 bundle.json, a proposal with set_js_app or set_python_app, or a Python file",
                app.display()
            ));
        }
        let bundle = AppBundle::load(app).map_err(|error| error.to_string())?;
        self.of_bundle(bundle, manner)
    }

    fn of_bundle(&self, bundle: AppBundle, manner: &Manner) -> Result<LoadedApp, String> {
        let endpoints = bundle.endpoints().map_err(|error| error.to_string())?;
        let options = manner.options.clone();
        let frontend = match manner.console {
            Console::Log => JsFrontend::load(&bundle, endpoints, options),
            Console::Plain => JsFrontend::load_with_log(&bundle, endpoints, options, plain()),
        };
        let frontend = frontend.map_err(|error| format!("{}: {error}", bundle.origin))?;
        let warnings = frontend.warnings().to_vec();
        Ok(LoadedApp { bundle, frontend: Arc::new(frontend), warnings })
    }

    /// What [`AppBundle::load`] reads.
    fn files(&self, app: &Path) -> Vec<PathBuf> {
        if !app.is_dir() {
            return vec![app.to_owned()];
        }
        let mut files = vec![app.join("app.json"), app.join("bundle.json")];
        descend(&app.join("src"), 0, &mut files);
        files
    }
}

fn descend(directory: &Path, depth: usize, files: &mut Vec<PathBuf>) {
    if depth > MODULE_DEPTH_MAX {
        return;
    }
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if files.len() > MODULES_COUNT_MAX {
            return;
        }
        let path = entry.path();
        if path.is_dir() {
            descend(&path, depth + 1, files);
        } else {
            files.push(path);
        }
    }
}

/// What runs constitutions and ballots, whatever language the app is in.
pub(crate) fn constitution(console: Console) -> Arc<dyn Constitution> {
    Arc::new(match console {
        Console::Log => JsConstitution::default(),
        Console::Plain => JsConstitution::with_log(plain()),
    })
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
