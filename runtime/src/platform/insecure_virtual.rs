//! What a machine without hardware for it says of itself. It proves nothing, and says so in its name.

use std::sync::OnceLock;

use affiant_attest::{Attestation, VirtualEvidence};
use affiant_proof::Digest;

use super::{Attestor, FORMAT_VIRTUAL, PlatformError, check_bound};

/// What a virtual node shows instead of a measurement.
const VIRTUAL_MEASUREMENT: &str = "Insecure hard-coded virtual measurement v1";

/// Stands in where no hardware vouches for the process.
#[derive(Clone, Copy, Debug, Default)]
pub struct VirtualAttestor;

impl Attestor for VirtualAttestor {
    fn format(&self) -> &'static str {
        FORMAT_VIRTUAL
    }

    fn provider(&self) -> &'static str {
        "insecure-virtual"
    }

    fn attest(&self, bound: &[u8]) -> Result<Attestation, PlatformError> {
        check_bound(bound)?;
        Ok(Attestation::Virtual(VirtualEvidence {
            measurement: VIRTUAL_MEASUREMENT.to_owned(),
            host_data: virtual_host_data().to_owned(),
            report_data: Digest::of(bound).0.to_vec(),
            bound: Some(bound.to_vec()),
        }))
    }
}

/// Hex SHA-256 of the running executable; of nothing, where it cannot be read.
fn virtual_host_data() -> &'static str {
    static HOST_DATA: OnceLock<String> = OnceLock::new();
    HOST_DATA.get_or_init(|| {
        let executable = std::env::current_exe().and_then(std::fs::read).unwrap_or_default();
        Digest::of(&executable).to_hex()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use affiant_attest::limits::BOUND_BYTES_MAX;

    use super::*;

    #[test]
    fn what_it_shows_is_bound_and_says_that_it_proves_nothing() {
        let shown = VirtualAttestor.attest(b"bytes").unwrap();
        let Attestation::Virtual(evidence) = shown else { panic!("{shown:?}") };
        assert_eq!(evidence.report_data, Digest::of(b"bytes").0);
        assert_eq!(evidence.bound.as_deref(), Some(&b"bytes"[..]));
        assert!(evidence.measurement.contains("Insecure"), "{}", evidence.measurement);
        assert!(VirtualAttestor.attest(&vec![0; BOUND_BYTES_MAX + 1]).is_err());
    }
}
