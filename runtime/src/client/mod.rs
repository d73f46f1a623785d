//! One small HTTP/1.1 client for what a node or a verifier asks of others: bounded in bytes and in
//! time, without redirects, cookies, proxies or pools.
//!
//! Invariants
//! * Certificates are checked by the `ClientConfig` that the caller hands in, and by nothing else.
//! * Plain HTTP needs a caller who allows it, for the hosts that it names.
//! * An error says what happened and where; never a query, a header, a body or a user's name.

mod any_server;
mod blocking;
mod connection;
mod error;
mod url;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, StatusCode};
use rustls::ClientConfig;

pub(crate) use any_server::any_server;
pub(crate) use blocking::BlockingConnection;
pub(crate) use blocking::blocking;
pub(crate) use connection::{Connection, exchange};
pub(crate) use error::{ClientError, Failure};

/// How much of a peer's time and bytes an exchange may cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// From connecting to the body's end, in milliseconds. On a connection that is kept, connecting
    /// and each request have that time each.
    pub(crate) answer_ms: u64,
    /// Body of one answer, in bytes.
    pub(crate) body_bytes: usize,
    /// Head of one answer, in bytes.
    pub(crate) header_bytes: usize,
}

/// Which hosts may be spoken to without TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Plain {
    /// None.
    Never,
    /// This machine (loopback) and what is wired to it (link-local): a sidecar, the host's metadata.
    Local,
    /// These too, by name or address.
    LocalAnd(Vec<String>),
}

/// How a peer may be reached.
#[derive(Clone)]
pub(crate) struct Access {
    /// What checks certificates; without it, `https://` is refused.
    pub(crate) tls: Option<Arc<ClientConfig>>,
    /// Where `http://` may lead.
    pub(crate) plain: Plain,
}

impl Access {
    /// TLS only.
    pub(crate) fn tls(config: Arc<ClientConfig>) -> Self {
        Self { tls: Some(config), plain: Plain::Never }
    }
}

/// What is asked. The default is a GET without body.
#[derive(Clone, Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) method: Method,
    /// Headers beside host, user agent and length.
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: Bytes,
}

impl Ask<'_> {
    /// A GET.
    pub(crate) fn get<'a>() -> Ask<'a> {
        Ask { method: Method::GET, headers: &[], body: Bytes::new() }
    }

    /// A POST of JSON.
    pub(crate) fn post_json<'a>(body: impl Into<Bytes>) -> Ask<'a> {
        let headers = &[("content-type", "application/json")];
        Ask { method: Method::POST, headers, body: body.into() }
    }
}

/// What was answered, whatever its status.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// Headers as they came.
    pub(crate) headers: http::HeaderMap,
    /// Whole; empty where a refusal's body was over its bound.
    pub(crate) body: Bytes,
}
