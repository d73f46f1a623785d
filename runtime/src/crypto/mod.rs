//! Keys and what is made with them: signatures over Merkle roots, sealed ledger entries,
//! certificates, recovery shares.
//!
//! Everything here computes with `aws-lc-rs`; the crates that verify use other implementations.
//! Secrets are zeroised when dropped and never printed.
//!
//! What applications see of it, in every language (reference A.8), is [`PrivateKey`] and
//! [`PublicKey`], the modules [`generate`], [`jwk`], [`signature`], [`wrap`] and [`x509`], [`enum@Hash`],
//! HMAC, and one error, [`CryptoError`].
//!
//! ```
//! use affiant::crypto::signature::{self, SignatureAlgorithm};
//! use affiant::crypto::{CryptoError, EcCurve, generate};
//!
//! let key = generate::ec_key(EcCurve::P384)?;
//! let algorithm = SignatureAlgorithm::for_key(key.kind())?;
//! let signed = signature::sign(algorithm, &key, b"what was said")?;
//! assert!(signature::verify(algorithm, &key.public_key()?, b"what was said", &signed)?);
//! # Ok::<(), CryptoError>(())
//! ```

mod certificate;
mod encryption;
mod error;
pub mod generate;
mod hash;
mod identity;
pub mod jwk;
mod keys;
mod moment;
mod pem;
mod private_key;
mod public_key;
mod sealer;
mod shares;
pub mod signature;
mod signer;
mod signing_request;
pub mod wrap;
pub mod x509;

pub use certificate::{CertificateRequest, IssuedCertificate, SubjectName};
pub use encryption::{EncryptionKey, rsa_encrypt};
pub use error::CryptoError;
pub use hash::{Hash, hmac_sign, hmac_verify};
pub use identity::MemberIdentity;
pub use keys::{Curve, SigningKey, random_bytes};
pub(crate) use moment::parse_moment;
pub use pem::{certificate_der, certificate_id, pem_encode, public_key_der};
pub use private_key::PrivateKey;
pub use public_key::{EcCurve, KeyKind, PublicKey};
pub use sealer::{LedgerSecret, RuntimeSealer};
pub use shares::{Share, SharedSecret, wrap_ledger_secret};
pub use signer::RuntimeSigner;
pub(crate) use signing_request::SigningRequest;
