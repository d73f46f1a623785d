//! Evidence of the platform a node runs on, as it stands in the tables (reference: node launcher,
//! "Platform").

use affiant_attest::{Attestation, Policy, Report, verify};
use affiant_proof::to_hex;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::attestation::reasons;
use crate::clock::unix_seconds;
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

/// Why evidence of hardware is not genuine, if so; whether it is of the right guest is for others to say.
pub(crate) fn doubts(evidence: &Attestation) -> Option<String> {
    let Attestation::Snp(evidence) = evidence else { return None };
    let policy = Policy { expired_certificates: true, ..Policy::genuine_only() };
    let verdict = verify(evidence, &policy, unix_seconds());
    (!verdict.is_trusted()).then(|| reasons(&verdict))
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use affiant_attest::Product;
    use affiant_attest::testing::Guest;

    use super::*;
    use crate::platform::{Attestor as _, VirtualAttestor};

    #[test]
    fn evidence_that_others_will_not_believe_is_noticed() {
        let doubts = |guest: &Guest| doubts(&Attestation::Snp(Box::new(guest.build())));
        let guest = || Guest::new(Product::Genoa).bound(b"key");
        assert_eq!(doubts(&guest()), None);
        let debugged = doubts(&guest().policy(1 << 17 | 1 << 19)).unwrap();
        assert!(debugged.starts_with("debug: "), "{debugged}");
        let unbound = doubts(&guest().report_data([1; 64])).unwrap();
        assert!(unbound.starts_with("binding: "), "{unbound}");
        // Which says of itself that it proves nothing.
        assert_eq!(super::doubts(&VirtualAttestor.attest(b"key").unwrap()), None);
    }
}
