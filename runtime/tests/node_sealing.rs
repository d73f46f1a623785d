//! A node whose identity is sealed by a secure processor, which a stand-in plays: it comes back on the
//! same chip with the same image, and nowhere else.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::path::Path;
use std::sync::Arc;

use affiant::node::{Node, NodeSettings};
use affiant::platform::SnpDerivedKey;
use affiant::{CommitNotice, RuntimeError};
use affiant_attest::AttestError;
use affiant_attest::guest::{DERIVED_KEY_BYTES, Firmware, GuestError, GuestReport, KeySelection};
use affiant_attest::limits::{REPORT_BYTES, REPORT_DATA_BYTES};
use affiant_kv::{CommitOutcome, MapName};
use affiant_proof::Digest;
use zeroize::Zeroizing;

/// A stand-in for the firmware of one chip, under one image. No hardware is asked.
#[derive(Clone, Copy)]
struct StandInFirmware {
    chip: u8,
    image: u8,
}

impl Firmware for StandInFirmware {
    fn name(&self) -> String {
        "stand-in firmware".to_owned()
    }

    fn report(
        &mut self,
        report_data: &[u8; REPORT_DATA_BYTES],
        _: Option<u32>,
    ) -> Result<GuestReport, GuestError> {
        let mut report = vec![0; REPORT_BYTES];
        report[0x50..0x90].copy_from_slice(report_data);
        report[0x1e0..0x1e8].copy_from_slice(&[4, 0, 0, 0, 0, 0, 24, 219]);
        Ok(GuestReport { report, certificate_table: None })
    }

    fn derived_key(
        &mut self,
        selection: &KeySelection,
    ) -> Result<Zeroizing<[u8; DERIVED_KEY_BYTES]>, GuestError> {
        assert!(selection.measurement);
        let text = format!("{} {} {selection:?}", self.chip, self.image);
        Ok(Zeroizing::new(Digest::of(text.as_bytes()).0))
    }
}

fn settings(root: &Path, firmware: Option<StandInFirmware>) -> NodeSettings {
    let open = move || match firmware {
        Some(firmware) => Ok(Box::new(firmware) as Box<dyn Firmware>),
        None => Err(AttestError::Platform {
            what: "stand-in firmware".to_owned(),
            why: "this machine has none".to_owned(),
        }),
    };
    let key = SnpDerivedKey::with_firmware(root.join("sealing_versions"), Box::new(open));
    NodeSettings { sealing: Arc::new(key), ..NodeSettings::in_directory(root) }
}

#[test]
fn a_node_comes_back_on_its_chip_with_its_image_and_nowhere_else() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let own = StandInFirmware { chip: 1, image: 1 };
    let node = Node::start(settings(root, Some(own))).unwrap();
    let service = node.info().service_certificate_pem.clone();
    let mut tx = node.begin();
    tx.put(&MapName::new("records").unwrap(), b"key", b"value").unwrap();
    let CommitOutcome::Sequenced(txid) = node.commit(tx) else { panic!("not sequenced") };
    let notice = node.wait_committed_blocking(txid);
    assert!(matches!(notice, CommitNotice::Committed { .. }), "{notice:?}");
    node.shutdown().unwrap();
    drop(node);

    for (firmware, words) in [
        (Some(StandInFirmware { chip: 2, image: 1 }), "sealed under another key"),
        (Some(StandInFirmware { chip: 1, image: 2 }), "sealed under another key"),
        (None, "stand-in firmware: this machine has none"),
    ] {
        let error = Node::start(settings(root, firmware)).err().unwrap();
        assert!(error.to_string().contains(words), "{error}");
    }
    // The key file of another kind does not open it either.
    let error = Node::start(NodeSettings::in_directory(root)).err().unwrap();
    assert!(matches!(error, RuntimeError::SealedIdentity { .. }), "{error}");
    assert!(error.to_string().contains("\"snp-derived\""), "{error}");

    let node = Node::start(settings(root, Some(own))).unwrap();
    assert_eq!(node.info().service_certificate_pem, service);
    let records = MapName::new("records").unwrap();
    let value = node.begin().get(&records, b"key").unwrap();
    assert_eq!(&value[..], b"value");
    node.shutdown().unwrap();
}
