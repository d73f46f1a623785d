//! JSON as the typed layer and answers have it: no spaces, UTF-8, what Python's `json` would take.
//!
//! Writing is ours, since it is on the path of every answer; reading is left to Python's `json`, whose
//! integers have no bound.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

use crate::limits::JSON_DEPTH_MAX;

/// The JSON text of `value`: None, bool, int, float, str, list, tuple, and dict with keys of str.
///
/// # Errors
/// `TypeError` for anything else, `ValueError` for NaN, infinities and too deep nesting.
pub(crate) fn dumps(value: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    let mut out = Vec::with_capacity(64);
    write(value, &mut out, 0)?;
    Ok(out)
}

/// The value of a JSON text.
///
/// # Errors
/// `ValueError` (`json.JSONDecodeError`).
pub(crate) fn loads<'py>(py: Python<'py>, text: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    static LOADS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
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

fn write(value: &Bound<'_, PyAny>, out: &mut Vec<u8>, depth: usize) -> PyResult<()> {
    if depth > JSON_DEPTH_MAX {
        return Err(PyValueError::new_err(format!(
            "a value for JSON is nested more than {JSON_DEPTH_MAX} levels deep (or contains itself)"
        )));
    }
    if let Ok(text) = value.cast::<PyString>() {
        write_text(text.to_str()?, out);
    } else if value.is_none() {
        out.extend_from_slice(b"null");
    } else if let Ok(flag) = value.cast::<PyBool>() {
        out.extend_from_slice(if flag.is_true() { b"true" } else { b"false" });
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
    out: &mut Vec<u8>,
    depth: usize,
) -> PyResult<()> {
    out.push(b'[');
    for (position, item) in items.enumerate() {
        if position > 0 {
            out.push(b',');
        }
        write(&item, out, depth + 1)?;
    }
    out.push(b']');
    Ok(())
}

fn write_dict(dict: &Bound<'_, PyDict>, out: &mut Vec<u8>, depth: usize) -> PyResult<()> {
    out.push(b'{');
    for (position, (key, value)) in dict.iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        let Ok(key) = key.cast::<PyString>() else {
            let class = key.get_type();
            return Err(PyTypeError::new_err(format!(
                "keys of a dict for JSON are str, not {}",
                class.name()?
            )));
        };
        write_text(key.to_str()?, out);
        out.push(b':');
        write(&value, out, depth + 1)?;
    }
    out.push(b'}');
    Ok(())
}

fn write_integer(value: &Bound<'_, PyAny>, out: &mut Vec<u8>) -> PyResult<()> {
    use std::io::Write as _;
    match value.extract::<i64>() {
        Ok(number) => {
            // Writing into memory cannot fail.
            let _ = write!(out, "{number}");
        }
        // Also subclasses whose `str` is something else, such as enums.
        Err(_) => {
            let text = value.py().get_type::<PyInt>().call_method1("__repr__", (value,))?;
            out.extend_from_slice(text.cast::<PyString>()?.to_str()?.as_bytes());
        }
    }
    Ok(())
}

fn write_float(number: f64, out: &mut Vec<u8>) -> PyResult<()> {
    let Some(number) = serde_json::Number::from_f64(number) else {
        return Err(PyValueError::new_err("NaN and infinities have no JSON"));
    };
    out.extend_from_slice(number.to_string().as_bytes());
    Ok(())
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
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
        out.extend_from_slice(&bytes[from..position]);
        if short.is_empty() {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            out.extend_from_slice(b"\\u00");
            out.push(HEX[usize::from(byte >> 4)]);
            out.push(HEX[usize::from(byte & 15)]);
        } else {
            out.extend_from_slice(short);
        }
        from = position + 1;
    }
    out.extend_from_slice(&bytes[from..]);
    out.push(b'"');
}
