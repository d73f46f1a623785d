//! AMD SEV-SNP evidence: parse it, check all of it, and say what was checked.
//!
//! [`verify`] takes [`Evidence`], a [`Policy`] and a time, makes every check and hands back a
//! [`Verdict`] that lists them all: what was found, what was wanted, why it matters. No network, no
//! clock, no keys. With the feature `guest`, [`guest`] asks the device of the guest it runs in.
#![forbid(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        reason = "a test that panics has failed"
    )
)]

#[cfg(all(feature = "test-roots", not(debug_assertions)))]
compile_error!(
    "a release build must not trust a root that tests make: leave out feature test-roots"
);

mod error;
mod evidence;
mod policy;
mod statement;
mod verdict;

#[cfg(feature = "guest")]
pub mod guest;
pub mod limits;
pub mod text;

pub use error::AttestError;
pub use evidence::{Attestation, Evidence, VirtualEvidence};
pub use policy::{
    Allowed, ComponentMinimum, GuestPolicyRule, PlatformRule, Policy, PolicyTextRule, UvmRule,
    VirtualRule,
};
pub use statement::{Affiant, Statement};
pub use verdict::{Check, Outcome, Verdict};
