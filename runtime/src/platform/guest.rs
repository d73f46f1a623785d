//! Evidence of the guest this process runs in, by its own kernel.

use affiant_attest::Attestation;
use affiant_attest::guest::{self, Firmware};
use parking_lot::Mutex;

use super::collateral::Collateral;
use super::{Attestor, FORMAT_SNP, PlatformError, check_bound, sleep_ms};

/// Asks the firmware, and completes what it says.
pub(super) struct GuestAttestor {
    provider: &'static str,
    firmware: Mutex<Box<dyn Firmware>>,
    vmpl: Option<u32>,
    collateral: Collateral,
}

impl GuestAttestor {
    pub(super) fn new(
        provider: &'static str,
        firmware: Box<dyn Firmware>,
        vmpl: Option<u32>,
        collateral: Collateral,
    ) -> Self {
        Self { provider, firmware: Mutex::new(firmware), vmpl, collateral }
    }
}

impl Attestor for GuestAttestor {
    fn format(&self) -> &'static str {
        FORMAT_SNP
    }

    fn provider(&self) -> &'static str {
        self.provider
    }

    fn attest(&self, bound: &[u8]) -> Result<Attestation, PlatformError> {
        check_bound(bound)?;
        let report_data = super::report_data(bound);
        let answer = {
            let mut firmware = self.firmware.lock();
            guest::report(&mut **firmware, &report_data, self.vmpl, &mut sleep_ms)?
        };
        let table = answer.certificate_table.as_deref();
        let evidence = self.collateral.complete(&answer.report, table, bound)?;
        Ok(Attestation::Snp(Box::new(evidence)))
    }
}
