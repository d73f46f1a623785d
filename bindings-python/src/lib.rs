//! The Python front end: CPython runs the app, module `ccf` is its way to the ledger.
//!
//! The interpreter hosts: this code runs inside a CPython process, as the extension module of the wheel.
//! Handlers run on threads of their own, never on those of connections, and nothing of the node waits
//! for the GIL while it holds a lock.

mod app;
mod crypto;
mod embed;
mod error;
mod frontend;
mod functions;
mod json;
mod kv;
mod limits;
mod memory;
mod relying;
mod request;
mod response;
mod session;
mod surface;
mod thread;
mod verdict;
mod watchdog;
mod worker;

use pyo3::prelude::*;

pub use app::{App, AppSource, Description, LoadOptions};
pub use frontend::PyFrontend;
pub use worker::{Console, PyWorkersFrontend, WorkersApp};

/// Puts everything that Python sees of this crate into the extension module.
///
/// # Errors
/// The interpreter is out of memory, or shutting down.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    error::register(module)?;
    functions::register(module)?;
    crypto::register(module)?;
    embed::register(module)?;
    relying::register(module)?;
    watchdog::register(module)?;
    worker::register(module)?;
    module.add_class::<kv::Kv>()?;
    module.add_class::<kv::Map>()?;
    module.add_class::<request::Request>()?;
    module.add_class::<request::Body>()?;
    module.add_class::<request::Caller>()?;
    module.add_class::<functions::State>()?;
    module.add("kv", kv::Kv::new(py, None))?;
    Ok(())
}
