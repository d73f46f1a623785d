//! Which nodes may join, as it stands in CCF's tables.

use affiant_attest::Attestation;
use affiant_kv::Tx;
use affiant_proof::entry::SINGLETON_KEY;

use crate::error::RuntimeResult;
use crate::tables;

const ALLOWED: &str = "AllowedToJoin";

/// Writes the first policy: whoever is like the first node.
pub(crate) fn admit_others_like(tx: &mut Tx, evidence: &Attestation) -> RuntimeResult<()> {
    match evidence {
        Attestation::Virtual(evidence) => {
            let measurement = evidence.measurement.as_bytes();
            tables::put_json(tx, &tables::VIRTUAL_MEASUREMENTS, measurement, &ALLOWED)?;
            let host_data = evidence.host_data.as_bytes();
            tx.put(&tables::VIRTUAL_HOST_DATA, host_data, &SINGLETON_KEY)?;
        }
        Attestation::Snp(_) => {}
    }
    Ok(())
}
