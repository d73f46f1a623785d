//! Evidence of platforms: a node's own, as it gives it to its apps and to whoever asks, and the check
//! of somebody else's.
//!
//! ```
//! use affiant::attestation::{TcbRefused, tcb_hex_to_policy};
//!
//! let milan = tcb_hex_to_policy("00a00f11", "db18000000000004")?;
//! assert_eq!(milan.components[0], (c"microcode", 0xdb));
//! # Ok::<(), TcbRefused>(())
//! ```

mod budget;
mod fresh;
mod snp;
mod tcb;

pub use fresh::NodeAttestor;
pub(crate) use snp::reasons;
pub use snp::{SnpEvidence, SnpField, VerifiedSnp, verify_snp};
pub use tcb::{TcbPolicy, TcbRefused, tcb_hex_to_policy};
