//! Affiant through its C interface: the functions of `affiant.h`, as a C program calls them.

use std::marker::PhantomData;
use std::path::Path;
use std::ptr::{null, null_mut};
use std::time::Duration;

use affiant_capi::*;

use super::{Engine, Session};
use crate::Outcome;
use crate::work::{self, Key, Value};

/// Keys of one transaction while the database is loaded.
const BATCH: usize = 1_000;
const MAP: &[u8] = b"records";

/// A runtime.
pub struct AffiantC(*mut affiant_runtime);

// SAFETY: the interface says that functions which take a const runtime may be called from any thread, by
// many at once; nothing else is called while threads share it.
unsafe impl Sync for AffiantC {}

/// One thread's transaction.
pub struct Transaction<'a> {
    tx: *mut affiant_tx,
    runtime: PhantomData<&'a AffiantC>,
}

/// The view of some bytes, as long as they live.
pub const fn slice(bytes: &[u8]) -> affiant_slice {
    affiant_slice { data: bytes.as_ptr(), size: bytes.len() }
}

/// A status as an error with what `object` says of it.
fn check<T>(status: affiant_status, object: *const T) -> Outcome<()> {
    if status == AFFIANT_OK {
        return Ok(());
    }
    let mut text = [0_u8; 512];
    // SAFETY: the buffer is as large as is said; any pointer will do for the object.
    let full = unsafe { affiant_error_text(object.cast(), text.as_mut_ptr().cast(), text.len()) };
    let length = full.min(text.len() - 1);
    Err(format!("status {status}: {}", String::from_utf8_lossy(&text[..length])).into())
}

/// Opens a runtime, in memory unless a directory is given.
pub fn open(directory: Option<&Path>) -> Outcome<AffiantC> {
    let (mut options, mut runtime) = (null_mut(), null_mut());
    // SAFETY: there is room for the pointer.
    check(unsafe { affiant_options_new(AFFIANT_VERSION, &raw mut options) }, null::<u8>())?;
    if let Some(directory) = directory {
        let place = directory.join("node");
        let path = slice(place.as_os_str().as_encoded_bytes());
        // SAFETY: the slice is that of a path which lives.
        check(unsafe { affiant_options_set_directory(options, path) }, options)?;
    }
    // SAFETY: there is room for the pointer.
    check(unsafe { affiant_runtime_open(options, &raw mut runtime) }, options)?;
    check(affiant_options_free(options), options)?;
    Ok(AffiantC(runtime))
}

impl AffiantC {
    /// Begins a transaction.
    pub fn begin(&self) -> Outcome<Transaction<'_>> {
        let mut tx = null_mut();
        // SAFETY: there is room for the pointer.
        check(unsafe { affiant_tx_begin(self.0, &raw mut tx) }, self.0)?;
        Ok(Transaction { tx, runtime: PhantomData })
    }

    /// Hands a snapshot of now to `act`.
    pub fn with_snapshot<T>(&self, act: impl FnOnce(*const affiant_snapshot) -> T) -> Outcome<T> {
        let mut snapshot = null_mut();
        // SAFETY: there is room for the pointer.
        check(unsafe { affiant_runtime_snapshot(self.0, &raw mut snapshot) }, self.0)?;
        let result = act(snapshot);
        check(affiant_snapshot_free(snapshot), snapshot)?;
        Ok(result)
    }
}

/// Reads a key; gives the size of its value.
pub fn snapshot_get(snapshot: *const affiant_snapshot, key: &Key) -> Outcome<usize> {
    let mut value = slice(&[]);
    // SAFETY: the slices are those of bytes which live, and there is room for another one.
    let status = unsafe { affiant_snapshot_get(snapshot, slice(MAP), slice(key), &raw mut value) };
    check(status, snapshot)?;
    // SAFETY: a view that was given for success lives as long as its snapshot.
    Ok(work::touched(unsafe { std::slice::from_raw_parts(value.data, value.size) }))
}

impl Transaction<'_> {
    /// Writes a key.
    pub fn put(&mut self, key: &Key, value: &Value) -> Outcome<()> {
        // SAFETY: the slices are those of bytes which live.
        let status = unsafe { affiant_tx_put(self.tx, slice(MAP), slice(key), slice(value)) };
        check(status, self.tx)
    }

    /// Reads a key; gives the size of its value.
    pub fn get(&mut self, key: &Key) -> Outcome<usize> {
        let mut value = slice(&[]);
        // SAFETY: the slices are those of bytes which live, and there is room for another one.
        let status = unsafe { affiant_tx_get(self.tx, slice(MAP), slice(key), &raw mut value) };
        check(status, self.tx)?;
        Ok(value.size)
    }

    /// Commits, and does not wait.
    pub fn commit(&mut self) -> affiant_status {
        // SAFETY: no id is asked for.
        unsafe { affiant_tx_commit(self.tx, null_mut()) }
    }

    /// Forgets what was done.
    pub fn reset(&mut self) -> Outcome<()> {
        check(affiant_tx_reset(self.tx), self.tx)
    }

    fn commit_and_wait(&mut self) -> Outcome<()> {
        // SAFETY: no id is asked for.
        let status = unsafe { affiant_tx_commit_and_wait(self.tx, u64::MAX, null_mut()) };
        check(status, self.tx)
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        affiant_tx_free(self.tx);
    }
}

impl Drop for AffiantC {
    fn drop(&mut self) {
        affiant_runtime_free(self.0);
    }
}

impl Engine for AffiantC {
    fn session(&self) -> Outcome<Box<dyn Session + '_>> {
        Ok(Box::new(self))
    }

    fn write_many(&self, keys: &mut dyn Iterator<Item = (Key, Value)>) -> Outcome<()> {
        let mut tx = self.begin()?;
        loop {
            let batch: Vec<(Key, Value)> = (&mut *keys).take(BATCH).collect();
            if batch.is_empty() {
                return Ok(());
            }
            loop {
                batch.iter().try_for_each(|(key, value)| tx.put(key, value))?;
                match tx.commit() {
                    AFFIANT_TOO_MANY_PENDING => {
                        tx.reset()?;
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    status => break check(status, tx.tx)?,
                }
            }
        }
    }

    fn close(self: Box<Self>) -> Outcome<()> {
        check(affiant_runtime_stop(self.0, u64::MAX), self.0)
    }
}

impl Session for &AffiantC {
    /// As a C program would: a transaction of its own for each write.
    fn write(&mut self, key: &Key, value: &Value) -> Outcome<()> {
        let mut tx = self.begin()?;
        tx.put(key, value)?;
        tx.commit_and_wait()
    }

    fn read(&mut self, keys: &[Key]) -> Outcome<usize> {
        let mut bytes = 0;
        self.with_snapshot(|snapshot| -> Outcome<()> {
            keys.iter().try_for_each(|key| {
                bytes += snapshot_get(snapshot, key)?;
                Ok(())
            })
        })??;
        Ok(bytes)
    }
}
