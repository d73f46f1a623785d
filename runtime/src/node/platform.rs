//! Evidence of the platform a node runs on, as it stands in the tables (reference: node launcher,
//! "Platform").

use affiant_attest::{Attestation, Report};
use affiant_proof::to_hex;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::platform::{FORMAT_SNP, FORMAT_VIRTUAL};
use crate::tables::QuoteInfo;

/// Evidence as the tables have it.
pub(crate) fn quote_info(evidence: &Attestation) -> QuoteInfo {
    match evidence {
        Attestation::Snp(evidence) => QuoteInfo {
            format: FORMAT_SNP.to_owned(),
            quote: STANDARD.encode(&evidence.report),
            endorsements: STANDARD.encode(&evidence.endorsements),
            uvm_endorsements: evidence.uvm_endorsement.as_ref().map(|cose| STANDARD.encode(cose)),
            endorsed_tcb: evidence.endorsed_tcb.clone(),
        },
        Attestation::Virtual(evidence) => {
            let raw = json!({
                "host_data": evidence.host_data,
                "measurement": evidence.measurement,
                "report_data": STANDARD.encode(&evidence.report_data),
            });
            QuoteInfo {
                format: FORMAT_VIRTUAL.to_owned(),
                quote: STANDARD.encode(raw.to_string()),
                endorsements: String::new(),
                uvm_endorsements: None,
                endorsed_tcb: None,
            }
        }
    }
}

/// The text of the container policy, where the platform has it.
pub(crate) fn policy_text(evidence: &Attestation) -> Option<&[u8]> {
    match evidence {
        Attestation::Snp(evidence) => evidence.policy_text.as_deref(),
        Attestation::Virtual(_) => None,
    }
}

/// The measurement as `code_digest` has it: hex; of a virtual node, of the text that stands for it.
pub(crate) fn code_digest(evidence: &Attestation) -> String {
    match evidence {
        Attestation::Snp(evidence) => {
            let report = Report::parse(&evidence.report);
            report.map(|report| to_hex(&report.measurement)).unwrap_or_default()
        }
        Attestation::Virtual(evidence) => to_hex(evidence.measurement.as_bytes()),
    }
}
