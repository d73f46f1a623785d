//! COSE_Sign1 messages of attested services: the signed header carries evidence of the guest in which
//! the signing key was made, and the report is bound to that key.

use affiant_proof::ProofError;
use affiant_proof::cbor::{Label, Reader, each_pair};

use super::Evidence;
use crate::AttestError;
use crate::limits::{CHAIN_BYTES_MAX, REPORT_BYTES, UVM_ENDORSEMENT_BYTES_MAX};
use crate::signature::Key;
use crate::uvm::Message;

const WHAT: &str = "message of an attested service";
const KEY_TYPE: i64 = 1;
const KEY_TYPE_EC2: i64 = 2;
const CURVE: i64 = -1;
const X: i64 = -2;
const Y: i64 = -3;
const CURVE_P256: i64 = 1;
const CURVE_P384: i64 = 2;
const VERSION: i64 = 0;

/// A message of an attested service, whose signature holds under the key in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttestedMessage {
    /// Report, chain, UVM endorsement; bound to the CBOR of the key (COSE_Key). Not yet verified: the
    /// key is the guest's only if this is.
    pub evidence: Evidence,
    /// The critical header parameter that holds the evidence.
    pub parameter: String,
    /// What kind of evidence it says it is.
    pub attestation_type: String,
    /// Who it says issued the message.
    pub issuer: Option<String>,
    /// What it says the message is about.
    pub subject: Option<String>,
    /// The payload.
    pub payload: Vec<u8>,
}

/// The map in the header that holds the evidence.
#[derive(Default)]
struct Parts<'a> {
    version: Option<i64>,
    attestation_type: Option<&'a str>,
    report: Option<&'a [u8]>,
    endorsements: Option<&'a [u8]>,
    uvm_endorsement: Option<&'a [u8]>,
    key: Option<&'a [u8]>,
}

impl AttestedMessage {
    /// Reads a message, and checks its signature under the key that its evidence is bound to.
    ///
    /// # Errors
    /// The message or a part of it cannot be read, or its signature does not verify.
    pub fn parse(bytes: &[u8]) -> Result<Self, AttestError> {
        let message = Message::parse(WHAT, bytes)?;
        let [parameter] = message.header.critical.as_slice() else {
            return Err(AttestError::malformed(WHAT, "not one critical header parameter"));
        };
        let parts = find(message.sign1.protected, parameter).map_err(unreadable)?;
        if parts.version != Some(VERSION) {
            let found = parts.version.map_or_else(|| "none".to_owned(), |found| found.to_string());
            return Err(AttestError::Unknown { what: "version of attested evidence", found });
        }
        let (Some(report), Some(endorsements), Some(key)) =
            (parts.report, parts.endorsements, parts.key)
        else {
            return Err(AttestError::malformed(WHAT, "report, endorsements or key are missing"));
        };
        message.verify(WHAT, &read_key(key)?)?;
        AttestError::bound("size of a report", report.len(), REPORT_BYTES)?;
        AttestError::bound("size of a chain", endorsements.len(), CHAIN_BYTES_MAX)?;
        let mut evidence = Evidence::new(report.to_vec(), endorsements.to_vec())?;
        if let Some(endorsement) = parts.uvm_endorsement {
            let size = endorsement.len();
            AttestError::bound("size of a UVM endorsement", size, UVM_ENDORSEMENT_BYTES_MAX)?;
            evidence.uvm_endorsement = Some(endorsement.to_vec());
        }
        evidence.bound = Some(key.to_vec());
        Ok(Self {
            evidence,
            parameter: parameter.clone(),
            attestation_type: parts.attestation_type.unwrap_or_default().to_owned(),
            issuer: message.header.issuer.map(str::to_owned),
            subject: message.header.feed.map(str::to_owned),
            payload: message.payload.to_vec(),
        })
    }
}

fn unreadable(error: ProofError) -> AttestError {
    AttestError::malformed(WHAT, error.to_string())
}

fn find<'a>(protected: &'a [u8], parameter: &str) -> Result<Parts<'a>, ProofError> {
    let mut parts = Parts::default();
    let mut reader = Reader::new(protected);
    each_pair(&mut reader, |label, reader| {
        if label != Label::Text(parameter) {
            return reader.skip().map(drop);
        }
        each_pair(reader, |label, reader| {
            match label {
                Label::Text("ver") => parts.version = Some(reader.int()?),
                Label::Text("attestation_type") => parts.attestation_type = Some(reader.text()?),
                Label::Text("attestation") => parts.report = Some(reader.bytes()?),
                Label::Text("snp_endorsements") => parts.endorsements = Some(reader.bytes()?),
                Label::Text("uvm_endorsements") => parts.uvm_endorsement = Some(reader.bytes()?),
                Label::Text("cose_key") => parts.key = Some(reader.skip()?),
                _ => {
                    reader.skip()?;
                }
            }
            Ok(())
        })
    })?;
    Ok(parts)
}

/// A COSE_Key on P-256 or P-384.
fn read_key(bytes: &[u8]) -> Result<Key, AttestError> {
    let (mut kind, mut curve) = (None, None);
    let (mut x, mut y): (&[u8], &[u8]) = (&[], &[]);
    let mut reader = Reader::new(bytes);
    each_pair(&mut reader, |label, reader| {
        match label {
            Label::Int(KEY_TYPE) => kind = Some(reader.int()?),
            Label::Int(CURVE) => curve = Some(reader.int()?),
            Label::Int(X) => x = reader.bytes()?,
            Label::Int(Y) => y = reader.bytes()?,
            _ => {
                reader.skip()?;
            }
        }
        Ok(())
    })
    .map_err(unreadable)?;
    let bytes = match (kind, curve) {
        (Some(KEY_TYPE_EC2), Some(CURVE_P256)) => 32,
        (Some(KEY_TYPE_EC2), Some(CURVE_P384)) => 48,
        _ => {
            let found = format!("key type {kind:?}, curve {curve:?}");
            return Err(AttestError::Unknown { what: "COSE_Key", found });
        }
    };
    if x.len() != bytes || y.len() != bytes {
        return Err(AttestError::malformed(WHAT, "its key's coordinates are of another length"));
    }
    Key::from_coordinates(x, y)
}
