//! Who vouches for a guest's measurement: UVM endorsements, which are COSE_Sign1 messages signed under
//! a chain of certificates that a `did:x509` names.
//!
//! [`verify`] shows that the message holds in itself: signature, chain, DID, content. Whether that DID,
//! that feed and that security version are good enough is for the policy of the caller to say
//! ([`crate::UvmRule`]). Two forms are read: a JSON payload with the measurement, and a hash envelope
//! whose payload is the measurement, as signing transparency distributes it. See [`transparency`] for
//! the receipt that comes with the latter.
//!
//! The unprotected header is not signed: nothing is taken from it. Certificates are not compared with
//! today's date, for a signer's certificate lives a year and what it signed must hold for longer; but
//! the signing time in the signed header must lie within the validity of the whole chain.

mod cert;
mod cose;
mod did;
mod payload;
mod transparency;

use crate::AttestError;
use crate::limits::UVM_ENDORSEMENT_BYTES_MAX;

pub(crate) use cert::ChainCertificate;
pub(crate) use cose::Message;
pub use transparency::{TransparencyService, TransparentStatement, transparency};

/// Bytes of a launch measurement: SHA-384.
pub const MEASUREMENT_BYTES: usize = 48;

pub(crate) const WHAT: &str = "UVM endorsement";

/// The form of a UVM endorsement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum UvmForm {
    /// The payload is a JSON object with the measurement and the security version.
    Json,
    /// The payload is the measurement itself, and the security version a claim in the header.
    HashEnvelope,
}

/// A UVM endorsement whose signature, chain and DID hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UvmEndorsement {
    /// The issuer: a `did:x509` that holds on the chain.
    pub did: String,
    /// The line of images. Together with `svn` it may name more than one image.
    pub feed: String,
    /// The security version number of the image.
    pub svn: u64,
    /// The launch measurement that is vouched for.
    pub measurement: [u8; MEASUREMENT_BYTES],
    /// The form it came in.
    pub form: UvmForm,
    /// The subject of the certificate whose key signed it.
    pub signer: String,
    /// When it says it was signed, in seconds since 1970; signed by the issuer.
    pub signed_at_unix_s: Option<u64>,
    /// The first second at which the signer's certificate is valid, since 1970.
    pub signer_valid_from_unix_s: u64,
    /// The last one.
    pub signer_valid_to_unix_s: u64,
}

/// Verifies a UVM endorsement (COSE_Sign1): signature, chain up to a self-signed root, certificate
/// digest in the header, the issuer's `did:x509` against the chain, content.
///
/// # Errors
/// Whatever cannot be read or does not hold, by name.
pub fn verify(bytes: &[u8]) -> Result<UvmEndorsement, AttestError> {
    AttestError::bound("size of the UVM endorsement", bytes.len(), UVM_ENDORSEMENT_BYTES_MAX)?;
    let message = Message::parse(WHAT, bytes)?;
    let header = &message.header;
    if !header.critical.is_empty() {
        let found = format!("critical header parameter {}", header.critical.join(", "));
        return Err(AttestError::Unknown { what: WHAT, found });
    }
    let chain = header.chain(WHAT)?;
    let (Some(leaf), Some(issuer)) = (chain.first(), header.issuer) else {
        return Err(AttestError::malformed(WHAT, "it names no issuer, or has no certificate"));
    };
    header.check_thumbprint(WHAT, leaf)?;
    cert::verify_chain(&chain)?;
    did::DidX509::parse(issuer)?.holds_on(&chain)?;
    leaf.check_signer()?;
    message.verify(WHAT, &leaf.key()?)?;
    for certificate in &chain {
        certificate.check_signed_while_valid(header.signed_at_unix_s)?;
    }
    let content = payload::read(&message)?;
    let feed = header.feed.ok_or_else(|| AttestError::malformed(WHAT, "it names no feed"))?;
    let (signer_valid_from_unix_s, signer_valid_to_unix_s) = leaf.validity_unix_s();
    Ok(UvmEndorsement {
        did: issuer.to_owned(),
        feed: feed.to_owned(),
        svn: content.svn,
        measurement: content.measurement,
        form: content.form,
        signer: leaf.subject(),
        signed_at_unix_s: header.signed_at_unix_s,
        signer_valid_from_unix_s,
        signer_valid_to_unix_s,
    })
}
