//! `ccf.kv`: maps of the store as Python mappings.
//!
//! The key's type chooses the layer: bytes to bytes as in CCF, str to JSON (the key's UTF-8, the value's
//! JSON text). A map is bound to its name only; every operation finds the running request's transaction.
//! Maps of past transactions carry what they read from, and refuse to write.

use affiant::MapName;
use pyo3::basic::CompareOp;
use pyo3::exceptions::{PyKeyError, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple};

use crate::error;
use crate::json;
use crate::limits::MAP_HANDLES_COUNT_MAX;
use crate::session::{self, Session};
use crate::surface::{Pair, Past, Span};

/// `ccf.kv`, or the `kv` of a past transaction.
#[pyclass(module = "affiant._native", frozen)]
pub(crate) struct Kv {
    handles: Py<PyDict>,
    past: Option<Past>,
    /// Whose maps these are, whatever else runs; None: the running request's.
    session: Option<Py<Session>>,
}

impl Kv {
    pub(crate) fn new(py: Python<'_>, past: Option<Past>) -> Self {
        Self { handles: PyDict::new(py).unbind(), past, session: None }
    }

    pub(crate) fn of_session(py: Python<'_>, session: Py<Session>) -> Self {
        Self { handles: PyDict::new(py).unbind(), past: None, session: Some(session) }
    }
}

#[pymethods]
impl Kv {
    /// The map of that name; maps exist by being written to.
    fn __getitem__<'py>(
        &self,
        py: Python<'py>,
        name: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let handles = self.handles.bind(py);
        if let Some(known) = handles.get_item(name)? {
            return Ok(known);
        }
        let text = name
            .cast::<PyString>()
            .map_err(|_| PyTypeError::new_err("the name of a map is a str"))?
            .to_str()?;
        let map = MapName::new(text).map_err(|refused| error::of_store(py, &refused))?;
        let session = self.session.as_ref().map(|session| session.clone_ref(py));
        let handle =
            Bound::new(py, Map { name: map, past: self.past.clone(), session })?.into_any();
        if handles.len() < MAP_HANDLES_COUNT_MAX {
            handles.set_item(name, &handle)?;
        }
        Ok(handle)
    }

    fn __repr__(&self) -> &'static str {
        if self.past.is_some() { "<maps of a past transaction>" } else { "<maps of the ledger>" }
    }
}

/// One map of the store. See `help(ccf)` for its rules.
#[pyclass(module = "affiant._native", frozen, mapping)]
pub(crate) struct Map {
    name: MapName,
    past: Option<Past>,
    session: Option<Py<Session>>,
}

/// A key as given.
enum Key<'a> {
    Bytes(&'a [u8]),
    Copied(Vec<u8>),
    Text(&'a str),
}

impl Key<'_> {
    fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }
}

impl core::ops::Deref for Key<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Copied(bytes) => bytes,
            Self::Text(text) => text.as_bytes(),
        }
    }
}

fn key_of<'a>(key: &'a Bound<'_, PyAny>) -> PyResult<Key<'a>> {
    if let Ok(text) = key.cast::<PyString>() {
        return Ok(Key::Text(text.to_str()?));
    }
    if let Ok(bytes) = key.cast::<PyBytes>() {
        return Ok(Key::Bytes(bytes.as_bytes()));
    }
    match bytes_like(key)? {
        Some(bytes) => Ok(Key::Copied(bytes)),
        None => Err(PyTypeError::new_err(format!(
            "a key is bytes (for a value of bytes) or str (for a JSON value), not {}",
            key.get_type().name()?
        ))),
    }
}

/// The bytes of anything with the buffer protocol but `bytes` itself.
fn bytes_like(value: &Bound<'_, PyAny>) -> PyResult<Option<Vec<u8>>> {
    match pyo3::buffer::PyBuffer::<u8>::get(value) {
        Ok(buffer) => Ok(Some(buffer.to_vec(value.py())?)),
        Err(_) => Ok(None),
    }
}

enum Stored<'a> {
    Bytes(&'a [u8]),
    Owned(Vec<u8>),
}

impl core::ops::Deref for Stored<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Owned(bytes) => bytes,
        }
    }
}

fn value_of<'a>(key: &Key<'_>, value: &'a Bound<'_, PyAny>) -> PyResult<Stored<'a>> {
    if key.is_text() {
        return Ok(Stored::Owned(json::dumps(value)?));
    }
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Ok(Stored::Bytes(bytes.as_bytes()));
    }
    match bytes_like(value)? {
        Some(bytes) => Ok(Stored::Owned(bytes)),
        None => Err(PyTypeError::new_err(format!(
            "a key of bytes takes a value of bytes, not {}; to store JSON make the key a str",
            value.get_type().name()?
        ))),
    }
}

fn loaded<'py>(py: Python<'py>, typed: bool, value: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    if typed { json::loads(py, value) } else { Ok(PyBytes::new(py, value).into_any()) }
}

fn text_key<'py>(py: Python<'py>, typed: bool, key: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    if !typed {
        return Ok(PyBytes::new(py, key).into_any());
    }
    match core::str::from_utf8(key) {
        Ok(text) => Ok(PyString::new(py, text).into_any()),
        Err(_) => Err(pyo3::exceptions::PyValueError::new_err(
            "this map has a key that is not UTF-8: iterate its bytes",
        )),
    }
}

/// What iterating gives.
#[derive(Clone, Copy)]
enum Part {
    Keys,
    Values,
    Items,
}

impl Map {
    fn permit(&self, py: Python<'_>, method: &str, write: bool) -> PyResult<()> {
        if self.past.is_some() {
            let Some(session) = session::find(py)? else { return Ok(()) };
            let checked = session.get().context().permit_in_past(&self.name, method, write);
            return checked.map_err(|refusal| error::refused(py, &refusal));
        }
        Ok(())
    }

    /// The current session, once the call is permitted.
    fn session<'py>(
        &self,
        py: Python<'py>,
        method: &str,
        write: bool,
    ) -> PyResult<Bound<'py, Session>> {
        let session = match &self.session {
            Some(own) => own.bind(py).clone(),
            None => session::current(py)?,
        };
        let checked = session.get().context().permit(&self.name, method, write);
        checked.map_err(|refusal| error::refused(py, &refusal))?;
        Ok(session)
    }

    fn read<'py>(
        &self,
        py: Python<'py>,
        key: &Key<'_>,
        method: &str,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let typed = key.is_text();
        if let Some(past) = &self.past {
            self.permit(py, method, false)?;
            return past.get(&self.name, key).map(|value| loaded(py, typed, &value)).transpose();
        }
        let session = self.session(py, method, false)?;
        let key: &[u8] = key;
        let found = session.get().with(py, |surface| surface.get(&self.name, key))?;
        found.map(|value| loaded(py, typed, &value)).transpose()
    }

    fn contains(&self, py: Python<'_>, key: &Key<'_>, method: &str) -> PyResult<bool> {
        if let Some(past) = &self.past {
            self.permit(py, method, false)?;
            return Ok(past.get(&self.name, key).is_some());
        }
        let session = self.session(py, method, false)?;
        let key: &[u8] = key;
        session.get().with(py, |surface| surface.has(&self.name, key))
    }

    fn write(
        &self,
        py: Python<'_>,
        key: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
        method: &str,
    ) -> PyResult<()> {
        self.permit(py, method, true)?;
        let session = self.session(py, method, true)?;
        let key = key_of(key)?;
        let value = value_of(&key, value)?;
        let (key, value): (&[u8], &[u8]) = (&key, &value);
        session.get().with(py, |surface| surface.put(&self.name, key, value))
    }

    fn remove(&self, py: Python<'_>, key: &Key<'_>, method: &str) -> PyResult<()> {
        self.permit(py, method, true)?;
        let session = self.session(py, method, true)?;
        let key: &[u8] = key;
        session.get().with(py, |surface| surface.remove(&self.name, key))
    }

    fn count(&self, py: Python<'_>) -> PyResult<usize> {
        if let Some(past) = &self.past {
            self.permit(py, "size", false)?;
            return Ok(past.len(&self.name));
        }
        let session = self.session(py, "size", false)?;
        session.get().with(py, |surface| surface.len(&self.name))
    }

    fn pairs(&self, py: Python<'_>, span: Span<'_>, method: &str) -> PyResult<Vec<Pair>> {
        if let Some(past) = &self.past {
            self.permit(py, method, false)?;
            return Ok(past.range(&self.name, span));
        }
        let session = self.session(py, method, false)?;
        session.get().with(py, |surface| surface.range(&self.name, span))
    }

    fn listed<'py>(
        &self,
        py: Python<'py>,
        span: Span<'_>,
        typed: bool,
        part: Part,
        method: &str,
    ) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for (key, value) in self.pairs(py, span, method)? {
            match part {
                Part::Keys => list.append(text_key(py, typed, &key)?)?,
                Part::Values => list.append(loaded(py, typed, &value)?)?,
                Part::Items => {
                    list.append((text_key(py, typed, &key)?, loaded(py, typed, &value)?))?;
                }
            }
        }
        Ok(list)
    }

    fn missing(key: &Bound<'_, PyAny>) -> PyErr {
        PyKeyError::new_err(key.clone().unbind())
    }
}

const EVERYTHING: Span<'static> = Span { from: None, to: None, count_max: usize::MAX };

#[pymethods]
impl Map {
    /// The map's name.
    #[getter]
    fn name(&self) -> &str {
        self.name.as_str()
    }

    fn __getitem__<'py>(
        &self,
        py: Python<'py>,
        key: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.read(py, &key_of(key)?, "get")?.ok_or_else(|| Self::missing(key))
    }

    fn __setitem__(
        &self,
        py: Python<'_>,
        key: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        self.write(py, key, value, "set")
    }

    fn __delitem__(&self, py: Python<'_>, key: &Bound<'_, PyAny>) -> PyResult<()> {
        let known = key_of(key)?;
        if !self.contains(py, &known, "delete")? {
            return Err(Self::missing(key));
        }
        self.remove(py, &known, "delete")
    }

    fn __contains__(&self, py: Python<'_>, key: &Bound<'_, PyAny>) -> PyResult<bool> {
        self.contains(py, &key_of(key)?, "has")
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        self.count(py)
    }

    /// A map is a place, not a collection in memory: true even while it is empty.
    fn __bool__(&self) -> bool {
        true
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(self.listed(py, EVERYTHING, false, Part::Keys, "keys")?.try_iter()?.into_any())
    }

    fn __richcmp__(&self, other: &Bound<'_, PyAny>, op: CompareOp) -> PyResult<bool> {
        let same = other.cast::<Self>().is_ok_and(|other| {
            let other = other.get();
            let bound = |map: &Self| map.past.is_some() || map.session.is_some();
            self.name == other.name && !bound(self) && !bound(other)
        });
        match op {
            CompareOp::Eq => Ok(same),
            CompareOp::Ne => Ok(!same),
            _ => Err(PyTypeError::new_err("maps have no order")),
        }
    }

    fn __hash__(&self) -> u64 {
        use std::hash::{DefaultHasher, Hash as _, Hasher as _};
        let mut hasher = DefaultHasher::new();
        self.name.hash(&mut hasher);
        hasher.finish()
    }

    fn __repr__(&self) -> String {
        format!("<map {:?}>", self.name.as_str())
    }

    fn _repr_html_(slf: &Bound<'_, Self>) -> PyResult<Option<String>> {
        crate::functions::notebook(slf.as_any(), "map")
    }

    /// The value under `key`, or `default`.
    #[pyo3(signature = (key, default=None))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        key: &Bound<'py, PyAny>,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        Ok(self.read(py, &key_of(key)?, "get")?.or(default))
    }

    /// Stores `value` under `key`; the map itself, so that calls can be chained.
    fn set<'py>(
        slf: Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        value: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, Self>> {
        slf.get().write(slf.py(), key, value, "set")?;
        Ok(slf)
    }

    /// Whether there is a value under `key`.
    fn has(&self, py: Python<'_>, key: &Bound<'_, PyAny>) -> PyResult<bool> {
        self.contains(py, &key_of(key)?, "has")
    }

    /// Removes `key` and returns its value; `default` if it has none, else `KeyError`.
    #[pyo3(signature = (key, *default))]
    fn pop<'py>(
        &self,
        py: Python<'py>,
        key: &Bound<'py, PyAny>,
        default: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if default.len() > 1 {
            return Err(PyTypeError::new_err("pop takes a key and at most one default"));
        }
        let known = key_of(key)?;
        match self.read(py, &known, "get")? {
            Some(value) => {
                self.remove(py, &known, "delete")?;
                Ok(value)
            }
            None => default.get_item(0).map_err(|_| Self::missing(key)),
        }
    }

    /// The value under `key`; if there is none, `default`, which is stored.
    fn setdefault<'py>(
        &self,
        py: Python<'py>,
        key: &Bound<'py, PyAny>,
        default: Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        match self.read(py, &key_of(key)?, "get")? {
            Some(value) => Ok(value),
            None => {
                self.write(py, key, &default, "set")?;
                Ok(default)
            }
        }
    }

    /// Stores every entry of a mapping or of (key, value) pairs.
    fn update(&self, py: Python<'_>, entries: &Bound<'_, PyAny>) -> PyResult<()> {
        let items = intern!(py, "items");
        let pairs =
            if entries.hasattr(items)? { entries.call_method0(items)? } else { entries.clone() };
        for pair in pairs.try_iter()? {
            let (key, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = pair?.extract()?;
            self.write(py, &key, &value, "set")?;
        }
        Ok(())
    }

    /// The typed layer as a mapping of its own: keys of str and JSON values, iterated as such.
    #[getter]
    fn json<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let module = slf.py().import("affiant._json_map")?;
        module.call_method1("JsonMap", (slf,))
    }

    /// Removes `key`, if it is there.
    fn delete(&self, py: Python<'_>, key: &Bound<'_, PyAny>) -> PyResult<()> {
        self.remove(py, &key_of(key)?, "delete")
    }

    /// Removes every key.
    fn clear(&self, py: Python<'_>) -> PyResult<()> {
        self.permit(py, "clear", true)?;
        let session = self.session(py, "clear", true)?;
        session.get().with(py, |surface| surface.clear(&self.name))
    }

    /// Number of keys; `len(map)`.
    #[getter]
    fn size(&self, py: Python<'_>) -> PyResult<usize> {
        self.count(py)
    }

    /// The seqno of the transaction that last wrote `key`; None if it has no value.
    fn get_version_of_previous_write(
        &self,
        py: Python<'_>,
        key: &Bound<'_, PyAny>,
    ) -> PyResult<Option<u64>> {
        let method = "getVersionOfPreviousWrite";
        let key = key_of(key)?;
        let key: &[u8] = &key;
        if let Some(past) = &self.past {
            self.permit(py, method, false)?;
            return Ok(past.get(&self.name, key).map(|_| past.txid().seqno));
        }
        let session = self.session(py, method, false)?;
        session.get().with(py, |surface| surface.version_of_previous_write(&self.name, key))
    }

    /// Calls `callback(value, key, map)` for each key in ascending order, with bytes.
    fn for_each(slf: Bound<'_, Self>, callback: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = slf.py();
        if !callback.is_callable() {
            return Err(PyTypeError::new_err("for_each takes a function of value, key and map"));
        }
        for (key, value) in slf.get().pairs(py, EVERYTHING, "forEach")? {
            callback.call1((PyBytes::new(py, &value), PyBytes::new(py, &key), &slf))?;
        }
        Ok(())
    }

    /// Entries with `start <= key < stop`, ascending, at most `limit`, as (key, value). Bounds of str
    /// give the typed layer; None is open.
    #[pyo3(signature = (start=None, stop=None, limit=None))]
    fn range<'py>(
        &self,
        py: Python<'py>,
        start: Option<Bound<'py, PyAny>>,
        stop: Option<Bound<'py, PyAny>>,
        limit: Option<usize>,
    ) -> PyResult<Bound<'py, PyList>> {
        let from = start.as_ref().map(key_of).transpose()?;
        let to = stop.as_ref().map(key_of).transpose()?;
        let text = |key: &Option<Key<'_>>| key.as_ref().map(Key::is_text);
        let typed = match (text(&from), text(&to)) {
            (Some(one), Some(other)) if one != other => {
                return Err(PyTypeError::new_err("both bounds must be str, or neither"));
            }
            (one, other) => one.or(other).unwrap_or(false),
        };
        let span = Span {
            from: from.as_deref(),
            to: to.as_deref(),
            count_max: limit.unwrap_or(usize::MAX),
        };
        self.listed(py, span, typed, Part::Items, "range")
    }

    /// The keys in ascending order, as bytes; `keys(str)`: as str.
    #[pyo3(signature = (layer=None))]
    fn keys<'py>(
        &self,
        py: Python<'py>,
        layer: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyList>> {
        self.listed(py, EVERYTHING, is_typed(layer.as_ref())?, Part::Keys, "keys")
    }

    /// The values in the order of their keys, as bytes; `values(str)`: parsed from JSON.
    #[pyo3(signature = (layer=None))]
    fn values<'py>(
        &self,
        py: Python<'py>,
        layer: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyList>> {
        self.listed(py, EVERYTHING, is_typed(layer.as_ref())?, Part::Values, "values")
    }

    /// (key, value) in the order of the keys, as bytes; `items(str)`: as str and JSON values.
    #[pyo3(signature = (layer=None))]
    fn items<'py>(
        &self,
        py: Python<'py>,
        layer: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyList>> {
        self.listed(py, EVERYTHING, is_typed(layer.as_ref())?, Part::Items, "items")
    }
}

fn is_typed(layer: Option<&Bound<'_, PyAny>>) -> PyResult<bool> {
    let Some(layer) = layer else { return Ok(false) };
    let py = layer.py();
    if layer.is(py.get_type::<PyString>()) {
        return Ok(true);
    }
    if layer.is(py.get_type::<PyBytes>()) {
        return Ok(false);
    }
    Err(PyTypeError::new_err("the layer is the type str or the type bytes"))
}
