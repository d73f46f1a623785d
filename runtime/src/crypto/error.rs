//! What the application crypto API refuses, and why.

use core::fmt;

use affiant_kv::KeyError;

/// A refusal or failure of the application crypto API. No message contains key material.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CryptoError {
    /// An algorithm, hash, curve or size that the operation does not have (a `RangeError` in
    /// JavaScript).
    Unsupported(String),
    /// The key, certificate or JWK cannot be read, or is of another kind than the operation needs.
    InvalidKey(String),
    /// The operation failed on its data, or the cryptographic library failed.
    Failed(String),
}

impl CryptoError {
    pub(super) fn unsupported(reason: impl Into<String>) -> Self {
        Self::Unsupported(reason.into())
    }

    pub(super) fn key(reason: impl Into<String>) -> Self {
        Self::InvalidKey(reason.into())
    }

    pub(super) fn failed(reason: impl Into<String>) -> Self {
        Self::Failed(reason.into())
    }
}

impl fmt::Display for CryptoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Unsupported(reason) | Self::InvalidKey(reason) | Self::Failed(reason)) = self;
        f.write_str(reason)
    }
}

impl core::error::Error for CryptoError {}

impl From<KeyError> for CryptoError {
    fn from(error: KeyError) -> Self {
        Self::InvalidKey(error.0)
    }
}
