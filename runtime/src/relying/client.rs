//! An HTTPS client that sends nothing to a service before it is verified.
//!
//! Invariant: a request leaves only over a connection whose key is attested, by a trusted verdict
//! that is young enough, for the service of the first verdict. A new connection to a node that was
//! verified already needs no new evidence: its key says who it is. Another key is another node, which
//! is verified in turn.

use core::fmt;
use std::time::{Duration, Instant};

use http::Method;

use super::connect::{Identity, Session};
use super::{Options, Policy, RelyingError, ServiceVerdict};
use crate::client::Ask;
use crate::limits::{
    RELYING_ANSWER_BYTES_MAX, RELYING_IDLE_MS_MAX, RELYING_KEYS_MAX, RELYING_VERDICT_MS_MAX,
};

/// What a service answered, whatever its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status, such as 200.
    pub status: u16,
    /// Names in lower case, in the order in which they came. Values that are no text are left out.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The first header of this name, in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Why nothing was sent, or no answer came.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Refusal {
    /// The service, or the node that answers now, is not to be trusted. The request was not sent.
    NotTrusted(Box<ServiceVerdict>),
    /// There is no verdict, or no answer.
    Failed(RelyingError),
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotTrusted(verdict) => {
                write!(out, "nothing was sent. {}", verdict.summary())?;
                for check in verdict.failures() {
                    write!(out, " {}: {}.", check.name, check.reason)?;
                }
                Ok(())
            }
            Self::Failed(error) => error.fmt(out),
        }
    }
}

impl core::error::Error for Refusal {}

impl From<RelyingError> for Refusal {
    fn from(error: RelyingError) -> Self {
        Self::Failed(error)
    }
}

/// A node whose key is attested.
struct Known {
    key_id: String,
    verified: Instant,
}

/// A client of one service. Blocks; one request at a time.
pub struct VerifiedClient {
    url: String,
    policy: Policy,
    options: Options,
    identity: Option<Identity>,
    session: Option<Session>,
    verdict: ServiceVerdict,
    known: Vec<Known>,
}

impl fmt::Debug for VerifiedClient {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "VerifiedClient({})", self.url)
    }
}

impl VerifiedClient {
    /// Connects and verifies. `identity` is shown to the service in the handshake, if it asks.
    ///
    /// # Errors
    /// The service is not to be trusted, or there is no verdict.
    pub fn connect(
        url: &str,
        policy: Policy,
        options: Options,
        identity: Option<Identity>,
    ) -> Result<Self, Refusal> {
        options.nonce()?;
        let mut session = Session::open(url, identity.as_ref(), options.timeout)?;
        let verdict = super::judge_session(&mut session, &policy, &options)?;
        let (key_id, verified) = (session.key_id(), Instant::now());
        let verdict = trusted(verdict)?;
        Ok(Self {
            url: url.to_owned(),
            policy,
            // From here on it is this service, and no other that the policy would accept too.
            options: Options {
                service_certificate_pem: Some(verdict.service_certificate_pem.clone()),
                ..options
            },
            identity,
            session: Some(session),
            verdict,
            known: vec![Known { key_id, verified }],
        })
    }

    /// The verdict on the node that was verified last.
    pub const fn verdict(&self) -> &ServiceVerdict {
        &self.verdict
    }

    /// Sends a request and reads the whole answer. `path` is that of the service, such as
    /// `/app/notes?id=1`. Redirections are handed back, not followed.
    ///
    /// # Errors
    /// The node that answers is not to be trusted (the request was not sent), or there is no answer
    /// in time; then the request may have been carried out or not.
    pub fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        timeout: Option<Duration>,
    ) -> Result<Answer, Refusal> {
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|_| RelyingError::usage("method", format!("{method:?} is none")))?;
        if !path.starts_with('/') {
            let why = format!("{path:?} must begin with a slash, as /app/notes does");
            return Err(RelyingError::usage("path", why).into());
        }
        let timeout = timeout.unwrap_or(self.options.timeout);
        let mut session = self.session()?;
        let ask = Ask { method, headers, body: bytes::Bytes::copy_from_slice(body) };
        let answer = session.send(path, ask, timeout, RELYING_ANSWER_BYTES_MAX)?;
        let text = |value: &http::HeaderValue| value.to_str().ok().map(str::to_owned);
        let closes = answer.headers.get("connection").is_some_and(|value| value == "close");
        if !closes {
            self.session = Some(session);
        }
        Ok(Answer {
            status: answer.status.as_u16(),
            headers: answer
                .headers
                .iter()
                .filter_map(|(name, value)| Some((name.as_str().to_owned(), text(value)?)))
                .collect(),
            body: answer.body.to_vec(),
        })
    }

    /// A connection over which requests may leave. It is taken out, so that a failed one is gone.
    fn session(&mut self) -> Result<Session, Refusal> {
        let young = |since: Instant, ms: u64| since.elapsed() < Duration::from_millis(ms);
        self.known.retain(|known| young(known.verified, RELYING_VERDICT_MS_MAX));
        if let Some(session) = self.session.take()
            && young(session.used, RELYING_IDLE_MS_MAX)
            && self.is_known(&session)
        {
            return Ok(session);
        }
        let mut session = Session::open(&self.url, self.identity.as_ref(), self.options.timeout)?;
        if self.is_known(&session) {
            return Ok(session);
        }
        let verdict = super::judge_session(&mut session, &self.policy, &self.options)?;
        self.verdict = trusted(verdict)?;
        if self.known.len() == RELYING_KEYS_MAX {
            self.known.remove(0);
        }
        self.known.push(Known { key_id: session.key_id(), verified: Instant::now() });
        Ok(session)
    }

    fn is_known(&self, session: &Session) -> bool {
        let key_id = session.key_id();
        !key_id.is_empty() && self.known.iter().any(|known| known.key_id == key_id)
    }
}

fn trusted(verdict: ServiceVerdict) -> Result<ServiceVerdict, Refusal> {
    if verdict.is_trusted() { Ok(verdict) } else { Err(Refusal::NotTrusted(Box::new(verdict))) }
}
