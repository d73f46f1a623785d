//! A client certificate, read once per session: its id, its PEM and its validity.

use core::fmt;
use std::sync::Arc;

use affiant_kv::Reads;
use affiant_proof::Digest;
use parking_lot::Mutex;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

use crate::crypto::{certificate_der, pem_encode};
use crate::request::CertCaller;

/// A client certificate. Nothing is verified here: whether the peer holds the key is TLS's to say,
/// and whether the certificate admits anybody is a policy's.
pub struct PeerCertificate {
    der: Vec<u8>,
    id: Arc<str>,
    pem: Arc<str>,
    /// First and last second of validity since 1970; `None` where the certificate does not parse.
    validity_s: Option<(i64, i64)>,
    /// By [`Register`].
    known: [Mutex<Option<Known>>; 2],
}

/// As whom the certificate is registered, and what was read to say so.
#[derive(Clone)]
struct Known(CertCaller, Arc<Reads>);

/// Where certificates are registered.
#[derive(Clone, Copy)]
pub(super) enum Register {
    Users,
    Members,
}

impl PartialEq for PeerCertificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for PeerCertificate {}

impl fmt::Debug for PeerCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerCertificate({})", self.id)
    }
}

impl PeerCertificate {
    /// From DER, as TLS delivers it.
    #[must_use]
    pub fn from_der(der: &[u8]) -> Self {
        let validity_s = Certificate::from_der(der).ok().and_then(|certificate| {
            let validity = certificate.tbs_certificate().validity();
            let seconds =
                |time: x509_cert::time::Time| i64::try_from(time.to_unix_duration().as_secs()).ok();
            Some((seconds(validity.not_before)?, seconds(validity.not_after)?))
        });
        Self {
            der: der.to_vec(),
            id: Digest::of(der).to_hex().into(),
            pem: pem_encode("CERTIFICATE", der).into(),
            validity_s,
            known: Default::default(),
        }
    }

    /// From PEM, for callers in process.
    ///
    /// # Errors
    /// It is no certificate in PEM.
    pub fn from_pem(pem: &str) -> Result<Self, String> {
        certificate_der(pem).map(|der| Self::from_der(&der)).map_err(|error| error.to_string())
    }

    /// The DER bytes.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Hex SHA-256 of the DER: the id of the user or member.
    #[must_use]
    pub fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// The certificate as PEM.
    #[must_use]
    pub fn pem(&self) -> &Arc<str> {
        &self.pem
    }

    /// As whom the certificate was last found in the register; whoever uses it relies on the reads.
    pub(super) fn recall(&self, register: Register) -> Option<(CertCaller, Arc<Reads>)> {
        let Known(caller, reads) = self.known[register as usize].lock().clone()?;
        Some((caller, reads))
    }

    pub(super) fn remember(&self, register: Register, caller: CertCaller, reads: Arc<Reads>) {
        *self.known[register as usize].lock() = Some(Known(caller, reads));
    }

    /// Forgets as whom it is registered: that may have changed.
    pub(crate) fn forget(&self) {
        for known in &self.known {
            *known.lock() = None;
        }
    }

    /// Whether the certificate is within its validity at `unix_s`.
    ///
    /// # Errors
    /// Why not, with the time and the bound that it misses.
    pub fn valid_at(&self, unix_s: i64) -> Result<(), String> {
        let Some((from, to)) = self.validity_s else {
            return Err("The caller certificate's validity cannot be read".to_owned());
        };
        if unix_s < from {
            return Err(format!(
                "Current time {} is before certificate's Not Before validity date {}",
                text(unix_s),
                text(from)
            ));
        }
        if unix_s > to {
            return Err(format!(
                "Current time {} is after certificate's Not After validity date {}",
                text(unix_s),
                text(to)
            ));
        }
        Ok(())
    }
}

fn text(unix_s: i64) -> String {
    OffsetDateTime::from_unix_timestamp(unix_s)
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_else(|| unix_s.to_string())
}
