//! Products, and the security versions of the firmware under a guest.
//!
//! The eight bytes of a TCB version are laid out differently on Turin than before, so they are
//! never compared as integers: only component by component, and only within a product.

use core::fmt;
use core::str::FromStr;

use serde::Serialize;

use crate::{AttestError, hex};

/// A generation of processors: those that share a root key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Product {
    /// EPYC 7003.
    Milan,
    /// EPYC 9004 and 8004: Bergamo and Siena too.
    Genoa,
    /// EPYC 9005.
    Turin,
}

impl Product {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Milan, Self::Genoa, Self::Turin];

    /// By the family and model that CPUID shows, both with their extensions added.
    #[must_use]
    pub const fn from_cpuid(family: u8, model: u8) -> Option<Self> {
        match (family, model) {
            (0x19, 0x00..=0x0f) => Some(Self::Milan),
            (0x19, 0x10..=0x1f | 0xa0..=0xaf) => Some(Self::Genoa),
            // Classic and Dense. The rest of the family is another product, with another root.
            (0x1a, 0x00..=0x1f) => Some(Self::Turin),
            _ => None,
        }
    }

    /// By the product name in a certificate: the name, or the name, a hyphen and a stepping.
    #[must_use]
    pub fn from_certificate(name: &str) -> Option<Self> {
        match name.split_once('-').map_or(name, |(product, _)| product) {
            "Milan" => Some(Self::Milan),
            "Genoa" | "Bergamo" | "Siena" => Some(Self::Genoa),
            "Turin" => Some(Self::Turin),
            _ => None,
        }
    }

    /// The name, as AMD writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Milan => "Milan",
            Self::Genoa => "Genoa",
            Self::Turin => "Turin",
        }
    }
}

impl fmt::Display for Product {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

impl FromStr for Product {
    type Err = AttestError;

    fn from_str(name: &str) -> Result<Self, AttestError> {
        Self::ALL.into_iter().find(|product| product.name() == name).ok_or_else(|| {
            AttestError::Unknown {
                what: "product (Milan, Genoa and Turin are known)",
                found: name.to_owned(),
            }
        })
    }
}

/// The eight bytes of a TCB version, in the order of the report. What they mean depends on the
/// product: see [`TcbVersion::from_bytes`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcbBytes(pub [u8; 8]);

impl TcbBytes {
    /// As CCF, THIM and the sidecars write it: the last byte first, 16 hex digits.
    #[must_use]
    pub fn to_hex(self) -> String {
        let Self(mut bytes) = self;
        bytes.reverse();
        hex::encode(&bytes)
    }
}

impl Serialize for TcbBytes {
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&self.to_hex())
    }
}

/// The security version of each component of the firmware.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TcbVersion {
    /// Firmware management controller; Turin only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fmc: Option<u8>,
    /// Boot loader.
    pub boot_loader: u8,
    /// Trusted execution environment.
    pub tee: u8,
    /// SNP firmware.
    pub snp: u8,
    /// Microcode.
    pub microcode: u8,
}

impl TcbVersion {
    /// Reads the eight bytes as the product lays them out.
    ///
    /// # Errors
    /// A reserved byte is not zero.
    pub fn from_bytes(product: Product, bytes: TcbBytes) -> Result<Self, AttestError> {
        let TcbBytes([b0, b1, b2, b3, b4, b5, b6, microcode]) = bytes;
        let (read, reserved) = match product {
            Product::Milan | Product::Genoa => {
                let read = Self { fmc: None, boot_loader: b0, tee: b1, snp: b6, microcode };
                (read, b2 | b3 | b4 | b5)
            }
            Product::Turin => {
                let read = Self { fmc: Some(b0), boot_loader: b1, tee: b2, snp: b3, microcode };
                (read, b4 | b5 | b6)
            }
        };
        if reserved != 0 {
            let why = format!("{} has a reserved byte set, for {product}", bytes.to_hex());
            return Err(AttestError::malformed("TCB version", why));
        }
        Ok(read)
    }

    /// Writes the eight bytes as the product lays them out.
    #[must_use]
    pub const fn to_bytes(self, product: Product) -> TcbBytes {
        let Self { fmc, boot_loader, tee, snp, microcode } = self;
        TcbBytes(match product {
            Product::Milan | Product::Genoa => [boot_loader, tee, 0, 0, 0, 0, snp, microcode],
            Product::Turin => {
                let fmc = match fmc {
                    Some(fmc) => fmc,
                    None => 0,
                };
                [fmc, boot_loader, tee, snp, 0, 0, 0, microcode]
            }
        })
    }

    /// The components and their names, in a fixed order; FMC only where there is one.
    pub fn components(&self) -> impl Iterator<Item = (&'static str, u8)> + use<> {
        let rest = [
            ("boot_loader", self.boot_loader),
            ("tee", self.tee),
            ("snp", self.snp),
            ("microcode", self.microcode),
        ];
        self.fmc.map(|fmc| ("fmc", fmc)).into_iter().chain(rest)
    }

    /// The names of the components that are lower here than in `other`; a component that only one
    /// of the two has counts as lower.
    #[must_use]
    pub fn lower_than(&self, other: &Self) -> Vec<&'static str> {
        if self.fmc.is_some() != other.fmc.is_some() {
            return vec!["fmc"];
        }
        let pairs = self.components().zip(other.components());
        pairs.filter(|((_, mine), (_, theirs))| mine < theirs).map(|((name, _), _)| name).collect()
    }
}

impl fmt::Display for TcbVersion {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, version)) in self.components().enumerate() {
            let space = if index == 0 { "" } else { " " };
            write!(out, "{space}{name} {version}")?;
        }
        Ok(())
    }
}

/// In which order a TCB version was written as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteOrder {
    /// The last byte of the report's first, as CCF does.
    LastFirst,
    /// In the report's order.
    FirstFirst,
}

/// Whether `text`, 16 hex digits, is this TCB version: in CCF's order, or in the report's, as
/// sidecars of another age write it. `None`: in neither.
///
/// # Errors
/// It is not 16 hex digits.
pub fn matches_hex(text: &str, tcb: TcbBytes) -> Result<Option<ByteOrder>, AttestError> {
    let mut bytes = hex::decode::<8>("endorsed TCB version", text)?;
    if bytes == tcb.0 {
        return Ok(Some(ByteOrder::FirstFirst));
    }
    bytes.reverse();
    Ok((bytes == tcb.0).then_some(ByteOrder::LastFirst))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILAN: TcbBytes = TcbBytes([4, 0, 0, 0, 0, 0, 0x18, 0xdb]);
    const TURIN: TcbBytes = TcbBytes([1, 1, 1, 4, 0, 0, 0, 0x51]);

    #[test]
    fn each_product_has_its_layout() {
        let milan = TcbVersion::from_bytes(Product::Milan, MILAN).unwrap();
        assert_eq!(milan.to_string(), "boot_loader 4 tee 0 snp 24 microcode 219");
        assert_eq!(MILAN.to_hex(), "db18000000000004");
        let turin = TcbVersion::from_bytes(Product::Turin, TURIN).unwrap();
        assert_eq!(turin.to_string(), "fmc 1 boot_loader 1 tee 1 snp 4 microcode 81");
        assert_eq!(TURIN.to_hex(), "5100000004010101");
        assert_eq!(milan.to_bytes(Product::Genoa), MILAN);
        assert_eq!(turin.to_bytes(Product::Turin), TURIN);
    }

    #[test]
    fn reserved_bytes_of_each_layout_are_zero() {
        for (product, reserved) in [(Product::Milan, 2..6), (Product::Turin, 4..7)] {
            for at in reserved {
                let mut bytes = [0_u8; 8];
                bytes[at] = 1;
                assert!(TcbVersion::from_bytes(product, TcbBytes(bytes)).is_err(), "{at}");
            }
        }
    }

    #[test]
    fn versions_are_compared_by_component() {
        let low = TcbVersion { fmc: None, boot_loader: 9, tee: 0, snp: 8, microcode: 1 };
        let high = TcbVersion { fmc: None, boot_loader: 3, tee: 0, snp: 9, microcode: 1 };
        assert_eq!(low.lower_than(&high), ["snp"]);
        assert_eq!(high.lower_than(&low), ["boot_loader"]);
        let turin = TcbVersion { fmc: Some(9), ..high };
        assert_eq!(turin.lower_than(&high), ["fmc"]);
        assert_eq!(high.lower_than(&turin), ["fmc"]);
    }

    #[test]
    fn both_orders_of_an_endorsed_tcb_are_told_apart() {
        assert_eq!(matches_hex("DB18000000000004", MILAN).unwrap(), Some(ByteOrder::LastFirst));
        assert_eq!(matches_hex("04000000000018db", MILAN).unwrap(), Some(ByteOrder::FirstFirst));
        assert_eq!(matches_hex("04000000000017db", MILAN).unwrap(), None);
        assert!(matches_hex("4000000000018db", MILAN).is_err());
    }

    #[test]
    fn products_by_model_and_by_certificate() {
        assert_eq!(Product::from_cpuid(0x19, 0x01), Some(Product::Milan));
        assert_eq!(Product::from_cpuid(0x19, 0x11), Some(Product::Genoa));
        assert_eq!(Product::from_cpuid(0x19, 0xa0), Some(Product::Genoa));
        assert_eq!(Product::from_cpuid(0x19, 0x20), None);
        assert_eq!(Product::from_cpuid(0x1a, 0x11), Some(Product::Turin));
        assert_eq!(Product::from_cpuid(0x1a, 0x50), None);
        assert_eq!(Product::from_certificate("Milan-B0"), Some(Product::Milan));
        assert_eq!(Product::from_certificate("Siena"), Some(Product::Genoa));
        assert_eq!(Product::from_certificate("Milano"), None);
    }
}
