//! Evidence of the platform a node runs on, as it stands in the tables (reference: node launcher,
//! "Platform").

use affiant_attest::{Attestation, CcfQuote, Policy, verify};

use crate::attestation::reasons;
use crate::clock::unix_seconds;
use crate::tables::QuoteInfo;

/// Evidence as the tables have it.
pub(crate) fn quote_info(evidence: &Attestation) -> QuoteInfo {
    let quote = CcfQuote { node_id: None, attestation: evidence.clone() };
    // The row has no place for bound bytes and policy text, which are passed over.
    serde_json::from_value(quote.to_quote_info()).expect("a quote has what the row demands")
}

/// Why evidence of hardware is not genuine, if so; whether it is of the right guest is for others to say.
pub(crate) fn doubts(evidence: &Attestation) -> Option<String> {
    let Attestation::Snp(evidence) = evidence else { return None };
    let policy = Policy { expired_certificates: true, ..Policy::genuine_only() };
    let verdict = verify(evidence, &policy, unix_seconds());
    (!verdict.is_trusted()).then(|| reasons(&verdict))
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
