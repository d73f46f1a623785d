//! The protected header of the ledger's COSE signatures.

use crate::cbor::{self, Label, Reader, each_pair};
use crate::{ProofError, TxId};

pub(super) const ALGORITHM: i64 = 1;
pub(super) const KEY_ID: i64 = 4;
pub(super) const CWT_CLAIMS: i64 = 15;
const VERIFIABLE_DATA_STRUCTURE: i64 = 395;
const CLAIM_ISSUER: i64 = 1;
const CLAIM_SUBJECT: i64 = 2;
pub(super) const CLAIM_ISSUED_AT: i64 = 6;
pub(super) const CCF: &str = "ccf.v1";
const CCF_TXID: &str = "txid";

/// The verifiable data structure of these ledgers: CCF_LEDGER_SHA256.
pub(super) const VDS_CCF_LEDGER_SHA256: i64 = 2;

/// The signature algorithms of the ledger, by the curve of the service key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA over P-256 with SHA-256.
    Es256,
    /// ECDSA over P-384 with SHA-384.
    Es384,
}

impl Algorithm {
    /// The number in COSE's registry.
    #[must_use]
    pub const fn cose_id(self) -> i64 {
        match self {
            Self::Es256 => -7,
            Self::Es384 => -35,
        }
    }

    /// The algorithm of a number in COSE's registry, if it is one of these.
    #[must_use]
    pub const fn from_cose_id(id: i64) -> Option<Self> {
        match id {
            -7 => Some(Self::Es256),
            -35 => Some(Self::Es384),
            _ => None,
        }
    }
}

/// The protected header of the signature entry `txid`, in CCF's order of fields (which is not
/// that of canonical CBOR). `key_id_hex` is the hex SHA-256 of the service key's DER
/// SubjectPublicKeyInfo; `issued_at` is in unix seconds.
#[must_use]
pub fn encode_protected(
    algorithm: Algorithm,
    key_id_hex: &str,
    issued_at: u64,
    issuer: &str,
    subject: &str,
    txid: TxId,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(128 + issuer.len() + subject.len());
    cbor::put_map(&mut out, 5);
    cbor::put_int(&mut out, ALGORITHM);
    cbor::put_int(&mut out, algorithm.cose_id());
    cbor::put_int(&mut out, KEY_ID);
    cbor::put_bytes(&mut out, key_id_hex.as_bytes());
    cbor::put_int(&mut out, VERIFIABLE_DATA_STRUCTURE);
    cbor::put_int(&mut out, VDS_CCF_LEDGER_SHA256);
    cbor::put_int(&mut out, CWT_CLAIMS);
    cbor::put_map(&mut out, 3);
    cbor::put_int(&mut out, CLAIM_ISSUED_AT);
    cbor::put_uint(&mut out, issued_at);
    cbor::put_int(&mut out, CLAIM_ISSUER);
    cbor::put_text(&mut out, issuer);
    cbor::put_int(&mut out, CLAIM_SUBJECT);
    cbor::put_text(&mut out, subject);
    cbor::put_text(&mut out, CCF);
    cbor::put_map(&mut out, 1);
    cbor::put_text(&mut out, CCF_TXID);
    cbor::put_text(&mut out, &txid.to_string());
    out
}

/// A protected header, decoded. Fields that are absent are none; unknown fields are skipped,
/// for the signature covers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SignedHeader<'a> {
    /// The algorithm's number in COSE's registry.
    pub algorithm: Option<i64>,
    /// The key id: the hex SHA-256 of the service key's DER SubjectPublicKeyInfo, as ASCII.
    pub key_id: Option<&'a [u8]>,
    /// The verifiable data structure; 2 for these ledgers.
    pub data_structure: Option<i64>,
    /// When it was signed, in unix seconds.
    pub issued_at: Option<i64>,
    /// Who signed, as configured.
    pub issuer: Option<&'a str>,
    /// What about, as configured.
    pub subject: Option<&'a str>,
    /// The signature entry.
    pub txid: Option<TxId>,
}

impl<'a> SignedHeader<'a> {
    /// Reads the content of the protected header's byte string.
    ///
    /// # Errors
    /// It is no map, a field is malformed, or a field stands twice.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ProofError> {
        let mut header = Self::default();
        let mut reader = Reader::new(bytes);
        each_pair(&mut reader, |label, reader| {
            match label {
                Label::Int(ALGORITHM) => header.algorithm = Some(reader.int()?),
                Label::Int(KEY_ID) => header.key_id = Some(reader.bytes()?),
                Label::Int(VERIFIABLE_DATA_STRUCTURE) => {
                    header.data_structure = Some(reader.int()?);
                }
                Label::Int(CWT_CLAIMS) => header.read_claims(reader)?,
                Label::Text(CCF) => header.read_ccf(reader)?,
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
        each_pair(reader, |label, reader| {
            match label {
                Label::Int(CLAIM_ISSUED_AT) => self.issued_at = Some(reader.int()?),
                Label::Int(CLAIM_ISSUER) => self.issuer = Some(reader.text()?),
                Label::Int(CLAIM_SUBJECT) => self.subject = Some(reader.text()?),
                _ => {
                    reader.skip()?;
                }
            }
            Ok(())
        })
    }

    fn read_ccf(&mut self, reader: &mut Reader<'a>) -> Result<(), ProofError> {
        each_pair(reader, |label, reader| {
            if label != Label::Text(CCF_TXID) {
                return reader.skip().map(drop);
            }
            let text = reader.text()?;
            let txid = text.parse().map_err(|_| ProofError::Malformed {
                what: "transaction id of a COSE header",
                offset: 0,
                why: "it is not <view>.<seqno>",
            })?;
            self.txid = Some(txid);
            Ok(())
        })
    }
}
