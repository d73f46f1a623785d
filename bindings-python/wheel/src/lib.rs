//! The extension module `affiant._native`: everything that the wheel has of Rust.

mod loader;

use std::ffi::OsString;
use std::sync::Arc;

use affiant_cli::Languages;
use pyo3::prelude::*;

/// Runs a command line of `affiant`, program name first; returns the exit code.
#[pyfunction]
fn main(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    py.detach(|| affiant_cli::run(arguments, Languages::hosting(Arc::new(loader::PythonHere))))
}

/// See `affiant`, `ccf` and `_native.pyi`.
#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_function(wrap_pyfunction!(main, module)?)?;
    affiant_python::register(module)
}
