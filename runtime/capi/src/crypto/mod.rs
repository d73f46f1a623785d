//! Cryptography, as apps in every language have it: hashes, keys, signatures, wrapping, certificates.

mod certificate;
mod hash;
mod key;
mod wrap;

pub use certificate::*;
pub use hash::*;
pub use key::*;
pub use wrap::*;

use affiant::crypto::CryptoError;
use zeroize::Zeroizing;

use crate::bytes::affiant_bytes;
use crate::fault::Fault;
use crate::handle;
use crate::memory::Out;
use crate::status::{AFFIANT_INVALID_ARGUMENT, AFFIANT_UNREADABLE, AFFIANT_UNSUPPORTED};

impl From<CryptoError> for Fault {
    fn from(error: CryptoError) -> Self {
        let status = match &error {
            CryptoError::Unsupported(_) => AFFIANT_UNSUPPORTED,
            CryptoError::InvalidKey(_) => AFFIANT_UNREADABLE,
            _ => AFFIANT_INVALID_ARGUMENT,
        };
        Self::new(status, error.to_string())
    }
}

/// Hands bytes to the program.
fn deliver(
    out: Out<*mut affiant_bytes>,
    bytes: impl Into<Zeroizing<Vec<u8>>>,
) -> Result<(), Fault> {
    out.write(handle::insert(bytes.into())?);
    Ok(())
}
