//! The verification: every check of [`CHECKS`], in its order, each with what was found, what was
//! wanted and why.
//!
//! A check that fails stops no other. One that cannot be made, because what it looks at could not
//! be read, is skipped and says so; what could not be read has failed then, so a skipped check
//! never lets evidence through.

mod genuine;
mod guest;
mod identity;
mod platform;
mod virtual_evidence;

pub use virtual_evidence::verify_virtual;

use crate::chain::{Chain, LeafFacts};
use crate::evidence::{Attestation, Evidence};
use crate::policy::Policy;
use crate::report::{Report, ReportTcb};
use crate::tcb::Product;
use crate::text::{self, PolicyText};
use crate::uvm::{self, UvmEndorsement};
use crate::verdict::{Check, Outcome, Verdict};

/// A verdict, and what was read on the way to it. **None of it is to be believed unless the verdict
/// is trusted**: what was read is here even where a check of it failed, for those who explain.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Examination {
    /// Every check.
    pub verdict: Verdict,
    /// The report, if it could be read.
    pub report: Option<Report>,
    /// The product: by the report where it says, else by the leaf.
    pub product: Option<Product>,
    /// The report's TCB versions.
    pub tcb: Option<ReportTcb>,
    /// What the leaf says.
    pub leaf: Option<LeafFacts>,
    /// The UVM endorsement, if there is one that holds in itself: the policy may not believe it.
    pub uvm: Option<UvmEndorsement>,
    /// The container policy, if there is one that could be read.
    pub text: Option<PolicyText>,
}

/// Verifies evidence of an SNP guest at a time, in seconds since 1970: now, or when the evidence is
/// proved to have been made.
pub fn verify(evidence: &Evidence, policy: &Policy, at_unix_s: u64) -> Verdict {
    examine(evidence, policy, at_unix_s).verdict
}

/// Verifies evidence of either kind.
pub fn verify_attestation(attestation: &Attestation, policy: &Policy, at_unix_s: u64) -> Verdict {
    match attestation {
        Attestation::Snp(evidence) => verify(evidence, policy, at_unix_s),
        Attestation::Virtual(evidence) => verify_virtual(evidence, policy),
    }
}

/// As [`verify`], with what was read.
pub fn examine(evidence: &Evidence, policy: &Policy, at_unix_s: u64) -> Examination {
    let subject = Subject::read(evidence, policy, at_unix_s);
    let mut checks = vec![policy_check(policy)];
    genuine::check(&subject, &mut checks);
    platform::check(&subject, &mut checks);
    guest::check(&subject, &mut checks);
    identity::check(&subject, &mut checks);
    let leaf = subject.chain.as_ref().ok().map(|chain| chain.leaf().clone());
    let Subject { report, product, tcb, uvm, text, .. } = subject;
    Examination {
        verdict: Verdict { checks },
        report: report.ok(),
        product,
        tcb: tcb.ok(),
        leaf,
        uvm: uvm.and_then(Result::ok),
        text: text.and_then(Result::ok),
    }
}

fn policy_check(policy: &Policy) -> Check {
    match policy.check() {
        Ok(()) => pass("policy", "", "", "the policy can be read"),
        Err(error) => fail("policy", "", "", error.to_string()),
    }
}

/// What the checks look at. An `Err` says in words why something is not there.
struct Subject<'a> {
    evidence: &'a Evidence,
    policy: &'a Policy,
    at_unix_s: u64,
    report: Result<Report, String>,
    chain: Result<Chain, String>,
    product: Option<Product>,
    tcb: Result<ReportTcb, String>,
    uvm: Option<Result<UvmEndorsement, String>>,
    text: Option<Result<PolicyText, String>>,
}

impl<'a> Subject<'a> {
    fn read(evidence: &'a Evidence, policy: &'a Policy, at_unix_s: u64) -> Self {
        let report = Report::parse(&evidence.report).map_err(|error| error.to_string());
        let chain = if evidence.endorsements.is_empty() {
            Err("the evidence has no certificate chain".to_owned())
        } else {
            Chain::parse(&evidence.endorsements).map_err(|error| error.to_string())
        };
        let product = match (&report, &chain) {
            // A report that names its processor is not overruled by a certificate.
            (Ok(report), _) if report.cpuid.is_some() => report.product(),
            (_, Ok(chain)) => Some(chain.leaf().product),
            _ => None,
        };
        let tcb = match (&report, product) {
            (Ok(report), Some(product)) => report.tcb(product).map_err(|error| error.to_string()),
            (Ok(_), None) => Err("the product is not known".to_owned()),
            (Err(_), _) => Err(NO_REPORT.to_owned()),
        };
        let uvm = evidence.uvm_endorsement.as_ref();
        let uvm = uvm.map(|bytes| uvm::verify(bytes).map_err(|error| error.to_string()));
        let text = evidence.policy_text.as_ref();
        let text = text.map(|text| text::read(text).map_err(|error| error.to_string()));
        Self { evidence, policy, at_unix_s, report, chain, product, tcb, uvm, text }
    }

    /// A check of the report.
    fn of_report(&self, name: &'static str, check: impl FnOnce(&Report) -> Check) -> Check {
        match &self.report {
            Ok(report) => check(report),
            Err(_) => skip(name, NO_REPORT),
        }
    }

    /// A check of the chain.
    fn of_chain(&self, name: &'static str, check: impl FnOnce(&Chain) -> Check) -> Check {
        match &self.chain {
            Ok(chain) => check(chain),
            Err(_) => skip(name, NO_CHAIN),
        }
    }

    /// A check of both.
    fn of_both(&self, name: &'static str, check: impl FnOnce(&Report, &Chain) -> Check) -> Check {
        self.of_report(name, |report| self.of_chain(name, |chain| check(report, chain)))
    }
}

const NO_REPORT: &str = "not made: the report cannot be read";
const NO_CHAIN: &str = "not made: the certificate chain is missing or cannot be read";
/// Bytes of one text of a check; what is longer is cut.
const SHOWN_BYTES_MAX: usize = 4096;

fn make(
    name: &'static str,
    outcome: Outcome,
    found: impl Into<String>,
    wanted: impl Into<String>,
    reason: impl Into<String>,
) -> Check {
    let (found, wanted) = (printable(found.into()), printable(wanted.into()));
    Check { name, outcome, found, wanted, reason: printable(reason.into()) }
}

/// Names in certificates and texts in policies are whatever their maker liked: nothing of them may
/// steer a terminal or flood a log.
pub(crate) fn printable(text: String) -> String {
    let steers = |character: char| {
        character.is_control()
            || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
            || matches!(character, '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    if text.len() <= SHOWN_BYTES_MAX && !text.chars().any(steers) {
        return text;
    }
    let mut shown = String::new();
    for character in text.chars() {
        if shown.len() >= SHOWN_BYTES_MAX {
            shown.push_str("...");
            break;
        }
        shown.push(if steers(character) { '?' } else { character });
    }
    shown
}

fn pass(
    name: &'static str,
    found: impl Into<String>,
    wanted: impl Into<String>,
    reason: impl Into<String>,
) -> Check {
    make(name, Outcome::Passed, found, wanted, reason)
}

fn warn(
    name: &'static str,
    found: impl Into<String>,
    wanted: impl Into<String>,
    reason: impl Into<String>,
) -> Check {
    make(name, Outcome::Warned, found, wanted, reason)
}

fn fail(
    name: &'static str,
    found: impl Into<String>,
    wanted: impl Into<String>,
    reason: impl Into<String>,
) -> Check {
    make(name, Outcome::Failed, found, wanted, reason)
}

fn skip(name: &'static str, reason: impl Into<String>) -> Check {
    make(name, Outcome::Skipped, "", "", reason)
}

/// Passed for the first reason if it holds, failed for the second if not.
fn hold(
    name: &'static str,
    holds: bool,
    found: impl Into<String>,
    wanted: impl Into<String>,
    (good, bad): (impl Into<String>, impl Into<String>),
) -> Check {
    if holds { pass(name, found, wanted, good) } else { fail(name, found, wanted, bad) }
}

/// A bit of a report.
type Bit = fn(&Report) -> bool;

/// Checks of bits: name, what the policy wants, the bit, what it means.
fn bit_checks(
    subject: &Subject<'_>,
    checks: &mut Vec<Check>,
    rows: &[(&'static str, Option<bool>, Bit, &str)],
) {
    let word = |value: bool| if value { "yes" } else { "no" };
    for (name, wanted, bit, reason) in rows {
        checks.push(subject.of_report(name, |report| match wanted {
            None => skip(name, "the policy accepts either"),
            Some(wanted) => {
                let found = bit(report);
                let reasons = (format!("{reason}: as wanted"), format!("{reason}: not as wanted"));
                hold(name, found == *wanted, word(found), word(*wanted), reasons)
            }
        }));
    }
}

/// A list of what a policy accepts, in short.
fn counted(list: &[String]) -> String {
    match list {
        [] => "nothing: the policy's list is empty".to_owned(),
        [only] => only.clone(),
        more => format!("one of {}", more.len()),
    }
}
