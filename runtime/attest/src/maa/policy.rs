//! What a relying party accepts of a token.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{MaaToken, outcome};
use crate::{Allowed, Outcome, Verdict};

const SKEW_S: u64 = 60;

/// What a relying party accepts of a token. In JSON, unknown fields are refused. A claim that is asked
/// for must be there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MaaPolicy {
    /// Issuers that are accepted: `iss`, to the letter. Empty: every token is refused. Keys of theirs
    /// must be given too.
    pub issuers: Vec<String>,
    /// `x-ms-compliance-status`. Default: `azure-compliant-uvm`, the one of container groups.
    pub compliance_status: Vec<String>,
    /// Host data that is accepted: 64 hex digits. Default: none. Of a confidential VM it is zero.
    pub host_data: Allowed,
    /// Launch measurements that are accepted: 96 hex digits. Default: any, for the compliance status
    /// says that Azure vouches for it.
    pub launch_measurements: Allowed,
    /// Default: false. None (null in JSON): either is accepted; so for the next two.
    pub debuggable: Option<bool>,
    /// Default: false.
    pub migration_allowed: Option<bool>,
    /// Default: either.
    pub smt_allowed: Option<bool>,
    /// The privilege level. Default: 0. None: any.
    pub vmpl: Option<u64>,
    /// The lowest security versions.
    pub minimum_svn: SvnMinimum,
    /// Values in the runtime claims (`x-ms-runtime`), by JSON pointer, such as `/keys/0/kid`.
    pub runtime: BTreeMap<String, Value>,
    /// `x-ms-policy-hash`. None: any.
    pub policy_hashes: Option<Vec<String>>,
    /// The `nonce` that the relying party had the guest send. None: not compared.
    pub nonce: Option<String>,
    /// How old a token may be, in seconds since it was issued. None: until it expires.
    pub maximum_age_s: Option<u64>,
    /// How far clocks may differ, in seconds. Default: 60.
    pub clock_skew_s: u64,
}

/// The lowest security versions. One that is left out is not compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SvnMinimum {
    /// The guest's.
    pub guest: Option<u64>,
    /// The boot loader's.
    pub boot_loader: Option<u64>,
    /// The trusted execution environment's.
    pub tee: Option<u64>,
    /// The SNP firmware's.
    pub snp: Option<u64>,
    /// The microcode's.
    pub microcode: Option<u64>,
}

impl Default for MaaPolicy {
    fn default() -> Self {
        Self {
            issuers: Vec::new(),
            compliance_status: vec!["azure-compliant-uvm".to_owned()],
            host_data: Allowed::NONE,
            launch_measurements: Allowed::ANY,
            debuggable: Some(false),
            migration_allowed: Some(false),
            smt_allowed: None,
            vmpl: Some(0),
            minimum_svn: SvnMinimum::default(),
            runtime: BTreeMap::new(),
            policy_hashes: None,
            nonce: None,
            maximum_age_s: None,
            clock_skew_s: SKEW_S,
        }
    }
}

impl MaaPolicy {
    /// Makes every check but that of the signature.
    pub(super) fn check(&self, token: &MaaToken, at: u64, verdict: &mut Verdict) {
        let claims = &token.claims;
        let listed = self.issuers.contains(&claims.issuer);
        let reason = "the policy accepts this issuer";
        let wanted = self.issuers.join(", ");
        verdict.push("accepted issuer", outcome(listed), &claims.issuer, wanted, reason);
        self.check_times(token, at, verdict);
        self.check_guest(token, verdict);
        self.check_versions(token, verdict);
        self.check_runtime(token, verdict);
        let hashes = self.policy_hashes.as_deref();
        let found = claims.policy_hash.as_deref();
        check_listed("policy hash", "the issuer's own policy", found, hashes, verdict);
        let nonce = self.nonce.as_ref().map(core::slice::from_ref);
        let found = claims.nonce.as_deref();
        check_listed("nonce", "the token was asked for now", found, nonce, verdict);
    }

    fn check_times(&self, token: &MaaToken, at: u64, verdict: &mut Verdict) {
        let (claims, skew) = (&token.claims, self.clock_skew_s);
        let wanted = format!("{at}, give or take {skew} s");
        let exp = claims.expires_at_unix_s;
        let holds = at < exp.saturating_add(skew);
        let reason = "the token has not expired";
        verdict.push("expiry", outcome(holds), exp.to_string(), wanted.clone(), reason);
        for (name, time, reason) in [
            ("not before", claims.valid_from_unix_s, "the token is valid already"),
            ("issued at", claims.issued_at_unix_s, "the token was not issued in the future"),
        ] {
            match time {
                None => verdict.push(name, Outcome::Skipped, "", "", "the token does not say"),
                Some(time) => {
                    let holds = time <= at.saturating_add(skew);
                    let found = time.to_string();
                    verdict.push(name, outcome(holds), found, wanted.clone(), reason);
                }
            }
        }
        let Some(most) = self.maximum_age_s else {
            verdict.push("age", Outcome::Skipped, "", "", "the policy sets no age");
            return;
        };
        let age = claims.issued_at_unix_s.map(|issued| at.saturating_sub(issued));
        let holds = age.is_some_and(|age| age <= most.saturating_add(skew));
        let found = age.map_or_else(|| "unknown".to_owned(), |age| format!("{age} s"));
        verdict.push("age", outcome(holds), found, format!("{most} s"), "the token is recent");
    }

    fn check_guest(&self, token: &MaaToken, verdict: &mut Verdict) {
        let snp = &token.claims.snp;
        let status = snp.compliance_status.as_deref();
        let reason = "Azure vouches for what was launched";
        let wanted = Some(self.compliance_status.as_slice());
        check_listed("compliance status", reason, status, wanted, verdict);
        let reason = "the container policy is an accepted one";
        check_allowed("host data", reason, snp.host_data.as_deref(), &self.host_data, verdict);
        let found = snp.launch_measurement.as_deref();
        let reason = "what was launched is accepted";
        check_allowed("launch measurement", reason, found, &self.launch_measurements, verdict);
        for (name, reason, found, wanted) in [
            ("debug", "the host may read memory", snp.is_debuggable, self.debuggable),
            (
                "migration",
                "an agent may move the guest",
                snp.migration_allowed,
                self.migration_allowed,
            ),
            ("smt", "two threads may share a core", snp.smt_allowed, self.smt_allowed),
        ] {
            check_equal(name, reason, found, wanted, verdict);
        }
        check_equal("vmpl", "the privilege level", snp.vmpl, self.vmpl, verdict);
    }

    fn check_versions(&self, token: &MaaToken, verdict: &mut Verdict) {
        let (snp, least) = (&token.claims.snp, &self.minimum_svn);
        for (name, found, least) in [
            ("guest svn", snp.guest_svn, least.guest),
            ("boot loader svn", snp.boot_loader_svn, least.boot_loader),
            ("tee svn", snp.tee_svn, least.tee),
            ("snp svn", snp.snp_svn, least.snp),
            ("microcode svn", snp.microcode_svn, least.microcode),
        ] {
            let Some(least) = least else {
                verdict.push(name, Outcome::Skipped, "", "", "the policy sets no minimum");
                continue;
            };
            let holds = found.is_some_and(|found| found >= least);
            let wanted = format!("{least} or more");
            verdict.push(name, outcome(holds), shown(found), wanted, "the version is not too low");
        }
    }

    fn check_runtime(&self, token: &MaaToken, verdict: &mut Verdict) {
        if self.runtime.is_empty() {
            let reason = "the policy names no runtime claims";
            verdict.push("runtime claims", Outcome::Skipped, "", "", reason);
        }
        for (pointer, wanted) in &self.runtime {
            let found = token.claims.runtime.as_ref().and_then(|runtime| runtime.pointer(pointer));
            let wanted_text = format!("{pointer} = {wanted}");
            verdict.push(
                "runtime claims",
                outcome(found == Some(wanted)),
                shown(found),
                wanted_text,
                "the runtime data that the report is bound to has this value",
            );
        }
    }
}

fn shown(found: Option<impl ToString>) -> String {
    found.map_or_else(|| "absent".to_owned(), |found| found.to_string())
}

fn check_equal<T: PartialEq + ToString>(
    name: &'static str,
    reason: &str,
    found: Option<T>,
    wanted: Option<T>,
    verdict: &mut Verdict,
) {
    match wanted {
        None => verdict.push(name, Outcome::Skipped, shown(found), "any", reason),
        Some(wanted) => {
            let holds = found.as_ref() == Some(&wanted);
            verdict.push(name, outcome(holds), shown(found), wanted.to_string(), reason);
        }
    }
}

/// Text that must be one of a list, to the letter; no list: any.
fn check_listed(
    name: &'static str,
    reason: &str,
    found: Option<&str>,
    wanted: Option<&[String]>,
    verdict: &mut Verdict,
) {
    let Some(wanted) = wanted else {
        verdict.push(name, Outcome::Skipped, shown(found), "any", reason);
        return;
    };
    let holds = found.is_some_and(|found| wanted.iter().any(|wanted| wanted == found));
    verdict.push(name, outcome(holds), shown(found), wanted.join(", "), reason);
}

/// Hex that must be one of a list, in either case.
fn check_allowed(
    name: &'static str,
    reason: &str,
    found: Option<&str>,
    wanted: &Allowed,
    verdict: &mut Verdict,
) {
    match wanted {
        Allowed::Any(_) => verdict.push(name, Outcome::Skipped, shown(found), "any", reason),
        Allowed::OneOf(list) => {
            let is = |found: &str| list.iter().any(|wanted| wanted.eq_ignore_ascii_case(found));
            let wanted = if list.is_empty() { "nothing".to_owned() } else { list.join(", ") };
            verdict.push(name, outcome(found.is_some_and(is)), shown(found), wanted, reason);
        }
    }
}
