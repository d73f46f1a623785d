//! What code in an interpreted language may do to which map (reference D.2), and CCF's words for a refusal.

use core::fmt;

use affiant_kv::{Category, MapName};

use crate::endpoint::Mode;

const RESTRICTIONS_URL: &str =
    "https://microsoft.github.io/CCF/main/audit/read_write_restrictions.html";

/// What runs, which decides what it sees and may do (reference A.2, D.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecutionContext {
    /// A handler of an app.
    Application(Mode),
    /// `validate`, `resolve` or a ballot.
    PreApproval,
    /// `apply`.
    Apply,
}

impl ExecutionContext {
    /// Whether an app's handler runs.
    #[must_use]
    pub fn is_application(self) -> bool {
        matches!(self, Self::Application(_))
    }

    /// What it is called in errors.
    const fn phrase(self) -> &'static str {
        match self {
            Self::Application(Mode::ReadWrite) => "application",
            Self::Application(_) => "read-only application",
            Self::PreApproval => "read-only governance",
            Self::Apply => "read-write governance",
        }
    }

    /// What may be done to a map.
    #[must_use]
    pub fn access_to(self, map: &MapName) -> TableAccess {
        use Category::{Application, Governance, Internal};
        match (map.category(), map.is_public(), self) {
            (Governance, true, Self::Apply) => TableAccess::ReadWrite,
            (Governance | Internal, true, _) => TableAccess::ReadOnly,
            (Application, _, Self::Application(Mode::ReadWrite)) => TableAccess::ReadWrite,
            (Application, _, Self::Application(_)) => TableAccess::ReadOnly,
            (Application, true, Self::Apply) => TableAccess::WriteOnly,
            (Governance | Internal, false, _) | (Application, ..) => TableAccess::Nothing,
        }
    }

    /// Checks one call of a map's method.
    ///
    /// # Errors
    /// The call is not permitted; the text is CCF's.
    pub fn permit(self, map: &MapName, method: &str, write: bool) -> Result<(), TableRefusal> {
        let word = match self.access_to(map) {
            TableAccess::ReadWrite => return Ok(()),
            TableAccess::ReadOnly if !write => return Ok(()),
            TableAccess::WriteOnly if write => return Ok(()),
            TableAccess::ReadOnly => "read-only",
            TableAccess::WriteOnly => "write-only",
            TableAccess::Nothing => "inaccessible",
        };
        Err(TableRefusal(format!(
            "Cannot call \"{method}\" on table named {map}. This table is {word} in current ({}) \
             execution context. See {RESTRICTIONS_URL} for more detail.",
            self.phrase()
        )))
    }

    /// Checks one call of a method of a map of a past transaction.
    ///
    /// # Errors
    /// As [`Self::permit`]; writing never is.
    pub fn permit_in_past(
        self,
        map: &MapName,
        method: &str,
        write: bool,
    ) -> Result<(), TableRefusal> {
        if write && matches!(self.access_to(map), TableAccess::ReadOnly | TableAccess::ReadWrite) {
            return Err(TableRefusal(format!(
                "Cannot call \"{method}\" on table named {map}. All tables are read-only during \
                 historical transaction."
            )));
        }
        self.permit(map, method, write)
    }
}

/// What may be done to a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableAccess {
    /// Everything.
    ReadWrite,
    /// Only reading.
    ReadOnly,
    /// Only writing.
    WriteOnly,
    /// Not even reading.
    Nothing,
}

/// Why a call of a map's method is not permitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableRefusal(String);

impl fmt::Display for TableRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for TableRefusal {}
