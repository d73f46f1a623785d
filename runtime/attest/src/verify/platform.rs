//! Which firmware and which chip, set up how.

use super::{Bit, Subject, bit_checks, counted, fail, hold, pass, skip, warn};
use crate::chain::{Chain, LeafKind};
use crate::hex;
use crate::policy::{Allowed, ComponentMinimum};
use crate::report::{Report, ReportTcb};
use crate::tcb::{ByteOrder, Product, TcbVersion, matches_hex};
use crate::verdict::Check;

pub(super) fn check(subject: &Subject<'_>, checks: &mut Vec<Check>) {
    checks.push(tcb_order(subject));
    checks.push(key_tcb(subject));
    checks.push(subject.of_report("endorsed tcb", |report| endorsed_tcb(subject, report)));
    checks.push(minimum_tcb(subject));
    checks.push(launch_tcb(subject));
    checks.push(subject.of_report("firmware", |report| firmware(subject, report)));
    checks.push(subject.of_report("mitigations", |report| mitigations(subject, report)));
    checks.push(subject.of_both("chip id", |report, chain| chip_id(subject, report, chain)));
    checks.push(subject.of_report("allowed chips", |report| allowed_chips(subject, report)));
    bits(subject, checks);
}

/// The firmware never reports more than what it is committed to, nor commits to more than what
/// runs.
fn tcb_order(subject: &Subject<'_>) -> Check {
    let name = "tcb order";
    let tcb = match &subject.tcb {
        Ok(tcb) => tcb,
        // The one check that fails where the TCB versions cannot be read.
        Err(why) if subject.report.is_ok() => return fail(name, "", "", why),
        Err(why) => return skip(name, why),
    };
    let ReportTcb { reported, committed, current, .. } = tcb;
    let found = format!("reported {reported}; committed {committed}; current {current}");
    if let Some(component) = committed.lower_than(reported).first() {
        let why = format!("{component}: more is reported than committed");
        return fail(name, found, "reported <= committed", why);
    }
    if let Some(component) = current.lower_than(committed).first() {
        let why = format!("{component}: more is committed than runs");
        return fail(name, found, "committed <= current", why);
    }
    pass(name, found, "", "reported <= committed <= current in every component")
}

/// The leaf's key was derived for the TCB that the report reports.
fn key_tcb(subject: &Subject<'_>) -> Check {
    let name = "key tcb";
    let tcb = match &subject.tcb {
        Ok(tcb) => tcb,
        Err(why) => return skip(name, format!("not made: {why}")),
    };
    subject.of_chain(name, |chain| {
        let (found, wanted) = (chain.leaf().tcb, tcb.reported);
        if found == wanted {
            let why = "the leaf is for the TCB version that the report reports";
            return pass(name, found.to_string(), wanted.to_string(), why);
        }
        let why = "the leaf is for another TCB version than the report reports: of another report, \
                   or a host's certificate that a firmware update left stale";
        fail(name, found.to_string(), wanted.to_string(), why)
    })
}

fn endorsed_tcb(subject: &Subject<'_>, report: &Report) -> Check {
    let name = "endorsed tcb";
    let Some(text) = &subject.evidence.endorsed_tcb else {
        return skip(name, "the evidence names no endorsed TCB version");
    };
    let wanted = report.reported_tcb.to_hex();
    match matches_hex(text, report.reported_tcb) {
        Ok(Some(ByteOrder::LastFirst)) => {
            pass(name, text, wanted, "the endorsed TCB version is the reported one")
        }
        Ok(Some(ByteOrder::FirstFirst)) => {
            let why = "the endorsed TCB version is the reported one, in the report's byte order";
            pass(name, text, wanted, why)
        }
        Ok(None) => {
            let why = "the endorsed TCB version is not the reported one, in either byte order";
            fail(name, text, wanted, why)
        }
        Err(error) => fail(name, "", wanted, error.to_string()),
    }
}

fn minimum_tcb(subject: &Subject<'_>) -> Check {
    against_minimum(subject, "minimum tcb", "reported", |tcb| tcb.reported)
}

fn launch_tcb(subject: &Subject<'_>) -> Check {
    let name = "launch tcb";
    if !subject.policy.minimum_launch_tcb {
        return skip(name, "the policy does not ask for it");
    }
    against_minimum(subject, name, "launch", |tcb| tcb.launch)
}

fn against_minimum(
    subject: &Subject<'_>,
    name: &'static str,
    which: &str,
    pick: impl FnOnce(&ReportTcb) -> TcbVersion,
) -> Check {
    let minimums = &subject.policy.minimum_tcb;
    if minimums.is_empty() {
        return skip(name, "the policy names no minimum");
    }
    let found = match &subject.tcb {
        Ok(tcb) => pick(tcb),
        Err(why) => return skip(name, format!("not made: {why}")),
    };
    let Some((key, minimum)) = minimum_for(subject) else {
        let wanted = minimums.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let who = processor(subject);
        let why = format!("the policy names no minimum for this processor ({who})");
        return fail(name, found.to_string(), format!("one of {wanted}"), why);
    };
    let lower = minimum.not_met_by(&found);
    let wanted = format!("{key}: {minimum}");
    if lower.is_empty() {
        let why = format!("the {which} TCB version is not below the minimum");
        return pass(name, found.to_string(), wanted, why);
    }
    let why = format!("the {which} TCB version is below the minimum: {}", lower.join(", "));
    fail(name, found.to_string(), wanted, why)
}

/// By CPUID first, then by the product.
fn minimum_for<'a>(subject: &'a Subject<'_>) -> Option<(&'a str, &'a ComponentMinimum)> {
    let minimums = &subject.policy.minimum_tcb;
    let by_cpuid = cpuid_key(subject)
        .and_then(|key| minimums.iter().find(|(name, _)| name.eq_ignore_ascii_case(&key)));
    let by_product = || subject.product.and_then(|product| minimums.get_key_value(product.name()));
    by_cpuid.or_else(by_product).map(|(name, minimum)| (name.as_str(), minimum))
}

fn cpuid_key(subject: &Subject<'_>) -> Option<String> {
    let report = subject.report.as_ref().ok()?;
    report.cpuid?.eax().map(|eax| format!("{eax:08x}"))
}

fn processor(subject: &Subject<'_>) -> String {
    let product = subject.product.map_or("unknown", Product::name);
    match cpuid_key(subject) {
        Some(cpuid) => format!("{product}, CPUID {cpuid}"),
        None => format!("{product}; the report names no CPUID"),
    }
}

/// Firmware that is newer than what is committed can be taken back by the host.
fn firmware(subject: &Subject<'_>, report: &Report) -> Check {
    let name = "firmware";
    let (current, committed) = (report.current_firmware, report.committed_firmware);
    let found = format!("current {current}, committed {committed}");
    if current < committed {
        return fail(name, found, "", "older firmware runs than is committed");
    }
    if current == committed && report.current_tcb == report.committed_tcb {
        return pass(name, found, "", "the firmware that runs is committed");
    }
    let why = "the firmware that runs is provisional: the host can go back to the committed one";
    if subject.policy.provisional_firmware {
        return warn(name, found, "", format!("{why}; the policy accepts it"));
    }
    fail(name, found, "", why)
}

fn mitigations(subject: &Subject<'_>, report: &Report) -> Check {
    let name = "mitigations";
    let wanted = subject.policy.mitigations;
    if wanted == 0 {
        return skip(name, "the policy asks for none");
    }
    let wanted_text = format!("{wanted:#x}");
    let Some(found) = report.mitigations else {
        let why = "reports before version 5 do not say which mitigations are verified";
        return fail(name, "", wanted_text, why);
    };
    let holds = found.launch & wanted == wanted && found.current & wanted == wanted;
    let found = format!("launch {:#x}, current {:#x}", found.launch, found.current);
    let reasons = (
        "the firmware verified the mitigations, at launch and now",
        "the firmware did not verify all the mitigations, at launch or now",
    );
    hold(name, holds, found, wanted_text, reasons)
}

/// The chip that the report names is the one whose key signed.
fn chip_id(subject: &Subject<'_>, report: &Report, chain: &Chain) -> Check {
    let name = "chip id";
    let leaf = chain.leaf();
    let found = hex::encode(&report.chip_id);
    if leaf.kind == LeafKind::Vlek {
        return skip(name, "a VLEK is a provider's key, of no single chip");
    }
    let wanted = leaf.hardware_id.clone().unwrap_or_default();
    if report.is_chip_id_masked() {
        let why = "the host masks the chip id";
        if subject.policy.masked_chip_id {
            return warn(name, "masked", wanted, format!("{why}, which the policy accepts"));
        }
        return fail(name, "masked", wanted, why);
    }
    if leaf.is_of_chip(&report.chip_id) {
        return pass(name, found, wanted, "the report is by the chip that the leaf is for");
    }
    fail(name, found, wanted, "the report is by another chip than the leaf is for")
}

fn allowed_chips(subject: &Subject<'_>, report: &Report) -> Check {
    let name = "allowed chips";
    let Allowed::OneOf(wanted) = &subject.policy.chip_ids else {
        return skip(name, "the policy accepts any chip");
    };
    // Where the report masks the id, the leaf's says which chip's key signed.
    let found = if report.is_chip_id_masked() {
        let leaf = subject.chain.as_ref().ok().map(Chain::leaf);
        let id = leaf.and_then(|leaf| leaf.hardware_id.clone());
        id.map(|id| format!("{id:0<128}"))
    } else {
        Some(hex::encode(&report.chip_id))
    };
    match found {
        Some(id) => {
            let holds = subject.policy.chip_ids.contains(&id);
            let reasons = ("the chip is one of the policy's", "the chip is none of the policy's");
            hold(name, holds, id, counted(wanted), reasons)
        }
        None => fail(name, "", counted(wanted), "the evidence does not say which chip it is of"),
    }
}

fn bits(subject: &Subject<'_>, checks: &mut Vec<Check>) {
    let rule = &subject.policy.platform;
    let rows: [(&'static str, Option<bool>, Bit, &str); 6] = [
        (
            "platform smt",
            rule.smt,
            |r| r.platform_info.smt(),
            "whether two threads of a core are on",
        ),
        (
            "platform tsme",
            rule.tsme,
            |r| r.platform_info.tsme(),
            "whether all memory is encrypted transparently",
        ),
        (
            "platform ecc",
            rule.ecc,
            |r| r.platform_info.ecc(),
            "whether memory has error correction",
        ),
        (
            "platform rapl",
            rule.rapl_disabled,
            |r| r.platform_info.rapl_disabled(),
            "whether measuring the power that is used is off",
        ),
        (
            "platform ciphertext hiding",
            rule.ciphertext_hiding,
            |r| r.platform_info.ciphertext_hiding(),
            "whether ciphertext is hidden from the host",
        ),
        (
            "platform alias check",
            rule.alias_check_complete,
            |r| r.platform_info.alias_check_complete(),
            "whether aliases of memory were looked for after the last reset (BadRAM)",
        ),
    ];
    bit_checks(subject, checks, &rows);
}
