//! Arguments: bytes, PEM texts, numbers, and dicts of parameters with CCF's names or Python's.

use core::ops::Deref;

use affiant::crypto::Hash;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyInt, PyString};
use zeroize::Zeroizing;

use super::hash_names;
use super::keys::KeyPair;
use crate::error;

/// Characters shown of a name that nobody knows.
const NAME_CHARS_MAX: usize = 40;

/// Bytes lent by Python, or a copy of what Python may change meanwhile.
pub(crate) enum Bytes<'a> {
    Lent(&'a [u8]),
    Copied(Zeroizing<Vec<u8>>),
}

impl Deref for Bytes<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Lent(bytes) => bytes,
            Self::Copied(bytes) => bytes,
        }
    }
}

/// `TypeError: name must be wanted, not class`.
pub(crate) fn wrong(value: &Bound<'_, PyAny>, name: &str, wanted: &str) -> PyErr {
    let class = value.get_type();
    let class = class.qualname().map_or_else(|_| "?".to_owned(), |class| class.to_string());
    PyTypeError::new_err(format!("{name} must be {wanted}, not {class}"))
}

/// `bytes`, or what has the buffer protocol with elements of one byte.
pub(crate) fn bytes<'a>(value: &'a Bound<'_, PyAny>, name: &str) -> PyResult<Bytes<'a>> {
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Ok(Bytes::Lent(bytes.as_bytes()));
    }
    if value.is_instance_of::<PyString>() {
        return Err(wrong(value, name, "bytes (text.encode() makes bytes of text)"));
    }
    match PyBuffer::<u8>::get(value) {
        Ok(buffer) => Ok(Bytes::Copied(Zeroizing::new(buffer.to_vec(value.py())?))),
        Err(_) => Err(wrong(value, name, "bytes")),
    }
}

/// The bytes of a text, or bytes.
pub(crate) fn text_or_bytes<'a>(value: &'a Bound<'_, PyAny>, name: &str) -> PyResult<Bytes<'a>> {
    match value.cast::<PyString>() {
        Ok(text) => Ok(Bytes::Lent(utf8(text, name)?.as_bytes())),
        Err(_) if value.is_instance_of::<KeyPair>() => {
            Err(wrong(value, name, "str or bytes (one of its private_key and public_key)"))
        }
        Err(_) => bytes(value, name).map_err(|_| wrong(value, name, "str or bytes")),
    }
}

/// A PEM text, as str or bytes.
pub(super) fn pem<'a>(bytes: &'a Bytes<'_>, py: Python<'_>, name: &str) -> PyResult<&'a str> {
    core::str::from_utf8(bytes)
        .map_err(|_| error::crypto(py, &format!("{name}: not PEM: these bytes are no text")))
}

/// A str.
pub(super) fn text<'a>(value: &'a Bound<'_, PyAny>, name: &str) -> PyResult<&'a str> {
    match value.cast::<PyString>() {
        Ok(text) => utf8(text, name),
        Err(_) => Err(wrong(value, name, "str")),
    }
}

/// The UTF-8 of a str. Python's own exception for a str that has none carries all of it.
pub(super) fn utf8<'a>(text: &'a Bound<'_, PyString>, name: &str) -> PyResult<&'a str> {
    text.to_str().map_err(|_| {
        error::crypto(text.py(), &format!("{name}: a str with a lone surrogate has no UTF-8"))
    })
}

/// An int that is not negative and of 32 bits.
pub(super) fn number(value: &Bound<'_, PyAny>, name: &str) -> PyResult<u32> {
    if !value.is_instance_of::<PyInt>() || value.is_instance_of::<PyBool>() {
        return Err(wrong(value, name, "int"));
    }
    value
        .extract()
        .map_err(|_| error::crypto(value.py(), &format!("{name}: must be from 0 to {}", u32::MAX)))
}

/// The hash of that name.
pub(super) fn hash(name: &str, py: Python<'_>, argument: &str) -> PyResult<Hash> {
    Hash::from_name(name).ok_or_else(|| {
        let (shown, names) = (excerpt(name), hash_names());
        error::crypto(py, &format!("{argument}: unsupported hash {shown}, supported: {names}"))
    })
}

/// A name in quotes, cut if it is long.
pub(super) fn excerpt(name: &str) -> String {
    format!("{:?}", name.chars().take(NAME_CHARS_MAX).collect::<String>())
}

/// A parameter's name in CCF, and in Python.
pub(super) type Name = (&'static str, &'static str);

/// A dict of parameters, such as `{"name": "ECDSA", "hash": "SHA-256"}`.
pub(super) struct Parameters<'a, 'py> {
    dict: &'a Bound<'py, PyDict>,
    argument: &'static str,
}

impl<'a, 'py> Parameters<'a, 'py> {
    /// Refuses names other than `known`: a misspelt one would silently be the default.
    pub(super) fn new(
        value: &'a Bound<'py, PyAny>,
        argument: &'static str,
        known: &[Name],
        example: &str,
    ) -> PyResult<Self> {
        let Ok(dict) = value.cast::<PyDict>() else {
            return Err(wrong(value, argument, &format!("a dict such as {example}")));
        };
        for key in dict.keys() {
            let key = text(&key, &format!("each name in {argument}"))?.to_owned();
            if !known.iter().any(|(theirs, ours)| key == *theirs || key == *ours) {
                let known: Vec<&str> = known.iter().map(|name| name.0).collect();
                return Err(PyTypeError::new_err(format!(
                    "{argument}: unknown parameter {}; there are {}",
                    excerpt(&key),
                    known.join(", ")
                )));
            }
        }
        Ok(Self { dict, argument })
    }

    /// How messages call a parameter.
    pub(super) fn path(&self, name: Name) -> String {
        format!("{}[{:?}]", self.argument, name.0)
    }

    /// The parameter, unless it is missing or None.
    pub(super) fn get(&self, name: Name) -> PyResult<Option<Bound<'py, PyAny>>> {
        let theirs = self.dict.get_item(name.0)?;
        let ours = if name.0 == name.1 { None } else { self.dict.get_item(name.1)? };
        if theirs.is_some() && ours.is_some() {
            return Err(PyTypeError::new_err(format!(
                "{}: {} and {} are the same parameter; give one",
                self.argument, name.0, name.1
            )));
        }
        Ok(theirs.or(ours).filter(|value| !value.is_none()))
    }

    /// A parameter that must be there.
    pub(super) fn required(&self, name: Name) -> PyResult<Bound<'py, PyAny>> {
        self.get(name)?
            .ok_or_else(|| PyTypeError::new_err(format!("{} is missing", self.path(name))))
    }
}
