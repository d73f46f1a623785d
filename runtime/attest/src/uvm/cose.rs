//! COSE_Sign1 messages that carry their signer's certificates (RFC 9052, RFC 9360, RFC 9597, and the
//! hash envelopes of draft-ietf-cose-hash-envelope).

use affiant_proof::ProofError;
use affiant_proof::cbor::{Label, Reader, each_pair};
use affiant_proof::cose::Sign1;

use super::ChainCertificate;
use crate::AttestError;
use crate::limits::CHAIN_CERTIFICATES_MAX;
use crate::signature::{Hash, Key, Scheme};

const ALGORITHM: i64 = 1;
const CRITICAL: i64 = 2;
const CONTENT_TYPE: i64 = 3;
const CWT_CLAIMS: i64 = 15;
const X5CHAIN: i64 = 33;
const X5T: i64 = 34;
const PAYLOAD_HASH: i64 = 258;
const PREIMAGE_CONTENT_TYPE: i64 = 259;
const CLAIM_ISSUER: i64 = 1;
const CLAIM_SUBJECT: i64 = 2;
const CLAIM_ISSUED_AT: i64 = 6;
const TAG_UNIX_TIME: u64 = 1;
const CRITICAL_MAX: u64 = 16;

/// The signed header, decoded. Parameters that are not known are passed over, for the signature covers
/// them; those that must be understood are listed in `critical`.
#[derive(Default)]
pub(crate) struct Header<'a> {
    pub(crate) algorithm: Option<i64>,
    pub(crate) critical: Vec<String>,
    pub(crate) content_type: Option<&'a str>,
    pub(crate) payload_hash: Option<i64>,
    pub(crate) preimage_content_type: Option<&'a str>,
    certificates: Vec<&'a [u8]>,
    thumbprint: Option<(i64, &'a [u8])>,
    /// `iss`, as text header or as claim.
    pub(crate) issuer: Option<&'a str>,
    /// The text header `feed`, or the claim `sub`.
    pub(crate) feed: Option<&'a str>,
    pub(crate) svn: Option<i64>,
    pub(crate) signed_at_unix_s: Option<u64>,
}

impl<'a> Header<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, ProofError> {
        let mut header = Self::default();
        let mut reader = Reader::new(bytes);
        each_pair(&mut reader, |label, reader| {
            match label {
                Label::Int(ALGORITHM) => header.algorithm = Some(reader.int()?),
                Label::Int(CRITICAL) => header.critical = read_critical(reader)?,
                Label::Int(CONTENT_TYPE) => header.content_type = Some(reader.text()?),
                Label::Int(CWT_CLAIMS) => header.read_claims(reader)?,
                Label::Int(X5CHAIN) => header.certificates = read_chain(reader)?,
                Label::Int(X5T) => {
                    reader.array_of(2, "a certificate's digest is an algorithm and a value")?;
                    header.thumbprint = Some((reader.int()?, reader.bytes()?));
                }
                Label::Int(PAYLOAD_HASH) => header.payload_hash = Some(reader.int()?),
                Label::Int(PREIMAGE_CONTENT_TYPE) => {
                    header.preimage_content_type = Some(reader.text()?);
                }
                Label::Text("iss") => once(&mut header.issuer, reader.text()?)?,
                Label::Text("feed") => once(&mut header.feed, reader.text()?)?,
                Label::Text("signingtime") => {
                    once(&mut header.signed_at_unix_s, read_time(reader)?)?;
                }
                _ => {
                    reader.skip()?;
                }
            }
            Ok(())
        })?;
        reader.finish()?;
        Ok(header)
    }

    fn read_claims(&mut self, reader: &mut Reader<'a>) -> Result<(), ProofError> {
        each_pair(reader, |label, reader| match label {
            Label::Int(CLAIM_ISSUER) => once(&mut self.issuer, reader.text()?),
            Label::Int(CLAIM_SUBJECT) => once(&mut self.feed, reader.text()?),
            Label::Int(CLAIM_ISSUED_AT) => once(&mut self.signed_at_unix_s, read_time(reader)?),
            Label::Text("svn") => once(&mut self.svn, reader.int()?),
            _ => reader.skip().map(drop),
        })
    }

    /// The certificates in the header, leaf first.
    pub(crate) fn chain(&self, what: &'static str) -> Result<Vec<ChainCertificate>, AttestError> {
        if self.certificates.is_empty() {
            return Err(AttestError::malformed(what, "no certificates are in its signed header"));
        }
        self.certificates.iter().map(|der| ChainCertificate::from_der(der)).collect()
    }

    /// Checks that the digest in the header, if there is one, is that of `leaf`.
    pub(crate) fn check_thumbprint(
        &self,
        what: &'static str,
        leaf: &ChainCertificate,
    ) -> Result<(), AttestError> {
        let Some((id, digest)) = self.thumbprint else { return Ok(()) };
        let Some(hash) = Hash::from_cose_id(id) else {
            let found = format!("algorithm {id}");
            return Err(AttestError::Unknown { what: "hash of a certificate's digest", found });
        };
        if hash.digest(leaf.der()) == digest {
            return Ok(());
        }
        Err(AttestError::refused(what, "the digest in its header is of another certificate"))
    }
}

/// Sets a field that two places may hold, and refuses the second.
fn once<T>(field: &mut Option<T>, value: T) -> Result<(), ProofError> {
    match field.replace(value) {
        None => Ok(()),
        Some(_) => Err(malformed("issuer, feed, time or version stands in two places")),
    }
}

fn malformed(why: &'static str) -> ProofError {
    ProofError::Malformed { what: "signed header", offset: 0, why }
}

fn read_critical(reader: &mut Reader<'_>) -> Result<Vec<String>, ProofError> {
    let (found, limit) = (reader.array()?, CRITICAL_MAX);
    if found > limit {
        return Err(ProofError::TooLarge { what: "critical parameters", found, limit });
    }
    let mut names = Vec::new();
    for _ in 0..found {
        names.push(match reader.label()? {
            Label::Int(number) => number.to_string(),
            Label::Text(name) => name.to_owned(),
        });
    }
    Ok(names)
}

/// One certificate as a byte string, or several in an array.
fn read_chain<'a>(reader: &mut Reader<'a>) -> Result<Vec<&'a [u8]>, ProofError> {
    let mut ahead = *reader;
    if let Ok(single) = ahead.bytes() {
        *reader = ahead;
        return Ok(vec![single]);
    }
    let (found, limit) = (reader.array()?, CHAIN_CERTIFICATES_MAX as u64);
    if found > limit {
        return Err(ProofError::TooLarge { what: "certificates of a chain", found, limit });
    }
    (0..found).map(|_| reader.bytes()).collect()
}

/// Seconds since 1970, tagged as such or bare.
fn read_time(reader: &mut Reader<'_>) -> Result<u64, ProofError> {
    let mut ahead = *reader;
    if let Ok(tag) = ahead.tag() {
        if tag != TAG_UNIX_TIME {
            return Err(malformed("a time is not in seconds since 1970"));
        }
        *reader = ahead;
    }
    u64::try_from(reader.int()?).map_err(|_| malformed("a time lies before 1970"))
}

/// The signature scheme of a number in COSE's registry of algorithms.
fn algorithm_of(what: &'static str, id: Option<i64>) -> Result<Scheme, AttestError> {
    match id {
        Some(-7) => Ok(Scheme::EcdsaFixed(Hash::Sha256)),
        Some(-35) => Ok(Scheme::EcdsaFixed(Hash::Sha384)),
        Some(-37) => Ok(Scheme::Pss(Hash::Sha256)),
        Some(-38) => Ok(Scheme::Pss(Hash::Sha384)),
        Some(-39) => Ok(Scheme::Pss(Hash::Sha512)),
        Some(other) => {
            let found = format!("COSE algorithm {other}");
            Err(AttestError::Unknown { what: "signature algorithm", found })
        }
        None => Err(AttestError::malformed(what, "it names no signature algorithm")),
    }
}

/// A tagged COSE_Sign1 with its payload, and its signed header.
pub(crate) struct Message<'a> {
    pub(crate) sign1: Sign1<'a>,
    pub(crate) header: Header<'a>,
    pub(crate) payload: &'a [u8],
}

impl<'a> Message<'a> {
    pub(crate) fn parse(what: &'static str, bytes: &'a [u8]) -> Result<Self, AttestError> {
        let unreadable = |error: ProofError| AttestError::malformed(what, error.to_string());
        let sign1 = Sign1::parse(bytes).map_err(unreadable)?;
        let header = Header::parse(sign1.protected).map_err(unreadable)?;
        let payload = sign1
            .payload
            .ok_or_else(|| AttestError::malformed(what, "its payload is not there"))?;
        Ok(Self { sign1, header, payload })
    }

    /// Checks the signature by `key`.
    pub(crate) fn verify(&self, what: &'static str, key: &Key) -> Result<(), AttestError> {
        let scheme = algorithm_of(what, self.header.algorithm)?;
        key.verify(what, scheme, &self.sign1.to_be_signed(self.payload), self.sign1.signature)
    }
}
