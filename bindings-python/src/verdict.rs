//! What the verifier found of SEV-SNP evidence, as a dict with CCF's field names (reference A.10).

use affiant::{SnpReport, VerifiedSnp};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

/// Sets items: fields of the same name.
macro_rules! fields {
    ($dict:ident, $from:expr, plain: $($name:ident),+) => {
        $($dict.set_item(stringify!($name), &$from.$name)?;)+
    };
    ($dict:ident, $from:expr, buffer: $($name:ident),+) => {
        $($dict.set_item(stringify!($name), PyBytes::new($dict.py(), &$from.$name))?;)+
    };
    ($dict:ident, $from:expr, number: $($name:ident),+) => {
        $($dict.set_item(stringify!($name), u64::from($from.$name))?;)+
    };
}

pub(crate) fn dict<'py>(py: Python<'py>, verified: &VerifiedSnp) -> PyResult<Bound<'py, PyDict>> {
    let result = PyDict::new(py);
    result.set_item("attestation", report(py, &verified.report)?)?;
    if let Some(uvm) = &verified.uvm_endorsements {
        let dict = PyDict::new(py);
        fields!(dict, uvm, plain: did, feed, svn);
        result.set_item("uvm_endorsements", dict)?;
    }
    Ok(result)
}

fn report<'py>(py: Python<'py>, report: &SnpReport) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    fields!(dict, report, number: version, guest_svn);
    let policy = PyDict::new(py);
    fields!(policy, report.policy, number: abi_minor, abi_major, smt, migrate_ma, debug,
        single_socket);
    dict.set_item("policy", policy)?;
    fields!(dict, report, buffer: family_id, image_id);
    fields!(dict, report, number: vmpl, signature_algo);
    fields!(dict, report, plain: platform_version);
    let platform = PyDict::new(py);
    fields!(platform, report.platform_info, number: smt_en, tsme_en);
    // Misspelt in CCF, and so in the apps that read it.
    dict.set_item("plaform_info", &platform)?;
    dict.set_item("platform_info", platform)?;
    let flags = PyDict::new(py);
    fields!(flags, report.flags, number: author_key_en, mask_chip_key, signing_key);
    dict.set_item("flags", flags)?;
    fields!(dict, report, buffer: report_data, measurement, host_data, id_key_digest,
        author_key_digest, report_id, report_id_ma);
    fields!(dict, report, plain: reported_tcb);
    fields!(dict, report, number: cpuid_fam_id, cpuid_mod_id, cpuid_step);
    fields!(dict, report, buffer: chip_id);
    fields!(dict, report, plain: committed_tcb);
    fields!(dict, report, number: current_minor, current_build, current_major, committed_build,
        committed_minor, committed_major);
    fields!(dict, report, plain: launch_tcb);
    let signature = PyDict::new(py);
    signature.set_item("r", PyBytes::new(py, &report.signature_r))?;
    signature.set_item("s", PyBytes::new(py, &report.signature_s))?;
    dict.set_item("signature", signature)?;
    Ok(dict)
}
