//! Tokens of Microsoft Azure Attestation (MAA): somebody else's verdict on evidence, as a signed JWT.
//!
//! Trust comes from the caller alone: [`MaaIssuer`] pins an issuer's URL to the keys that the caller
//! got for it. Where a token says its keys are to be found (`jku`) is compared and reported, and never
//! followed; keys in a token are not looked at. RS256 is the one algorithm.
//!
//! [`verify`] makes every check of a [`MaaPolicy`]; [`ReleasePolicy`] evaluates a key vault's release
//! policy over the claims that came out of it.

mod claims;
mod keys;
mod policy;
mod release;
mod token;

pub use claims::{MaaClaims, MaaForm, SnpClaims};
pub use keys::MaaIssuer;
pub use policy::{MaaPolicy, SvnMinimum};
pub use release::{AllOf, AnyOf, AuthorityRule, ClaimEquals, Condition, ReleasePolicy};
pub use token::{MaaHeader, MaaToken};

use serde::Serialize;

use crate::signature::{Hash, Scheme};
use crate::{Outcome, Verdict};

/// What verifying a token gives.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MaaVerification {
    /// Every check.
    pub verdict: Verdict,
    /// What the token says; none unless the verdict is that it can be trusted.
    pub claims: Option<MaaClaims>,
}

/// Verifies a token: form, signature by a key of the pinned issuer, times against `at_unix_s`, and its
/// claims against `policy`. Every check is in the verdict, whichever fails first.
#[must_use]
pub fn verify(
    token: &str,
    issuers: &[MaaIssuer],
    policy: &MaaPolicy,
    at_unix_s: u64,
) -> MaaVerification {
    let mut verdict = Verdict::default();
    let token = match MaaToken::parse(token) {
        Ok(token) => token,
        Err(error) => {
            verdict.push("token", Outcome::Failed, "", "a JWT", error.to_string());
            return MaaVerification { verdict, claims: None };
        }
    };
    verdict.push("token", Outcome::Passed, "", "", "a JWT of claims of SEV-SNP");
    check_signature(&token, issuers, &mut verdict);
    policy.check(&token, at_unix_s, &mut verdict);
    let trusted = verdict.is_trusted();
    MaaVerification { verdict, claims: trusted.then_some(token.claims) }
}

/// The issuer, the algorithm, the key, the signature.
fn check_signature(token: &MaaToken, issuers: &[MaaIssuer], verdict: &mut Verdict) {
    let issuer = token.claims.issuer.as_str();
    let pinned = issuers.iter().find(|pinned| pinned.url() == issuer);
    let wanted = issuers.iter().map(MaaIssuer::url).collect::<Vec<_>>().join(", ");
    let outcome = outcome(pinned.is_some());
    verdict.push("issuer", outcome, issuer, wanted, "the issuer is one whose keys were given");
    check_key_address(token, issuer, verdict);

    let algorithm = token.header.algorithm.as_str();
    let is_rs256 = algorithm == "RS256";
    let reason = "RS256 is the one algorithm that is taken";
    verdict.push("algorithm", self::outcome(is_rs256), algorithm, "RS256", reason);
    let (Some(pinned), true) = (pinned, is_rs256) else {
        let reason = "there is no key of the issuer, or another algorithm";
        verdict.push("signature", Outcome::Failed, "", "", reason);
        return;
    };
    let kid = token.header.key_id.as_deref().unwrap_or_default();
    let mut keys = pinned.keys_of(kid).peekable();
    let known = keys.peek().is_some();
    let wanted = "a key id of the issuer";
    verdict.push("key", self::outcome(known), kid, wanted, "the token names a key of its issuer");
    let signed = keys.any(|key| {
        let scheme = Scheme::Pkcs1(Hash::Sha256);
        key.verify("token", scheme, token.signed(), token.signature()).is_ok()
    });
    verdict.push("signature", self::outcome(signed), "", "", "signed with that key");
}

/// What the token says about where its keys are. It has no bearing on trust.
fn check_key_address(token: &MaaToken, issuer: &str, verdict: &mut Verdict) {
    let wanted = format!("{}/certs", issuer.trim_end_matches('/'));
    let (outcome, found, reason) = match token.header.key_address.as_deref() {
        None => (Outcome::Skipped, "", "the token does not say where its keys are"),
        Some(found) if found == wanted => {
            (Outcome::Passed, found, "the issuer's own address for keys; it is not asked")
        }
        Some(found) => (
            Outcome::Warned,
            found,
            "the token names another address for keys than its issuer's; it is not asked",
        ),
    };
    verdict.push("key address", outcome, found, wanted, reason);
}

const fn outcome(holds: bool) -> Outcome {
    if holds { Outcome::Passed } else { Outcome::Failed }
}
