//! What accepted proposals ask of a node beside writing governance tables.

use affiant_kv::Tx;
use affiant_proof::Certificate;

use super::Node;
use crate::clock::unix_seconds;
use crate::crypto::{
    CertificateRequest, LedgerSecret, SigningRequest, SubjectName, certificate_der, parse_moment,
};
use crate::error::{RuntimeError, RuntimeResult};
use crate::genesis;
use crate::tables::{self, ServiceInfo, ServiceStatus};

impl Node {
    pub(super) fn latest_secret(&self) -> RuntimeResult<&LedgerSecret> {
        self.identity.secrets.last().ok_or_else(|| RuntimeError::Stopped {
            reason: "the node has no ledger secret".to_owned(),
        })
    }

    /// The first seqno that is sealed under the ledger secret in force.
    pub(crate) fn latest_ledger_secret_seqno(&self) -> RuntimeResult<u64> {
        Ok(self.latest_secret()?.first_seqno)
    }

    /// Whether a PEM certificate is for the node's key and has not expired.
    pub(crate) fn is_own_certificate(&self, pem: &str) -> bool {
        Certificate::from_pem(pem).is_ok_and(|certificate| {
            certificate.public_key().key_id() == self.node_id()
                && certificate.not_after() > unix_seconds()
        })
    }

    /// Splits a new wrapping secret among the members.
    pub(crate) fn refresh_recovery_shares(&self, tx: &mut Tx) -> RuntimeResult<()> {
        let service: Option<ServiceInfo> = tables::get_single(tx, &tables::SERVICE_INFO);
        match service.map(|service| service.status) {
            Some(ServiceStatus::Open) => genesis::issue_shares(tx, self.latest_secret()?),
            status => Err(refused(format!(
                "recovery shares exist in an open service only; this one is {}",
                status.map_or("not there", ServiceStatus::as_str)
            ))),
        }
    }

    /// Opens the service once the proposal has named its certificate.
    pub(crate) fn open_identified_service(
        &self,
        tx: &mut Tx,
        previous: Option<&str>,
        next: &str,
    ) -> RuntimeResult<()> {
        let service: ServiceInfo = tables::get_single(tx, &tables::SERVICE_INFO)
            .ok_or_else(|| refused("there is no service"))?;
        if certificate_der(next)? != certificate_der(&service.cert)? {
            return Err(refused(
                "the next service identity is not the certificate of this service, which GET \
                 /node/network shows",
            ));
        }
        if previous.is_some() && service.recovery_count == 0 {
            return Err(refused(
                "a previous service identity belongs to a recovered service; this one never was",
            ));
        }
        self.open_service(tx)
    }

    /// A certificate by the service for the key and the names of a PEM request.
    pub(crate) fn endorse(
        &self,
        csr_pem: &str,
        valid_from: &str,
        validity_days: u32,
    ) -> RuntimeResult<String> {
        let request = SigningRequest::from_pem(csr_pem)?;
        let wanted = CertificateRequest {
            subject: request.subject,
            subject_alt_names: request.subject_alt_names,
            valid_from_unix_s: parse_moment(valid_from)?,
            validity_days,
        };
        let service = SubjectName::parse(&self.identity.facts.service_subject_name)?;
        Ok(wanted.endorsed(&request.key, &service, &self.identity.service_key)?.pem)
    }

    /// A certificate for the service's own key.
    pub(crate) fn renewed_service_certificate(
        &self,
        valid_from: &str,
        validity_days: u32,
    ) -> RuntimeResult<String> {
        let wanted = CertificateRequest {
            subject: SubjectName::parse(&self.identity.facts.service_subject_name)?,
            subject_alt_names: Vec::new(),
            valid_from_unix_s: parse_moment(valid_from)?,
            validity_days,
        };
        Ok(wanted.self_signed_authority(&self.identity.service_key)?.pem)
    }
}

fn refused(why: impl Into<String>) -> RuntimeError {
    RuntimeError::Proposal { reason: why.into(), trace: None }
}
