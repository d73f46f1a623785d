//! From what a handler returned to an HTTP response (reference B.5).

use affiant::Response;
use bytes::Bytes;

use crate::engine::{Name, Scope, Script, Thrown, Value};
use crate::limits::RESPONSE_HEADER_COUNT_MAX;

/// Why a returned value is no response.
pub(crate) struct Invalid {
    /// What stands in parentheses in CCF's message.
    what: &'static str,
    /// The exception behind it, if there is one.
    pub(crate) thrown: Option<Thrown>,
}

impl Invalid {
    pub(crate) fn message(&self) -> String {
        format!("Invalid endpoint function return value ({}).", self.what)
    }
}

fn invalid(what: &'static str) -> impl FnOnce(Thrown) -> Invalid {
    move |thrown| Invalid { what, thrown: Some(thrown) }
}

/// Converts a handler's return value.
pub(crate) fn convert<'js>(scope: Scope<'js>, value: &Value<'js>) -> Result<Response, Invalid> {
    if !value.is_object() {
        return Err(Invalid { what: "not an object", thrown: None });
    }
    let body = scope.read(value, Name::BODY).map_err(invalid("error reading body"))?;
    let mut response = Response::empty(200);
    if !body.is_undefined() {
        body_of(scope, &body, &mut response)?;
    } else if is_bare(scope, value).map_err(invalid("error reading body"))? {
        // Ours: an object that is no response is itself the JSON body.
        body_of(scope, value, &mut response)?;
        return Ok(response);
    }
    let headers = scope.read(value, Name::HEADERS).map_err(invalid("error reading headers"))?;
    if headers.is_object() {
        headers_of(scope, &headers, &mut response)?;
    }
    let status =
        scope.read(value, Name::STATUS_CODE).map_err(invalid("error reading status code"))?;
    if !status.is_undefined() && !status.is_null() {
        response.status = status_of(&status)?;
    }
    Ok(response)
}

/// Whether an object has none of a response's keys, but others; a promise never does.
fn is_bare<'js>(scope: Scope<'js>, value: &Value<'js>) -> Script<bool> {
    if value.is_promise() || value.is_function() {
        return Ok(false);
    }
    for key in [Name::BODY, Name::STATUS_CODE, Name::HEADERS] {
        if scope.has(value, key)? {
            return Ok(false);
        }
    }
    // More keys than the bound are keys too.
    Ok(scope.own_keys(value, 1)?.is_none_or(|keys| !keys.is_empty()))
}

fn body_of<'js>(
    scope: Scope<'js>,
    body: &Value<'js>,
    response: &mut Response,
) -> Result<(), Invalid> {
    let bytes = scope.bytes_of_view(body).map_err(invalid("error reading body"))?;
    let (content_type, bytes) = if let Some(bytes) = bytes {
        ("application/octet-stream", bytes)
    } else if body.is_string() {
        let what = "error during string conversion of body";
        ("text/plain", text_of(scope, body).map_err(invalid(what))?)
    } else {
        let what = "error during JSON conversion of body";
        let json = scope.to_json(body).map_err(invalid(what))?;
        ("application/json", text_of(scope, &json).map_err(invalid(what))?)
    };
    response.headers = vec![("content-type".to_owned(), content_type.to_owned())];
    response.body = Bytes::from(bytes);
    Ok(())
}

/// The text's UTF-8 up to its first NUL: CCF passes it through a C string.
fn text_of<'js>(scope: Scope<'js>, text: &Value<'js>) -> Script<Vec<u8>> {
    scope.with_text(text, |text| text.split(|byte| *byte == 0).next().unwrap_or_default().to_vec())
}

fn headers_of<'js>(
    scope: Scope<'js>,
    headers: &Value<'js>,
    response: &mut Response,
) -> Result<(), Invalid> {
    let names = scope
        .own_keys(headers, RESPONSE_HEADER_COUNT_MAX)
        .map_err(invalid("error reading header names"))?;
    let Some(names) = names else {
        return Err(Invalid { what: "more than 256 headers", thrown: None });
    };
    for name in names {
        let value =
            scope.get_named(headers, &name).map_err(invalid("error reading header value"))?;
        let value = scope.text(&value).map_err(invalid("header value type"))?;
        let name = name.to_ascii_lowercase();
        match response.headers.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => response.headers.push((name, value)),
        }
    }
    Ok(())
}

fn status_of(status: &Value<'_>) -> Result<u16, Invalid> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range")]
    match status.as_number() {
        Some(code) if code.fract() == 0.0 && (100.0..1000.0).contains(&code) => Ok(code as u16),
        Some(code) if code.fract() == 0.0 => {
            Err(Invalid { what: "status code outside 100 to 999", thrown: None })
        }
        _ => Err(Invalid { what: "status code type", thrown: None }),
    }
}
