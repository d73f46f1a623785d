//! What a verification found: every check by name, with what was compared in plain words.

use core::fmt;

use serde::Serialize;

use crate::{ProofError, TxId};

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It held.
    Passed,
    /// It did not hold.
    Failed,
    /// It was not asked for, or could not be made because an earlier one failed.
    Skipped,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The name of the check; stable.
    pub name: &'static str,
    /// How it ended.
    pub outcome: Outcome,
    /// What was compared, and what did not match.
    pub explanation: String,
}

/// The outcome of verifying a receipt. Read [`Verdict::checks`]: a receipt may be sound and still
/// not say what the reader wants, for example if no claims were compared.
///
/// ```
/// use affiant_proof::{Outcome, VerifyOptions, verify_receipt};
///
/// fn report(receipt: &[u8], service_certificate_pem: &str) -> bool {
///     let Ok((_, verdict)) = verify_receipt(receipt, service_certificate_pem, &VerifyOptions::default())
///     else {
///         return false;
///     };
///     for check in verdict.checks.iter().filter(|check| check.outcome == Outcome::Failed) {
///         println!("{}: {}", check.name, check.explanation);
///     }
///     verdict.is_valid()
/// }
/// # assert!(!report(b"{}", ""));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize)]
#[must_use]
pub struct Verdict {
    /// The transaction that the receipt speaks of, if it says so.
    #[serde(serialize_with = "as_text")]
    pub txid: Option<TxId>,
    /// The checks, in the order in which they were made.
    pub checks: Vec<Check>,
}

impl Verdict {
    /// Whether the receipt holds: its signature was checked, and no check failed.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        let failed = self.checks.iter().any(|check| check.outcome == Outcome::Failed);
        let signed = |check: &Check| check.name == SIGNATURE && check.outcome == Outcome::Passed;
        !failed && self.checks.iter().any(signed)
    }

    /// The check of this name.
    #[must_use]
    pub fn check(&self, name: &str) -> Option<&Check> {
        self.checks.iter().find(|check| check.name == name)
    }

    pub(crate) fn passed(&mut self, name: &'static str, explanation: impl Into<String>) {
        self.push(name, Outcome::Passed, explanation.into());
    }

    pub(crate) fn failed(&mut self, name: &'static str, explanation: impl Into<String>) {
        self.push(name, Outcome::Failed, explanation.into());
    }

    pub(crate) fn skipped(&mut self, name: &'static str, explanation: impl Into<String>) {
        self.push(name, Outcome::Skipped, explanation.into());
    }

    /// Records `result`: passed with `explanation`, or failed with the error. Hands the value on.
    pub(crate) fn record<T>(
        &mut self,
        name: &'static str,
        result: Result<T, ProofError>,
        explanation: impl FnOnce(&T) -> String,
    ) -> Option<T> {
        match result {
            Ok(value) => {
                self.passed(name, explanation(&value));
                Some(value)
            }
            Err(error) => {
                self.failed(name, error.to_string());
                None
            }
        }
    }

    fn push(&mut self, name: &'static str, outcome: Outcome, explanation: String) {
        self.checks.push(Check { name, outcome, explanation });
    }
}

/// The check without which no receipt is valid.
pub(crate) const SIGNATURE: &str = "signature";

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let valid = if self.is_valid() { "valid" } else { "NOT valid" };
        match self.txid {
            Some(txid) => writeln!(f, "receipt of {txid}: {valid}")?,
            None => writeln!(f, "receipt: {valid}")?,
        }
        for Check { name, outcome, explanation } in &self.checks {
            let outcome = match outcome {
                Outcome::Passed => "passed ",
                Outcome::Failed => "FAILED ",
                Outcome::Skipped => "skipped",
            };
            writeln!(f, "  {outcome} {name}: {explanation}")?;
        }
        Ok(())
    }
}

fn as_text<S: serde::Serializer>(txid: &Option<TxId>, serializer: S) -> Result<S::Ok, S::Error> {
    match txid {
        Some(txid) => serializer.collect_str(txid),
        None => serializer.serialize_none(),
    }
}
