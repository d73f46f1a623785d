//! Waiting for commit, without the GIL and with an ear for signals.

use std::time::{Duration, Instant};

use affiant::node::Node;
use affiant::{LedgerError, TxId};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::fault;

/// How long a wait goes on before signals are looked for.
const SLICE: Duration = Duration::from_millis(100);
/// Longest wait that can be asked for.
const WAIT_MAX: Duration = Duration::from_secs(365 * 86_400);

/// A time in seconds, as Python's functions take it.
pub(crate) fn seconds(timeout: f64) -> PyResult<Duration> {
    match Duration::try_from_secs_f64(timeout) {
        Ok(duration) => Ok(duration.min(WAIT_MAX)),
        Err(_) if timeout > 0.0 => Ok(WAIT_MAX),
        Err(_) => Err(PyValueError::new_err("a timeout is a number of seconds, 0 or more")),
    }
}

/// Asks again and again, each time for a moment, until there is an answer or `patience` is at its end.
///
/// # Errors
/// What `ask` says other than that its moment was too short, `TimeoutError`, or a signal's handler raised.
pub(crate) fn until<T: Send>(
    py: Python<'_>,
    patience: Duration,
    ask: impl Fn(Duration) -> Result<T, LedgerError> + Send + Sync,
) -> PyResult<T> {
    let deadline = Instant::now() + patience;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let txid = match py.detach(|| ask(left.min(SLICE))) {
            Ok(answer) => return Ok(answer),
            Err(LedgerError::Timeout { txid, .. }) => txid,
            Err(error) => return Err(fault::of_ledger(py, &error)),
        };
        py.check_signals()?;
        if Instant::now() >= deadline {
            return Err(fault::of_ledger(py, &LedgerError::Timeout { txid, waited: patience }));
        }
    }
}

/// Waits until `txid` is committed.
///
/// # Errors
/// As [`until`]; it was rolled back, or the node failed.
pub(crate) fn committed(
    py: Python<'_>,
    node: &Node,
    txid: TxId,
    patience: Duration,
) -> PyResult<()> {
    until(py, patience, |slice| {
        LedgerError::of_wait(txid, slice, node.wait_committed_for(txid, slice))
    })
}
