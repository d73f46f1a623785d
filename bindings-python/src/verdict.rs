//! What the verifier found of SEV-SNP evidence, as a dict with CCF's field names (reference A.10).

use core::ffi::CStr;

use affiant::attestation::{SnpField, VerifiedSnp};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

pub(crate) fn dict<'py>(py: Python<'py>, verified: &VerifiedSnp) -> PyResult<Bound<'py, PyDict>> {
    let result = object(py, verified.fields())?;
    // In Python under its right name too.
    if let Some(report) = result.get_item("attestation")?
        && let Ok(platform) = report.get_item("plaform_info")
    {
        report.set_item("platform_info", platform)?;
    }
    Ok(result)
}

fn object<'py>(
    py: Python<'py>,
    fields: Vec<(&'static CStr, SnpField)>,
) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (name, field) in fields {
        let name = name.to_string_lossy();
        match field {
            SnpField::Number(number) => dict.set_item(&*name, number)?,
            SnpField::Bytes(bytes) => dict.set_item(&*name, PyBytes::new(py, &bytes))?,
            SnpField::Text(text) => dict.set_item(&*name, text)?,
            SnpField::Object(fields) => dict.set_item(&*name, object(py, fields)?)?,
        }
    }
    Ok(dict)
}
