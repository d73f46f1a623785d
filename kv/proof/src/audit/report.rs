//! What an audit found: counts, identities, findings with their place, a verdict.

use core::fmt;

use serde::{Serialize, Serializer};

use crate::TxId;
use crate::limits::AUDIT_FINDINGS_MAX;

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; says nothing against the ledger.
    Note,
    /// Nothing is contradicted, but an honest writer does not leave it so.
    Warning,
    /// The ledger contradicts itself, its signatures or the given secret.
    Error,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How much it weighs.
    pub severity: Severity,
    /// The chunk file; empty if entries were fed one by one.
    pub chunk: String,
    /// Where, in bytes from the start of the chunk.
    pub offset: u64,
    /// The seqno of the entry; 0 if the finding is not about an entry.
    pub seqno: u64,
    /// The name of the check; stable.
    pub check: &'static str,
    /// What was found, and what was expected.
    pub explanation: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "ERROR",
        };
        write!(f, "{severity}: {}", self.check)?;
        if self.seqno != 0 {
            write!(f, ", seqno {}", self.seqno)?;
        }
        if !self.chunk.is_empty() {
            write!(f, ", {} at offset {}", self.chunk, self.offset)?;
        }
        write!(f, ": {}", self.explanation)
    }
}

/// One span of a service's life: from here on it had this certificate and this status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ServicePeriod {
    /// The transaction that wrote it.
    #[serde(serialize_with = "as_text")]
    pub from: TxId,
    /// The status, as CCF names it.
    pub status: String,
    /// The id of the service key: hex SHA-256 of its DER SubjectPublicKeyInfo.
    pub key_id: String,
    /// The certificate's subject.
    pub subject: String,
    /// The certificate, PEM, as the ledger holds it.
    pub cert: String,
}

/// The verdict of an audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AuditVerdict {
    /// Every check held, up to the last signature.
    Valid,
    /// Nothing is contradicted, but there are warnings.
    Suspicious,
    /// At least one check failed.
    Invalid,
}

/// The outcome of an audit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditReport {
    /// The verdict.
    pub verdict: AuditVerdict,
    /// Chunks read.
    pub chunks: u64,
    /// Entries read.
    pub entries: u64,
    /// Signature entries that verified.
    pub signatures: u64,
    /// COSE signatures by the service among them.
    pub cose_signatures: u64,
    /// Entries whose seal was checked with a ledger secret.
    pub seals: u64,
    /// The first entry.
    #[serde(serialize_with = "as_optional_text")]
    pub first: Option<TxId>,
    /// The last entry.
    #[serde(serialize_with = "as_optional_text")]
    pub last: Option<TxId>,
    /// The last signature entry that verified: if the verdict is valid, everything before it is
    /// proven.
    #[serde(serialize_with = "as_optional_text")]
    pub last_signed: Option<TxId>,
    /// Entries after the last signature entry.
    pub unsigned_tail: u64,
    /// Each change of the service's certificate or status.
    pub services: Vec<ServicePeriod>,
    /// What was found, in the order of the ledger; bounded.
    pub findings: Vec<Finding>,
    /// Findings beyond the bound, that are not listed.
    pub findings_not_listed: u64,
}

impl fmt::Display for AuditReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |txid: Option<TxId>| txid.map_or_else(|| "none".to_owned(), |t| t.to_string());
        writeln!(
            f,
            "{:?}: {} entries in {} chunks, {} to {}; {} signatures ({} COSE), last {}; \
             {} unsigned; {} seals checked",
            self.verdict,
            self.entries,
            self.chunks,
            text(self.first),
            text(self.last),
            self.signatures,
            self.cose_signatures,
            text(self.last_signed),
            self.unsigned_tail,
            self.seals,
        )?;
        for finding in &self.findings {
            writeln!(f, "  {finding}")?;
        }
        if self.findings_not_listed > 0 {
            writeln!(f, "  and {} more findings", self.findings_not_listed)?;
        }
        Ok(())
    }
}

fn as_text<S: Serializer>(txid: &TxId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(txid)
}

fn as_optional_text<S: Serializer>(txid: &Option<TxId>, serializer: S) -> Result<S::Ok, S::Error> {
    match txid {
        Some(txid) => serializer.collect_str(txid),
        None => serializer.serialize_none(),
    }
}

/// Collects findings. Those that a later signature would make harmless wait in `pending`: a
/// hash in a signed root proves odd bytes as well as plain ones.
#[derive(Clone, Debug, Default)]
pub(super) struct Journal {
    pub(super) chunk: String,
    pub(super) offset: u64,
    pub(super) seqno: u64,
    findings: Vec<Finding>,
    not_listed: u64,
    worst: Option<Severity>,
    errors: u64,
    pending: Vec<Finding>,
}

impl Journal {
    pub(super) fn error(&mut self, check: &'static str, explanation: impl Into<String>) {
        self.add(Severity::Error, check, explanation.into());
    }

    pub(super) fn warning(&mut self, check: &'static str, explanation: impl Into<String>) {
        self.add(Severity::Warning, check, explanation.into());
    }

    pub(super) fn note(&mut self, check: &'static str, explanation: impl Into<String>) {
        self.add(Severity::Note, check, explanation.into());
    }

    /// An error unless a later signature covers the entry; then a note.
    pub(super) fn error_unless_covered(&mut self, check: &'static str, explanation: &str) {
        self.unless_covered(Severity::Error, check, explanation);
    }

    /// A warning unless a later signature covers the entry; then a note.
    pub(super) fn warning_unless_covered(&mut self, check: &'static str, explanation: &str) {
        self.unless_covered(Severity::Warning, check, explanation);
    }

    /// A signature covers all entries before `seqno`.
    pub(super) fn covered_before(&mut self, seqno: u64) {
        let (covered, pending) =
            self.pending.drain(..).partition(|finding: &Finding| finding.seqno < seqno);
        self.pending = pending;
        for finding in Vec::into_iter(covered) {
            self.push(Finding { severity: Severity::Note, ..finding });
        }
    }

    pub(super) fn has_errors(&self) -> bool {
        self.worst == Some(Severity::Error)
    }

    pub(super) const fn error_count(&self) -> u64 {
        self.errors
    }

    /// Ends the audit: what no signature covers now counts in full.
    pub(super) fn finish(mut self) -> (Vec<Finding>, u64, AuditVerdict) {
        for finding in core::mem::take(&mut self.pending) {
            self.push(finding);
        }
        let verdict = match self.worst {
            Some(Severity::Error) => AuditVerdict::Invalid,
            Some(Severity::Warning) => AuditVerdict::Suspicious,
            Some(Severity::Note) | None => AuditVerdict::Valid,
        };
        self.findings.sort_by_key(|finding| finding.seqno);
        (self.findings, self.not_listed, verdict)
    }

    fn finding(&self, severity: Severity, check: &'static str, explanation: String) -> Finding {
        let (chunk, offset, seqno) = (self.chunk.clone(), self.offset, self.seqno);
        Finding { severity, chunk, offset, seqno, check, explanation }
    }

    fn add(&mut self, severity: Severity, check: &'static str, explanation: String) {
        self.push(self.finding(severity, check, explanation));
    }

    fn unless_covered(&mut self, severity: Severity, check: &'static str, explanation: &str) {
        // Beyond the bound nothing may be forgotten that could still become an error.
        let finding = self.finding(severity, check, explanation.to_owned());
        if self.pending.len() < AUDIT_FINDINGS_MAX {
            self.pending.push(finding);
        } else {
            self.push(finding);
        }
    }

    fn push(&mut self, finding: Finding) {
        self.worst = self.worst.max(Some(finding.severity));
        self.errors += u64::from(finding.severity == Severity::Error);
        if self.findings.len() < AUDIT_FINDINGS_MAX {
            self.findings.push(finding);
        } else {
            self.not_listed += 1;
        }
    }
}
