//! The tables that CCF documents: their names, keys and values, in one place.
//!
//! Values are compact JSON with sorted keys and without absent optional fields, as CCF writes them
//! (reference: surface G.1); certificates and module sources are raw. A table of one row has the key
//! of eight zero bytes.
//!
//! ```
//! use affiant::node::{Node, NodeSettings};
//! use affiant::tables::{SERVICE_INFO, ServiceInfo, ServiceStatus, read_single};
//!
//! let node = Node::start(NodeSettings::in_memory())?;
//! let service: Option<ServiceInfo> = read_single(&node.snapshot(), &SERVICE_INFO);
//! assert_eq!(service.map(|service| service.status), Some(ServiceStatus::Open));
//! node.shutdown()?;
//! # Ok::<(), affiant::RuntimeError>(())
//! ```

use std::collections::BTreeMap;
use std::sync::LazyLock;

use affiant_kv::{MapName, Snapshot, Tx};
use affiant_proof::entry::SINGLETON_KEY;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::error::RuntimeResult;

/// A table whose name is fixed.
pub type Table = LazyLock<MapName>;

macro_rules! tables {
    ($($(#[$doc:meta])* $constant:ident = $name:literal;)*) => {
        $(
            $(#[$doc])*
            pub static $constant: Table =
                LazyLock::new(|| MapName::new($name).expect("the names of built-in tables are valid"));
        )*
    };
}

tables! {
    /// One row: [`ServiceInfo`].
    SERVICE_INFO = "public:ccf.gov.service.info";
    /// One row: [`ServiceConfig`].
    SERVICE_CONFIG = "public:ccf.gov.service.config";
    /// One row: the constitution's source as a JSON string.
    CONSTITUTION = "public:ccf.gov.constitution";
    /// Member id to certificate, PEM.
    MEMBER_CERTS = "public:ccf.gov.members.certs";
    /// Member id to [`MemberInfo`].
    MEMBER_INFO = "public:ccf.gov.members.info";
    /// Member id to [`MemberAck`].
    MEMBER_ACKS = "public:ccf.gov.members.acks";
    /// Member id to public encryption key, PEM.
    MEMBER_ENCRYPTION_KEYS = "public:ccf.gov.members.encryption_public_keys";
    /// User id to certificate, PEM.
    USER_CERTS = "public:ccf.gov.users.certs";
    /// User id to `{"user_data": ...}`.
    USER_INFO = "public:ccf.gov.users.info";
    /// Node id to [`NodeRow`].
    NODE_INFO = "public:ccf.gov.nodes.info";
    /// Node id to certificate endorsed by the service, PEM.
    NODE_CERTS = "public:ccf.gov.nodes.endorsed_certificates";
    /// Measurement text to `"AllowedToJoin"`, on the virtual platform.
    VIRTUAL_MEASUREMENTS = "public:ccf.gov.nodes.virtual.measurements";
    /// Set of host data, on the virtual platform.
    VIRTUAL_HOST_DATA = "public:ccf.gov.nodes.virtual.host_data";
    /// Measurement, hex, to `"AllowedToJoin"`, on AMD SEV-SNP.
    SNP_MEASUREMENTS = "public:ccf.gov.nodes.snp.measurements";
    /// Host data, hex, to the text of the container policy or an empty one, on AMD SEV-SNP.
    SNP_HOST_DATA = "public:ccf.gov.nodes.snp.host_data";
    /// Who may vouch for a measurement: a `did:x509` to `{feed: {"svn": ...}}`.
    SNP_UVM_ENDORSEMENTS = "public:ccf.gov.nodes.snp.uvm_endorsements";
    /// CPUID, hex, to the lowest TCB version by component.
    SNP_TCB_VERSIONS = "public:ccf.gov.nodes.snp.tcb_versions";
    /// Module path with a leading slash to source text.
    MODULES = "public:ccf.gov.modules";
    /// Engine-specific; always empty here.
    MODULES_BYTECODE = "public:ccf.gov.modules_quickjs_bytecode";
    /// Engine-specific; always empty here.
    MODULES_BYTECODE_VERSION = "public:ccf.gov.modules_quickjs_version";
    /// `VERB /path` to endpoint properties.
    ENDPOINTS = "public:ccf.gov.endpoints";
    /// One row: an object about the application, where its language has need of one.
    APP_MANIFEST = "public:ccf.gov.affiant.app_manifest";
    /// One row; its version says when interpreters must be dropped.
    INTERPRETER_FLUSH = "public:ccf.gov.interpreter.flush";
    /// One row: [`crate::hosting::RuntimeOptions`].
    RUNTIME_OPTIONS = "public:ccf.gov.js_runtime_options";
    /// Name to a bundle of CA certificates, a JSON string of PEM.
    CA_CERT_BUNDLES = "public:ccf.gov.tls.ca_cert_bundles";
    /// Issuer to [`JwtIssuer`].
    JWT_ISSUERS = "public:ccf.gov.jwt.issuers";
    /// Key id to a list of [`JwtKey`].
    JWT_KEYS = "public:ccf.gov.jwt.public_signing_keys_metadata_v2";
    /// Key id to a list of [`JwtCertificate`]: as written by CCF before 6.0; only read.
    JWT_CERTIFICATES = "public:ccf.gov.jwt.public_signing_keys_metadata";
    /// Key id to a certificate, raw DER: as written by CCF before 5.0; only read.
    JWT_FIRST_CERTIFICATES = "public:ccf.gov.jwt.public_signing_key";
    /// Key id to issuer, raw: as written by CCF before 5.0; only read.
    JWT_FIRST_ISSUERS = "public:ccf.gov.jwt.public_signing_key_issuer";
    /// Proposal id to proposal, raw.
    PROPOSALS = "public:ccf.gov.proposals";
    /// Proposal id to its state.
    PROPOSALS_INFO = "public:ccf.gov.proposals_info";
    /// One row: [`RecoveryShares`].
    RECOVERY_SHARES = "public:ccf.internal.recovery_shares";
    /// One row: [`HistoricalLedgerSecret`].
    HISTORICAL_LEDGER_SECRET = "public:ccf.internal.historical_encrypted_ledger_secret";
    /// One row: [`affiant_proof::cose::EndorsementRecord`].
    IDENTITY_ENDORSEMENT = "public:ccf.internal.previous_service_identity_endorsement";
}

/// Whether the service accepts its users' requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServiceStatus {
    /// Members prepare it.
    Opening,
    /// Users are served.
    Open,
    /// It was lost, and a new node reads what is left.
    Recovering,
    /// Members must submit their shares.
    WaitingForRecoveryShares,
}

impl ServiceStatus {
    /// The word that CCF's interfaces use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opening => "Opening",
            Self::Open => "Open",
            Self::Recovering => "Recovering",
            Self::WaitingForRecoveryShares => "WaitingForRecoveryShares",
        }
    }
}

/// The service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceInfo {
    /// The service's certificate, PEM.
    pub cert: String,
    /// Whether users are served.
    pub status: ServiceStatus,
    /// The seqno at which the row was written before, where a key was endorsed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_service_identity_version: Option<u64>,
    /// How often the service was recovered.
    #[serde(default)]
    pub recovery_count: u64,
    /// As configured or proposed.
    #[serde(default, skip_serializing_if = "Json::is_null")]
    pub service_data: Json,
    /// The transaction that created the service: `2.1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_service_create_txid: Option<String>,
}

/// `service_configuration` of the start command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceConfig {
    /// Shares needed to recover.
    pub recovery_threshold: usize,
    /// Longest validity of a node's certificate, in days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_node_certificate_validity_days: Option<u32>,
    /// Longest validity of the service's certificate, in days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_service_certificate_validity_days: Option<u32>,
    /// Proposals remembered against replay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recent_cose_proposals_window_size: Option<u64>,
}

/// A member's standing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemberInfo {
    /// `Accepted` or `Active`.
    pub status: String,
    /// As configured or proposed.
    #[serde(default, skip_serializing_if = "Json::is_null")]
    pub member_data: Json,
    /// `NonParticipant`, `Participant` or `Owner`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_role: Option<String>,
}

/// What a member has acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberAck {
    /// Hex Merkle root; empty in a new service.
    pub state_digest: String,
    /// The signed request, base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cose_sign1_req: Option<String>,
}

/// An address to listen on, and the one that others use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeToNodeInterface {
    /// `host:port`.
    pub bind_address: String,
    /// `host:port`.
    pub published_address: String,
}

/// Evidence of the platform a node runs on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuoteInfo {
    /// `Insecure_Virtual`, `AMD_SEV_SNP_v1`.
    pub format: String,
    /// The evidence, base64.
    pub quote: String,
    /// Its certificates, base64.
    pub endorsements: String,
    /// Who vouches for the measurement, base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uvm_endorsements: Option<String>,
    /// The TCB version that the certificates are for, hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endorsed_tcb: Option<String>,
}

/// A node. The fields `rpchost` to `pubport` are CCF 1's, kept by CCF for its readers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeRow {
    /// `Pending`, `Trusted` or `Retired`.
    pub status: String,
    /// PEM.
    pub public_key: String,
    /// RSA, PEM.
    pub encryption_pub_key: String,
    /// PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_signing_request: Option<String>,
    /// Hex measurement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_digest: Option<String>,
    /// Evidence of the platform.
    pub quote_info: QuoteInfo,
    /// Where other nodes reach it.
    pub node_to_node_interface: NodeToNodeInterface,
    /// Interface name to its configuration, with real ports.
    pub rpc_interfaces: BTreeMap<String, Json>,
    /// As configured or proposed.
    #[serde(default, skip_serializing_if = "Json::is_null")]
    pub node_data: Json,
    /// Its removal is committed.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub retired_committed: bool,
    /// Host of the first interface.
    #[serde(default)]
    pub rpchost: String,
    /// Port of the first interface.
    #[serde(default)]
    pub rpcport: String,
    /// Published host of the first interface.
    #[serde(default)]
    pub pubhost: String,
    /// Published port of the first interface.
    #[serde(default)]
    pub pubport: String,
    /// Host of the node-to-node interface.
    #[serde(default)]
    pub nodehost: String,
    /// Port of the node-to-node interface.
    #[serde(default)]
    pub nodeport: String,
}

/// The ledger secret, wrapped, and the shares of what unwraps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryShares {
    /// Member id to RSA-OAEP of the share, base64.
    pub encrypted_shares: BTreeMap<String, String>,
    /// Tag, IV, ciphertext; base64.
    pub wrapped_latest_ledger_secret: String,
    /// The seqno at which the record before this was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_secret_stored_version: Option<u64>,
}

/// The previous ledger secret sealed by the next; only `next_version` when the service opens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistoricalLedgerSecret {
    /// `{encrypted_data, version, previous_secret_stored_version?}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_ledger_secret: Option<Json>,
    /// The first seqno of the secret now in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_version: Option<u64>,
}

/// An issuer of tokens. The action that adds one stores further fields, which nothing reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JwtIssuer {
    /// The nodes fetch its keys themselves.
    #[serde(default)]
    pub auto_refresh: bool,
    /// The row of [`CA_CERT_BUNDLES`] that its server must chain to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_cert_bundle_name: Option<String>,
}

/// A key that tokens are signed with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JwtKey {
    /// DER SubjectPublicKeyInfo, base64.
    pub public_key: String,
    /// The issuer that it was registered for.
    pub issuer: String,
    /// What the token's `iss` must be; anything if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constraint: Option<String>,
}

/// As [`JwtKey`], by certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JwtCertificate {
    /// DER certificate, base64.
    pub cert: String,
    /// The issuer that it was registered for.
    pub issuer: String,
    /// What the token's `iss` must be; anything if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constraint: Option<String>,
}

/// `value` as CCF serialises it: compact, keys sorted.
#[must_use]
pub fn to_json_bytes(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_value(value)
        .expect("the rows of built-in tables have text keys")
        .to_string()
        .into_bytes()
}

/// Writes `value` as JSON under `key`.
///
/// # Errors
/// Key or value above its bound.
pub fn put_json(
    tx: &mut Tx,
    table: &MapName,
    key: &[u8],
    value: &impl Serialize,
) -> RuntimeResult<()> {
    Ok(tx.put(table, key, &to_json_bytes(value))?)
}

/// Writes the row of a table that has one row only.
///
/// # Errors
/// The value is above its bound.
pub fn put_single(tx: &mut Tx, table: &MapName, value: &impl Serialize) -> RuntimeResult<()> {
    put_json(tx, table, &SINGLETON_KEY, value)
}

/// Reads a JSON row inside a transaction; `None` if it is absent or does not parse.
pub fn get_json<T: DeserializeOwned>(tx: &mut Tx, table: &MapName, key: &[u8]) -> Option<T> {
    serde_json::from_slice(&tx.get(table, key)?).ok()
}

/// Reads the row of a table that has one row only.
pub fn get_single<T: DeserializeOwned>(tx: &mut Tx, table: &MapName) -> Option<T> {
    get_json(tx, table, &SINGLETON_KEY)
}

/// Reads a JSON row of a snapshot; `None` if it is absent or does not parse.
#[must_use]
pub fn read_json<T: DeserializeOwned>(
    snapshot: &Snapshot,
    table: &MapName,
    key: &[u8],
) -> Option<T> {
    serde_json::from_slice(&snapshot.get(table.as_str(), key)?).ok()
}

/// Reads the row of a table that has one row only.
#[must_use]
pub fn read_single<T: DeserializeOwned>(snapshot: &Snapshot, table: &MapName) -> Option<T> {
    read_json(snapshot, table, &SINGLETON_KEY)
}

/// Reads a row that holds text, such as a PEM certificate.
#[must_use]
pub fn read_text(snapshot: &Snapshot, table: &MapName, key: &[u8]) -> Option<String> {
    String::from_utf8(snapshot.get(table.as_str(), key)?.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn rows_have_ccfs_bytes() {
        let info = ServiceInfo {
            cert: "PEM\n".to_owned(),
            status: ServiceStatus::Opening,
            previous_service_identity_version: None,
            recovery_count: 0,
            service_data: Json::Null,
            current_service_create_txid: Some("2.1".to_owned()),
        };
        assert_eq!(
            String::from_utf8(to_json_bytes(&info)).unwrap(),
            r#"{"cert":"PEM\n","current_service_create_txid":"2.1","recovery_count":0,"status":"Opening"}"#
        );
        let secret = HistoricalLedgerSecret { previous_ledger_secret: None, next_version: Some(1) };
        assert_eq!(to_json_bytes(&secret), br#"{"next_version":1}"#);
        let ack = MemberAck { state_digest: String::new(), cose_sign1_req: None };
        assert_eq!(to_json_bytes(&ack), br#"{"state_digest":""}"#);
    }

    #[test]
    fn rows_written_by_other_versions_are_read() {
        let config: ServiceConfig =
            serde_json::from_str(r#"{"recovery_threshold":1,"consensus":"CFT"}"#).unwrap();
        assert_eq!(config.recovery_threshold, 1);
        assert_eq!(SERVICE_INFO.as_str(), "public:ccf.gov.service.info");
    }
}
