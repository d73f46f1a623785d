//! The extension module `affiant._native`: everything that the wheel has of Rust.

use pyo3::prelude::*;

/// See `affiant`, `ccf` and `_native.pyi`.
#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    affiant_python::register(module)
}
