//! Languages that apps are written in. [`AppLoader`] is everything the commands know of one; the first
//! of [`Languages`] that recognises an app has it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use affiant::hosting::{AppBundle, Frontend, RuntimeOptions};

use crate::elsewhere::PythonElsewhere;
use crate::exit::{self, Failure};
use crate::javascript::JavaScript;

/// [`AppLoader::language`] of Python.
pub(crate) const PYTHON: &str = "python";

/// Where what an app prints goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Console {
    /// Into the node's log.
    Log,
    /// To standard output, without the log's ornaments.
    Plain,
}

/// How apps are run.
#[derive(Clone, Debug)]
pub struct Manner {
    /// The options in force: those in the tables, once there are tables.
    pub options: RuntimeOptions,
    /// Where what an app prints goes.
    pub console: Console,
    /// The Python interpreter to hand over to, where one was named; a loader that runs inside an
    /// interpreter has nothing to do with it.
    pub python: Option<PathBuf>,
    /// Worker processes for Python handlers; 0: they run in this process.
    pub python_workers: usize,
    /// Where packages that apps bring along lie, such as wheels. It belongs to this node, survives
    /// restarts, and need not exist yet.
    pub packages: PathBuf,
}

/// An app that a loader made ready.
pub struct LoadedApp {
    /// What is deployed, and compared with what the tables hold.
    pub bundle: AppBundle,
    /// What serves it.
    pub frontend: Arc<dyn Frontend>,
    /// What will fail when it is called, such as missing handlers. A sandbox refuses an app that has
    /// any; a node logs them.
    pub warnings: Vec<String>,
}

/// Runs the apps of one language. An app is named by a path, as on the command line; what the path
/// means is the loader's affair: `app.py:attribute` need not be a file.
pub trait AppLoader: Send + Sync {
    /// `javascript`, `python`, ...; what [`Frontend::language`] says too.
    fn language(&self) -> &'static str;

    /// Whether `app` is of this language, judged by names and metadata: nothing of the app runs, and
    /// what is missing or broken is for [`Self::load`] to tell.
    fn recognises(&self, app: &Path) -> bool;

    /// The same of an app in the tables, or in a bundle that was read already.
    fn recognises_bundle(&self, bundle: &AppBundle) -> bool;

    /// Makes an app ready that lies on disk.
    ///
    /// # Errors
    /// A sentence for its author: file, line, fault, cure. Never a half-loaded app: what cannot work
    /// but need not be called is among [`LoadedApp::warnings`].
    fn load(&self, app: &Path, manner: &Manner) -> Result<LoadedApp, String>;

    /// Makes a bundle ready: the app in the tables, or a loaded one again under other options.
    ///
    /// # Errors
    /// As [`Self::load`].
    fn of_bundle(&self, bundle: AppBundle, manner: &Manner) -> Result<LoadedApp, String>;

    /// The files whose change makes another app, for `--watch`. Called several times a second: an
    /// implementation bounds how much it looks at. Files that are missing do no harm.
    fn files(&self, app: &Path) -> Vec<PathBuf>;

    /// Called before a node is started whose tables are known to hold an app of this language.
    ///
    /// # Errors
    /// Why such an app cannot be run by this process.
    fn prepare(&self, _manner: &Manner) -> Result<(), String> {
        Ok(())
    }

    /// `affiant bundle ARGUMENTS`; returns the exit code.
    ///
    /// # Errors
    /// Wrong usage, or the bundle cannot be made; or this language has no such step.
    fn bundle(&self, _arguments: &[OsString]) -> Result<u8, Failure> {
        let language = self.language();
        Err(Failure::new(exit::USAGE, format!("bundle: no such step in {language}")))
    }
}

/// The languages of one program, in the order in which they are asked.
#[derive(Clone)]
pub struct Languages {
    loaders: Arc<[Arc<dyn AppLoader>]>,
}

impl Languages {
    /// What the plain binary runs: JavaScript; Python apps are handed over to an interpreter that has
    /// this program as a module, with the same `arguments` (program name first).
    #[must_use]
    pub fn plain(arguments: &[OsString]) -> Self {
        Self::hosting(Arc::new(PythonElsewhere::new(arguments)))
    }

    /// JavaScript, and the language of `loader`, which is asked first.
    #[must_use]
    pub fn hosting(loader: Arc<dyn AppLoader>) -> Self {
        // JavaScript last: it takes whatever no other language wants.
        Self { loaders: Arc::new([loader, Arc::new(JavaScript)]) }
    }

    /// Whose app lies at `app`.
    pub(crate) fn of_app(&self, app: &Path) -> Result<&Arc<dyn AppLoader>, String> {
        self.find(|loader| loader.recognises(app))
            .ok_or_else(|| format!("{}: an app in no language known here", app.display()))
    }

    /// Whose app a bundle holds.
    pub(crate) fn of_bundle(&self, bundle: &AppBundle) -> Result<&Arc<dyn AppLoader>, String> {
        self.find(|loader| loader.recognises_bundle(bundle))
            .ok_or_else(|| format!("{}: an app in no language known here", bundle.origin))
    }

    /// By [`AppLoader::language`].
    pub(crate) fn named(&self, language: &str) -> Option<&Arc<dyn AppLoader>> {
        self.find(|loader| loader.language() == language)
    }

    /// `affiant bundle`: the one language that has such a step.
    pub(crate) fn bundle(&self, arguments: &[OsString]) -> Result<u8, Failure> {
        match self.loaders.first() {
            Some(loader) => loader.bundle(arguments),
            None => Err(Failure::new(exit::USAGE, "bundle: no language known here needs it")),
        }
    }

    fn find(&self, wanted: impl Fn(&dyn AppLoader) -> bool) -> Option<&Arc<dyn AppLoader>> {
        self.loaders.iter().find(|loader| wanted(&***loader))
    }
}
