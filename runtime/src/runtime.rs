//! A node with HTTP and applications in front of it: what a host process embeds.
//!
//! ```no_run
//! use affiant::node::NodeSettings;
//! use affiant::{EndpointOptions, Listener, MapName, Response, Runtime};
//!
//! let notes = MapName::new("notes").unwrap();
//! let runtime = Runtime::builder(NodeSettings::in_memory())
//!     .listen(Listener::new("main", "127.0.0.1:8000"))
//!     .endpoint("PUT", "/notes/{id}", EndpointOptions::native(), move |request, tx| {
//!         let id = request.param("id").unwrap_or_default();
//!         tx.put(&notes, id.as_bytes(), request.body())?;
//!         Ok(Response::empty(204))
//!     })
//!     .start()
//!     .unwrap();
//! println!("listening on {:?}", runtime.addresses());
//! runtime.stop().unwrap();
//! ```

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use affiant_kv::Tx;
use arc_swap::ArcSwap;
use bytes::Bytes;
use serde_json::{Value as Json, json};

use crate::application::Application;
use crate::auth::{AuthPolicy, Peer, PolicyTable};
use crate::config::Endorsement;
use crate::dispatch::{Host, Session};
use crate::endpoint::EndpointOptions;
use crate::error::{RuntimeError, RuntimeResult};
use crate::executor::{Executors, Plan};
use crate::frontend::{AppError, Call, Frontend};
use crate::governance::{Constitution, Governance};
use crate::http::{Bound, Identities, Listener, Prepared, Protocols, Server};
use crate::jwt::Refresher;
use crate::limits::EXECUTOR_THREADS_DEFAULT;
use crate::log_info;
use crate::metrics::Metrics;
use crate::native::NativeFrontend;
use crate::node::{Node, NodeSettings};
use crate::request::{InvalidRequest, Request, Response};
use crate::respond::{Outcome, bodiless};
use crate::tables::NODE_CERTS;
use crate::tls::ServerIdentity;

type LoadFrontends = Box<dyn FnOnce(&Arc<Node>) -> RuntimeResult<Vec<Arc<dyn Frontend>>>>;

/// Collects what a [`Runtime`] is started with.
pub struct RuntimeBuilder {
    settings: NodeSettings,
    frontends: Vec<Arc<dyn Frontend>>,
    load: Vec<LoadFrontends>,
    native: NativeFrontend,
    listeners: Vec<Listener>,
    policies: PolicyTable,
    constitution: Option<Arc<dyn Constitution>>,
    http_threads: usize,
    executor_threads: usize,
}

impl RuntimeBuilder {
    /// Adds an address to listen on. Without any, the runtime serves [`Runtime::call`] only.
    #[must_use]
    pub fn listen(mut self, listener: Listener) -> Self {
        self.listeners.push(listener);
        self
    }

    /// Adds an endpoint written in Rust. Its handler runs again when its transaction conflicts.
    #[must_use]
    pub fn endpoint(
        self,
        method: &str,
        path: &str,
        options: EndpointOptions,
        handler: impl Fn(&Request, &mut Tx) -> Result<Response, AppError> + Send + Sync + 'static,
    ) -> Self {
        self.endpoint_with_call(method, path, options, move |call| handler(call.request, call.tx))
    }

    /// As [`Self::endpoint`], for a handler that needs more than request and transaction: past
    /// transactions, consensus, the fate of its writes.
    #[must_use]
    pub fn endpoint_with_call(
        mut self,
        method: &str,
        path: &str,
        options: EndpointOptions,
        handler: impl Fn(&mut Call<'_>) -> Result<Response, AppError> + Send + Sync + 'static,
    ) -> Self {
        self.native.add(method, path, options, Arc::new(handler));
        self
    }

    /// Adds an application in another language.
    #[must_use]
    pub fn frontend(mut self, frontend: Arc<dyn Frontend>) -> Self {
        self.frontends.push(frontend);
        self
    }

    /// Adds applications that can only be loaded once the node runs, such as the one in its tables.
    #[must_use]
    pub fn frontends_from(
        mut self,
        load: impl FnOnce(&Arc<Node>) -> RuntimeResult<Vec<Arc<dyn Frontend>>> + 'static,
    ) -> Self {
        self.load.push(Box::new(load));
        self
    }

    /// Adds a way to identify callers, or replaces the one of the same name.
    #[must_use]
    pub fn auth_policy(mut self, policy: Arc<dyn AuthPolicy>) -> Self {
        self.policies.insert(policy);
        self
    }

    /// Governs the service by the constitution in its tables, run by `constitution`.
    #[must_use]
    pub fn constitution(mut self, constitution: Arc<dyn Constitution>) -> Self {
        self.constitution = Some(constitution);
        self
    }

    /// Number of threads that serve connections; by default the machine's number of processors.
    #[must_use]
    pub fn http_threads(mut self, count: usize) -> Self {
        self.http_threads = count;
        self
    }

    /// Number of threads for handlers that take long.
    #[must_use]
    pub fn executor_threads(mut self, count: usize) -> Self {
        self.executor_threads = count;
        self
    }

    /// Binds the listeners, starts the node, and serves.
    ///
    /// # Errors
    /// An address is not available, the node does not start, or the application is not valid.
    pub fn start(mut self) -> RuntimeResult<Runtime> {
        let prepared = if self.listeners.is_empty() {
            None
        } else {
            Some(Prepared::bind(&self.listeners, self.http_threads)?)
        };
        for bound in prepared.iter().flat_map(|prepared| &prepared.bound) {
            let name = bound.settings.name.clone();
            let interface =
                self.settings.rpc_interfaces.entry(name).or_insert_with(|| shown(bound));
            fill_ports(interface, bound.address.port());
        }
        let refresh_ms = self.settings.jwt_key_refresh_ms;
        let node = Node::start(self.settings)?;
        let mut frontends = self.frontends;
        for load in self.load {
            frontends.extend(load(&node)?);
        }
        let native: Option<Arc<dyn Frontend>> =
            (!self.native.is_empty()).then(|| Arc::new(self.native) as Arc<dyn Frontend>);
        frontends.extend(native.clone());
        let metrics = Arc::new(Metrics::default());
        let application = Application::new(frontends, &self.policies, &metrics)?;
        let plan = Plan {
            name: "executor".to_owned(),
            threads: self.executor_threads.max(1),
            patience: None,
            detached: false,
            prepare: None,
        };
        let executors = Executors::start(&plan).map_err(|error| RuntimeError::Host {
            reason: format!("executor threads could not be started: {error}"),
        })?;
        let governance =
            self.constitution.map(|constitution| Governance::new(node.clone(), constitution));
        let host = Arc::new(Host {
            node: node.clone(),
            application: ArcSwap::from_pointee(application),
            executors,
            governance,
            metrics,
            jwt_refresh: Arc::default(),
            open: AtomicBool::new(false),
        });
        let refresher = Refresher::start(node.clone(), host.jwt_refresh.clone(), refresh_ms)
            .map_err(|error| RuntimeError::Host {
                reason: format!("the thread that fetches keys could not be started: {error}"),
            })?;
        let (server, identity) = match prepared {
            None => (None, None),
            Some(prepared) => {
                let tls = node.tls_identity()?;
                let identity = |certificate_pem: &str| {
                    ServerIdentity::new(certificate_pem, &tls.key_pkcs8)
                        .map(Arc::new)
                        .map_err(|error| RuntimeError::Host { reason: error.to_string() })
                };
                let identities = Identities {
                    service: identity(&tls.node_certificate_pem)?,
                    node: identity(&tls.self_signed_certificate_pem)?,
                };
                let server = Server::start(prepared, &host, &identities)?;
                for Bound { settings, address, .. } in &server.bound {
                    log_info!("http", "Interface {} listens on {address}", settings.name);
                }
                (Some(server), Some(identities.service))
            }
        };
        let certificate_version = AtomicU64::new(0);
        Ok(Runtime {
            server,
            identity,
            certificate_version,
            refresher,
            host,
            policies: self.policies,
            native,
        })
    }
}

/// A running node with its applications.
pub struct Runtime {
    // Dropped first: no request comes after the node has gone.
    server: Option<Server>,
    refresher: Refresher,
    /// What listeners show that speak for the service.
    identity: Option<Arc<ServerIdentity>>,
    /// The version of the node's certificate in the tables that was looked at last.
    certificate_version: AtomicU64,
    host: Arc<Host>,
    policies: PolicyTable,
    native: Option<Arc<dyn Frontend>>,
}

impl Runtime {
    /// Starts to collect what a runtime needs.
    #[must_use]
    pub fn builder(settings: NodeSettings) -> RuntimeBuilder {
        RuntimeBuilder {
            settings,
            frontends: Vec::new(),
            load: Vec::new(),
            native: NativeFrontend::default(),
            listeners: Vec::new(),
            policies: PolicyTable::default(),
            constitution: None,
            http_threads: std::thread::available_parallelism().map_or(1, usize::from),
            executor_threads: EXECUTOR_THREADS_DEFAULT,
        }
    }

    /// The node.
    #[must_use]
    pub fn node(&self) -> &Arc<Node> {
        &self.host.node
    }

    /// What judges and applies proposals, if the runtime was given a language for constitutions.
    #[must_use]
    pub fn governance(&self) -> Option<&Governance> {
        self.host.governance.as_ref()
    }

    /// The bound addresses, in the order of the listeners.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.server.as_ref().map(Server::addresses).unwrap_or_default()
    }

    /// Replaces the applications, at once for every request that comes from now on. Endpoints
    /// written in Rust stay.
    ///
    /// # Errors
    /// The endpoints contradict each other; what was served before is served on.
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

/// The interface as `/node/network/nodes` shows it.
fn shown(bound: &Bound) -> Json {
    let settings = &bound.settings;
    if !settings.configured.is_null() {
        return settings.configured.clone();
    }
    let authority = match settings.endorsement {
        Endorsement::Service => "Service",
        Endorsement::Node => "Node",
        Endorsement::Unsecured => "Unsecured",
    };
    let published = match &settings.published_address {
        empty if empty.is_empty() => bound.address.to_string(),
        given => given.clone(),
    };
    json!({
        "app_protocol": if settings.protocols == Protocols::Http2 { "HTTP2" } else { "HTTP1" },
        "bind_address": bound.address.to_string(),
        "endorsement": {"authority": authority},
        "forwarding_timeout_ms": 3000,
        "http_configuration": {
            "max_body_size": settings.body_bytes_max.to_string(),
            "max_header_size": settings.header_bytes_max.to_string(),
            "max_headers_count": settings.header_count_max,
        },
        "max_open_sessions_hard": settings.sessions_hard_max,
        "max_open_sessions_soft": settings.sessions_soft_max,
        "protocol": "tcp",
        "published_address": published,
    })
}

/// Puts the port that the system chose in place of 0.
fn fill_ports(interface: &mut Json, port: u16) {
    for field in ["bind_address", "published_address"] {
        if let Some(address) = interface.get_mut(field)
            && let Some(host) = address.as_str().and_then(|text| text.strip_suffix(":0"))
        {
            *address = format!("{host}:{port}").into();
        }
    }
}
