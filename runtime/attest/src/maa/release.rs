//! Release policies of Azure's key vaults: under which claims, by which issuer, a key may go out.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{MaaClaims, outcome};
use crate::limits::{POLICY_ENTRIES_MAX, RELEASE_POLICY_BYTES_MAX};
use crate::{AttestError, Outcome, Verdict};

const WHAT: &str = "release policy";
const VERSION: &str = "1.0.0";
/// Without these a policy lets out a key to guests that anyone can look into.
const VITAL: [&str; 2] = ["x-ms-compliance-status", "x-ms-sevsnpvm-is-debuggable"];

/// A release policy: one of its rules must hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleasePolicy {
    /// `1.0.0`.
    pub version: String,
    /// The rules.
    #[serde(rename = "anyOf")]
    pub any_of: Vec<AuthorityRule>,
}

/// What an issuer must say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorityRule {
    /// The issuer; a slash at its end is passed over.
    pub authority: String,
    /// All of these must hold.
    #[serde(rename = "allOf")]
    pub all_of: Vec<Condition>,
}

/// One condition on claims.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Condition {
    /// A claim has a value.
    Claim(ClaimEquals),
    /// All hold.
    AllOf(AllOf),
    /// One holds.
    AnyOf(AnyOf),
}

/// A claim has a value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimEquals {
    /// Its name; points lead into nested claims.
    pub claim: String,
    /// Its value, of the same type.
    pub equals: Value,
}

/// All hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllOf {
    /// The conditions.
    #[serde(rename = "allOf")]
    pub all_of: Vec<Condition>,
}

/// One holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnyOf {
    /// The conditions.
    #[serde(rename = "anyOf")]
    pub any_of: Vec<Condition>,
}

impl ReleasePolicy {
    /// Reads a policy from JSON.
    ///
    /// # Errors
    /// It is no such JSON, too large, or of another version.
    pub fn from_json(json: &[u8]) -> Result<Self, AttestError> {
        AttestError::bound("size of a release policy", json.len(), RELEASE_POLICY_BYTES_MAX)?;
        let policy: Self = serde_json::from_slice(json)
            .map_err(|error| AttestError::malformed(WHAT, error.to_string()))?;
        if policy.version != VERSION {
            let found = policy.version;
            return Err(AttestError::Unknown { what: "version of a release policy", found });
        }
        AttestError::bound("rules of a release policy", policy.any_of.len(), POLICY_ENTRIES_MAX)?;
        Ok(policy)
    }

    /// Evaluates the policy over claims that [`super::verify`] gave. The checks are those of the first
    /// rule that holds; if none does, those of every rule of the issuer.
    pub fn evaluate(&self, claims: &MaaClaims) -> Verdict {
        let issuer = claims.issuer.trim_end_matches('/');
        let mut failed = Verdict::default();
        for rule in &self.any_of {
            let mut verdict = Verdict::default();
            let found = &claims.issuer;
            let is_authority = rule.authority.trim_end_matches('/') == issuer;
            let reason = "the rule is for tokens of this issuer";
            verdict.push("authority", outcome(is_authority), found, &rule.authority, reason);
            let mut named = Vec::new();
            if rule.all_of.is_empty() {
                verdict.push("claim", Outcome::Failed, "", "", "the rule has no conditions");
            }
            for condition in rule.all_of.iter().filter(|_| is_authority) {
                condition.check(claims, &mut named, &mut verdict);
            }
            if is_authority && verdict.is_trusted() {
                warn_of_gaps(&named, &mut verdict);
                return verdict;
            }
            failed.checks.append(&mut verdict.checks);
        }
        if failed.checks.is_empty() {
            failed.push("authority", Outcome::Failed, &claims.issuer, "", "it has no rules");
        }
        failed
    }
}

/// Says which claims that a key should hang on do not matter to the rule.
fn warn_of_gaps(named: &[&str], verdict: &mut Verdict) {
    for vital in VITAL {
        if !named.iter().any(|name| name.rsplit('.').next() == Some(vital)) {
            let reason = format!("the rule does not ask for {vital}: any value of it would do");
            verdict.push("coverage", Outcome::Warned, "", vital, reason);
        }
    }
}

impl Condition {
    fn check<'a>(&'a self, claims: &MaaClaims, named: &mut Vec<&'a str>, verdict: &mut Verdict) {
        match self {
            Self::Claim(ClaimEquals { claim, equals }) => {
                let found = find(claims, claim);
                let holds = found == Some(equals);
                let found = found.map_or_else(|| "absent".to_owned(), Value::to_string);
                let reason = format!("the claim {claim} has this value");
                verdict.push("claim", outcome(holds), found, equals.to_string(), reason);
                named.push(claim);
            }
            Self::AllOf(AllOf { all_of }) => {
                if all_of.is_empty() {
                    verdict.push("claim", Outcome::Failed, "", "", "all of no conditions");
                }
                for condition in all_of {
                    condition.check(claims, named, verdict);
                }
            }
            Self::AnyOf(AnyOf { any_of }) => {
                let mut failed = Verdict::default();
                for condition in any_of {
                    let (mut branch, mut names) = (Verdict::default(), Vec::new());
                    condition.check(claims, &mut names, &mut branch);
                    if branch.is_trusted() {
                        verdict.checks.append(&mut branch.checks);
                        named.append(&mut names);
                        return;
                    }
                    failed.checks.append(&mut branch.checks);
                }
                if failed.checks.is_empty() {
                    failed.push("claim", Outcome::Failed, "", "", "one of no conditions");
                }
                verdict.checks.append(&mut failed.checks);
            }
        }
    }
}

/// A claim by its name, or by names with points between them that lead into objects.
fn find<'a>(claims: &'a MaaClaims, name: &str) -> Option<&'a Value> {
    if let Some(found) = claims.all.get(name) {
        return Some(found);
    }
    let mut path = name.split('.');
    let first = claims.all.get(path.next()?)?;
    path.try_fold(first, |value, name| value.get(name))
}
