//! The attestation report: 1,184 bytes that the secure processor signs.
//!
//! Layout: AMD, SEV Secure Nested Paging Firmware ABI Specification (56860), table
//! ATTESTATION_REPORT, versions 2, 3 and 5. Reading is strict: the exact length, a known version,
//! every reserved byte zero. Nothing here says that the report is genuine: [`crate::verify`] does.

mod bits;
mod read;

pub use bits::{GuestPolicy, KeyFlags, PlatformInfo, SigningKey};

use core::fmt;

use serde::Serialize;

use crate::limits::REPORT_DATA_BYTES;
use crate::tcb::{Product, TcbBytes, TcbVersion};
use crate::{AttestError, hex};

/// Bytes of a report that are signed: from its start.
pub const SIGNED_BYTES: usize = 0x2a0;
/// Bytes of one coordinate of P-384.
const COORDINATE_BYTES: usize = 48;
/// Bytes that the report gives to one half of the signature.
const SIGNATURE_HALF_BYTES: usize = 72;

/// A report, read but not verified. Byte strings serialise as hex.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Of the format: 2, 3 or 5.
    pub version: u32,
    /// The guest's own security version, of its ID block.
    pub guest_svn: u32,
    /// What the guest's owner allows the host.
    pub policy: GuestPolicy,
    /// Of the guest's ID block.
    #[serde(serialize_with = "hex::serialize")]
    pub family_id: [u8; 16],
    /// Of the guest's ID block.
    #[serde(serialize_with = "hex::serialize")]
    pub image_id: [u8; 16],
    /// The privilege level that asked for the report.
    pub vmpl: u32,
    /// 1: ECDSA on P-384 with SHA-384.
    pub signature_algorithm: u32,
    /// The firmware that runs.
    pub current_tcb: TcbBytes,
    /// How the platform is set up.
    pub platform_info: PlatformInfo,
    /// Which key signed.
    pub key_flags: KeyFlags,
    /// What the guest asked to be signed.
    #[serde(serialize_with = "hex::serialize")]
    pub report_data: [u8; REPORT_DATA_BYTES],
    /// Of the guest's memory at launch.
    #[serde(serialize_with = "hex::serialize")]
    pub measurement: [u8; 48],
    /// What the host gave at launch.
    #[serde(serialize_with = "hex::serialize")]
    pub host_data: [u8; 32],
    /// SHA-384 of the key that signed the ID block.
    #[serde(serialize_with = "hex::serialize")]
    pub id_key_digest: [u8; 48],
    /// SHA-384 of the key that certified the ID key.
    #[serde(serialize_with = "hex::serialize")]
    pub author_key_digest: [u8; 48],
    /// Of this guest, random at launch.
    #[serde(serialize_with = "hex::serialize")]
    pub report_id: [u8; 32],
    /// Of the guest's migration agent; all ones where there is none.
    #[serde(serialize_with = "hex::serialize")]
    pub report_id_ma: [u8; 32],
    /// The firmware that the signing key was derived for.
    pub reported_tcb: TcbBytes,
    /// The processor; since version 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpuid: Option<Cpuid>,
    /// Of the chip; zero where the host masks it or the key is a VLEK.
    #[serde(serialize_with = "hex::serialize")]
    pub chip_id: [u8; 64],
    /// The firmware that cannot be gone back from.
    pub committed_tcb: TcbBytes,
    /// The firmware that runs.
    pub current_firmware: FirmwareVersion,
    /// The firmware that cannot be gone back from.
    pub committed_firmware: FirmwareVersion,
    /// The firmware that ran at launch.
    pub launch_tcb: TcbBytes,
    /// Since version 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mitigations: Option<Mitigations>,
    /// Of the first [`SIGNED_BYTES`].
    pub signature: ReportSignature,
    /// The bytes that are signed.
    #[serde(skip)]
    signed: Box<[u8]>,
}

/// Family, model and stepping, the former two with their extensions added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Cpuid {
    /// 0x19 or 0x1a.
    pub family: u8,
    /// Within the family.
    pub model: u8,
    /// Within the model: 0 to 15.
    pub stepping: u8,
}

impl Cpuid {
    /// By EAX of CPUID function 1; `None` if that is of a family or model over 255.
    #[must_use]
    pub fn from_eax(eax: u32) -> Option<Self> {
        let base_family = (eax >> 8) & 0xf;
        let family = base_family + if base_family == 0xf { (eax >> 20) & 0xff } else { 0 };
        let model = ((eax >> 4) & 0xf) | ((eax >> 12) & 0xf0);
        let byte = |value: u32| u8::try_from(value).ok();
        Some(Self { family: byte(family)?, model: byte(model)?, stepping: byte(eax & 0xf)? })
    }

    /// EAX of CPUID function 1, by which CCF's tables name processors; `None` for what that
    /// register cannot hold.
    #[must_use]
    pub fn eax(self) -> Option<u32> {
        const BASE_FAMILY: u8 = 0x0f;
        let extended = u32::from(self.family.checked_sub(BASE_FAMILY)?);
        if self.stepping > 0x0f {
            return None;
        }
        let (high, low) = (u32::from(self.model >> 4), u32::from(self.model & 0x0f));
        let stepping = u32::from(self.stepping);
        Some(extended << 20 | high << 16 | u32::from(BASE_FAMILY) << 8 | low << 4 | stepping)
    }
}

impl fmt::Display for Cpuid {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { family, model, stepping } = self;
        write!(out, "family {family:#04x} model {model:#04x} stepping {stepping}")
    }
}

/// The version of the firmware of the secure processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct FirmwareVersion {
    /// Major version of the interface.
    pub major: u8,
    /// Minor version of the interface.
    pub minor: u8,
    /// Build.
    pub build: u8,
}

impl fmt::Display for FirmwareVersion {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}.{}", self.major, self.minor, self.build)
    }
}

/// Which mitigations the firmware has verified: one bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Mitigations {
    /// When the guest was launched.
    pub launch: u64,
    /// Now.
    pub current: u64,
}

/// ECDSA on P-384. The report holds both halves with their lowest byte first, in 72 bytes each.
#[derive(Clone, PartialEq, Eq)]
pub struct ReportSignature {
    r: [u8; COORDINATE_BYTES],
    s: [u8; COORDINATE_BYTES],
}

impl ReportSignature {
    /// Both halves as the rest of the world writes them: R then S, 48 bytes each, highest byte
    /// first.
    #[must_use]
    pub fn to_fixed(&self) -> [u8; 2 * COORDINATE_BYTES] {
        let mut bytes = [0_u8; 2 * COORDINATE_BYTES];
        let halves = self.r.iter().rev().chain(self.s.iter().rev());
        for (byte, half) in bytes.iter_mut().zip(halves) {
            *byte = *half;
        }
        bytes
    }

    /// R as in the report: 72 bytes, lowest first.
    #[must_use]
    pub fn r_le(&self) -> [u8; SIGNATURE_HALF_BYTES] {
        padded(&self.r)
    }

    /// S as in the report: 72 bytes, lowest first.
    #[must_use]
    pub fn s_le(&self) -> [u8; SIGNATURE_HALF_BYTES] {
        padded(&self.s)
    }

    /// R, highest byte first.
    #[must_use]
    pub fn r_be(&self) -> [u8; COORDINATE_BYTES] {
        let mut bytes = self.r;
        bytes.reverse();
        bytes
    }

    /// S, highest byte first.
    #[must_use]
    pub fn s_be(&self) -> [u8; COORDINATE_BYTES] {
        let mut bytes = self.s;
        bytes.reverse();
        bytes
    }
}

fn padded(half: &[u8; COORDINATE_BYTES]) -> [u8; SIGNATURE_HALF_BYTES] {
    let mut bytes = [0_u8; SIGNATURE_HALF_BYTES];
    for (byte, value) in bytes.iter_mut().zip(half) {
        *byte = *value;
    }
    bytes
}

/// Both halves, highest byte first.
impl Serialize for ReportSignature {
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let mut fields = out.serialize_struct("ReportSignature", 2)?;
        fields.serialize_field("r", &hex::encode(&self.r_be()))?;
        fields.serialize_field("s", &hex::encode(&self.s_be()))?;
        fields.end()
    }
}

/// The four TCB versions of a report, read as its product lays them out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ReportTcb {
    /// The firmware that runs.
    pub current: TcbVersion,
    /// The firmware that the signing key was derived for.
    pub reported: TcbVersion,
    /// The firmware that cannot be gone back from.
    pub committed: TcbVersion,
    /// The firmware that ran at launch.
    pub launch: TcbVersion,
}

impl Report {
    /// Reads a report.
    ///
    /// # Errors
    /// Another length than [`crate::limits::REPORT_BYTES`], another version than 2, 3 and 5,
    /// another algorithm, or a reserved byte or bit that is not zero.
    pub fn parse(bytes: &[u8]) -> Result<Self, AttestError> {
        read::report(bytes)
    }

    /// The bytes that the signature covers.
    #[must_use]
    pub fn signed_bytes(&self) -> &[u8] {
        &self.signed
    }

    /// The product by the processor's id; `None` where the report has none (version 2) or it is of
    /// no product that this crate knows.
    #[must_use]
    pub fn product(&self) -> Option<Product> {
        self.cpuid.and_then(|cpuid| Product::from_cpuid(cpuid.family, cpuid.model))
    }

    /// The TCB versions, as `product` lays them out.
    ///
    /// # Errors
    /// A reserved byte of one of them is not zero.
    pub fn tcb(&self, product: Product) -> Result<ReportTcb, AttestError> {
        let read = |bytes| TcbVersion::from_bytes(product, bytes);
        Ok(ReportTcb {
            current: read(self.current_tcb)?,
            reported: read(self.reported_tcb)?,
            committed: read(self.committed_tcb)?,
            launch: read(self.launch_tcb)?,
        })
    }

    /// Whether the report shows no chip id.
    #[must_use]
    pub fn is_chip_id_masked(&self) -> bool {
        self.chip_id.iter().all(|byte| *byte == 0)
    }
}

/// The fields that identify it; the whole of it serialises.
impl fmt::Debug for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Report")
            .field("version", &self.version)
            .field("measurement", &hex::encode(&self.measurement))
            .field("host_data", &hex::encode(&self.host_data))
            .field("report_data", &hex::encode(&self.report_data))
            .finish_non_exhaustive()
    }
}
