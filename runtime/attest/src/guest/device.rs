//! Reports and derived keys through the kernel's device (since Linux 5.19).

use std::path::Path;

use sev::error::{FirmwareError, SevError, UserApiError, VmmError};
use sev::firmware::guest::{DerivedKey, Firmware as Device, GuestFieldSelect};
use zeroize::Zeroizing;

use super::{DERIVED_KEY_BYTES, Firmware, GuestError, GuestReport, KeySelection};
use crate::error::AttestError;
use crate::limits::REPORT_DATA_BYTES;

/// Where the kernel has it.
pub const DEVICE_PATH: &str = "/dev/sev-guest";

/// Version of the messages to the firmware. Later ones mix more into a key, and would give another.
const MESSAGE_VERSION: u32 = 1;

/// The device. On a machine without it, opening it says so.
pub struct SevGuest {
    device: Device,
}

impl SevGuest {
    /// Opens the device.
    ///
    /// # Errors
    /// There is none, or this user may not use it.
    pub fn open() -> Result<Self, AttestError> {
        Device::open().map(|device| Self { device }).map_err(|error| {
            let advice = match error.kind() {
                std::io::ErrorKind::NotFound => {
                    "this machine is no SEV-SNP guest, or its kernel has no driver for it"
                }
                _ => "run as a user who may use it",
            };
            failed(format!("{error}; {advice}"))
        })
    }

    /// Whether there is one.
    #[must_use]
    pub fn is_there() -> bool {
        Path::new(DEVICE_PATH).exists()
    }
}

impl Firmware for SevGuest {
    fn name(&self) -> String {
        DEVICE_PATH.to_owned()
    }

    fn report(
        &mut self,
        report_data: &[u8; REPORT_DATA_BYTES],
        vmpl: Option<u32>,
    ) -> Result<GuestReport, GuestError> {
        let report = self
            .device
            .get_report(Some(MESSAGE_VERSION), Some(*report_data), Some(vmpl.unwrap_or(0)))
            .map_err(sort)?;
        Ok(GuestReport { report, certificate_table: None })
    }

    fn derived_key(
        &mut self,
        selection: &KeySelection,
    ) -> Result<Zeroizing<[u8; DERIVED_KEY_BYTES]>, GuestError> {
        let mut fields = GuestFieldSelect::default();
        fields.set_guest_policy(true);
        fields.set_measurement(selection.measurement);
        fields.set_svn(true);
        fields.set_tcb_version(true);
        let tcb_version = u64::from_le_bytes(selection.tcb_version);
        // The chip's key, not the one that a migration agent could carry to another chip.
        let request = DerivedKey::new(false, fields, 0, selection.guest_svn, tcb_version, None);
        let key = self.device.get_derived_key(Some(MESSAGE_VERSION), request);
        key.map(Zeroizing::new).map_err(sort)
    }
}

fn failed(why: String) -> AttestError {
    AttestError::Platform { what: DEVICE_PATH.to_owned(), why }
}

/// Whether asking again may help.
fn sort(error: UserApiError) -> GuestError {
    match &error {
        UserApiError::VmmError(VmmError::RateLimitRetryRequest) => {
            GuestError::Again("the host throttles requests".to_owned())
        }
        UserApiError::FirmwareError(FirmwareError::KnownSevError(SevError::ResourceLimit)) => {
            GuestError::Again("the firmware has no room for the request".to_owned())
        }
        _ => failed(error.to_string()).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throttling_is_asked_again_and_nothing_else_is() {
        let again = sort(UserApiError::VmmError(VmmError::RateLimitRetryRequest));
        assert!(matches!(again, GuestError::Again(_)), "{again:?}");
        for error in [
            UserApiError::VmmError(VmmError::InvalidCertificatePageLength),
            UserApiError::FirmwareError(FirmwareError::KnownSevError(SevError::InvalidParam)),
            UserApiError::Unknown,
        ] {
            let failed = sort(error);
            let GuestError::Failed(error) = failed else { panic!("{failed:?}") };
            assert!(error.to_string().starts_with(DEVICE_PATH), "{error}");
        }
    }

    #[test]
    fn a_machine_without_the_device_says_so() {
        if SevGuest::is_there() {
            // On the real thing there is nothing to see here.
            println!("this machine has {DEVICE_PATH}: its absence cannot be tested");
            return;
        }
        let error = SevGuest::open().err().unwrap().to_string();
        assert!(error.contains("no SEV-SNP guest"), "{error}");
    }
}
