//! The keys and certificates of a node and its service: made once, sealed at rest, read at restart.

use std::sync::{Arc, OnceLock};

use affiant_kv::KeyError;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use zeroize::Zeroizing;

use super::settings::{NodeSettings, Storage};
use crate::crypto::{
    CertificateRequest, EncryptionKey, LedgerSecret, RuntimeSigner, SigningKey, SubjectName,
};
use crate::error::{RuntimeError, RuntimeResult};

const SECRET_BYTES: usize = 32;
const DAY_S: u64 = 86_400;

/// What the sealed file says besides keys; all of it public.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IdentityFacts {
    pub(crate) service_certificate_pem: String,
    pub(crate) service_subject_name: String,
    pub(crate) node_subject_name: String,
    pub(crate) node_certificate_pem: String,
    pub(crate) node_certificate_valid_to_unix_s: u64,
    pub(crate) node_self_signed_pem: String,
    pub(crate) node_subject_alt_names: Vec<String>,
    pub(crate) cose_issuer: String,
    pub(crate) cose_subject: String,
    /// View = consensus term + this.
    pub(crate) view_offset: u64,
}

/// A node's identity and that of its service.
pub(crate) struct NodeIdentity {
    pub(crate) service_key: Arc<SigningKey>,
    pub(crate) node_key: Arc<SigningKey>,
    pub(crate) encryption_key: Arc<EncryptionKey>,
    pub(crate) secrets: Vec<LedgerSecret>,
    pub(crate) facts: IdentityFacts,
}

impl NodeIdentity {
    /// Makes a new service and its first node.
    pub(crate) fn generate(settings: &NodeSettings, unix_s: u64) -> RuntimeResult<Self> {
        let service = &settings.service;
        let service_key = Arc::new(SigningKey::generate(service.curve)?);
        let node_key = Arc::new(SigningKey::generate(settings.node_curve)?);
        let service_subject = SubjectName::parse(&service.subject_name)?;
        let service_certificate = CertificateRequest {
            subject: service_subject,
            subject_alt_names: Vec::new(),
            valid_from_unix_s: unix_s,
            validity_days: service.certificate_validity_days,
        }
        .self_signed_authority(&service_key)?;
        let mut identity = Self {
            service_key,
            node_key,
            encryption_key: encryption_key(&settings.storage)?,
            secrets: vec![LedgerSecret::generate(1)?],
            facts: IdentityFacts {
                service_certificate_pem: service_certificate.pem,
                service_subject_name: service.subject_name.clone(),
                node_subject_name: settings.node_subject_name.clone(),
                node_certificate_pem: String::new(),
                node_certificate_valid_to_unix_s: 0,
                node_self_signed_pem: String::new(),
                node_subject_alt_names: Vec::new(),
                cose_issuer: service.cose_issuer.clone(),
                cose_subject: service.cose_subject.clone(),
                view_offset: 1,
            },
        };
        identity.renew_node_certificates(settings, unix_s)?;
        Ok(identity)
    }

    /// Issues new certificates for the node, if its names have changed or the old ones have less
    /// than a tenth of their validity left. Returns whether it did.
    pub(crate) fn renew_node_certificates(
        &mut self,
        settings: &NodeSettings,
        unix_s: u64,
    ) -> RuntimeResult<bool> {
        let names = alternative_names(settings);
        let validity_s = u64::from(settings.node_certificate_validity_days) * DAY_S;
        let still_good = self.facts.node_certificate_valid_to_unix_s > unix_s + validity_s / 10;
        if still_good
            && self.facts.node_subject_alt_names == names
            && self.facts.node_subject_name == settings.node_subject_name
        {
            return Ok(false);
        }
        let request = CertificateRequest {
            subject: SubjectName::parse(&settings.node_subject_name)?,
            subject_alt_names: names.clone(),
            valid_from_unix_s: unix_s,
            validity_days: settings.node_certificate_validity_days,
        };
        let service = SubjectName::parse(&self.facts.service_subject_name)?;
        let endorsed = request.endorsed(&*self.node_key, &service, &self.service_key)?;
        self.facts.node_self_signed_pem = request.self_signed_authority(&self.node_key)?.pem;
        self.facts.node_certificate_pem = endorsed.pem;
        self.facts.node_certificate_valid_to_unix_s = endorsed.valid_to_unix_s;
        self.facts.node_subject_alt_names = names;
        settings.node_subject_name.clone_into(&mut self.facts.node_subject_name);
        Ok(true)
    }

    /// What signs Merkle roots.
    pub(crate) fn signer(&self) -> RuntimeSigner {
        RuntimeSigner::new(
            self.node_key.clone(),
            self.service_key.clone(),
            self.facts.node_certificate_pem.clone(),
            self.facts.cose_issuer.clone(),
            self.facts.cose_subject.clone(),
        )
    }

    /// A request for the node's certificate, as it stands in the node's row.
    pub(crate) fn signing_request_pem(&self) -> RuntimeResult<String> {
        let request = CertificateRequest {
            subject: SubjectName::parse(&self.facts.node_subject_name)?,
            subject_alt_names: self.facts.node_subject_alt_names.clone(),
            valid_from_unix_s: 0,
            validity_days: 1,
        };
        Ok(request.signing_request(&self.node_key)?)
    }

    /// The bytes that are sealed: keys, secrets and facts, each with its length.
    pub(crate) fn to_bytes(&self) -> RuntimeResult<Zeroizing<Vec<u8>>> {
        let mut out = Zeroizing::new(Vec::new());
        put(&mut out, &self.service_key.to_pkcs8()?);
        put(&mut out, &self.node_key.to_pkcs8()?);
        put(&mut out, &self.encryption_key.to_pkcs8()?);
        out.extend_from_slice(&length(self.secrets.len()));
        for secret in &self.secrets {
            out.extend_from_slice(&secret.first_seqno.to_le_bytes());
            out.extend_from_slice(&*secret.secret);
        }
        put(&mut out, &crate::tables::to_json_bytes(&self.facts));
        Ok(out)
    }

    /// Reads what [`Self::to_bytes`] made; `path` is for the message.
    pub(crate) fn from_bytes(bytes: &[u8], path: &str) -> RuntimeResult<Self> {
        Self::parse(bytes).map_err(|error| RuntimeError::SealedIdentity {
            path: path.to_owned(),
            reason: format!("{error}; put back the file that this node wrote"),
        })
    }

    fn parse(bytes: &[u8]) -> Result<Self, KeyError> {
        let mut rest = bytes;
        let service_key = SigningKey::from_pkcs8(take(&mut rest)?)?;
        let node_key = SigningKey::from_pkcs8(take(&mut rest)?)?;
        let encryption_key = EncryptionKey::from_pkcs8(take(&mut rest)?)?;
        let mut secrets = Vec::new();
        for _ in 0..take_length(&mut rest)? {
            let (first, tail) = rest.split_first_chunk::<8>().ok_or_else(short)?;
            let (secret, tail) = tail.split_first_chunk::<SECRET_BYTES>().ok_or_else(short)?;
            rest = tail;
            secrets.push(LedgerSecret {
                first_seqno: u64::from_le_bytes(*first),
                secret: Zeroizing::new(*secret),
            });
        }
        let facts = serde_json::from_slice(take(&mut rest)?)
            .map_err(|error| KeyError(format!("its facts cannot be read: {error}")))?;
        if !rest.is_empty() || secrets.is_empty() {
            return Err(short());
        }
        Ok(Self {
            service_key: Arc::new(service_key),
            node_key: Arc::new(node_key),
            encryption_key: Arc::new(encryption_key),
            secrets,
            facts,
        })
    }
}

/// A new key. Nodes in memory share one per process, since finding it takes longer than all else about
/// their start; what it would protect is in the same memory.
fn encryption_key(storage: &Storage) -> RuntimeResult<Arc<EncryptionKey>> {
    static SHARED: OnceLock<Arc<EncryptionKey>> = OnceLock::new();
    if !matches!(storage, Storage::Memory) {
        return Ok(Arc::new(EncryptionKey::generate()?));
    }
    if let Some(known) = SHARED.get() {
        return Ok(known.clone());
    }
    let fresh = Arc::new(EncryptionKey::generate()?);
    Ok(SHARED.get_or_init(|| fresh).clone())
}

fn length(number: usize) -> [u8; 4] {
    u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes()
}

fn put(out: &mut Vec<u8>, part: &[u8]) {
    out.extend_from_slice(&length(part.len()));
    out.extend_from_slice(part);
}

fn take<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], KeyError> {
    let size = take_length(rest)?;
    let (part, tail) = rest.split_at_checked(size).ok_or_else(short)?;
    *rest = tail;
    Ok(part)
}

fn take_length(rest: &mut &[u8]) -> Result<usize, KeyError> {
    let (size, tail) = rest.split_first_chunk::<4>().ok_or_else(short)?;
    *rest = tail;
    Ok(u32::from_le_bytes(*size) as usize)
}

fn short() -> KeyError {
    KeyError("its content has another shape than this version writes".to_owned())
}

/// The configured names, or the host of each published address.
fn alternative_names(settings: &NodeSettings) -> Vec<String> {
    if !settings.node_subject_alt_names.is_empty() {
        return settings.node_subject_alt_names.clone();
    }
    let mut names: Vec<String> = settings
        .rpc_interfaces
        .values()
        .filter_map(|interface| interface.get("published_address").and_then(Json::as_str))
        .map(|address| split_address(address).0.to_owned())
        .filter(|host| !host.is_empty())
        .collect();
    if names.is_empty() {
        names.push("127.0.0.1".to_owned());
    }
    names.sort();
    names.dedup();
    names
}

/// Host and port of `host:port`; brackets around an IPv6 address are dropped.
pub(crate) fn split_address(address: &str) -> (&str, &str) {
    let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
    (host.trim_start_matches('[').trim_end_matches(']'), port)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn an_identity_survives_its_bytes_and_no_prefix_does() {
        let settings = NodeSettings::in_memory();
        let identity = NodeIdentity::generate(&settings, 1_700_000_000).unwrap();
        let bytes = identity.to_bytes().unwrap();
        let again = NodeIdentity::from_bytes(&bytes, "x").unwrap();
        assert_eq!(again.node_key.id(), identity.node_key.id());
        assert_eq!(again.service_key.id(), identity.service_key.id());
        assert_eq!(again.facts, identity.facts);
        assert_eq!(*again.secrets[0].secret, *identity.secrets[0].secret);
        for cut in (0..bytes.len()).step_by(7) {
            assert!(NodeIdentity::from_bytes(&bytes[..cut], "x").is_err(), "{cut}");
        }
    }

    #[test]
    fn certificates_are_renewed_when_old_or_renamed() {
        let mut settings = NodeSettings::in_memory();
        let start = 1_700_000_000;
        let mut identity = NodeIdentity::generate(&settings, start).unwrap();
        assert!(!identity.renew_node_certificates(&settings, start + DAY_S).unwrap());
        assert!(identity.renew_node_certificates(&settings, start + 360 * DAY_S).unwrap());
        settings.node_subject_alt_names = vec!["example.com".to_owned()];
        assert!(identity.renew_node_certificates(&settings, start + 360 * DAY_S).unwrap());
        assert_eq!(split_address("[::1]:8000"), ("::1", "8000"));
    }
}
