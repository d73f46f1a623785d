//! Where a URL leads, and whether the caller lets it.

use std::net::IpAddr;

use http::Uri;
use rustls::pki_types::ServerName;

use super::error::{Failure, Placeless};
use super::{Access, Plain};
use crate::limits::CLIENT_URL_BYTES_MAX;

const HTTPS_PORT: u16 = 443;
const HTTP_PORT: u16 = 80;

/// Where a URL leads.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) host: String,
    pub(super) port: u16,
    /// The name to be proved, over TLS.
    pub(super) name: Option<ServerName<'static>>,
    pub(super) authority: String,
    /// With the query.
    pub(super) path: String,
}

impl Target {
    pub(super) fn parse(url: &str, access: &Access) -> Result<Self, Placeless> {
        if url.len() > CLIENT_URL_BYTES_MAX {
            return refuse(format!("the URL has more than {CLIENT_URL_BYTES_MAX} bytes"));
        }
        let uri: Uri = url.parse().or_else(|error| refuse(format!("not a URL: {error}")))?;
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") if access.plain != Plain::Never => false,
            _ if access.plain == Plain::Never => {
                return refuse("the URL must begin with https://");
            }
            _ => return refuse("the URL must begin with https:// or http://"),
        };
        let Some(authority) = uri.authority() else { return refuse("the URL names no host") };
        if authority.as_str().contains('@') {
            return refuse("the URL must not hold a user name");
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(host.clone())
            .or_else(|error| refuse(format!("the URL's host is no name: {error}")))?;
        if secure && access.tls.is_none() {
            return refuse("https:// needs certificates to trust, and none are configured");
        }
        if !secure && !plain_allowed(&access.plain, &host) {
            return refuse(
                "http:// is for this machine and link-local addresses only; use https://",
            );
        }
        Ok(Self {
            port: authority.port_u16().unwrap_or(if secure { HTTPS_PORT } else { HTTP_PORT }),
            host,
            name: secure.then_some(name),
            authority: authority.as_str().to_owned(),
            path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        })
    }
}

fn refuse<T>(reason: impl Into<String>) -> Result<T, Placeless> {
    Err(Placeless(Failure::Url, reason.into()))
}

fn plain_allowed(plain: &Plain, host: &str) -> bool {
    let local = host.eq_ignore_ascii_case("localhost")
        || match host.parse() {
            Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_link_local(),
            Ok(IpAddr::V6(address)) => address.is_loopback() || address.is_unicast_link_local(),
            Err(_) => false,
        };
    match plain {
        Plain::Never => false,
        Plain::Local => local,
        Plain::LocalAnd(hosts) => {
            local || hosts.iter().any(|named| named.eq_ignore_ascii_case(host))
        }
    }
}

/// A URL as messages show it: queries and user names may be secret.
pub(super) fn shown(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if scheme + 3 <= at => {
            format!("{}...{}", &url[..scheme + 3], &url[at..])
        }
        _ => url.chars().take(CLIENT_URL_BYTES_MAX).collect(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::sync::Arc;

    fn access(plain: Plain) -> Access {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        Access { tls: Some(Arc::new(config)), plain }
    }

    #[test]
    fn urls_lead_to_hosts() {
        let tls = access(Plain::Never);
        let target = Target::parse("https://example.com/a?b=c", &tls).unwrap();
        assert_eq!((target.host.as_str(), target.port), ("example.com", 443));
        assert_eq!((target.authority.as_str(), target.path.as_str()), ("example.com", "/a?b=c"));
        let target = Target::parse("https://[::1]:8443", &tls).unwrap();
        assert_eq!((target.host.as_str(), target.port), ("::1", 8443));
        assert_eq!((target.authority.as_str(), target.path.as_str()), ("[::1]:8443", "/"));
        let long = format!("https://example.com/{}", "a".repeat(CLIENT_URL_BYTES_MAX));
        for bad in [
            "http://example.com/",
            "http://127.0.0.1/",
            "https://",
            "https://user@example.com/",
            "https://exa mple.com/",
            "https://:8443/",
            "example.com",
            "/path",
            "",
            long.as_str(),
        ] {
            assert!(Target::parse(bad, &tls).is_err(), "{bad}");
        }
    }

    #[test]
    fn plain_http_leads_where_the_caller_says() {
        let local = access(Plain::Local);
        for good in [
            "http://127.0.0.1:8080/status",
            "http://localhost/",
            "http://[::1]:1/",
            "http://169.254.169.254/metadata",
            "http://[fe80::1]/",
        ] {
            assert!(Target::parse(good, &local).unwrap().name.is_none(), "{good}");
        }
        assert_eq!(Target::parse("http://localhost", &local).unwrap().port, 80);
        let named = access(Plain::LocalAnd(vec!["Host.internal".to_owned()]));
        assert!(Target::parse("http://host.internal:2377/x", &named).is_ok());
        for bad in ["http://10.0.0.1/", "http://example.com/", "ftp://localhost/"] {
            assert!(Target::parse(bad, &local).is_err(), "{bad}");
            assert!(Target::parse(bad, &named).is_err(), "{bad}");
        }
        let no_tls = Access { tls: None, plain: Plain::Local };
        assert!(Target::parse("https://localhost/", &no_tls).is_err());
    }

    #[test]
    fn what_is_shown_of_a_url_holds_no_secret() {
        assert_eq!(shown("https://a.b/c?code=hush#x"), "https://a.b/c");
        assert_eq!(shown("https://me:hush@a.b/c"), "https://...@a.b/c");
        assert_eq!(shown("nonsense"), "nonsense");
    }
}
