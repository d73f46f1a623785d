//! One request as a handler sees it, and the response it returns (CCF's model, reference B.4, B.5).
//!
//! A request borrows what the HTTP server parsed; text is made only when somebody asks for it, so
//! that a handler which reads one parameter pays for one parameter.

use core::fmt;
use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::header::HeaderName;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method};
use percent_encoding::percent_decode_str;
use serde_json::Value as Json;

use crate::limits::TEMPLATE_PARAMETERS_MAX;

/// Who calls, as the admitting policy identified them (reference C.2).
///
/// ```
/// use affiant::{AppError, Caller, Request, Response};
///
/// fn who(request: &Request) -> Result<Response, AppError> {
///     Ok(match request.caller() {
///         Some(Caller::UserCert(user)) => Response::text(200, format!("user {}", user.id)),
///         Some(Caller::Jwt(token)) => Response::json(200, &token.payload),
///         _ => Response::text(200, "somebody"),
///     })
/// }
/// # let request = Request::new("GET", "/who").unwrap().with_caller(Some(Caller::NoAuth));
/// # assert_eq!(who(&request).unwrap().body, "somebody");
/// ```
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
        cert: Arc<str>,
    },
    /// `jwt`: a bearer token of a registered issuer.
    Jwt(JwtCaller),
    /// `user_cose_sign1`: the body is signed by a user in `public:ccf.gov.users.certs`.
    UserCoseSign1 {
        /// Who signed.
        user: CertCaller,
        /// What was signed: the message's payload.
        content: Bytes,
    },
    /// `{all_of: [...]}`: policy name and its caller, sorted by name.
    AllOf(Vec<(String, Caller)>),
}

/// A user or member known by certificate.
#[derive(Clone, Debug, PartialEq)]
pub struct CertCaller {
    /// Hex SHA-256 of the certificate's DER.
    pub id: Arc<str>,
    /// `user_data` or `member_data`; null if none.
    pub data: Json,
    /// The certificate as PEM.
    pub cert: Arc<str>,
}

/// A caller known by a token.
#[derive(Clone, Debug, PartialEq)]
pub struct JwtCaller {
    /// The issuer that the key was registered for; not necessarily the token's `iss`.
    pub key_issuer: Arc<str>,
    /// The token's header, an object.
    pub header: Json,
    /// The token's claims, an object.
    pub payload: Json,
}

impl Caller {
    /// The policy's name.
    ///
    /// ```
    /// assert_eq!(affiant::Caller::NoAuth.policy(), "no_auth");
    /// ```
    #[must_use]
    pub const fn policy(&self) -> &'static str {
        match self {
            Self::NoAuth => "no_auth",
            Self::UserCert(_) => "user_cert",
            Self::MemberCert(_) => "member_cert",
            Self::AnyCert { .. } => "any_cert",
            Self::Jwt(_) => "jwt",
            Self::UserCoseSign1 { .. } => "user_cose_sign1",
            Self::AllOf(_) => "all_of",
        }
    }
}

/// Why a request could not be made from the given parts.
///
/// ```
/// use affiant::Request;
///
/// let error = Request::new("GET", "no leading slash, and blanks").unwrap_err();
/// assert!(error.to_string().starts_with("not a request: target"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidRequest(String);

impl fmt::Display for InvalidRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a request: {}", self.0)
    }
}

impl core::error::Error for InvalidRequest {}

/// Where the placeholders of the matched template lie in the path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spans {
    pub(crate) ends: [(u32, u32); TEMPLATE_PARAMETERS_MAX],
    pub(crate) count: u8,
}

/// The matched template: its text with the front end's prefix, and its placeholders' names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) text: String,
    pub(crate) names: Vec<String>,
}

/// One request; shared by every attempt to run its handler.
///
/// ```
/// use affiant::Request;
///
/// let request = Request::new("PUT", "/notes/7?draft=yes")?
///     .with_header("content-type", "text/plain")?
///     .with_body("first");
/// assert_eq!(request.query_parameter("draft").as_deref(), Some("yes"));
/// assert_eq!(request.body(), "first");
/// # Ok::<(), affiant::InvalidRequest>(())
/// ```
#[derive(Clone, Debug)]
pub struct Request {
    method: Method,
    target: PathAndQuery,
    headers: HeaderMap,
    body: Bytes,
    pub(crate) route: Option<Arc<Route>>,
    pub(crate) spans: Spans,
    given_params: Vec<(String, String)>,
    given_route: String,
    pub(crate) caller: Option<Caller>,
}

impl Request {
    /// A request without headers or body. `target` is the path, with `?` and the query if any.
    ///
    /// # Errors
    /// The method or the target is not valid HTTP.
    ///
    /// ```
    /// # use affiant::Request;
    /// assert_eq!(Request::new("GET", "/notes")?.method(), "GET");
    /// assert!(Request::new("G T", "/notes").is_err());
    /// # Ok::<(), affiant::InvalidRequest>(())
    /// ```
    pub fn new(method: &str, target: &str) -> Result<Self, InvalidRequest> {
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|error| InvalidRequest(format!("method {method:?}: {error}")))?;
        let target = PathAndQuery::try_from(target)
            .map_err(|error| InvalidRequest(format!("target {target:?}: {error}")))?;
        Ok(Self::from_parts(method, target, HeaderMap::new(), Bytes::new()))
    }

    pub(crate) fn from_parts(
        method: Method,
        target: PathAndQuery,
        headers: HeaderMap,
        body: Bytes,
    ) -> Self {
        Self {
            method,
            target,
            headers,
            body,
            route: None,
            spans: Spans::default(),
            given_params: Vec::new(),
            given_route: String::new(),
            caller: None,
        }
    }

    /// Adds a header.
    ///
    /// # Errors
    /// Name or value is not valid HTTP.
    ///
    /// ```
    /// # use affiant::Request;
    /// let request = Request::new("GET", "/notes")?.with_header("Accept", "text/plain")?;
    /// assert_eq!(request.header("accept"), Some("text/plain"));
    /// assert!(request.with_header("bad name", "").is_err());
    /// # Ok::<(), affiant::InvalidRequest>(())
    /// ```
    pub fn with_header(mut self, name: &str, value: &str) -> Result<Self, InvalidRequest> {
        let bad = |error: &dyn fmt::Display| InvalidRequest(format!("header {name:?}: {error}"));
        let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|error| bad(&error))?;
        let value = HeaderValue::from_str(value).map_err(|error| bad(&error))?;
        self.headers.append(parsed, value);
        Ok(self)
    }

    /// Adds a header line as it came: its value may be any bytes that HTTP allows.
    ///
    /// # Errors
    /// Name or value is not valid HTTP.
    ///
    /// ```
    /// # use affiant::Request;
    /// let request = Request::new("GET", "/notes")?.with_header_line("x-name", b"caf\xe9")?;
    /// assert_eq!(request.header_lines().next(), Some(("x-name", &b"caf\xe9"[..])));
    /// # Ok::<(), affiant::InvalidRequest>(())
    /// ```
    pub fn with_header_line(mut self, name: &str, value: &[u8]) -> Result<Self, InvalidRequest> {
        let bad = |error: &dyn fmt::Display| InvalidRequest(format!("header {name:?}: {error}"));
        let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|error| bad(&error))?;
        let value = HeaderValue::from_bytes(value).map_err(|error| bad(&error))?;
        self.headers.append(parsed, value);
        Ok(self)
    }

    /// Sets the body.
    ///
    /// ```
    /// # use affiant::Request;
    /// assert_eq!(Request::new("PUT", "/notes/7")?.with_body("first").body(), "first");
    /// # Ok::<(), affiant::InvalidRequest>(())
    /// ```
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets the caller. The host overwrites it when it dispatches; this is for those who call a
    /// front end directly, such as its tests.
    ///
    /// ```
    /// # use affiant::Request;
    /// use affiant::Caller;
    ///
    /// let request = Request::new("GET", "/notes")?.with_caller(Some(Caller::NoAuth));
    /// assert_eq!(request.caller(), Some(&Caller::NoAuth));
    /// # Ok::<(), affiant::InvalidRequest>(())
    /// ```
    #[must_use]
    pub fn with_caller(mut self, caller: Option<Caller>) -> Self {
        self.caller = caller;
        self
    }

    /// Sets route and parameters as if a router had matched them; for those who call a front end
    /// directly.
    ///
    /// ```
    /// # use affiant::Request;
    /// let request = Request::new("GET", "/app/notes/7")?.with_route("/app/notes/{id}", &[("id", "7")]);
    /// assert_eq!(request.param("id"), Some("7"));
    /// # Ok::<(), affiant::InvalidRequest>(())
    /// ```
    #[must_use]
    pub fn with_route(mut self, route: &str, params: &[(&str, &str)]) -> Self {
        route.clone_into(&mut self.given_route);
        self.given_params =
            params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self
    }

    /// Upper-case method.
    ///
    /// ```
    /// # use affiant::Request;
    /// assert_eq!(Request::new("DELETE", "/notes/7")?.method(), "DELETE");
    /// # Ok::<(), affiant::InvalidRequest>(())
    /// ```
    #[must_use]
    pub fn method(&self) -> &str {
        self.method.as_str()
    }

    pub(crate) fn http_method(&self) -> &Method {
        &self.method
    }

    /// The raw path as sent, `/app` included if given, without the query.
    ///
    /// ```
    /// # use affiant::Request;
    /// assert_eq!(Request::new("GET", "/notes/a%20b?x=1")?.path(), "/notes/a%20b");
    /// # Ok::<(), affiant::InvalidRequest>(())
    /// ```
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.path()
    }

    /// The query as sent, without `?`; `None` if there is none.
    ///
    /// ```
    /// # use affiant::Request;
    /// assert_eq!(Request::new("GET", "/notes?x=a+b")?.raw_query(), Some("x=a+b"));
    /// assert_eq!(Request::new("GET", "/notes")?.raw_query(), None);
    /// # Ok::<(), affiant::InvalidRequest>(())
    /// ```
    #[must_use]
    pub fn raw_query(&self) -> Option<&str> {
        self.target.query()
    }

    /// The query as CCF shows it: `+` turned into a space, then percent-decoded as one string; empty
    /// if none. Use [`Self::query_parameter`] to take a parameter out of it.
    ///
    /// ```
    /// # use affiant::Request;
    /// assert_eq!(Request::new("GET", "/notes?x=a+b%21")?.query(), "x=a b!");
    /// # Ok::<(), affiant::InvalidRequest>(())
    /// ```
    #[must_use]
    pub fn query(&self) -> Cow<'_, str> {
        self.raw_query().map_or(Cow::Borrowed(""), decode)
    }

    /// The first query parameter of that name, decoded.
    ///
    /// ```
    /// # use affiant::Request;
    /// let request = Request::new("GET", "/notes?from=a%26b&flag")?;
    /// assert_eq!(request.query_parameter("from").as_deref(), Some("a&b"));
    /// assert_eq!(request.query_parameter("flag").as_deref(), Some(""));
    /// assert_eq!(request.query_parameter("to"), None);
    /// # Ok::<(), affiant::InvalidRequest>(())
    /// ```
    #[must_use]
    pub fn query_parameter(&self, name: &str) -> Option<Cow<'_, str>> {
        self.raw_query()?.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key) == name).then(|| decode(value))
        })
    }

    /// The path, and the decoded query after `?` unless it is empty (CCF's `request.url`).
    ///
    /// ```
    /// # use affiant::Request;
    /// assert_eq!(Request::new("GET", "/notes?x=a+b")?.url(), "/notes?x=a b");
    /// # Ok::<(), affiant::InvalidRequest>(())
    /// ```
    #[must_use]
    pub fn url(&self) -> String {
        match self.raw_query() {
            Some(query) if !query.is_empty() => format!("{}?{}", self.path(), self.query()),
            _ => self.path().to_owned(),
        }
    }

    /// `/app` and the endpoint's template; empty before routing.
    ///
    /// ```
    /// # use affiant::Request;
    /// let request = Request::new("GET", "/app/notes/7")?;
    /// assert_eq!(request.route(), "");
    /// assert_eq!(request.with_route("/app/notes/{id}", &[]).route(), "/app/notes/{id}");
    /// # Ok::<(), affiant::InvalidRequest>(())
    /// ```
    #[must_use]
    pub fn route(&self) -> &str {
        self.route.as_ref().map_or(&self.given_route, |route| &route.text)
    }

    /// The first header of that name; a value that is no UTF-8 counts as absent.
    ///
    /// ```
    /// # use affiant::Request;
    /// let request = Request::new("GET", "/notes")?.with_header("Accept", "text/plain")?;
    /// assert_eq!(request.header("ACCEPT"), Some("text/plain"));
    /// assert_eq!(request.header("host"), None);
    /// # Ok::<(), affiant::InvalidRequest>(())
    /// ```
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        core::str::from_utf8(self.headers.get(name)?.as_bytes()).ok()
    }

    /// All headers: lower-case names, each once; of repeated headers the first.
    ///
    /// ```
    /// # use affiant::Request;
    /// let request = Request::new("GET", "/notes")?.with_header("X-One", "1")?.with_header("X-Two", "2")?;
    /// let names: Vec<&str> = request.headers().map(|(name, _)| name).collect();
    /// assert_eq!(names, ["x-one", "x-two"]);
    /// # Ok::<(), affiant::InvalidRequest>(())
    /// ```
    pub fn headers(&self) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
        self.headers.keys().filter_map(|name| {
            let value = self.headers.get(name)?;
            Some((name.as_str(), String::from_utf8_lossy(value.as_bytes())))
        })
    }

    /// Every header line as it came: lower-case name, and the value's bytes.
    ///
    /// ```
    /// # use affiant::Request;
    /// let request = Request::new("GET", "/notes")?.with_header("via", "a")?.with_header("via", "b")?;
    /// assert_eq!(request.header_lines().count(), 2);
    /// # Ok::<(), affiant::InvalidRequest>(())
    /// ```
    pub fn header_lines(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()))
    }

    pub(crate) fn header_map(&self) -> &HeaderMap {
        &self.headers
    }

    /// The template's placeholders and their raw, undecoded values.
    ///
    /// ```
    /// # use affiant::Request;
    /// let request = Request::new("GET", "/app/a/b")?.with_route("/app/{x}/{y}", &[("x", "a"), ("y", "b")]);
    /// assert_eq!(request.params().collect::<Vec<_>>(), [("x", "a"), ("y", "b")]);
    /// # Ok::<(), affiant::InvalidRequest>(())
    /// ```
    pub fn params(&self) -> impl Iterator<Item = (&str, &str)> {
        let given = self.given_params.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let names = self.route.as_ref().map_or(&[] as &[String], |route| &route.names);
        let matched = names.iter().zip(&self.spans.ends).filter_map(|(name, (from, to))| {
            Some((name.as_str(), self.path().get(*from as usize..*to as usize)?))
        });
        given.chain(matched)
    }

    /// The raw value of one placeholder.
    ///
    /// ```
    /// # use affiant::Request;
    /// let request = Request::new("GET", "/app/notes/a%20b")?.with_route("/app/notes/{id}", &[("id", "a%20b")]);
    /// assert_eq!(request.param("id"), Some("a%20b"));
    /// assert_eq!(request.param("name"), None);
    /// # Ok::<(), affiant::InvalidRequest>(())
    /// ```
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// The whole body.
    ///
    /// ```
    /// # use affiant::Request;
    /// assert!(Request::new("GET", "/notes")?.body().is_empty());
    /// # Ok::<(), affiant::InvalidRequest>(())
    /// ```
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// A 400 `InvalidInput` that says where it stops being JSON.
    ///
    /// ```
    /// # use affiant::Request;
    /// # let put = |body: &'static str| Request::new("PUT", "/notes/7").unwrap().with_body(body);
    /// assert_eq!(put(r#"{"text": "first"}"#).json()?["text"], "first");
    /// assert_eq!(put("{").json().unwrap_err().status, 400);
    /// # Ok::<(), affiant::AppError>(())
    /// ```
    pub fn json(&self) -> Result<Json, crate::AppError> {
        serde_json::from_slice(&self.body).map_err(|error| {
            crate::AppError::new(
                400,
                crate::odata::INVALID_INPUT,
                format!("The request body is not valid JSON: {error}."),
            )
        })
    }

    /// Who calls; `None` only where the endpoint declares no policy at all.
    ///
    /// ```
    /// # use affiant::Request;
    /// // Known once an endpoint's policy has admitted the caller.
    /// assert_eq!(Request::new("GET", "/notes")?.caller(), None);
    /// # Ok::<(), affiant::InvalidRequest>(())
    /// ```
    #[must_use]
    pub fn caller(&self) -> Option<&Caller> {
        self.caller.as_ref()
    }
}

fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let spaced = text.replace('+', " ");
    Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned())
}

/// What a handler returns.
///
/// ```
/// use affiant::Response;
/// use serde_json::json;
///
/// let answer = Response::json(200, &json!({"id": 7})).with_header("cache-control", "no-store");
/// assert!(answer.is_success());
/// assert_eq!(answer.body, r#"{"id":7}"#);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// HTTP status code as the handler gave it; any integer from 100 to 999 is sent as it is.
    pub status: u16,
    /// Lower-case names.
    pub headers: Vec<(String, String)>,
    /// Header values go out as ISO-8859-1, one byte for each character, as Python's gateways mean them;
    /// otherwise as UTF-8.
    pub latin1_headers: bool,
    /// The body's bytes.
    pub body: Bytes,
}

impl Response {
    /// An empty response.
    ///
    /// ```
    /// # use affiant::Response;
    /// assert!(Response::empty(204).body.is_empty());
    /// ```
    #[must_use]
    pub const fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), latin1_headers: false, body: Bytes::new() }
    }

    /// A JSON response.
    ///
    /// ```
    /// # use affiant::Response;
    /// let answer = Response::json(200, &serde_json::json!([1, 2]));
    /// assert_eq!(answer.header("content-type"), Some("application/json"));
    /// ```
    #[must_use]
    pub fn json(status: u16, body: &Json) -> Self {
        Self::typed(status, "application/json", body.to_string())
    }

    /// A plain-text response.
    ///
    /// ```
    /// # use affiant::Response;
    /// let answer = Response::text(404, "no such note");
    /// assert_eq!(answer.header("content-type"), Some("text/plain"));
    /// ```
    #[must_use]
    pub fn text(status: u16, body: impl Into<Bytes>) -> Self {
        Self::typed(status, "text/plain", body)
    }

    /// A response with a content type.
    ///
    /// ```
    /// # use affiant::Response;
    /// let answer = Response::typed(200, "image/png", b"\x89PNG".to_vec());
    /// assert_eq!(answer.header("content-type"), Some("image/png"));
    /// ```
    #[must_use]
    pub fn typed(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: vec![("content-type".to_owned(), content_type.to_owned())],
            latin1_headers: false,
            body: body.into(),
        }
    }

    /// Adds a header; the name must be lower-case.
    ///
    /// ```
    /// # use affiant::Response;
    /// let answer = Response::empty(201).with_header("location", "/app/notes/7");
    /// assert_eq!(answer.header("location"), Some("/app/notes/7"));
    /// ```
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The first header of that lower-case name.
    ///
    /// ```
    /// # use affiant::Response;
    /// assert_eq!(Response::empty(204).header("location"), None);
    /// ```
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether the status is 2xx, so that writes are kept unless the handler said otherwise.
    ///
    /// ```
    /// # use affiant::Response;
    /// assert!(Response::empty(204).is_success() && !Response::empty(404).is_success());
    /// ```
    #[must_use]
    pub const fn is_success(&self) -> bool {
        self.status >= 200 && self.status < 300
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn the_query_is_decoded_as_one_string_and_by_parameter() {
        let request = Request::new("GET", "/app/log?id=a%26b+c&x=1%2B2&flag").unwrap();
        assert_eq!(request.query(), "id=a&b c&x=1+2&flag");
        assert_eq!(request.query_parameter("id").as_deref(), Some("a&b c"));
        assert_eq!(request.query_parameter("x").as_deref(), Some("1+2"));
        assert_eq!(request.query_parameter("flag").as_deref(), Some(""));
        assert_eq!(request.query_parameter("none"), None);
        assert_eq!(request.url(), "/app/log?id=a&b c&x=1+2&flag");
        assert_eq!(request.path(), "/app/log");
        assert_eq!(Request::new("GET", "/app/log?").unwrap().url(), "/app/log");
    }

    #[test]
    fn of_repeated_headers_the_first_wins() {
        let request = Request::new("GET", "/x")
            .and_then(|request| request.with_header("X-One", "1"))
            .and_then(|request| request.with_header("x-one", "2"))
            .unwrap();
        assert_eq!(request.header("x-one"), Some("1"));
        let all: Vec<_> = request.headers().collect();
        assert_eq!(all, [("x-one", Cow::Borrowed("1"))]);
    }

    #[test]
    fn given_parameters_are_seen() {
        let request =
            Request::new("GET", "/app/log/7").unwrap().with_route("/app/log/{id}", &[("id", "7")]);
        assert_eq!(request.param("id"), Some("7"));
        assert_eq!(request.route(), "/app/log/{id}");
    }

    #[test]
    fn a_bad_target_is_refused() {
        assert!(Request::new("GET", "/a b").is_err());
        assert!(Request::new("G T", "/a").is_err());
    }
}
