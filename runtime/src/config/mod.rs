//! CCF's node configuration (reference: node launcher, "Configuration JSON"), read strictly: an
//! unknown key, a wrong type or a value out of range is fatal and named by its place in the JSON.
//!
//! One block is ours: `affiant`, with what CCF has no word for.
//!
//! ```
//! use affiant::config::{CommandKind, Configuration};
//!
//! let configuration = Configuration::parse(
//!     r#"{
//!         "network": {
//!             "node_to_node_interface": {"bind_address": "127.0.0.1:0"},
//!             "rpc_interfaces": {"main": {"bind_address": "127.0.0.1:8000"}}
//!         },
//!         "command": {"type": "Start", "start": {"members": [{"certificate_file": "member0_cert.pem"}]}}
//!     }"#,
//! )?;
//! assert_eq!(configuration.command, CommandKind::Start);
//! assert_eq!(configuration.listeners[0].bind_address, "127.0.0.1:8000");
//! # Ok::<(), affiant::RuntimeError>(())
//! ```

mod attestation;
mod files;
mod node;
mod section;
mod units;

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::error::{RuntimeError, RuntimeResult};
use crate::limits;
use crate::log::{Format, Level};
use crate::platform::{PlatformSettings, detect};
use section::Section;

pub use files::OutputFiles;
pub(crate) use files::write_file_atomically;

/// What the node is to do at start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandKind {
    /// Start a new service.
    Start,
    /// Join a running one.
    Join,
    /// Recover one from its ledger, with its members' shares.
    Recover,
    /// Go on with the service whose data and sealed identity are here; ours, CCF has no such word.
    Resume,
}

/// Who vouches for an interface's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endorsement {
    /// The service: the endorsed node certificate.
    Service,
    /// The node: its self-signed certificate.
    Node,
    /// Nobody: plain text.
    Unsecured,
}

/// The protocol of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppProtocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
}

/// One interface to listen on.
#[derive(Clone, Debug, PartialEq)]
pub struct ListenerSettings {
    /// Its name in the configuration.
    pub name: String,
    /// `host:port` to listen on; port 0 takes a free one.
    pub bind_address: String,
    /// `host:port` that clients use; empty: as bound.
    pub published_address: String,
    /// The protocol.
    pub app_protocol: AppProtocol,
    /// Who vouches for its certificate.
    pub endorsement: Endorsement,
    /// Sessions above which new ones are answered 503.
    pub sessions_soft_max: usize,
    /// Sessions above which new ones are closed at once.
    pub sessions_hard_max: usize,
    /// Largest body of a request, in bytes.
    pub body_bytes_max: usize,
    /// Largest header section of a request, in bytes.
    pub header_bytes_max: usize,
    /// Most headers of a request.
    pub header_count_max: usize,
    /// Time a session may be idle, in milliseconds.
    pub idle_ms_max: u64,
    /// Regular expressions of the paths it serves; `None`: all.
    pub accepted_endpoints: Option<Vec<String>>,
    /// The interface object as configured, for `/node/network/nodes`.
    pub configured: Json,
}

impl ListenerSettings {
    /// The interface object as configured, with the real addresses.
    #[must_use]
    pub fn with_real_addresses(&self, bound: std::net::SocketAddr) -> Json {
        let mut interface = self.configured.clone();
        if let Some(map) = interface.as_object_mut() {
            let real_port = |address: &str| match address.rsplit_once(':') {
                Some((host, "0")) => format!("{host}:{}", bound.port()),
                _ => address.to_owned(),
            };
            let bind = real_port(&self.bind_address);
            let published = match self.published_address.as_str() {
                "" => bind.clone(),
                address => real_port(address),
            };
            map.insert("bind_address".to_owned(), Json::String(bind));
            map.insert("published_address".to_owned(), Json::String(published));
        }
        interface
    }
}

/// A whole configuration, checked.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// What to do.
    pub command: CommandKind,
    /// Interfaces to listen on, by name.
    pub listeners: Vec<ListenerSettings>,
    /// Files the node writes.
    pub output_files: OutputFiles,
    /// Log level, where configured.
    pub log_level: Option<Level>,
    /// Log format.
    pub log_format: Format,
    /// The first SIGTERM only gives notice.
    pub ignore_first_sigterm: bool,
    /// Worker threads; 0: as many as the machine has processors.
    pub worker_threads: usize,
    /// Directory of the application, where it does not come through governance.
    pub app_directory: Option<String>,
    /// The Python interpreter for a Python application, where one is named.
    pub python: Option<String>,
    /// Worker processes for Python handlers; 0: none.
    pub python_workers: usize,
    /// Where the packages of Python applications lie.
    pub packages_directory: String,
    /// Who is asked for evidence of the platform, and how.
    pub platform: PlatformSettings,
    node: node::NodeConfiguration,
}

impl Configuration {
    /// Reads and checks a configuration. No file that it names is touched.
    ///
    /// # Errors
    /// [`RuntimeError::ConfigInvalid`] with the place and what would be right.
    pub fn parse(text: &str) -> RuntimeResult<Self> {
        if text.len() as u64 > limits::CONFIG_BYTES_MAX {
            return Err(RuntimeError::config("", "the file is larger than 4 MiB"));
        }
        let json: Json = serde_json::from_str(text)
            .map_err(|error| RuntimeError::config("", format!("not JSON: {error}")))?;
        let mut root = Section::root(&json)?;
        let idle_ms_max = root.time_ms("idle_connection_timeout", limits::IDLE_MS_MAX_DEFAULT)?;
        let mut network = root.object("network")?;
        let listeners = listeners(&mut network, idle_ms_max)?;
        let node_to_node = node::NodeToNode::read(&mut network)?;
        network.finish()?;
        let mut command = root.object("command")?.lenient();
        let kind = command.choice(
            "type",
            &[
                ("Start", CommandKind::Start),
                ("Join", CommandKind::Join),
                ("Recover", CommandKind::Recover),
                ("Resume", CommandKind::Resume),
            ],
            None,
        )?;
        let mut logging = root.object("logging")?;
        let log_level = logging.optional_text("host_level")?;
        let log_level = match log_level {
            None => None,
            Some(word) => Some(Level::parse(&word).ok_or_else(|| {
                RuntimeError::config(
                    "logging.host_level",
                    format!("{word:?} is none of Trace, Debug, Info, Fail, Fatal"),
                )
            })?),
        };
        let log_format = logging.choice(
            "format",
            &[("Text", Format::Text), ("Json", Format::Json)],
            Some(Format::Text),
        )?;
        logging.finish()?;
        let output_files = OutputFiles::read(&mut root, &mut command)?;
        let mut affiant = root.object("affiant")?;
        let app_directory = affiant.optional_text("app_directory")?;
        let python = affiant.optional_text("python")?;
        let python_workers = affiant.count("python_workers", 0)?;
        if python_workers > usize::from(limits::PYTHON_WORKERS_MAX) {
            let reason = format!("must be at most {}", limits::PYTHON_WORKERS_MAX);
            return Err(affiant.wrong("python_workers", reason));
        }
        let packages_directory = affiant.optional_text("packages_directory")?;
        let platform = attestation::read(&mut root, &mut affiant)?;
        let node = node::NodeConfiguration::read(
            &mut root,
            &mut command,
            &mut affiant,
            kind,
            node_to_node,
        )?;
        affiant.finish()?;
        command.finish()?;
        let ignore_first_sigterm = root.boolean("ignore_first_sigterm", false)?;
        let worker_threads = root.count("worker_threads", 0)?;
        read_ignored(&mut root)?;
        root.finish()?;
        Ok(Self {
            command: kind,
            listeners,
            output_files,
            log_level,
            log_format,
            ignore_first_sigterm,
            worker_threads,
            app_directory,
            python,
            python_workers,
            packages_directory: packages_directory.unwrap_or_else(|| node.packages_directory()),
            platform,
            node,
        })
    }

    /// Reads the files that the configuration names, and becomes what a node starts with.
    /// `interfaces` are the bound listeners' objects by name
    /// ([`ListenerSettings::with_real_addresses`]).
    ///
    /// # Errors
    /// A file cannot be read or does not hold what it should; or the command is not supported.
    pub fn node_settings(
        &self,
        interfaces: BTreeMap<String, Json>,
    ) -> RuntimeResult<crate::node::NodeSettings> {
        let attestor = detect(&self.platform).map_err(|error| RuntimeError::Host {
            reason: format!("There is no evidence of the platform: {error}"),
        })?;
        self.node.to_settings(self.command, interfaces, attestor)
    }

    /// Checks everything that can be checked without side effects: what the configuration names is
    /// there and readable.
    ///
    /// # Errors
    /// As [`Self::node_settings`].
    pub fn check(&self) -> RuntimeResult<()> {
        let interfaces = self
            .listeners
            .iter()
            .map(|listener| (listener.name.clone(), listener.configured.clone()))
            .collect();
        self.node_settings(interfaces).map(drop)
    }

    /// The address other nodes will use, as configured.
    #[must_use]
    pub fn node_to_node_bind_address(&self) -> &str {
        &self.node.node_to_node.bind_address
    }

    /// Replaces port 0 of the node-to-node interface by the port that was taken for it.
    pub fn set_node_to_node_port(&mut self, port: u16) {
        self.node.node_to_node.set_port(port);
    }
}

/// Keys that CCF has and that mean nothing here yet; their values are checked all the same.
fn read_ignored(root: &mut Section<'_>) -> RuntimeResult<()> {
    root.any("enclave");
    root.optional_text("node_client_interface")?;
    for key in ["tick_interval", "slow_io_logging_threshold", "client_connection_timeout"] {
        root.time_ms(key, 0)?;
    }
    root.any("node_to_node_message_limit");
    let mut snapshots = root.object("snapshots")?;
    snapshots.optional_text("directory")?;
    snapshots.count("tx_count", 10_000)?;
    snapshots.optional_text("read_only_directory")?;
    snapshots.any("time_interval");
    snapshots.finish()?;
    let mut memory = root.object("memory")?;
    for key in ["circuit_size", "max_msg_size", "max_fragment_size"] {
        memory.size(key, 0)?;
    }
    memory.finish()
}

fn listeners(network: &mut Section<'_>, idle_ms_max: u64) -> RuntimeResult<Vec<ListenerSettings>> {
    let interfaces = network.object("rpc_interfaces")?.lenient();
    let mut listeners = Vec::new();
    for name in interfaces.keys() {
        let mut section = interfaces.child(&name)?.lenient();
        listeners.push(listener(&name, &mut section, idle_ms_max)?);
    }
    if listeners.is_empty() {
        return Err(RuntimeError::config(
            "network.rpc_interfaces",
            "at least one interface is needed, such as {\"main\": {\"bind_address\": \
             \"127.0.0.1:8000\"}}",
        ));
    }
    Ok(listeners)
}

fn listener(
    name: &str,
    section: &mut Section<'_>,
    idle_ms_max: u64,
) -> RuntimeResult<ListenerSettings> {
    let bind_address = section.address("bind_address")?;
    let published_address = section.text("published_address", "")?;
    section.choice("protocol", &[("tcp", ()), ("udp", ())], Some(()))?;
    let app_protocol = section.choice(
        "app_protocol",
        &[("HTTP1", AppProtocol::Http1), ("HTTP2", AppProtocol::Http2)],
        Some(AppProtocol::Http1),
    )?;
    let soft = section.count("max_open_sessions_soft", limits::SESSIONS_SOFT_MAX_DEFAULT)?;
    let hard = section.count("max_open_sessions_hard", limits::SESSIONS_HARD_MAX_DEFAULT)?;
    if hard < soft {
        return Err(section.wrong("max_open_sessions_hard", "below max_open_sessions_soft"));
    }
    let mut http = section.object("http_configuration")?.strict();
    let body_bytes_max =
        http.size("max_body_size", limits::BODY_BYTES_MAX_DEFAULT as u64)? as usize;
    let header_bytes_max =
        http.size("max_header_size", limits::HEADER_BYTES_MAX_DEFAULT as u64)? as usize;
    let header_count_max = http.count("max_headers_count", limits::HEADER_COUNT_MAX_DEFAULT)?;
    http.count("max_concurrent_streams_count", 100)?;
    http.size("initial_window_size", 0)?;
    http.size("max_frame_size", 0)?;
    http.finish()?;
    let mut endorsement = section.object("endorsement")?.strict();
    endorsement.any("acme_configuration");
    let authority = endorsement.choice(
        "authority",
        &[
            ("Service", Endorsement::Service),
            ("Node", Endorsement::Node),
            ("Unsecured", Endorsement::Unsecured),
        ],
        Some(Endorsement::Service),
    )?;
    endorsement.finish()?;
    let accepted_endpoints = section.optional_texts("accepted_endpoints")?;
    Ok(ListenerSettings {
        name: name.to_owned(),
        bind_address,
        published_address,
        app_protocol,
        endorsement: authority,
        sessions_soft_max: soft,
        sessions_hard_max: hard,
        body_bytes_max,
        header_bytes_max,
        header_count_max,
        idle_ms_max,
        accepted_endpoints,
        configured: section.as_json(),
    })
}
