//! Receipts in either form, as they come from files and answers.

use core::fmt;
use std::borrow::Cow;

use super::{Receipt, VerifyOptions, verify_cose, verify_json};
use crate::verdict::{Check, Outcome, Verdict};
use crate::{Certificate, ProofError};

/// The form of a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiptForm {
    /// An object, as `GET /receipt` answers it.
    Json,
    /// A COSE_Sign1 message.
    Cose,
}

impl ReceiptForm {
    /// `json` or `cose`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Cose => "cose",
        }
    }
}

/// Why there is no verdict at all; the text goes on after the name of what was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnreadableReceipt {
    /// The receipt is none.
    Receipt(String),
    /// The service's certificate is none.
    Certificate(String),
}

impl fmt::Display for UnreadableReceipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Receipt(why) => write!(f, "the receipt cannot be read: {why}"),
            Self::Certificate(why) => write!(f, "the service certificate cannot be read: {why}"),
        }
    }
}

impl core::error::Error for UnreadableReceipt {}

/// Verifies a receipt in either form: JSON begins with a brace, possibly as the member `receipt` of an
/// application's answer; COSE with the tag or the array of a COSE_Sign1.
///
/// # Errors
/// Receipt or certificate cannot be read as such.
pub fn verify_receipt(
    receipt: &[u8],
    service_certificate_pem: &str,
    options: &VerifyOptions<'_>,
) -> Result<(ReceiptForm, Verdict), UnreadableReceipt> {
    if !service_certificate_pem.contains("-----BEGIN CERTIFICATE-----") {
        let why = "it holds no certificate in PEM form".to_owned();
        return Err(UnreadableReceipt::Certificate(why));
    }
    let unreadable = |why: &str| Err(UnreadableReceipt::Receipt(why.to_owned()));
    match receipt.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => unreadable("it is empty"),
        Some(b'{') => {
            let receipt = Receipt::parse(&bare(receipt)).map_err(|error| {
                let refusal = refusal(receipt).unwrap_or_else(|| error.to_string());
                UnreadableReceipt::Receipt(refusal)
            })?;
            let verdict = verify_json(&receipt, service_certificate_pem, options);
            Ok((ReceiptForm::Json, verdict))
        }
        Some(0xd2 | 0x84) => {
            let certificate = Certificate::from_pem(service_certificate_pem)
                .map_err(|error: ProofError| UnreadableReceipt::Certificate(error.to_string()))?;
            let mut verdict = verify_cose(receipt, certificate.public_key(), options.claims);
            if let Some(now) = options.now {
                verdict.checks.push(check_validity(&certificate, now));
            }
            Ok((ReceiptForm::Cose, verdict))
        }
        Some(_) => unreadable(
            "it is neither a JSON receipt (an object) nor a COSE one (a COSE_Sign1 message)",
        ),
    }
}

/// The receipt itself: an answer of an application may hold it as its member `receipt`.
fn bare(json: &[u8]) -> Cow<'_, [u8]> {
    match serde_json::from_slice(json) {
        Ok(serde_json::Value::Object(mut outer)) if !outer.contains_key("cert") => {
            match outer.remove("receipt") {
                Some(receipt) => Cow::Owned(receipt.to_string().into_bytes()),
                None => Cow::Borrowed(json),
            }
        }
        _ => Cow::Borrowed(json),
    }
}

/// What the service said instead of giving a receipt: `{"error": {"code", "message"}}`.
fn refusal(json: &[u8]) -> Option<String> {
    let answer: serde_json::Value = serde_json::from_slice(json).ok()?;
    let text = |field: &str| answer.pointer(field)?.as_str();
    let (code, message) = (text("/error/code")?, text("/error/message")?);
    Some(format!(
        "it holds no receipt but what the service answered: {code}: {message:?}. Ask for it again, with \
         the id of a committed transaction"
    ))
}

/// A COSE receipt carries no certificate, so the one given is what can expire.
fn check_validity(certificate: &Certificate, now: u64) -> Check {
    let (outcome, explanation) = match certificate.verify_valid_at(now) {
        Ok(()) => (Outcome::Passed, "the service certificate is valid at that time".to_owned()),
        Err(error) => (Outcome::Failed, error.to_string()),
    };
    Check { name: "validity", outcome, explanation }
}
