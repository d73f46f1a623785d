//! What governance tells of the service, by the versions of CCF's interface that it is asked in.

use super::common::ok;
use super::{BuiltInCall, Outcome};
use crate::frontend::AppError;
use crate::node::join_policy::JoinPolicy;
use crate::odata;

const VERSIONS: [&str; 2] = ["2023-06-01-preview", "2024-07-01"];

/// Refuses a version that is not spoken here.
fn check_version(call: &BuiltInCall<'_>) -> Result<(), AppError> {
    let spoken = VERSIONS.join(", ");
    match call.request.query_parameter("api-version") {
        Some(version) if VERSIONS.contains(&&*version) => Ok(()),
        Some(version) => {
            let message = format!("Unsupported api-version '{version}'; supported are: {spoken}");
            Err(AppError::new(400, odata::UNSUPPORTED_API_VERSION_VALUE, message))
        }
        None => {
            let message =
                format!("Query parameter 'api-version' is missing; it must be one of: {spoken}");
            Err(AppError::new(400, odata::MISSING_API_VERSION_PARAMETER, message))
        }
    }
}

/// Which nodes may join.
pub(super) fn join_policy(call: &mut BuiltInCall<'_>) -> Outcome {
    check_version(call)?;
    ok(&JoinPolicy::read_in(call.tx).to_json())
}
