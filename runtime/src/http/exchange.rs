//! One exchange: bounds, body, dispatch, answer.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, HOST, HeaderName, HeaderValue};
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, StatusCode, Version};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};

use super::Listener;
use super::session::Connection;
use crate::dispatch::{Begun, busy};
use crate::limits::{LINGER_BYTES_MAX, LINGER_MS_MAX};
use crate::odata;
use crate::request::{Request, Response};
use crate::respond::{Answer, Outcome, bodiless};

const TXID: HeaderName = HeaderName::from_static("x-ms-ccf-transaction-id");

/// Framing is the server's: these headers of a handler are dropped.
const FRAMING: [&str; 7] =
    ["connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"];

/// Answers one request.
pub(super) async fn serve(
    connection: Arc<Connection>,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
    let running = Running::begin(&connection);
    let http1 = request.version() < Version::HTTP_2;
    let head = request.method() == Method::HEAD;
    let answer = match admit(&connection, &request) {
        Ok(()) => match read(&connection, request).await {
            Ok(request) => run(&connection, request).await,
            Err(answer) => *answer,
        },
        Err(answer) => {
            if !http1 {
                drain(request.into_body()).await;
            }
            *answer
        }
    };
    if answer.close {
        connection.activity.close.store(true, Ordering::Relaxed);
    }
    drop(running);
    Ok(message(answer, http1, head))
}

/// A request under way; ends also when the client goes away and the exchange is dropped.
struct Running<'a>(&'a Connection);

impl<'a> Running<'a> {
    fn begin(connection: &'a Connection) -> Self {
        connection.activity.request_begun();
        Self(connection)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.activity.request_ended();
    }
}

fn closing(response: Response) -> Box<Answer> {
    Box::new(Answer { response, txid: None, close: true })
}

/// Refuses what is too large or comes to a listener that is full, before the body is read.
fn admit(connection: &Connection, request: &hyper::Request<Incoming>) -> Result<(), Box<Answer>> {
    let listener = &*connection.listener;
    if connection.over_cap {
        return Err(closing(odata::error(
            503,
            odata::SESSION_CAP_EXHAUSTED,
            "Service is currently busy and unable to serve new connections",
        )));
    }
    let headers = request.headers();
    let target = request.uri().path_and_query().map_or(1, |target| target.as_str().len());
    let count = headers.len();
    if count > listener.header_count_max || head_bytes(headers) + target > listener.header_bytes_max
    {
        connection.metrics.errors_header_too_large.fetch_add(1, Ordering::Relaxed);
        connection.activity.linger.store(true, Ordering::Relaxed);
        return Err(closing(odata::error(
            431,
            odata::REQUEST_HEADER_TOO_LARGE,
            &format!(
                "The request's headers exceed {} bytes or {} headers.",
                listener.header_bytes_max, listener.header_count_max
            ),
        )));
    }
    if request.body().size_hint().lower() > listener.body_bytes_max as u64 {
        return Err(too_large(connection));
    }
    Ok(())
}

fn head_bytes(headers: &HeaderMap) -> usize {
    // Name, colon, space, value and line end, as they came.
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}

fn too_large(connection: &Connection) -> Box<Answer> {
    connection.metrics.errors_body_too_large.fetch_add(1, Ordering::Relaxed);
    connection.activity.linger.store(true, Ordering::Relaxed);
    closing(odata::error(
        413,
        odata::REQUEST_BODY_TOO_LARGE,
        &format!("The request's body exceeds {} bytes.", connection.listener.body_bytes_max),
    ))
}

async fn read(
    connection: &Connection,
    request: hyper::Request<Incoming>,
) -> Result<Request, Box<Answer>> {
    let (mut parts, body) = request.into_parts();
    // HTTP/2 names the host in the target.
    if parts.version == Version::HTTP_2
        && !parts.headers.contains_key(HOST)
        && let Some(authority) = parts.uri.authority()
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        parts.headers.insert(HOST, host);
    }
    let target =
        parts.uri.into_parts().path_and_query.unwrap_or_else(|| PathAndQuery::from_static("/"));
    let body = if body.is_end_stream() {
        Bytes::new()
    } else {
        let http2 = parts.version == Version::HTTP_2;
        let reading = collect(connection, &connection.listener, http2, body);
        match tokio::time::timeout(connection.listener.body_read_max, reading).await {
            Ok(read) => read?,
            Err(_) => {
                connection.metrics.sessions_timed_out.fetch_add(1, Ordering::Relaxed);
                return Err(closing(Response::text(
                    408,
                    "The request's body did not arrive in time.\n",
                )));
            }
        }
    };
    Ok(Request::from_parts(parts.method, target, parts.headers, body))
}

/// Reads and drops what is left of a body, within bounds. Over HTTP/2 an answer that leaves before
/// the body has come resets the stream, and some clients then report the reset, not the answer.
async fn drain(mut body: Incoming) {
    let reading = async {
        let mut bytes = 0;
        while let Some(Ok(frame)) = body.frame().await {
            bytes += frame.data_ref().map_or(0, Bytes::len);
            if bytes > LINGER_BYTES_MAX {
                break;
            }
        }
    };
    // Whoever sends for longer sees the reset.
    tokio::time::timeout(Duration::from_millis(LINGER_MS_MAX), reading).await.ok();
}

async fn collect(
    connection: &Connection,
    listener: &Listener,
    http2: bool,
    mut body: Incoming,
) -> Result<Bytes, Box<Answer>> {
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            connection.metrics.errors_parsing.fetch_add(1, Ordering::Relaxed);
            return Err(closing(Response::text(400, "The request's body is malformed.\n")));
        };
        // Trailers are nobody's business here.
        let Ok(data) = frame.into_data() else { continue };
        if first.len() + rest.len() + data.len() > listener.body_bytes_max {
            if http2 {
                drain(body).await;
            }
            return Err(too_large(connection));
        }
        if first.is_empty() && rest.is_empty() {
            first = data;
        } else {
            if rest.is_empty() {
                rest.extend_from_slice(&core::mem::take(&mut first));
            }
            rest.extend_from_slice(&data);
        }
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}

async fn run(connection: &Connection, request: Request) -> Answer {
    let outcome = match connection.host.begin(&connection.session, request) {
        Begun::Outcome(outcome) => {
            connection.idler.ran();
            outcome
        }
        // Dropped jobs mean that the host stops.
        Begun::Queued(receiver) => receiver.await.unwrap_or_else(|_| busy()),
    };
    match outcome {
        Outcome::Done(answer) => answer,
        Outcome::Waiting(waiting) => waiting.answer(&connection.host).await,
    }
}

fn message(answer: Answer, http1: bool, head: bool) -> hyper::Response<Full<Bytes>> {
    let Answer { response, txid, close } = answer;
    let mut message = fill(bodiless(response, head), head).unwrap_or_else(|name| {
        let text = format!("The handler returned the header {name:?}, which is not valid HTTP.");
        let refusal = odata::error(500, odata::INTERNAL_ERROR, &text);
        fill(bodiless(refusal, head), head).unwrap_or_default()
    });
    let headers = message.headers_mut();
    if let Some(txid) = txid
        && let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(txid.to_string()))
    {
        headers.insert(TXID, value);
    }
    if close && http1 {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    message
}

fn fill(response: Response, head: bool) -> Result<hyper::Response<Full<Bytes>>, String> {
    let mut message = hyper::Response::new(Full::new(response.body));
    *message.status_mut() =
        StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = message.headers_mut();
    for (name, value) in response.headers {
        let Ok(parsed) = HeaderName::from_bytes(name.as_bytes()) else { return Err(name) };
        let length_of_head = head && parsed == http::header::CONTENT_LENGTH;
        if FRAMING.contains(&parsed.as_str()) && !length_of_head {
            continue;
        }
        let bytes = if response.latin1_headers { latin1(value) } else { Some(Bytes::from(value)) };
        let Some(Ok(value)) = bytes.map(HeaderValue::from_maybe_shared) else {
            return Err(name);
        };
        headers.append(parsed, value);
    }
    Ok(message)
}

/// One byte for each character; `None` where a character has none.
fn latin1(text: String) -> Option<Bytes> {
    if text.is_ascii() {
        return Some(Bytes::from(text));
    }
    text.chars()
        .map(|character| u8::try_from(character).ok())
        .collect::<Option<Vec<u8>>>()
        .map(Bytes::from)
}
