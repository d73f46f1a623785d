//! Reading a policy, and holding it to its form: a policy that names what cannot be is refused
//! before it is used, rather than refusing everything in silence, or nothing.

use core::fmt;

use super::{Allowed, ComponentMinimum, Policy, TextAction};
use crate::AttestError;
use crate::chain::RevocationList;
use crate::limits::{POLICY_ENTRIES_MAX, POLICY_JSON_BYTES_MAX};
use crate::tcb::{Product, TcbVersion};
use crate::text::RULES;

const WHAT: &str = "policy";
/// The highest privilege level number.
const VMPL_MAX: u32 = 3;

fn refused(why: impl Into<String>) -> AttestError {
    AttestError::malformed(WHAT, why)
}

impl Policy {
    /// Reads a policy in JSON and checks it.
    ///
    /// # Errors
    /// It is too large, is no JSON, has an unknown field, or as [`Policy::check`].
    pub fn from_json(json: &[u8]) -> Result<Self, AttestError> {
        AttestError::bound("bytes of a policy", json.len(), POLICY_JSON_BYTES_MAX)?;
        // A list would be read as the fields in their order.
        if json.trim_ascii_start().first() != Some(&b'{') {
            return Err(refused("it is no JSON object"));
        }
        let policy: Self =
            serde_json::from_slice(json).map_err(|error| refused(error.to_string()))?;
        policy.check()?;
        Ok(policy)
    }

    /// Checks that every value of the policy is of its form.
    ///
    /// # Errors
    /// The first field that is not, and why.
    pub fn check(&self) -> Result<(), AttestError> {
        count("products", self.products.len())?;
        for name in &self.products {
            name.parse::<Product>().map_err(|error| refused(format!("products: {error}")))?;
        }
        count("signing_keys", self.signing_keys.len())?;
        if let Some(key) = self.signing_keys.iter().find(|key| !is_signing_key(key)) {
            return Err(refused(format!("signing_keys: {key:?} is neither VCEK nor VLEK")));
        }
        self.check_minimums()?;
        digits("measurements", &self.measurements, 96)?;
        digits("host_data", &self.host_data, 64)?;
        digits("chip_ids", &self.chip_ids, 128)?;
        digits("id_key_digests", &self.id_key_digests, 96)?;
        digits("author_key_digests", &self.author_key_digests, 96)?;
        count("uvm_endorsements", self.uvm_endorsements.len())?;
        if let Some(rule) = self.uvm_endorsements.iter().find(|rule| !rule.did.starts_with(DID)) {
            let did = &rule.did;
            return Err(refused(format!("uvm_endorsements: the did {did:?} is no {DID}...")));
        }
        count("policy_text.findings", self.policy_text.findings.len())?;
        let known = |name: &String| RULES.iter().any(|rule| rule.name == name);
        if let Some(name) = self.policy_text.findings.keys().find(|name| !known(name)) {
            let rules = RULES.iter().map(|rule| rule.name).collect::<Vec<_>>().join(", ");
            let why = format!("policy_text.findings: {name:?} is no rule; the rules are {rules}");
            return Err(refused(why));
        }
        if let Some(vmpl) = self.vmpl.filter(|vmpl| *vmpl > VMPL_MAX) {
            return Err(refused(format!("vmpl: {vmpl} is not 0 to {VMPL_MAX}")));
        }
        if let Some(text) = &self.guest_policy.minimum_abi {
            abi_version(text)?;
        }
        count("revocation_lists", self.revocation_lists.len())?;
        for text in &self.revocation_lists {
            RevocationList::parse(text)
                .map_err(|error| refused(format!("revocation_lists: {error}")))?;
        }
        self.insecure_virtual.as_ref().map_or(Ok(()), |rule| {
            for (field, allowed) in [
                ("virtual.measurements", &rule.measurements),
                ("virtual.host_data", &rule.host_data),
            ] {
                count(field, allowed.list().len())?;
            }
            Ok(())
        })
    }

    fn check_minimums(&self) -> Result<(), AttestError> {
        count("minimum_tcb", self.minimum_tcb.len())?;
        for (key, minimum) in &self.minimum_tcb {
            let product = key.parse::<Product>().ok();
            let is_cpuid = key.len() == 8 && is_hex(key);
            if product.is_none() && !is_cpuid {
                let why = "is neither Milan, Genoa or Turin nor the 8 hex digits of a CPUID";
                return Err(refused(format!("minimum_tcb: {key:?} {why}")));
            }
            if minimum.fmc.is_some() && matches!(product, Some(Product::Milan | Product::Genoa)) {
                return Err(refused(format!("minimum_tcb: {key} has no component fmc")));
            }
        }
        if self.minimum_launch_tcb && self.minimum_tcb.is_empty() {
            return Err(refused("minimum_launch_tcb: minimum_tcb is empty"));
        }
        Ok(())
    }

    /// What a finding in a container policy's text leads to.
    #[must_use]
    pub fn text_action(&self, rule: &str) -> TextAction {
        self.policy_text.findings.get(rule).copied().unwrap_or(TextAction::Refuse)
    }
}

/// How every `did:x509` starts.
const DID: &str = "did:x509:";

fn is_signing_key(key: &str) -> bool {
    matches!(key, "VCEK" | "VLEK")
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn count(field: &str, found: usize) -> Result<(), AttestError> {
    if found <= POLICY_ENTRIES_MAX {
        return Ok(());
    }
    Err(refused(format!("{field}: {found} entries, over the limit of {POLICY_ENTRIES_MAX}")))
}

fn digits(field: &str, allowed: &Allowed, wanted: usize) -> Result<(), AttestError> {
    let list = allowed.list();
    count(field, list.len())?;
    match list.iter().position(|text| text.len() != wanted || !is_hex(text)) {
        None => Ok(()),
        Some(index) => Err(refused(format!("{field}: entry {index} is not {wanted} hex digits"))),
    }
}

/// `major.minor`.
pub(crate) fn abi_version(text: &str) -> Result<(u8, u8), AttestError> {
    let parse = |part: &str| part.parse::<u8>().ok().filter(|_| !part.starts_with('+'));
    text.split_once('.').and_then(|(major, minor)| Some((parse(major)?, parse(minor)?))).ok_or_else(
        || {
            let why = "is not major.minor, each 0 to 255";
            refused(format!("guest_policy.minimum_abi: {text:?} {why}"))
        },
    )
}

impl Allowed {
    /// Whether a value, in hex, is accepted; in either case.
    #[must_use]
    pub fn contains(&self, hex: &str) -> bool {
        match self {
            Self::Any(_) => true,
            Self::OneOf(list) => list.iter().any(|text| text.eq_ignore_ascii_case(hex)),
        }
    }

    /// The list; empty where everything is accepted.
    #[must_use]
    pub fn list(&self) -> &[String] {
        match self {
            Self::Any(_) => &[],
            Self::OneOf(list) => list,
        }
    }
}

impl ComponentMinimum {
    fn components(&self) -> impl Iterator<Item = (&'static str, u8)> + use<> {
        let named = [
            ("fmc", self.fmc),
            ("boot_loader", self.boot_loader),
            ("tee", self.tee),
            ("snp", self.snp),
            ("microcode", self.microcode),
        ];
        named.into_iter().filter_map(|(name, minimum)| minimum.map(|minimum| (name, minimum)))
    }

    /// The components of `found` that are below this minimum, or that it has not.
    #[must_use]
    pub fn not_met_by(&self, found: &TcbVersion) -> Vec<&'static str> {
        let version = |name| found.components().find(|(found, _)| *found == name);
        self.components()
            .filter(|(name, minimum)| version(*name).is_none_or(|(_, found)| found < *minimum))
            .map(|(name, _)| name)
            .collect()
    }
}

impl fmt::Display for ComponentMinimum {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, minimum)) in self.components().enumerate() {
            let space = if index == 0 { "" } else { " " };
            write!(out, "{space}{name} {minimum}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(json: &str) -> String {
        Policy::from_json(json.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn a_policy_says_what_is_wrong_with_it() {
        for (json, wanted) in [
            (r#"{"measurement": []}"#, "unknown field `measurement`"),
            (r#"{"guest_policy": {"debugg": true}}"#, "unknown field `debugg`"),
            (r#"{"measurements": ["00"]}"#, "measurements: entry 0 is not 96 hex digits"),
            (r#"{"host_data": "all"}"#, "neither \"any\" nor a list of texts at line 1 column"),
            (r#"{"products": ["Rome"]}"#, "products: unknown product"),
            (r#"{"signing_keys": ["ARK"]}"#, "neither VCEK nor VLEK"),
            (r#"{"minimum_tcb": {"rome": {}}}"#, "8 hex digits of a CPUID"),
            (r#"{"minimum_tcb": {"Milan": {"fmc": 1}}}"#, "Milan has no component fmc"),
            (r#"{"minimum_tcb": {"Milan": {"snp": 256}}}"#, "256"),
            (r#"{"minimum_launch_tcb": true}"#, "minimum_tcb is empty"),
            (r#"{"vmpl": 4}"#, "vmpl: 4 is not 0 to 3"),
            (r#"{"guest_policy": {"minimum_abi": "1"}}"#, "is not major.minor"),
            (r#"{"guest_policy": {"minimum_abi": "1.+1"}}"#, "is not major.minor"),
            (r#"{"revocation_lists": ["AAAA"]}"#, "revocation_lists: revocation list"),
            (
                r#"{"uvm_endorsements": [{"did": "did:web:x", "feed": "f", "minimum_svn": 1}]}"#,
                "is no did:x509:",
            ),
            (r#"{"policy_text": {"findings": {"exek": "warn"}}}"#, "\"exek\" is no rule"),
            (r#"{} {}"#, "trailing characters"),
            ("[]", "policy cannot be read"),
        ] {
            let found = refusal(json);
            assert!(found.contains(wanted), "{json}: {found}");
        }
    }

    #[test]
    fn a_policy_survives_its_json() {
        let policy = Policy {
            measurements: Allowed::OneOf(vec!["AB".repeat(48)]),
            host_data: Allowed::ANY,
            vmpl: None,
            ..Policy::default()
        };
        let json = serde_json::to_vec(&policy).unwrap();
        assert_eq!(Policy::from_json(&json).unwrap(), policy);
        assert_eq!(Policy::from_json(b"{}").unwrap(), Policy::default());
        assert!(policy.measurements.contains(&"ab".repeat(48)));
    }

    #[test]
    fn a_minimum_that_a_product_cannot_meet_is_not_met() {
        let minimum = ComponentMinimum { fmc: Some(0), snp: Some(4), ..Default::default() };
        let found = TcbVersion { snp: 3, ..TcbVersion::default() };
        assert_eq!(minimum.not_met_by(&found), ["fmc", "snp"]);
        assert_eq!(minimum.not_met_by(&TcbVersion { fmc: Some(0), snp: 4, ..found }), [""; 0]);
        assert_eq!(minimum.to_string(), "fmc 0 snp 4");
    }
}
