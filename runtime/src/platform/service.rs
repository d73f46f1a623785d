//! What the clients of JSON services have in common: one exchange, and the words of a refusal.

use bytes::Bytes;
use serde_json::Value as Json;

use super::PlatformError;
use crate::client::{Access, Answer, Ask, Bounds, blocking};
use crate::limits::{SERVICE_HEADER_BYTES_MAX, SERVICE_WORDS_BYTES_MAX};

/// A service that speaks JSON over HTTP.
#[derive(Clone)]
pub(super) struct Service {
    base: String,
    access: Access,
    answer_ms: u64,
    body_bytes: usize,
}

impl Service {
    pub(super) fn new(base: &str, access: Access, answer_ms: u64, body_bytes: usize) -> Self {
        let base = base.strip_suffix('/').unwrap_or(base).to_owned();
        Self { base, access, answer_ms, body_bytes }
    }

    /// The URL of a path, without its query: for messages.
    pub(super) fn place(&self, path: &str) -> String {
        let path = path.split('?').next().unwrap_or_default();
        format!("{}{path}", self.base)
    }

    pub(super) fn get(&self, path: &str) -> Result<Bytes, PlatformError> {
        self.ask(path, Ask::get())
    }

    pub(super) fn post(&self, path: &str, body: Bytes) -> Result<Bytes, PlatformError> {
        self.ask(path, Ask::post_json(body))
    }

    fn ask(&self, path: &str, ask: Ask<'_>) -> Result<Bytes, PlatformError> {
        let bounds = Bounds {
            answer_ms: self.answer_ms,
            body_bytes: self.body_bytes,
            header_bytes: SERVICE_HEADER_BYTES_MAX,
        };
        let answer = blocking(&format!("{}{path}", self.base), &self.access, bounds, ask)
            .map_err(|error| PlatformError::unavailable(error.place, error.reason))?;
        if answer.status == http::StatusCode::OK {
            return Ok(answer.body);
        }
        Err(PlatformError::unavailable(self.place(path), refusal(&answer)))
    }

    /// A text of the answer, by its name.
    pub(super) fn text(
        &self,
        path: &str,
        body: &[u8],
        name: &str,
    ) -> Result<String, PlatformError> {
        let refused = |reason: String| PlatformError::unavailable(self.place(path), reason);
        // What a parser says of a body it cannot read may show parts of it: secrets, here.
        let json: Json = serde_json::from_slice(body)
            .map_err(|error| refused(format!("the answer is no JSON ({:?})", error.classify())))?;
        match json {
            Json::Object(mut members) => match members.remove(name) {
                Some(Json::String(text)) => Ok(text),
                _ => Err(refused(format!("the answer has no text {name:?}"))),
            },
            _ => Err(refused("the answer is no JSON object".to_owned())),
        }
    }
}

/// A refusal in words: its status, and what the service says of it.
pub(super) fn refusal(answer: &Answer) -> String {
    let said = serde_json::from_slice::<Json>(&answer.body).ok().and_then(|json| {
        let error = json.get("error")?;
        let text = |value: &Json| value.as_str().map(str::to_owned);
        text(error).or_else(|| {
            let code = error.get("code").and_then(text).unwrap_or_default();
            let message = error.get("message").and_then(text).unwrap_or_default();
            Some(format!("{code} {message}").trim().to_owned())
        })
    });
    match said.filter(|said| !said.is_empty()) {
        Some(said) => format!("the answer is {}: {}", answer.status, printable(&said)),
        None => format!("the answer is {}", answer.status),
    }
}

/// What somebody else says, fit for a log: one line of bounded length.
fn printable(text: &str) -> String {
    text.chars()
        .map(|one| if one.is_control() { ' ' } else { one })
        .take(SERVICE_WORDS_BYTES_MAX)
        .collect()
}
