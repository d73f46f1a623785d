//! Asking the firmware of the guest that this process runs in: for reports, and for a key that only
//! this guest on this chip can be given.
//!
//! [`Tsm`] goes through the kernel's configfs, [`SevGuest`] through its device; [`Firmware`] is the
//! interface of both, so that what depends on them can be tested where there is neither. Nothing here
//! sleeps or reads a clock: [`patiently`] is handed what does.
//!
//! **The library's extended report is not used.** It follows the offsets and lengths of the host's
//! certificate table without checking them, and the host is whom all this protects against. The
//! device is asked for the plain report, which the firmware encrypts and signs; the table comes from
//! configfs, as bytes, and is read by [`crate`]'s own parser.

mod device;
mod tsm;

#[cfg(test)]
mod tests;

use zeroize::Zeroizing;

use crate::error::AttestError;
use crate::limits::{FIRMWARE_ATTEMPTS_MAX, FIRMWARE_WAIT_MS_FIRST, FIRMWARE_WAIT_MS_MAX};

pub use device::{DEVICE_PATH, SevGuest};
pub use tsm::{SNP_PROVIDER, TSM_ROOT, Tsm};

/// Bytes of a key that the firmware derives.
pub const DERIVED_KEY_BYTES: usize = 32;

/// What the firmware answers to a request for a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestReport {
    /// The attestation report: exactly [`crate::limits::REPORT_BYTES`].
    pub report: Vec<u8>,
    /// The host's table of certificates, as it gave it; `None` where it gave none. At most
    /// [`crate::limits::CERTIFICATE_TABLE_BYTES_MAX`].
    pub certificate_table: Option<Vec<u8>>,
}

/// What goes into a derived key, beside the chip and the guest's policy, which always do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeySelection {
    /// The guest's measurement.
    pub measurement: bool,
    /// The guest's security version, of its ID block: at most the guest's own.
    pub guest_svn: u32,
    /// The firmware's version, as the eight bytes of a report: at most the committed one.
    pub tcb_version: [u8; 8],
}

/// Who answers for the hardware.
pub trait Firmware: Send {
    /// Its name in messages: a path, or what stands in for one.
    fn name(&self) -> String;

    /// A report with this data in it, asked for at privilege level `vmpl`; `None`: the lowest number
    /// that this guest may use.
    ///
    /// # Errors
    /// See [`GuestError`].
    fn report(
        &mut self,
        report_data: &[u8; crate::limits::REPORT_DATA_BYTES],
        vmpl: Option<u32>,
    ) -> Result<GuestReport, GuestError>;

    /// A key that depends on the chip, the guest's policy and what is selected.
    ///
    /// # Errors
    /// See [`GuestError`].
    fn derived_key(
        &mut self,
        selection: &KeySelection,
    ) -> Result<Zeroizing<[u8; DERIVED_KEY_BYTES]>, GuestError>;
}

/// Why the firmware did not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GuestError {
    /// The host throttles requests, or another one of this guest came between: ask again. Says what
    /// happened.
    Again(String),
    /// Asking again would not help.
    Failed(AttestError),
}

impl From<AttestError> for GuestError {
    fn from(error: AttestError) -> Self {
        Self::Failed(error)
    }
}

/// Asks until there is an answer: a bounded number of times, with waits in between that double up to
/// a bound. `sleep` is given milliseconds.
///
/// # Errors
/// The first answer that is no "again", or the last of those.
pub fn patiently<T>(
    what: &str,
    sleep: &mut dyn FnMut(u64),
    mut ask: impl FnMut() -> Result<T, GuestError>,
) -> Result<T, AttestError> {
    let mut wait_ms = FIRMWARE_WAIT_MS_FIRST;
    let mut waited_ms = 0_u64;
    for attempt in 1..=FIRMWARE_ATTEMPTS_MAX {
        let why = match ask() {
            Ok(answer) => return Ok(answer),
            Err(GuestError::Failed(error)) => return Err(error),
            Err(GuestError::Again(why)) => why,
        };
        if attempt == FIRMWARE_ATTEMPTS_MAX {
            return Err(AttestError::Platform {
                what: what.to_owned(),
                why: format!(
                    "no answer after {attempt} attempts in {waited_ms} ms, the last one: {why}; ask \
                     less often, or ask the host's operator why it throttles"
                ),
            });
        }
        sleep(wait_ms);
        waited_ms = waited_ms.saturating_add(wait_ms);
        wait_ms = wait_ms.saturating_mul(2).min(FIRMWARE_WAIT_MS_MAX);
    }
    // FIRMWARE_ATTEMPTS_MAX is not 0.
    Err(AttestError::Platform { what: what.to_owned(), why: "it was not asked".to_owned() })
}

/// A report with this data in it, asked for as often as it takes.
///
/// # Errors
/// As [`patiently`]; or the report has not the length of one, or other data than was asked for.
pub fn report(
    firmware: &mut dyn Firmware,
    report_data: &[u8; crate::limits::REPORT_DATA_BYTES],
    vmpl: Option<u32>,
    sleep: &mut dyn FnMut(u64),
) -> Result<GuestReport, AttestError> {
    let name = firmware.name();
    let answer = patiently(&name, sleep, || firmware.report(report_data, vmpl))?;
    let length = answer.report.len();
    if length != crate::limits::REPORT_BYTES {
        return Err(AttestError::Platform {
            what: name,
            why: format!(
                "the report has {length} bytes instead of {}; the kernel and this version do not \
                 go together",
                crate::limits::REPORT_BYTES
            ),
        });
    }
    if answer.report.get(0x50..0x90) != Some(&report_data[..]) {
        return Err(AttestError::Platform {
            what: name,
            why: "the report is about other data than was asked for".to_owned(),
        });
    }
    if let Some(table) = &answer.certificate_table {
        let limit = crate::limits::CERTIFICATE_TABLE_BYTES_MAX;
        AttestError::bound("host's certificate table, in bytes", table.len(), limit)?;
    }
    Ok(answer)
}
