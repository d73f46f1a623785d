//! The Python modules that come with the library: their sources, and `affiant._native`.

use pyo3::exceptions::PyNotImplementedError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::signals;

/// Path and text of each file of the packages.
static SOURCES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/sources.rs"));

const FINDER: &str = include_str!("../python/_affiant_ccf.py");
const FINDER_NAME: &core::ffi::CStr = c"_affiant_ccf";
const FINDER_FILE: &core::ffi::CStr = c"/affiant-embedded/_affiant_ccf.py";

/// The command line is a program of its own.
#[pyfunction]
#[pyo3(signature = (*_arguments))]
fn main(_arguments: &Bound<'_, pyo3::types::PyTuple>) -> PyResult<u8> {
    Err(PyNotImplementedError::new_err(
        "this Python runs inside another program: the command line is the program affiant, and the wheel's",
    ))
}

/// Audits of ledger files are the command line's.
#[pyfunction]
#[pyo3(signature = (directory, service_certificate=None))]
fn verify_ledger(
    directory: &Bound<'_, PyAny>,
    service_certificate: Option<&str>,
) -> PyResult<String> {
    let _ = (directory, service_certificate);
    Err(PyNotImplementedError::new_err(
        "this Python runs inside another program: ledger files are audited by the command affiant verify, \
         and by the wheel's affiant.verify_ledger",
    ))
}

/// `affiant._native`, as the wheel has it, except for the commands.
fn native(py: Python<'_>) -> PyResult<Bound<'_, PyModule>> {
    let module = PyModule::new(py, "affiant._native")?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_function(wrap_pyfunction!(main, &module)?)?;
    module.add_function(wrap_pyfunction!(verify_ledger, &module)?)?;
    affiant_python::register(&module)?;
    Ok(module)
}

/// Makes `affiant` and `ccf` importable. `is_ours`: the interpreter was started by us, so that what apps
/// print leaves line by line: an interpreter that never ends flushes nothing at its end.
pub(crate) fn install(py: Python<'_>, is_ours: bool) -> PyResult<()> {
    // On the thread that will be there for longest: Python takes the one that imports it for the main one.
    py.import("threading")?;
    signals::import_signal(py, is_ours)?;
    if is_ours {
        line_by_line(py)?;
    }
    let sources = PyDict::new(py);
    for (name, text) in SOURCES {
        sources.set_item(name, text)?;
    }
    let code = std::ffi::CString::new(FINDER)?;
    let finder = PyModule::from_code(py, &code, FINDER_FILE, FINDER_NAME)?;
    finder.call_method1("install", (sources, native(py)?))?;
    Ok(())
}

fn line_by_line(py: Python<'_>) -> PyResult<()> {
    let (sys, wrapper) = (py.import("sys")?, py.import("io")?.getattr("TextIOWrapper")?);
    for name in ["stdout", "stderr"] {
        let stream = sys.getattr(name)?;
        if stream.is_instance(&wrapper)? {
            let arguments = PyDict::new(py);
            arguments.set_item("line_buffering", true)?;
            arguments.set_item("errors", "backslashreplace")?;
            stream.call_method("reconfigure", (), Some(&arguments))?;
        }
    }
    Ok(())
}
