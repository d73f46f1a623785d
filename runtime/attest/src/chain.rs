//! The chain behind a report's signature: VCEK or VLEK, then ASK or ASVK, then ARK.
//!
//! The ARK is pinned by the SHA-384 of its public key, one per product; nothing in the chain is
//! believed for being there. Every rule is a method of its own, so that a verdict can show each.

mod certificate;
mod extensions;
mod pem;
mod revocation;
mod roots;

pub use extensions::{LeafFacts, LeafKind};
pub(crate) use pem::certificates;
pub use pem::to_pem;
pub use revocation::RevocationList;

use crate::AttestError;
use crate::tcb::Product;
use certificate::Certificate;

/// The names of a chain's certificates, in its order.
const ROLES: [&str; 3] = ["leaf", "ASK", "ARK"];

/// A chain, read but not verified.
#[derive(Clone, Debug)]
pub struct Chain {
    leaf: Certificate,
    authority: Certificate,
    root: Certificate,
    facts: LeafFacts,
}

/// When one certificate of a chain is valid, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// `leaf`, `ASK` or `ARK`.
    pub role: &'static str,
    /// The first second.
    pub not_before: u64,
    /// The last second.
    pub not_after: u64,
}

impl Chain {
    /// Reads a chain: PEM, as hosts write it (any white space around lines and certificates), or
    /// DER certificates one after the other; leaf, ASK, ARK in this order.
    ///
    /// # Errors
    /// It is too large, has another number of certificates, one of them cannot be read or holds a
    /// key or algorithm other than AMD's, or the leaf's extensions are not those of a VCEK or VLEK.
    pub fn parse(bytes: &[u8]) -> Result<Self, AttestError> {
        let ders = certificates(bytes)?;
        let [leaf, authority, root] = ders.as_slice() else {
            let why = format!(
                "it has {} certificates; leaf, ASK and ARK, in this order, are due",
                ders.len()
            );
            return Err(AttestError::malformed("certificate chain", why));
        };
        let leaf = Certificate::parse("leaf certificate", leaf)?;
        let authority = Certificate::parse("ASK certificate", authority)?;
        let root = Certificate::parse("ARK certificate", root)?;
        leaf.check_leaf_key()?;
        authority.check_authority_key()?;
        root.check_authority_key()?;
        let facts = LeafFacts::read(&leaf)?;
        Ok(Self { leaf, authority, root, facts })
    }

    /// What the leaf says of the chip and its firmware.
    #[must_use]
    pub const fn leaf(&self) -> &LeafFacts {
        &self.facts
    }

    /// The SHA-384 of the ARK's public key, in hex.
    #[must_use]
    pub fn root_digest(&self) -> String {
        roots::digest_hex(self.root.public_key_info())
    }

    /// Whether the ARK is that of `product`.
    #[must_use]
    pub fn is_root_of(&self, product: Product) -> bool {
        roots::is_pinned(product, self.root.public_key_info())
    }

    /// The pin of a product, in hex: what [`Chain::root_digest`] must be.
    #[must_use]
    pub fn pin_of(product: Product) -> String {
        roots::pin_hex(product)
    }

    /// Checks the three signatures: the ARK's by itself, the ASK's by the ARK, the leaf's by the
    /// ASK.
    ///
    /// # Errors
    /// The first that does not verify.
    pub fn check_signatures(&self) -> Result<(), AttestError> {
        self.root.check_signed_by(&self.root)?;
        self.authority.check_signed_by(&self.root)?;
        self.leaf.check_signed_by(&self.authority)
    }

    /// Checks names, CA constraints and key usage: that each certificate may stand where it does,
    /// and that the ASK is one for this kind of leaf.
    ///
    /// # Errors
    /// In words, the first that does not hold.
    pub fn check_constraints(&self) -> Result<(), String> {
        self.root.check_authority(1)?;
        self.authority.check_authority(0)?;
        self.leaf.check_not_authority()?;
        self.root.check_issued_by(&self.root)?;
        self.authority.check_issued_by(&self.root)?;
        self.leaf.check_issued_by(&self.authority)?;
        let (kind, product) = (self.facts.kind, self.facts.product);
        for (certificate, wanted) in [
            (&self.leaf, kind.leaf_name().to_owned()),
            (&self.authority, kind.authority_name(product)),
            (&self.root, format!("ARK-{product}")),
        ] {
            let found = certificate.common_name();
            if found.as_deref() != Some(wanted.as_str()) {
                let found = found.unwrap_or_else(|| "without common name".to_owned());
                return Err(format!(
                    "the {} is named {found} and not {wanted}",
                    certificate.what()
                ));
            }
        }
        Ok(())
    }

    /// When each certificate is valid.
    #[must_use]
    pub fn validity(&self) -> [Validity; 3] {
        let [leaf, authority, root] = ROLES;
        [(leaf, &self.leaf), (authority, &self.authority), (root, &self.root)].map(
            |(role, certificate)| {
                let (not_before, not_after) = certificate.validity();
                Validity { role, not_before, not_after }
            },
        )
    }

    /// Checks a signature by the leaf's key: ECDSA on P-384 with SHA-384, R then S, highest byte
    /// first.
    ///
    /// # Errors
    /// It does not verify.
    pub fn check_report_signature(
        &self,
        signed: &[u8],
        signature: &[u8],
    ) -> Result<(), AttestError> {
        self.leaf.check_ecdsa(signed, signature)
    }
}
