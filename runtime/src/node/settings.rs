//! What a node is started with. Plain data: the configuration file becomes one of these, an embedder
//! or a test fills one in.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use affiant_kv::{Disk, DiskError, DiskResult, MemDisk, RealDisk, limits};
use serde_json::Value as Json;

use super::sealed::{SealingKey, VolatileKey};
use crate::crypto::Curve;
use crate::governance::DEFAULT_CONSTITUTION;
use crate::limits::{HISTORICAL_BYTES_MAX_DEFAULT, JWT_REFRESH_MS_DEFAULT};
use crate::platform::{Attestor, VirtualAttestor};
use crate::tables::{NodeToNodeInterface, ServiceConfig};

/// Opens one more handle on the same tree.
pub type OpenDisk = Arc<dyn Fn() -> DiskResult<Box<dyn Disk>> + Send + Sync>;

/// Where the data lies.
#[derive(Clone)]
pub enum Storage {
    /// In memory: gone with the node.
    Memory,
    /// Below a directory, which is created where missing.
    Directory(PathBuf),
    /// Anywhere: each call opens one more handle on the same tree.
    Custom(OpenDisk),
}

impl Storage {
    /// A function that opens handles on one tree.
    pub(crate) fn opener(&self) -> DiskResult<OpenDisk> {
        match self {
            Self::Memory => {
                let disk = MemDisk::new();
                Ok(Arc::new(move || Ok(Box::new(disk.clone()) as Box<dyn Disk>)))
            }
            Self::Directory(root) => {
                std::fs::create_dir_all(root).map_err(|error| {
                    DiskError::new("create_dir", &root.display().to_string(), error.to_string())
                })?;
                let disk = RealDisk::new(root)?;
                Ok(Arc::new(move || Ok(Box::new(disk.clone()) as Box<dyn Disk>)))
            }
            Self::Custom(open) => Ok(open.clone()),
        }
    }
}

/// Which service a node serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum StartMode {
    /// A new one; the ledger directory must be empty.
    #[default]
    New,
    /// The one whose data is there.
    Resume,
    /// The one whose data is there, or a new one if there is none.
    ResumeOrNew,
}

/// A member who is there from the start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewMember {
    /// The certificate, PEM.
    pub certificate_pem: String,
    /// Where the member holds a recovery share: RSA, PEM.
    pub encryption_public_key_pem: Option<String>,
    /// Anything, as configured.
    pub member_data: Json,
    /// `NonParticipant`, `Participant` or `Owner`.
    pub recovery_role: Option<String>,
}

impl NewMember {
    /// Whether the member counts towards the recovery threshold.
    #[must_use]
    pub fn holds_share(&self) -> bool {
        self.encryption_public_key_pem.is_some()
            && self.recovery_role.as_deref().unwrap_or("Participant") == "Participant"
    }
}

/// A user who is there from the start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewUser {
    /// The certificate, PEM.
    pub certificate_pem: String,
    /// Anything.
    pub user_data: Json,
}

/// The service, where it is new.
#[derive(Clone, Debug)]
pub struct ServiceSettings {
    /// Subject of the service's certificate.
    pub subject_name: String,
    /// Curve of the service's key.
    pub curve: Curve,
    /// Validity of the service's certificate, in days.
    pub certificate_validity_days: u32,
    /// `iss` of the COSE signatures.
    pub cose_issuer: String,
    /// `sub` of the COSE signatures.
    pub cose_subject: String,
    /// Written to `service.config`.
    pub config: ServiceConfig,
    /// Anything.
    pub data: Json,
    /// Source of the constitution.
    pub constitution: String,
    /// Its members.
    pub members: Vec<NewMember>,
    /// Users to be added when it opens by itself.
    pub users: Vec<NewUser>,
    /// Make the members active and open the service at once, instead of waiting for governance.
    pub open: bool,
}

/// Everything a node needs to start.
#[derive(Clone)]
pub struct NodeSettings {
    /// Where the data lies.
    pub storage: Storage,
    /// New service or existing one.
    pub start: StartMode,
    /// What seals the node's identity at rest.
    pub sealing: Arc<dyn SealingKey>,
    /// What makes evidence of the platform.
    pub attestor: Arc<dyn Attestor>,
    /// Directory of the ledger, below the storage's root.
    pub ledger_directory: String,
    /// The ledger directory as the operator wrote it, for messages.
    pub ledger_directory_configured: String,
    /// Directory of everything else (consensus record, sealed identity), below the storage's root.
    pub state_directory: String,
    /// A chunk ends with the first signature at or beyond this size, in bytes.
    pub chunk_bytes: u64,
    /// Entries after which a signature is due.
    pub signature_entries_max: u64,
    /// Age of the oldest unsigned entry at which a signature is due, in milliseconds.
    pub signature_delay_ms: u64,
    /// Time between fetches of the keys of issuers with `auto_refresh`, in milliseconds.
    pub jwt_key_refresh_ms: u64,
    /// Bound on sequenced but uncommitted transactions.
    pub uncommitted_count_max: usize,
    /// Bound on the memory of past transactions that are kept, in bytes.
    pub historical_bytes_max: usize,
    /// The service, where it is new.
    pub service: ServiceSettings,
    /// Subject of the node's certificates.
    pub node_subject_name: String,
    /// Names and addresses in the node's certificates; without any, the host of each published
    /// address.
    pub node_subject_alt_names: Vec<String>,
    /// Curve of the node's key.
    pub node_curve: Curve,
    /// Validity of the node's certificates, in days.
    pub node_certificate_validity_days: u32,
    /// Anything.
    pub node_data: Json,
    /// Where other nodes reach this one.
    pub node_to_node_interface: NodeToNodeInterface,
    /// Interface name to its configuration with real ports, as `/node/network/nodes` shows it.
    pub rpc_interfaces: BTreeMap<String, Json>,
}

impl Default for ServiceSettings {
    fn default() -> Self {
        Self {
            subject_name: "CN=CCF Service".to_owned(),
            curve: Curve::P384,
            certificate_validity_days: 365,
            cose_issuer: "service.example.com".to_owned(),
            cose_subject: "ledger.signature".to_owned(),
            config: ServiceConfig {
                recovery_threshold: 0,
                maximum_node_certificate_validity_days: Some(365),
                maximum_service_certificate_validity_days: Some(365),
                recent_cose_proposals_window_size: None,
            },
            data: Json::Null,
            constitution: DEFAULT_CONSTITUTION.clone(),
            members: Vec::new(),
            users: Vec::new(),
            open: true,
        }
    }
}

impl NodeSettings {
    /// A new, open service in memory, without members: for tests, notebooks and examples.
    #[must_use]
    pub fn in_memory() -> Self {
        Self {
            storage: Storage::Memory,
            start: StartMode::New,
            sealing: Arc::new(VolatileKey::default()),
            attestor: Arc::new(VirtualAttestor),
            ledger_directory: "ledger".to_owned(),
            ledger_directory_configured: "ledger".to_owned(),
            state_directory: "state".to_owned(),
            chunk_bytes: limits::CHUNK_BYTES_DEFAULT,
            signature_entries_max: limits::SIGNATURE_ENTRIES_MAX_DEFAULT,
            signature_delay_ms: limits::SIGNATURE_DELAY_MS_DEFAULT,
            jwt_key_refresh_ms: JWT_REFRESH_MS_DEFAULT,
            uncommitted_count_max: limits::UNCOMMITTED_COUNT_MAX_DEFAULT,
            historical_bytes_max: HISTORICAL_BYTES_MAX_DEFAULT,
            service: ServiceSettings::default(),
            node_subject_name: "CN=CCF Node".to_owned(),
            node_subject_alt_names: Vec::new(),
            node_curve: Curve::P384,
            node_certificate_validity_days: 365,
            node_data: Json::Null,
            node_to_node_interface: NodeToNodeInterface {
                bind_address: "127.0.0.1:0".to_owned(),
                published_address: "127.0.0.1:0".to_owned(),
            },
            rpc_interfaces: BTreeMap::new(),
        }
    }

    /// As [`Self::in_memory`], with the data below `root` and a key file beside it; resumes what is
    /// there.
    #[must_use]
    pub fn in_directory(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        let mut settings = Self::in_memory();
        settings.ledger_directory_configured = root.join("ledger").display().to_string();
        settings.sealing = Arc::new(super::sealed::InsecureFileKey::new(root.join("sealing_key")));
        settings.storage = Storage::Directory(root);
        settings.start = StartMode::ResumeOrNew;
        settings
    }
}
