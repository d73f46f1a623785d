//! A node in a guest that does not exist: a stand-in for its firmware signs reports under the root that
//! only tests trust, and the whole way is gone, from the node's key to a verdict.

use std::path::PathBuf;
use std::sync::Arc;

use affiant_attest::guest::{DERIVED_KEY_BYTES, Firmware, GuestError, GuestReport, KeySelection};
use affiant_attest::testing::{AT, Guest};
use affiant_attest::{
    Allowed, AttestError, Attestation, CertificateTable, Evidence, Policy, Product, TextAction,
    verify_attestation,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use der::{DecodePem as _, Encode as _};
use serde_json::json;
use zeroize::Zeroizing;

use super::{Reply, StandIn};
use crate::node::{Node, NodeSettings};
use crate::platform::collateral::Collateral;
use crate::platform::context::Surroundings;
use crate::platform::endorsements::Pace;
use crate::platform::guest::GuestAttestor;
use crate::platform::{Attestor, EndorsementServer, FORMAT_SNP, PlatformSettings, ServerKind};

const POLICY_TEXT: &[u8] = b"package policy";

/// A stand-in for a guest's firmware: reports are signed, but by no hardware.
struct StandInFirmware {
    guest: Guest,
    /// The host hands its certificates over.
    table: bool,
    /// Requests that are put off before one is answered.
    throttled: u32,
    vmpl: Option<u32>,
}

impl StandInFirmware {
    fn new(guest: Guest) -> Self {
        Self { guest: guest.policy_text(POLICY_TEXT), table: true, throttled: 0, vmpl: None }
    }
}

impl Firmware for StandInFirmware {
    fn name(&self) -> String {
        "stand-in firmware".to_owned()
    }

    fn report(
        &mut self,
        report_data: &[u8; 64],
        vmpl: Option<u32>,
    ) -> Result<GuestReport, GuestError> {
        assert_eq!(vmpl, self.vmpl);
        if self.throttled > 0 {
            self.throttled -= 1;
            return Err(GuestError::Again("throttled".to_owned()));
        }
        let evidence = self.guest.clone().report_data(*report_data).build();
        let is_vlek = (evidence.report[0x48] >> 2) & 7 == 1;
        let table = CertificateTable::from_endorsements(&evidence.endorsements, is_vlek).unwrap();
        let table = self.table.then(|| table.to_bytes().unwrap());
        Ok(GuestReport { report: evidence.report, certificate_table: table })
    }

    fn derived_key(
        &mut self,
        _: &KeySelection,
    ) -> Result<Zeroizing<[u8; DERIVED_KEY_BYTES]>, GuestError> {
        let why = "no test asks for keys here".to_owned();
        Err(AttestError::Platform { what: self.name(), why }.into())
    }
}

fn attestor(firmware: StandInFirmware, servers: Vec<EndorsementServer>) -> GuestAttestor {
    let settings = PlatformSettings { endorsement_servers: servers, ..Default::default() };
    let variable =
        |name: &str| (name == "UVM_SECURITY_POLICY").then(|| STANDARD.encode(POLICY_TEXT));
    let surroundings =
        Surroundings { variable: Box::new(variable), root: PathBuf::from("/a/fake/path") };
    let pace = Pace { now_ms: Box::new(|| 0), sleep_ms: Box::new(|_| {}) };
    let collateral = Collateral::new(&settings, surroundings, pace).unwrap();
    let vmpl = firmware.vmpl;
    GuestAttestor::new("stand-in", Box::new(firmware), vmpl, collateral)
}

/// A policy for these guests.
fn policy() -> Policy {
    let mut policy = Policy {
        measurements: Allowed::ANY,
        host_data: Allowed::ANY,
        signing_keys: vec!["VCEK".to_owned(), "VLEK".to_owned()],
        ..Policy::genuine_only()
    };
    // What the text says is of no interest here.
    policy.policy_text.findings.insert("unread".to_owned(), TextAction::Ignore);
    policy
}

/// Fails with the checks that failed.
fn trusted(evidence: &Evidence) {
    let attestation = Attestation::Snp(Box::new(evidence.clone()));
    let verdict = verify_attestation(&attestation, &policy(), AT);
    let failures: Vec<_> = verdict.failures().collect();
    assert!(verdict.is_trusted(), "{failures:?}");
}

#[test]
fn a_node_in_a_guest_has_evidence_that_verifies() {
    for product in Product::ALL {
        let firmware = StandInFirmware::new(Guest::new(product));
        let attestor = Arc::new(attestor(firmware, Vec::new()));
        let node = Node::start(NodeSettings { attestor, ..NodeSettings::in_memory() }).unwrap();
        let quote = node.info().quote;
        assert_eq!(quote.format, FORMAT_SNP);
        let quote = json!({
            "format": quote.format, "raw": quote.quote, "endorsements": quote.endorsements,
            "endorsed_tcb": quote.endorsed_tcb,
        });
        let Attestation::Snp(mut evidence) =
            Attestation::from_json(quote.to_string().as_bytes()).unwrap()
        else {
            panic!("virtual")
        };
        // As CCF binds it: to the node's public key.
        let certificate = node.info().self_signed_certificate_pem;
        let certificate = x509_cert::Certificate::from_pem(certificate).unwrap();
        let key = certificate.tbs_certificate().subject_public_key_info().to_der().unwrap();
        evidence.bound = Some(key);
        trusted(&evidence);
        evidence.bound = Some(b"another key".to_vec());
        let verdict = verify_attestation(&Attestation::Snp(evidence), &policy(), AT);
        assert!(!verdict.is_trusted());
        node.shutdown().unwrap();
    }
}

#[test]
fn evidence_has_what_the_host_handed_over() {
    for (guest, throttled, vmpl) in [
        (Guest::new(Product::Milan), 0, None),
        (Guest::new(Product::Genoa).vmpl(2), 2, Some(2)),
        // The provider's key, whose certificate only the host has.
        (Guest::new(Product::Milan).vlek(), 0, None),
        // Without the processor's id, as first made.
        (Guest::new(Product::Milan).version_2(), 0, None),
    ] {
        let firmware = StandInFirmware { throttled, vmpl, ..StandInFirmware::new(guest) };
        let attestor = attestor(firmware, Vec::new());
        let Attestation::Snp(evidence) = attestor.attest(b"bytes").unwrap() else {
            panic!("virtual")
        };
        assert_eq!(evidence.policy_text.as_deref(), Some(POLICY_TEXT));
        assert_eq!(evidence.bound.as_deref(), Some(&b"bytes"[..]));
        trusted(&evidence);
    }
}

#[test]
fn without_the_hosts_table_servers_are_asked_once() {
    let guest = Guest::new(Product::Turin);
    let chain = guest.clone().build().endorsements;
    let stand_in = StandIn::start([Reply::bytes(chain)]);
    let server = EndorsementServer {
        url: Some(stand_in.url()),
        ..EndorsementServer::usual(ServerKind::Azure)
    };
    let firmware = StandInFirmware { table: false, ..StandInFirmware::new(guest) };
    let attestor = attestor(firmware, vec![server]);
    for bound in [b"one", b"two"] {
        let Attestation::Snp(evidence) = attestor.attest(bound).unwrap() else { panic!("virtual") };
        trusted(&evidence);
    }
    assert_eq!(stand_in.asked().len(), 1);
    // Bytes over the bound do not reach the firmware.
    let long = vec![0; affiant_attest::limits::BOUND_BYTES_MAX + 1];
    assert!(attestor.attest(&long).unwrap_err().to_string().contains("over the limit"));
}
