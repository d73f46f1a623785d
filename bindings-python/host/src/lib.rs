//! CPython inside a host that is no Python: Python apps for C, C++ and Rust programs.
//!
//! [`load`] imports an app, as the command line does in the wheel's process, and returns what a
//! [`Runtime`](affiant::Runtime) serves. Everything that is ours of Python is part of this library: no
//! wheel is installed, and one that is installed is passed over. The app's packages come from the
//! interpreter's environment.
//!
//! # The interpreter
//! * The first [`load`] starts CPython, unless the host runs one already; then that one is used. It is
//!   never finalised: threads of apps may run in it, and NumPy, pandas and most other packages with native
//!   code cannot be loaded a second time in a process. So functions of `atexit` do not run; apps are ended
//!   when their frontend is dropped, and what they print leaves line by line.
//! * A host that runs its own interpreter stops its runtimes before `Py_FinalizeEx`, and lets the GIL go
//!   (`PyEval_SaveThread`) where it does not run Python: handlers need it. Subinterpreters run no apps.
//! * No signal handler is installed: Ctrl-C is the host's. The locale stays the process's; Python works in
//!   UTF-8 whatever it is. `SIGPIPE` is blocked on threads that run Python, so that a peer that has gone is
//!   an exception there, as in every Python.
//! * Environment variables mean what they mean to `python3` (`PYTHONPATH`, `PYTHONHOME`, ...).
//!   `VIRTUAL_ENV` names the virtual environment to use, which must be of the version of the libpython that
//!   is linked. Without it, packages come from where that libpython's own `python3` has them.
//! * The guard of `[tool.affiant.policy]` is not put in place: it holds for a whole process, which is the
//!   host's here. Nor is there a bound on memory, unless the options set one; it then holds for all Python
//!   objects of the process. Worker processes are the command line's.
//! * In a process that was forked from one with an interpreter, loading is refused.
//!
//! # Threads
//! Any thread may load, call and drop. Apps are imported and ended on one thread of their own, handlers run
//! on one per app, also for callers in process ([`Threads::Apart`](affiant::hosting::Threads::Apart)), and
//! no other thread of the library touches Python. A host thread that holds the GIL must not keep it while
//! it waits for a handler: [`without_gil`] lets it go around a call, and costs nothing elsewhere.
//!
//! # LINKING
//! This crate wants a libpython (3.11 or newer, not the free-threaded build), and one build of it runs with
//! any of them: it uses the stable ABI, and functions that every version exports. There is no `-lpython3`
//! for it: Debian has no such library, and elsewhere `libpython3.so` only leads to one version's.
//!
//! In this repository nothing is linked with libpython while it is compiled (`PYO3_BUILD_EXTENSION_MODULE`
//! in `.cargo/config.toml`); elsewhere pyo3 gives cargo `-lpython3.X` of the interpreter in `PYO3_PYTHON`,
//! else of `python3`. So with the feature `python` of the C library
//!
//! * the **static** library has undefined symbols of Python and nothing of it. Its host links `pkg-config
//!   --libs python3-embed` behind it, of whichever version it likes: `Requires.private: python3-embed` in
//!   the pkg-config file. Debian and Ubuntu have `python3-embed.pc` in `libpython3-dev`, pyenv in
//!   `lib/pkgconfig` of a version that was built with `--enable-shared`;
//! * the **shared** library is linked with `$(pkg-config --libs python3-embed)` too, and thereby bound to
//!   that minor version (`NEEDED libpython3.X.so.1.0`). Its hosts link nothing more; where libpython lies
//!   outside of the loader's path, as pyenv's does, they want `-Wl,-rpath`. Link it with `-Wl,-z,nodelete`:
//!   its threads do not survive being unloaded;
//! * a host that links `libpython3.X.a` adds `-Wl,--export-dynamic` and `pkg-config --static --libs
//!   python3-embed`: extension modules find Python's symbols in the program then.
//!
//! Without the feature nothing of this is compiled, and no libpython is needed.

mod config;
mod frontend;
mod gil;
mod interpreter;
mod limits;
mod modules;
mod place;
mod signals;

use std::path::Path;
use std::sync::Arc;

use affiant::hosting::{AppBundle, Frontend, RuntimeOptions};
use affiant_python::{App, AppSource, LoadOptions, PyFrontend};

pub use gil::without_gil;

use frontend::Hosted;
use interpreter::Interpreter;

/// A Python app that is ready to be served.
pub struct Loaded {
    /// What is deployed of it: endpoints, modules, manifest.
    pub bundle: AppBundle,
    /// What serves it. Dropping the last reference ends the app.
    pub frontend: Arc<dyn Frontend>,
    /// What will fail when it is called; a sentence each.
    pub warnings: Vec<String>,
}

/// Loads the app at `path`: `app.py`, `app.py:attribute`, a directory, or a bundle as `affiant bundle` makes
/// it. Blocks while its modules are imported, without the GIL, whether or not the caller holds it.
///
/// All apps share the interpreter. A module stays imported while its text is the same; an app that has
/// changed is imported anew. Of two apps with a module of the same name, the one that was loaded later is
/// meant by whatever imports it afterwards.
///
/// # Errors
/// There is no app, its code raised as it was imported (with file and line), or there is no interpreter; in
/// words for whoever reads the host's log.
pub fn load(path: &Path, options: &RuntimeOptions) -> Result<Loaded, String> {
    let Some(place) = path.to_str() else {
        return Err(format!("{}: the path of a Python app must be UTF-8", path.display()));
    };
    let (place, options) = (place.to_owned(), options.clone());
    without_gil(move || {
        let interpreter = Interpreter::get()?;
        let kept = interpreter.clone();
        interpreter.run(move || load_here(place, options, kept))?
    })
}

/// Loads an app on the interpreter's thread.
fn load_here(
    place: String,
    options: RuntimeOptions,
    interpreter: Arc<Interpreter>,
) -> Result<Loaded, String> {
    let app = App::load(&AppSource::Place(place), &LoadOptions::default())?;
    let bundle = app.description.bundle()?;
    let warnings = app.description.warnings.clone();
    let endpoints = bundle.endpoints().map_err(|error| error.to_string())?;
    let app = PyFrontend::new(Arc::new(app), endpoints, options)
        .map_err(|error| format!("{}: {}", bundle.origin, error.message))?;
    Ok(Loaded { bundle, frontend: Arc::new(Hosted::new(app, interpreter)), warnings })
}
