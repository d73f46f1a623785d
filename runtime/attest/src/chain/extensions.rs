//! What AMD writes into a VCEK or VLEK certificate beside the key.
//!
//! Source: AMD, Versioned Chip Endorsement Key Certificate and KDS Interface Specification (57230),
//! and its VLEK sister (58369): object identifiers under 1.3.6.1.4.1.3704.1.

use der::Decode as _;
use der::asn1::Ia5StringRef;
use der::oid::ObjectIdentifier;
use serde::Serialize;

use super::certificate::Certificate;
use crate::report::SigningKey;
use crate::tcb::{Product, TcbVersion};
use crate::{AttestError, hex};

const WHAT: &str = "leaf certificate";

const fn id(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

const STRUCT_VERSION: ObjectIdentifier = id("1.3.6.1.4.1.3704.1.1");
const PRODUCT_NAME: ObjectIdentifier = id("1.3.6.1.4.1.3704.1.2");
const BOOT_LOADER: ObjectIdentifier = id("1.3.6.1.4.1.3704.1.3.1");
const TEE: ObjectIdentifier = id("1.3.6.1.4.1.3704.1.3.2");
const SNP: ObjectIdentifier = id("1.3.6.1.4.1.3704.1.3.3");
const SPARE: [ObjectIdentifier; 4] = [
    id("1.3.6.1.4.1.3704.1.3.4"),
    id("1.3.6.1.4.1.3704.1.3.5"),
    id("1.3.6.1.4.1.3704.1.3.6"),
    id("1.3.6.1.4.1.3704.1.3.7"),
];
const MICROCODE: ObjectIdentifier = id("1.3.6.1.4.1.3704.1.3.8");
const FMC: ObjectIdentifier = id("1.3.6.1.4.1.3704.1.3.9");
const HARDWARE_ID: ObjectIdentifier = id("1.3.6.1.4.1.3704.1.4");
const CSP_ID: ObjectIdentifier = id("1.3.6.1.4.1.3704.1.5");

/// The newest structure of these extensions that this crate knows.
const STRUCT_VERSION_MAX: u8 = 1;

/// Whose key a leaf certifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum LeafKind {
    /// A chip's.
    #[serde(rename = "VCEK")]
    Vcek,
    /// A cloud provider's.
    #[serde(rename = "VLEK")]
    Vlek,
}

impl LeafKind {
    /// As AMD writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.signing_key().name()
    }

    /// The same in a report.
    #[must_use]
    pub const fn signing_key(self) -> SigningKey {
        match self {
            Self::Vcek => SigningKey::Vcek,
            Self::Vlek => SigningKey::Vlek,
        }
    }

    pub(super) const fn leaf_name(self) -> &'static str {
        match self {
            Self::Vcek => "SEV-VCEK",
            Self::Vlek => "SEV-VLEK",
        }
    }

    pub(super) fn authority_name(self, product: Product) -> String {
        match self {
            Self::Vcek => format!("SEV-{product}"),
            Self::Vlek => format!("SEV-VLEK-{product}"),
        }
    }
}

/// What a leaf says, whether or not it is to be believed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeafFacts {
    /// Whose key it is.
    pub kind: LeafKind,
    /// The product.
    pub product: Product,
    /// The product as the certificate names it, with its stepping.
    pub product_name: String,
    /// The firmware that the key was derived for.
    pub tcb: TcbVersion,
    /// The chip: 64 bytes, 8 on Turin, hex; VCEK only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hardware_id: Option<String>,
    /// The cloud provider; VLEK only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub csp_id: Option<String>,
    #[serde(skip)]
    hardware_id_bytes: Vec<u8>,
}

impl LeafFacts {
    pub(super) fn read(leaf: &Certificate) -> Result<Self, AttestError> {
        let version = number(leaf, STRUCT_VERSION)?;
        if version > STRUCT_VERSION_MAX {
            let (what, found) = ("structure of a leaf certificate", version.to_string());
            return Err(AttestError::Unknown { what, found });
        }
        let product_name = text(leaf, PRODUCT_NAME)?;
        let Some(product) = Product::from_certificate(&product_name) else {
            return Err(AttestError::Unknown { what: "product", found: product_name });
        };
        let kind = match (leaf.extension(HARDWARE_ID), leaf.extension(CSP_ID)) {
            (Some(_), None) => LeafKind::Vcek,
            (None, Some(_)) => LeafKind::Vlek,
            _ => return Err(refused("exactly one of hardware id and CSP id is due")),
        };
        let hardware_id = leaf.extension(HARDWARE_ID).unwrap_or_default();
        let hardware_id_bytes = hardware_id_of(product, kind, hardware_id)?;
        let csp_id = (kind == LeafKind::Vlek).then(|| text(leaf, CSP_ID)).transpose()?;
        let tcb = tcb(leaf, product)?;
        let hardware_id = (kind == LeafKind::Vcek).then(|| hex::encode(&hardware_id_bytes));
        Ok(Self { kind, product, product_name, tcb, hardware_id, csp_id, hardware_id_bytes })
    }

    /// Whether a report's chip id is that of this VCEK: all of it, and zeros after Turin's 8 bytes.
    /// A VLEK is of no chip.
    #[must_use]
    pub fn is_of_chip(&self, chip_id: &[u8; 64]) -> bool {
        let id = &self.hardware_id_bytes;
        let Some((head, tail)) = chip_id.split_at_checked(id.len()) else { return false };
        !id.is_empty() && head == id && tail.iter().all(|byte| *byte == 0)
    }
}

fn refused(why: impl Into<String>) -> AttestError {
    AttestError::malformed(WHAT, why)
}

/// The hardware id: its bytes as they are, not wrapped in an octet string of their own.
fn hardware_id_of(product: Product, kind: LeafKind, found: &[u8]) -> Result<Vec<u8>, AttestError> {
    let wanted = match (kind, product) {
        (LeafKind::Vlek, _) => 0,
        (LeafKind::Vcek, Product::Turin) => 8,
        (LeafKind::Vcek, Product::Milan | Product::Genoa) => 64,
    };
    if found.len() != wanted {
        let why = format!("its hardware id has {} bytes; {wanted} are due", found.len());
        return Err(refused(why));
    }
    if wanted > 0 && found.iter().all(|byte| *byte == 0) {
        return Err(refused("its hardware id is zero"));
    }
    Ok(found.to_vec())
}

fn tcb(leaf: &Certificate, product: Product) -> Result<TcbVersion, AttestError> {
    for spare in SPARE {
        if leaf.extension(spare).is_some() && number(leaf, spare)? != 0 {
            return Err(refused(format!("the spare component {spare} is not zero")));
        }
    }
    let fmc = match (product, leaf.extension(FMC)) {
        (Product::Turin, _) => Some(number(leaf, FMC)?),
        (_, None) => None,
        (_, Some(_)) => return Err(refused(format!("an FMC version, which {product} has not"))),
    };
    Ok(TcbVersion {
        fmc,
        boot_loader: number(leaf, BOOT_LOADER)?,
        tee: number(leaf, TEE)?,
        snp: number(leaf, SNP)?,
        microcode: number(leaf, MICROCODE)?,
    })
}

/// An INTEGER from 0 to 255 in DER: above 127 it has a zero byte before it.
fn number(leaf: &Certificate, id: ObjectIdentifier) -> Result<u8, AttestError> {
    let value = leaf.extension(id).ok_or_else(|| refused(format!("no extension {id}")))?;
    u8::from_der(value).map_err(|_| refused(format!("the extension {id} is no number of a byte")))
}

fn text(leaf: &Certificate, id: ObjectIdentifier) -> Result<String, AttestError> {
    let value = leaf.extension(id).ok_or_else(|| refused(format!("no extension {id}")))?;
    let text = Ia5StringRef::from_der(value)
        .map_err(|_| refused(format!("the extension {id} is no text")))?;
    Ok(text.as_str().to_owned())
}
