//! Affiant: an embeddable application runtime for ledger apps in confidential virtual machines.
#![forbid(unsafe_code)]

mod bundle;
mod clock;
pub mod crypto;
mod endpoint;
mod error;
mod frontend;
pub mod limits;
pub mod odata;
mod options;
mod request;

pub use bundle::AppBundle;
pub use endpoint::{AuthnPolicy, Endpoint, EndpointOptions, Mode, Redirection, Respond};
pub use error::{RuntimeError, RuntimeResult};
pub use frontend::{AppError, Call, Frontend, FrontendWorker};
pub use options::RuntimeOptions;
pub use request::{Caller, CertCaller, InvalidRequest, Request, Response};
