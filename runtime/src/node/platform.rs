//! Evidence of the platform a node runs on. Only the virtual platform so far, which proves nothing and
//! says so in its name (reference: node launcher, "Platform").

use std::sync::OnceLock;

use affiant_proof::{Digest, to_hex};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::tables::QuoteInfo;

/// What a virtual node shows instead of a measurement.
pub(crate) const VIRTUAL_MEASUREMENT: &str = "Insecure hard-coded virtual measurement v1";
const VIRTUAL_FORMAT: &str = "Insecure_Virtual";

/// Evidence of the virtual platform for the node with that public key.
pub(crate) fn virtual_quote(public_key_der: &[u8]) -> QuoteInfo {
    let evidence = json!({
        "host_data": virtual_host_data(),
        "measurement": VIRTUAL_MEASUREMENT,
        "report_data": STANDARD.encode(Digest::of(public_key_der).0),
    });
    QuoteInfo {
        format: VIRTUAL_FORMAT.to_owned(),
        quote: STANDARD.encode(evidence.to_string()),
        endorsements: String::new(),
        uvm_endorsements: None,
    }
}

/// The measurement as `code_digest` has it.
pub(crate) fn virtual_code_digest() -> String {
    to_hex(VIRTUAL_MEASUREMENT.as_bytes())
}

/// Hex SHA-256 of the running executable; of nothing, where it cannot be read.
pub(crate) fn virtual_host_data() -> &'static str {
    static HOST_DATA: OnceLock<String> = OnceLock::new();
    HOST_DATA.get_or_init(|| {
        let executable = std::env::current_exe().and_then(std::fs::read).unwrap_or_default();
        Digest::of(&executable).to_hex()
    })
}
