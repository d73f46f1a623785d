//! The contract between the host and a language. Three calls; a new language is a new crate.
//!
//! * [`Frontend::endpoints`]: what the app declares; fixed for the life of the front end.
//! * [`Frontend::worker`]: a thread-bound interpreter (or nothing at all, for native code).
//! * [`FrontendWorker::call`]: one request in one transaction.
//!
//! The host runs a handler again, with the transaction reset, when it conflicts; so a call must
//! depend on the request and the state only, as far as its author cares about repeats.

use core::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use affiant_attest::AttestError;
use affiant_kv::{KvError, Store, Tx};
use serde_json::Value as Json;

use crate::attestation::NodeAttestor;
use crate::endpoint::Endpoint;
use crate::historical::{
    HistoricalCache, HistoricalError, HistoricalNamespace, HistoricalState, HistoricalStates,
};
use crate::platform::PlatformError;
use crate::request::{Request, Response};

/// Which threads run a front end's handlers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Threads {
    /// Those of the connections, and the host's executors where a handler takes long.
    #[default]
    Shared,
    /// That many of the front end's own, and no others: requests are queued to them. They are called
    /// after the language (`python-0`), begin with the application and end after its last request.
    /// Callers in process ([`crate::Runtime::send`]) still run handlers on the calling thread.
    Own(NonZeroUsize),
    /// As [`Threads::Own`], and callers in process wait for those threads too: for languages that the
    /// threads of a host, with whatever stacks and signal masks they have, had better not run.
    Apart(NonZeroUsize),
}

/// A loaded application in one language.
pub trait Frontend: Send + Sync {
    /// `javascript`, `native`, ...
    fn language(&self) -> &'static str;
    /// Which threads run its handlers.
    fn threads(&self) -> Threads {
        Threads::Shared
    }
    /// How long one handler may run on threads of its own before its client is told that it failed,
    /// for interpreters that cannot be stopped from outside; looked at about 20 times a second. What
    /// such a handler comes to is dropped, and requests that only its thread could serve are refused
    /// until it ends. `None`: for ever.
    fn give_up_after(&self) -> Option<Duration> {
        None
    }
    /// The version of its interpreter, for `/node/version`; `None` where there is none.
    fn engine_version(&self) -> Option<&str> {
        None
    }
    /// What the app says about itself, an OpenAPI document as web frameworks write it. `/app/api` has
    /// its paths as they are, which is how clients call them, and its components, where nothing of
    /// the same name is there.
    fn openapi(&self) -> Option<&Json> {
        None
    }
    /// The app's endpoints. `call` refers to them by position.
    fn endpoints(&self) -> &[Endpoint];
    /// Makes an interpreter for the calling thread; it never leaves that thread.
    ///
    /// # Errors
    /// The interpreter could not be made (memory, broken module).
    fn worker(&self) -> Result<Box<dyn FrontendWorker>, AppError>;
}

/// A thread-bound interpreter.
pub trait FrontendWorker {
    /// Runs one handler. A panic in the app's language is an [`AppError`], never an unwind.
    ///
    /// # Errors
    /// The handler threw, exceeded a limit or returned nonsense; the host answers with it and
    /// drops the writes unless `call.apply_writes` says otherwise.
    fn call(&mut self, call: &mut Call<'_>) -> Result<Response, AppError>;

    /// Work put off the request path (refilling a pool, collecting garbage); called when idle.
    /// Returns whether there is more.
    fn idle(&mut self) -> bool {
        false
    }
}

/// One attempt to run one request's handler.
///
/// ```
/// use affiant::{AppError, Call, MapName, Response};
///
/// /// Counts attempts, also those that it refuses.
/// fn try_it(call: &mut Call<'_>) -> Result<Response, AppError> {
///     let attempts = MapName::new("attempts")?;
///     let caller = call.request.header("x-name").unwrap_or("nobody").to_owned();
///     call.tx.put(&attempts, caller.as_bytes(), b"refused")?;
///     call.apply_writes = Some(true);
///     Ok(Response::text(403, "not today"))
/// }
/// ```
pub struct Call<'a> {
    /// Position in [`Frontend::endpoints`].
    pub endpoint_index: usize,
    /// The endpoint.
    pub endpoint: &'a Endpoint,
    /// The request.
    pub request: &'a Request,
    /// The transaction of this attempt. An interpreter that cannot hold a borrow takes it with
    /// [`Tx::take`] and puts it back.
    pub tx: &'a mut Tx,
    /// Consensus queries: committed, status, view of a seqno.
    pub store: &'a Arc<Store>,
    /// Makes evidence of the platform; `None` where there is no node, as in a front end's own tests.
    pub attestor: Option<&'a Arc<NodeAttestor>>,
    /// Set by the handler: keep (or drop) the writes whatever the status
    /// (`ccf.rpc.setApplyWrites`). Survives an exception, as in CCF.
    pub apply_writes: Option<bool>,
    /// Past transactions; `None` where there is no node, as in a front end's own tests.
    pub historical: Option<&'a Arc<HistoricalCache>>,
    /// Where this front end's handles of past transactions are.
    pub namespace: HistoricalNamespace,
    /// In [`crate::Mode::Historical`], the transaction that the request names; otherwise `None`.
    pub historical_state: Option<&'a Arc<HistoricalState>>,
}

impl<'a> Call<'a> {
    /// A call without a node behind it, for those who call a front end directly, such as its tests.
    pub fn new(
        endpoint_index: usize,
        endpoint: &'a Endpoint,
        request: &'a Request,
        tx: &'a mut Tx,
        store: &'a Arc<Store>,
    ) -> Self {
        Self {
            endpoint_index,
            endpoint,
            request,
            tx,
            store,
            attestor: None,
            apply_writes: None,
            historical: None,
            namespace: HistoricalNamespace::HOST,
            historical_state: None,
        }
    }

    /// Fresh evidence of the platform under the node, bound to `bound` and to the node's and the
    /// service's keys (a [`affiant_attest::Statement`] of an app): an object with CCF's fields
    /// `format`, `raw`, `endorsements`, `uvm_endorsements`, `endorsed_tcb`, and `policy_text` and
    /// `bound`, all in base64. May take as long as firmware takes. At most 64 KiB; for a moment the
    /// same bytes have the same evidence.
    ///
    /// # Errors
    /// There is no node behind this call, evidence is asked for too often, or what the platform says.
    pub fn attestation(&self, bound: &[u8]) -> Result<Arc<Json>, PlatformError> {
        let Some(attestor) = self.attestor else {
            let reason = "there is no node behind this call";
            return Err(PlatformError::unavailable("evidence of the platform", reason));
        };
        attestor.for_app(bound)
    }

    /// Past transactions from `first` to `last`, both included, by a handle that the application
    /// chooses; see [`HistoricalCache::state_range`].
    ///
    /// # Errors
    /// As [`HistoricalCache::state_range`].
    pub fn state_range(
        &self,
        handle: u64,
        first: u64,
        last: u64,
        expiry: Duration,
    ) -> Result<Option<HistoricalStates>, HistoricalError> {
        let cache = self.historical.ok_or(HistoricalError::Unavailable)?;
        cache.state_range(self.namespace, handle, first, last, expiry)
    }

    /// Drops what a handle of this front end holds; whether it held anything.
    pub fn drop_cached_states(&self, handle: u64) -> bool {
        self.historical.is_some_and(|cache| cache.drop_cached_states(self.namespace, handle))
    }
}

/// Why a handler gave no response. Becomes an OData error body (reference B.6).
///
/// ```
/// use affiant::{AppError, odata};
///
/// let error = AppError::new(404, odata::RESOURCE_NOT_FOUND, "There is no note 7.");
/// assert_eq!(error.to_string(), "404 ResourceNotFound: There is no note 7.");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct AppError {
    /// HTTP status.
    pub status: u16,
    /// OData code, such as `InternalError`.
    pub code: String,
    /// For the client.
    pub message: String,
    /// Elements of `details`, such as a `JSException` with its trace; sent only where the options
    /// in force allow it, which the front end decides.
    pub details: Vec<Json>,
    /// For the log where exceptions are logged (`log_exception_details`); never sent.
    pub log: Option<String>,
}

impl AppError {
    /// An error with a status, an OData code ([`crate::odata`]) and a message for the client.
    #[must_use]
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.into(),
            details: Vec::new(),
            log: None,
        }
    }

    /// A 500 `InternalError`.
    #[must_use]
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(500, crate::odata::INTERNAL_ERROR, message)
    }
}

impl fmt::Display for AppError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.status, self.code, self.message)
    }
}

impl core::error::Error for AppError {}

/// A key or value above its bound is the request's fault; whatever else the store refuses is not.
impl From<KvError> for AppError {
    fn from(error: KvError) -> Self {
        match error {
            KvError::TooLarge { .. } => {
                Self::new(400, crate::odata::INVALID_INPUT, error.to_string())
            }
            other => Self::internal(other.to_string()),
        }
    }
}

/// Too often is for the client to try again, with 503, and too much is its fault; the rest is the
/// node's own trouble.
impl From<PlatformError> for AppError {
    fn from(error: PlatformError) -> Self {
        match error {
            PlatformError::Busy { .. } => {
                Self::new(503, crate::odata::TOO_MANY_REQUESTS, error.to_string())
            }
            PlatformError::Unreadable(AttestError::TooLarge { .. }) => {
                Self::new(400, crate::odata::INVALID_INPUT, error.to_string())
            }
            other => Self::internal(other.to_string()),
        }
    }
}

/// A range that the application may not have, or that cannot be read, is no fault of the client.
impl From<HistoricalError> for AppError {
    fn from(error: HistoricalError) -> Self {
        Self::internal(format!("Failed to get state range: {error}."))
    }
}
