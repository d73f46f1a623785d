//! Governance: proposals judged and applied by the constitution in the tables (reference F).
//!
//! [`Constitution`] is the contract with the language that constitutions are written in;
//! [`Governance`] runs the one in force; [`GovEffects`] is what an accepted proposal may ask of the
//! node beside writing tables. Who may propose and vote, and over which protocol, is not decided
//! here.
//!
//! ```
//! use affiant::governance::{constitution_fragments, proposal_id};
//!
//! let proposal = r#"{"actions": [{"name": "set_user", "args": {"cert": "-----BEGIN ..."}}]}"#;
//! assert_eq!(proposal_id(proposal).len(), 64); // its SHA-256 in hex
//! assert!(constitution_fragments().iter().any(|(name, _)| *name == "actions.js"));
//! ```

mod constitution;
mod effects;
mod engine;

pub use constitution::{
    Constitution, DEFAULT_CONSTITUTION, GovernanceCall, Resolution, SANDBOX_RESOLVE, ScriptFailure,
    Validation, Vote, constitution_fragments,
};
pub use effects::{GovEffects, NodeEffects};
pub use engine::{Ballot, Governance, proposal_id};
