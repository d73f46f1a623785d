//! The transactions that make and open a service, and the rows that governance would write, for
//! hosts that set up a service themselves (reference: surface I.1).
//!
//! ```
//! # use affiant::crypto::{CertificateRequest, Curve, SigningKey, SubjectName};
//! use affiant::genesis::set_user;
//! use serde_json::json;
//!
//! # let key = SigningKey::generate(Curve::P384)?;
//! # let request = CertificateRequest {
//! #     subject: SubjectName::common("Alice"), subject_alt_names: vec![],
//! #     valid_from_unix_s: 1_700_000_000, validity_days: 365,
//! # };
//! # let certificate_pem = request.self_signed_person(&key)?.pem;
//! # let mut tx = affiant_kv::Store::new().begin();
//! let user_id = set_user(&mut tx, &certificate_pem, &json!({"name": "Alice"}))?;
//! assert_eq!(user_id.len(), 64); // the certificate's SHA-256 in hex
//! # Ok::<(), affiant::RuntimeError>(())
//! ```

use std::collections::BTreeMap;

use affiant_attest::Attestation;
use affiant_kv::{KeyError, Tx};
use affiant_proof::TxId;
use affiant_proof::cose::{
    Algorithm, EndorsementRecord, Epoch, encode_endorsement_protected, encode_sign1_attached,
    to_be_signed,
};
use affiant_proof::entry::SINGLETON_KEY;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};

use crate::bundle::{AppBundle, slashed};
use crate::crypto::{
    LedgerSecret, SharedSecret, SigningKey, certificate_id, rsa_encrypt, wrap_ledger_secret,
};
use crate::error::{RuntimeError, RuntimeResult};
use crate::node::{NewMember, join_policy};
use crate::tables::{
    self, MemberAck, MemberInfo, NodeRow, ServiceConfig, ServiceInfo, ServiceStatus,
};

/// The id of the transaction that creates a service.
pub const CREATE_TXID: &str = "2.1";

/// What the first transaction writes.
pub(crate) struct Genesis<'a> {
    pub(crate) service_certificate_pem: &'a str,
    pub(crate) service_data: &'a Json,
    pub(crate) service_config: &'a ServiceConfig,
    pub(crate) constitution: &'a str,
    pub(crate) members: &'a [NewMember],
    pub(crate) node_id: &'a str,
    pub(crate) node: &'a NodeRow,
    pub(crate) node_certificate_pem: &'a str,
    /// What other nodes must be like.
    pub(crate) evidence: &'a Attestation,
}

/// Writes the first transaction.
pub(crate) fn create_service(tx: &mut Tx, genesis: &Genesis<'_>) -> RuntimeResult<()> {
    let info = ServiceInfo {
        cert: genesis.service_certificate_pem.to_owned(),
        status: ServiceStatus::Opening,
        previous_service_identity_version: None,
        recovery_count: 0,
        service_data: genesis.service_data.clone(),
        current_service_create_txid: Some(CREATE_TXID.to_owned()),
    };
    tables::put_single(tx, &tables::SERVICE_INFO, &info)?;
    tables::put_single(tx, &tables::SERVICE_CONFIG, genesis.service_config)?;
    tables::put_single(tx, &tables::CONSTITUTION, &genesis.constitution)?;
    for member in genesis.members {
        add_member(tx, member)?;
    }
    put_node(tx, genesis.node_id, genesis.node, genesis.node_certificate_pem)?;
    join_policy::admit_others_like(tx, genesis.evidence)
}

/// Writes a node's row and its endorsed certificate.
pub(crate) fn put_node(
    tx: &mut Tx,
    node_id: &str,
    node: &NodeRow,
    certificate_pem: &str,
) -> RuntimeResult<()> {
    tables::put_json(tx, &tables::NODE_INFO, node_id.as_bytes(), node)?;
    tx.put(&tables::NODE_CERTS, node_id.as_bytes(), certificate_pem.as_bytes())?;
    Ok(())
}

/// Adds a member who has yet to acknowledge the state, and returns the member's id.
///
/// # Errors
/// The certificate or the data cannot be stored.
pub fn add_member(tx: &mut Tx, member: &NewMember) -> RuntimeResult<String> {
    let id = certificate_id(&member.certificate_pem)?;
    let key = id.as_bytes();
    tx.put(&tables::MEMBER_CERTS, key, member.certificate_pem.as_bytes())?;
    if let Some(pem) = &member.encryption_public_key_pem {
        tx.put(&tables::MEMBER_ENCRYPTION_KEYS, key, pem.as_bytes())?;
    }
    let info = MemberInfo {
        status: "Accepted".to_owned(),
        member_data: member.member_data.clone(),
        recovery_role: member.recovery_role.clone(),
    };
    tables::put_json(tx, &tables::MEMBER_INFO, key, &info)?;
    let ack = MemberAck { state_digest: String::new(), cose_sign1_req: None };
    tables::put_json(tx, &tables::MEMBER_ACKS, key, &ack)?;
    Ok(id)
}

/// Makes a member active, as acknowledging the state would.
///
/// # Errors
/// There is no such member.
pub fn set_member_active(tx: &mut Tx, member_id: &str) -> RuntimeResult<()> {
    let key = member_id.as_bytes();
    let mut info: MemberInfo = tables::get_json(tx, &tables::MEMBER_INFO, key)
        .ok_or_else(|| RuntimeError::config("", format!("there is no member {member_id}")))?;
    info.status = "Active".to_owned();
    tables::put_json(tx, &tables::MEMBER_INFO, key, &info)
}

/// Adds or replaces a user, as the action `set_user` does, and returns the user's id.
///
/// # Errors
/// The certificate or the data cannot be stored.
pub fn set_user(tx: &mut Tx, certificate_pem: &str, user_data: &Json) -> RuntimeResult<String> {
    let id = certificate_id(certificate_pem)?;
    tx.put(&tables::USER_CERTS, id.as_bytes(), certificate_pem.as_bytes())?;
    if user_data.is_null() {
        tx.remove(&tables::USER_INFO, id.as_bytes())?;
    } else {
        tables::put_json(tx, &tables::USER_INFO, id.as_bytes(), &json!({"user_data": user_data}))?;
    }
    Ok(id)
}

/// Replaces the application, as the actions `set_js_app` and `set_python_app` do.
///
/// # Errors
/// The metadata is not an object of paths and verbs, or something cannot be stored.
pub fn store_bundle(tx: &mut Tx, bundle: &AppBundle) -> RuntimeResult<()> {
    let rows = bundle.rows().map_err(|error| RuntimeError::config("", error.to_string()))?;
    for table in [
        &tables::MODULES,
        &tables::MODULES_BYTECODE,
        &tables::MODULES_BYTECODE_VERSION,
        &tables::ENDPOINTS,
        &tables::APP_MANIFEST,
    ] {
        tx.clear(table);
    }
    for (name, source) in &bundle.modules {
        tx.put(&tables::MODULES, slashed(name).as_bytes(), source.as_bytes())?;
    }
    for (key, properties) in rows {
        tables::put_json(tx, &tables::ENDPOINTS, key.as_bytes(), &properties)?;
    }
    if let Some(manifest) = &bundle.manifest {
        tables::put_single(tx, &tables::APP_MANIFEST, manifest)?;
    }
    tables::put_single(tx, &tables::INTERPRETER_FLUSH, &true)
}

/// Opens the service to its users: new status, recovery shares for the members who hold keys, and
/// the endorsement of the service's key by itself.
pub(crate) fn open_service(
    tx: &mut Tx,
    service_key: &SigningKey,
    secret: &LedgerSecret,
    unix_s: u64,
) -> RuntimeResult<()> {
    let mut info: ServiceInfo = tables::get_single(tx, &tables::SERVICE_INFO)
        .ok_or_else(|| RuntimeError::config("", "there is no service to open"))?;
    if info.status == ServiceStatus::Open {
        return Ok(());
    }
    info.status = ServiceStatus::Open;
    info.previous_service_identity_version =
        tx.version_of_previous_write(&tables::SERVICE_INFO, &SINGLETON_KEY);
    tables::put_single(tx, &tables::SERVICE_INFO, &info)?;
    let secret_record = tables::HistoricalLedgerSecret {
        previous_ledger_secret: None,
        next_version: Some(secret.first_seqno),
    };
    tables::put_single(tx, &tables::HISTORICAL_LEDGER_SECRET, &secret_record)?;
    issue_shares(tx, secret)?;
    let epoch = Epoch { from: TxId::new(2, 1), to: None };
    let algorithm = Algorithm::from_cose_id(service_key.cose_algorithm())
        .ok_or_else(|| KeyError("the service key has no COSE algorithm".to_owned()))?;
    let protected = encode_endorsement_protected(algorithm, unix_s, &epoch);
    let own = service_key.public_key_der();
    let signature = service_key.sign_fixed(&to_be_signed(&protected, own))?;
    let sign1 = encode_sign1_attached(&protected, own, &signature);
    let record = EndorsementRecord::new(&sign1, own, &epoch, None);
    tables::put_single(tx, &tables::IDENTITY_ENDORSEMENT, &record)
}

/// Splits a new wrapping secret among the members who hold an encryption key.
pub(crate) fn issue_shares(tx: &mut Tx, secret: &LedgerSecret) -> RuntimeResult<()> {
    let mut participants = Vec::new();
    let mut owners = Vec::new();
    for (id, key) in tx.entries(&tables::MEMBER_ENCRYPTION_KEYS) {
        let info: Option<MemberInfo> = tables::get_json(tx, &tables::MEMBER_INFO, &id);
        let id = String::from_utf8_lossy(&id).into_owned();
        let key = String::from_utf8_lossy(&key).into_owned();
        match info.and_then(|info| info.recovery_role).as_deref() {
            Some("NonParticipant") => {}
            Some("Owner") => owners.push((id, key)),
            _ => participants.push((id, key)),
        }
    }
    if participants.is_empty() && owners.is_empty() {
        return Ok(());
    }
    let config: Option<ServiceConfig> = tables::get_single(tx, &tables::SERVICE_CONFIG);
    let threshold = config.map_or(0, |config| config.recovery_threshold);
    let threshold = if threshold == 0 { participants.len() } else { threshold };
    let shared = SharedSecret::generate()?;
    let mut encrypted_shares = BTreeMap::new();
    if !participants.is_empty() {
        if threshold > participants.len() {
            return Err(RuntimeError::RecoveryThreshold {
                threshold,
                participants: participants.len(),
            });
        }
        let shares = shared.split(participants.len(), threshold)?;
        for ((id, key), share) in participants.iter().zip(&shares) {
            let encrypted = rsa_encrypt(key, &*share.to_bytes())?;
            encrypted_shares.insert(id.clone(), STANDARD.encode(encrypted));
        }
    }
    for (id, key) in &owners {
        let encrypted = rsa_encrypt(key, &*shared.whole().to_bytes())?;
        encrypted_shares.insert(id.clone(), STANDARD.encode(encrypted));
    }
    let previous = tx.version_of_previous_write(&tables::RECOVERY_SHARES, &SINGLETON_KEY);
    let record = tables::RecoveryShares {
        encrypted_shares,
        wrapped_latest_ledger_secret: STANDARD.encode(wrap_ledger_secret(&shared, secret)?),
        previous_secret_stored_version: previous,
    };
    tables::put_single(tx, &tables::RECOVERY_SHARES, &record)
}
