//! Transparent statements: a signed statement with receipts, in its unprotected header, that show it
//! was entered in the ledger of a transparency service (SCITT; RFC 9942). The service is a CCF ledger,
//! so the receipts are the ones that `affiant-proof` verifies.

use affiant_proof::cbor::{self, Label, Reader, each_pair};
use affiant_proof::cose::Sign1;
use affiant_proof::{Digest, ExpectedClaims, ProofError, PublicKey, TxId, Verdict, verify_cose};

use crate::AttestError;
use crate::limits::UVM_ENDORSEMENT_BYTES_MAX;

const WHAT: &str = "transparent statement";
const RECEIPTS: i64 = 394;
const RECEIPTS_MAX: u64 = 8;
const TAG_SIGN1: u64 = 18;

/// A transparency service that the caller trusts: its name and the keys it has had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransparencyService {
    /// Its name, as receipts have it in their claim `iss`.
    pub issuer: String,
    /// Its service keys.
    pub keys: Vec<PublicKey>,
}

/// What one receipt of a statement shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransparentStatement {
    /// The service that issued the receipt, as it says; in the ledger of this name, and under its
    /// keys, if `verdict` holds.
    pub issuer: String,
    /// The transaction that entered the statement.
    pub txid: Option<TxId>,
    /// Every check of the receipt.
    pub verdict: Verdict,
}

/// Verifies the receipts of a statement against `services`: that a ledger of theirs holds exactly this
/// statement. Receipts of other services are left out. The statement itself is for
/// [`super::verify`].
///
/// # Errors
/// The statement or a receipt cannot be read, or no receipt is from one of `services`.
pub fn transparency(
    statement: &[u8],
    services: &[TransparencyService],
) -> Result<Vec<TransparentStatement>, AttestError> {
    AttestError::bound("size of the statement", statement.len(), UVM_ENDORSEMENT_BYTES_MAX)?;
    let sign1 = Sign1::parse(statement).map_err(unreadable)?;
    let receipts = receipts(&sign1).map_err(unreadable)?;
    let entered = Digest::of(&as_entered(&sign1)?);
    let mut shown = Vec::new();
    let mut others = Vec::new();
    for receipt in receipts {
        let header = Sign1::parse(receipt).and_then(|receipt| receipt.header());
        let header = header.map_err(unreadable)?;
        let issuer = header.issuer.unwrap_or_default();
        let Some(service) = services.iter().find(|service| service.issuer == issuer) else {
            others.push(issuer.to_owned());
            continue;
        };
        let named = |key: &&PublicKey| header.key_id == Some(key.key_id().as_bytes());
        let Some(key) = service.keys.iter().find(named).or_else(|| service.keys.first()) else {
            return Err(AttestError::refused(WHAT, format!("no keys of {issuer} were given")));
        };
        let verdict = verify_cose(receipt, key, ExpectedClaims::Digest(entered));
        shown.push(TransparentStatement { issuer: issuer.to_owned(), txid: verdict.txid, verdict });
    }
    if shown.is_empty() {
        let why = match others.as_slice() {
            [] => "it carries no receipt".to_owned(),
            others => format!("its receipts are from {}, not a trusted service", others.join(", ")),
        };
        return Err(AttestError::refused(WHAT, why));
    }
    Ok(shown)
}

fn unreadable(error: ProofError) -> AttestError {
    AttestError::malformed(WHAT, error.to_string())
}

fn receipts<'a>(sign1: &Sign1<'a>) -> Result<Vec<&'a [u8]>, ProofError> {
    let mut receipts = Vec::new();
    let mut reader = Reader::new(sign1.unprotected);
    each_pair(&mut reader, |label, reader| {
        if label != Label::Int(RECEIPTS) {
            return reader.skip().map(drop);
        }
        let (found, limit) = (reader.array()?, RECEIPTS_MAX);
        if found > limit {
            return Err(ProofError::TooLarge { what: "receipts of a statement", found, limit });
        }
        for _ in 0..found {
            receipts.push(reader.bytes()?);
        }
        Ok(())
    })?;
    reader.finish()?;
    Ok(receipts)
}

/// The statement as the service entered it: without anything in its unprotected header.
fn as_entered(sign1: &Sign1<'_>) -> Result<Vec<u8>, AttestError> {
    let payload =
        sign1.payload.ok_or_else(|| AttestError::malformed(WHAT, "its payload is not there"))?;
    let mut out = Vec::with_capacity(sign1.protected.len() + payload.len() + 1024);
    cbor::put_tag(&mut out, TAG_SIGN1);
    cbor::put_array(&mut out, 4);
    cbor::put_bytes(&mut out, sign1.protected);
    cbor::put_map(&mut out, 0);
    cbor::put_bytes(&mut out, payload);
    cbor::put_bytes(&mut out, sign1.signature);
    Ok(out)
}
