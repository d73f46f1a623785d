//! The ledger as a library: what `import affiant` is made of. Python's side ([`affiant/_ledger.py`] and
//! its siblings) has the words and the context managers; here is what needs the node.
//!
//! Rules
//! * Whatever can wait lets go of the GIL first, and looks for signals several times a second.
//! * No lock of Rust is held while the GIL is waited for.
//! * What belongs to a node is refused in a process that was forked from the node's: its threads are
//!   not there. Dropping it there does nothing, since that would wait for them.
//!
//! [`affiant/_ledger.py`]: ../../python/affiant/_ledger.py

mod apps;
mod engine;
mod fault;
mod identity;
mod patience;
mod proof;
mod transaction;

use pyo3::prelude::*;

pub(crate) use patience::seconds;

/// Bounds the time of handlers that run while the process ends.
#[pyfunction]
fn process_ends() {
    crate::watchdog::process_ends();
}

/// Everything here, into a module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<engine::Engine>()?;
    module.add_class::<transaction::Transaction>()?;
    module.add_class::<identity::Identity>()?;
    module.add_class::<identity::Visitor>()?;
    module.add_class::<apps::LoadedApp>()?;
    module.add_function(wrap_pyfunction!(transaction::begin_here, module)?)?;
    module.add_function(wrap_pyfunction!(process_ends, module)?)?;
    module.add_function(wrap_pyfunction!(proof::verify_receipt, module)?)?;
    Ok(())
}
