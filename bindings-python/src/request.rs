//! `request`, its body and its caller (reference B.4, C.2), in Python's habits.

use affiant::Caller as Admitted;
use affiant::auth::CertCaller;
use pyo3::IntoPyObjectExt as _;
use pyo3::exceptions::{PyAttributeError, PyKeyError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};

use crate::json;

/// One HTTP request. Attributes are also items: `request["data"]`.
#[pyclass(module = "affiant._native", frozen)]
pub(crate) struct Request {
    request: affiant::Request,
    data: PyOnceLock<Py<PyAny>>,
    caller: PyOnceLock<Py<PyAny>>,
    headers: PyOnceLock<Py<PyDict>>,
}

impl Request {
    pub(crate) fn new(request: affiant::Request) -> Self {
        Self {
            request,
            data: PyOnceLock::new(),
            caller: PyOnceLock::new(),
            headers: PyOnceLock::new(),
        }
    }

    fn content_type(&self) -> String {
        self.request.header("content-type").unwrap_or_default().to_ascii_lowercase()
    }
}

const NAMES: [&str; 16] = [
    "method",
    "path",
    "app_path",
    "url",
    "route",
    "query",
    "raw_query",
    "params",
    "headers",
    "header_items",
    "body",
    "body_bytes",
    "data",
    "caller",
    "hostname",
    "scheme",
];

#[pymethods]
impl Request {
    /// `GET`, `POST`, ...
    #[getter]
    fn method(&self) -> &str {
        self.request.method()
    }

    /// The path as sent, percent-encoded, with `/app`.
    #[getter]
    fn path(&self) -> &str {
        self.request.path()
    }

    /// The path below `/app`, percent-encoded.
    #[getter]
    fn app_path(&self) -> &str {
        let path = self.request.path();
        match path.strip_prefix("/app") {
            Some(below) if below.starts_with('/') => below,
            _ => path,
        }
    }

    /// Path and query as sent.
    #[getter]
    fn url(&self) -> String {
        self.request.url()
    }

    /// The template of the endpoint, with `/app`.
    #[getter]
    fn route(&self) -> &str {
        self.request.route()
    }

    /// The query, without `?`, percent-decoded as CCF gives it.
    #[getter]
    fn query(&self) -> String {
        self.request.query().into_owned()
    }

    /// The query as sent, without `?`.
    #[getter]
    fn raw_query(&self) -> &str {
        self.request.raw_query().unwrap_or_default()
    }

    /// The values of the path's placeholders.
    #[getter]
    fn params<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let params = PyDict::new(py);
        for (name, value) in self.request.params() {
            params.set_item(name, value)?;
        }
        Ok(params)
    }

    /// Headers by lower-case name; repeated ones joined by a comma.
    #[getter]
    fn headers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let made = self.headers.get_or_try_init(py, || {
            let headers = PyDict::new(py);
            for (name, value) in self.request.header_lines() {
                let mut text = String::from_utf8_lossy(value).into_owned();
                if let Some(known) = headers.get_item(name)? {
                    text = format!("{},{text}", known.extract::<String>()?);
                }
                headers.set_item(name, text)?;
            }
            Ok::<_, PyErr>(headers.unbind())
        })?;
        Ok(made.bind(py).clone())
    }

    /// Each header line as (lower-case name, value).
    #[getter]
    fn header_items<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let items = PyList::empty(py);
        for (name, value) in self.request.header_lines() {
            items.append((name, latin1(py, value)?))?;
        }
        Ok(items)
    }

    /// The body: `text()`, `json()`, `bytes()`.
    #[getter]
    fn body(&self) -> Body {
        Body { bytes: self.request.body().clone() }
    }

    /// The body's bytes.
    #[getter]
    fn body_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.request.body())
    }

    /// The body, parsed if it is JSON, else text, else bytes; None without a body.
    #[getter]
    fn data<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let made = self.data.get_or_try_init(py, || {
            Ok::<_, PyErr>(data_of(py, self.request.body(), &self.content_type())?.unbind())
        })?;
        Ok(made.bind(py).clone())
    }

    /// Who calls, as the admitting policy found; None where nobody was asked for.
    #[getter]
    fn caller<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let made = self.caller.get_or_try_init(py, || match self.request.caller() {
            Some(caller) => {
                Caller { fields: caller_fields(py, caller, true)?.unbind() }.into_py_any(py)
            }
            None => Ok(py.None()),
        })?;
        Ok(made.bind(py).clone())
    }

    /// The header `host`; None if there is none.
    #[getter]
    fn hostname(&self) -> Option<&str> {
        self.request.header("host")
    }

    /// `https`: the only way in.
    #[getter]
    fn scheme(&self) -> &'static str {
        "https"
    }

    fn __getitem__<'py>(slf: &Bound<'py, Self>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        if !NAMES.contains(&name) {
            return Err(PyKeyError::new_err(format!(
                "a request has no {name:?}; it has {}",
                NAMES.join(", ")
            )));
        }
        slf.as_any().getattr(name)
    }

    fn __contains__(&self, name: &str) -> bool {
        NAMES.contains(&name)
    }

    /// `request.get(name, default)`, for code written for dicts.
    #[pyo3(signature = (name, default=None))]
    fn get<'py>(
        slf: &Bound<'py, Self>,
        name: &str,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        if NAMES.contains(&name) { Ok(Some(slf.as_any().getattr(name)?)) } else { Ok(default) }
    }

    fn __repr__(&self) -> String {
        format!("<Request {} {}>", self.request.method(), self.request.url())
    }
}

/// Header bytes as the text of ISO-8859-1 that WSGI and HTTP give them.
fn latin1<'py>(py: Python<'py>, value: &[u8]) -> PyResult<Bound<'py, PyString>> {
    if value.is_ascii()
        && let Ok(text) = core::str::from_utf8(value)
    {
        return Ok(PyString::new(py, text));
    }
    let text: String = value.iter().map(|byte| char::from(*byte)).collect();
    Ok(PyString::new(py, &text))
}

fn data_of<'py>(py: Python<'py>, body: &[u8], content_type: &str) -> PyResult<Bound<'py, PyAny>> {
    if body.is_empty() {
        return Ok(py.None().into_bound(py));
    }
    let text = core::str::from_utf8(body).ok();
    let parse =
        !content_type.starts_with("text/") && !content_type.starts_with("application/octet-stream");
    match text {
        Some(_) if parse => match json::loads(py, body) {
            Ok(value) => Ok(value),
            Err(_not_json) => Ok(PyString::new(py, text.unwrap_or_default()).into_any()),
        },
        Some(text) if !content_type.starts_with("application/octet-stream") => {
            Ok(PyString::new(py, text).into_any())
        }
        _ => Ok(PyBytes::new(py, body).into_any()),
    }
}

/// A request's body.
#[pyclass(module = "affiant._native", frozen)]
pub(crate) struct Body {
    bytes: bytes::Bytes,
}

#[pymethods]
impl Body {
    /// The body as text.
    ///
    /// Raises `UnicodeDecodeError` if it is not UTF-8.
    fn text<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        PyBytes::new(py, &self.bytes).call_method1("decode", ("utf-8",))
    }

    /// The body parsed as JSON.
    ///
    /// Raises `ValueError` if it is none.
    fn json<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        json::loads(py, &self.bytes)
    }

    /// The body's bytes.
    fn bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.bytes)
    }

    /// The body's bytes, by CCF's name.
    fn array_buffer<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.bytes)
    }

    fn __bytes__<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.bytes)
    }

    fn __str__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.text(py)
    }

    fn __len__(&self) -> usize {
        self.bytes.len()
    }

    fn __repr__(&self) -> String {
        format!("<Body of {} bytes>", self.bytes.len())
    }
}

/// Who calls. Fields are attributes and items, as in `request.caller` of CCF's JavaScript.
#[pyclass(module = "affiant._native", frozen)]
pub(crate) struct Caller {
    fields: Py<PyDict>,
}

#[pymethods]
impl Caller {
    fn __getattr__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        let found = self.fields.bind(py).get_item(name)?;
        found.ok_or_else(|| PyAttributeError::new_err(format!("this caller has no {name:?}")))
    }

    fn __getitem__<'py>(
        &self,
        py: Python<'py>,
        name: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let found = self.fields.bind(py).get_item(name)?;
        found.ok_or_else(|| PyKeyError::new_err(name.clone().unbind()))
    }

    fn __contains__(&self, py: Python<'_>, name: &Bound<'_, PyAny>) -> PyResult<bool> {
        self.fields.bind(py).contains(name)
    }

    /// The field `name`, or `default`.
    #[pyo3(signature = (name, default=None))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        name: &Bound<'py, PyAny>,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        Ok(self.fields.bind(py).get_item(name)?.or(default))
    }

    /// The fields as a new dict, for JSON.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.fields.bind(py).copy()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let policy = self.fields.bind(py).get_item("policy")?;
        Ok(format!("<Caller by {}>", policy.map_or_else(String::new, |policy| policy.to_string())))
    }
}

fn caller_fields<'py>(
    py: Python<'py>,
    caller: &Admitted,
    with_policy: bool,
) -> PyResult<Bound<'py, PyDict>> {
    let fields = PyDict::new(py);
    if let Admitted::AllOf(parts) = caller {
        fields.set_item("policy", parts.iter().map(|(name, _)| name).collect::<Vec<_>>())?;
        for (name, part) in parts {
            fields.set_item(name, caller_fields(py, part, true)?)?;
        }
        return Ok(fields);
    }
    if with_policy {
        fields.set_item("policy", caller.policy())?;
    }
    match caller {
        Admitted::UserCert(known) | Admitted::MemberCert(known) => set_known(&fields, known)?,
        Admitted::UserCoseSign1 { user, content } => {
            set_known(&fields, user)?;
            let cose = PyDict::new(py);
            cose.set_item("content", PyBytes::new(py, content))?;
            fields.set_item("cose", cose)?;
        }
        Admitted::Jwt(token) => {
            let jwt = PyDict::new(py);
            for name in ["key_issuer", "keyIssuer"] {
                jwt.set_item(name, &*token.key_issuer)?;
            }
            jwt.set_item("header", value_of(py, &token.header)?)?;
            jwt.set_item("payload", value_of(py, &token.payload)?)?;
            fields.set_item("jwt", jwt)?;
        }
        Admitted::AnyCert { cert } => fields.set_item("cert", &**cert)?,
        Admitted::NoAuth | Admitted::AllOf(_) => {}
    }
    Ok(fields)
}

fn set_known(fields: &Bound<'_, PyDict>, known: &CertCaller) -> PyResult<()> {
    fields.set_item("id", &*known.id)?;
    fields.set_item("data", value_of(fields.py(), &known.data)?)?;
    fields.set_item("cert", &*known.cert)
}

fn value_of<'py>(py: Python<'py>, value: &serde_json::Value) -> PyResult<Bound<'py, PyAny>> {
    json::loads(py, value.to_string().as_bytes())
}
