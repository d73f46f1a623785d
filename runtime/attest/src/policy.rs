//! What a relying party accepts. Whatever a policy does not mention is denied or held to the strict
//! default that its field documents.

mod check;

pub(crate) use check::abi_version;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a relying party accepts. In JSON, unknown fields are refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// `Milan`, `Genoa` (Bergamo and Siena too), `Turin`. Default: all three.
    pub products: Vec<String>,
    /// `VCEK`, `VLEK`. Default: VCEK alone, as CCF.
    pub signing_keys: Vec<String>,
    /// The lowest reported TCB, by CPUID (EAX of function 1, 8 hex digits) or by product's name;
    /// the former goes before. A processor that is not named fails where this is not empty.
    pub minimum_tcb: BTreeMap<String, ComponentMinimum>,
    /// The minimum holds for the TCB at launch too. Default: no.
    pub minimum_launch_tcb: bool,
    /// Measurements that are accepted: 96 hex digits. One of this list or a UVM endorsement of the
    /// next must hold; where both lists are empty, every guest is refused.
    pub measurements: Allowed,
    /// Who may vouch for a measurement.
    pub uvm_endorsements: Vec<UvmRule>,
    /// Host data that is accepted: 64 hex digits. Empty: every guest is refused.
    pub host_data: Allowed,
    /// What a container policy's text must keep to.
    pub policy_text: PolicyTextRule,
    /// The guest's own policy.
    pub guest_policy: GuestPolicyRule,
    /// The platform under it.
    pub platform: PlatformRule,
    /// The privilege level, exactly. Default: 0. `null`: any of a guest's, 0 to 3.
    pub vmpl: Option<u32>,
    /// Mitigations that the firmware must have verified, at launch and now: one bit each. Default:
    /// none. Reports before version 5 show none.
    pub mitigations: u64,
    /// Chip ids that are accepted, 128 hex digits. Default: any.
    pub chip_ids: Allowed,
    /// A report without chip id is accepted. Default: no.
    pub masked_chip_id: bool,
    /// Digests of id keys that are accepted: 96 hex digits. Default: any.
    pub id_key_digests: Allowed,
    /// Digests of author keys that are accepted: 96 hex digits. Default: any.
    pub author_key_digests: Allowed,
    /// Current firmware may be newer than the committed one. Default: no.
    pub provisional_firmware: bool,
    /// Certificates of the chain may have expired; they must still verify. Default: no. Pass the
    /// time of the evidence to `verify` instead, where it is known.
    pub expired_certificates: bool,
    /// Certificate revocation lists by the ARKs, PEM or base64 of DER.
    pub revocation_lists: Vec<String>,
    /// A revocation list for the product must be there, and be current. Default: no.
    pub require_revocation_list: bool,
    /// How old the evidence may be, in seconds, counted from when it is proved to have been made.
    /// Default: any age.
    pub maximum_age_s: Option<u64>,
    /// Evidence without bound bytes is accepted. Default: no.
    pub unbound: bool,
    /// Virtual evidence that is accepted. Default: none. It proves nothing.
    #[serde(rename = "virtual")]
    pub insecure_virtual: Option<VirtualRule>,
}

/// A list of values, or anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "neither \"any\" nor a list of texts")]
pub enum Allowed {
    /// In JSON the text `"any"`.
    Any(AnyValue),
    /// One of these, hex in either case.
    OneOf(Vec<String>),
}

/// The text `"any"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AnyValue {
    /// Every value.
    Any,
}

impl Allowed {
    /// Every value.
    pub const ANY: Self = Self::Any(AnyValue::Any);
    /// No value.
    pub const NONE: Self = Self::OneOf(Vec::new());
}

/// The lowest version of each component. A component that is left out is not compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ComponentMinimum {
    /// Firmware management controller; Turin only.
    pub fmc: Option<u8>,
    /// Boot loader.
    pub boot_loader: Option<u8>,
    /// Trusted execution environment.
    pub tee: Option<u8>,
    /// SNP firmware.
    pub snp: Option<u8>,
    /// Microcode.
    pub microcode: Option<u8>,
}

/// Who may vouch for a measurement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UvmRule {
    /// The issuer: a `did:x509`.
    pub did: String,
    /// The line of images.
    pub feed: String,
    /// The lowest security version number.
    pub minimum_svn: u64,
}

/// What a container policy's text must keep to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyTextRule {
    /// The text must be there. Default: no; where it is, its digest must be the host data.
    pub required: bool,
    /// What each finding leads to, by rule name; the default for rules that are not named is
    /// refusal.
    pub findings: BTreeMap<String, TextAction>,
}

/// What a finding in a container policy's text leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TextAction {
    /// The evidence is refused.
    Refuse,
    /// The verdict says so.
    Warn,
    /// Nothing.
    Ignore,
}

/// The guest's own policy. `None`: either is accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GuestPolicyRule {
    /// The host may read the guest's memory. Default: false, and there is hardly a reason to change
    /// it.
    pub debug: Option<bool>,
    /// A migration agent may move the guest. Default: false.
    pub migration_agent: Option<bool>,
    /// Two threads may share a core. Default: either.
    pub smt: Option<bool>,
    /// The guest is bound to one socket. Default: either.
    pub single_socket: Option<bool>,
    /// The lowest version of the firmware's interface that the guest demands: `major.minor`.
    pub minimum_abi: Option<String>,
}

/// The platform under the guest. `None` (default): either is accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PlatformRule {
    /// Two threads of a core are on.
    pub smt: Option<bool>,
    /// All memory is encrypted transparently.
    pub tsme: Option<bool>,
    /// Memory has error correction.
    pub ecc: Option<bool>,
    /// Measuring the power that is used is off.
    pub rapl_disabled: Option<bool>,
    /// Ciphertext is hidden from the host.
    pub ciphertext_hiding: Option<bool>,
    /// Aliases of memory were looked for after the last reset (BadRAM).
    pub alias_check_complete: Option<bool>,
}

/// Virtual evidence that is accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VirtualRule {
    /// The texts that stand in for measurements.
    pub measurements: Allowed,
    /// Hex SHA-256 of executables.
    pub host_data: Allowed,
}

impl Policy {
    /// Asks only whether the evidence is genuine: a report that AMD's hardware signed with a chip's
    /// key, of a guest that its host can neither read (debug) nor move (migration agent). Any
    /// measurement, host data, privilege level of a guest, provisional firmware and report data:
    /// **the caller must check who the guest is.**
    #[must_use]
    pub fn genuine_only() -> Self {
        Self {
            measurements: Allowed::ANY,
            host_data: Allowed::ANY,
            vmpl: None,
            provisional_firmware: true,
            unbound: true,
            ..Self::default()
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        let all = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            products: all(&["Milan", "Genoa", "Turin"]),
            signing_keys: all(&["VCEK"]),
            minimum_tcb: BTreeMap::new(),
            minimum_launch_tcb: false,
            measurements: Allowed::NONE,
            uvm_endorsements: Vec::new(),
            host_data: Allowed::NONE,
            policy_text: PolicyTextRule::default(),
            guest_policy: GuestPolicyRule::default(),
            platform: PlatformRule::default(),
            vmpl: Some(0),
            mitigations: 0,
            chip_ids: Allowed::ANY,
            masked_chip_id: false,
            id_key_digests: Allowed::ANY,
            author_key_digests: Allowed::ANY,
            provisional_firmware: false,
            expired_certificates: false,
            revocation_lists: Vec::new(),
            require_revocation_list: false,
            maximum_age_s: None,
            unbound: false,
            insecure_virtual: None,
        }
    }
}

impl Default for GuestPolicyRule {
    fn default() -> Self {
        Self {
            debug: Some(false),
            migration_agent: Some(false),
            smt: None,
            single_socket: None,
            minimum_abi: None,
        }
    }
}
