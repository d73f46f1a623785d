//! `affiant.verify` and `affiant.VerifiedClient`: Rust verifies, Python has the words
//! (`affiant/_verify.py`).
//!
//! What waits for the network runs on a thread of its own, while the caller's, without the GIL, looks
//! for signals. An interrupted caller gets away at once; the thread ends with its deadline.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use affiant::relying::{
    Identity, Nonce, Options, Pieces, Policy, Refusal, RelyingError, ServiceVerdict,
    VerifiedClient as Client, read_policy, verify_evidence as judge_evidence,
    verify_service as judge_service,
};
use parking_lot::Mutex;
use pyo3::exceptions::{PyConnectionError, PyValueError};
use pyo3::prelude::*;
use serde_json::json;
use zeroize::Zeroizing;

use crate::embed::seconds;

/// How long a wait goes on before signals are looked for.
const SLICE: Duration = Duration::from_millis(100);

/// Runs `work` elsewhere and waits for it.
///
/// # Errors
/// A signal's handler raised, or the work panicked.
fn elsewhere<T: Send + 'static>(
    py: Python<'_>,
    work: impl FnOnce() -> T + Send + 'static,
) -> PyResult<T> {
    let (sender, receiver) = sync_channel(1);
    let spawned = std::thread::Builder::new().name("affiant-verify".to_owned()).spawn(move || {
        // Nobody takes the outcome once the caller was interrupted.
        let _ = sender.send(work());
    });
    spawned.map_err(|error| PyConnectionError::new_err(format!("no thread: {error}")))?;
    let receiver = Mutex::new(receiver);
    loop {
        match py.detach(|| receiver.lock().recv_timeout(SLICE)) {
            Ok(outcome) => return Ok(outcome),
            Err(RecvTimeoutError::Timeout) => py.check_signals()?,
            Err(RecvTimeoutError::Disconnected) => {
                return Err(PyConnectionError::new_err("the thread that verifies has ended early"));
            }
        }
    }
}

fn fault(error: &RelyingError) -> PyErr {
    match error {
        RelyingError::Unreachable { .. } => PyConnectionError::new_err(error.to_string()),
        _ => PyValueError::new_err(error.to_string()),
    }
}

fn parse_policy(policy: &str) -> PyResult<Policy> {
    read_policy(policy.as_bytes()).map_err(|error| fault(&error))
}

/// Nonce (none is asked for, or empty for a random one), service certificate, receipt, time, timeout in
/// seconds.
type Asked = (Option<Vec<u8>>, Option<String>, Option<Vec<u8>>, Option<u64>, f64);

fn asked(options: Asked) -> PyResult<Options> {
    let (nonce, service_certificate_pem, receipt, at_unix_s, timeout) = options;
    let nonce = match nonce {
        None => Nonce::None,
        Some(bytes) if bytes.is_empty() => Nonce::Random,
        Some(bytes) => Nonce::Given(bytes),
    };
    let timeout = seconds(timeout)?;
    Ok(Options { nonce, service_certificate_pem, receipt, at_unix_s, timeout })
}

/// Verifies a service; the verdict as JSON, and the evidence as the node gave it.
///
/// Raises `ConnectionError` where nobody answers, `ValueError` for what cannot be read.
#[pyfunction]
#[pyo3(signature = (url, policy, options))]
fn verify_service(py: Python<'_>, url: String, policy: &str, options: Asked) -> PyResult<Judged> {
    let policy = parse_policy(policy)?;
    let options = asked(options)?;
    let verdict = elsewhere(py, move || judge_service(&url, &policy, &options))?;
    verdict.map(|verdict| judged(&verdict)).map_err(|error| fault(&error))
}

/// Judges evidence alone; whether it is trusted, and its checks as JSON.
#[pyfunction]
#[pyo3(signature = (evidence, policy, bound, at))]
fn verify_evidence(
    py: Python<'_>,
    evidence: Vec<u8>,
    policy: &str,
    bound: Option<Vec<u8>>,
    at: u64,
) -> PyResult<String> {
    let policy = parse_policy(policy)?;
    let pieces = Pieces { evidence, bound, ..Pieces::default() };
    let verdict =
        py.detach(|| judge_evidence(pieces, &policy, at)).map_err(|error| fault(&error))?;
    let found = json!({
        "trusted": verdict.is_trusted(),
        "checks": verdict.checks,
    });
    Ok(found.to_string())
}

/// A verdict as JSON, and the evidence as the node gave it.
type Judged = (String, Vec<u8>);
/// Status, headers, body.
type Answered = (u16, Vec<(String, String)>, Vec<u8>);
/// A verdict that is not trusted, or an answer.
type Outcome = (Option<Judged>, Option<Answered>);

fn judged(verdict: &ServiceVerdict) -> Judged {
    (json!(verdict).to_string(), verdict.evidence_json.clone())
}

/// A client of a verified service. Not for two threads at a time: Python's side sees to that.
#[pyclass(module = "affiant._native", frozen)]
pub(crate) struct VerifiedConnection {
    client: Mutex<Option<Client>>,
}

#[pymethods]
impl VerifiedConnection {
    /// Connects and verifies: the verdict, and the connection if it is trusted.
    #[staticmethod]
    #[pyo3(signature = (url, policy, options, identity))]
    fn open(
        py: Python<'_>,
        url: String,
        policy: &str,
        options: Asked,
        identity: Option<(String, String)>,
    ) -> PyResult<(Judged, Option<Self>)> {
        let policy = parse_policy(policy)?;
        let options = asked(options)?;
        let identity = identity.map(|(certificate_pem, key)| Identity {
            certificate_pem,
            private_key_pem: Zeroizing::new(key),
        });
        match elsewhere(py, move || Client::connect(&url, policy, options, identity))? {
            Ok(client) => {
                let verdict = judged(client.verdict());
                Ok((verdict, Some(Self { client: Mutex::new(Some(client)) })))
            }
            Err(Refusal::NotTrusted(verdict)) => Ok((judged(&verdict), None)),
            Err(Refusal::Failed(error)) => Err(fault(&error)),
            Err(other) => Err(PyConnectionError::new_err(other.to_string())),
        }
    }

    /// Whether an interrupted request has taken the client along.
    #[getter]
    fn lost(&self) -> bool {
        self.client.lock().is_none()
    }

    /// The verdict on the node that was verified last; None once it is lost.
    #[getter]
    fn verdict(&self) -> Option<Judged> {
        self.client.lock().as_ref().map(|client| judged(client.verdict()))
    }

    /// Sends a request, over a verified connection or not at all.
    fn request(
        &self,
        py: Python<'_>,
        method: String,
        target: String,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
        timeout: f64,
    ) -> PyResult<Outcome> {
        let timeout = seconds(timeout)?;
        let taken = self.client.lock().take();
        let Some(mut client) = taken else {
            return Err(PyValueError::new_err("the connection is closed"));
        };
        let work = move || {
            let headers: Vec<(&str, &str)> =
                headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let answer = client.request(&method, &target, &headers, &body, Some(timeout));
            (client, answer)
        };
        let (client, answer) = elsewhere(py, work)?;
        *self.client.lock() = Some(client);
        match answer {
            Ok(answer) => Ok((None, Some((answer.status, answer.headers, answer.body)))),
            Err(Refusal::NotTrusted(verdict)) => Ok((Some(judged(&verdict)), None)),
            Err(Refusal::Failed(error)) => Err(fault(&error)),
            Err(other) => Err(PyConnectionError::new_err(other.to_string())),
        }
    }
}

/// Everything here, into a module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<VerifiedConnection>()?;
    module.add_function(wrap_pyfunction!(verify_service, module)?)?;
    module.add_function(wrap_pyfunction!(verify_evidence, module)?)?;
    Ok(())
}
