//! A sealing key that the secure processor derives: from the chip, the guest's policy and measurement,
//! and versions that are written down beside the data when the key is first used.
//!
//! The firmware derives keys for its own version or an older one, never for a newer: so a host that
//! goes back to firmware with known faults cannot have the key. The versions are no secret. Whoever
//! changes their file gets another key, and the sealed identity does not open; a new service never
//! takes up a file that it finds.

use std::fs;
use std::path::{Path, PathBuf};

use affiant_attest::AttestError;
use affiant_attest::guest::{self, Firmware, KeySelection, SevGuest};
use affiant_attest::limits::REPORT_DATA_BYTES;
use affiant_kv::KeyError;
use affiant_proof::{from_hex, to_hex};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::sleep_ms;
use crate::config::write_file_atomically;
use crate::error::{RuntimeError, RuntimeResult};
use crate::limits::SEALING_VERSIONS_BYTES_MAX;
use crate::log_info;
use crate::node::SealingKey;

const KEY_BYTES: usize = 32;
/// Separates this key from others that may be made from the same one of the firmware.
const SALT: &[u8] = b"affiant sealing key, snp-derived 1";
const WHAT: &str = "versions of the sealing key";

/// Where a report has what a key is chosen by.
const GUEST_SVN_AT: usize = 0x04;
const HOST_DATA_AT: usize = 0xc0;
const HOST_DATA_BYTES: usize = 32;
const COMMITTED_TCB_AT: usize = 0x1e0;

/// Opens the firmware.
type Open = Box<dyn Fn() -> Result<Box<dyn Firmware>, AttestError> + Send + Sync>;

/// A key of the secure processor.
pub struct SnpDerivedKey {
    versions_path: PathBuf,
    open: Open,
    key: Mutex<Option<Zeroizing<[u8; KEY_BYTES]>>>,
}

/// What is written down.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Versions {
    kind: String,
    guest_svn: u32,
    /// The eight bytes of a report, in their order, as hex.
    tcb_version: String,
}

impl SnpDerivedKey {
    /// The name of the kind.
    pub const KIND: &str = "snp-derived";

    /// Derived by the device of this guest. The versions are in that file.
    #[must_use]
    pub fn new(versions_path: impl Into<PathBuf>) -> Self {
        let open = || SevGuest::open().map(|device| Box::new(device) as Box<dyn Firmware>);
        Self::with_firmware(versions_path, Box::new(open))
    }

    /// Derived by another firmware: for tests, and for platforms of the caller's own.
    #[must_use]
    pub fn with_firmware(versions_path: impl Into<PathBuf>, open: Open) -> Self {
        Self { versions_path: versions_path.into(), open, key: Mutex::new(None) }
    }

    fn unreadable(&self, reason: impl ToString) -> RuntimeError {
        RuntimeError::FileUnreadable {
            what: WHAT,
            path: self.versions_path.display().to_string(),
            reason: reason.to_string(),
        }
    }

    fn read(&self) -> RuntimeResult<KeySelection> {
        let advice = "put back the file that belongs to the sealed identity";
        let size = fs::metadata(&self.versions_path)
            .map_err(|error| self.unreadable(format_args!("{error}; {advice}")))?
            .len();
        if size > SEALING_VERSIONS_BYTES_MAX {
            return Err(self.unreadable(format_args!("it has {size} bytes; {advice}")));
        }
        let text = fs::read(&self.versions_path).map_err(|error| self.unreadable(error))?;
        let strange =
            |reason: &dyn core::fmt::Display| self.unreadable(format_args!("{reason}; {advice}"));
        let versions: Versions = serde_json::from_slice(&text).map_err(|error| strange(&error))?;
        if versions.kind != Self::KIND {
            return Err(strange(&format_args!("it is of kind {:?}", versions.kind)));
        }
        let tcb_version = from_hex(&versions.tcb_version)
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or_else(|| strange(&"its tcb_version is not 16 hex digits"))?;
        Ok(KeySelection { measurement: true, guest_svn: versions.guest_svn, tcb_version })
    }

    /// Writes the file durably: without it, what is sealed is lost.
    fn write(&self, text: &[u8]) -> RuntimeResult<()> {
        let parent = match self.versions_path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let unwritable = |error: std::io::Error| RuntimeError::FileUnwritable {
            what: WHAT,
            path: self.versions_path.display().to_string(),
            reason: error.to_string(),
        };
        fs::create_dir_all(parent).map_err(unwritable)?;
        set_aside(&self.versions_path).map_err(unwritable)?;
        write_file_atomically(WHAT, &self.versions_path.display().to_string(), text)?;
        fs::File::open(parent).and_then(|parent| parent.sync_all()).map_err(unwritable)
    }

    /// Takes the newest versions that cannot be gone back from, and writes them down.
    fn choose(&self, firmware: &mut dyn Firmware) -> RuntimeResult<KeySelection> {
        let report = guest::report(firmware, &[0; REPORT_DATA_BYTES], None, &mut sleep_ms)
            .map_err(|error| KeyError(error.to_string()))?
            .report;
        let field = |at: usize, length: usize| report.get(at..at + length).unwrap_or_default();
        let cut_off = || KeyError("the report is cut off".to_owned());
        let guest_svn: [u8; 4] = field(GUEST_SVN_AT, 4).try_into().map_err(|_| cut_off())?;
        let tcb_version: [u8; 8] = field(COMMITTED_TCB_AT, 8).try_into().map_err(|_| cut_off())?;
        if field(HOST_DATA_AT, HOST_DATA_BYTES).iter().any(|byte| *byte != 0) {
            log_info!(
                "node",
                "Sealing by {}: this guest's identity is in its host data too, which no derived key \
                 depends on. Whoever starts a guest with the same measurement on this chip can \
                 derive the same key",
                Self::KIND
            );
        }
        let guest_svn = u32::from_le_bytes(guest_svn);
        let versions =
            Versions { kind: Self::KIND.to_owned(), guest_svn, tcb_version: to_hex(&tcb_version) };
        let text = serde_json::to_vec(&versions).map_err(|error| KeyError(error.to_string()))?;
        self.write(&text)?;
        Ok(KeySelection { measurement: true, guest_svn, tcb_version })
    }
}

impl SealingKey for SnpDerivedKey {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn key(&self, create: bool) -> RuntimeResult<Zeroizing<[u8; KEY_BYTES]>> {
        let mut kept = self.key.lock();
        if let Some(key) = &*kept {
            return Ok(key.clone());
        }
        let mut firmware = (self.open)().map_err(|error| KeyError(error.to_string()))?;
        // Whoever creates has nothing sealed yet: what lies there is not this service's.
        let selection = if create { self.choose(&mut *firmware)? } else { self.read()? };
        let name = firmware.name();
        let derived = guest::patiently(&name, &mut sleep_ms, || firmware.derived_key(&selection))
            .map_err(|error| KeyError(error.to_string()))?;
        let key = expand(&derived)?;
        *kept = Some(key.clone());
        Ok(key)
    }
}

fn expand(derived: &[u8; guest::DERIVED_KEY_BYTES]) -> RuntimeResult<Zeroizing<[u8; KEY_BYTES]>> {
    struct Length;
    impl KeyType for Length {
        fn len(&self) -> usize {
            KEY_BYTES
        }
    }
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    Salt::new(HKDF_SHA256, SALT)
        .extract(derived)
        .expand(&[SnpDerivedKey::KIND.as_bytes()], Length)
        .and_then(|expanded| expanded.fill(&mut *key))
        .map_err(|_| KeyError("the derived key cannot be expanded".to_owned()))?;
    Ok(key)
}

/// Puts a file out of the way, without destroying it.
fn set_aside(path: &Path) -> Result<(), std::io::Error> {
    if !path.exists() {
        return Ok(());
    }
    let aside = |number: u32| PathBuf::from(format!("{}.superseded_{number}", path.display()));
    let free = (1..).map(aside).find(|aside| !aside.exists());
    free.map_or(Ok(()), |aside| fs::rename(path, aside))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::sync::Arc;

    use affiant_attest::guest::{DERIVED_KEY_BYTES, GuestError, GuestReport};
    use affiant_attest::limits::REPORT_BYTES;
    use affiant_proof::Digest;

    /// A stand-in for the firmware of one chip: derives keys as the specification says, by a digest.
    #[derive(Clone)]
    struct StandInFirmware {
        chip: &'static str,
        measurement: &'static str,
        committed_tcb: [u8; 8],
        throttled: Arc<Mutex<u32>>,
    }

    impl StandInFirmware {
        fn new() -> Self {
            Self {
                chip: "chip",
                measurement: "image",
                committed_tcb: [4, 0, 0, 0, 0, 0, 24, 219],
                throttled: Arc::default(),
            }
        }

        fn key_in(&self, directory: &Path) -> SnpDerivedKey {
            let firmware = self.clone();
            let open = move || Ok(Box::new(firmware.clone()) as Box<dyn Firmware>);
            SnpDerivedKey::with_firmware(directory.join("versions"), Box::new(open))
        }
    }

    impl Firmware for StandInFirmware {
        fn name(&self) -> String {
            "stand-in firmware".to_owned()
        }

        fn report(
            &mut self,
            report_data: &[u8; REPORT_DATA_BYTES],
            _: Option<u32>,
        ) -> Result<GuestReport, GuestError> {
            let mut report = vec![0; REPORT_BYTES];
            report[0x50..0x90].copy_from_slice(report_data);
            report[GUEST_SVN_AT] = 7;
            report[COMMITTED_TCB_AT..COMMITTED_TCB_AT + 8].copy_from_slice(&self.committed_tcb);
            Ok(GuestReport { report, certificate_table: None })
        }

        fn derived_key(
            &mut self,
            selection: &KeySelection,
        ) -> Result<Zeroizing<[u8; DERIVED_KEY_BYTES]>, GuestError> {
            let mut throttled = self.throttled.lock();
            if *throttled > 0 {
                *throttled -= 1;
                return Err(GuestError::Again("throttled".to_owned()));
            }
            // Component by component, as the firmware does.
            let newer = selection
                .tcb_version
                .iter()
                .zip(&self.committed_tcb)
                .any(|(asked, own)| asked > own);
            if newer || selection.guest_svn > 7 || !selection.measurement {
                let why = "invalid parameter".to_owned();
                return Err(AttestError::Platform { what: self.name(), why }.into());
            }
            let text = format!("{} {} {selection:?}", self.chip, self.measurement);
            Ok(Zeroizing::new(Digest::of(text.as_bytes()).0))
        }
    }

    #[test]
    fn the_key_comes_back_after_a_restart_and_an_update_of_the_firmware() {
        let directory = tempfile::tempdir().unwrap();
        let firmware = StandInFirmware::new();
        assert!(firmware.key_in(directory.path()).key(false).is_err());
        let first = firmware.key_in(directory.path());
        let key = first.key(true).unwrap();
        assert_eq!(*first.key(true).unwrap(), *key);
        assert_eq!(*first.key(false).unwrap(), *key);
        assert_eq!(first.kind(), "snp-derived");
        let updated = StandInFirmware { committed_tcb: [5, 0, 0, 0, 0, 0, 25, 220], ..firmware };
        assert_eq!(*updated.key_in(directory.path()).key(false).unwrap(), *key);
        *updated.throttled.lock() = 2;
        assert_eq!(*updated.key_in(directory.path()).key(false).unwrap(), *key);
    }

    #[test]
    fn another_chip_image_or_older_firmware_has_not_the_key() {
        let directory = tempfile::tempdir().unwrap();
        let firmware = StandInFirmware::new();
        let key = firmware.key_in(directory.path()).key(true).unwrap();
        let chip = StandInFirmware { chip: "another", ..firmware.clone() };
        assert_ne!(*chip.key_in(directory.path()).key(false).unwrap(), *key);
        let image = StandInFirmware { measurement: "another", ..firmware.clone() };
        assert_ne!(*image.key_in(directory.path()).key(false).unwrap(), *key);
        let older = StandInFirmware { committed_tcb: [3, 0, 0, 0, 0, 0, 24, 219], ..firmware };
        let error = older.key_in(directory.path()).key(false).unwrap_err().to_string();
        assert!(error.contains("invalid parameter"), "{error}");
    }

    #[test]
    fn a_new_service_does_not_take_up_versions_that_it_finds() {
        let directory = tempfile::tempdir().unwrap();
        let firmware = StandInFirmware::new();
        let planted = r#"{"kind":"snp-derived","guest_svn":0,"tcb_version":"0000000000000000"}"#;
        fs::write(directory.path().join("versions"), planted).unwrap();
        let old = firmware.key_in(directory.path()).key(false).unwrap();
        assert_ne!(*firmware.key_in(directory.path()).key(true).unwrap(), *old);
        let aside = directory.path().join("versions.superseded_1");
        assert_eq!(fs::read_to_string(aside).unwrap(), planted);
    }

    #[test]
    fn strange_versions_are_refused_with_the_file_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("versions");
        let key = StandInFirmware::new().key_in(directory.path());
        for (text, words) in [
            ("", "EOF"),
            (r#"{"kind":"x","guest_svn":0,"tcb_version":"0000000000000000"}"#, "kind \"x\""),
            (r#"{"kind":"snp-derived","guest_svn":0,"tcb_version":"00"}"#, "16 hex digits"),
            (r#"{"kind":"snp-derived","guest_svn":0,"tcb_version":"00","x":1}"#, "unknown field"),
            (&"x".repeat(5_000), "5000 bytes"),
        ] {
            fs::write(&path, text).unwrap();
            let error = key.key(false).unwrap_err().to_string();
            assert!(error.contains(words) && error.contains("versions"), "{text}: {error}");
        }
    }
}
