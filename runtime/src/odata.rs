//! Error bodies: `{"error": {"code", "message", "details"?}}` with CCF's codes (reference B.6), and the
//! last one, which CCF does not have.
//!
//! ```
//! use affiant::odata;
//!
//! let answer = odata::error(404, odata::RESOURCE_NOT_FOUND, "There is no note 7.");
//! assert_eq!(
//!     answer.body,
//!     r#"{"error":{"code":"ResourceNotFound","message":"There is no note 7."}}"#,
//! );
//! ```

use serde_json::{Value as Json, json};

use crate::frontend::AppError;
use crate::request::Response;

macro_rules! codes {
    ($($name:ident = $text:literal;)*) => {
        $(#[doc = concat!("`", $text, "`.")] pub const $name: &str = $text;)*
    };
}

codes! {
    AUTHORIZATION_FAILED = "AuthorizationFailed";
    INTERNAL_ERROR = "InternalError";
    NOT_IMPLEMENTED = "NotImplemented";
    INVALID_AUTHENTICATION_INFO = "InvalidAuthenticationInfo";
    INVALID_HEADER_VALUE = "InvalidHeaderValue";
    INVALID_INPUT = "InvalidInput";
    INVALID_QUERY_PARAMETER_VALUE = "InvalidQueryParameterValue";
    INVALID_RESOURCE_NAME = "InvalidResourceName";
    MISSING_REQUIRED_HEADER = "MissingRequiredHeader";
    RESOURCE_NOT_FOUND = "ResourceNotFound";
    REQUEST_NOT_SIGNED = "RequestNotSigned";
    UNSUPPORTED_HTTP_VERB = "UnsupportedHttpVerb";
    UNSUPPORTED_CONTENT_TYPE = "UnsupportedContentType";
    REQUEST_BODY_TOO_LARGE = "RequestBodyTooLarge";
    REQUEST_HEADER_TOO_LARGE = "RequestHeaderTooLarge";
    PRECONDITION_FAILED = "PreconditionFailed";
    SESSION_CAP_EXHAUSTED = "SessionCapExhausted";
    FRONTEND_NOT_OPEN = "FrontendNotOpen";
    KEY_NOT_FOUND = "KeyNotFound";
    NODE_ALREADY_RECOVERING = "NodeAlreadyRecovering";
    PROPOSAL_NOT_OPEN = "ProposalNotOpen";
    PROPOSAL_NOT_FOUND = "ProposalNotFound";
    PROPOSAL_FAILED_TO_VALIDATE = "ProposalFailedToValidate";
    SERVICE_NOT_WAITING_FOR_RECOVERY_SHARES = "ServiceNotWaitingForRecoveryShares";
    STATE_DIGEST_MISMATCH = "StateDigestMismatch";
    TRANSACTION_NOT_FOUND = "TransactionNotFound";
    TRANSACTION_COMMIT_ATTEMPTS_EXCEED_LIMIT = "TransactionCommitAttemptsExceedLimit";
    TRANSACTION_REPLICATION_FAILED = "TransactionReplicationFailed";
    UNKNOWN_CERTIFICATE = "UnknownCertificate";
    VOTE_NOT_FOUND = "VoteNotFound";
    VOTE_ALREADY_EXISTS = "VoteAlreadyExists";
    NODE_CANNOT_HANDLE_REQUEST = "NodeCannotHandleRequest";
    TRANSACTION_PENDING_OR_UNKNOWN = "TransactionPendingOrUnknown";
    TRANSACTION_INVALID = "TransactionInvalid";
    PRIMARY_NOT_FOUND = "PrimaryNotFound";
    BACKUP_NOT_FOUND = "BackupNotFound";
    REQUEST_ALREADY_FORWARDED = "RequestAlreadyForwarded";
    NODE_NOT_RETIRED_COMMITTED = "NodeNotRetiredCommitted";
    SESSION_CONSISTENCY_LOST = "SessionConsistencyLost";
    EXECUTOR_DISPATCH_FAILED = "ExecutorDispatchFailed";
    PROPOSAL_REPLAY = "ProposalReplay";
    PROPOSAL_CREATED_TOO_LONG_AGO = "ProposalCreatedTooLongAgo";
    INVALID_CREATED_AT = "InvalidCreatedAt";
    JS_EXCEPTION = "JSException";
    TOO_MANY_PENDING_TRANSACTIONS = "TooManyPendingTransactions";
    MISSING_API_VERSION_PARAMETER = "MissingApiVersionParameter";
    UNSUPPORTED_API_VERSION_VALUE = "UnsupportedApiVersionValue";
    CONSENSUS_TYPE_MISMATCH = "ConsensusTypeMismatch";
    INVALID_QUOTE = "InvalidQuote";
    INVALID_NODE_STATE = "InvalidNodeState";
    NODE_ALREADY_EXISTS = "NodeAlreadyExists";
    STARTUP_SEQNO_IS_OLD = "StartupSeqnoIsOld";
    CSR_PUBLIC_KEY_INVALID = "CSRPublicKeyInvalid";
    TOO_MANY_REQUESTS = "TooManyRequests";
}

/// An error response without details.
#[must_use]
pub fn error(status: u16, code: &str, message: &str) -> Response {
    error_with_details(status, code, message, &[])
}

/// An error response; `details` appears in the body only where there are any.
#[must_use]
pub fn error_with_details(status: u16, code: &str, message: &str, details: &[Json]) -> Response {
    let mut error = json!({"code": code, "message": message});
    if !details.is_empty()
        && let Some(object) = error.as_object_mut()
    {
        object.insert("details".to_owned(), Json::Array(details.to_vec()));
    }
    Response::json(status, &json!({"error": error}))
}

impl From<AppError> for Response {
    fn from(error: AppError) -> Self {
        error_with_details(error.status, &error.code, &error.message, &error.details)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_have_ccfs_exact_bytes() {
        let response = error(404, RESOURCE_NOT_FOUND, "Unknown path: /api/metrics.");
        assert_eq!(
            response.body,
            r#"{"error":{"code":"ResourceNotFound","message":"Unknown path: /api/metrics."}}"#
        );
        let response = error_with_details(
            401,
            INVALID_AUTHENTICATION_INFO,
            "Invalid authentication credentials.",
            &[json!({"auth_policy": "x", "code": "y", "message": "z"})],
        );
        assert_eq!(
            response.body,
            r#"{"error":{"code":"InvalidAuthenticationInfo","details":[{"auth_policy":"x","code":"y","message":"z"}],"message":"Invalid authentication credentials."}}"#
        );
    }
}
