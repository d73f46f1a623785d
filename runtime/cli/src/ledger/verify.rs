//! `affiant ledger verify`: the audit of a ledger directory, in plain words or as JSON.
//!
//! Invariant: exit code 0 means that the audit found neither an error nor a warning, and that every
//! file of the directory was either audited or quarantined by its name.

use std::fs;
use std::path::Path;

use affiant_proof::Certificate;
use affiant_proof::audit::{AuditOptions, AuditReport, AuditVerdict, Auditor, Finding, Severity};
use serde_json::{Value as Json, json};

use super::files::{Listing, unreadable};
use super::secret::read_secrets;
use crate::args::LedgerVerifyArgs;
use crate::exit::{self, Failure};
use crate::output::{Output, bytes, count};

pub(crate) fn verify(arguments: &LedgerVerifyArgs) -> Result<u8, Failure> {
    let secrets = match &arguments.reading.secret {
        Some(path) => read_secrets(path)?,
        None => Vec::new(),
    };
    let trusted_service = arguments.service_cert.as_deref().map(read_certificate).transpose()?;
    let anchored = trusted_service.is_some();
    let options = AuditOptions { secrets, trusted_service, now: None };
    let (report, listing) = audit(&arguments.dir, arguments.reading.committed_only, options)?;
    let verified = report.verdict == AuditVerdict::Valid;
    let mut output = Output::new();
    if arguments.reading.json {
        output.line(as_json(&report, &listing).to_string());
    } else {
        explain(&mut output, &report, &listing, &arguments.dir, anchored);
    }
    Ok(if verified { exit::SUCCESS } else { exit::FAILURE })
}

/// Audits the ledger files in `directory`, for programs: what `affiant ledger verify --json` prints.
///
/// # Errors
/// The ledger or the certificate cannot be read.
pub fn audit_ledger(
    directory: &Path,
    service_certificate_pem: Option<&str>,
) -> Result<Json, Failure> {
    let trusted_service = service_certificate_pem
        .map(Certificate::from_pem)
        .transpose()
        .map_err(|error| Failure::new(exit::UNREADABLE, error.to_string()))?;
    let options = AuditOptions { secrets: Vec::new(), trusted_service, now: None };
    let (report, listing) = audit(directory, false, options)?;
    Ok(as_json(&report, &listing))
}

fn audit(
    directory: &Path,
    committed_only: bool,
    options: AuditOptions,
) -> Result<(AuditReport, Listing), Failure> {
    let listing = Listing::read(directory, committed_only)?.require_chunks()?;
    let mut auditor = Auditor::new(options);
    let progress = listing.progress();
    for chunk in &listing.chunks {
        let (name, bytes) = listing.load(chunk)?;
        auditor.chunk(&name.to_string(), &bytes);
        progress.inc(chunk.bytes);
    }
    progress.finish_and_clear();
    Ok((with_foreign_files(auditor.finish(), &listing), listing))
}

fn read_certificate(path: &Path) -> Result<Certificate, Failure> {
    let pem = fs::read_to_string(path).map_err(|error| unreadable(path, &error.to_string()))?;
    Certificate::from_pem(&pem).map_err(|error| unreadable(path, &error.to_string()))
}

/// A file that no reader of the format knows may hide entries, and stock tools refuse it.
fn with_foreign_files(mut report: AuditReport, listing: &Listing) -> AuditReport {
    for name in &listing.foreign {
        report.verdict = AuditVerdict::Invalid;
        report.findings.push(Finding {
            severity: Severity::Error,
            chunk: name.clone(),
            offset: 0,
            seqno: 0,
            check: "file name",
            explanation: "it is no ledger chunk; move it out of the directory, or append .ignored \
                          to its name"
                .to_owned(),
        });
    }
    report
}

fn as_json(report: &AuditReport, listing: &Listing) -> Json {
    let mut json = json!({
        "verified": report.verdict == AuditVerdict::Valid,
        "files": listing.chunks.iter().map(|chunk| chunk.name.to_string()).collect::<Vec<_>>(),
        "bytes": listing.bytes(),
    });
    if let (Json::Object(json), Ok(Json::Object(report))) =
        (&mut json, serde_json::to_value(report))
    {
        json.extend(report);
    }
    json
}

fn explain(
    output: &mut Output,
    report: &AuditReport,
    listing: &Listing,
    dir: &Path,
    anchored: bool,
) {
    let dir = dir.display();
    match report.verdict {
        AuditVerdict::Valid => output.line(format!("Verified: {dir} is whole and proven.")),
        AuditVerdict::Suspicious => output.line(format!(
            "NOT VERIFIED: nothing in {dir} contradicts its signatures, but see the warnings."
        )),
        AuditVerdict::Invalid => output.line(format!("NOT VERIFIED: {dir} does not hold.")),
    }
    let text = |txid: Option<affiant_proof::TxId>| {
        txid.map_or_else(|| "none".to_owned(), |txid| txid.to_string())
    };
    output.line(format!(
        "  {} in {} ({}), {} to {}",
        count(report.entries, "entry", "entries"),
        count(report.chunks, "chunk", "chunks"),
        bytes(listing.bytes()),
        text(report.first),
        text(report.last),
    ));
    output.line(format!(
        "  {} verified, {} by the service key; the last is {}",
        count(report.signatures, "signature", "signatures"),
        report.cose_signatures,
        text(report.last_signed),
    ));
    if report.unsigned_tail > 0 {
        let tail = count(report.unsigned_tail, "entry", "entries");
        output.line(format!("  {tail} at the end not yet covered by a signature"));
    }
    if report.seals > 0 {
        let seals = count(report.seals, "entry", "entries");
        output.line(format!("  {seals} opened with the ledger secret"));
    }
    if let Some(service) = report.services.last() {
        output.line(format!(
            "  service {} ({}), key {}",
            service.subject, service.status, service.key_id
        ));
        if !anchored {
            output.line("  compare that key with one you trust, or name it: --service-cert PEM");
        }
    }
    for (position, finding) in report.findings.iter().enumerate() {
        let alike = |other: &&Finding| {
            finding.severity == Severity::Note
                && (other.severity, other.check, &other.explanation)
                    == (finding.severity, finding.check, &finding.explanation)
        };
        let (before, after) = report.findings.split_at(position);
        if before.iter().any(|other| alike(&other)) {
            continue;
        }
        output.line(format!("  {finding}"));
        let more = after.iter().filter(alike).count();
        if more > 1 {
            output.line(format!("        and the same in {} other places", more - 1));
        }
    }
    if report.findings_not_listed > 0 {
        output.line(format!("  and {} more findings", report.findings_not_listed));
    }
}
