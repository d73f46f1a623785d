//! Evidence for tests, under a root that no release build trusts: what no real evidence shows, as
//! masked chip ids, other privilege levels, VLEKs, wrong authorities and revoked certificates.
//!
//! Compiled with the feature `test-roots` (or in this crate's own tests) and refused in release
//! builds, see the head of this crate. A verdict on such evidence warns at the check `root`.
//!
//! ```
//! use affiant_attest::testing::{self, Guest};
//! use affiant_attest::{Policy, Product, verify};
//!
//! let evidence = Guest::new(Product::Milan).bound(b"a key").build();
//! assert!(verify(&evidence, &Policy::genuine_only(), testing::AT).is_trusted());
//! ```
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
#![allow(clippy::allow_attributes_without_reason, reason = "for tests, which may panic")]

mod der_writer;
mod issue;

pub use issue::{Authority, Issue, RevocationSpec, revocation_list, root_digest};

use ring::digest::{SHA256, digest};

use crate::chain::LeafKind;
use crate::evidence::Evidence;
use crate::limits::{REPORT_BYTES, REPORT_DATA_BYTES};
use crate::report::{Cpuid, FirmwareVersion, SIGNED_BYTES};
use crate::tcb::{Product, TcbVersion};

/// A time at which the certificates of this module are valid, in seconds since 1970: 2026-06-01.
pub const AT: u64 = 1_780_272_000;

/// Offsets in a report.
mod at {
    pub(super) const VERSION: usize = 0x00;
    pub(super) const GUEST_SVN: usize = 0x04;
    pub(super) const POLICY: usize = 0x08;
    pub(super) const VMPL: usize = 0x30;
    pub(super) const ALGORITHM: usize = 0x34;
    pub(super) const CURRENT_TCB: usize = 0x38;
    pub(super) const PLATFORM_INFO: usize = 0x40;
    pub(super) const KEY_FLAGS: usize = 0x48;
    pub(super) const REPORT_DATA: usize = 0x50;
    pub(super) const MEASUREMENT: usize = 0x90;
    pub(super) const HOST_DATA: usize = 0xc0;
    pub(super) const ID_KEY_DIGEST: usize = 0xe0;
    pub(super) const AUTHOR_KEY_DIGEST: usize = 0x110;
    pub(super) const REPORT_ID: usize = 0x140;
    pub(super) const REPORT_ID_MA: usize = 0x160;
    pub(super) const REPORTED_TCB: usize = 0x180;
    pub(super) const CPUID: usize = 0x188;
    pub(super) const CHIP_ID: usize = 0x1a0;
    pub(super) const COMMITTED_TCB: usize = 0x1e0;
    pub(super) const CURRENT_FIRMWARE: usize = 0x1e8;
    pub(super) const COMMITTED_FIRMWARE: usize = 0x1ec;
    pub(super) const LAUNCH_TCB: usize = 0x1f0;
    pub(super) const MITIGATIONS: usize = 0x1f8;
    pub(super) const SIGNATURE_R: usize = 0x2a0;
    pub(super) const SIGNATURE_S: usize = 0x2e8;
}

/// A guest that does not exist: its report, who signs it, and what goes with it. It starts as an
/// ordinary one that the default policy's rules for platforms and guests accept.
#[derive(Clone, Debug)]
pub struct Guest {
    product: Product,
    report: [u8; REPORT_BYTES],
    /// How the chain is issued; change it before [`Guest::build`].
    pub issue: Issue,
    /// What goes with the report.
    pub evidence: Evidence,
}

impl Guest {
    /// A guest on this product: report version 3, 5 on Turin.
    #[must_use]
    pub fn new(product: Product) -> Self {
        let mut report = [0_u8; REPORT_BYTES];
        report[at::ALGORITHM] = 1;
        report[at::REPORT_ID..at::REPORT_ID_MA].fill(0x1d);
        report[at::REPORT_ID_MA..at::REPORTED_TCB].fill(0xff);
        let issue = Issue::new(product);
        let (version, cpuid, chip) = match product {
            Product::Milan => (3, Cpuid { family: 0x19, model: 0x01, stepping: 1 }, 64),
            Product::Genoa => (3, Cpuid { family: 0x19, model: 0x11, stepping: 1 }, 64),
            Product::Turin => (5, Cpuid { family: 0x1a, model: 0x02, stepping: 1 }, 8),
        };
        let fmc = (product == Product::Turin).then_some(1);
        let tcb = TcbVersion { fmc, boot_loader: 4, tee: 1, snp: 24, microcode: 219 };
        let firmware = FirmwareVersion { major: 1, minor: 55, build: 40 };
        let mut chip_id = [0_u8; 64];
        chip_id[..chip].fill(0xc1);
        Self { product, report, issue, evidence: Evidence::default() }
            .set(at::VERSION, &[version, 0, 0, 0])
            .set(at::CPUID, &[cpuid.family, cpuid.model, cpuid.stepping])
            .policy(1 << 17 | 1 << 16 | 31)
            .platform_info(0x25)
            .measurement([0x3e; 48])
            .host_data([0x4d; 32])
            .tcb(tcb)
            .firmware(firmware, firmware)
            .chip_id(chip_id)
    }

    /// Any bytes of the report.
    #[must_use]
    pub fn set(mut self, offset: usize, bytes: &[u8]) -> Self {
        self.report[offset..offset + bytes.len()].copy_from_slice(bytes);
        self
    }

    /// Makes it a report of version 2, which names no processor.
    #[must_use]
    pub fn version_2(self) -> Self {
        self.set(at::VERSION, &[2]).set(at::CPUID, &[0; 3]).set(at::MITIGATIONS, &[0; 16])
    }

    /// The version of the report, nothing else of it.
    #[must_use]
    pub fn version(self, version: u32) -> Self {
        self.set(at::VERSION, &version.to_le_bytes())
    }

    /// The guest's own security version.
    #[must_use]
    pub fn guest_svn(self, svn: u32) -> Self {
        self.set(at::GUEST_SVN, &svn.to_le_bytes())
    }

    /// The guest policy's bits.
    #[must_use]
    pub fn policy(self, bits: u64) -> Self {
        self.set(at::POLICY, &bits.to_le_bytes())
    }

    /// The privilege level.
    #[must_use]
    pub fn vmpl(self, vmpl: u32) -> Self {
        self.set(at::VMPL, &vmpl.to_le_bytes())
    }

    /// The platform's bits.
    #[must_use]
    pub fn platform_info(self, bits: u64) -> Self {
        self.set(at::PLATFORM_INFO, &bits.to_le_bytes())
    }

    /// The bits that say which key signed; [`Guest::vlek`] sets them for a VLEK.
    #[must_use]
    pub fn key_flags(self, bits: u32) -> Self {
        self.set(at::KEY_FLAGS, &bits.to_le_bytes())
    }

    /// Report data as it is.
    #[must_use]
    pub fn report_data(self, data: [u8; REPORT_DATA_BYTES]) -> Self {
        self.set(at::REPORT_DATA, &data)
    }

    /// Binds the report to bytes, which go along with it.
    #[must_use]
    pub fn bound(mut self, bytes: &[u8]) -> Self {
        self.evidence.bound = Some(bytes.to_vec());
        let mut data = [0_u8; REPORT_DATA_BYTES];
        data[..32].copy_from_slice(digest(&SHA256, bytes).as_ref());
        self.report_data(data)
    }

    /// The measurement.
    #[must_use]
    pub fn measurement(self, measurement: [u8; 48]) -> Self {
        self.set(at::MEASUREMENT, &measurement)
    }

    /// The host data.
    #[must_use]
    pub fn host_data(self, data: [u8; 32]) -> Self {
        self.set(at::HOST_DATA, &data)
    }

    /// A container policy, and its digest as host data.
    #[must_use]
    pub fn policy_text(mut self, text: &[u8]) -> Self {
        self.evidence.policy_text = Some(text.to_vec());
        self.set(at::HOST_DATA, digest(&SHA256, text).as_ref())
    }

    /// The digest of the id key.
    #[must_use]
    pub fn id_key_digest(self, digest: [u8; 48]) -> Self {
        self.set(at::ID_KEY_DIGEST, &digest)
    }

    /// The digest of the author key.
    #[must_use]
    pub fn author_key_digest(self, digest: [u8; 48]) -> Self {
        self.set(at::AUTHOR_KEY_DIGEST, &digest).set(at::KEY_FLAGS, &[1])
    }

    /// All four TCB versions, and the leaf's.
    #[must_use]
    pub fn tcb(self, tcb: TcbVersion) -> Self {
        self.current_tcb(tcb).committed_tcb(tcb).reported_tcb(tcb).launch_tcb(tcb)
    }

    /// The TCB version that runs.
    #[must_use]
    pub fn current_tcb(self, tcb: TcbVersion) -> Self {
        let bytes = tcb.to_bytes(self.product).0;
        self.set(at::CURRENT_TCB, &bytes)
    }

    /// The TCB version that is committed.
    #[must_use]
    pub fn committed_tcb(self, tcb: TcbVersion) -> Self {
        let bytes = tcb.to_bytes(self.product).0;
        self.set(at::COMMITTED_TCB, &bytes)
    }

    /// The TCB version that is reported, and the leaf's.
    #[must_use]
    pub fn reported_tcb(mut self, tcb: TcbVersion) -> Self {
        self.issue.tcb = tcb;
        let bytes = tcb.to_bytes(self.product).0;
        self.set(at::REPORTED_TCB, &bytes)
    }

    /// The TCB version at launch.
    #[must_use]
    pub fn launch_tcb(self, tcb: TcbVersion) -> Self {
        let bytes = tcb.to_bytes(self.product).0;
        self.set(at::LAUNCH_TCB, &bytes)
    }

    /// The firmware that runs and that is committed.
    #[must_use]
    pub fn firmware(self, current: FirmwareVersion, committed: FirmwareVersion) -> Self {
        let bytes = |version: FirmwareVersion| [version.build, version.minor, version.major];
        self.set(at::CURRENT_FIRMWARE, &bytes(current))
            .set(at::COMMITTED_FIRMWARE, &bytes(committed))
    }

    /// The mitigations of a report of version 5.
    #[must_use]
    pub fn mitigations(self, launch: u64, current: u64) -> Self {
        self.set(at::MITIGATIONS, &launch.to_le_bytes())
            .set(at::MITIGATIONS + 8, &current.to_le_bytes())
    }

    /// The processor.
    #[must_use]
    pub fn cpuid(self, cpuid: Cpuid) -> Self {
        self.set(at::CPUID, &[cpuid.family, cpuid.model, cpuid.stepping])
    }

    /// The chip, in the report and in the leaf.
    #[must_use]
    pub fn chip_id(mut self, id: [u8; 64]) -> Self {
        let length = if self.product == Product::Turin { 8 } else { 64 };
        self.issue.hardware_id = id[..length].to_vec();
        self.set(at::CHIP_ID, &id)
    }

    /// No chip id in the report; the leaf keeps its own.
    #[must_use]
    pub fn mask_chip_id(self) -> Self {
        self.set(at::CHIP_ID, &[0; 64])
    }

    /// Signed by a provider's key instead of a chip's.
    #[must_use]
    pub fn vlek(mut self) -> Self {
        self.issue.kind = LeafKind::Vlek;
        self.issue.authority.name = format!("SEV-VLEK-{}", self.product);
        self.issue.leaf_name = "SEV-VLEK".to_owned();
        self.key_flags(1 << 2)
    }

    /// Changes how the chain is issued.
    #[must_use]
    pub fn issue(mut self, change: impl FnOnce(&mut Issue)) -> Self {
        change(&mut self.issue);
        self
    }

    /// Signs the report and issues the chain.
    #[must_use]
    pub fn build(&self) -> Evidence {
        let mut report = self.report;
        let signature = issue::sign_report(&report[..SIGNED_BYTES]);
        for (at, half) in [at::SIGNATURE_R, at::SIGNATURE_S].into_iter().zip(signature.chunks(48)) {
            for (byte, value) in report[at..at + 48].iter_mut().zip(half.iter().rev()) {
                *byte = *value;
            }
        }
        let endorsements = self.issue.chain().into_bytes();
        Evidence { report: report.to_vec(), endorsements, ..self.evidence.clone() }
    }
}
