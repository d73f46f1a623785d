//! Keys of token issuers: how they get into the tables (reference: surface C.3).
//!
//! Governance registers an issuer and its keys; for an issuer with `auto_refresh` the node fetches
//! them itself. Both end in [`set_public_signing_keys`]. Tokens are checked in [`crate::auth`].
//!
//! ```
//! use affiant::jwt::set_public_signing_keys;
//! use serde_json::{Value, json};
//!
//! # let mut tx = affiant_kv::Store::new().begin();
//! let keys = json!({"keys": [{
//!     "kty": "EC", "crv": "P-256", "kid": "2026-01",
//!     "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
//!     "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
//! }]});
//! set_public_signing_keys(&mut tx, "https://login.example.com", &Value::Null, &keys)?;
//! # assert!(tx.has_writes());
//! # Ok::<(), affiant::jwt::JwtKeyError>(())
//! ```

mod fetch;
mod issuer;
mod keys;
mod refresh;
mod trust;

use core::fmt;

use affiant_kv::KvError;

pub(crate) use issuer::admits;
pub use keys::{remove_public_signing_keys, set_public_signing_keys};
pub(crate) use refresh::{RefreshCounters, Refresher};

/// Why a set of keys was not taken. Nothing of it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwtKeyError(String);

impl JwtKeyError {
    /// About the set as a whole.
    fn set(reason: impl fmt::Display) -> Self {
        Self(format!("JWKS {reason}"))
    }

    /// About one field of one key.
    fn key(kid: &str, field: &str, reason: impl fmt::Display) -> Self {
        Self(format!("JWKS kid {kid}: {field}: {reason}"))
    }
}

impl fmt::Display for JwtKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for JwtKeyError {}

impl From<KvError> for JwtKeyError {
    fn from(error: KvError) -> Self {
        Self(format!("JWT signing keys cannot be stored: {error}"))
    }
}
