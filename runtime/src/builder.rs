//! What a runtime is started with. Two decisions have no default, and the types ask for them in order:
//! where the data lies, and what seals the keys of a node whose data outlives it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use affiant_kv::Tx;
use arc_swap::ArcSwap;
use serde_json::{Value as Json, json};

use crate::application::Application;
use crate::auth::{AuthPolicy, PolicyTable};
use crate::config::Endorsement;
use crate::dispatch::Host;
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
use crate::node::{NewMember, NewUser, Node, NodeSettings, SealingKey};
use crate::request::{Request, Response};
use crate::runtime::Runtime;
use crate::tls::ServerIdentity;

/// The first decision of [`Runtime::builder`]: where the data lies.
///
/// ```
/// # use affiant::Runtime;
/// let scratch = Runtime::builder().in_memory();
/// let kept = Runtime::builder().directory("ledger").key_file();
/// ```
#[must_use = "a runtime starts with `start`"]
pub struct WantsStorage(());

impl WantsStorage {
    pub(crate) const fn new() -> Self {
        Self(())
    }

    /// In memory: gone with the runtime, and so are its keys. A new, open service, without members.
    ///
    /// ```
    /// # use affiant::Runtime;
    /// let runtime = Runtime::builder().in_memory().start()?;
    /// # Ok::<(), affiant::RuntimeError>(())
    /// ```
    pub fn in_memory(self) -> RuntimeBuilder {
        self.node(NodeSettings::in_memory())
    }

    /// Below this directory, which is made where it is missing. What is there is resumed: the same
    /// service, its transactions, its keys. One runtime at a time has it, of all processes.
    ///
    /// ```
    /// # let place = tempfile::tempdir().unwrap();
    /// # let path = place.path();
    /// # use affiant::{Runtime, RuntimeError};
    /// let first = Runtime::builder().directory(path).key_file().start()?;
    /// let certificate = first.service_certificate();
    /// let second = Runtime::builder().directory(path).key_file().start();
    /// assert!(matches!(second, Err(RuntimeError::InUse { .. })));
    /// first.stop()?;
    ///
    /// let again = Runtime::builder().directory(path).key_file().start()?;
    /// assert_eq!(again.service_certificate(), certificate);
    /// # Ok::<(), RuntimeError>(())
    /// ```
    pub fn directory(self, path: impl Into<PathBuf>) -> WantsSealing {
        WantsSealing(NodeSettings::in_directory(path))
    }

    /// As these settings say, for a host that fills in everything, such as one that reads a
    /// configuration file.
    ///
    /// ```
    /// # use affiant::Runtime;
    /// use affiant::node::NodeSettings;
    ///
    /// let settings = NodeSettings { chunk_bytes: 1 << 20, ..NodeSettings::in_memory() };
    /// let runtime = Runtime::builder().node(settings).start()?;
    /// # Ok::<(), affiant::RuntimeError>(())
    /// ```
    pub fn node(self, settings: NodeSettings) -> RuntimeBuilder {
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
}

/// The second decision of [`Runtime::builder`], where the data outlives the process: what seals the
/// keys of the node and of its service, which lie with the data.
///
/// ```
/// # use affiant::Runtime;
/// let builder = Runtime::builder().directory("ledger").key_file();
/// ```
#[must_use = "a runtime starts with `start`"]
pub struct WantsSealing(NodeSettings);

impl WantsSealing {
    /// A key in the file `sealing_key` of the same directory, made where it is missing, readable by its
    /// owner only. So the directory is as secret as what is stored: whoever can read it can decrypt
    /// private maps and sign as the service. Without the file the ledger can be verified, but not
    /// resumed.
    ///
    /// ```
    /// # let place = tempfile::tempdir().unwrap();
    /// # let path = place.path();
    /// # use affiant::Runtime;
    /// let runtime = Runtime::builder().directory(path).key_file().start()?;
    /// assert!(path.join("sealing_key").exists());
    /// # Ok::<(), affiant::RuntimeError>(())
    /// ```
    pub fn key_file(self) -> RuntimeBuilder {
        WantsStorage::new().node(self.0)
    }

    /// This key: of a machine that measures what runs on it ([`crate::platform`]), of a hardware module,
    /// of a service that the host asks.
    ///
    /// ```
    /// # let place = tempfile::tempdir().unwrap();
    /// # let path = place.path();
    /// # use affiant::Runtime;
    /// use affiant::node::InsecureFileKey;
    ///
    /// let key = InsecureFileKey::new(path.join("keys/sealing"));
    /// let runtime = Runtime::builder().directory(path.join("ledger")).sealed_by(key).start()?;
    /// # Ok::<(), affiant::RuntimeError>(())
    /// ```
    pub fn sealed_by(mut self, key: impl SealingKey + 'static) -> RuntimeBuilder {
        self.0.sealing = Arc::new(key);
        self.key_file()
    }
}

type LoadFrontends = Box<dyn FnOnce(&Arc<Node>) -> RuntimeResult<Vec<Arc<dyn Frontend>>>>;

/// Collects what a [`Runtime`] is started with; everything has a default but [`WantsStorage`] and
/// [`WantsSealing`].
///
/// ```
/// # use affiant::{EndpointOptions, Response, Runtime};
/// let runtime = Runtime::builder()
///     .in_memory()
///     .listen("127.0.0.1:0")
///     .endpoint("GET", "/hello", EndpointOptions::native(), |_, _| Ok(Response::text(200, "hello")))
///     .start()?;
/// println!("https://{}/app/hello", runtime.addresses()[0]);
/// # Ok::<(), affiant::RuntimeError>(())
/// ```
#[must_use = "a runtime starts with `start`"]
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
    /// Adds an address to listen on, over TLS unless the listener says otherwise. Without any, the
    /// runtime serves [`Runtime::call`] only. A listener without a name, such as one made of an address
    /// alone, is called `main`, then `main-2` and so on.
    ///
    /// ```
    /// # use affiant::{Listener, Runtime};
    /// let public = Listener { body_bytes_max: 1 << 16, ..Listener::new("public", "127.0.0.1:0") };
    /// let runtime = Runtime::builder().in_memory().listen("127.0.0.1:0").listen(public).start()?;
    /// assert_eq!(runtime.addresses().len(), 2);
    /// # Ok::<(), affiant::RuntimeError>(())
    /// ```
    pub fn listen(mut self, listener: impl Into<Listener>) -> Self {
        let mut listener = listener.into();
        if listener.name.is_empty() {
            listener.name = match self.listeners.len() {
                0 => MAIN.to_owned(),
                before => format!("{MAIN}-{}", before + 1),
            };
        }
        self.listeners.push(listener);
        self
    }

    /// Adds a name or an address to the node's certificates: what clients connect to. Without any, it is
    /// the host of each published address.
    ///
    /// ```
    /// # use affiant::Runtime;
    /// let builder = Runtime::builder().in_memory().listen("127.0.0.1:0").subject_name("localhost");
    /// ```
    pub fn subject_name(mut self, name: impl Into<String>) -> Self {
        self.settings.node_subject_alt_names.push(name.into());
        self
    }

    /// Adds a member of the consortium, where the service is new. What is there is not changed.
    ///
    /// ```
    /// # use affiant::Runtime;
    /// # use affiant::crypto::{CertificateRequest, Curve, SigningKey, SubjectName};
    /// use affiant::node::NewMember;
    /// # let request = CertificateRequest {
    /// #     subject: SubjectName::common("m"),
    /// #     subject_alt_names: Vec::new(),
    /// #     valid_from_unix_s: 1_700_000_000,
    /// #     validity_days: 36_500,
    /// # };
    /// # let certificate_pem =
    /// #     request.self_signed_person(&SigningKey::generate(Curve::P256).unwrap()).unwrap().pem;
    ///
    /// let member = NewMember { certificate_pem, ..NewMember::default() };
    /// let runtime = Runtime::builder().in_memory().member(member).start()?;
    /// # Ok::<(), affiant::RuntimeError>(())
    /// ```
    pub fn member(mut self, member: NewMember) -> Self {
        self.settings.service.members.push(member);
        self
    }

    /// Adds a user, where the service is new. What is there is not changed.
    ///
    /// ```
    /// # use affiant::Runtime;
    /// # use affiant::crypto::{CertificateRequest, Curve, SigningKey, SubjectName};
    /// use affiant::node::NewUser;
    /// # let request = CertificateRequest {
    /// #     subject: SubjectName::common("u"),
    /// #     subject_alt_names: Vec::new(),
    /// #     valid_from_unix_s: 1_700_000_000,
    /// #     validity_days: 36_500,
    /// # };
    /// # let certificate_pem =
    /// #     request.self_signed_person(&SigningKey::generate(Curve::P256).unwrap()).unwrap().pem;
    ///
    /// let user = NewUser { certificate_pem, user_data: "auditor".into() };
    /// let runtime = Runtime::builder().in_memory().user(user).start()?;
    /// # Ok::<(), affiant::RuntimeError>(())
    /// ```
    pub fn user(mut self, user: NewUser) -> Self {
        self.settings.service.users.push(user);
        self
    }

    /// The longest time, in whole milliseconds, for which a transaction is unsigned when nobody waits for
    /// it; 1 s by default. Somebody who waits hurries the signature whatever this says.
    ///
    /// ```
    /// # use affiant::Runtime;
    /// use std::time::Duration;
    ///
    /// let builder = Runtime::builder().in_memory().signature_delay(Duration::from_millis(100));
    /// ```
    pub fn signature_delay(mut self, delay: Duration) -> Self {
        self.settings.signature_delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self
    }

    /// Changes anything else of the node.
    ///
    /// ```
    /// # use affiant::Runtime;
    /// let builder = Runtime::builder().in_memory().configure(|node| {
    ///     node.uncommitted_count_max = 1_000;
    ///     node.service.data = "pilot".into();
    /// });
    /// ```
    pub fn configure(mut self, change: impl FnOnce(&mut NodeSettings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// Adds an endpoint written in Rust. Its handler runs again when its transaction conflicts.
    ///
    /// ```
    /// # use affiant::{EndpointOptions, MapName, Peer, Response, Runtime};
    /// let notes = MapName::new("notes")?;
    /// let runtime = Runtime::builder()
    ///     .in_memory()
    ///     .endpoint("PUT", "/notes/{id}", EndpointOptions::native(), move |request, tx| {
    ///         let id = request.param("id").unwrap_or_default();
    ///         tx.put(&notes, id.as_bytes(), request.body())?;
    ///         Ok(Response::empty(204))
    ///     })
    ///     .start()?;
    /// let answer = runtime.call("PUT", "/app/notes/7", "seven", Peer::Anonymous)?;
    /// assert_eq!(answer.status, 204);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
    ///
    /// ```
    /// # use affiant::{EndpointOptions, MapName, Peer, Response, Runtime};
    /// let refused = MapName::new("refused")?;
    /// let runtime = Runtime::builder()
    ///     .in_memory()
    ///     .endpoint_with_call("POST", "/try", EndpointOptions::native(), move |call| {
    ///         call.tx.put(&refused, b"last", call.request.body())?;
    ///         // Kept, although the answer is an error.
    ///         call.apply_writes = Some(true);
    ///         Ok(Response::empty(409))
    ///     })
    ///     .start()?;
    /// assert_eq!(runtime.call("POST", "/app/try", "x", Peer::Anonymous)?.status, 409);
    /// assert_eq!(runtime.snapshot().len("refused"), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
    ///
    /// ```
    /// # use affiant::Runtime;
    /// use std::sync::Arc;
    ///
    /// use affiant::hosting::Frontend;
    ///
    /// fn serve(app: Arc<dyn Frontend>) -> affiant::RuntimeResult<Runtime> {
    ///     Runtime::builder().in_memory().frontend(app).start()
    /// }
    /// ```
    pub fn frontend(mut self, frontend: Arc<dyn Frontend>) -> Self {
        self.frontends.push(frontend);
        self
    }

    /// Adds applications that can only be loaded once the node runs, such as the one in its tables.
    ///
    /// ```
    /// # use affiant::Runtime;
    /// let builder = Runtime::builder().in_memory().frontends_from(|node| {
    ///     println!("node {} runs", node.node_id());
    ///     Ok(Vec::new())
    /// });
    /// ```
    pub fn frontends_from(
        mut self,
        load: impl FnOnce(&Arc<Node>) -> RuntimeResult<Vec<Arc<dyn Frontend>>> + 'static,
    ) -> Self {
        self.load.push(Box::new(load));
        self
    }

    /// Adds a way to identify callers, or replaces the one of the same name.
    ///
    /// ```
    /// # use affiant::Runtime;
    /// use std::sync::Arc;
    ///
    /// use affiant::auth::AuthPolicy;
    ///
    /// fn with(policy: Arc<dyn AuthPolicy>) -> affiant::RuntimeResult<Runtime> {
    ///     Runtime::builder().in_memory().auth_policy(policy).start()
    /// }
    /// ```
    pub fn auth_policy(mut self, policy: Arc<dyn AuthPolicy>) -> Self {
        self.policies.insert(policy);
        self
    }

    /// Governs the service by the constitution in its tables, run by `constitution`.
    ///
    /// ```
    /// # use affiant::Runtime;
    /// use std::sync::Arc;
    ///
    /// use affiant::governance::Constitution;
    ///
    /// fn governed(language: Arc<dyn Constitution>) -> affiant::RuntimeResult<Runtime> {
    ///     Runtime::builder().in_memory().constitution(language).listen("127.0.0.1:0").start()
    /// }
    /// ```
    pub fn constitution(mut self, constitution: Arc<dyn Constitution>) -> Self {
        self.constitution = Some(constitution);
        self
    }

    /// Number of threads that serve connections; by default the machine's number of processors.
    ///
    /// ```
    /// # use affiant::Runtime;
    /// let builder = Runtime::builder().in_memory().listen("127.0.0.1:0").http_threads(2);
    /// ```
    pub fn http_threads(mut self, count: usize) -> Self {
        self.http_threads = count;
        self
    }

    /// Number of threads for handlers that take long.
    ///
    /// ```
    /// # use affiant::Runtime;
    /// let builder = Runtime::builder().in_memory().executor_threads(1);
    /// ```
    pub fn executor_threads(mut self, count: usize) -> Self {
        self.executor_threads = count;
        self
    }

    /// Binds the listeners, starts the node, and serves.
    ///
    /// # Errors
    /// An address is not available, the directory is open already, its data is damaged, the node does
    /// not start, or the application is not valid.
    ///
    /// ```
    /// # use affiant::Runtime;
    /// let runtime = Runtime::builder().in_memory().start()?;
    /// runtime.stop()?;
    /// # Ok::<(), affiant::RuntimeError>(())
    /// ```
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

/// The name of the first listener that has none.
const MAIN: &str = "main";

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
