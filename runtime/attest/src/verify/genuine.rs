//! Is it a report that AMD's hardware signed? Format, chain, root, signature.

use super::{NO_REPORT, Subject, fail, hold, make, pass, skip, warn};
use crate::chain::{Chain, LeafKind, RevocationList};
use crate::report::{Report, SigningKey};
use crate::tcb::Product;
use crate::verdict::{Check, Outcome};

pub(super) fn check(subject: &Subject<'_>, checks: &mut Vec<Check>) {
    checks.push(report(subject));
    checks.push(chain(subject));
    checks.push(product(subject));
    checks.push(subject.of_chain("root", root));
    checks.push(subject.of_chain("chain signatures", signatures));
    checks.push(subject.of_chain("chain constraints", constraints));
    checks.push(subject.of_chain("chain validity", |chain| validity(subject, chain)));
    checks.push(subject.of_chain("revocation", |chain| revocation(subject, chain)));
    checks
        .push(subject.of_both("signing key", |report, chain| signing_key(subject, report, chain)));
    checks.push(subject.of_both("report signature", signature));
}

fn report(subject: &Subject<'_>) -> Check {
    match &subject.report {
        Ok(report) => {
            let found = format!("version {}", report.version);
            pass("report", found, "", "the report keeps to its format")
        }
        Err(why) => fail("report", "", "", why),
    }
}

fn chain(subject: &Subject<'_>) -> Check {
    match &subject.chain {
        Ok(chain) => {
            let leaf = chain.leaf();
            let found = format!("{} of {}", leaf.kind.name(), leaf.product_name);
            pass("chain", found, "", "leaf, ASK and ARK can be read, and the leaf is one of AMD's")
        }
        Err(why) => fail("chain", "", "", why),
    }
}

/// The report's processor (since version 3) and the leaf must name one product, which the policy
/// accepts.
fn product(subject: &Subject<'_>) -> Check {
    let name = "product";
    let wanted = subject.policy.products.join(", ");
    let cpuid = match &subject.report {
        Ok(report) => report.cpuid,
        Err(_) => return skip(name, NO_REPORT),
    };
    let Some(product) = subject.product else {
        return match cpuid {
            Some(cpuid) => fail(name, cpuid.to_string(), wanted, "the processor is unknown"),
            None => {
                let why = "a report of version 2 names no processor, and no leaf does either";
                fail(name, "", wanted, why)
            }
        };
    };
    let leaf = subject.chain.as_ref().ok().map(|chain| chain.leaf().product);
    if let Some(other) = leaf.filter(|leaf| *leaf != product) {
        let why = format!("the report is by a {product} and the leaf is for {other}");
        return fail(name, product.name(), other.name(), why);
    }
    let source = if cpuid.is_some() { "the report's processor" } else { "the leaf" };
    let accepted = subject.policy.products.iter().any(|accepted| accepted == product.name());
    let reasons = (
        format!("the product, by {source}, is one that the policy accepts"),
        format!("the product, by {source}, is none that the policy accepts"),
    );
    hold(name, accepted, product.name(), wanted, reasons)
}

fn root(chain: &Chain) -> Check {
    let product = chain.leaf().product;
    let (found, pin) = (chain.root_digest(), Chain::pin_of(product));
    if chain.is_root_of(product) {
        if found != pin {
            return warn(
                "root",
                found,
                pin,
                "a root made for tests, which a release build refuses",
            );
        }
        let why = format!("the ARK's public key (SHA-384) is AMD's for {product}");
        return pass("root", found, pin, why);
    }
    let other = Product::ALL.into_iter().find(|other| chain.is_root_of(*other));
    let why = match other {
        Some(other) => format!("the ARK is AMD's for {other}, and the leaf is for {product}"),
        None => format!("the ARK's public key (SHA-384) is not AMD's for {product}"),
    };
    fail("root", found, pin, why)
}

fn signatures(chain: &Chain) -> Check {
    let name = "chain signatures";
    match chain.check_signatures() {
        Ok(()) => pass(name, "", "", "the ARK signed itself and the ASK, the ASK signed the leaf"),
        Err(error) => fail(name, "", "", error.to_string()),
    }
}

fn constraints(chain: &Chain) -> Check {
    let name = "chain constraints";
    let reason = "names follow each other; ARK and ASK may issue, the leaf may not";
    match chain.check_constraints() {
        Ok(()) => pass(name, "", "", reason),
        Err(why) => fail(name, "", "", why),
    }
}

fn validity(subject: &Subject<'_>, chain: &Chain) -> Check {
    let name = "chain validity";
    let at = subject.at_unix_s;
    let mut expired = Vec::new();
    for validity in chain.validity() {
        if at < validity.not_before {
            let found = format!("from {}", validity.not_before);
            let why = format!("the {} is not valid yet", validity.role);
            return fail(name, found, format!("at {at}"), why);
        }
        if at > validity.not_after {
            expired.push(format!("{} at {}", validity.role, validity.not_after));
        }
    }
    if expired.is_empty() {
        return pass(name, "", format!("at {at}"), "every certificate is valid at that time");
    }
    let (found, wanted) = (format!("expired: {}", expired.join(", ")), format!("at {at}"));
    if subject.policy.expired_certificates {
        let why = "certificates have expired, which the policy accepts";
        return warn(name, found, wanted, why);
    }
    fail(name, found, wanted, "certificates have expired")
}

/// Every list of the policy by this chain's root is checked; a listed serial number is refused
/// however old the list is, and only a current list shows that a certificate is in force.
fn revocation(subject: &Subject<'_>, chain: &Chain) -> Check {
    let name = "revocation";
    let at = subject.at_unix_s;
    let (mut current, mut stale) = (0_usize, Vec::new());
    for text in &subject.policy.revocation_lists {
        let list = match RevocationList::parse(text) {
            Ok(list) if !list.is_by_root_of(chain) => continue,
            Ok(list) => list,
            Err(error) => return fail(name, "", "", error.to_string()),
        };
        let says = match list.check(chain) {
            Ok(says) => says,
            Err(error) => return fail(name, "", "", error.to_string()),
        };
        if !says.certificates.is_empty() {
            return fail(
                name,
                says.certificates.join(", "),
                "",
                "the ARK revoked this certificate",
            );
        }
        if says.this_update <= at && says.next_update.is_some_and(|next| at <= next) {
            current += 1;
        } else {
            let end = says.next_update.map_or_else(|| "no end".to_owned(), |end| end.to_string());
            stale.push(format!("from {} to {end}", says.this_update));
        }
    }
    if current > 0 {
        return pass(name, "", "", "a current revocation list by the ARK names none of the chain");
    }
    match (stale.is_empty(), subject.policy.require_revocation_list) {
        (true, true) => fail(name, "", "", "the policy has no revocation list by this ARK"),
        (true, false) => skip(name, "the policy has no revocation list by this ARK"),
        (false, required) => {
            let outcome = if required { Outcome::Failed } else { Outcome::Warned };
            let why = "the revocation list names none of the chain, but is not of this time";
            make(name, outcome, stale.join(", "), format!("current at {at}"), why)
        }
    }
}

fn signing_key(subject: &Subject<'_>, report: &Report, chain: &Chain) -> Check {
    let name = "signing key";
    let kind = chain.leaf().kind;
    let wanted = subject.policy.signing_keys.join(", ");
    let found = report.key_flags.signing_key();
    if found == SigningKey::None {
        return fail(name, found.name(), wanted, "the report says that nothing signed it");
    }
    if found != kind.signing_key() {
        let why = "the report names another kind of key than the leaf is of";
        return fail(name, found.name(), kind.name(), why);
    }
    if report.key_flags.mask_chip_key() && found == SigningKey::Vcek {
        let why = "the report says that the chip's key is kept from signing, and names it";
        return fail(name, found.name(), wanted, why);
    }
    let accepted = subject.policy.signing_keys.iter().any(|key| key == found.name());
    let reasons = match kind {
        LeafKind::Vcek => ("signed by a chip's key", "signed by a chip's key, not accepted"),
        LeafKind::Vlek => {
            ("signed by a provider's key", "signed by a provider's key, not accepted")
        }
    };
    hold(name, accepted, found.name(), wanted, reasons)
}

fn signature(report: &Report, chain: &Chain) -> Check {
    let name = "report signature";
    match chain.check_report_signature(report.signed_bytes(), &report.signature.to_fixed()) {
        Ok(()) => pass(name, "", "", "the leaf's key signed the report (ECDSA P-384, SHA-384)"),
        Err(error) => fail(name, "", "", error.to_string()),
    }
}
