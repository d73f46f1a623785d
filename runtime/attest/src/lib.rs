//! AMD SEV-SNP evidence: parse it, check all of it, and say what was checked.
//!
//! [`verify`] takes [`Evidence`], a [`Policy`] and a time, makes every check and hands back a
//! [`Verdict`] that lists them all: what was found, what was wanted, why it matters. No network, no
//! clock, no keys. With the feature `guest`, the module `guest` asks the device of the guest it runs
//! in.
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

mod chain;
mod error;
mod evidence;
mod hex;
mod policy;
mod report;
mod signature;
mod statement;
mod tcb;
mod verdict;
mod verify;

#[cfg(feature = "guest")]
pub mod guest;
pub mod limits;
pub mod maa;
#[cfg(any(test, feature = "test-roots"))]
pub mod testing;
pub mod text;
pub mod uvm;

pub use chain::{Chain, LeafFacts, LeafKind, RevocationList, Validity, to_pem};
pub use error::AttestError;
pub use evidence::{
    Attestation, AttestedMessage, CcfQuote, CertificateTable, Evidence, FORMAT_SNP, FORMAT_VIRTUAL,
    HclReport, HostCertificates, SecurityContext, SecurityContextFiles, VirtualEvidence,
};
pub use policy::{
    Allowed, AnyValue, ComponentMinimum, GuestPolicyRule, PlatformRule, Policy, PolicyTextRule,
    TextAction, UvmRule, VirtualRule,
};
pub use report::{
    Cpuid, FirmwareVersion, GuestPolicy, KeyFlags, Mitigations, PlatformInfo, Report,
    ReportSignature, ReportTcb, SIGNED_BYTES, SigningKey,
};
pub use statement::{Affiant, Statement};
pub use tcb::{ByteOrder, Product, TcbBytes, TcbVersion, matches_hex};
pub use verdict::{CHECKS, Check, Outcome, Verdict};
pub use verify::{Examination, examine, verify, verify_attestation, verify_virtual};

/// The examples of the README compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
