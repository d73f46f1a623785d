//! One HTTPS request to an issuer, trusting a named bundle of certificates and nothing else.

use core::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::limits::{ISSUER_ANSWER_BYTES_MAX, ISSUER_ANSWER_MS_MAX, ISSUER_HEADER_BYTES_MAX};

const HTTPS_PORT: u16 = 443;

/// The body of `GET url`, if the answer is a 200. Follows no redirect.
///
/// # Errors
/// What went wrong, without anything that the server sent.
pub(super) async fn get(config: &Arc<ClientConfig>, url: &str) -> Result<Bytes, String> {
    let limit = Duration::from_millis(ISSUER_ANSWER_MS_MAX);
    tokio::time::timeout(limit, exchange(config, url))
        .await
        .unwrap_or_else(|_| Err(format!("no whole answer within {ISSUER_ANSWER_MS_MAX} ms")))
}

async fn exchange(config: &Arc<ClientConfig>, url: &str) -> Result<Bytes, String> {
    let target = Target::parse(url)?;
    let stream = TcpStream::connect((target.host.as_str(), target.port))
        .await
        .map_err(|error| format!("cannot connect: {error}"))?;
    let stream = TlsConnector::from(config.clone())
        .connect(target.name, stream)
        .await
        .map_err(|error| format!("TLS: {error}"))?;
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(ISSUER_HEADER_BYTES_MAX)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| format!("HTTP: {error}"))?;
    let request = Request::get(target.path)
        .header("host", target.authority)
        .header("accept", "application/json")
        .header("user-agent", concat!("affiant/", env!("CARGO_PKG_VERSION")))
        .body(Empty::<Bytes>::new())
        .map_err(|error| format!("not a request: {error}"))?;
    let mut answer = pin!(async {
        let response =
            sender.send_request(request).await.map_err(|error| format!("HTTP: {error}"))?;
        if response.status() != http::StatusCode::OK {
            return Err(format!("the answer is {}", response.status()));
        }
        Limited::new(response.into_body(), ISSUER_ANSWER_BYTES_MAX)
            .collect()
            .await
            .map(http_body_util::Collected::to_bytes)
            .map_err(|error| format!("body (at most {ISSUER_ANSWER_BYTES_MAX} bytes): {error}"))
    });
    tokio::select! {
        biased;
        answer = &mut answer => return answer,
        ended = connection => ended.map_err(|error| format!("HTTP: {error}"))?,
    }
    // The connection has ended in order; what it brought may still lie in between.
    answer.await
}

/// Where a URL leads.
struct Target {
    host: String,
    port: u16,
    name: ServerName<'static>,
    authority: String,
    path: String,
}

impl Target {
    fn parse(url: &str) -> Result<Self, String> {
        let uri: Uri = url.parse().map_err(|error| format!("not a URL: {error}"))?;
        if uri.scheme_str() != Some("https") {
            return Err("the URL must begin with https://".to_owned());
        }
        let authority = uri.authority().ok_or_else(|| "the URL names no host".to_owned())?;
        if authority.as_str().contains('@') {
            return Err("the URL must not hold a user name".to_owned());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(host.clone())
            .map_err(|error| format!("the URL's host is no name: {error}"))?;
        Ok(Self {
            port: authority.port_u16().unwrap_or(HTTPS_PORT),
            host,
            name,
            authority: authority.as_str().to_owned(),
            path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn urls_lead_to_hosts() {
        let target = Target::parse("https://example.com/a?b=c").unwrap();
        assert_eq!((target.host.as_str(), target.port), ("example.com", 443));
        assert_eq!((target.authority.as_str(), target.path.as_str()), ("example.com", "/a?b=c"));
        let target = Target::parse("https://[::1]:8443").unwrap();
        assert_eq!((target.host.as_str(), target.port), ("::1", 8443));
        assert_eq!((target.authority.as_str(), target.path.as_str()), ("[::1]:8443", "/"));
        for bad in [
            "http://example.com/",
            "https://",
            "https://user@example.com/",
            "https://exa mple.com/",
            "https://:8443/",
            "example.com",
            "/path",
            "",
        ] {
            assert!(Target::parse(bad).is_err(), "{bad}");
        }
    }
}
