//! `affiant receipt verify`: a receipt and a service certificate in, a verdict in plain words out.
//!
//! Invariant: exit code 0 means that the receipt's signature was checked and leads to the given
//! certificate; what cannot be read at all is told apart (3) from what does not hold (1).

use std::path::Path;

use affiant_proof::{
    Digest, ExpectedClaims, Outcome, UnreadableReceipt, Verdict, VerifyOptions, limits,
    verify_receipt,
};
use serde_json::json;

use crate::args::ReceiptVerifyArgs;
use crate::exit::{self, Failure};
use crate::input::{parse_time, read, unreadable};
use crate::output::Output;

/// Bound on the size of a service certificate file, in bytes.
const CERTIFICATE_FILE_BYTES_MAX: u64 = 1 << 20;
/// Bound on the size of a claims file, in bytes.
const CLAIMS_FILE_BYTES_MAX: u64 = 1 << 30;

pub(crate) fn verify(arguments: &ReceiptVerifyArgs) -> Result<u8, Failure> {
    let now = arguments.now.as_deref().map(|now| parse_time("--now", now)).transpose()?;
    let expected = arguments.claims.as_deref().map(parse_claims).transpose()?;
    let certificate = read(&arguments.service_cert, CERTIFICATE_FILE_BYTES_MAX)?;
    // What is no text is no certificate either, which the verifier says.
    let certificate = String::from_utf8(certificate).unwrap_or_default();
    let claims = match &arguments.claims_file {
        Some(path) => Some(read(path, CLAIMS_FILE_BYTES_MAX)?),
        None => None,
    };
    let receipt = read(&arguments.file, limits::RECEIPT_BYTES_MAX as u64)?;
    let claims = match (expected, &claims) {
        (Some(digest), _) => ExpectedClaims::Digest(digest),
        (None, Some(bytes)) => ExpectedClaims::Preimage(bytes),
        (None, None) => ExpectedClaims::Any,
    };
    let options = VerifyOptions { now, claims };
    let (form, verdict) =
        verify_receipt(&receipt, &certificate, &options).map_err(|error| match error {
            UnreadableReceipt::Receipt(why) => unreadable(&arguments.file, &why),
            UnreadableReceipt::Certificate(why) => unreadable(&arguments.service_cert, &why),
        })?;
    let format = form.as_str();
    let verified = verdict.is_valid();
    let mut output = Output::new();
    if arguments.json {
        output.line(as_json(format, &verdict).to_string());
    } else {
        explain(&mut output, format, &verdict, &arguments.service_cert);
    }
    Ok(if verified { exit::SUCCESS } else { exit::FAILURE })
}

fn as_json(format: &str, verdict: &Verdict) -> serde_json::Value {
    json!({
        "verified": verdict.is_valid(),
        "format": format,
        "txid": verdict.txid.map(|txid| txid.to_string()),
        "checks": verdict.checks,
    })
}

fn explain(output: &mut Output, format: &str, verdict: &Verdict, certificate: &Path) {
    let transaction = match verdict.txid {
        Some(txid) => format!("transaction {txid}"),
        None => "the transaction".to_owned(),
    };
    let certificate = certificate.display();
    if verdict.is_valid() {
        output.line(format!(
            "Verified: the service of {certificate} committed {transaction}. ({format} receipt)"
        ));
    } else {
        output.line(format!(
            "NOT VERIFIED: this receipt does not show that the service of {certificate} committed \
             {transaction}. ({format} receipt)"
        ));
    }
    let width = verdict.checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
    for check in &verdict.checks {
        let outcome = match check.outcome {
            Outcome::Passed => "ok    ",
            Outcome::Failed => "FAILED",
            Outcome::Skipped => "not checked",
        };
        output.line(format!("  {outcome:11} {:width$}  {}", check.name, check.explanation));
    }
}

fn parse_claims(hex: &str) -> Result<Digest, Failure> {
    hex.to_ascii_lowercase().parse().map_err(|_| {
        Failure::new(exit::USAGE, format!("--claims {hex}: a digest is 64 hex characters"))
    })
}
