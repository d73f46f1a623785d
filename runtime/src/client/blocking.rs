//! The same for threads without an executor of futures.

use core::future::Future;

use rustls::pki_types::CertificateDer;
use tokio::runtime::{Builder, Handle, Runtime};

use super::error::{ClientError, Failure};
use super::{Access, Answer, Ask, Bounds, Connection, exchange};

/// One request on a connection of its own. Blocks for at most the deadline.
///
/// # Errors
/// As [`exchange`].
pub(crate) fn blocking(
    url: &str,
    access: &Access,
    bounds: Bounds,
    ask: Ask<'_>,
) -> Result<Answer, ClientError> {
    let runtime = Own::new(url)?;
    runtime.run(exchange(url, access, bounds, ask))
}

/// A [`Connection`] for a thread that blocks.
pub(crate) struct BlockingConnection {
    // Before the executor that it belongs to.
    connection: Connection,
    runtime: Own,
}

impl BlockingConnection {
    /// As [`Connection::open`].
    ///
    /// # Errors
    /// As [`Connection::open`].
    pub(crate) fn open(url: &str, access: &Access, bounds: Bounds) -> Result<Self, ClientError> {
        let runtime = Own::new(url)?;
        let connection = runtime.run(Connection::open(url, access, bounds))?;
        Ok(Self { connection, runtime })
    }

    /// The certificate that the server proved to hold the key of; none over plain HTTP.
    pub(crate) fn peer_certificate(&self) -> Option<&CertificateDer<'static>> {
        self.connection.peer_certificate()
    }

    /// As [`Connection::limit`].
    pub(crate) const fn limit(&mut self, bounds: Bounds) {
        self.connection.limit(bounds);
    }

    /// As [`Connection::send`].
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub(crate) fn send(&mut self, path: &str, ask: Ask<'_>) -> Result<Answer, ClientError> {
        self.runtime.run(self.connection.send(path, ask))
    }
}

/// An executor for this alone.
struct Own(Option<Runtime>);

impl Own {
    fn new(url: &str) -> Result<Self, ClientError> {
        let made = Builder::new_current_thread().enable_all().build();
        made.map(|runtime| Self(Some(runtime))).map_err(|error| ClientError {
            place: super::url::shown(url),
            failure: Failure::Connect,
            reason: format!("cannot start an executor: {error}"),
        })
    }

    fn run<T: Send>(
        &self,
        work: impl Future<Output = Result<T, ClientError>> + Send,
    ) -> Result<T, ClientError> {
        let lost = || ClientError {
            place: "HTTP client".to_owned(),
            failure: Failure::Connect,
            reason: "its thread has ended early".to_owned(),
        };
        let Some(runtime) = &self.0 else { return Err(lost()) };
        if Handle::try_current().is_err() {
            return runtime.block_on(work);
        }
        // A thread that already executes futures must not start to wait for others: that would panic.
        std::thread::scope(|scope| {
            scope.spawn(|| runtime.block_on(work)).join().unwrap_or_else(|_| Err(lost()))
        })
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // A name that is being resolved holds a thread of its own; nobody waits for it.
            runtime.shutdown_background();
        }
    }
}
