//! Waiting for commit, without the GIL and with an ear for signals.

use std::time::{Duration, Instant};

use affiant::CommitNotice;
use affiant::node::Node;
use affiant_proof::TxId;
use pyo3::exceptions::{PyTimeoutError, PyValueError};
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

/// Waits until `txid` is committed.
///
/// # Errors
/// It was rolled back, the node failed, `TimeoutError`, or a signal's handler raised.
pub(crate) fn committed(
    py: Python<'_>,
    node: &Node,
    txid: TxId,
    patience: Duration,
) -> PyResult<()> {
    let deadline = Instant::now() + patience;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match py.detach(|| node.wait_committed_for(txid, left.min(SLICE))) {
            Some(CommitNotice::Committed { .. }) => return Ok(()),
            Some(CommitNotice::Invalid) => {
                return Err(fault::ledger(
                    py,
                    &format!("transaction {txid} was rolled back before it was committed"),
                ));
            }
            Some(CommitNotice::Failed(reason)) => return Err(fault::closed(py, &reason)),
            None => {}
        }
        py.check_signals()?;
        if Instant::now() >= deadline {
            return Err(PyTimeoutError::new_err(format!(
                "transaction {txid} was not committed within {} s; it may still be",
                patience.as_secs_f64()
            )));
        }
    }
}
