//! The HTTP server: hyper on rustls, N threads with one single-threaded runtime each.
//!
//! A connection stays on the thread that it was dealt to, and so do its handlers while they are
//! quick, so that a request crosses no thread. Every bound is checked before memory is taken for
//! what it bounds; no client can hold a thread, only its own session, and that only for a time.

mod exchange;
pub(crate) mod outbox;
mod session;
mod streams;
mod threads;
mod watched;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use threads::{Identities, Prepared, Server};

use serde_json::Value as Json;

use crate::config::{AppProtocol, Endorsement, ListenerSettings};
use crate::gate::Gate;
use crate::limits::{
    BODY_BYTES_MAX_DEFAULT, BODY_READ_MS_MAX, HANDSHAKE_MS_MAX, HEADER_BYTES_MAX_DEFAULT,
    HEADER_COUNT_MAX_DEFAULT, HEADER_READ_MS_MAX, IDLE_MS_MAX_DEFAULT, SESSIONS_HARD_MAX_DEFAULT,
    SESSIONS_SOFT_MAX_DEFAULT,
};

/// The protocols that a listener speaks.
///
/// ```
/// use affiant::{Listener, Protocols};
///
/// let old = Listener { protocols: Protocols::Http1, ..Listener::new("main", "127.0.0.1:8000") };
/// # assert_eq!(old.name, "main");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Protocols {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
    /// Either, as the client asks for in the TLS handshake (ALPN); HTTP/1.1 where it does not ask.
    #[default]
    Both,
}

/// One address to listen on, with its bounds.
///
/// ```
/// use affiant::Listener;
///
/// let listener = Listener {
///     published_address: "ledger.example.com:443".to_owned(),
///     body_bytes_max: 16 << 20,
///     ..Listener::new("main", "0.0.0.0:8443")
/// };
/// # assert_eq!(listener.address, "0.0.0.0:8443");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its name in the configuration and in metrics.
    pub name: String,
    /// Host and port; port 0 lets the system choose.
    pub address: String,
    /// Address under which clients reach it, shown in `/node/network/nodes`; empty: the bound one.
    pub published_address: String,
    /// What it speaks.
    pub protocols: Protocols,
    /// Who vouches for its certificate. `Unsecured` is plain text: there are no client certificates,
    /// and everybody on the way reads and changes what they like.
    pub endorsement: Endorsement,
    /// Regular expressions, one of which an endpoint's route (prefix and template) must match as a
    /// whole; `None`: all are served.
    pub accepted_endpoints: Option<Vec<String>>,
    /// The interface as configured, for `/node/network/nodes`; null: made from the fields here.
    pub configured: Json,
    /// Largest body, in bytes.
    pub body_bytes_max: usize,
    /// Largest request head, in bytes.
    pub header_bytes_max: usize,
    /// Most headers of a request.
    pub header_count_max: usize,
    /// Open sessions above which new ones are answered 503.
    pub sessions_soft_max: usize,
    /// Open sessions above which new ones are closed at once.
    pub sessions_hard_max: usize,
    /// Time a session may be idle.
    pub idle_max: Duration,
    /// Time for the TLS handshake.
    pub handshake_max: Duration,
    /// Time from the first byte of a request's head to its last.
    pub header_read_max: Duration,
    /// Time from the end of a request's head to the end of its body.
    pub body_read_max: Duration,
}

impl Listener {
    /// A listener with CCF's default bounds, TLS, and both protocols.
    #[must_use]
    pub fn new(name: &str, address: &str) -> Self {
        Self {
            name: name.to_owned(),
            address: address.to_owned(),
            published_address: String::new(),
            protocols: Protocols::default(),
            endorsement: Endorsement::Service,
            accepted_endpoints: None,
            configured: Json::Null,
            body_bytes_max: BODY_BYTES_MAX_DEFAULT,
            header_bytes_max: HEADER_BYTES_MAX_DEFAULT,
            header_count_max: HEADER_COUNT_MAX_DEFAULT,
            sessions_soft_max: SESSIONS_SOFT_MAX_DEFAULT,
            sessions_hard_max: SESSIONS_HARD_MAX_DEFAULT,
            idle_max: Duration::from_millis(IDLE_MS_MAX_DEFAULT),
            handshake_max: Duration::from_millis(HANDSHAKE_MS_MAX),
            header_read_max: Duration::from_millis(HEADER_READ_MS_MAX),
            body_read_max: Duration::from_millis(BODY_READ_MS_MAX),
        }
    }
}

/// An address alone: [`crate::RuntimeBuilder::listen`] names it.
impl From<&str> for Listener {
    fn from(address: &str) -> Self {
        Self::new("", address)
    }
}

impl From<&ListenerSettings> for Listener {
    fn from(settings: &ListenerSettings) -> Self {
        Self {
            published_address: settings.published_address.clone(),
            protocols: match settings.app_protocol {
                AppProtocol::Http1 => Protocols::Http1,
                AppProtocol::Http2 => Protocols::Http2,
            },
            endorsement: settings.endorsement,
            // What is not encrypted has to be asked for by name.
            accepted_endpoints: match settings.endorsement {
                Endorsement::Unsecured => {
                    Some(settings.accepted_endpoints.clone().unwrap_or_default())
                }
                _ => settings.accepted_endpoints.clone(),
            },
            configured: settings.configured.clone(),
            body_bytes_max: settings.body_bytes_max,
            header_bytes_max: settings.header_bytes_max,
            header_count_max: settings.header_count_max,
            sessions_soft_max: settings.sessions_soft_max,
            sessions_hard_max: settings.sessions_hard_max,
            idle_max: Duration::from_millis(settings.idle_ms_max),
            ..Self::new(&settings.name, &settings.bind_address)
        }
    }
}

/// A listener and the address that it is bound to.
pub(crate) struct Bound {
    pub(crate) settings: Listener,
    pub(crate) gate: Arc<Gate>,
    pub(crate) address: SocketAddr,
}
