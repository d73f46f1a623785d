//! For those who rely on a service: is it what it says, before anything is sent to it?
//!
//! [`verify_service`] connects, takes whatever certificate it is shown, asks the node on that very
//! connection for its evidence, and makes every check: that the key of the connection is the one
//! which the evidence is bound to, that the evidence holds ([`affiant_attest`]), that the policy
//! accepts it, that the service issued the node's certificate, and what else was asked for.
//! [`VerifiedClient`] sends requests over connections that passed. [`verify_evidence`] judges
//! evidence from a file.
//!
//! Nothing here trusts a certificate authority, a name or an address: a connection is worth what the
//! evidence for its key is worth.
//!
//! ```no_run
//! use affiant::relying::{Options, read_policy, verify_service};
//!
//! let policy = read_policy(&std::fs::read("policy.json")?)?;
//! let verdict = verify_service("https://127.0.0.1:8000", &policy, &Options::default())?;
//! println!("{verdict}");
//! assert!(verdict.is_trusted());
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

mod client;
mod connect;
mod error;
mod judge;
mod offline;
mod propose;
#[cfg(test)]
mod recorded;
mod verdict;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use affiant_attest::{Check, Outcome, Policy, SecurityContextFiles, Verdict};

pub use self::client::{Answer, Refusal, VerifiedClient};
pub use self::error::RelyingError;
pub use self::offline::{Pieces, read_policy, table, verify_evidence};
pub use self::propose::Proposal;
pub use self::verdict::{Platform, ServiceVerdict};

pub use self::connect::Identity;
use self::connect::{Said, Session};
use self::judge::{Wanted, judge};
use crate::crypto::random_bytes;
use crate::limits::{
    RELYING_MS_DEFAULT, RELYING_NONCE_BYTES, RELYING_NONCE_BYTES_MAX, RELYING_NONCE_BYTES_MIN,
};

/// Whether the evidence must be fresh, and how that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Nonce {
    /// The node may show evidence that it has, of any age.
    #[default]
    None,
    /// The node must make evidence over bytes that are chosen at random for this request.
    Random,
    /// The node must make evidence over these bytes, 8 to 64 of them.
    Given(Vec<u8>),
}

/// What to ask for beside the policy.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether the evidence must be fresh. CCF's nodes make none on demand.
    pub nonce: Nonce,
    /// The certificate of the service that it must be, PEM. None: any service whose nodes the policy
    /// accepts. Keys are compared, so a renewed certificate will do.
    pub service_certificate_pem: Option<String>,
    /// A receipt that the service must have signed, JSON or COSE.
    pub receipt: Option<Vec<u8>>,
    /// The time for which the evidence must hold, in seconds since 1970. None: now.
    pub at_unix_s: Option<u64>,
    /// The longest that the whole of it may take.
    pub timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            nonce: Nonce::None,
            service_certificate_pem: None,
            receipt: None,
            at_unix_s: None,
            timeout: Duration::from_millis(RELYING_MS_DEFAULT),
        }
    }
}

impl Options {
    /// The nonce of one verification, or why there cannot be one: asked before anybody is connected to.
    fn nonce(&self) -> Result<Option<Vec<u8>>, RelyingError> {
        match &self.nonce {
            Nonce::None => Ok(None),
            Nonce::Random => random_bytes::<RELYING_NONCE_BYTES>()
                .map(|bytes| Some(bytes.to_vec()))
                .map_err(|why| RelyingError::usage("nonce", why.to_string())),
            Nonce::Given(bytes) => {
                let allowed = RELYING_NONCE_BYTES_MIN..=RELYING_NONCE_BYTES_MAX;
                if !allowed.contains(&bytes.len()) {
                    let why = format!(
                        "{} bytes; a nonce has {RELYING_NONCE_BYTES_MIN} to {RELYING_NONCE_BYTES_MAX}",
                        bytes.len()
                    );
                    return Err(RelyingError::usage("nonce", why));
                }
                Ok(Some(bytes.clone()))
            }
        }
    }
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Verifies the service at `url`, such as `https://example.com:8000`. Blocks for up to twice
/// [`Options::timeout`], once to connect and once to ask; may be called from anywhere.
///
/// # Errors
/// There is no verdict: the service does not answer, or not with what can be read. A service that is
/// not to be trusted is no error: see [`ServiceVerdict::is_trusted`].
pub fn verify_service(
    url: &str,
    policy: &Policy,
    options: &Options,
) -> Result<ServiceVerdict, RelyingError> {
    options.nonce()?;
    let mut session = Session::open(url, None, options.timeout)?;
    judge_session(&mut session, policy, options)
}

/// Looks at the node at `url` and makes the policy that accepts it as it is.
///
/// # Errors
/// As of [`verify_service`]. A node that no policy would accept is no error: see
/// [`Proposal::verdict`].
pub fn propose_policy(url: &str, options: &Options) -> Result<Proposal, RelyingError> {
    let nonce = options.nonce()?;
    let mut session = Session::open(url, None, options.timeout)?;
    let said = session.ask(nonce.as_deref(), options.timeout)?;
    let policy = Policy::default();
    let wanted = wanted(&policy, options, nonce.as_deref());
    propose::propose(&said.shown, &wanted, |verdict| {
        describe(&session, &said, verdict, wanted.at_unix_s)
    })
}

/// Asks the node on an open connection, and judges it. Nothing else may be sent on the connection
/// unless the verdict is trusted.
fn judge_session(
    session: &mut Session,
    policy: &Policy,
    options: &Options,
) -> Result<ServiceVerdict, RelyingError> {
    let nonce = options.nonce()?;
    let said = session.ask(nonce.as_deref(), options.timeout)?;
    let wanted = wanted(policy, options, nonce.as_deref());
    let verdict = judge(&mut said.shown.clone(), &wanted)?;
    Ok(describe(session, &said, verdict, wanted.at_unix_s))
}

fn wanted<'a>(policy: &'a Policy, options: &'a Options, nonce: Option<&'a [u8]>) -> Wanted<'a> {
    Wanted {
        policy,
        nonce,
        service_certificate_pem: options.service_certificate_pem.as_deref(),
        receipt: options.receipt.as_deref(),
        at_unix_s: options.at_unix_s.unwrap_or_else(now),
    }
}

fn describe(session: &Session, said: &Said, verdict: Verdict, at_unix_s: u64) -> ServiceVerdict {
    let shown = &said.shown;
    ServiceVerdict {
        url: session.url().to_owned(),
        platform: Platform::of(&shown.attestation),
        at_unix_s,
        node_id: session.key_id(),
        service_identity: judge::identity_of_pem(&shown.service_certificate_pem),
        service_certificate_pem: shown.service_certificate_pem.clone(),
        evidence_json: said.evidence.clone(),
        verdict,
    }
}

/// The examples of the guide compile.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/attestation.md")]
struct Guide;
