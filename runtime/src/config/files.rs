//! The files a node writes for its operator: each to a temporary name, then renamed, since launchers
//! read a file as soon as it exists.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use serde_json::json;

use super::section::Section;
use crate::error::{RuntimeError, RuntimeResult};

/// Paths as configured; empty: not written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputFiles {
    /// The node's self-signed certificate.
    pub node_certificate_file: String,
    /// The process identifier, left behind at exit.
    pub pid_file: String,
    /// `{"node_to_node_interface": "ip:port"}`.
    pub node_to_node_address_file: String,
    /// `{"<interface>": "ip:port"}`; written before the certificate.
    pub rpc_addresses_file: String,
    /// The service's certificate.
    pub service_certificate_file: String,
}

impl OutputFiles {
    pub(super) fn read(root: &mut Section<'_>, command: &mut Section<'_>) -> RuntimeResult<Self> {
        let mut section = root.object("output_files")?;
        let files = Self {
            node_certificate_file: section.text("node_certificate_file", "nodecert.pem")?,
            pid_file: section.text("pid_file", "node.pid")?,
            node_to_node_address_file: section.text("node_to_node_address_file", "")?,
            rpc_addresses_file: section.text("rpc_addresses_file", "")?,
            service_certificate_file: command
                .text("service_certificate_file", "service_cert.pem")?,
        };
        section.finish()?;
        Ok(files)
    }

    /// Claims the process identifier file.
    ///
    /// # Errors
    /// [`RuntimeError::PidFileExists`], or it cannot be written.
    pub fn write_pid(&self) -> RuntimeResult<()> {
        if self.pid_file.is_empty() {
            return Ok(());
        }
        if Path::new(&self.pid_file).exists() {
            return Err(RuntimeError::PidFileExists { path: self.pid_file.clone() });
        }
        write_file_atomically("PID file", &self.pid_file, std::process::id().to_string().as_bytes())
    }

    /// Writes the real addresses: of the node-to-node interface, and of each listener by name.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write_addresses(
        &self,
        node_to_node: &str,
        listeners: &BTreeMap<String, String>,
    ) -> RuntimeResult<()> {
        let content = json!({ "node_to_node_interface": node_to_node }).to_string();
        write_if_named(
            "node-to-node address file",
            &self.node_to_node_address_file,
            content.as_bytes(),
        )?;
        let content = json!(listeners).to_string();
        write_if_named("RPC addresses file", &self.rpc_addresses_file, content.as_bytes())
    }

    /// Writes the service's certificate, then the node's: HTTPS is up by then.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write_certificates(&self, service_pem: &str, node_pem: &str) -> RuntimeResult<()> {
        write_if_named(
            "service certificate file",
            &self.service_certificate_file,
            service_pem.as_bytes(),
        )?;
        write_if_named("node certificate file", &self.node_certificate_file, node_pem.as_bytes())
    }
}

fn write_if_named(what: &'static str, path: &str, content: &[u8]) -> RuntimeResult<()> {
    if path.is_empty() { Ok(()) } else { write_file_atomically(what, path, content) }
}

/// Writes a file so that whoever sees it sees all of it.
///
/// # Errors
/// [`RuntimeError::FileUnwritable`] with `what` and the path.
pub(crate) fn write_file_atomically(
    what: &'static str,
    path: &str,
    content: &[u8],
) -> RuntimeResult<()> {
    let temporary = format!("{path}.tmp");
    let attempt = || -> std::io::Result<()> {
        let mut file = fs::File::create(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    attempt().map_err(|error| RuntimeError::FileUnwritable {
        what,
        path: path.to_owned(),
        reason: error.to_string(),
    })
}
