//! The platform under a node: who makes evidence of it, and what seals with its keys.
//!
//! [`Attestor`] is the one interface; [`VirtualAttestor`] stands in where there is no hardware, and
//! nothing that it makes can be mistaken for evidence: it has a type of its own.
//!
//! ```
//! use affiant::platform::{Attestor, VirtualAttestor};
//!
//! let evidence = VirtualAttestor.attest(b"a key's bytes")?;
//! assert_eq!(VirtualAttestor.format(), affiant::attest::FORMAT_VIRTUAL);
//! # let _ = evidence;
//! # Ok::<(), affiant::platform::PlatformError>(())
//! ```

mod collateral;
mod context;
mod detect;
mod endorsements;
mod guest;
mod insecure_virtual;
mod maa;
mod queue;
mod sealing;
mod service;
mod settings;
mod sidecar;
mod vtpm;

#[cfg(test)]
mod tests;

use core::fmt;

use affiant_attest::limits::BOUND_BYTES_MAX;
use affiant_attest::{AttestError, Attestation};

use affiant_attest::{FORMAT_SNP, FORMAT_VIRTUAL};
pub use detect::{SealingKind, choose_sealing, detect};
pub use insecure_virtual::VirtualAttestor;
pub use maa::Maa;
pub use sealing::SnpDerivedKey;
pub use settings::{ContextVariables, EndorsementServer, PlatformSettings, Provider, ServerKind};
pub use sidecar::{KeyRelease, Sidecar};

/// Makes evidence of the platform under this process.
pub trait Attestor: Send + Sync {
    /// CCF's name of the format: [`FORMAT_SNP`] or [`FORMAT_VIRTUAL`].
    fn format(&self) -> &'static str;

    /// Who makes it, for the log and `/node/state`.
    fn provider(&self) -> &'static str;

    /// Evidence bound to these bytes: the first half of its report_data is their SHA-256, the rest
    /// zero; at most [`affiant_attest::limits::BOUND_BYTES_MAX`] of them. Blocks: for milliseconds
    /// where a device answers, for seconds where servers are asked.
    ///
    /// # Errors
    /// Why there is none.
    fn attest(&self, bound: &[u8]) -> Result<Attestation, PlatformError>;
}

/// Why the platform gave no evidence, or no key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlatformError {
    /// It was asked too often; nothing is wrong.
    Busy {
        /// When to ask again, in milliseconds.
        retry_after_ms: u64,
    },
    /// It is not there, or does not answer as it should.
    Unavailable {
        /// What was asked: a path, or a URL without its query.
        place: String,
        /// What it said, and what to do.
        reason: String,
    },
    /// It answered, and the answer cannot be read; or what was asked cannot be.
    Unreadable(AttestError),
}

impl PlatformError {
    pub(crate) fn unavailable(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Unavailable { place: place.into(), reason: reason.into() }
    }
}

impl fmt::Display for PlatformError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy { retry_after_ms } => write!(
                out,
                "too much evidence has been asked for; ask again in {retry_after_ms} ms"
            ),
            Self::Unavailable { place, reason } => write!(out, "{place}: {reason}"),
            Self::Unreadable(error) => error.fmt(out),
        }
    }
}

impl core::error::Error for PlatformError {}

impl From<AttestError> for PlatformError {
    fn from(error: AttestError) -> Self {
        match error {
            AttestError::Platform { what, why } => Self::unavailable(what, why),
            error => Self::Unreadable(error),
        }
    }
}

/// Refuses bound bytes that are over the limit.
fn check_bound(bound: &[u8]) -> Result<(), PlatformError> {
    if bound.len() <= BOUND_BYTES_MAX {
        return Ok(());
    }
    Err(PlatformError::Unreadable(AttestError::TooLarge {
        what: "bound bytes",
        found: bound.len() as u64,
        limit: BOUND_BYTES_MAX as u64,
    }))
}

/// What a report is to hold for evidence that is bound to these bytes.
fn report_data(bound: &[u8]) -> [u8; affiant_attest::limits::REPORT_DATA_BYTES] {
    let mut data = [0; affiant_attest::limits::REPORT_DATA_BYTES];
    data[..32].copy_from_slice(&affiant_proof::Digest::of(bound).0);
    data
}

/// Blocks this thread.
fn sleep_ms(wait_ms: u64) {
    std::thread::sleep(std::time::Duration::from_millis(wait_ms));
}
