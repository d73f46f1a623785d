//! From what a handler returned to an HTTP response (reference B.5), in Python's habits.

use affiant::Response;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDict, PyInt, PyList, PyMemoryView, PyString, PyTuple,
};

use crate::json;
use crate::limits::{RESPONSE_HEADER_COUNT_MAX, RESPONSE_HEADERS_BYTES_MAX};

/// The response of a plain handler's result.
///
/// # Errors
/// `TypeError` or `ValueError`, in a sentence for the handler's author.
pub(crate) fn of_handler(value: &Bound<'_, PyAny>) -> PyResult<Response> {
    let mut response = Response::empty(200);
    if let Ok(dict) = value.cast::<PyDict>() {
        of_dict(dict, &mut response)?;
    } else if value.is_none() {
        response.status = 204;
    } else if let Ok(tuple) = value.cast::<PyTuple>() {
        of_tuple(tuple, &mut response)?;
    } else if is_body(value) {
        body_of(value, &mut response)?;
    } else if value.hasattr(intern!(value.py(), "status_code"))? {
        of_object(value, &mut response)?;
    } else {
        return Err(PyTypeError::new_err(format!(
            "a handler returns a dict, a list, str, bytes, None, (body, status) or ccf.Response, \
             not {}",
            value.get_type().fully_qualified_name()?
        )));
    }
    Ok(response)
}

/// The response of a web app: status, header lines, body.
///
/// # Errors
/// The adapter returned something else.
pub(crate) fn of_web(value: &Bound<'_, PyAny>) -> PyResult<Response> {
    let (status, headers, body): (u16, Bound<'_, PyList>, Bound<'_, PyBytes>) = value.extract()?;
    let mut response = Response::empty(checked_status(i64::from(status))?);
    response.latin1_headers = true;
    if headers.len() > RESPONSE_HEADER_COUNT_MAX {
        return Err(too_many_headers());
    }
    for line in headers.iter() {
        let (name, value): (String, String) = line.extract()?;
        response.headers.push((name, value));
    }
    check_headers(&response)?;
    response.body = bytes::Bytes::copy_from_slice(body.as_bytes());
    Ok(response)
}

fn is_body(value: &Bound<'_, PyAny>) -> bool {
    value.is_instance_of::<PyString>()
        || value.is_instance_of::<PyBytes>()
        || value.is_instance_of::<PyByteArray>()
        || value.is_instance_of::<PyMemoryView>()
        || value.is_instance_of::<PyList>()
}

fn of_dict(dict: &Bound<'_, PyDict>, response: &mut Response) -> PyResult<()> {
    let py = dict.py();
    let body = dict.get_item(intern!(py, "body"))?;
    let status = match dict.get_item(intern!(py, "statusCode"))? {
        Some(status) => Some(status),
        None => dict.get_item(intern!(py, "status_code"))?,
    };
    let headers = dict.get_item(intern!(py, "headers"))?;
    if body.is_none() && status.is_none() && headers.is_none() {
        // Ours: an object that is no response is itself the JSON body.
        return body_of(dict.as_any(), response);
    }
    fill(body, status, headers, response)
}

fn of_tuple(tuple: &Bound<'_, PyTuple>, response: &mut Response) -> PyResult<()> {
    if !(2..=3).contains(&tuple.len()) {
        return Err(PyTypeError::new_err(
            "a handler returns (body, status) or (body, status, headers), not a tuple of another \
             length; return a list for a JSON array",
        ));
    }
    let headers = if tuple.len() == 3 { Some(tuple.get_item(2)?) } else { None };
    fill(Some(tuple.get_item(0)?), Some(tuple.get_item(1)?), headers, response)
}

fn of_object(value: &Bound<'_, PyAny>, response: &mut Response) -> PyResult<()> {
    let py = value.py();
    let headers = value.getattr(intern!(py, "headers"))?;
    let body = value.getattr(intern!(py, "body"))?;
    let status = value.getattr(intern!(py, "status_code"))?;
    fill(Some(body), Some(status), Some(headers), response)?;
    let content_type: Option<String> = value.getattr(intern!(py, "content_type"))?.extract()?;
    if let Some(content_type) = content_type {
        set_header(response, "content-type", content_type);
    }
    Ok(())
}

fn fill(
    body: Option<Bound<'_, PyAny>>,
    status: Option<Bound<'_, PyAny>>,
    headers: Option<Bound<'_, PyAny>>,
    response: &mut Response,
) -> PyResult<()> {
    if let Some(body) = body.filter(|body| !body.is_none()) {
        body_of(&body, response)?;
    }
    if let Some(headers) = headers.filter(|headers| !headers.is_none()) {
        headers_of(&headers, response)?;
    }
    if let Some(status) = status.filter(|status| !status.is_none()) {
        let status: i64 = status
            .extract()
            .map_err(|_| PyTypeError::new_err("the status code of a response is a whole number"))?;
        response.status = checked_status(status)?;
    }
    Ok(())
}

fn checked_status(status: i64) -> PyResult<u16> {
    match u16::try_from(status) {
        Ok(status) if (100..1000).contains(&status) => Ok(status),
        _ => {
            Err(PyValueError::new_err(format!("the status code {status} is not within 100 to 999")))
        }
    }
}

fn body_of(body: &Bound<'_, PyAny>, response: &mut Response) -> PyResult<()> {
    let (content_type, bytes) = if let Ok(text) = body.cast::<PyString>() {
        ("text/plain", text.to_str()?.as_bytes().to_vec())
    } else if let Ok(bytes) = body.cast::<PyBytes>() {
        ("application/octet-stream", bytes.as_bytes().to_vec())
    } else if let Ok(bytes) = body.cast::<PyByteArray>() {
        ("application/octet-stream", bytes.to_vec())
    } else if body.is_instance_of::<PyMemoryView>() {
        let bytes = body.call_method0(intern!(body.py(), "tobytes"))?;
        ("application/octet-stream", bytes.cast::<PyBytes>()?.as_bytes().to_vec())
    } else {
        ("application/json", json::dumps(body)?)
    };
    response.headers = vec![("content-type".to_owned(), content_type.to_owned())];
    response.body = bytes.into();
    Ok(())
}

fn too_many_headers() -> PyErr {
    PyValueError::new_err(format!("a response has at most {RESPONSE_HEADER_COUNT_MAX} headers"))
}

fn headers_of(headers: &Bound<'_, PyAny>, response: &mut Response) -> PyResult<()> {
    let Ok(headers) = headers.cast::<PyDict>() else {
        return Err(PyTypeError::new_err("the headers of a response are a dict of str to str"));
    };
    if headers.len() > RESPONSE_HEADER_COUNT_MAX {
        return Err(too_many_headers());
    }
    // A copy: the text of a value may be made by code that changes the dict.
    for pair in headers.items() {
        let (name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = pair.extract()?;
        let (name, value) = header(&name, &value)?;
        set_header(response, &name, value);
    }
    check_headers(response)
}

/// No client reads more than this, and some fail at it.
fn check_headers(response: &Response) -> PyResult<()> {
    let bytes: usize = response.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > RESPONSE_HEADERS_BYTES_MAX {
        return Err(PyValueError::new_err(format!(
            "the headers of a response have at most {RESPONSE_HEADERS_BYTES_MAX} bytes, not {bytes}"
        )));
    }
    Ok(())
}

/// The lower-case name and the text of one header.
fn header(name: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<(String, String)> {
    let name: String =
        name.extract().map_err(|_| PyTypeError::new_err("the name of a header is a str"))?;
    let number = value.is_instance_of::<PyInt>() && !value.is_instance_of::<PyBool>();
    let value = match value.cast::<PyString>() {
        Ok(text) => text.to_str()?.to_owned(),
        Err(_) if number => value.to_string(),
        Err(_) => {
            return Err(PyTypeError::new_err(format!("the value of header {name:?} is no str")));
        }
    };
    Ok((name.to_ascii_lowercase(), value))
}

fn set_header(response: &mut Response, name: &str, value: String) {
    match response.headers.iter_mut().find(|(known, _)| known == name) {
        Some((_, known)) => *known = value,
        None => response.headers.push((name.to_owned(), value)),
    }
}
