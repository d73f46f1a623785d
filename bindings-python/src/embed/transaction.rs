//! A transaction that Python code begins and ends itself.

use std::sync::{Arc, OnceLock, Weak};

use affiant::historical::HistoricalNamespace;
use affiant::hosting::ExecutionContext;
use affiant::node::Node;
use affiant::{LedgerError, Mode, TxId};
use parking_lot::Mutex;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use super::{fault, patience};
use crate::error;
use crate::kv::Kv;
use crate::session::{self, Session};
use crate::surface::Local;

/// An open transaction; dropped without commit, it leaves no trace.
#[pyclass(module = "affiant._native", frozen)]
pub(crate) struct Transaction {
    session: Py<Session>,
    kv: Py<Kv>,
    /// Weak, since whoever lets go of the node last waits for its threads.
    node: Weak<Node>,
    process: u32,
    /// What was current before.
    token: Mutex<Option<Py<PyAny>>>,
    /// Its number, from when it has one, whatever becomes of the wait for its commit.
    sequenced: OnceLock<TxId>,
}

impl Transaction {
    pub(crate) fn begin(py: Python<'_>, node: &Arc<Node>, read_only: bool) -> PyResult<Self> {
        let local = Local {
            tx: node.begin(),
            apply_writes: None,
            store: node.store().clone(),
            attestor: Some(node.attestor().clone()),
            historical: Some((node.historical().clone(), HistoricalNamespace::HOST)),
            state: None,
        };
        let mode = if read_only { Mode::ReadOnly } else { Mode::ReadWrite };
        let context = ExecutionContext::Application(mode);
        let session = Py::new(py, Session::new(Box::new(local), context, None))?;
        Ok(Self {
            kv: Py::new(py, Kv::of_session(py, session.clone_ref(py)))?,
            session,
            node: Arc::downgrade(node),
            process: std::process::id(),
            token: Mutex::new(None),
            sequenced: OnceLock::new(),
        })
    }
}

#[pymethods]
impl Transaction {
    /// The maps, in this transaction whatever else runs.
    #[getter]
    fn kv(&self, py: Python<'_>) -> Py<Kv> {
        self.kv.clone_ref(py)
    }

    /// Makes it the transaction of `ccf.kv` and its siblings, until `leave`.
    fn enter(&self, py: Python<'_>) -> PyResult<()> {
        let token = session::enter(self.session.bind(py))?.unbind();
        *self.token.lock() = Some(token);
        Ok(())
    }

    /// Goes back to what was current before `enter`.
    fn leave(&self, py: Python<'_>) -> PyResult<()> {
        let token = self.token.lock().take();
        token.map_or(Ok(()), |token| session::leave(token.bind(py)))
    }

    /// Attaches the SHA-256 of what the transaction claims to the world: 32 bytes.
    fn set_claims_digest(&self, py: Python<'_>, digest: [u8; 32]) -> PyResult<()> {
        self.session.get().with(py, |surface| surface.set_claims_digest(digest))
    }

    /// Ends it without a trace.
    fn drop(&self, py: Python<'_>) {
        drop(self.session.get().close_detached(py));
    }

    /// The id that its end gave it, also where it then failed to wait.
    #[getter]
    fn transaction_id(&self) -> Option<String> {
        self.sequenced.get().map(ToString::to_string)
    }

    /// Ends it; whether it wrote. There is no id if it neither read nor wrote, or was told not to apply
    /// its writes. Durable, unless `timeout` (in seconds) is None.
    fn commit(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        let patience = timeout.map(patience::seconds).transpose()?;
        let local = self.session.get().close_detached(py).and_then(|behind| behind.into_local());
        let Some(local) = local else {
            return Err(PyRuntimeError::new_err("this transaction has ended already"));
        };
        if local.apply_writes == Some(false) {
            return Ok(false);
        }
        let node = self.node.upgrade().filter(|_| self.process == std::process::id());
        let Some(node) = node else {
            return Err(fault::closed(
                py,
                "the ledger of this transaction is closed, or of another process",
            ));
        };
        let ended = py.detach(|| LedgerError::of_commit(node.commit(local.tx)));
        let (txid, wrote) = ended.map_err(|error| fault::of_ledger(py, &error))?;
        if let Some(txid) = txid {
            // Once, since there is one session to commit.
            let _ = self.sequenced.set(txid);
        }
        if let (Some(txid), Some(patience)) = (txid, patience) {
            // What was read may be somebody's who still waits.
            if wrote || txid.seqno > node.store().committed().seqno {
                patience::committed(py, &node, txid, patience)?;
            }
        }
        // The last holder waits for the node's threads.
        py.detach(move || drop(node));
        Ok(wrote)
    }
}

/// Begins a transaction on the one node of this process, for code that was not handed a ledger.
///
/// Raises `ccf.NoTransactionError` where a request's transaction runs already, or where there is no
/// node, or more than one.
#[pyfunction]
#[pyo3(signature = (read_only=false))]
pub(super) fn begin_here(py: Python<'_>, read_only: bool) -> PyResult<Transaction> {
    if session::find(py)?.is_some_and(|session| session.get().is_open()) {
        return Err(error::no_transaction(
            py,
            "a transaction runs here already: use ccf.kv in it; ccf.transaction() is for code outside of \
             requests, such as background threads",
        ));
    }
    let nodes = Node::running();
    match &*nodes {
        [node] => Transaction::begin(py, node, read_only),
        [] => Err(error::no_transaction(
            py,
            "no node runs in this process, and no ledger is open: open one with affiant.open(); a worker \
             process of --python-workers has none, run background jobs in the node's own process",
        )),
        several => Err(error::no_transaction(
            py,
            &format!(
                "{} ledgers are open in this process: say which one, with its own tx()",
                several.len()
            ),
        )),
    }
}
