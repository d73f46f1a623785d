//! The exceptions of package `affiant`, which are written in Python.

use affiant::{LedgerError, RuntimeError};
use pyo3::exceptions::PyTimeoutError;
use pyo3::prelude::*;

fn raise(py: Python<'_>, name: &str, message: &str) -> PyErr {
    let made = py
        .import("affiant._errors")
        .and_then(|module| module.getattr(name))
        .and_then(|class| class.call1((message,)));
    match made {
        Ok(error) => PyErr::from_value(error),
        Err(error) => error,
    }
}

/// `affiant.LedgerError`.
pub(crate) fn ledger(py: Python<'_>, message: &str) -> PyErr {
    raise(py, "LedgerError", message)
}

/// `affiant.LedgerClosedError`.
pub(crate) fn closed(py: Python<'_>, message: &str) -> PyErr {
    raise(py, "LedgerClosedError", message)
}

/// `affiant.ConflictError`.
fn conflict(py: Python<'_>) -> PyErr {
    raise(
        py,
        "ConflictError",
        "another transaction changed what this one read; nothing of it was kept: run it again, or let \
         ledger.run(function) do so",
    )
}

/// Why a transaction did not commit, or what was asked of one cannot be had.
pub(crate) fn of_ledger(py: Python<'_>, error: &LedgerError) -> PyErr {
    match error {
        LedgerError::Conflict => conflict(py),
        LedgerError::TooManyPending => ledger(
            py,
            "too much waits to be committed, and nothing of this transaction was kept: wait \
             (ledger.sync()) and run it again",
        ),
        LedgerError::Closed { reason } => closed(py, reason),
        LedgerError::Timeout { .. } => PyTimeoutError::new_err(error.to_string()),
        LedgerError::Runtime(error) => of_runtime(py, error),
        other => ledger(py, &other.to_string()),
    }
}

/// Why a node did not start, or failed.
pub(crate) fn of_runtime(py: Python<'_>, error: &RuntimeError) -> PyErr {
    ledger(py, &error.to_string())
}
