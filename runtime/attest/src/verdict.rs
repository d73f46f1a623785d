//! What a verification found: every check by name, with what was found and what was wanted.

use core::fmt;

use serde::Serialize;

use crate::verify::printable;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It held.
    Passed,
    /// It held, or the policy lets it be, but a reader should know.
    Warned,
    /// It did not hold.
    Failed,
    /// The policy does not ask for it, or it could not be made because an earlier one failed.
    Skipped,
}

impl Outcome {
    /// One word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Warned => "warned",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// The names of the checks of [`crate::verify`], in the order in which a verdict lists them: every
/// verdict has each of them, once.
pub const CHECKS: [&str; 41] = [
    "policy",
    "report",
    "chain",
    "product",
    "root",
    "chain signatures",
    "chain constraints",
    "chain validity",
    "revocation",
    "signing key",
    "report signature",
    "tcb order",
    "key tcb",
    "endorsed tcb",
    "minimum tcb",
    "launch tcb",
    "firmware",
    "mitigations",
    "chip id",
    "allowed chips",
    "platform smt",
    "platform tsme",
    "platform ecc",
    "platform rapl",
    "platform ciphertext hiding",
    "platform alias check",
    "debug",
    "migration agent",
    "smt",
    "single socket",
    "abi",
    "vmpl",
    "uvm endorsement",
    "measurement",
    "host data",
    "policy text",
    "policy rules",
    "id key",
    "author key",
    "binding",
    "age",
];

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The name of the check; stable.
    pub name: &'static str,
    /// How it ended.
    pub outcome: Outcome,
    /// What the evidence says; empty where there is nothing to show.
    pub found: String,
    /// What the policy or the rule wants; empty where there is nothing to show.
    pub wanted: String,
    /// In words: what was compared and what that means.
    pub reason: String,
}

/// The outcome of verifying evidence. Every check is there, the failed ones too: the first failure
/// is never the only one shown.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize)]
#[must_use]
pub struct Verdict {
    /// The checks, in the order in which they were made.
    pub checks: Vec<Check>,
}

impl Verdict {
    /// Whether the evidence holds: at least one check passed and none failed.
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        let any = |outcome| self.checks.iter().any(|check| check.outcome == outcome);
        any(Outcome::Passed) && !any(Outcome::Failed)
    }

    /// The failed checks.
    pub fn failures(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| check.outcome == Outcome::Failed)
    }

    /// The check of this name.
    #[must_use]
    pub fn check(&self, name: &str) -> Option<&Check> {
        self.checks.iter().find(|check| check.name == name)
    }

    /// Adds a check. Characters that steer a terminal are replaced, and long texts cut.
    pub fn push(
        &mut self,
        name: &'static str,
        outcome: Outcome,
        found: impl Into<String>,
        wanted: impl Into<String>,
        reason: impl Into<String>,
    ) {
        let [found, wanted, reason] = [found.into(), wanted.into(), reason.into()].map(printable);
        self.checks.push(Check { name, outcome, found, wanted, reason });
    }
}

/// A table: one line a check.
impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
        for check in &self.checks {
            write!(out, "{:<7}  {:<width$}  {}", check.outcome.as_str(), check.name, check.reason)?;
            if check.outcome != Outcome::Skipped {
                match (check.found.as_str(), check.wanted.as_str()) {
                    ("", "") => {}
                    (found, "") => write!(out, " [{found}]")?,
                    ("", wanted) => write!(out, " [wanted {wanted}]")?,
                    (found, wanted) => write!(out, " [found {found}, wanted {wanted}]")?,
                }
            }
            writeln!(out)?;
        }
        let word = if self.is_trusted() { "trusted" } else { "NOT trusted" };
        write!(out, "verdict: {word}")
    }
}
