//! One HTTPS request to an issuer, trusting a named bundle of certificates and nothing else.

use std::sync::Arc;

use bytes::Bytes;
use rustls::ClientConfig;

use crate::client::{Access, Ask, Bounds, exchange};
use crate::limits::{ISSUER_ANSWER_BYTES_MAX, ISSUER_ANSWER_MS_MAX, ISSUER_HEADER_BYTES_MAX};

/// The body of `GET url`, if the answer is a 200. Follows no redirect.
///
/// # Errors
/// What went wrong, without anything that the server sent.
pub(super) async fn get(config: &Arc<ClientConfig>, url: &str) -> Result<Bytes, String> {
    let bounds = Bounds {
        answer_ms: ISSUER_ANSWER_MS_MAX,
        body_bytes: ISSUER_ANSWER_BYTES_MAX,
        header_bytes: ISSUER_HEADER_BYTES_MAX,
    };
    let ask = Ask { headers: &[("accept", "application/json")], ..Ask::get() };
    let answer = exchange(url, &Access::tls(config.clone()), bounds, ask)
        .await
        .map_err(|error| error.reason)?;
    if answer.status != http::StatusCode::OK {
        return Err(format!("the answer is {}", answer.status));
    }
    Ok(answer.body)
}
