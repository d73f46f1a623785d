//! The functions behind `ccf.rpc`, `ccf.consensus`, `ccf.historical` and the attestation functions:
//! Python's `ccf` groups and documents them.

use affiant::attestation::{SnpEvidence, TcbRefused};
use affiant::limits::STATEMENT_BOUND_BYTES_MAX;
use affiant_proof::TxId;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::crypto::args;
use crate::json;
use crate::kv::Kv;
use crate::request::Request;
use crate::session::current;
use crate::surface::Past;
use crate::verdict;

/// Everything here, into a module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(set_apply_writes, module)?)?;
    module.add_function(wrap_pyfunction!(set_claims_digest, module)?)?;
    module.add_function(wrap_pyfunction!(get_last_committed_txid, module)?)?;
    module.add_function(wrap_pyfunction!(get_status_for_txid, module)?)?;
    module.add_function(wrap_pyfunction!(get_view_for_seqno, module)?)?;
    module.add_function(wrap_pyfunction!(historical_state, module)?)?;
    module.add_function(wrap_pyfunction!(get_state_range, module)?)?;
    module.add_function(wrap_pyfunction!(drop_cached_states, module)?)?;
    module.add_function(wrap_pyfunction!(get_attestation, module)?)?;
    module.add_function(wrap_pyfunction!(verify_snp_attestation, module)?)?;
    module.add_function(wrap_pyfunction!(tcb_hex_to_policy, module)?)?;
    module.add_function(wrap_pyfunction!(current_request, module)?)?;
    Ok(())
}

/// Whether this request's writes are kept, whatever its answer's status: by default they are if the
/// status is from 200 to 299.
#[pyfunction]
fn set_apply_writes(py: Python<'_>, apply: &Bound<'_, PyAny>) -> PyResult<()> {
    let Ok(apply) = apply.extract::<bool>() else {
        return Err(PyTypeError::new_err("set_apply_writes takes a bool"));
    };
    current(py)?.get().with(py, |surface| surface.set_apply_writes(apply))
}

/// Puts `digest`, 32 bytes, into the receipt of this request's transaction as its claims digest.
///
/// Raises `TypeError` or `ValueError` for anything but 32 bytes.
#[pyfunction]
fn set_claims_digest(py: Python<'_>, digest: &Bound<'_, PyAny>) -> PyResult<()> {
    let digest = args::bytes(digest, "the claims digest")?;
    let digest: [u8; 32] = (*digest)
        .try_into()
        .map_err(|_| PyValueError::new_err("a claims digest is 32 bytes long (SHA-256)"))?;
    current(py)?.get().with(py, |surface| surface.set_claims_digest(digest))
}

fn txid_dict(py: Python<'_>, txid: TxId) -> PyResult<Bound<'_, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("view", txid.view)?;
    dict.set_item("seqno", txid.seqno)?;
    Ok(dict)
}

/// The last transaction known to be committed: `{"view": int, "seqno": int}`.
#[pyfunction]
fn get_last_committed_txid(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let txid = current(py)?.get().with(py, |surface| surface.last_committed())?;
    txid_dict(py, txid)
}

/// A number that may not be negative.
fn whole(value: &Bound<'_, PyAny>, what: &str) -> PyResult<u64> {
    match value.extract::<i128>() {
        Ok(number) => u64::try_from(number)
            .map_err(|_| PyValueError::new_err(format!("Invalid {what}: cannot be negative"))),
        Err(_) => Err(PyTypeError::new_err(format!("{what} is an int"))),
    }
}

/// What became of a transaction: `"Committed"`, `"Pending"`, `"Invalid"` or `"Unknown"`.
///
/// Raises `ValueError` for negative numbers.
#[pyfunction]
fn get_status_for_txid(
    py: Python<'_>,
    view: &Bound<'_, PyAny>,
    seqno: &Bound<'_, PyAny>,
) -> PyResult<&'static str> {
    let txid = TxId::new(whole(view, "view")?, whole(seqno, "seqno")?);
    current(py)?.get().with(py, |surface| surface.status(txid))
}

/// The view in which `seqno` was assigned; None if it has not been.
///
/// Raises `ValueError` for a negative number.
#[pyfunction]
fn get_view_for_seqno(py: Python<'_>, seqno: &Bound<'_, PyAny>) -> PyResult<Option<u64>> {
    let seqno = whole(seqno, "seqno")?;
    current(py)?.get().with(py, |surface| surface.view_of(seqno))
}

/// One past transaction: what it wrote, and the proof of it.
#[pyclass(module = "ccf", name = "HistoricalState", frozen)]
pub(crate) struct State {
    past: Past,
}

impl State {
    pub(crate) fn new(past: Past) -> Self {
        Self { past }
    }
}

#[pymethods]
impl State {
    /// Its id, such as `2.17`.
    #[getter]
    fn transaction_id(&self) -> String {
        self.past.txid().to_string()
    }

    /// The number in its id.
    #[getter]
    fn seqno(&self) -> u64 {
        self.past.txid().seqno
    }

    /// The names of the maps that it wrote to, ascending.
    #[getter]
    fn map_names(&self) -> Vec<String> {
        self.past.map_names()
    }

    /// Its receipt as a dict, as `GET /receipt` answers it.
    #[getter]
    fn receipt<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        json::loads(py, self.past.receipt().as_bytes())
    }

    /// The maps as this transaction wrote them: `state.kv[name]`.
    #[getter]
    fn kv(&self, py: Python<'_>) -> Kv {
        Kv::new(py, Some(self.past.clone()))
    }

    fn __repr__(&self) -> String {
        let names = self.past.map_names();
        format!("<HistoricalState {}: wrote to {}>", self.past.txid(), names.join(", "))
    }

    fn _repr_html_(slf: &Bound<'_, Self>) -> PyResult<Option<String>> {
        notebook(slf.as_any(), "state")
    }
}

/// What a notebook shows of `thing`: made by Python code.
pub(crate) fn notebook(thing: &Bound<'_, PyAny>, function: &str) -> PyResult<Option<String>> {
    thing.py().import("affiant._notebook")?.call_method1(function, (thing,))?.extract()
}

/// The past transaction that this request asks for, in an endpoint of mode `historical`; else None.
#[pyfunction]
fn historical_state(py: Python<'_>) -> PyResult<Option<State>> {
    let found = current(py)?.get().with(py, |surface| surface.historical_state())?;
    Ok(found.map(State::new))
}

/// The past transactions from `first_seqno` to `last_seqno`, verified, each with its maps and receipt, as
/// a list; None while they are being loaded: ask again. `handle`, an int of the app's choice, names what
/// is kept loaded, for `expiry_s` seconds.
///
/// Raises `ccf.Error` for a range that there cannot be, `ValueError` for negative numbers.
#[pyfunction]
fn get_state_range<'py>(
    py: Python<'py>,
    handle: &Bound<'py, PyAny>,
    first_seqno: &Bound<'py, PyAny>,
    last_seqno: &Bound<'py, PyAny>,
    expiry_s: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyList>>> {
    let handle = whole(handle, "handle")?;
    let (first, last) = (whole(first_seqno, "seqno")?, whole(last_seqno, "seqno")?);
    let expiry_s = whole(expiry_s, "expiry")?;
    let found = current(py)?
        .get()
        .with(py, |surface| surface.state_range(handle, first, last, expiry_s))?;
    let Some(states) = found else { return Ok(None) };
    let list = PyList::empty(py);
    for past in states {
        list.append(Bound::new(py, State::new(past))?)?;
    }
    Ok(Some(list))
}

/// Lets go of what `get_state_range` keeps under `handle`; whether there was anything.
#[pyfunction]
fn drop_cached_states(py: Python<'_>, handle: &Bound<'_, PyAny>) -> PyResult<bool> {
    let handle = whole(handle, "handle")?;
    current(py)?.get().with(py, |surface| surface.drop_cached_states(handle))
}

/// Fresh evidence of the platform under this node, as a dict of texts: `format`, `raw`, `endorsements` and
/// the like in base64, with CCF's names. `bound`, bytes or a str's UTF-8, at most 64 KiB, is bound into it
/// together with the node's and the service's public keys: `bound` of the dict is a JSON text of all three.
/// For two seconds equal bytes have the same evidence.
///
/// Where there is no hardware for it, `format` is `Insecure_Virtual`, and it proves nothing. Raises
/// `ccf.Error` where evidence is asked for too often, and where the platform has none to give.
#[pyfunction]
#[pyo3(signature = (bound=None))]
fn get_attestation<'py>(
    py: Python<'py>,
    bound: Option<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let data = match &bound {
        None => Vec::new(),
        Some(bound) => args::text_or_bytes(bound, "bound")?.to_vec(),
    };
    if data.len() > STATEMENT_BOUND_BYTES_MAX {
        return Err(PyValueError::new_err(format!(
            "bound has more than {STATEMENT_BOUND_BYTES_MAX} bytes"
        )));
    }
    let evidence = current(py)?.get().with(py, |surface| surface.attestation(&data))?;
    json::loads(py, evidence.as_bytes())
}

/// Checks evidence of AMD SEV-SNP against its endorsements, all bytes: the report's signature up to AMD's
/// pinned roots, that key, report and chip belong together, that the guest cannot be debugged or migrated.
/// What the report says, as a dict with CCF's names; comparing measurement, host data, report data and the
/// like is the caller's. `endorsed_tcb`: the TCB version that the endorsements are for, 16 hex digits.
///
/// Raises `ValueError` with every reason for which the evidence does not hold.
#[pyfunction]
#[pyo3(signature = (evidence, endorsements, uvm_endorsements=None, endorsed_tcb=None))]
fn verify_snp_attestation<'py>(
    py: Python<'py>,
    evidence: &Bound<'py, PyAny>,
    endorsements: &Bound<'py, PyAny>,
    uvm_endorsements: Option<Bound<'py, PyAny>>,
    endorsed_tcb: Option<&str>,
) -> PyResult<Bound<'py, PyDict>> {
    let report = args::bytes(evidence, "evidence")?.to_vec();
    let endorsements = args::bytes(endorsements, "endorsements")?.to_vec();
    let uvm = uvm_endorsements.as_ref();
    let uvm = uvm.map(|uvm| Ok::<_, PyErr>(args::bytes(uvm, "uvm_endorsements")?.to_vec()));
    let uvm = uvm.transpose()?;
    let verified = py.detach(|| {
        affiant::attestation::verify_snp(&SnpEvidence {
            report: &report,
            endorsements: &endorsements,
            uvm_endorsements: uvm.as_deref(),
            endorsed_tcb,
        })
    });
    verdict::dict(py, &verified.map_err(PyValueError::new_err)?)
}

/// The parts of a TCB version, by processor: `cpuid` as CPUID function 1 gives it in EAX, 8 hex digits;
/// `tcb_version` 16 hex digits, its last byte first. A dict of `hexstring` and those of `microcode`, `snp`,
/// `tee`, `boot_loader` and `fmc` that the processor has.
///
/// Raises `TypeError` for what is no such text, `ValueError` for an unknown processor.
#[pyfunction]
fn tcb_hex_to_policy<'py>(
    py: Python<'py>,
    cpuid: &Bound<'py, PyAny>,
    tcb_version: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyDict>> {
    // What is no str has no digits.
    let text = |value: &Bound<'_, PyAny>| value.extract::<String>().unwrap_or_default();
    let policy = affiant::attestation::tcb_hex_to_policy(&text(cpuid), &text(tcb_version))
        .map_err(|refused| match refused {
            TcbRefused::NotHex { .. } => PyTypeError::new_err(refused.to_string()),
            _ => PyValueError::new_err(refused.to_string()),
        })?;
    let dict = PyDict::new(py);
    dict.set_item("hexstring", policy.hexstring)?;
    for (name, version) in policy.components {
        dict.set_item(&*name.to_string_lossy(), version)?;
    }
    Ok(dict)
}

/// The request that is being handled; None outside of one.
#[pyfunction]
fn current_request(py: Python<'_>) -> PyResult<Option<Py<Request>>> {
    let session = crate::session::find(py)?;
    Ok(session.and_then(|session| session.get().request().map(|request| request.clone_ref(py))))
}
