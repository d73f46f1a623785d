//! Endorsements: a service key vouches for the key of the service before it, so that receipts
//! older than a recovery can be checked by who trusts only the newest key.
//!
//! An endorsement is a COSE_Sign1 whose payload is the endorsed key's DER SubjectPublicKeyInfo,
//! and whose protected header says for which transactions that key signed. A service that was
//! never recovered endorses itself, without an end.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::header::{ALGORITHM, Algorithm, CCF, CLAIM_ISSUED_AT, CWT_CLAIMS};
use super::{Sign1, TAG_SIGN1};
use crate::cbor::{self, Label, Reader, each_pair};
use crate::key::PublicKey;
use crate::{Digest, ProofError, TxId};

const WHAT: &str = "service endorsement";
const EPOCH_START: &str = "epoch.start.txid";
const EPOCH_END: &str = "epoch.end.txid";
const EPOCH_ROOT: &str = "epoch.end.merkle.root";

/// For which transactions a service key signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// The first transaction of the service.
    pub from: TxId,
    /// The last transaction that the key signed, and its root; none while the service lives.
    pub to: Option<(TxId, Digest)>,
}

impl Epoch {
    /// Whether the key signed for `txid`.
    #[must_use]
    pub fn contains(&self, txid: TxId) -> bool {
        self.from <= txid && self.to.is_none_or(|(to, _)| txid <= to)
    }
}

/// An endorsement whose signature verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endorsement {
    /// The endorsed key.
    pub key: PublicKey,
    /// For which transactions it signed.
    pub epoch: Epoch,
}

/// A value of the table `public:ccf.internal.previous_service_identity_endorsement`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndorsementRecord {
    /// The endorsement: base64 of the COSE_Sign1.
    pub endorsement: String,
    /// The first transaction of the endorsed service.
    pub endorsement_epoch_begin: String,
    /// The last transaction of the endorsed service; absent if a service endorses itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endorsement_epoch_end: Option<String>,
    /// The key that signed: base64 of its DER SubjectPublicKeyInfo.
    pub endorsing_key: String,
    /// The seqno that holds the record before this one; absent in the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_version: Option<u64>,
}

impl EndorsementRecord {
    /// The record of `sign1`, signed by the key of `endorsing_spki_der`.
    #[must_use]
    pub fn new(
        sign1: &[u8],
        endorsing_spki_der: &[u8],
        epoch: &Epoch,
        previous_version: Option<u64>,
    ) -> Self {
        Self {
            endorsement: STANDARD.encode(sign1),
            endorsement_epoch_begin: epoch.from.to_string(),
            endorsement_epoch_end: epoch.to.map(|(to, _)| to.to_string()),
            endorsing_key: STANDARD.encode(endorsing_spki_der),
            previous_version,
        }
    }

    /// The JSON text that the table holds.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings and numbers always serialise")
    }

    /// Reads the JSON text of the table.
    ///
    /// # Errors
    /// It is not JSON of this shape.
    pub fn parse(json: &[u8]) -> Result<Self, ProofError> {
        serde_json::from_slice(json)
            .map_err(|error| ProofError::Json { what: WHAT, why: error.to_string() })
    }

    /// Checks that `key` signed the endorsement, and that the record says what was signed.
    ///
    /// # Errors
    /// What does not match.
    pub fn verify(&self, key: &PublicKey) -> Result<Endorsement, ProofError> {
        let refused = |why: &str| ProofError::Json { what: WHAT, why: why.to_owned() };
        let decode =
            |text: &str| STANDARD.decode(text).map_err(|_| refused("it is not canonical base64"));
        if decode(&self.endorsing_key)? != key.spki_der() {
            return Err(refused("it was made by another key than the service's"));
        }
        let endorsement = verify_endorsement(&decode(&self.endorsement)?, key)?;
        let said = (
            Some(endorsement.epoch.from.to_string()),
            endorsement.epoch.to.map(|(to, _)| to.to_string()),
        );
        let recorded =
            (Some(self.endorsement_epoch_begin.clone()), self.endorsement_epoch_end.clone());
        if said == recorded {
            Ok(endorsement)
        } else {
            Err(refused("its epoch is not the signed one"))
        }
    }
}

/// The protected header of an endorsement, in CCF's order; `issued_at` in unix seconds.
#[must_use]
pub fn encode_endorsement_protected(
    algorithm: Algorithm,
    issued_at: u64,
    epoch: &Epoch,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    cbor::put_map(&mut out, 3);
    cbor::put_int(&mut out, ALGORITHM);
    cbor::put_int(&mut out, algorithm.cose_id());
    cbor::put_int(&mut out, CWT_CLAIMS);
    cbor::put_map(&mut out, 1);
    cbor::put_int(&mut out, CLAIM_ISSUED_AT);
    cbor::put_uint(&mut out, issued_at);
    cbor::put_text(&mut out, CCF);
    cbor::put_map(&mut out, if epoch.to.is_some() { 3 } else { 1 });
    cbor::put_text(&mut out, EPOCH_START);
    cbor::put_text(&mut out, &epoch.from.to_string());
    if let Some((to, root)) = &epoch.to {
        cbor::put_text(&mut out, EPOCH_END);
        cbor::put_text(&mut out, &to.to_string());
        cbor::put_text(&mut out, EPOCH_ROOT);
        cbor::put_bytes(&mut out, &root.0);
    }
    out
}

/// A COSE_Sign1 with an empty unprotected header and its payload attached.
#[must_use]
pub fn encode_sign1_attached(protected: &[u8], payload: &[u8], signature: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(protected.len() + payload.len() + signature.len() + 16);
    cbor::put_tag(&mut out, TAG_SIGN1);
    cbor::put_array(&mut out, 4);
    cbor::put_bytes(&mut out, protected);
    cbor::put_map(&mut out, 0);
    cbor::put_bytes(&mut out, payload);
    cbor::put_bytes(&mut out, signature);
    out
}

/// Checks one endorsement with the key that must have signed it.
///
/// # Errors
/// It is malformed, or the signature is not by `key`.
pub fn verify_endorsement(sign1: &[u8], key: &PublicKey) -> Result<Endorsement, ProofError> {
    let message = Sign1::parse(sign1)?;
    let payload = message.payload.ok_or_else(|| malformed("the endorsed key is missing"))?;
    if message.header()?.algorithm != Some(key.algorithm().cose_id()) {
        return Err(malformed("its algorithm is not that of the key"));
    }
    key.verify_cose(WHAT, &message.to_be_signed(payload), message.signature)?;
    Ok(Endorsement {
        key: PublicKey::from_spki_der(payload)?,
        epoch: read_epoch(message.protected)?,
    })
}

fn malformed(why: &'static str) -> ProofError {
    ProofError::Malformed { what: WHAT, offset: 0, why }
}

fn read_epoch(protected: &[u8]) -> Result<Epoch, ProofError> {
    let (mut from, mut to, mut root) = (None, None, None);
    let mut reader = Reader::new(protected);
    each_pair(&mut reader, |label, reader| {
        if label != Label::Text(CCF) {
            return reader.skip().map(drop);
        }
        each_pair(reader, |label, reader| {
            match label {
                Label::Text(EPOCH_START) => from = Some(read_txid(reader)?),
                Label::Text(EPOCH_END) => to = Some(read_txid(reader)?),
                Label::Text(EPOCH_ROOT) => {
                    let bytes = reader.bytes()?.try_into();
                    root = Some(Digest(bytes.map_err(|_| malformed("a root has 32 bytes"))?));
                }
                _ => {
                    reader.skip()?;
                }
            }
            Ok(())
        })
    })?;
    let from = from.ok_or_else(|| malformed("it does not say from when on"))?;
    match (to, root) {
        (None, None) => Ok(Epoch { from, to: None }),
        (Some(to), Some(root)) if from <= to => Ok(Epoch { from, to: Some((to, root)) }),
        (Some(_), Some(_)) => Err(malformed("its epoch ends before it starts")),
        _ => Err(malformed("it names an end without a root, or a root without an end")),
    }
}

fn read_txid(reader: &mut Reader<'_>) -> Result<TxId, ProofError> {
    reader.text()?.parse().map_err(|_| malformed("a transaction id is not <view>.<seqno>"))
}
