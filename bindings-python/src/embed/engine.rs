//! A node in this process, with or without an address: what a `Ledger`, a `Service` and a test's
//! `Client` hold.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use affiant::genesis::set_user;
use affiant::historical::HistoricalNamespace;
use affiant::node::Node;
use affiant::{LedgerError, Peer, Request, Response, Runtime, RuntimeError, TxId};
use parking_lot::Mutex;
use pyo3::exceptions::{PyTimeoutError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use super::apps::LoadedApp;
use super::identity::{Identity, Visitor};
use super::transaction::Transaction;
use super::{fault, patience};
use crate::functions::State;
use crate::json;
use crate::limits::{CLOSE_WAIT_MS_MAX, HISTORY_EXPIRY_S, HISTORY_SLICE_MS};
use crate::surface::Past;

const CLOSED: &str = "this ledger is closed";

/// A running node.
#[pyclass(module = "affiant._native", frozen)]
pub(crate) struct Engine {
    /// Taken for a moment only, by threads that have the GIL: a fork finds them free.
    runtime: Mutex<Option<Arc<Runtime>>>,
    /// The process whose threads the node has.
    process: u32,
}

/// Status, header lines, body.
type Answer<'py> = (u16, Vec<(String, String)>, Bound<'py, PyBytes>);

impl Engine {
    fn runtime(&self, py: Python<'_>) -> PyResult<Arc<Runtime>> {
        self.check_process(py)?;
        let found = self.runtime.lock().clone();
        found.ok_or_else(|| fault::closed(py, CLOSED))
    }

    fn node(&self, py: Python<'_>) -> PyResult<Arc<Node>> {
        Ok(self.runtime(py)?.node().clone())
    }

    /// Asks again and again until there is an answer; whoever closes the ledger need not wait for that.
    fn until<T: Send>(
        &self,
        py: Python<'_>,
        timeout: f64,
        ask: impl Fn(&Runtime, Duration) -> Result<T, LedgerError> + Send + Sync,
    ) -> PyResult<T> {
        let runtime = Arc::downgrade(&self.runtime(py)?);
        patience::until(py, patience::seconds(timeout)?, |slice| match runtime.upgrade() {
            Some(runtime) => ask(&runtime, slice),
            None => Err(LedgerError::Closed { reason: CLOSED.to_owned() }),
        })
    }

    fn check_process(&self, py: Python<'_>) -> PyResult<()> {
        let here = std::process::id();
        if here == self.process {
            return Ok(());
        }
        Err(fault::closed(
            py,
            &format!(
                "this ledger was opened by process {}, of which this one ({here}) is a fork without its \
                 threads: open ledgers after the fork, or use the start method \"spawn\"",
                self.process
            ),
        ))
    }
}

#[pymethods]
impl Engine {
    /// Starts a node: in memory, or with the data in `directory`; listening, if there is an address.
    #[staticmethod]
    #[pyo3(signature = (directory, address=None, names=None))]
    fn open(
        py: Python<'_>,
        directory: Option<PathBuf>,
        address: Option<String>,
        names: Option<Vec<String>>,
    ) -> PyResult<Self> {
        let started = py.detach(|| {
            let mut builder = match directory {
                Some(directory) => Runtime::builder().directory(directory).key_file(),
                None => Runtime::builder().in_memory(),
            };
            for name in names.into_iter().flatten() {
                builder = builder.subject_name(name);
            }
            if let Some(address) = address {
                builder = builder.listen(address.as_str());
            }
            builder.start()
        });
        let runtime = started.map_err(|error| fault::of_runtime(py, &error))?;
        Ok(Self { runtime: Mutex::new(Some(Arc::new(runtime))), process: std::process::id() })
    }

    /// Signs and syncs what there is, and ends every thread. A second call does nothing.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let runtime = self.runtime.lock().take();
        if std::process::id() != self.process {
            forget(runtime);
            return Ok(());
        }
        let stopped = py.detach(|| runtime.map_or(Ok(()), stop));
        stopped.map_err(|error| fault::of_runtime(py, &error))
    }

    /// In a process that was just forked off: lets go of what belongs to the parent.
    fn forked(&self) {
        if std::process::id() != self.process {
            forget(self.runtime.lock().take());
        }
    }

    /// Whether it was closed, or belongs to another process.
    #[getter]
    fn closed(&self) -> bool {
        std::process::id() != self.process || self.runtime.lock().is_none()
    }

    /// Why the node accepts nothing more, if so.
    #[getter]
    fn failed(&self, py: Python<'_>) -> PyResult<Option<String>> {
        Ok(self.node(py)?.failed())
    }

    /// The service's certificate, PEM.
    #[getter]
    fn service_certificate(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.runtime(py)?.service_certificate())
    }

    /// Where it listens: `host:port`; None if it does not.
    #[getter]
    fn address(&self, py: Python<'_>) -> PyResult<Option<String>> {
        let addresses = self.runtime(py)?.addresses();
        Ok(addresses.first().map(ToString::to_string))
    }

    /// The newest transaction, and the newest committed one.
    #[getter]
    fn positions(&self, py: Python<'_>) -> PyResult<(String, String)> {
        let runtime = self.runtime(py)?;
        Ok((runtime.last().to_string(), runtime.committed().to_string()))
    }

    /// The names of all maps that hold anything, ascending.
    fn map_names(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        let snapshot = self.runtime(py)?.snapshot();
        let held = snapshot.map_names().filter(|name| !snapshot.is_empty(name.as_str()));
        let mut names: Vec<String> = held.map(|name| name.as_str().to_owned()).collect();
        names.sort();
        Ok(names)
    }

    /// Begins a transaction.
    #[pyo3(signature = (read_only=false))]
    fn begin(&self, py: Python<'_>, read_only: bool) -> PyResult<Transaction> {
        Transaction::begin(py, &self.node(py)?, read_only)
    }

    /// `Committed`, `Pending`, `Unknown` or `Invalid`.
    fn status(&self, py: Python<'_>, txid: &str) -> PyResult<&'static str> {
        Ok(self.runtime(py)?.status(parse(txid)?).as_str())
    }

    /// Waits for a transaction's commit.
    fn wait(&self, py: Python<'_>, txid: &str, timeout: f64) -> PyResult<()> {
        let txid = parse(txid)?;
        self.until(py, timeout, |runtime, slice| runtime.wait(txid, slice))
    }

    /// Waits until everything that is there is committed; the newest transaction.
    fn sync(&self, py: Python<'_>, timeout: f64) -> PyResult<String> {
        let last = self.runtime(py)?.last();
        self.until(py, timeout, |runtime, slice| runtime.wait(last, slice))?;
        Ok(last.to_string())
    }

    /// The receipt of a transaction as JSON, and as COSE where there is that form.
    fn receipt<'py>(
        &self,
        py: Python<'py>,
        txid: &str,
        timeout: f64,
    ) -> PyResult<(String, Option<Bound<'py, PyBytes>>)> {
        let txid = parse(txid)?;
        let receipt = self.until(py, timeout, |runtime, slice| runtime.receipt(txid, slice))?;
        let cose = receipt.cose().map(|bytes| PyBytes::new(py, bytes));
        Ok((receipt.json().to_owned(), cose))
    }

    /// The transactions from `first` to `last`, both included, verified.
    fn states<'py>(
        &self,
        py: Python<'py>,
        first: u64,
        last: u64,
        timeout: f64,
    ) -> PyResult<Bound<'py, PyList>> {
        let node = self.node(py)?;
        let deadline = Instant::now() + patience::seconds(timeout)?;
        // Not among the handles of apps, which count from 0.
        let handle = u64::MAX ^ first;
        let slice = Duration::from_millis(HISTORY_SLICE_MS);
        let expiry = Duration::from_secs(HISTORY_EXPIRY_S);
        let found = loop {
            let asked = py.detach(|| {
                node.historical().wait_for_state_range(
                    HistoricalNamespace::HOST,
                    handle,
                    first,
                    last,
                    expiry,
                    slice,
                )
            });
            match asked {
                Ok(Some(found)) => break found,
                Ok(None) => {}
                Err(error) => return Err(fault::ledger(py, &error.to_string())),
            }
            py.check_signals()?;
            if Instant::now() >= deadline {
                return Err(PyTimeoutError::new_err(format!(
                    "transactions {first} to {last} were not there in time; the newest committed one is \
                     {}",
                    node.store().committed()
                )));
            }
        };
        node.historical().drop_cached_states(HistoricalNamespace::HOST, handle);
        let list = PyList::empty(py);
        for state in found.iter() {
            list.append(Bound::new(py, State::new(Past::Shared(state.clone())))?)?;
        }
        Ok(list)
    }

    /// Serves an app from now on, instead of the one before.
    fn serve(&self, py: Python<'_>, app: &LoadedApp, time_limit: f64) -> PyResult<()> {
        let runtime = self.runtime(py)?;
        let limit = patience::seconds(time_limit)?;
        let frontend = app.frontend(limit).map_err(|reason| fault::ledger(py, &reason))?;
        let served = py.detach(|| runtime.set_application(vec![frontend]));
        served.map_err(|error| fault::of_runtime(py, &error))
    }

    /// Puts an app into the tables, unless it is the one that is there.
    fn deploy(&self, py: Python<'_>, app: &LoadedApp) -> PyResult<()> {
        let node = self.node(py)?;
        let bundle = app.bundle().map_err(|reason| fault::ledger(py, &reason))?;
        let deployed = py.detach(|| bundle.deploy(&node));
        deployed.map(|_| ()).map_err(|error| fault::of_runtime(py, &error))
    }

    /// Serves one request on this thread.
    #[pyo3(signature = (method, target, headers, body, visitor=None))]
    fn send<'py>(
        &self,
        py: Python<'py>,
        method: &str,
        target: &str,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
        visitor: Option<&Visitor>,
    ) -> PyResult<Answer<'py>> {
        let invalid = |error: affiant::InvalidRequest| PyValueError::new_err(error.to_string());
        let mut request = Request::new(method, target).map_err(invalid)?.with_body(body);
        for (name, value) in &headers {
            request = request.with_header(name, value).map_err(invalid)?;
        }
        let peer = visitor.map_or(Peer::Anonymous, Visitor::peer);
        let runtime = self.runtime(py)?;
        // The last holder ends the threads, which must not wait for the GIL meanwhile.
        let Response { status, headers, body, .. } = py.detach(move || runtime.send(request, peer));
        Ok((status, headers, PyBytes::new(py, &body)))
    }

    /// An identity as a client of this node, which is told of its certificate if `data` is given: JSON.
    #[pyo3(signature = (identity, data=None))]
    fn admit(
        &self,
        py: Python<'_>,
        identity: &Identity,
        data: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Visitor> {
        let runtime = self.runtime(py)?;
        if let Some(data) = data {
            let data = serde_json::from_slice(&json::dumps(&data)?)
                .map_err(|error| PyValueError::new_err(error.to_string()))?;
            let added = py
                .detach(move || runtime.run(|tx| Ok(set_user(tx, identity.certificate(), &data)?)));
            added.map_err(|error| fault::of_ledger(py, &error))?;
        }
        Visitor::new(identity.certificate()).map_err(PyValueError::new_err)
    }
}

impl Drop for Engine {
    /// As closing it, without saying why that failed.
    fn drop(&mut self) {
        let runtime = self.runtime.get_mut().take();
        if std::process::id() != self.process {
            forget(runtime);
            return;
        }
        let end = move || {
            if let Some(runtime) = runtime {
                // Nobody is left to tell.
                let _ = stop(runtime);
            }
        };
        // The front end's threads end with the GIL's help. No interpreter: no such thread either.
        let mut end = Some(end);
        Python::try_attach(|py| end.take().map(|end| py.detach(end)));
        if let Some(end) = end {
            end();
        }
    }
}

fn parse(txid: &str) -> PyResult<TxId> {
    txid.parse().map_err(|_| {
        PyValueError::new_err(format!("{txid:?} is no transaction id; they look like \"2.17\""))
    })
}

/// Leaves what a fork has copied as it is: to end it would be to wait for threads that are not there.
fn forget(runtime: Option<Arc<Runtime>>) {
    if let Some(runtime) = &runtime {
        runtime.node().leave_lock();
    }
    core::mem::forget(runtime);
}

/// Ends a runtime once the calls under way have returned, or without them if they do not.
fn stop(mut runtime: Arc<Runtime>) -> Result<(), RuntimeError> {
    let deadline = Instant::now() + Duration::from_millis(CLOSE_WAIT_MS_MAX);
    loop {
        runtime = match Arc::try_unwrap(runtime) {
            Ok(alone) => return alone.stop(),
            Err(shared) if Instant::now() >= deadline => return shared.node().shutdown(),
            Err(shared) => shared,
        };
        std::thread::sleep(Duration::from_millis(1));
    }
}
