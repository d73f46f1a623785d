//! The contract for those who bring a language or a command line: what a front end implements and is
//! given, an application as it is loaded from a directory or the tables, and what handlers may touch.
//!
//! ```
//! use std::sync::Arc;
//!
//! use affiant::hosting::{Frontend, FrontendWorker};
//! use affiant::{AppError, Call, Endpoint, Response};
//!
//! /// A language without words: every endpoint echoes.
//! struct Echo(Vec<Endpoint>);
//!
//! impl Frontend for Echo {
//!     fn language(&self) -> &'static str {
//!         "echo"
//!     }
//!
//!     fn endpoints(&self) -> &[Endpoint] {
//!         &self.0
//!     }
//!
//!     fn worker(&self) -> Result<Box<dyn FrontendWorker>, AppError> {
//!         Ok(Box::new(EchoWorker))
//!     }
//! }
//!
//! struct EchoWorker;
//!
//! impl FrontendWorker for EchoWorker {
//!     fn call(&mut self, call: &mut Call<'_>) -> Result<Response, AppError> {
//!         Ok(Response::text(200, call.request.body().clone()))
//!     }
//! }
//!
//! let echo = Endpoint { method: "POST".to_owned(), path: "/echo".to_owned(), ..Endpoint::default() };
//! let frontend: Arc<dyn Frontend> = Arc::new(Echo(vec![echo]));
//! # assert!(frontend.worker().is_ok() && frontend.endpoints().len() == 1);
//! ```

pub use crate::access::{ExecutionContext, TableAccess, TableRefusal};
pub use crate::bundle::python;
pub use crate::bundle::{AppBundle, BundleError};
pub use crate::endpoint::{Interface, Language, Promises, Redirection};
pub use crate::frontend::{Frontend, FrontendWorker, Threads};
pub use crate::options::RuntimeOptions;
pub use crate::receipts::{json_receipt, receipt_cose, receipt_json};
pub use crate::router::TemplateError;
