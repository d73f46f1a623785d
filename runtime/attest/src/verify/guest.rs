//! What the guest's owner allows the host, and at which privilege level the guest asked.

use super::{Bit, Subject, bit_checks, fail, hold, pass, skip};
use crate::policy::abi_version;
use crate::report::Report;
use crate::verdict::Check;

/// The highest privilege level number of a guest. A report that the host asked for has another.
const VMPL_MAX: u32 = 3;

pub(super) fn check(subject: &Subject<'_>, checks: &mut Vec<Check>) {
    let rule = &subject.policy.guest_policy;
    let rows: [(&'static str, Option<bool>, Bit, &str); 4] = [
        ("debug", rule.debug, |r| r.policy.debug(), "whether the host may read the guest's memory"),
        (
            "migration agent",
            rule.migration_agent,
            |r| r.policy.migration_agent(),
            "whether a migration agent may move the guest",
        ),
        ("smt", rule.smt, |r| r.policy.smt(), "whether two threads may share a core"),
        (
            "single socket",
            rule.single_socket,
            |r| r.policy.single_socket(),
            "whether the guest is bound to one socket",
        ),
    ];
    bit_checks(subject, checks, &rows);
    checks.push(subject.of_report("abi", |report| abi(subject, report)));
    checks.push(subject.of_report("vmpl", |report| vmpl(subject, report)));
}

/// The guest itself demands firmware of at least this interface.
fn abi(subject: &Subject<'_>, report: &Report) -> Check {
    let name = "abi";
    let Some(text) = &subject.policy.guest_policy.minimum_abi else {
        return skip(name, "the policy names no minimum");
    };
    let found = (report.policy.abi_major(), report.policy.abi_minor());
    let found_text = format!("{}.{}", found.0, found.1);
    let reasons = (
        "the guest demands a firmware interface that is new enough",
        "the guest runs on firmware interfaces older than wanted",
    );
    match abi_version(text) {
        Ok(wanted) => hold(name, found >= wanted, found_text, format!("at least {text}"), reasons),
        Err(error) => fail(name, found_text, "", error.to_string()),
    }
}

fn vmpl(subject: &Subject<'_>, report: &Report) -> Check {
    let name = "vmpl";
    let found = report.vmpl.to_string();
    if report.vmpl > VMPL_MAX {
        let why = "no guest's privilege level: the host asked for this report";
        return fail(name, found, "0 to 3", why);
    }
    let good = "the privilege level that asked for the report";
    let bad = "another privilege level asked for the report than wanted";
    match subject.policy.vmpl {
        None => pass(name, found, "0 to 3", good),
        Some(wanted) => hold(name, report.vmpl == wanted, found, wanted.to_string(), (good, bad)),
    }
}
