//! Reports of every fixture: each field as virtee's `sev` reads it, and what is refused.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod sets;
mod wire;

use affiant_attest::testing::{AT, Guest};
use affiant_attest::{Chain, Evidence, Policy, Product, Report, RevocationList, verify};
use proptest::prelude::*;
use sets::sets;
use sev::firmware::guest::AttestationReport;
use sev::parser::ByteParser as _;

#[test]
fn every_field_is_what_the_sev_crate_reads() {
    for set in sets() {
        let bytes: [u8; 1184] = set.evidence.report.clone().try_into().unwrap();
        let theirs = AttestationReport::from_bytes(&bytes).unwrap();
        let ours = Report::parse(&bytes).unwrap();
        assert_eq!(ours.version, theirs.version);
        assert_eq!(ours.guest_svn, theirs.guest_svn);
        assert_eq!(ours.policy.bits(), u64::from(theirs.policy));
        assert_eq!(ours.policy.abi_major(), u8::try_from(theirs.policy.abi_major()).unwrap());
        assert_eq!(ours.policy.abi_minor(), u8::try_from(theirs.policy.abi_minor()).unwrap());
        assert_eq!(ours.policy.smt(), theirs.policy.smt_allowed());
        assert_eq!(ours.policy.migration_agent(), theirs.policy.migrate_ma_allowed());
        assert_eq!(ours.policy.debug(), theirs.policy.debug_allowed());
        assert_eq!(ours.policy.single_socket(), theirs.policy.single_socket_required());
        assert_eq!(ours.family_id, theirs.family_id);
        assert_eq!(ours.image_id, theirs.image_id);
        assert_eq!(ours.vmpl, theirs.vmpl);
        assert_eq!(ours.signature_algorithm, theirs.sig_algo);
        assert_eq!(ours.platform_info.bits(), u64::from(theirs.plat_info));
        assert_eq!(ours.platform_info.smt(), theirs.plat_info.smt_enabled());
        assert_eq!(ours.platform_info.tsme(), theirs.plat_info.tsme_enabled());
        assert_eq!(ours.platform_info.ecc(), theirs.plat_info.ecc_enabled());
        assert_eq!(
            ours.platform_info.alias_check_complete(),
            theirs.plat_info.alias_check_complete()
        );
        assert_eq!(ours.key_flags.bits(), u32::from(theirs.key_info));
        assert_eq!(ours.report_data, theirs.report_data);
        assert_eq!(ours.measurement, theirs.measurement);
        assert_eq!(ours.host_data, theirs.host_data);
        assert_eq!(ours.id_key_digest, theirs.id_key_digest);
        assert_eq!(ours.author_key_digest, theirs.author_key_digest);
        assert_eq!(ours.report_id, theirs.report_id);
        assert_eq!(ours.report_id_ma, theirs.report_id_ma);
        assert_eq!(ours.cpuid.map(|cpuid| cpuid.family), theirs.cpuid_fam_id);
        assert_eq!(ours.cpuid.map(|cpuid| cpuid.model), theirs.cpuid_mod_id);
        assert_eq!(ours.cpuid.map(|cpuid| cpuid.stepping), theirs.cpuid_step);
        assert_eq!(ours.chip_id, theirs.chip_id);
        let version = |found: affiant_attest::FirmwareVersion| {
            sev::firmware::guest::Version::new(found.major, found.minor, found.build)
        };
        assert_eq!(version(ours.current_firmware), theirs.current);
        assert_eq!(version(ours.committed_firmware), theirs.committed);
        assert_eq!(ours.mitigations.map(|bits| bits.launch), theirs.launch_mit_vector);
        assert_eq!(ours.mitigations.map(|bits| bits.current), theirs.current_mit_vector);
        assert_eq!(ours.signature.r_le(), *theirs.signature.r());
        assert_eq!(ours.signature.s_le(), *theirs.signature.s());
        let product = ours.product().unwrap_or(Product::Milan);
        let tcb = ours.tcb(product).unwrap();
        for (ours, theirs) in [
            (tcb.current, theirs.current_tcb),
            (tcb.reported, theirs.reported_tcb),
            (tcb.committed, theirs.committed_tcb),
            (tcb.launch, theirs.launch_tcb),
        ] {
            let theirs = (theirs.fmc, theirs.bootloader, theirs.tee, theirs.snp, theirs.microcode);
            assert_eq!((ours.fmc, ours.boot_loader, ours.tee, ours.snp, ours.microcode), theirs);
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_refused_and_never_panic(
        mut report in proptest::collection::vec(any::<u8>(), 0..1300),
        chain in proptest::collection::vec(any::<u8>(), 0..600),
        version in 0_u8..7,
    ) {
        if let Some(byte) = report.first_mut() {
            *byte = version;
        }
        let _ = Report::parse(&report);
        prop_assert!(Chain::parse(&chain).is_err());
        prop_assert!(RevocationList::from_der(&chain).is_err());
        let evidence = Evidence { report, endorsements: chain, ..Evidence::default() };
        prop_assert!(!verify(&evidence, &Policy::genuine_only(), AT).is_trusted());
    }

    #[test]
    fn any_change_of_several_bytes_is_refused(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), 1_u8..), 1..8),
        in_chain in any::<bool>(),
    ) {
        let mut evidence = Guest::new(Product::Turin).build();
        let bytes = if in_chain { &mut evidence.endorsements } else { &mut evidence.report };
        let before = bytes.clone();
        for (index, change) in changes {
            let at = index.index(bytes.len());
            bytes[at] ^= change;
        }
        prop_assume!(*bytes != before);
        // White space for white space in the chain's text is no change of the chain.
        let spaces = |bytes: &[u8]| -> Vec<u8> {
            bytes.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect()
        };
        prop_assume!(!in_chain || spaces(bytes) != spaces(&before));
        prop_assert!(!verify(&evidence, &Policy::genuine_only(), AT).is_trusted());
    }
}
