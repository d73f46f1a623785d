//! What a listener lets through to handlers (reference B.7, B.9).

use regex_lite::Regex;
use serde_json::Value as Json;

use crate::endpoint::Redirection;
use crate::odata;
use crate::request::{Request, Response};

/// Where an interface sends requests that only a backup is to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Backups {
    /// To a backup of this service; a lone node knows none.
    ByRole,
    /// To this host and port, always.
    At(String),
}

/// The bounds of one listener.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    /// Expressions, one of which an endpoint's route must match as a whole; `None`: all are served.
    pub(crate) accepted: Option<Vec<Regex>>,
    /// `None`: the interface does not redirect, so everything is served here.
    pub(crate) backups: Option<Backups>,
}

impl Backups {
    /// From an interface's `redirections` as configured.
    pub(crate) fn of_interface(configured: &Json) -> Option<Self> {
        let redirections = configured.get("redirections").filter(|given| given.is_object())?;
        let address = redirections.pointer("/to_backup/target/address").and_then(Json::as_str);
        Some(address.map_or(Self::ByRole, |address| Self::At(address.to_owned())))
    }
}

impl Gate {
    /// Lets the request on to the endpoint with that route, or answers: an empty 503 where the
    /// listener does not serve the endpoint, 307 or 503 where only a backup does. This node is the
    /// primary.
    pub(crate) fn admit(
        &self,
        request: &Request,
        route: &str,
        redirection: Redirection,
    ) -> Result<(), Response> {
        if self.accepted.as_ref().is_some_and(|all| !all.iter().any(|one| one.is_match(route))) {
            return Err(Response::empty(503));
        }
        match &self.backups {
            Some(Backups::At(address)) if redirection == Redirection::ToBackup => {
                let query = request.raw_query().map_or(String::new(), |query| format!("?{query}"));
                let location = format!("https://{address}{}{query}", request.path());
                Err(Response::empty(307).with_header("location", location))
            }
            Some(Backups::ByRole) if redirection == Redirection::ToBackup => {
                let message = "Request should be redirected to backup, but receiving node does not \
                               know current backup address";
                Err(odata::error(503, odata::BACKUP_NOT_FOUND, message))
            }
            _ => Ok(()),
        }
    }
}
