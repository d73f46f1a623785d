//! Governance: proposals judged and applied by the constitution in the tables (reference F).
//!
//! [`Constitution`] is the contract with the language that constitutions are written in;
//! [`Governance`] runs the one in force; [`GovEffects`] is what an accepted proposal may ask of the
//! node beside writing tables. Who may propose and vote, and over which protocol, is not decided
//! here.

mod constitution;
mod effects;
mod engine;

pub use constitution::{
    Constitution, DEFAULT_CONSTITUTION, GovernanceCall, Resolution, SANDBOX_RESOLVE, ScriptFailure,
    Validation, Vote, constitution_fragments,
};
pub use effects::{GovEffects, NodeEffects};
pub use engine::{Ballot, Governance, proposal_id};
