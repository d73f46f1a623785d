//! What the tests share: an environment with packages, apps, runtimes in memory.

#![allow(unreachable_pub, reason = "shared by test files")]
#![allow(dead_code, reason = "each test file uses a part")]
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::path::{Path, PathBuf};
use std::sync::Once;

use affiant::hosting::RuntimeOptions;
use affiant::{Peer, Runtime};
use affiant_python_host::{Loaded, load};
use serde_json::Value as Json;

/// An app of the tests.
pub fn app(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/apps").join(name)
}

/// The environment that `make python` has made, with Flask and NumPy in it, for the libpython that the
/// tests are linked with; `None` without.
pub fn environment() -> Option<PathBuf> {
    let (major, minor) = linked_version();
    let place = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(format!("../../target/venvs/wheel-{major}.{minor}"));
    place.join("pyvenv.cfg").is_file().then(|| place.canonicalize().unwrap())
}

pub fn linked_version() -> (u8, u8) {
    // SAFETY: may be called at any time; a terminated text.
    let text = unsafe { std::ffi::CStr::from_ptr(pyo3::ffi::Py_GetVersion()) };
    let text = text.to_str().unwrap().to_owned();
    let mut parts = text.split('.');
    (parts.next().unwrap().parse().unwrap(), parts.next().unwrap().parse().unwrap())
}

/// Has Python start in an environment with packages, unless whoever tests has chosen one.
pub fn prepare() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if std::env::var_os("VIRTUAL_ENV").is_none()
            && let Some(place) = environment()
        {
            // SAFETY: every test comes here first, so nothing reads the environment yet.
            unsafe { std::env::set_var("VIRTUAL_ENV", place) };
        }
    });
}

/// Short limits, and answers that show what happened.
pub fn options() -> RuntimeOptions {
    RuntimeOptions {
        max_execution_time_ms: 300,
        return_exception_details: true,
        ..RuntimeOptions::default()
    }
}

/// An app that has to load.
pub fn loaded(name: &str) -> Loaded {
    prepare();
    load(&app(name), &options()).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// As [`loaded`]; `None`, with a line that says so, where `package` is missing.
pub fn loaded_if(name: &str, package: &str) -> Option<Loaded> {
    prepare();
    match load(&app(name), &options()) {
        Ok(loaded) => Some(loaded),
        Err(error) if error.contains(&format!("No module named '{package}'")) => {
            println!("NOT TESTED: {package} is not installed (make python installs it)");
            None
        }
        Err(error) => panic!("{name}: {error}"),
    }
}

/// A runtime in memory that serves an app.
pub fn serve(loaded: Loaded) -> Runtime {
    Runtime::builder().in_memory().frontend(loaded.frontend).start().unwrap()
}

/// One request of a stranger.
pub fn call(runtime: &Runtime, method: &str, path: &str, body: &str) -> (u16, Json) {
    let target = format!("/app{path}");
    let response = runtime.call(method, &target, body.to_owned(), Peer::Anonymous).unwrap();
    let text = String::from_utf8(response.body.to_vec()).unwrap();
    let value = serde_json::from_str(&text).unwrap_or(Json::String(text));
    (response.status, value)
}
