//! The shapes in which evidence comes.

use affiant_attest::{
    Attestation, AttestedMessage, CcfQuote, CertificateTable, Evidence, HclReport,
    HostCertificates, Policy, verify_attestation,
};

/// A table that can be read is written and read again as the same, and so is a chain of it.
pub fn certificate_table(data: &[u8]) {
    let Ok(table) = CertificateTable::parse(data) else { return };
    // Entries may share bytes: written apart, they may be too large together.
    if let Ok(written) = table.to_bytes() {
        assert_eq!(CertificateTable::parse(&written).as_ref(), Ok(&table));
    }
    for is_vlek in [false, true] {
        let pem = table.endorsements(is_vlek);
        let again = CertificateTable::from_endorsements(&pem, is_vlek);
        assert!(again.is_ok_and(|again| again.endorsements(is_vlek) == pem));
    }
    let _ = Evidence::from_extended_report(&[0; 1184], data);
}

/// A report of a virtual TPM that can be read is written and read again as the same.
pub fn hcl_report(data: &[u8]) {
    let Ok(report) = HclReport::parse(data) else { return };
    let written = report.to_bytes().expect("what was read can be written");
    assert_eq!(HclReport::parse(&written).as_ref(), Ok(&report));
    let evidence = report.evidence().expect("its report has the one size");
    assert_eq!(evidence.bound.as_ref(), Some(&report.runtime_claims));
}

/// Evidence in JSON that can be read is written and read again as the same, and the strictest policy
/// trusts none of it.
pub fn evidence_json(data: &[u8]) {
    if let Ok(attestation) = Attestation::from_json(data) {
        let again = Attestation::from_json(attestation.to_json().as_bytes());
        assert_eq!(again.as_ref(), Ok(&attestation));
        assert!(!verify_attestation(&attestation, &Policy::default(), 0).is_trusted());
    }
    if let Ok(quote) = CcfQuote::from_json(data) {
        let again = CcfQuote::from_json(quote.to_value().to_string().as_bytes());
        assert_eq!(again.as_ref(), Ok(&quote));
        let recorded = CcfQuote::from_json(quote.to_quote_info().to_string().as_bytes());
        assert_eq!(recorded.map(|one| one.attestation).as_ref(), Ok(&quote.attestation));
    }
    let _ = CcfQuote::list_from_json(data);
    if let Ok(evidence) = Evidence::from_skr_json(data) {
        let again = Evidence::from_skr_json(evidence.to_skr_json().as_bytes());
        assert_eq!(again.as_ref(), Ok(&evidence));
    }
    if let Ok(certificates) = HostCertificates::from_json(data) {
        let again = HostCertificates::from_json(certificates.to_json().as_bytes());
        assert_eq!(again.as_ref(), Ok(&certificates));
    }
}

/// A message with the evidence of whoever signed it.
pub fn attested_message(data: &[u8]) {
    let _ = AttestedMessage::parse(data);
}
