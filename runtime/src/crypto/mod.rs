//! Keys and what is made with them: signatures over Merkle roots, sealed ledger entries,
//! certificates, recovery shares.
//!
//! Everything here computes with `aws-lc-rs`; the crates that verify use other implementations.
//! Secrets are zeroised when dropped and never printed.

mod certificate;
mod encryption;
mod error;
mod identity;
pub mod jwk;
mod keys;
mod pem;
mod public_key;
mod sealer;
mod shares;
mod signer;

pub use certificate::{CertificateRequest, IssuedCertificate, SubjectName};
pub use encryption::{EncryptionKey, rsa_encrypt};
pub use error::CryptoError;
pub use identity::MemberIdentity;
pub use keys::{Curve, SigningKey, random_bytes};
pub use pem::{certificate_der, certificate_id, pem_encode, public_key_der};
pub use public_key::{EcCurve, KeyKind, PublicKey};
pub use sealer::{LedgerSecret, RuntimeSealer};
pub use shares::{Share, SharedSecret, wrap_ledger_secret};
pub use signer::RuntimeSigner;
