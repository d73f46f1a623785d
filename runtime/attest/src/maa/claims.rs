//! What a token says.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::AttestError;

const WHAT: &str = "claims of a token";
const TYPE: &str = "x-ms-attestation-type";
const TYPE_SNP: &str = "sevsnpvm";
const ISOLATION: &str = "x-ms-isolation-tee";

/// Where the claims of the guest stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MaaForm {
    /// At the top: of a container group. Their measurement is of the utility VM, and host data is the
    /// container policy.
    Container,
    /// Under `x-ms-isolation-tee`: of a confidential VM. Their measurement is of the paravisor, and
    /// host data is zero; what the guest runs is in other claims.
    VirtualMachine,
}

/// The claims that attest an SEV-SNP guest. A claim that a token leaves out is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SnpClaims {
    /// Whether Azure vouches for what was launched: `azure-compliant-uvm`, `azure-compliant-cvm`.
    #[serde(rename = "x-ms-compliance-status")]
    pub compliance_status: Option<String>,
    /// Hex.
    #[serde(rename = "x-ms-sevsnpvm-hostdata")]
    pub host_data: Option<String>,
    /// Hex.
    #[serde(rename = "x-ms-sevsnpvm-launchmeasurement")]
    pub launch_measurement: Option<String>,
    /// Hex; SHA-256 of the runtime data and zeros.
    #[serde(rename = "x-ms-sevsnpvm-reportdata")]
    pub report_data: Option<String>,
    /// Hex.
    #[serde(rename = "x-ms-sevsnpvm-reportid")]
    pub report_id: Option<String>,
    /// The host may read the guest's memory.
    #[serde(rename = "x-ms-sevsnpvm-is-debuggable")]
    pub is_debuggable: Option<bool>,
    /// A migration agent may move the guest.
    #[serde(rename = "x-ms-sevsnpvm-migration-allowed")]
    pub migration_allowed: Option<bool>,
    /// Two threads may share a core.
    #[serde(rename = "x-ms-sevsnpvm-smt-allowed")]
    pub smt_allowed: Option<bool>,
    /// The privilege level.
    #[serde(rename = "x-ms-sevsnpvm-vmpl")]
    pub vmpl: Option<u64>,
    /// The guest's security version.
    #[serde(rename = "x-ms-sevsnpvm-guestsvn")]
    pub guest_svn: Option<u64>,
    /// The boot loader's.
    #[serde(rename = "x-ms-sevsnpvm-bootloader-svn")]
    pub boot_loader_svn: Option<u64>,
    /// The trusted execution environment's.
    #[serde(rename = "x-ms-sevsnpvm-tee-svn")]
    pub tee_svn: Option<u64>,
    /// The SNP firmware's.
    #[serde(rename = "x-ms-sevsnpvm-snpfw-svn")]
    pub snp_svn: Option<u64>,
    /// The microcode's.
    #[serde(rename = "x-ms-sevsnpvm-microcode-svn")]
    pub microcode_svn: Option<u64>,
    /// Hex.
    #[serde(rename = "x-ms-sevsnpvm-familyId")]
    pub family_id: Option<String>,
    /// Hex.
    #[serde(rename = "x-ms-sevsnpvm-imageId")]
    pub image_id: Option<String>,
    /// Hex.
    #[serde(rename = "x-ms-sevsnpvm-idkeydigest")]
    pub id_key_digest: Option<String>,
    /// Hex.
    #[serde(rename = "x-ms-sevsnpvm-authorkeydigest")]
    pub author_key_digest: Option<String>,
    /// What was found in the UVM endorsement, as it came.
    #[serde(rename = "x-ms-sevsnpvm-uvm-endorsement")]
    pub uvm_endorsement: Option<Value>,
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MaaClaims {
    /// `iss`.
    pub issuer: String,
    /// `exp`, in seconds since 1970.
    pub expires_at_unix_s: u64,
    /// `nbf`, in seconds since 1970.
    pub valid_from_unix_s: Option<u64>,
    /// `iat`, in seconds since 1970.
    pub issued_at_unix_s: Option<u64>,
    /// `jti`.
    pub token_id: Option<String>,
    /// `nonce`, as the guest sent it to the issuer.
    pub nonce: Option<String>,
    /// `x-ms-policy-hash`: the issuer's own policy.
    pub policy_hash: Option<String>,
    /// `x-ms-ver`.
    pub version: Option<String>,
    /// Where the guest's claims stand.
    pub form: MaaForm,
    /// The guest's claims.
    pub snp: SnpClaims,
    /// `x-ms-runtime` beside them: the runtime data that the report is bound to, such as a JWK set.
    pub runtime: Option<Value>,
    /// All claims as they came.
    #[serde(skip)]
    pub all: Map<String, Value>,
}

#[derive(Deserialize)]
struct Registered {
    iss: String,
    exp: u64,
    nbf: Option<u64>,
    iat: Option<u64>,
    jti: Option<String>,
    nonce: Option<String>,
    #[serde(rename = "x-ms-policy-hash")]
    policy_hash: Option<String>,
    #[serde(rename = "x-ms-ver")]
    version: Option<String>,
}

impl MaaClaims {
    pub(super) fn from_json(json: &[u8]) -> Result<Self, AttestError> {
        let malformed = |error: serde_json::Error| AttestError::malformed(WHAT, error.to_string());
        let all: Map<String, Value> = serde_json::from_slice(json).map_err(malformed)?;
        let registered: Registered = serde_json::from_slice(json).map_err(malformed)?;
        let nested = all.get(ISOLATION).and_then(Value::as_object);
        let attests = |claims: &Map<_, _>| claims.get(TYPE).is_some_and(|kind| kind == TYPE_SNP);
        let (form, claims) = match (attests(&all), nested.filter(|nested| attests(nested))) {
            (true, None) => (MaaForm::Container, &all),
            (false, Some(nested)) => (MaaForm::VirtualMachine, nested),
            (true, Some(_)) => {
                return Err(AttestError::malformed(WHAT, "they attest two guests"));
            }
            (false, None) => {
                let found = all.get(TYPE).map_or_else(|| "none".to_owned(), Value::to_string);
                return Err(AttestError::Unknown { what: "attestation type of a token", found });
            }
        };
        let snp = SnpClaims::deserialize(claims).map_err(malformed)?;
        let runtime = claims.get("x-ms-runtime").cloned();
        Ok(Self {
            issuer: registered.iss,
            expires_at_unix_s: registered.exp,
            valid_from_unix_s: registered.nbf,
            issued_at_unix_s: registered.iat,
            token_id: registered.jti,
            nonce: registered.nonce,
            policy_hash: registered.policy_hash,
            version: registered.version,
            form,
            snp,
            runtime,
            all,
        })
    }
}
