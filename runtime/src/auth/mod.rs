//! Who calls: the policies that an endpoint names, tried in order (reference C).
//!
//! Policies read the request's own transaction, so that a caller who is removed while the request
//! runs makes it conflict; what they parsed of a row they keep for as long as the row stays. A policy
//! is one implementation of [`AuthPolicy`]; its name in `app.json` is found in a `PolicyTable`.
//!
//! ```
//! use affiant::auth::{AuthError, AuthPolicy, AuthRequest};
//! use affiant::{Caller, Tx};
//!
//! /// Admits whoever comes from the reverse proxy, which says so.
//! struct FromProxy;
//!
//! impl AuthPolicy for FromProxy {
//!     fn name(&self) -> &'static str {
//!         "from_proxy"
//!     }
//!
//!     fn identify(&self, asked: &AuthRequest<'_>, _: &mut Tx) -> Result<Caller, AuthError> {
//!         match asked.request.header("x-proxy") {
//!             Some("inner") => Ok(Caller::NoAuth),
//!             _ => Err(AuthError::Refused("Only the proxy may call.".to_owned())),
//!         }
//!     }
//! }
//! ```

mod certificate;
mod cose;
mod jwt;
mod keys;
pub(crate) mod peer;
mod policies;
mod token;

use std::sync::Arc;

use affiant_kv::Tx;
use serde_json::{Value as Json, json};

pub use crate::endpoint::AuthnPolicy;
pub use crate::request::{CertCaller, JwtCaller};
pub use certificate::PeerCertificate;
pub use cose::UserCoseSign1;
pub use jwt::Jwt;
pub use policies::{AnyCert, MemberCert, NoAuth, UserCert};

use crate::frontend::AppError;
use crate::odata;
use crate::request::{Caller, Request, Response};
pub(crate) use peer::Peer;

/// The policy names that CCF's `app.json` knows; a bundle that names another one is refused.
pub(crate) const KNOWN_POLICIES: [&str; 6] =
    ["no_auth", "user_cert", "member_cert", "any_cert", "jwt", "user_cose_sign1"];

/// What a policy looks at.
pub struct AuthRequest<'a> {
    /// The request, its body read whole.
    pub request: &'a Request,
    /// Who is at the other end.
    pub peer: &'a Peer,
    /// Wall clock, in seconds since 1970.
    pub unix_s: i64,
}

/// Why a policy does not admit a caller.
#[derive(Clone, Debug, PartialEq)]
pub enum AuthError {
    /// It does not; the next policy is tried. The text goes into the error's details.
    Refused(String),
    /// The request is answered with this error and no further policy is tried.
    Failed(AppError),
}

/// One way to identify a caller.
pub trait AuthPolicy: Send + Sync {
    /// The name in `app.json`.
    fn name(&self) -> &'static str;
    /// Identifies the caller, or says why not.
    ///
    /// # Errors
    /// The caller is not admitted, or the request is malformed.
    fn identify(&self, request: &AuthRequest<'_>, tx: &mut Tx) -> Result<Caller, AuthError>;
    /// The OpenAPI security scheme, if it has one: its name and its object.
    fn openapi_scheme(&self) -> Option<(&'static str, Json)> {
        None
    }
    /// The value of `www-authenticate` when this is the last policy that refused.
    fn challenge(&self) -> Option<&'static str> {
        None
    }
}

/// The policies that this host can ask, by name.
#[derive(Clone)]
pub(crate) struct PolicyTable(Vec<Arc<dyn AuthPolicy>>);

impl Default for PolicyTable {
    fn default() -> Self {
        Self(vec![
            Arc::new(NoAuth),
            Arc::new(UserCert),
            Arc::new(MemberCert),
            Arc::new(AnyCert),
            Arc::new(Jwt::default()),
            Arc::new(UserCoseSign1::default()),
        ])
    }
}

impl PolicyTable {
    /// The same, with the policies that only built-in endpoints ask.
    pub(crate) fn for_built_in(&self) -> Self {
        let mut own = self.clone();
        own.insert(Arc::new(policies::NodeCert));
        own
    }

    /// Adds a policy, or replaces the one of the same name.
    pub(crate) fn insert(&mut self, policy: Arc<dyn AuthPolicy>) {
        self.0.retain(|known| known.name() != policy.name());
        self.0.push(policy);
    }

    fn find(&self, name: &str) -> Option<Arc<dyn AuthPolicy>> {
        self.0.iter().find(|policy| policy.name() == name).cloned()
    }
}

enum Step {
    One(Arc<dyn AuthPolicy>),
    All(Vec<Arc<dyn AuthPolicy>>),
    Unknown(String),
}

/// An endpoint's policies, looked up once.
pub(crate) struct Admission(Vec<Step>);

impl Admission {
    pub(crate) fn new(policies: &[AuthnPolicy], table: &PolicyTable) -> Self {
        let one =
            |name: &str| table.find(name).map_or_else(|| Step::Unknown(name.to_owned()), Step::One);
        Self(
            policies
                .iter()
                .map(|policy| match policy {
                    AuthnPolicy::Named(name) => one(name),
                    AuthnPolicy::AllOf(names) => {
                        // Sorted by name: so the caller object lists them.
                        let mut names: Vec<&String> = names.iter().collect();
                        names.sort();
                        names.dedup();
                        // All of nobody would be everybody.
                        if names.is_empty() {
                            return Step::Unknown("all_of nothing".to_owned());
                        }
                        let found: Result<Vec<_>, &str> = names
                            .iter()
                            .map(|name| table.find(name).ok_or(name.as_str()))
                            .collect();
                        found.map_or_else(|name| Step::Unknown(name.to_owned()), Step::All)
                    }
                })
                .collect(),
        )
    }

    /// Whether anybody may call, unidentified.
    pub(crate) fn is_open(&self) -> bool {
        self.0.is_empty()
    }

    /// The policies as they are tried: each element admits if all of its policies do. Unknown names
    /// are left out.
    pub(crate) fn alternatives(&self) -> impl Iterator<Item = &[Arc<dyn AuthPolicy>]> {
        self.0.iter().filter_map(|step| match step {
            Step::One(policy) => Some(core::slice::from_ref(policy)),
            Step::All(policies) => Some(policies.as_slice()),
            Step::Unknown(_) => None,
        })
    }

    /// Admits the caller or answers: 401 with each policy's reason, or what a policy made of it.
    /// Without any policy there is no caller.
    pub(crate) fn admit(
        &self,
        request: &AuthRequest<'_>,
        tx: &mut Tx,
    ) -> Result<Option<Caller>, Response> {
        if let Peer::Trusted(caller) = request.peer {
            return Ok(Some(caller.clone()));
        }
        if self.0.is_empty() {
            return Ok(None);
        }
        let mut details: Vec<Json> = Vec::new();
        let mut challenge = None;
        let mut refused = |policy: &dyn AuthPolicy, name: &str, reason: String| {
            challenge = policy.challenge();
            details.push(json!({
                "auth_policy": name,
                "code": odata::INVALID_AUTHENTICATION_INFO,
                "message": reason,
            }));
        };
        for step in &self.0 {
            match step {
                Step::Unknown(name) => {
                    return Err(odata::error(
                        500,
                        odata::INTERNAL_ERROR,
                        &format!("Unknown auth policy: {name}."),
                    ));
                }
                Step::One(policy) => match policy.identify(request, tx) {
                    Ok(caller) => return Ok(Some(caller)),
                    Err(AuthError::Failed(error)) => return Err(error.into()),
                    Err(AuthError::Refused(reason)) => refused(&**policy, policy.name(), reason),
                },
                Step::All(policies) => match all_of(policies, request, tx) {
                    Ok(callers) => return Ok(Some(Caller::AllOf(callers))),
                    Err((_, AuthError::Failed(error))) => return Err(error.into()),
                    Err((policy, AuthError::Refused(reason))) => {
                        let names: Vec<&str> =
                            policies.iter().map(|policy| policy.name()).collect();
                        let reason = format!("{}:{reason}", policy.name());
                        refused(policy, &names.join("+"), reason);
                    }
                },
            }
        }
        let mut response = odata::error_with_details(
            401,
            odata::INVALID_AUTHENTICATION_INFO,
            "Invalid authentication credentials.",
            &details,
        );
        if let Some(challenge) = challenge {
            response = response.with_header("www-authenticate", challenge);
        }
        Err(response)
    }
}

/// The policy that refused, and why.
type Objection<'a> = (&'a dyn AuthPolicy, AuthError);

fn all_of<'a>(
    policies: &'a [Arc<dyn AuthPolicy>],
    request: &AuthRequest<'_>,
    tx: &mut Tx,
) -> Result<Vec<(String, Caller)>, Objection<'a>> {
    let mut callers = Vec::with_capacity(policies.len());
    for policy in policies {
        match policy.identify(request, tx) {
            Ok(caller) => callers.push((policy.name().to_owned(), caller)),
            Err(error) => return Err((&**policy, error)),
        }
    }
    Ok(callers)
}
