//! One connection: opened under a deadline, then one request after the other.

use core::future::Future;
use core::pin::{Pin, pin};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::CertificateDer;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::error::{ClientError, Failure, Placeless};
use super::url::{Target, shown};
use super::{Access, Answer, Ask, Bounds};

const USER_AGENT: &str = concat!("affiant/", env!("CARGO_PKG_VERSION"));

/// What moves the bytes of a connection; it must run for anything to happen.
type Driver = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

/// A connection to one server, for one request at a time.
pub(crate) struct Connection {
    /// Scheme and authority, for messages.
    origin: String,
    authority: String,
    bounds: Bounds,
    peer_certificate: Option<CertificateDer<'static>>,
    sender: SendRequest<Full<Bytes>>,
    /// `None`: it has ended.
    driver: Option<Driver>,
}

impl Connection {
    /// Connects to the server that `url` names. Its path is of no interest here.
    ///
    /// # Errors
    /// The URL is refused, or there is no connection within the bound.
    pub(crate) async fn open(
        url: &str,
        access: &Access,
        bounds: Bounds,
    ) -> Result<Self, ClientError> {
        let opening = async {
            let target = Target::parse(url, access)?;
            Self::to(&target, access, bounds).await
        };
        within(bounds.answer_ms, opening).await.map_err(|error| error.at(&shown(url)))
    }

    async fn to(target: &Target, access: &Access, bounds: Bounds) -> Result<Self, Placeless> {
        let stream = TcpStream::connect((target.host.as_str(), target.port))
            .await
            .map_err(|error| Placeless(Failure::Connect, format!("cannot connect: {error}")))?;
        let mut builder = http1::Builder::new();
        builder.max_buf_size(bounds.header_bytes);
        let failed = |error| Placeless(Failure::Http, format!("HTTP: {error}"));
        let (sender, driver, peer_certificate) = match (&target.name, &access.tls) {
            (Some(name), Some(config)) => {
                let stream = TlsConnector::from(config.clone())
                    .connect(name.clone(), stream)
                    .await
                    .map_err(|error| Placeless(Failure::Tls, format!("TLS: {error}")))?;
                let seen = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
                let seen = seen.map(|certificate| certificate.clone().into_owned());
                let (sender, driver) =
                    builder.handshake(TokioIo::new(stream)).await.map_err(failed)?;
                (sender, Box::pin(driver) as Driver, seen)
            }
            (Some(_), None) => {
                return Err(Placeless(Failure::Tls, "no certificates to trust".to_owned()));
            }
            (None, _) => {
                let (sender, driver) =
                    builder.handshake(TokioIo::new(stream)).await.map_err(failed)?;
                (sender, Box::pin(driver) as Driver, None)
            }
        };
        let scheme = if target.name.is_some() { "https" } else { "http" };
        Ok(Self {
            origin: format!("{scheme}://{}", target.authority),
            authority: target.authority.clone(),
            bounds,
            peer_certificate,
            sender,
            driver: Some(driver),
        })
    }

    /// The certificate that the server proved to hold the key of; none over plain HTTP.
    pub(crate) fn peer_certificate(&self) -> Option<&CertificateDer<'static>> {
        self.peer_certificate.as_ref()
    }

    /// Other bounds from the next request on; that of heads stays.
    pub(crate) const fn limit(&mut self, bounds: Bounds) {
        self.bounds = bounds;
    }

    /// Asks for `path` (with its query), and reads the whole answer. After an error the connection
    /// is of no more use.
    ///
    /// # Errors
    /// There is no whole answer within the bounds. An answer with an error's status is an answer.
    pub(crate) async fn send(&mut self, path: &str, ask: Ask<'_>) -> Result<Answer, ClientError> {
        let answer = within(self.bounds.answer_ms, self.exchange(path, ask)).await;
        answer.map_err(|error| {
            self.driver = None;
            error.at(&shown(&format!("{}{path}", self.origin)))
        })
    }

    async fn exchange(&mut self, path: &str, ask: Ask<'_>) -> Result<Answer, Placeless> {
        let Some(driver) = &mut self.driver else {
            return Err(Placeless(Failure::Http, "the connection has ended".to_owned()));
        };
        let mut request = Request::builder()
            .method(ask.method)
            .uri(path)
            .header("host", &self.authority)
            .header("user-agent", USER_AGENT);
        for (name, value) in ask.headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(Full::new(ask.body))
            .map_err(|error| Placeless(Failure::Url, format!("not a request: {error}")))?;
        let body_bytes = self.bounds.body_bytes;
        let sender = &mut self.sender;
        let mut answer = pin!(async move {
            let failed = |error| Placeless(Failure::Http, format!("HTTP: {error}"));
            sender.ready().await.map_err(failed)?;
            let response = sender.send_request(request).await.map_err(failed)?;
            let (head, body) = response.into_parts();
            let body = match whole(body, body_bytes).await {
                // The status says more than the length.
                Err(_) if !head.status.is_success() => Bytes::new(),
                body => body?,
            };
            Ok(Answer { status: head.status, headers: head.headers, body })
        });
        let ended = tokio::select! {
            biased;
            answer = &mut answer => return answer,
            ended = driver => ended,
        };
        self.driver = None;
        // What the connection brought before it ended may still lie in between.
        match (answer.await, ended) {
            (Err(_), Err(error)) => Err(Placeless(Failure::Http, format!("HTTP: {error}"))),
            (answer, _) => answer,
        }
    }
}

async fn whole(mut body: Incoming, bytes_max: usize) -> Result<Bytes, Placeless> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            let reason = format!("body (at most {bytes_max} bytes): {error}");
            Placeless(Failure::Http, reason)
        })?;
        let Some(data) = frame.data_ref() else { continue };
        if whole.len() + data.len() > bytes_max {
            let reason = format!("body (at most {bytes_max} bytes): length limit exceeded");
            return Err(Placeless(Failure::TooLarge, reason));
        }
        whole.extend_from_slice(data);
    }
    Ok(whole.freeze())
}

async fn within<T>(
    answer_ms: u64,
    work: impl Future<Output = Result<T, Placeless>>,
) -> Result<T, Placeless> {
    tokio::time::timeout(Duration::from_millis(answer_ms), work).await.unwrap_or_else(|_| {
        Err(Placeless(Failure::Deadline, format!("no whole answer within {answer_ms} ms")))
    })
}

/// One request on a connection of its own, all of it under one deadline.
///
/// # Errors
/// As [`Connection::open`] and [`Connection::send`].
pub(crate) async fn exchange(
    url: &str,
    access: &Access,
    bounds: Bounds,
    ask: Ask<'_>,
) -> Result<Answer, ClientError> {
    let work = async {
        let target = Target::parse(url, access)?;
        let mut connection = Connection::to(&target, access, bounds).await?;
        connection.exchange(&target.path, ask).await
    };
    within(bounds.answer_ms, work).await.map_err(|error| error.at(&shown(url)))
}
