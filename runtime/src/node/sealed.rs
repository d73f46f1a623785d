//! The sealed identity: the keys of a node and its service at rest, so that a restart is not a
//! disaster.
//!
//! Layout: magic, format version (1 byte), length of the sealing kind (1 byte) and its name, nonce
//! (12 bytes), AES-256-GCM ciphertext, tag (16 bytes). Everything before the ciphertext is
//! authenticated. The file is replaced whole: temporary name, sync, rename, sync of the directory.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use affiant_kv::{Disk, KeyError};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::crypto::random_bytes;
use crate::error::{RuntimeError, RuntimeResult};
use crate::limits::SEALED_IDENTITY_BYTES_MAX;

const MAGIC: &[u8] = b"affiant sealed identity\n";
const FORMAT_VERSION: u8 = 1;
const NONCE_BYTES: usize = 12;
const KEY_BYTES: usize = 32;
const FILE_NAME: &str = "sealed_identity";

/// What seals a node's identity at rest.
pub trait SealingKey: Send + Sync {
    /// The name of the kind, shown in the log and in `/node/state`.
    fn kind(&self) -> &'static str;

    /// The key, 32 bytes. Where `create` is set and there is none yet, it is made.
    ///
    /// # Errors
    /// There is no key, or it cannot be read or made.
    fn key(&self, create: bool) -> RuntimeResult<Zeroizing<[u8; KEY_BYTES]>>;
}

/// A key in a plain file: whoever reads the disk has everything. For development, and for machines
/// whose disk is protected otherwise.
pub struct InsecureFileKey {
    path: PathBuf,
}

impl InsecureFileKey {
    /// Uses the key in that file.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    fn unreadable(&self, reason: impl ToString) -> RuntimeError {
        RuntimeError::FileUnreadable {
            what: "sealing key file",
            path: self.path.display().to_string(),
            reason: reason.to_string(),
        }
    }

    fn make(&self) -> RuntimeResult<Zeroizing<[u8; KEY_BYTES]>> {
        let key = Zeroizing::new(random_bytes::<KEY_BYTES>()?);
        let unwritable = |error: std::io::Error| RuntimeError::FileUnwritable {
            what: "sealing key file",
            path: self.path.display().to_string(),
            reason: error.to_string(),
        };
        let parent = match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        fs::create_dir_all(parent).map_err(unwritable)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&self.path)
            .map_err(unwritable)?;
        file.write_all(&*key).and_then(|()| file.sync_all()).map_err(unwritable)?;
        fs::File::open(parent).and_then(|parent| parent.sync_all()).map_err(unwritable)?;
        Ok(key)
    }
}

impl SealingKey for InsecureFileKey {
    fn kind(&self) -> &'static str {
        "insecure-file"
    }

    fn key(&self, create: bool) -> RuntimeResult<Zeroizing<[u8; KEY_BYTES]>> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => Zeroizing::new(bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && create => {
                return self.make();
            }
            Err(error) => {
                return Err(self.unreadable(format_args!(
                    "{error}; put back the key that sealed the identity"
                )));
            }
        };
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        if bytes.len() != KEY_BYTES {
            return Err(self.unreadable(format_args!(
                "it has {} bytes instead of {KEY_BYTES}; put back the key that sealed the identity",
                bytes.len()
            )));
        }
        key.copy_from_slice(&bytes);
        Ok(key)
    }
}

/// A key that is gone with the process: for nodes in memory.
#[derive(Default)]
pub struct VolatileKey {
    key: OnceLock<Zeroizing<[u8; KEY_BYTES]>>,
}

impl SealingKey for VolatileKey {
    fn kind(&self) -> &'static str {
        "in-memory"
    }

    fn key(&self, _create: bool) -> RuntimeResult<Zeroizing<[u8; KEY_BYTES]>> {
        if let Some(key) = self.key.get() {
            return Ok(key.clone());
        }
        let fresh = Zeroizing::new(random_bytes()?);
        Ok(self.key.get_or_init(|| fresh).clone())
    }
}

/// The path of the sealed identity, below the storage's root.
pub(crate) fn path_in(state_directory: &str) -> String {
    format!("{state_directory}/{FILE_NAME}")
}

/// Whether a sealed identity is there.
pub(crate) fn exists(disk: &dyn Disk, state_directory: &str) -> RuntimeResult<bool> {
    Ok(disk.list(state_directory)?.iter().any(|name| name == FILE_NAME))
}

/// Puts everything in the state directory out of the way, without destroying it. Returns whether
/// there was anything.
pub(crate) fn set_aside(disk: &mut dyn Disk, state_directory: &str) -> RuntimeResult<bool> {
    let names = disk.list(state_directory)?;
    let mark = |number: u32| format!(".superseded_{number}");
    let taken = |number: u32| names.iter().any(|name| name.ends_with(&mark(number)));
    let Some(suffix) = (1..).find(|number| !taken(*number)).map(mark) else { return Ok(false) };
    let mut moved = false;
    for name in names.iter().filter(|name| !name.contains(".superseded_")) {
        let from = format!("{state_directory}/{name}");
        disk.rename(&from, &format!("{from}{suffix}"))?;
        moved = true;
    }
    if moved {
        disk.sync_dir(state_directory)?;
    }
    Ok(moved)
}

/// Seals `plain` and writes it durably.
pub(crate) fn write(
    disk: &mut dyn Disk,
    state_directory: &str,
    sealing: &dyn SealingKey,
    plain: &[u8],
) -> RuntimeResult<()> {
    let kind = sealing.kind().as_bytes();
    let mut file = MAGIC.to_vec();
    file.push(FORMAT_VERSION);
    file.push(u8::try_from(kind.len()).unwrap_or(u8::MAX));
    file.extend_from_slice(kind);
    let nonce = random_bytes::<NONCE_BYTES>()?;
    file.extend_from_slice(&nonce);
    let mut sealed = Zeroizing::new(plain.to_vec());
    let tag = aead(sealing, true)?
        .seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(file.as_slice()),
            &mut sealed,
        )
        .map_err(|_| KeyError("the identity could not be sealed".to_owned()))?;
    file.extend_from_slice(&sealed);
    file.extend_from_slice(tag.as_ref());

    disk.create_dir(state_directory)?;
    let path = path_in(state_directory);
    let temporary = format!("{path}.tmp");
    // Left over from an earlier attempt.
    match disk.remove(&temporary) {
        Err(error) if !error.missing => return Err(error.into()),
        _ => {}
    }
    disk.create(&temporary)?;
    disk.append(&temporary, &file)?;
    disk.sync(&temporary)?;
    disk.rename(&temporary, &path)?;
    disk.sync_dir(state_directory)?;
    Ok(())
}

/// Reads and opens the sealed identity.
pub(crate) fn read(
    disk: &dyn Disk,
    state_directory: &str,
    sealing: &dyn SealingKey,
) -> RuntimeResult<Zeroizing<Vec<u8>>> {
    let path = path_in(state_directory);
    let refused = |reason: &str| RuntimeError::SealedIdentity {
        path: path.clone(),
        reason: reason.to_owned(),
    };
    let size = match disk.size(&path) {
        Ok(size) => size,
        Err(error) if error.missing => {
            return Err(refused(
                "it is missing; put it back, or recover the service with its members' shares",
            ));
        }
        Err(error) => return Err(error.into()),
    };
    if size > SEALED_IDENTITY_BYTES_MAX {
        return Err(refused("it is too large to be one; put back the one this node wrote"));
    }
    let file = disk.read_at(&path, 0, usize::try_from(size).unwrap_or(usize::MAX))?;
    let (header, nonce, sealed) = split(&file, sealing.kind()).map_err(|why| refused(&why))?;
    let mut plain = Zeroizing::new(sealed.to_vec());
    let length = aead(sealing, false)?
        .open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(header), &mut plain)
        .map_err(|_| {
            refused(
                "it is damaged or was sealed under another key; put back the file and the key that \
                 belong together",
            )
        })?
        .len();
    plain.truncate(length);
    Ok(plain)
}

/// Header (authenticated), nonce, ciphertext with tag.
type SealedParts<'a> = (&'a [u8], [u8; NONCE_BYTES], &'a [u8]);

fn split<'a>(file: &'a [u8], kind: &str) -> Result<SealedParts<'a>, String> {
    let strange = || "it is no sealed identity; put back the one this node wrote".to_owned();
    let rest = file.strip_prefix(MAGIC).ok_or_else(strange)?;
    let (version, rest) = rest.split_first().ok_or_else(strange)?;
    if *version != FORMAT_VERSION {
        return Err(format!("it has format version {version}, which this version cannot read"));
    }
    let (length, rest) = rest.split_first().ok_or_else(strange)?;
    let (name, rest) = rest.split_at_checked(usize::from(*length)).ok_or_else(strange)?;
    if name != kind.as_bytes() {
        return Err(format!(
            "it was sealed by {:?}, but {kind:?} is configured",
            String::from_utf8_lossy(name)
        ));
    }
    let (nonce, sealed) = rest.split_first_chunk::<NONCE_BYTES>().ok_or_else(strange)?;
    Ok((&file[..file.len() - sealed.len()], *nonce, sealed))
}

fn aead(sealing: &dyn SealingKey, create: bool) -> RuntimeResult<LessSafeKey> {
    let key = sealing.key(create)?;
    let key = UnboundKey::new(&AES_256_GCM, &*key)
        .map_err(|_| KeyError("the sealing key was refused".to_owned()))?;
    Ok(LessSafeKey::new(key))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use affiant_kv::MemDisk;

    #[test]
    fn what_is_sealed_comes_back_and_every_flipped_bit_is_noticed() {
        let mut disk = MemDisk::new();
        let key = VolatileKey::default();
        write(&mut disk, "state", &key, b"secret keys").unwrap();
        write(&mut disk, "state", &key, b"secret keys 2").unwrap();
        assert_eq!(&**read(&disk, "state", &key).unwrap(), b"secret keys 2");
        assert_eq!(disk.list("state").unwrap(), [FILE_NAME]);
        let path = path_in("state");
        let size = disk.size(&path).unwrap();
        for offset in 0..size {
            let byte = disk.read_at(&path, offset, 1).unwrap();
            disk.write_at(&path, offset, &[byte[0] ^ 1]).unwrap();
            let error = read(&disk, "state", &key).unwrap_err();
            assert!(matches!(error, RuntimeError::SealedIdentity { .. }), "{offset}: {error}");
            disk.write_at(&path, offset, &byte).unwrap();
        }
        disk.truncate(&path, size - 1).unwrap();
        assert!(read(&disk, "state", &key).unwrap_err().is_damage());
        assert!(read(&disk, "elsewhere", &key).unwrap_err().to_string().contains("missing"));
    }

    #[test]
    fn another_key_or_kind_is_refused() {
        let mut disk = MemDisk::new();
        write(&mut disk, "state", &VolatileKey::default(), b"x").unwrap();
        assert!(read(&disk, "state", &VolatileKey::default()).is_err());
        let directory = tempfile::tempdir().unwrap();
        let file_key = InsecureFileKey::new(directory.path().join("key"));
        let error = read(&disk, "state", &file_key).unwrap_err().to_string();
        assert!(error.contains("insecure-file"), "{error}");
    }

    #[test]
    fn the_key_file_is_private_and_never_replaced() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("below").join("key");
        let key = InsecureFileKey::new(&path);
        assert!(key.key(false).is_err());
        let made = key.key(true).unwrap();
        assert_eq!(*key.key(true).unwrap(), *made);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&path, b"short").unwrap();
        assert!(key.key(true).is_err());
    }
}
