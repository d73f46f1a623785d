//! The contract for those who bring a language or a command line: what a front end implements and is
//! given, an application as it is loaded from a directory or the tables, and what handlers may touch.

pub use crate::access::{ExecutionContext, TableAccess, TableRefusal};
pub use crate::bundle::python;
pub use crate::bundle::{AppBundle, BundleError};
pub use crate::endpoint::{Interface, Language, Promises, Redirection};
pub use crate::frontend::{Frontend, FrontendWorker, Threads};
pub use crate::options::RuntimeOptions;
pub use crate::receipts::{json_receipt, receipt_cose, receipt_json};
pub use crate::router::TemplateError;
