//! The exceptions of module `ccf`, and what becomes of exceptions that end a handler.

use affiant::hosting::{RuntimeOptions, TableRefusal};
use affiant::{AppError, KvError};
use pyo3::exceptions::{
    PyBaseException, PyException, PyPermissionError, PyRuntimeError, PyValueError,
};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PySlice, PyString, PyTuple, PyType};
use serde_json::json;

use crate::limits::FAILURE_CHARS_MAX;

/// The classes, made once per interpreter: they have two bases each, which a Rust class cannot.
pub(crate) struct Classes {
    pub(crate) error: Py<PyType>,
    pub(crate) access: Py<PyType>,
    pub(crate) no_transaction: Py<PyType>,
    pub(crate) crypto: Py<PyType>,
    pub(crate) time_limit: Py<PyType>,
}

static CLASSES: PyOnceLock<Classes> = PyOnceLock::new();

fn class<'py>(
    py: Python<'py>,
    name: &str,
    bases: &Bound<'py, PyTuple>,
    doc: &str,
) -> PyResult<Bound<'py, PyType>> {
    let body = PyDict::new(py);
    body.set_item("__module__", "ccf")?;
    body.set_item("__doc__", doc)?;
    let made = py.get_type::<PyType>().call1((name, bases, body))?;
    Ok(made.cast_into::<PyType>()?)
}

fn classes<'py>(py: Python<'py>) -> PyResult<&'py Classes> {
    CLASSES.get_or_try_init(py, || {
        let one = |base: Bound<'py, PyType>| PyTuple::new(py, [base]);
        let two = |first: &Bound<'py, PyType>, second: Bound<'py, PyType>| {
            PyTuple::new(py, [first.clone(), second])
        };
        let error = class(
            py,
            "Error",
            &one(py.get_type::<PyException>())?,
            "Base of the errors that the ledger's own functions raise.",
        )?;
        let access = class(
            py,
            "AccessError",
            &two(&error, py.get_type::<PyPermissionError>())?,
            "This code may not do that to this map.",
        )?;
        let no_transaction = class(
            py,
            "NoTransactionError",
            &two(&error, py.get_type::<PyRuntimeError>())?,
            "No transaction is running: no request, and no ``with ccf.transaction()``.",
        )?;
        let crypto = class(
            py,
            "CryptoError",
            &two(&error, py.get_type::<PyValueError>())?,
            "A key, a certificate or an algorithm that does not do.",
        )?;
        let time_limit = class(
            py,
            "TimeLimitExceeded",
            &one(py.get_type::<PyBaseException>())?,
            "The handler ran for longer than it may; not an Exception, so that handlers do not \
             swallow it by accident.",
        )?;
        Ok(Classes {
            error: error.unbind(),
            access: access.unbind(),
            no_transaction: no_transaction.unbind(),
            crypto: crypto.unbind(),
            time_limit: time_limit.unbind(),
        })
    })
}

/// Puts the classes into a module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    let known = classes(py)?;
    for class in
        [&known.error, &known.access, &known.no_transaction, &known.crypto, &known.time_limit]
    {
        let class = class.bind(py);
        module.add(class.name()?, class)?;
    }
    Ok(())
}

fn raise(py: Python<'_>, pick: impl Fn(&Classes) -> &Py<PyType>, message: &str) -> PyErr {
    match classes(py) {
        Ok(known) => PyErr::from_type(pick(known).bind(py).clone(), (message.to_owned(),)),
        Err(error) => error,
    }
}

/// `ccf.Error`.
pub(crate) fn general(py: Python<'_>, message: &str) -> PyErr {
    raise(py, |known| &known.error, message)
}

/// `ccf.AccessError`.
pub(crate) fn refused(py: Python<'_>, refusal: &TableRefusal) -> PyErr {
    raise(py, |known| &known.access, &refusal.to_string())
}

/// `ccf.NoTransactionError`.
pub(crate) fn no_transaction(py: Python<'_>, message: &str) -> PyErr {
    raise(py, |known| &known.no_transaction, message)
}

/// `ccf.CryptoError`. The message must quote no key material.
pub(crate) fn crypto(py: Python<'_>, message: &str) -> PyErr {
    raise(py, |known| &known.crypto, message)
}

/// What the store refuses: keys and values above their bounds.
pub(crate) fn of_store(py: Python<'_>, error: &KvError) -> PyErr {
    match error {
        KvError::TooLarge { .. } | KvError::MapName { .. } => {
            PyValueError::new_err(error.to_string())
        }
        other => general(py, &other.to_string()),
    }
}

/// The class that the watchdog raises in a handler.
pub(crate) fn time_limit_class(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    Ok(classes(py)?.time_limit.bind(py))
}

/// `ccf.TimeLimitExceeded`, where no interruption comes.
pub(crate) fn time_limit(py: Python<'_>) -> PyErr {
    raise(py, |known| &known.time_limit, "")
}

/// The error that a panic becomes: of ours, where memory ran out, or of another extension module.
pub(crate) fn panicked(py: Python<'_>, panic: &(dyn core::any::Any + Send)) -> PyErr {
    let told = panic.downcast_ref::<String>().map(String::as_str);
    let told = told.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
    general(py, &format!("native code panicked: {told}"))
}

/// The answer to a request whose handler ended with an exception (reference A.12, B.6).
pub(crate) fn answer(py: Python<'_>, error: &PyErr, options: &RuntimeOptions) -> AppError {
    if let Some(chosen) = chosen_answer(py, error) {
        return chosen;
    }
    let timed_out = time_limit_class(py).is_ok_and(|class| error.is_instance(py, class));
    let message = if timed_out {
        "Operation took too long to complete."
    } else {
        "Exception thrown while executing."
    };
    let mut answer = AppError::internal(message);
    let reason = reason_of(py, error);
    let trace = trace_of(py, error);
    if options.log_exception_details {
        answer.log = Some(format!("{reason}\n{}", trace.as_deref().unwrap_or("<no trace>").trim()));
    }
    if options.return_exception_details {
        let mut detail = json!({"code": "PythonException", "message": reason});
        if let Some(trace) = trace {
            detail["trace"] = trace.into();
        }
        answer.details.push(detail);
    }
    answer
}

/// `ccf.HTTPError`, which is of Python.
fn http_error_class(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    CLASS.import(py, "affiant._hosting.handlers", "HTTPError")
}

/// `ccf.HTTPError` and what is derived from it, by the attributes: status, code, message.
fn chosen_answer(py: Python<'_>, error: &PyErr) -> Option<AppError> {
    let value = error.value(py);
    if !value.is_instance(http_error_class(py).ok()?).ok()? {
        return None;
    }
    let status: u16 = value.getattr("status").ok()?.extract().ok()?;
    let code: String = value.getattr("code").ok()?.extract().ok()?;
    let message: String = value.getattr("message").ok()?.extract().ok()?;
    (100..1000).contains(&status).then(|| AppError::new(status, &code, message))
}

/// `ValueError: what it says`.
pub(crate) fn reason_of(py: Python<'_>, error: &PyErr) -> String {
    let class = error.get_type(py);
    let name = class.qualname().map_or_else(|_| "Exception".to_owned(), |name| name.to_string());
    match error.value(py).str().and_then(|text| shortened(&text)) {
        Ok(text) if text.is_empty() => name,
        Ok(text) => format!("{name}: {text}"),
        Err(_) => name,
    }
}

/// A text of an exception, no longer than anybody would read.
fn shortened(text: &Bound<'_, PyString>) -> PyResult<String> {
    if text.len()? <= FAILURE_CHARS_MAX {
        return Ok(text.to_string_lossy().into_owned());
    }
    let start = text.get_item(PySlice::new(text.py(), 0, FAILURE_CHARS_MAX.cast_signed(), 1))?;
    Ok(format!("{} [...]", start.cast::<PyString>()?.to_string_lossy()))
}

/// The traceback as Python prints it.
pub(crate) fn trace_of(py: Python<'_>, error: &PyErr) -> Option<String> {
    let traceback = py.import("traceback").ok()?;
    let arguments = (error.get_type(py), error.value(py), error.traceback(py));
    let lines = traceback.call_method1("format_exception", arguments).ok()?;
    let text = PyString::new(py, "").call_method1("join", (lines,)).ok()?;
    shortened(text.cast::<PyString>().ok()?).ok()
}
