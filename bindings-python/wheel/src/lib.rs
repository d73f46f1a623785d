//! The extension module `affiant._native`: everything that the wheel has of Rust.

mod loader;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use affiant_cli::Languages;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Runs a command line of `affiant`, program name first; returns the exit code.
#[pyfunction]
fn main(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    py.detach(|| affiant_cli::run(arguments, Languages::hosting(Arc::new(loader::PythonHere))))
}

/// Audits the ledger files in `directory`: the report as JSON. `ValueError` if they cannot be read.
#[pyfunction]
#[pyo3(signature = (directory, service_certificate=None))]
fn verify_ledger(
    py: Python<'_>,
    directory: PathBuf,
    service_certificate: Option<&str>,
) -> PyResult<String> {
    let audited = py.detach(|| affiant_cli::audit_ledger(&directory, service_certificate));
    audited.map(|report| report.to_string()).map_err(|error| PyValueError::new_err(error.message))
}

/// See `affiant`, `ccf` and `_native.pyi`.
#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_function(wrap_pyfunction!(main, module)?)?;
    module.add_function(wrap_pyfunction!(verify_ledger, module)?)?;
    affiant_python::register(module)
}
