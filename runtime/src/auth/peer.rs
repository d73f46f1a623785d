//! Who is at the other end.

use std::sync::Arc;

use super::PeerCertificate;
use crate::request::Caller;

/// Who is at the other end of the session.
///
/// ```
/// use affiant::{Caller, Peer};
///
/// let nobody = Peer::Anonymous;
/// let known_to_the_host = Peer::Trusted(Caller::NoAuth);
/// # assert!(matches!((nobody, known_to_the_host), (Peer::Anonymous, Peer::Trusted(_))));
/// ```
#[derive(Clone, Debug, Default)]
pub enum Peer {
    /// No client certificate.
    #[default]
    Anonymous,
    /// A client certificate whose private key the peer has proven to hold.
    Certificate(Arc<PeerCertificate>),
    /// The embedding host vouches for this caller; no policy is asked.
    Trusted(Caller),
}

impl Peer {
    /// Forgets who it was found to be: what that was read from may have changed.
    pub(crate) fn forget(&self) {
        if let Self::Certificate(certificate) = self {
            certificate.forget();
        }
    }
}
