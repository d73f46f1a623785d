//! The three fields of a report that are bits: the guest's policy, the platform's state, the key.

use serde::{Serialize, Serializer};

use crate::AttestError;

/// Bit 17 of a guest's policy, which the firmware demands to be one.
const MUST_BE_ONE: u64 = 1 << 17;
/// The bits of a guest's policy that have a meaning: 0 to 25.
const POLICY_BITS: u64 = (1 << 26) - 1;
/// The bits of the platform's state that are let through. Bit 6 has no published meaning, but
/// current Turin firmware sets it; bit 7 is SEV-TIO.
const PLATFORM_BITS: u64 = 0xff;
/// The bits of the key's flags that have a meaning: 0 to 4.
const KEY_BITS: u32 = 0x1f;

const fn bit(value: u64, at: u32) -> bool {
    value >> at & 1 == 1
}

/// What the owner of a guest allows the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuestPolicy(u64);

impl GuestPolicy {
    pub(crate) fn read(value: u64) -> Result<Self, AttestError> {
        if value & !POLICY_BITS != 0 {
            let why = format!("a reserved bit of the guest policy {value:#x} is set");
            return Err(AttestError::malformed("report", why));
        }
        if value & MUST_BE_ONE == 0 {
            let why = format!("bit 17 of the guest policy {value:#x} is zero and must be one");
            return Err(AttestError::malformed("report", why));
        }
        Ok(Self(value))
    }

    /// All bits.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The lowest minor version of the firmware's interface.
    #[must_use]
    pub const fn abi_minor(self) -> u8 {
        self.0.to_le_bytes()[0]
    }

    /// The lowest major version of the firmware's interface.
    #[must_use]
    pub const fn abi_major(self) -> u8 {
        self.0.to_le_bytes()[1]
    }

    /// Two threads may share a core.
    #[must_use]
    pub const fn smt(self) -> bool {
        bit(self.0, 16)
    }

    /// A migration agent may move the guest.
    #[must_use]
    pub const fn migration_agent(self) -> bool {
        bit(self.0, 18)
    }

    /// The host may read the guest's memory.
    #[must_use]
    pub const fn debug(self) -> bool {
        bit(self.0, 19)
    }

    /// The guest is bound to one socket.
    #[must_use]
    pub const fn single_socket(self) -> bool {
        bit(self.0, 20)
    }

    /// Memory may be on CXL devices.
    #[must_use]
    pub const fn cxl(self) -> bool {
        bit(self.0, 21)
    }

    /// Memory must be encrypted by AES-256-XTS.
    #[must_use]
    pub const fn aes_256_xts(self) -> bool {
        bit(self.0, 22)
    }

    /// Measuring the power that is used must be off.
    #[must_use]
    pub const fn rapl_disabled(self) -> bool {
        bit(self.0, 23)
    }

    /// Ciphertext must be hidden from the host.
    #[must_use]
    pub const fn ciphertext_hiding(self) -> bool {
        bit(self.0, 24)
    }

    /// The host may not move or swap out the guest's pages.
    #[must_use]
    pub const fn page_swap_disabled(self) -> bool {
        bit(self.0, 25)
    }
}

impl Serialize for GuestPolicy {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let mut fields = out.serialize_struct("GuestPolicy", 11)?;
        fields.serialize_field("abi_major", &self.abi_major())?;
        fields.serialize_field("abi_minor", &self.abi_minor())?;
        fields.serialize_field("smt", &self.smt())?;
        fields.serialize_field("migration_agent", &self.migration_agent())?;
        fields.serialize_field("debug", &self.debug())?;
        fields.serialize_field("single_socket", &self.single_socket())?;
        fields.serialize_field("cxl", &self.cxl())?;
        fields.serialize_field("aes_256_xts", &self.aes_256_xts())?;
        fields.serialize_field("rapl_disabled", &self.rapl_disabled())?;
        fields.serialize_field("ciphertext_hiding", &self.ciphertext_hiding())?;
        fields.serialize_field("page_swap_disabled", &self.page_swap_disabled())?;
        fields.end()
    }
}

/// How the platform under a guest is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlatformInfo(u64);

impl PlatformInfo {
    pub(crate) fn read(value: u64) -> Result<Self, AttestError> {
        if value & !PLATFORM_BITS != 0 {
            let why = format!("a reserved bit of the platform info {value:#x} is set");
            return Err(AttestError::malformed("report", why));
        }
        Ok(Self(value))
    }

    /// All bits.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Two threads of a core are on.
    #[must_use]
    pub const fn smt(self) -> bool {
        bit(self.0, 0)
    }

    /// All memory is encrypted transparently.
    #[must_use]
    pub const fn tsme(self) -> bool {
        bit(self.0, 1)
    }

    /// Memory has error correction.
    #[must_use]
    pub const fn ecc(self) -> bool {
        bit(self.0, 2)
    }

    /// Measuring the power that is used is off.
    #[must_use]
    pub const fn rapl_disabled(self) -> bool {
        bit(self.0, 3)
    }

    /// Ciphertext is hidden from the host.
    #[must_use]
    pub const fn ciphertext_hiding(self) -> bool {
        bit(self.0, 4)
    }

    /// Aliases of memory were looked for after the last reset, and there are none (BadRAM).
    #[must_use]
    pub const fn alias_check_complete(self) -> bool {
        bit(self.0, 5)
    }

    /// Devices may be trusted (SEV-TIO).
    #[must_use]
    pub const fn tio(self) -> bool {
        bit(self.0, 7)
    }
}

impl Serialize for PlatformInfo {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let mut fields = out.serialize_struct("PlatformInfo", 8)?;
        fields.serialize_field("bits", &self.0)?;
        fields.serialize_field("smt", &self.smt())?;
        fields.serialize_field("tsme", &self.tsme())?;
        fields.serialize_field("ecc", &self.ecc())?;
        fields.serialize_field("rapl_disabled", &self.rapl_disabled())?;
        fields.serialize_field("ciphertext_hiding", &self.ciphertext_hiding())?;
        fields.serialize_field("alias_check_complete", &self.alias_check_complete())?;
        fields.serialize_field("tio", &self.tio())?;
        fields.end()
    }
}

/// Which kind of key signed a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum SigningKey {
    /// Versioned chip endorsement key: of one chip.
    #[serde(rename = "VCEK")]
    Vcek,
    /// Versioned loaded endorsement key: of a cloud provider.
    #[serde(rename = "VLEK")]
    Vlek,
    /// None: the report is not signed.
    #[serde(rename = "none")]
    None,
}

impl SigningKey {
    /// As AMD writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vcek => "VCEK",
            Self::Vlek => "VLEK",
            Self::None => "none",
        }
    }
}

/// Which key signed, and which keys are masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyFlags(u32);

impl KeyFlags {
    pub(crate) fn read(value: u32) -> Result<Self, AttestError> {
        if value & !KEY_BITS != 0 {
            let why = format!("a reserved bit of the flags {value:#x} is set");
            return Err(AttestError::malformed("report", why));
        }
        match value >> 2 {
            0 | 1 | 7 => Ok(Self(value)),
            key => Err(AttestError::Unknown { what: "signing key", found: key.to_string() }),
        }
    }

    /// All bits.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The digest of an author key is in the report.
    #[must_use]
    pub const fn author_key(self) -> bool {
        self.0 & 1 == 1
    }

    /// The host keeps the chip's key from signing.
    #[must_use]
    pub const fn mask_chip_key(self) -> bool {
        self.0 >> 1 & 1 == 1
    }

    /// The key that signed.
    #[must_use]
    pub const fn signing_key(self) -> SigningKey {
        match self.0 >> 2 {
            0 => SigningKey::Vcek,
            1 => SigningKey::Vlek,
            _ => SigningKey::None,
        }
    }
}

impl Serialize for KeyFlags {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let mut fields = out.serialize_struct("KeyFlags", 3)?;
        fields.serialize_field("author_key", &self.author_key())?;
        fields.serialize_field("mask_chip_key", &self.mask_chip_key())?;
        fields.serialize_field("signing_key", &self.signing_key())?;
        fields.end()
    }
}
