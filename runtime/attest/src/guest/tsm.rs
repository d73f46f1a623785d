//! Reports through the kernel's configfs (since Linux 6.7): a directory per request, files in it.
//!
//! Source: Linux, Documentation/ABI/testing/configfs-tsm-report.

use std::fs::{self, File, OpenOptions};
use std::io::{Error, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use zeroize::Zeroizing;

use super::{DERIVED_KEY_BYTES, Firmware, GuestError, GuestReport, KeySelection};
use crate::error::AttestError;
use crate::limits::{
    CERTIFICATE_TABLE_BYTES_MAX, REPORT_BYTES, REPORT_DATA_BYTES, TSM_TEXT_BYTES_MAX,
};

/// Where the kernel has it.
pub const TSM_ROOT: &str = "/sys/kernel/config/tsm/report";

/// What [`Tsm::provider`] says in an SEV-SNP guest.
pub const SNP_PROVIDER: &str = "sev_guest";

/// Linux, ENXIO: no driver provides reports.
const NO_PROVIDER: i32 = 6;

/// What is done to files; the tests' stand-in behaves as the kernel's do.
pub(super) trait Files: Send {
    fn is_directory(&mut self, path: &Path) -> bool;
    fn make_directory(&mut self, path: &Path) -> Result<(), Error>;
    fn remove_directory(&mut self, path: &Path) -> Result<(), Error>;
    /// In one piece, to a file that is there.
    fn write(&mut self, path: &Path, bytes: &[u8]) -> Result<(), Error>;
    /// At most `bytes_max` and one more.
    fn read(&mut self, path: &Path, bytes_max: usize) -> Result<Vec<u8>, Error>;
}

/// The kernel's.
struct Kernel;

impl Files for Kernel {
    fn is_directory(&mut self, path: &Path) -> bool {
        path.is_dir()
    }

    fn make_directory(&mut self, path: &Path) -> Result<(), Error> {
        fs::create_dir(path)
    }

    fn remove_directory(&mut self, path: &Path) -> Result<(), Error> {
        fs::remove_dir(path)
    }

    fn write(&mut self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        let mut file = OpenOptions::new().write(true).open(path)?;
        // The kernel takes a value whole or not at all.
        match file.write(bytes)? {
            written if written == bytes.len() => Ok(()),
            written => Err(Error::other(format!("{written} of {} bytes taken", bytes.len()))),
        }
    }

    fn read(&mut self, path: &Path, bytes_max: usize) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        File::open(path)?.take(bytes_max as u64 + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// Reports through configfs. It derives no keys.
pub struct Tsm {
    root: PathBuf,
    files: Box<dyn Files>,
}

impl Tsm {
    /// Below this directory: [`TSM_ROOT`] on a real machine.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), files: Box::new(Kernel) }
    }

    #[cfg(test)]
    pub(super) fn with_files(root: impl Into<PathBuf>, files: Box<dyn Files>) -> Self {
        Self { root: root.into(), files }
    }

    /// Which technology's reports these are: [`SNP_PROVIDER`] for SEV-SNP. `None` where the kernel
    /// has no such directory, or nobody provides.
    ///
    /// # Errors
    /// It is there, and cannot be used.
    pub fn provider(&mut self) -> Result<Option<String>, AttestError> {
        if !self.files.is_directory(&self.root) {
            return Ok(None);
        }
        let entry = self.entry();
        match self.files.make_directory(&entry) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(NO_PROVIDER) => return Ok(None),
            Err(error) => return Err(plainly(sort(&entry, &error), &entry)),
        }
        let provider = self.text(&entry.join("provider"));
        let removed = self.files.remove_directory(&entry);
        let provider = provider.map_err(|error| plainly(error, &entry))?;
        removed.map_err(|error| plainly(sort(&entry, &error), &entry))?;
        Ok(Some(provider))
    }

    /// A name that no request has had.
    fn entry(&self) -> PathBuf {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        self.root.join(format!("affiant-{}-{number}", std::process::id()))
    }

    fn fill(
        &mut self,
        entry: &Path,
        report_data: &[u8; REPORT_DATA_BYTES],
        vmpl: Option<u32>,
    ) -> Result<GuestReport, GuestError> {
        let provider = self.text(&entry.join("provider"))?;
        if provider != SNP_PROVIDER {
            let why = format!("is {provider:?} instead of {SNP_PROVIDER:?}: no SEV-SNP guest");
            return Err(platform(&entry.join("provider"), why).into());
        }
        let path = entry.join("generation");
        let mut generation = self.generation(&path)?;
        self.write(&entry.join("inblob"), report_data)?;
        generation = generation.wrapping_add(1);
        let vmpl = match vmpl {
            Some(vmpl) => Some(vmpl),
            // Level 0 is asked for unless something is written, and refused below the floor.
            None => self.floor(&entry.join("privlevel_floor"))?.filter(|floor| *floor > 0),
        };
        if let Some(vmpl) = vmpl {
            self.write(&entry.join("privlevel"), vmpl.to_string().as_bytes())?;
            generation = generation.wrapping_add(1);
        }
        let report = self.read(&entry.join("outblob"), REPORT_BYTES)?;
        let table = match self.files.read(&entry.join("auxblob"), CERTIFICATE_TABLE_BYTES_MAX) {
            Ok(table) if table.is_empty() => None,
            Ok(table) => {
                let what = "host's certificate table, in bytes";
                AttestError::bound(what, table.len(), CERTIFICATE_TABLE_BYTES_MAX)?;
                Some(table)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(sort(&entry.join("auxblob"), &error)),
        };
        let after = self.generation(&path)?;
        if after != generation {
            return Err(GuestError::Again(format!(
                "{}: {after} instead of {generation}: somebody else wrote to the request",
                path.display()
            )));
        }
        Ok(GuestReport { report, certificate_table: table })
    }

    fn write(&mut self, path: &Path, bytes: &[u8]) -> Result<(), GuestError> {
        self.files.write(path, bytes).map_err(|error| sort(path, &error))
    }

    fn read(&mut self, path: &Path, bytes_max: usize) -> Result<Vec<u8>, GuestError> {
        let bytes = self.files.read(path, bytes_max).map_err(|error| sort(path, &error))?;
        if bytes.len() > bytes_max {
            return Err(platform(path, format!("holds more than {bytes_max} bytes")).into());
        }
        Ok(bytes)
    }

    fn text(&mut self, path: &Path) -> Result<String, GuestError> {
        let bytes = self.read(path, TSM_TEXT_BYTES_MAX)?;
        Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
    }

    fn generation(&mut self, path: &Path) -> Result<u64, GuestError> {
        let text = self.text(path)?;
        text.parse().map_err(|_| platform(path, format!("{text:?} is no number")).into())
    }

    /// The lowest privilege level that may be asked for; older kernels do not say.
    fn floor(&mut self, path: &Path) -> Result<Option<u32>, GuestError> {
        let bytes = match self.files.read(path, TSM_TEXT_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(sort(path, &error)),
        };
        let text = String::from_utf8_lossy(&bytes);
        let refused = || platform(path, format!("{text:?} is no privilege level"));
        text.trim().parse().map(Some).map_err(|_| refused().into())
    }
}

impl Firmware for Tsm {
    fn name(&self) -> String {
        self.root.display().to_string()
    }

    fn report(
        &mut self,
        report_data: &[u8; REPORT_DATA_BYTES],
        vmpl: Option<u32>,
    ) -> Result<GuestReport, GuestError> {
        let entry = self.entry();
        match self.files.make_directory(&entry) {
            Ok(()) => {}
            // Left by a process that had this number before. It is not this one's to remove.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                return Err(GuestError::Again(format!("{} is there already", entry.display())));
            }
            Err(error) => return Err(sort(&entry, &error)),
        }
        let answer = self.fill(&entry, report_data, vmpl);
        // A request that stays behind costs the kernel memory, and this one an answer it has.
        let removed = self.files.remove_directory(&entry);
        match (answer, removed) {
            (Ok(_), Err(error)) => {
                let why = format!("cannot be removed: {error}; remove it");
                Err(platform(&entry, why).into())
            }
            (answer, _) => answer,
        }
    }

    fn derived_key(
        &mut self,
        _selection: &KeySelection,
    ) -> Result<Zeroizing<[u8; DERIVED_KEY_BYTES]>, GuestError> {
        let why = "configfs has no derived keys; they need /dev/sev-guest".to_owned();
        Err(AttestError::Platform { what: self.name(), why }.into())
    }
}

/// The error, where nothing is asked again.
fn plainly(error: GuestError, path: &Path) -> AttestError {
    match error {
        GuestError::Failed(error) => error,
        GuestError::Again(why) => platform(path, why),
    }
}

fn platform(path: &Path, why: String) -> AttestError {
    AttestError::Platform { what: path.display().to_string(), why }
}

/// Whether asking again may help, by the error that the kernel gave.
fn sort(path: &Path, error: &Error) -> GuestError {
    let why = format!("{}: {error}", path.display());
    match error.kind() {
        // Another writer came between; the host throttles; a signal came; the wait was too long.
        ErrorKind::WouldBlock
        | ErrorKind::ResourceBusy
        | ErrorKind::Interrupted
        | ErrorKind::TimedOut => GuestError::Again(why),
        ErrorKind::PermissionDenied => {
            let why = format!("{error}; run as a user who may use it");
            platform(path, why).into()
        }
        _ => platform(path, error.to_string()).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("affiant-tsm-{name}-{}", std::process::id()));
        drop(fs::remove_dir_all(&path));
        fs::create_dir(&path).unwrap();
        path
    }

    #[test]
    fn real_files_are_read_up_to_a_bound_and_never_made() {
        let root = scratch("files");
        let path = root.join("value");
        assert_eq!(Kernel.write(&path, b"x").unwrap_err().kind(), ErrorKind::NotFound);
        fs::write(&path, [7; 100]).unwrap();
        assert_eq!(Kernel.read(&path, 10).unwrap().len(), 11);
        assert_eq!(Kernel.read(&path, 100).unwrap().len(), 100);
        Kernel.write(&path, b"abc").unwrap();
        assert!(fs::read(&path).unwrap().starts_with(b"abc"));
        fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn a_directory_that_is_no_configfs_is_left_as_it_was() {
        let root = scratch("plain");
        assert!(Tsm::new(&root).provider().is_err());
        let error = Tsm::new(&root).report(&[0; 64], None).unwrap_err();
        let GuestError::Failed(error) = error else { panic!("{error:?}") };
        assert!(error.to_string().contains("provider"), "{error}");
        assert_eq!(fs::read_dir(&root).unwrap().count(), 0);
        fs::remove_dir_all(&root).unwrap();
        assert_eq!(Tsm::new(&root).provider(), Ok(None));
        assert!(matches!(Tsm::new(&root).report(&[0; 64], None), Err(GuestError::Failed(_))));
    }
}
