//! Evidence as CCF's nodes serve and record it: `/node/quotes`, `/node/attestations`, the `quote_info`
//! of `nodes.info`. Two members are ours: `policy_text` and `bound`. Members of others are passed over:
//! whatever they say, nothing is trusted for it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::encoding::{from_base64, to_base64};
use super::{Attestation, Evidence, VirtualEvidence};
use crate::AttestError;
use crate::limits::{
    BOUND_BYTES_MAX, CHAIN_BYTES_MAX, EVIDENCE_JSON_BYTES_MAX, POLICY_TEXT_BYTES_MAX, REPORT_BYTES,
    UVM_ENDORSEMENT_BYTES_MAX,
};

/// The format of a quote of an AMD SEV-SNP guest.
pub const FORMAT_SNP: &str = "AMD_SEV_SNP_v1";
/// The format of a quote of nothing.
pub const FORMAT_VIRTUAL: &str = "Insecure_Virtual";

const WHAT: &str = "node quote";
const VIRTUAL_BYTES_MAX: usize = 64 * 1024;
const LIST_MAX: usize = 256;

/// A quote with the node that it is said to be of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CcfQuote {
    /// The id of the node: hex SHA-256 of its public key's DER.
    pub node_id: Option<String>,
    /// Its evidence.
    pub attestation: Attestation,
}

#[derive(Default, Serialize, Deserialize)]
struct Wire {
    #[serde(skip_serializing_if = "Option::is_none")]
    bound: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    endorsed_tcb: Option<String>,
    #[serde(default)]
    endorsements: String,
    format: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    measurement: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quote: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uvm_endorsements: Option<String>,
}

/// What stands in for a report where there is none.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct VirtualWire {
    host_data: String,
    measurement: String,
    report_data: String,
}

/// The answers of the endpoints that list all nodes.
#[derive(Deserialize)]
struct ListWire {
    #[serde(alias = "attestations")]
    quotes: Vec<Wire>,
}

impl CcfQuote {
    /// Reads one quote: JSON with `format`, `raw` or `quote`, and what goes with it.
    ///
    /// # Errors
    /// It is no such JSON, a member is malformed or too large, or `measurement` is not the one in the
    /// report.
    pub fn from_json(json: &[u8]) -> Result<Self, AttestError> {
        AttestError::bound("size of a node quote", json.len(), EVIDENCE_JSON_BYTES_MAX)?;
        let wire = serde_json::from_slice(json);
        read(wire.map_err(|error| AttestError::malformed(WHAT, error.to_string()))?)
    }

    /// Reads the quotes of all nodes: JSON with the one member `quotes` or `attestations`.
    ///
    /// # Errors
    /// As [`CcfQuote::from_json`].
    pub fn list_from_json(json: &[u8]) -> Result<Vec<Self>, AttestError> {
        AttestError::bound("size of a list of quotes", json.len(), EVIDENCE_JSON_BYTES_MAX)?;
        let list: ListWire = serde_json::from_slice(json)
            .map_err(|error| AttestError::malformed("list of quotes", error.to_string()))?;
        AttestError::bound("number of quotes", list.quotes.len(), LIST_MAX)?;
        list.quotes.into_iter().map(read).collect()
    }

    /// As the endpoints answer it: with `raw`, `measurement`, and `node_id` if there is one.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut wire = write(&self.attestation);
        wire.measurement = self.attestation.measurement_hex();
        wire.node_id.clone_from(&self.node_id);
        to_value(&wire)
    }

    /// As `nodes.info` records it: with `quote`, and neither `measurement` nor `node_id`.
    #[must_use]
    pub fn to_quote_info(&self) -> Value {
        let mut wire = write(&self.attestation);
        wire.quote = wire.raw.take();
        to_value(&wire)
    }
}

fn to_value(wire: &Wire) -> Value {
    serde_json::to_value(wire).unwrap_or_default()
}

/// A member that CCF writes as an empty text where there is nothing.
fn optional(
    what: &'static str,
    text: Option<&String>,
    limit: usize,
) -> Result<Option<Vec<u8>>, AttestError> {
    let text = text.filter(|text| !text.is_empty());
    text.map(|text| from_base64(what, text, limit)).transpose()
}

fn read(wire: Wire) -> Result<CcfQuote, AttestError> {
    let raw = match (&wire.raw, &wire.quote) {
        (Some(raw), None) | (None, Some(raw)) => raw,
        (None, None) => return Err(AttestError::malformed(WHAT, "it has neither raw nor quote")),
        (Some(_), Some(_)) => {
            return Err(AttestError::malformed(WHAT, "it has both raw and quote"));
        }
    };
    // Ours, and empty bytes are bytes: no optional().
    let bound = wire.bound.as_ref();
    let bound = bound.map(|text| from_base64("bound", text, BOUND_BYTES_MAX)).transpose()?;
    let attestation = match wire.format.as_str() {
        FORMAT_SNP => {
            let mut evidence = Evidence::new(
                from_base64("raw", raw, REPORT_BYTES)?,
                from_base64("endorsements", &wire.endorsements, CHAIN_BYTES_MAX)?,
            )?;
            evidence.uvm_endorsement = optional(
                "uvm_endorsements",
                wire.uvm_endorsements.as_ref(),
                UVM_ENDORSEMENT_BYTES_MAX,
            )?;
            let text = wire.policy_text.as_ref();
            evidence.policy_text = text
                .map(|text| from_base64("policy_text", text, POLICY_TEXT_BYTES_MAX))
                .transpose()?;
            evidence.bound = bound;
            evidence.endorsed_tcb = super::endorsed_tcb(wire.endorsed_tcb)?;
            Attestation::Snp(Box::new(evidence))
        }
        FORMAT_VIRTUAL => read_virtual(raw, bound)?,
        other => {
            let found = other.to_owned();
            return Err(AttestError::Unknown { what: "format of a node quote", found });
        }
    };
    if let Some(claimed) = wire.measurement.filter(|claimed| !claimed.is_empty()) {
        let held = attestation.measurement_hex().unwrap_or_default();
        if !claimed.eq_ignore_ascii_case(&held) {
            let why = format!("its measurement is {claimed}, but {held} is in the report");
            return Err(AttestError::malformed(WHAT, why));
        }
    }
    Ok(CcfQuote { node_id: wire.node_id, attestation })
}

fn read_virtual(raw: &str, bound: Option<Vec<u8>>) -> Result<Attestation, AttestError> {
    const WHAT: &str = "virtual quote";
    let json = from_base64("raw", raw, VIRTUAL_BYTES_MAX)?;
    let wire: VirtualWire = serde_json::from_slice(&json)
        .map_err(|error| AttestError::malformed(WHAT, error.to_string()))?;
    let report_data = from_base64("report_data", &wire.report_data, 64)?;
    if ![32, 64].contains(&report_data.len()) {
        let why = format!("report_data has {} bytes, not 32 or 64", report_data.len());
        return Err(AttestError::malformed(WHAT, why));
    }
    let (measurement, host_data) = (wire.measurement, wire.host_data);
    Ok(Attestation::Virtual(VirtualEvidence { measurement, host_data, report_data, bound }))
}

fn write(attestation: &Attestation) -> Wire {
    match attestation {
        Attestation::Snp(evidence) => Wire {
            format: FORMAT_SNP.to_owned(),
            raw: Some(to_base64(&evidence.report)),
            endorsements: to_base64(&evidence.endorsements),
            uvm_endorsements: evidence.uvm_endorsement.as_deref().map(to_base64),
            endorsed_tcb: evidence.endorsed_tcb.clone(),
            policy_text: evidence.policy_text.as_deref().map(to_base64),
            bound: evidence.bound.as_deref().map(to_base64),
            ..Wire::default()
        },
        Attestation::Virtual(evidence) => {
            let wire = VirtualWire {
                host_data: evidence.host_data.clone(),
                measurement: evidence.measurement.clone(),
                report_data: to_base64(&evidence.report_data),
            };
            let json = serde_json::to_string(&wire).unwrap_or_default();
            Wire {
                format: FORMAT_VIRTUAL.to_owned(),
                raw: Some(to_base64(json.as_bytes())),
                bound: evidence.bound.as_deref().map(to_base64),
                ..Wire::default()
            }
        }
    }
}
