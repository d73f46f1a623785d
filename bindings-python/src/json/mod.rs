//! JSON as the typed layer and answers have it: no spaces, UTF-8, what Python's `json` would take.
//!
//! Writing is ours, since it is on the path of every answer, and so is reading what is short and plain; the
//! rest is left to Python's `json`.

mod parse;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

use crate::error;
use crate::limits::{JSON_BYTES_MAX, JSON_DEPTH_MAX, JSON_PARSE_BYTES_MAX, LOOK_BYTES};
use crate::session;

/// The JSON text of `value`: None, bool, int, float, str, list, tuple, and dict with keys of str.
///
/// # Errors
/// `TypeError` for anything else, `ValueError` for NaN, infinities, too deep nesting and too much of it.
pub(crate) fn dumps(value: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    let mut out = Text { bytes: Vec::with_capacity(64), looked_at: 0 };
    write(value, &mut out, 0)?;
    Ok(out.bytes)
}

/// What is written so far.
struct Text {
    bytes: Vec<u8>,
    /// How much there was when the time was looked at.
    looked_at: usize,
}

impl Text {
    /// A few lists within each other say more than any memory holds, and no interruption comes here.
    fn check(&mut self, py: Python<'_>) -> PyResult<()> {
        if self.bytes.len() - self.looked_at < LOOK_BYTES {
            return Ok(());
        }
        self.looked_at = self.bytes.len();
        if self.looked_at > JSON_BYTES_MAX {
            return Err(PyValueError::new_err(format!(
                "a value for JSON takes more than {JSON_BYTES_MAX} bytes"
            )));
        }
        match session::find(py)?.and_then(|session| session.get().time()) {
            Some(time) if time.is_over() => Err(error::time_limit(py)),
            _ => Ok(()),
        }
    }
}

/// The value of a JSON text.
///
/// # Errors
/// `ValueError` (`json.JSONDecodeError`).
pub(crate) fn loads<'py>(py: Python<'py>, text: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    static LOADS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    if text.len() <= JSON_PARSE_BYTES_MAX
        && let Ok(text) = core::str::from_utf8(text)
        && let Some(value) = parse::parse(py, text)
    {
        return Ok(value);
    }
    let loads = LOADS.get_or_try_init(py, || {
        Ok::<_, PyErr>(py.import("json")?.getattr(intern!(py, "loads"))?.unbind())
    })?;
    match core::str::from_utf8(text) {
        Ok(text) => loads.bind(py).call1((text,)),
        Err(error) => Err(PyValueError::new_err(format!(
            "not JSON: not UTF-8 after {} bytes",
            error.valid_up_to()
        ))),
    }
}

fn write(value: &Bound<'_, PyAny>, out: &mut Text, depth: usize) -> PyResult<()> {
    if depth > JSON_DEPTH_MAX {
        return Err(PyValueError::new_err(format!(
            "a value for JSON is nested more than {JSON_DEPTH_MAX} levels deep (or contains itself)"
        )));
    }
    out.check(value.py())?;
    if let Ok(text) = value.cast::<PyString>() {
        write_text(text.to_str()?, out);
    } else if value.is_none() {
        out.bytes.extend_from_slice(b"null");
    } else if let Ok(flag) = value.cast::<PyBool>() {
        out.bytes.extend_from_slice(if flag.is_true() { b"true" } else { b"false" });
    } else if value.is_instance_of::<PyInt>() {
        write_integer(value, out)?;
    } else if value.is_instance_of::<PyFloat>() {
        write_float(value.extract()?, out)?;
    } else if let Ok(dict) = value.cast::<PyDict>() {
        write_dict(dict, out, depth)?;
    } else if let Ok(list) = value.cast::<PyList>() {
        write_items(list.iter(), out, depth)?;
    } else if let Ok(tuple) = value.cast::<PyTuple>() {
        write_items(tuple.iter(), out, depth)?;
    } else {
        return Err(unsuitable(value));
    }
    Ok(())
}

fn unsuitable(value: &Bound<'_, PyAny>) -> PyErr {
    let class = value.get_type();
    let name =
        class.fully_qualified_name().map_or_else(|_| "?".to_owned(), |name| name.to_string());
    let cure = if name.starts_with("numpy.") || name.starts_with("pandas.") {
        "; call .tolist() or .to_dict() first"
    } else if name == "bytes" || name == "bytearray" || name == "memoryview" {
        "; store bytes under a key of bytes, or encode them as text first"
    } else {
        ""
    };
    PyTypeError::new_err(format!("{name} has no JSON{cure}"))
}

fn write_items<'py>(
    items: impl Iterator<Item = Bound<'py, PyAny>>,
    out: &mut Text,
    depth: usize,
) -> PyResult<()> {
    out.bytes.push(b'[');
    for (position, item) in items.enumerate() {
        if position > 0 {
            out.bytes.push(b',');
        }
        write(&item, out, depth + 1)?;
    }
    out.bytes.push(b']');
    Ok(())
}

fn write_dict(dict: &Bound<'_, PyDict>, out: &mut Text, depth: usize) -> PyResult<()> {
    out.bytes.push(b'{');
    for (position, (key, value)) in dict.iter().enumerate() {
        if position > 0 {
            out.bytes.push(b',');
        }
        let Ok(key) = key.cast::<PyString>() else {
            let class = key.get_type();
            return Err(PyTypeError::new_err(format!(
                "keys of a dict for JSON are str, not {}",
                class.name()?
            )));
        };
        write_text(key.to_str()?, out);
        out.bytes.push(b':');
        write(&value, out, depth + 1)?;
    }
    out.bytes.push(b'}');
    Ok(())
}

fn write_integer(value: &Bound<'_, PyAny>, out: &mut Text) -> PyResult<()> {
    use std::io::Write as _;
    match value.extract::<i64>() {
        Ok(number) => {
            // Writing into memory cannot fail.
            let _ = write!(out.bytes, "{number}");
        }
        // Also subclasses whose `str` is something else, such as enums.
        Err(_) => {
            let text = value.py().get_type::<PyInt>().call_method1("__repr__", (value,))?;
            out.bytes.extend_from_slice(text.cast::<PyString>()?.to_str()?.as_bytes());
        }
    }
    Ok(())
}

fn write_float(number: f64, out: &mut Text) -> PyResult<()> {
    let Some(number) = serde_json::Number::from_f64(number) else {
        return Err(PyValueError::new_err("NaN and infinities have no JSON"));
    };
    out.bytes.extend_from_slice(number.to_string().as_bytes());
    Ok(())
}

fn write_text(text: &str, out: &mut Text) {
    out.bytes.push(b'"');
    let bytes = text.as_bytes();
    let mut from = 0;
    for (position, byte) in bytes.iter().enumerate() {
        let short: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0x08 => b"\\b",
            0x0c => b"\\f",
            0x00..=0x1f => b"",
            _ => continue,
        };
        out.bytes.extend_from_slice(&bytes[from..position]);
        if short.is_empty() {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            out.bytes.extend_from_slice(b"\\u00");
            out.bytes.push(HEX[usize::from(byte >> 4)]);
            out.bytes.push(HEX[usize::from(byte & 15)]);
        } else {
            out.bytes.extend_from_slice(short);
        }
        from = position + 1;
    }
    out.bytes.extend_from_slice(&bytes[from..]);
    out.bytes.push(b'"');
}
