//! Attestation reports.

use affiant_attest::{Product, Report};
use sev::firmware::guest::AttestationReport;
use sev::parser::ByteParser as _;

/// What is read is what virtee's `sev` reads, where that takes it: it refuses masked chips.
pub fn report(data: &[u8]) {
    let Ok(report) = Report::parse(data) else { return };
    assert!(report.signed_bytes() == &data[..report.signed_bytes().len()]);
    for product in [Product::Milan, Product::Genoa, Product::Turin] {
        let _ = report.tcb(product);
    }
    serde_json::to_vec(&report).expect("a report serialises");
    let Ok(theirs) = AttestationReport::from_bytes(data) else { return };
    assert_eq!(report.version, theirs.version);
    assert_eq!(report.policy.bits(), u64::from(theirs.policy));
    assert_eq!(report.policy.debug(), theirs.policy.debug_allowed());
    assert_eq!(report.vmpl, theirs.vmpl);
    assert_eq!(report.platform_info.bits(), u64::from(theirs.plat_info));
    assert_eq!(report.report_data, theirs.report_data);
    assert_eq!(report.measurement, theirs.measurement);
    assert_eq!(report.host_data, theirs.host_data);
    assert_eq!(report.chip_id, theirs.chip_id);
    assert_eq!(report.cpuid.map(|cpuid| cpuid.model), theirs.cpuid_mod_id);
    assert_eq!(report.signature.r_le(), *theirs.signature.r());
    assert_eq!(report.signature.s_le(), *theirs.signature.s());
}
