//! What came of checking something: every check that was made.

use affiant::TxId;
use affiant_proof::Outcome;
use serde_json::json;

use crate::boundary;
use crate::fault::Fault;
use crate::handle::{self, Kind, Opaque};
use crate::memory::{Out, VersionedOut, affiant_slice};
use crate::status::{AFFIANT_NOT_FOUND, AFFIANT_NOT_VERIFIED, affiant_status};
use crate::txid::affiant_txid;

/// What came of checking a receipt, evidence or a service. Any number of threads at once.
pub struct affiant_verdict {
    _opaque: [u8; 0],
}

impl Opaque for affiant_verdict {
    type Object = Judgement;
    const KIND: Kind = Kind::Verdict;
}

/// How a check ended: one of the constants `AFFIANT_CHECK_...`.
pub type affiant_outcome = u32;

/// It was made, and all is as it should be.
pub const AFFIANT_CHECK_PASSED: affiant_outcome = 1;
/// It was made, and refuses.
pub const AFFIANT_CHECK_FAILED: affiant_outcome = 2;
/// It was not made; the explanation says why.
pub const AFFIANT_CHECK_SKIPPED: affiant_outcome = 3;

/// One check of a verdict. The views live as long as the verdict.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct affiant_check {
    /// sizeof(affiant_check), set by the program.
    pub size: usize,
    /// Its name, such as "signature".
    pub name: affiant_slice,
    /// What was found.
    pub explanation: affiant_slice,
    /// How it ended.
    pub outcome: affiant_outcome,
    /// Zero.
    pub reserved: u32,
}

// SAFETY: repr(C), its first field is its size, the others are pointers and numbers.
unsafe impl VersionedOut for affiant_check {
    const NAME: &'static str = "affiant_check";
    const SIZE_MIN: usize = size_of::<Self>();
}

struct Checked {
    name: String,
    outcome: affiant_outcome,
    explanation: String,
}

/// The object behind `affiant_verdict`.
pub(crate) struct Judgement {
    valid: bool,
    txid: Option<TxId>,
    checks: Vec<Checked>,
    json: String,
}

impl Judgement {
    /// Of checks, whoever made them: name, outcome, explanation.
    pub(crate) fn new(
        valid: bool,
        txid: Option<TxId>,
        checks: impl Iterator<Item = (String, affiant_outcome, String)>,
    ) -> Self {
        let checks: Vec<Checked> = checks
            .map(|(name, outcome, explanation)| Checked { name, outcome, explanation })
            .collect();
        let shown: Vec<_> = checks
            .iter()
            .map(|check| {
                let outcome = match check.outcome {
                    AFFIANT_CHECK_PASSED => "passed",
                    AFFIANT_CHECK_FAILED => "failed",
                    _ => "skipped",
                };
                json!({"name": check.name, "outcome": outcome, "explanation": check.explanation})
            })
            .collect();
        let txid_text = txid.map(|txid| txid.to_string());
        let json = json!({"valid": valid, "txid": txid_text, "checks": shown}).to_string();
        Self { valid, txid, checks, json }
    }

    pub(crate) fn of_receipt(verdict: &affiant_proof::Verdict) -> Self {
        let checks = verdict.checks.iter().map(|check| {
            let outcome = match check.outcome {
                Outcome::Passed => AFFIANT_CHECK_PASSED,
                Outcome::Failed => AFFIANT_CHECK_FAILED,
                Outcome::Skipped => AFFIANT_CHECK_SKIPPED,
            };
            (check.name.to_owned(), outcome, check.explanation.clone())
        });
        Self::new(verdict.is_valid(), verdict.txid, checks)
    }

    /// What speaks against it, in a sentence.
    fn refusal(&self) -> String {
        let failed: Vec<String> = self
            .checks
            .iter()
            .filter(|check| check.outcome == AFFIANT_CHECK_FAILED)
            .map(|check| format!("{}: {}", check.name, check.explanation))
            .collect();
        if failed.is_empty() {
            "what would prove it was not checked".to_owned()
        } else {
            failed.join("; ")
        }
    }
}

/// Hands a verdict to the program, if it wants it, and says by the status what it is.
pub(crate) fn deliver(
    judgement: Judgement,
    out: Option<Out<*mut affiant_verdict>>,
) -> Result<(), Fault> {
    let refused = (!judgement.valid).then(|| Fault::new(AFFIANT_NOT_VERIFIED, judgement.refusal()));
    if let Some(out) = out {
        out.write(handle::insert(judgement)?);
    }
    refused.map_or(Ok(()), Err)
}

/// Frees a verdict. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn affiant_verdict_free(verdict: *mut affiant_verdict) -> affiant_status {
    boundary::free(verdict)
}

/// Whether it holds: what proves it was checked, and no check failed.
///
/// # Safety
/// `valid` leads to room for a bool.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_verdict_is_valid(
    verdict: *const affiant_verdict,
    valid: *mut bool,
) -> affiant_status {
    boundary::shared(verdict, |verdict| {
        // SAFETY: as promised to this function.
        let out = unsafe { Out::new(valid, "valid")? };
        out.write(verdict.valid);
        Ok(())
    })
}

/// The transaction that a receipt speaks of. `AFFIANT_NOT_FOUND` if it does not say, or was no receipt.
///
/// # Safety
/// `txid` leads to room for an `affiant_txid`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_verdict_txid(
    verdict: *const affiant_verdict,
    txid: *mut affiant_txid,
) -> affiant_status {
    boundary::shared(verdict, |verdict| {
        // SAFETY: as promised to this function.
        let out = unsafe { Out::new(txid, "txid")? };
        let unsaid = || Fault::new(AFFIANT_NOT_FOUND, "what was checked names no transaction");
        out.write(verdict.txid.ok_or_else(unsaid)?.into());
        Ok(())
    })
}

/// How many checks there are.
///
/// # Safety
/// `count` leads to room for a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_verdict_count(
    verdict: *const affiant_verdict,
    count: *mut usize,
) -> affiant_status {
    boundary::shared(verdict, |verdict| {
        // SAFETY: as promised to this function.
        let out = unsafe { Out::new(count, "count")? };
        out.write(verdict.checks.len());
        Ok(())
    })
}

/// One check, by position from 0, in the order in which they were made. `check->size` is set before the call.
/// `AFFIANT_NOT_FOUND` beyond the last.
///
/// # Safety
/// `check` leads to as many bytes as its size says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_verdict_check(
    verdict: *const affiant_verdict,
    index: usize,
    check: *mut affiant_check,
) -> affiant_status {
    boundary::shared(verdict, |verdict| {
        // SAFETY: as promised to this function.
        let out = unsafe { crate::memory::versioned_out(check)? };
        let found = verdict.checks.get(index).ok_or_else(|| {
            let text = format!("there are {} checks; {index} is beyond them", verdict.checks.len());
            Fault::new(AFFIANT_NOT_FOUND, text)
        })?;
        out.write(affiant_check {
            size: size_of::<affiant_check>(),
            name: affiant_slice::of(found.name.as_bytes()),
            explanation: affiant_slice::of(found.explanation.as_bytes()),
            outcome: found.outcome,
            reserved: 0,
        });
        Ok(())
    })
}

/// The whole verdict as JSON: {"valid", "txid", "checks": [{"name", "outcome", "explanation"}]}. The view lives
/// as long as the verdict.
///
/// # Safety
/// `json` leads to room for an `affiant_slice`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_verdict_json(
    verdict: *const affiant_verdict,
    json: *mut affiant_slice,
) -> affiant_status {
    boundary::shared(verdict, |verdict| {
        // SAFETY: as promised to this function.
        let out = unsafe { Out::new(json, "json")? };
        out.write(affiant_slice::of(verdict.json.as_bytes()));
        Ok(())
    })
}
