//! `affiant ledger`: check, print and count what ledger directories hold. Reads only.

mod files;
mod secret;
mod show;
mod stat;
mod text;
mod verify;
mod walk;

pub(crate) use show::show;
pub(crate) use stat::stat;
pub use verify::audit_ledger;
pub(crate) use verify::verify;
