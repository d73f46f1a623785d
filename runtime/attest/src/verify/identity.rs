//! Which guest it is, started by whom with what, and what the report is bound to.

use ring::digest::{SHA256, digest};

use super::{Subject, counted, fail, hold, pass, skip};
use crate::hex;
use crate::limits::BOUND_BYTES_MAX;
use crate::policy::Allowed;
use crate::report::Report;
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

fn uvm_endorsement(subject: &Subject<'_>) -> Check {
    let name = "uvm endorsement";
    match &subject.evidence.uvm_endorsement {
        None => skip(name, "the evidence has no UVM endorsement"),
        Some(_) => fail(name, "", "", "a UVM endorsement cannot be read yet"),
    }
}

fn measurement(subject: &Subject<'_>, report: &Report) -> Check {
    let found = hex::encode(&report.measurement);
    one_of("measurement", found, &subject.policy.measurements)
}

/// A value and the policy's list of it.
pub(super) fn one_of(name: &'static str, found: String, allowed: &Allowed) -> Check {
    match allowed {
        Allowed::Any(_) => pass(name, found, "any", "the policy accepts any"),
        Allowed::OneOf(list) => {
            let (holds, wanted) = (allowed.contains(&found), counted(list));
            let why = if holds { "one of the policy's list" } else { "not in the policy's list" };
            hold(name, holds, found, wanted, why)
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
    hold(name, found == wanted, found, wanted, "the container policy's SHA-256 is the host data")
}

fn policy_rules(subject: &Subject<'_>) -> Check {
    let name = "policy rules";
    match &subject.evidence.policy_text {
        None => skip(name, "the evidence has no container policy"),
        Some(_) => fail(name, "", "", "a container policy cannot be read yet"),
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
    let why = if holds {
        "report_data is the SHA-256 of the bound bytes, then zeros"
    } else {
        "report_data is not the SHA-256 of the bound bytes, then zeros"
    };
    hold(name, holds, found, wanted, why)
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
            hold(name, age <= maximum, format!("{age} s"), wanted, "the age of the evidence")
        }
        None => fail(name, format!("made at {proved}"), wanted, "it was made in the future"),
    }
}
