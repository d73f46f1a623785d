//! A node with HTTP and applications in front of it: what a host process embeds.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use crate::application::Application;
use crate::auth::{Peer, PolicyTable};
use crate::builder::WantsStorage;
use crate::dispatch::{Host, Session};
use crate::error::{RuntimeError, RuntimeResult};
use crate::frontend::Frontend;
use crate::governance::Governance;
use crate::http::Server;
use crate::jwt::Refresher;
use crate::node::Node;
use crate::request::{InvalidRequest, Request, Response};
use crate::respond::{Outcome, bodiless};
use crate::tables::NODE_CERTS;
use crate::tls::ServerIdentity;

/// A running node with its applications: an embedded ledger, whether or not it listens. Any number of
/// threads may use it at once. Dropped without [`Self::stop`] it ends as with a power failure: what was
/// committed stays, what was not may be lost.
///
/// ```
/// use std::time::Duration;
///
/// use affiant::{MapName, Runtime};
///
/// let runtime = Runtime::builder().in_memory().start()?;
/// let accounts = MapName::new("accounts")?;
/// let mut tx = runtime.begin();
/// tx.put(&accounts, b"alice", b"10")?;
/// let txid = runtime.commit_and_wait(tx, Duration::from_secs(10))?;
/// let receipt = runtime.receipt(txid, Duration::from_secs(10))?;
/// assert!(receipt.verify(&runtime.service_certificate())?.is_valid());
/// runtime.stop()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Runtime {
    // Dropped first: no request comes after the node has gone.
    pub(crate) server: Option<Server>,
    pub(crate) refresher: Refresher,
    /// What listeners show that speak for the service.
    pub(crate) identity: Option<Arc<ServerIdentity>>,
    /// The version of the node's certificate in the tables that was looked at last.
    pub(crate) certificate_version: AtomicU64,
    pub(crate) host: Arc<Host>,
    pub(crate) policies: PolicyTable,
    pub(crate) native: Option<Arc<dyn Frontend>>,
}

impl Runtime {
    /// Starts to collect what a runtime needs.
    ///
    /// ```
    /// # use affiant::Runtime;
    /// let runtime = Runtime::builder().in_memory().listen("127.0.0.1:0").start()?;
    /// # Ok::<(), affiant::RuntimeError>(())
    /// ```
    pub const fn builder() -> WantsStorage {
        WantsStorage::new()
    }

    /// The node behind it, for what is not a host's daily business.
    ///
    /// ```
    /// # use affiant::Runtime;
    /// let runtime = Runtime::builder().in_memory().start()?;
    /// println!("node {} serves", runtime.node().node_id());
    /// # Ok::<(), affiant::RuntimeError>(())
    /// ```
    #[must_use]
    pub fn node(&self) -> &Arc<Node> {
        &self.host.node
    }

    /// What judges and applies proposals, if the runtime was given a language for constitutions.
    ///
    /// ```
    /// # use affiant::Runtime;
    /// let runtime = Runtime::builder().in_memory().start()?;
    /// assert!(runtime.governance().is_none());
    /// # Ok::<(), affiant::RuntimeError>(())
    /// ```
    #[must_use]
    pub fn governance(&self) -> Option<&Governance> {
        self.host.governance.as_ref()
    }

    /// The bound addresses, in the order of the listeners.
    ///
    /// ```
    /// # use affiant::Runtime;
    /// let runtime = Runtime::builder().in_memory().listen("127.0.0.1:0").start()?;
    /// assert_ne!(runtime.addresses()[0].port(), 0);
    /// # Ok::<(), affiant::RuntimeError>(())
    /// ```
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.server.as_ref().map(Server::addresses).unwrap_or_default()
    }

    /// Replaces the applications, at once for every request that comes from now on. Endpoints
    /// written in Rust stay.
    ///
    /// # Errors
    /// The endpoints contradict each other; what was served before is served on.
    ///
    /// ```
    /// # use affiant::Runtime;
    /// let runtime = Runtime::builder().in_memory().start()?;
    /// // Nothing but the endpoints of this process.
    /// runtime.set_application(Vec::new())?;
    /// # Ok::<(), affiant::RuntimeError>(())
    /// ```
    pub fn set_application(&self, mut frontends: Vec<Arc<dyn Frontend>>) -> RuntimeResult<()> {
        frontends.extend(self.native.clone());
        let application = Application::new(frontends, &self.policies, &self.host.metrics)?;
        self.host.application.store(Arc::new(application));
        Ok(())
    }

    /// Shows new connections the node's certificate that is in the tables, where governance may have
    /// renewed it. Returns whether it is another one than before.
    ///
    /// # Errors
    /// The certificate is not of the node's key; the one before is shown on.
    ///
    /// ```
    /// # use affiant::Runtime;
    /// let runtime = Runtime::builder().in_memory().listen("127.0.0.1:0").start()?;
    /// runtime.refresh_certificate()?;
    /// assert!(!runtime.refresh_certificate()?, "nothing has renewed it meanwhile");
    /// # Ok::<(), affiant::RuntimeError>(())
    /// ```
    pub fn refresh_certificate(&self) -> RuntimeResult<bool> {
        let Some(identity) = &self.identity else { return Ok(false) };
        let node = &self.host.node;
        let key = node.node_id().as_bytes();
        let version = node.snapshot().version_of(NODE_CERTS.as_str(), key).unwrap_or(0);
        if self.certificate_version.swap(version, Ordering::Relaxed) == version {
            return Ok(false);
        }
        let tls = node.tls_identity()?;
        identity
            .replace(&tls.node_certificate_pem, &tls.key_pkcs8)
            .map_err(|error| RuntimeError::Host { reason: error.to_string() })
    }

    /// Serves one request on this thread (but see
    /// [`Threads::Apart`](crate::hosting::Threads::Apart)) as if it had come over a connection of
    /// `peer`, and waits for commit where the endpoint says so. The answer carries
    /// `x-ms-ccf-transaction-id` if its transaction was kept.
    ///
    /// ```
    /// # use affiant::{EndpointOptions, Peer, Request, Response, Runtime};
    /// let runtime = Runtime::builder()
    ///     .in_memory()
    ///     .endpoint("GET", "/agent", EndpointOptions::native(), |request, _| {
    ///         Ok(Response::text(200, request.header("user-agent").unwrap_or("none").to_owned()))
    ///     })
    ///     .start()?;
    /// let request = Request::new("GET", "/app/agent")?.with_header("User-Agent", "the host")?;
    /// let answer = runtime.send(request, Peer::Anonymous);
    /// assert_eq!((answer.status, &answer.body[..]), (200, &b"the host"[..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn send(&self, request: Request, peer: Peer) -> Response {
        let session = Arc::new(Session::new(peer, Arc::default()));
        let head = request.method() == "HEAD";
        let answer = match self.host.run_here(session, request) {
            Outcome::Done(answer) => answer,
            Outcome::Waiting(waiting) => waiting.answer_blocking(&self.host.node),
        };
        let response = bodiless(answer.response, head);
        match answer.txid {
            Some(txid) => response.with_header("x-ms-ccf-transaction-id", txid.to_string()),
            None => response,
        }
    }

    /// As [`Self::send`], for a request without headers. `target` is the path, with `?` and the query
    /// if any.
    ///
    /// # Errors
    /// Method or target is not valid HTTP.
    ///
    /// ```
    /// # use affiant::{EndpointOptions, Peer, Response, Runtime};
    /// let runtime = Runtime::builder()
    ///     .in_memory()
    ///     .endpoint("GET", "/echo", EndpointOptions::native(), |request, _| {
    ///         let said = request.query_parameter("say").unwrap_or_default();
    ///         Ok(Response::text(200, said.into_owned()))
    ///     })
    ///     .start()?;
    /// let answer = runtime.call("GET", "/app/echo?say=hello", "", Peer::Anonymous)?;
    /// assert_eq!(&answer.body[..], b"hello");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn call(
        &self,
        method: &str,
        target: &str,
        body: impl Into<Bytes>,
        peer: Peer,
    ) -> Result<Response, InvalidRequest> {
        Ok(self.send(Request::new(method, target)?.with_body(body), peer))
    }

    /// Accepts nothing more, lets the answers under way leave, signs and syncs what there is, and
    /// ends every thread.
    ///
    /// # Errors
    /// The node had failed before.
    ///
    /// ```
    /// # use affiant::Runtime;
    /// let runtime = Runtime::builder().in_memory().start()?;
    /// runtime.stop()?;
    /// # Ok::<(), affiant::RuntimeError>(())
    /// ```
    pub fn stop(self) -> RuntimeResult<()> {
        if let Some(server) = &self.server {
            server.stop();
        }
        drop(self.refresher);
        self.host.application.load().stop_threads();
        self.host.executors.stop();
        self.host.node.shutdown()
    }
}
