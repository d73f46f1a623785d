//! Which guest it is, started by whom with what, and what the report is bound to.

use ring::digest::{SHA256, digest};

use super::{Subject, counted, fail, hold, pass, skip, warn};
use crate::hex;
use crate::limits::BOUND_BYTES_MAX;
use crate::policy::{Allowed, TextAction, UvmRule};
use crate::report::Report;
use crate::text::Finding;
use crate::uvm::UvmEndorsement;
use crate::verdict::Check;

pub(super) fn check(subject: &Subject<'_>, checks: &mut Vec<Check>) {
    checks.push(uvm_endorsement(subject));
    checks.push(subject.of_report("measurement", |report| measurement(subject, report)));
    checks.push(subject.of_report("host data", |report| {
        one_of("host data", hex::encode(&report.host_data), &subject.policy.host_data)
    }));
    checks.push(subject.of_report("policy text", |report| policy_text(subject, report)));
    checks.push(policy_rules(subject));
    checks.push(subject.of_report("id key", |report| {
        one_of("id key", hex::encode(&report.id_key_digest), &subject.policy.id_key_digests)
    }));
    checks.push(subject.of_report("author key", |report| {
        let found = hex::encode(&report.author_key_digest);
        one_of("author key", found, &subject.policy.author_key_digests)
    }));
    checks.push(subject.of_report("binding", |report| {
        let evidence = subject.evidence;
        bound_to(evidence.bound.as_deref(), &report.report_data, subject.policy.unbound)
    }));
    checks.push(age(subject));
}

/// It holds in itself and vouches for this measurement. Whether the policy believes who vouches is
/// a part of the check `measurement`.
fn uvm_endorsement(subject: &Subject<'_>) -> Check {
    let name = "uvm endorsement";
    let endorsement = match &subject.uvm {
        None => return skip(name, "the evidence has no UVM endorsement"),
        Some(Err(why)) => return fail(name, "", "", why),
        Some(Ok(endorsement)) => endorsement,
    };
    subject.of_report(name, |report| {
        let found = hex::encode(&endorsement.measurement);
        let wanted = hex::encode(&report.measurement);
        if endorsement.measurement == report.measurement {
            let why = format!("it holds in itself and vouches: {}", described(endorsement));
            return pass(name, found, wanted, why);
        }
        let why = format!("it vouches for another measurement: {}", described(endorsement));
        fail(name, found, wanted, why)
    })
}

fn described(endorsement: &UvmEndorsement) -> String {
    let UvmEndorsement { did, feed, svn, .. } = endorsement;
    format!("feed {feed}, SVN {svn}, by {did}")
}

/// In the policy's list, or vouched for by somebody whom the policy believes.
fn measurement(subject: &Subject<'_>, report: &Report) -> Check {
    let name = "measurement";
    let policy = subject.policy;
    let found = hex::encode(&report.measurement);
    if policy.measurements.contains(&found) {
        return one_of(name, found, &policy.measurements);
    }
    let vouched = match &subject.uvm {
        _ if policy.uvm_endorsements.is_empty() => Err("the policy believes nobody".to_owned()),
        None => Err("the evidence has no UVM endorsement".to_owned()),
        Some(Err(_)) => Err("the UVM endorsement does not hold".to_owned()),
        Some(Ok(found)) if found.measurement != report.measurement => {
            Err("the UVM endorsement is for another measurement".to_owned())
        }
        Some(Ok(endorsement)) => believed(&policy.uvm_endorsements, endorsement),
    };
    let listed = counted(policy.measurements.list());
    match vouched {
        Ok(why) => pass(name, found, "", why),
        Err(why) => {
            let why = format!("not in the policy's list, and nobody vouches for it: {why}");
            fail(name, found, listed, why)
        }
    }
}

/// Whether one rule believes issuer, feed and version of an endorsement.
fn believed(rules: &[UvmRule], endorsement: &UvmEndorsement) -> Result<String, String> {
    let UvmEndorsement { did, feed, svn, .. } = endorsement;
    let mut by_issuer = rules.iter().filter(|rule| rule.did == *did).peekable();
    if by_issuer.peek().is_none() {
        return Err(format!("the policy does not believe {did}"));
    }
    let Some(lowest) =
        by_issuer.filter(|rule| rule.feed == *feed).map(|rule| rule.minimum_svn).min()
    else {
        return Err(format!("the policy does not believe feed {feed:?} of {did}"));
    };
    if *svn < lowest {
        return Err(format!("SVN {svn} of feed {feed} is below the policy's minimum {lowest}"));
    }
    Ok(format!("vouched for: {}; the policy wants SVN {lowest} or later", described(endorsement)))
}

/// A value and the policy's list of it.
pub(super) fn one_of(name: &'static str, found: String, allowed: &Allowed) -> Check {
    match allowed {
        Allowed::Any(_) => pass(name, found, "any", "the policy accepts any"),
        Allowed::OneOf(list) => {
            let (holds, wanted) = (allowed.contains(&found), counted(list));
            hold(
                name,
                holds,
                found,
                wanted,
                ("one of the policy's list", "not in the policy's list"),
            )
        }
    }
}

fn policy_text(subject: &Subject<'_>, report: &Report) -> Check {
    let name = "policy text";
    let Some(text) = &subject.evidence.policy_text else {
        let why = "the evidence has no container policy";
        if subject.policy.policy_text.required {
            return fail(name, "", "", format!("{why}, and the policy asks for it"));
        }
        return skip(name, why);
    };
    let found = hex::encode(digest(&SHA256, text).as_ref());
    let wanted = hex::encode(&report.host_data);
    let reasons = (
        "the container policy's SHA-256 is the host data",
        "the container policy's SHA-256 is not the host data: the guest runs by another one",
    );
    hold(name, found == wanted, found, wanted, reasons)
}

/// What the text lets the host do, and what the policy makes of it.
fn policy_rules(subject: &Subject<'_>) -> Check {
    let name = "policy rules";
    let text = match &subject.text {
        None => return skip(name, "the evidence has no container policy"),
        Some(Err(why)) => return fail(name, "", "", why),
        Some(Ok(text)) => text,
    };
    let action = |finding: &&Finding| subject.policy.text_action(finding.rule);
    let of = |wanted| text.findings.iter().filter(move |found| action(found) == wanted);
    let refused = listed(of(TextAction::Refuse));
    if let Some(refused) = refused {
        return fail(name, refused, "", "the container policy lets the host do too much");
    }
    if let Some(warned) = listed(of(TextAction::Warn)) {
        let why = "the container policy lets the host do what the policy warns of";
        return warn(name, warned, "", why);
    }
    pass(name, "", "", "the container policy has none of the holes that the policy looks for")
}

/// Findings in words: the first ones, and how many more there are. `None`: there are none.
fn listed<'a>(findings: impl Iterator<Item = &'a Finding>) -> Option<String> {
    const SHOWN: usize = 16;
    let all: Vec<_> = findings.map(ToString::to_string).collect();
    let shown = all.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join("; ");
    match all.len() {
        0 => None,
        few if few <= SHOWN => Some(shown),
        many => Some(format!("{shown}; and {} more", many - SHOWN)),
    }
}

/// The first half is the SHA-256 of exactly the bound bytes, the second half is zero.
pub(super) fn bound_to(bound: Option<&[u8]>, report_data: &[u8], unbound: bool) -> Check {
    let name = "binding";
    let found = hex::encode(report_data);
    let Some(bound) = bound else {
        let why = "the evidence does not say what it is bound to";
        if unbound {
            return skip(name, format!("{why}, which the policy accepts"));
        }
        return fail(name, found, "", why);
    };
    if bound.len() > BOUND_BYTES_MAX {
        let why = format!("{} bound bytes, over the limit of {BOUND_BYTES_MAX}", bound.len());
        return fail(name, found, "", why);
    }
    let digest = digest(&SHA256, bound);
    let (head, tail) = report_data.split_at_checked(32).unwrap_or((report_data, &[]));
    let holds = head == digest.as_ref() && tail.iter().all(|byte| *byte == 0);
    let wanted = format!("{} then zeros", hex::encode(digest.as_ref()));
    let reasons = (
        "report_data is the SHA-256 of the bound bytes, then zeros",
        "report_data is not the SHA-256 of the bound bytes, then zeros",
    );
    hold(name, holds, found, wanted, reasons)
}

/// Only the time that something outside the evidence proves counts.
fn age(subject: &Subject<'_>) -> Check {
    let name = "age";
    let Some(maximum) = subject.policy.maximum_age_s else {
        return skip(name, "the policy accepts any age");
    };
    let wanted = format!("at most {maximum} s");
    let Some(proved) = subject.evidence.proved_at_unix_s else {
        return fail(name, "", wanted, "nothing proves when the evidence was made");
    };
    match subject.at_unix_s.checked_sub(proved) {
        Some(age) => {
            let reasons = ("the evidence is young enough", "the evidence is too old");
            hold(name, age <= maximum, format!("{age} s"), wanted, reasons)
        }
        None => fail(name, format!("made at {proved}"), wanted, "it was made in the future"),
    }
}
