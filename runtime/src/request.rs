//! One request as a handler sees it, and the response it returns (CCF's model, reference B.4, B.5).

use bytes::Bytes;
use serde_json::Value as Json;

/// Who calls, as the admitting policy identified them (reference C.2).
#[derive(Clone, Debug, PartialEq)]
pub enum Caller {
    /// `no_auth`.
    NoAuth,
    /// `user_cert`: a client certificate found in `public:ccf.gov.users.certs`.
    UserCert(CertCaller),
    /// `member_cert`: a client certificate found in `public:ccf.gov.members.certs`.
    MemberCert(CertCaller),
    /// `any_cert`: any client certificate, now within its validity.
    AnyCert {
        /// The certificate as PEM.
        cert: String,
    },
    /// `{all_of: [...]}`: policy name and its caller, sorted by name.
    AllOf(Vec<(String, Caller)>),
}

/// A user or member known by certificate.
#[derive(Clone, Debug, PartialEq)]
pub struct CertCaller {
    /// Hex SHA-256 of the certificate's DER.
    pub id: String,
    /// `user_data` or `member_data`; null if none.
    pub data: Json,
    /// The certificate as PEM.
    pub cert: String,
}

impl Caller {
    /// The policy's name.
    #[must_use]
    pub const fn policy(&self) -> &'static str {
        match self {
            Self::NoAuth => "no_auth",
            Self::UserCert(_) => "user_cert",
            Self::MemberCert(_) => "member_cert",
            Self::AnyCert { .. } => "any_cert",
            Self::AllOf(_) => "all_of",
        }
    }
}

/// One request. Plain data; shared by every attempt to run its handler.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Upper-case method.
    pub method: String,
    /// The raw path as sent, `/app` included if given, without the query.
    pub path: String,
    /// The query, percent-decoded as one string with `+` as space; empty if none.
    pub query: String,
    /// `/app` and the endpoint's template.
    pub route: String,
    /// Lower-case names; for repeated headers the first wins.
    pub headers: Vec<(String, String)>,
    /// Template placeholders and their raw, undecoded values.
    pub params: Vec<(String, String)>,
    /// The whole body.
    pub body: Bytes,
    /// Who calls; `None` only where the endpoint declares no policy at all.
    pub caller: Option<Caller>,
}

impl Request {
    /// The first header of that lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What a handler returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// HTTP status code as the handler gave it; any integer from 100 to 999 is sent as it is.
    pub status: u16,
    /// Lower-case names.
    pub headers: Vec<(String, String)>,
    /// The body's bytes.
    pub body: Bytes,
}

impl Response {
    /// An empty response.
    #[must_use]
    pub const fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new() }
    }

    /// A JSON response.
    #[must_use]
    pub fn json(status: u16, body: &Json) -> Self {
        Self {
            status,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: body.to_string().into(),
        }
    }

    /// A plain-text response.
    #[must_use]
    pub fn text(status: u16, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: vec![("content-type".to_owned(), "text/plain".to_owned())],
            body: body.into(),
        }
    }

    /// Whether the status is 2xx, so that writes are kept unless the handler said otherwise.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        self.status >= 200 && self.status < 300
    }
}
