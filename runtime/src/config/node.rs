//! From the configuration to what a node starts with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use affiant_kv::limits as kv_limits;
use serde_json::Value as Json;

use super::CommandKind;
use super::section::Section;
use crate::crypto::{Curve, SubjectName, certificate_id, public_key_der};
use crate::error::{RuntimeError, RuntimeResult};
use crate::limits::{CONFIG_FILE_BYTES_MAX, HISTORICAL_BYTES_MAX_DEFAULT, JWT_REFRESH_MS_DEFAULT};
use crate::node::{NewMember, NodeSettings, ServiceSettings, StartMode, Storage};
use crate::platform::{Attestor, SealingKind, choose_sealing};
use crate::tables::{NodeToNodeInterface, ServiceConfig};

/// `network.node_to_node_interface`.
#[derive(Clone, Debug)]
pub(super) struct NodeToNode {
    pub(super) bind_address: String,
    published_address: String,
}

impl NodeToNode {
    pub(super) fn read(network: &mut Section<'_>) -> RuntimeResult<Self> {
        let mut section = network.object("node_to_node_interface")?.lenient();
        let bind_address = section.address("bind_address")?;
        let published = section.text("published_address", "")?;
        let published_address = if published.is_empty() { bind_address.clone() } else { published };
        Ok(Self { bind_address, published_address })
    }

    pub(super) fn set_port(&mut self, port: u16) {
        for address in [&mut self.bind_address, &mut self.published_address] {
            if let Some((host, "0")) = address.rsplit_once(':') {
                *address = format!("{host}:{port}");
            }
        }
    }
}

#[derive(Clone, Debug)]
struct Member {
    place: String,
    certificate_file: String,
    encryption_public_key_file: Option<String>,
    data_json_file: Option<String>,
    recovery_role: Option<String>,
}

/// Everything of the configuration that the node itself needs.
#[derive(Clone, Debug)]
pub(super) struct NodeConfiguration {
    pub(super) node_to_node: NodeToNode,
    node_subject_name: String,
    node_subject_alt_names: Vec<String>,
    node_curve: Curve,
    node_validity_days: u32,
    node_data_json_file: Option<String>,
    service_data_json_file: Option<String>,
    ledger_directory: String,
    chunk_bytes: u64,
    signature_entries_max: u64,
    signature_delay_ms: u64,
    jwt_key_refresh_ms: u64,
    uncommitted_count_max: usize,
    historical_bytes_max: usize,
    members: Vec<Member>,
    constitution_files: Vec<String>,
    service_config: ServiceConfig,
    service_validity_days: u32,
    service_subject_name: String,
    cose_issuer: String,
    cose_subject: String,
    state_directory: Option<String>,
    sealing_kind: SealingKind,
    sealing_key_file: Option<String>,
    open_service: bool,
    resume_if_present: bool,
}

impl NodeConfiguration {
    pub(super) fn read(
        root: &mut Section<'_>,
        command: &mut Section<'_>,
        affiant: &mut Section<'_>,
        kind: CommandKind,
        node_to_node: NodeToNode,
    ) -> RuntimeResult<Self> {
        let mut certificate = root.object("node_certificate")?;
        let node_subject_name = subject(&mut certificate, "subject_name", "CN=CCF Node")?;
        let node_subject_alt_names =
            certificate.optional_texts("subject_alt_names")?.unwrap_or_default();
        let node_curve = certificate.choice(
            "curve_id",
            &[("Secp384r1", Curve::P384), ("Secp256r1", Curve::P256)],
            Some(Curve::P384),
        )?;
        let node_validity_days = certificate.days("initial_validity_days", 1)?;
        certificate.finish()?;
        let mut ledger = root.object("ledger")?;
        let ledger_directory = ledger.text("directory", "ledger")?;
        ledger.optional_texts("read_only_directories")?;
        let chunk_bytes = ledger.size("chunk_size", 5 << 20)?;
        if chunk_bytes == 0 || chunk_bytes > kv_limits::CHUNK_BYTES_MAX {
            let reason = format!("must be between 1B and {} bytes", kv_limits::CHUNK_BYTES_MAX);
            return Err(ledger.wrong("chunk_size", reason));
        }
        ledger.finish()?;
        let mut signatures = root.object("ledger_signatures")?;
        let signature_entries_max =
            signatures.number("tx_count", kv_limits::SIGNATURE_ENTRIES_MAX_DEFAULT)?.max(1);
        let signature_delay_ms =
            signatures.time_ms("delay", kv_limits::SIGNATURE_DELAY_MS_DEFAULT)?;
        signatures.finish()?;
        let mut consensus = root.object("consensus")?;
        consensus.time_ms("message_timeout", 100)?;
        consensus.time_ms("election_timeout", 5_000)?;
        let uncommitted_count_max = consensus.count("max_uncommitted_tx_count", 0)?;
        consensus.finish()?;
        let mut jwt = root.object("jwt")?;
        let jwt_key_refresh_ms = jwt.time_ms("key_refresh_interval", JWT_REFRESH_MS_DEFAULT)?;
        jwt.finish()?;
        let mut sealing = affiant.object("sealing")?;
        let sealing_kind = sealing.choice(
            "kind",
            &[
                ("auto", SealingKind::Auto),
                ("insecure-file", SealingKind::InsecureFile),
                ("snp-derived", SealingKind::SnpDerived),
            ],
            Some(SealingKind::Auto),
        )?;
        let sealing_key_file = sealing.optional_text("key_file")?;
        sealing.finish()?;

        let mut start = command.object("start")?;
        let mut cose = start.object("cose_signatures")?;
        let (members, constitution_files) = if kind == CommandKind::Start {
            let constitution = start.optional_texts("constitution_files")?.unwrap_or_default();
            (members(&mut start)?, constitution)
        } else {
            // A block that is not used may hold anything.
            (Vec::new(), Vec::new())
        };
        Ok(Self {
            node_to_node,
            node_subject_name,
            node_subject_alt_names,
            node_curve,
            node_validity_days,
            node_data_json_file: root.optional_text("node_data_json_file")?,
            service_data_json_file: root.optional_text("service_data_json_file")?,
            ledger_directory,
            chunk_bytes,
            signature_entries_max,
            signature_delay_ms,
            jwt_key_refresh_ms,
            uncommitted_count_max: match uncommitted_count_max {
                0 => kv_limits::UNCOMMITTED_COUNT_MAX_DEFAULT,
                count => count,
            },
            historical_bytes_max: match root.size("historical_cache_soft_limit", 0)? {
                0 => HISTORICAL_BYTES_MAX_DEFAULT,
                bytes => usize::try_from(bytes).unwrap_or(usize::MAX),
            },
            members,
            constitution_files,
            service_config: service_config(&mut start)?,
            service_validity_days: start.days("initial_service_certificate_validity_days", 1)?,
            service_subject_name: subject(&mut start, "service_subject_name", "CN=CCF Service")?,
            cose_issuer: cose.text("issuer", "service.example.com")?,
            cose_subject: cose.text("subject", "ledger.signature")?,
            state_directory: affiant.optional_text("state_directory")?,
            sealing_kind,
            sealing_key_file,
            open_service: affiant.boolean("open_service", false)?,
            resume_if_present: affiant.boolean("resume_if_present", false)?,
        })
    }

    /// Where packages lie unless the configuration says so: beside the ledger.
    pub(super) fn packages_directory(&self) -> String {
        format!("{}.packages", self.ledger_directory.trim_end_matches('/'))
    }

    pub(super) fn to_settings(
        &self,
        command: CommandKind,
        rpc_interfaces: BTreeMap<String, Json>,
        attestor: Arc<dyn Attestor>,
    ) -> RuntimeResult<NodeSettings> {
        let start = match command {
            CommandKind::Start if self.resume_if_present => StartMode::ResumeOrNew,
            CommandKind::Start => StartMode::New,
            CommandKind::Resume => StartMode::Resume,
            CommandKind::Join => return Err(unsupported("joining a running service")),
            CommandKind::Recover => return Err(unsupported("recovery with members' shares")),
        };
        let (root, ledger_name) = self.split_ledger_directory()?;
        let state_directory =
            self.state_directory.clone().unwrap_or_else(|| format!("{ledger_name}.affiant"));
        if Path::new(&state_directory).is_absolute() || state_directory == ledger_name {
            return Err(RuntimeError::config(
                "affiant.state_directory",
                "must be a path beside the ledger directory, relative to what holds that",
            ));
        }
        let key_file = match &self.sealing_key_file {
            Some(path) => PathBuf::from(path),
            None => Path::new(&root).join(format!("{ledger_name}.sealing_key")),
        };
        let versions_file = Path::new(&root).join(format!("{ledger_name}.sealing_versions"));
        Ok(NodeSettings {
            storage: Storage::Directory(root.into()),
            start,
            sealing: choose_sealing(self.sealing_kind, &key_file, &versions_file),
            attestor,
            ledger_directory: ledger_name,
            ledger_directory_configured: self.ledger_directory.clone(),
            state_directory,
            chunk_bytes: self.chunk_bytes,
            signature_entries_max: self.signature_entries_max,
            signature_delay_ms: self.signature_delay_ms,
            jwt_key_refresh_ms: self.jwt_key_refresh_ms,
            uncommitted_count_max: self.uncommitted_count_max,
            historical_bytes_max: self.historical_bytes_max,
            service: self.service_settings()?,
            node_subject_name: self.node_subject_name.clone(),
            node_subject_alt_names: self.node_subject_alt_names.clone(),
            node_curve: self.node_curve,
            node_certificate_validity_days: self.node_validity_days,
            node_data: read_json("node data", self.node_data_json_file.as_deref())?,
            node_to_node_interface: NodeToNodeInterface {
                bind_address: self.node_to_node.bind_address.clone(),
                published_address: self.node_to_node.published_address.clone(),
            },
            rpc_interfaces,
        })
    }

    fn service_settings(&self) -> RuntimeResult<ServiceSettings> {
        let mut service = ServiceSettings {
            subject_name: self.service_subject_name.clone(),
            certificate_validity_days: self.service_validity_days,
            cose_issuer: self.cose_issuer.clone(),
            cose_subject: self.cose_subject.clone(),
            config: self.service_config.clone(),
            data: read_json("service data", self.service_data_json_file.as_deref())?,
            members: self.members.iter().map(Member::read_files).collect::<Result<_, _>>()?,
            open: self.open_service,
            ..ServiceSettings::default()
        };
        if !self.constitution_files.is_empty() {
            let sources: Vec<String> = self
                .constitution_files
                .iter()
                .map(|path| read_text("constitution", path))
                .collect::<Result<_, _>>()?;
            service.constitution = sources.join("\n");
        }
        Ok(service)
    }

    /// The directory that holds the ledger directory, and the latter's name.
    fn split_ledger_directory(&self) -> RuntimeResult<(String, String)> {
        let refused = || {
            RuntimeError::config(
                "ledger.directory",
                format!("{:?} does not name a directory", self.ledger_directory),
            )
        };
        let path = Path::new(&self.ledger_directory);
        let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(refused)?;
        let parent = match path.parent().and_then(Path::to_str) {
            None | Some("") => ".",
            Some(parent) => parent,
        };
        Ok((parent.to_owned(), name.to_owned()))
    }
}

fn unsupported(what: &str) -> RuntimeError {
    RuntimeError::Unsupported { what: what.to_owned() }
}

fn subject(section: &mut Section<'_>, key: &str, default: &str) -> RuntimeResult<String> {
    let text = section.text(key, default)?;
    match SubjectName::parse(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(section.wrong(key, error.to_string())),
    }
}

fn service_config(start: &mut Section<'_>) -> RuntimeResult<ServiceConfig> {
    let mut section = start.object("service_configuration")?;
    Ok(ServiceConfig {
        recovery_threshold: section.count("recovery_threshold", 0)?,
        maximum_node_certificate_validity_days: Some(
            section.days("maximum_node_certificate_validity_days", 365)?,
        ),
        maximum_service_certificate_validity_days: Some(
            section.days("maximum_service_certificate_validity_days", 365)?,
        ),
        recent_cose_proposals_window_size: None,
    })
}

fn members(start: &mut Section<'_>) -> RuntimeResult<Vec<Member>> {
    start
        .objects("members")?
        .into_iter()
        .enumerate()
        .map(|(index, mut section)| {
            Ok(Member {
                place: format!("command.start.members[{index}]"),
                certificate_file: section.required_text("certificate_file")?,
                encryption_public_key_file: section.optional_text("encryption_public_key_file")?,
                data_json_file: section.optional_text("data_json_file")?,
                recovery_role: section
                    .optional_text("recovery_role")?
                    .map(|role| match role.as_str() {
                        "NonParticipant" | "Participant" | "Owner" => Ok(role),
                        _ => Err(section.wrong(
                            "recovery_role",
                            format!("{role:?} is none of NonParticipant, Participant, Owner"),
                        )),
                    })
                    .transpose()?,
            })
        })
        .collect()
}

impl Member {
    fn read_files(&self) -> RuntimeResult<NewMember> {
        let named = |path: &Option<String>| path.clone().filter(|path| !path.is_empty());
        let certificate_pem = read_text("member certificate", &self.certificate_file)?;
        certificate_id(&certificate_pem).map_err(|error| {
            RuntimeError::config(format!("{}.certificate_file", self.place), error.to_string())
        })?;
        let encryption_public_key_pem = match named(&self.encryption_public_key_file) {
            None => None,
            Some(path) => {
                let pem = read_text("member encryption key", &path)?;
                public_key_der(&pem).map_err(|error| {
                    let place = format!("{}.encryption_public_key_file", self.place);
                    RuntimeError::config(place, error.to_string())
                })?;
                Some(pem)
            }
        };
        let data = read_json("member data", named(&self.data_json_file).as_deref())?;
        Ok(NewMember {
            certificate_pem,
            encryption_public_key_pem,
            member_data: data,
            recovery_role: self.recovery_role.clone(),
        })
    }
}

fn read_text(what: &'static str, path: &str) -> RuntimeResult<String> {
    let unreadable =
        |reason: String| RuntimeError::FileUnreadable { what, path: path.to_owned(), reason };
    let size = std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?.len();
    if size > CONFIG_FILE_BYTES_MAX {
        return Err(unreadable(format!("it has {size} bytes, more than {CONFIG_FILE_BYTES_MAX}")));
    }
    std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))
}

fn read_json(what: &'static str, path: Option<&str>) -> RuntimeResult<Json> {
    let Some(path) = path else { return Ok(Json::Null) };
    let text = read_text(what, path)?;
    serde_json::from_str(&text).map_err(|error| RuntimeError::FileUnreadable {
        what,
        path: path.to_owned(),
        reason: format!("not JSON: {error}"),
    })
}
