//! A verdict on a service, and its words: what it proves, and what it leaves open.

use core::fmt;

use affiant_attest::{Attestation, Check, Outcome, Verdict};
use serde::{Serialize, Serializer};

use super::judge;

/// What kind of evidence was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Platform {
    /// An AMD SEV-SNP guest.
    Snp,
    /// Nothing: the machine says that it has no protection.
    Virtual,
}

impl Platform {
    pub(super) const fn of(attestation: &Attestation) -> Self {
        match attestation {
            Attestation::Snp(_) => Self::Snp,
            Attestation::Virtual(_) => Self::Virtual,
        }
    }

    /// In words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Snp => "AMD SEV-SNP",
            Self::Virtual => "virtual",
        }
    }
}

/// What was found of a service: every check, the failed ones too, and who it is.
#[derive(Clone, PartialEq, Eq)]
#[must_use]
pub struct ServiceVerdict {
    /// The address that was asked.
    pub url: String,
    /// What kind of evidence it shows.
    pub platform: Platform,
    /// The time for which all of this holds: seconds since 1970.
    pub at_unix_s: u64,
    /// Hex SHA-256 of the public key of the connection, DER SubjectPublicKeyInfo. Where the check
    /// `tls key` passed, it is the attested key, and so the id of the node.
    pub node_id: String,
    /// Hex SHA-256 of the service's public key, DER SubjectPublicKeyInfo.
    pub service_identity: String,
    /// The service's certificate, as the node shows it: PEM. With a trusted verdict, receipts may be
    /// verified against it.
    pub service_certificate_pem: String,
    /// The evidence as the node gave it: JSON.
    pub evidence_json: Vec<u8>,
    /// Every check.
    pub verdict: Verdict,
}

impl ServiceVerdict {
    /// Whether everything that was asked for holds.
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        self.verdict.is_trusted()
    }

    /// The failed checks.
    pub fn failures(&self) -> impl Iterator<Item = &Check> {
        self.verdict.failures()
    }

    /// One sentence.
    #[must_use]
    pub fn summary(&self) -> String {
        let url = &self.url;
        match (self.is_trusted(), self.platform) {
            (false, _) => {
                let names: Vec<&str> = self.failures().map(|check| check.name).collect();
                format!(
                    "NOT TRUSTED: {url} does not show what the policy wants ({}).",
                    names.join(", ")
                )
            }
            (true, Platform::Snp) => format!(
                "Trusted: the connection to {url} ends in an AMD SEV-SNP guest that the policy accepts."
            ),
            (true, Platform::Virtual) => format!(
                "Accepted, and nothing is proved: {url} shows virtual evidence, which the policy names."
            ),
        }
    }

    fn passed(&self, name: &str) -> bool {
        self.verdict.check(name).is_some_and(|check| check.outcome == Outcome::Passed)
    }

    /// What is proved, a sentence each; nothing for a verdict that is not trusted, and nothing of
    /// the machine for virtual evidence.
    #[must_use]
    pub fn proved(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.is_trusted() {
            return lines;
        }
        if self.platform == Platform::Snp {
            lines.push(
                "AMD's hardware says what was started in the guest, on firmware that the policy accepts."
                    .to_owned(),
            );
            lines.push("The key of this connection is one that the guest had attested.".to_owned());
        }
        if self.passed(judge::NONCE) {
            lines.push("The evidence was made after this request, not replayed.".to_owned());
        }
        if self.passed(judge::KNOWN_SERVICE) {
            lines.push("It is the service whose certificate you gave.".to_owned());
        }
        if let Some(check) = self.verdict.check(judge::RECEIPT)
            && check.outcome == Outcome::Passed
        {
            lines.push(format!("The receipt: {}.", check.reason));
        }
        lines
    }

    /// What stays open although the verdict is trusted, a sentence each.
    #[must_use]
    pub fn not_proved(&self) -> Vec<String> {
        let mut lines: Vec<&str> = Vec::new();
        if !self.is_trusted() {
            return Vec::new();
        }
        if self.platform == Platform::Virtual {
            lines.push("Anything about the machine: its operator can read and change everything.");
        }
        if !self.passed(judge::NONCE) {
            lines.push("When the evidence was made: no nonce was asked for.");
        }
        if !self.passed(judge::KNOWN_SERVICE) {
            lines.push("That it is the service you mean: no service certificate was given.");
        }
        if !self.passed(judge::RECEIPT) {
            lines.push("That it committed anything: no receipt was given.");
        }
        lines.push("That it stays reachable, and that its ledger was not rolled back.");
        lines.into_iter().map(str::to_owned).collect()
    }
}

/// Without certificate and evidence, which fill pages.
impl fmt::Debug for ServiceVerdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ServiceVerdict")
            .field("summary", &self.summary())
            .field("verdict", &self.verdict)
            .finish_non_exhaustive()
    }
}

/// In JSON: the fields, and `trusted`, `summary`, `proved`, `not_proved`, `checks`.
impl Serialize for ServiceVerdict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Written<'a> {
            trusted: bool,
            url: &'a str,
            platform: Platform,
            at: u64,
            node_id: &'a str,
            service_identity: &'a str,
            service_certificate: &'a str,
            summary: String,
            proved: Vec<String>,
            not_proved: Vec<String>,
            checks: &'a [Check],
        }
        Written {
            trusted: self.is_trusted(),
            url: &self.url,
            platform: self.platform,
            at: self.at_unix_s,
            node_id: &self.node_id,
            service_identity: &self.service_identity,
            service_certificate: &self.service_certificate_pem,
            summary: self.summary(),
            proved: self.proved(),
            not_proved: self.not_proved(),
            checks: &self.verdict.checks,
        }
        .serialize(serializer)
    }
}

/// The summary, a table of the checks, and what is proved and what is not.
impl fmt::Display for ServiceVerdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{}", self.summary())?;
        writeln!(out, "  node     {}", self.node_id)?;
        writeln!(out, "  service  {}", self.service_identity)?;
        write_checks(out, &self.verdict)?;
        for (title, lines) in [("Proved:", self.proved()), ("Not proved:", self.not_proved())] {
            if !lines.is_empty() {
                writeln!(out, "{title}")?;
            }
            for line in lines {
                writeln!(out, "  {line}")?;
            }
        }
        Ok(())
    }
}

/// One line a check, in the words that the checkers of ledgers and receipts use. What holds shows what
/// was found beside its reason; what does not, shows found and wanted below it.
fn write_checks(out: &mut fmt::Formatter<'_>, verdict: &Verdict) -> fmt::Result {
    let width = verdict.checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
    for check in &verdict.checks {
        let word = match check.outcome {
            Outcome::Passed => "ok",
            Outcome::Warned => "WARNING",
            Outcome::Failed => "FAILED",
            Outcome::Skipped => "not checked",
        };
        write!(out, "  {word:11} {:width$}  {}", check.name, check.reason)?;
        if check.outcome == Outcome::Passed && !check.found.is_empty() {
            write!(out, " [{}]", check.found)?;
        }
        writeln!(out)?;
        if matches!(check.outcome, Outcome::Failed | Outcome::Warned) {
            for (label, value) in [("found", &check.found), ("wanted", &check.wanted)] {
                for (position, line) in lines(value).enumerate() {
                    let label = if position == 0 { label } else { "" };
                    writeln!(out, "  {:11} {:width$}    {label:6} {line}", "", "")?;
                }
            }
        }
    }
    Ok(())
}

/// Columns above which a value that lists several things takes a line for each.
const VALUE_COLUMNS_MAX: usize = 160;

fn lines(value: &str) -> impl Iterator<Item = &str> {
    let separator = if value.len() > VALUE_COLUMNS_MAX { "; " } else { "\n" };
    value.split(separator).filter(|line| !line.is_empty())
}

/// A verdict on evidence alone, as a table under one line.
pub(super) struct Table<'a>(pub(super) &'a Verdict);

impl fmt::Display for Table<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_checks(out, self.0)
    }
}
