//! A disk whose every misfortune is drawn from a seed: torn and reordered sectors, lost names,
//! failed writes and syncs, no space, slowness, bit rot, and a stop between any two operations.
//!
//! Invariant: what was synced without an error survives every stop; nothing else is promised.

mod faults;
mod file;
mod names;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use affiant_kv::{Disk, DiskError, DiskResult};
use parking_lot::{Mutex, MutexGuard};

pub use faults::{FaultCounts, FaultRates, Latency, Stop};
use file::{File, SECTOR_BYTES};
use names::{NameTable, Target, parent};

use crate::rng::Rng;

/// Share of slow syncs that take up to this long, in microseconds.
const SLOW_SYNC_US_MAX: u64 = 20_000_000;

/// A simulated disk. Clones share it.
#[derive(Clone)]
pub struct SimDisk {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    rng: Rng,
    rates: FaultRates,
    latency: Latency,
    files: Vec<File>,
    names: NameTable,
    counts: FaultCounts,
    /// Changing operations until the machine stops.
    fuse: Option<u64>,
    stopped: bool,
    full: bool,
    /// Files that fail every write until the next start.
    broken: BTreeSet<usize>,
    elapsed_us: u64,
    /// Changing operations so far, by kind.
    operations: BTreeMap<&'static str, u64>,
    /// The operation at which the fuse blew.
    stopped_at: Option<&'static str>,
}

impl SimDisk {
    /// An empty, faultless disk.
    #[must_use]
    pub fn new(rng: Rng) -> Self {
        Self {
            inner: Arc::new(Mutex::new(Inner {
                rng,
                rates: FaultRates::default(),
                latency: Latency::default(),
                files: Vec::new(),
                names: NameTable::default(),
                counts: FaultCounts::new(),
                fuse: None,
                stopped: false,
                full: false,
                broken: BTreeSet::new(),
                elapsed_us: 0,
                operations: BTreeMap::new(),
                stopped_at: None,
            })),
        }
    }

    /// What may go wrong from now on.
    pub fn set_rates(&self, rates: FaultRates) {
        self.inner.lock().rates = rates;
    }

    /// How long operations take from now on.
    pub fn set_latency(&self, latency: Latency) {
        self.inner.lock().latency = latency;
    }

    /// Stops the machine at the `operations`-th changing operation from now; that one may be done,
    /// half done or not done.
    pub fn stop_after(&self, operations: Option<u64>) {
        self.inner.lock().fuse = operations;
    }

    /// The operation at which the machine stopped by [`Self::stop_after`], if it did.
    #[must_use]
    pub fn stopped_at(&self) -> Option<&'static str> {
        self.inner.lock().stopped_at
    }

    /// Whether the machine has stopped and was not yet started again.
    #[must_use]
    pub fn has_stopped(&self) -> bool {
        self.inner.lock().stopped
    }

    /// Starts the machine again after `stop`. Faults that last until the next start are over.
    pub fn restart(&self, stop: Stop) {
        let mut guard = self.inner.lock();
        let inner = &mut *guard;
        if stop == Stop::PowerCut {
            let torn = inner.files.iter().any(|file| !file.is_synced());
            inner.count(if torn { "power cut with dirty pages" } else { "power cut, all clean" });
            if inner.names.has_pending() {
                inner.count("power cut with unsynced names");
            }
            inner.names.cut(&mut inner.rng);
            for file in &mut inner.files {
                file.cut(&mut inner.rng);
            }
        } else {
            inner.count("kill");
        }
        inner.fuse = None;
        inner.stopped = false;
        inner.stopped_at = None;
        inner.full = false;
        inner.broken.clear();
    }

    /// The time that operations took since this was last asked, in microseconds.
    #[must_use]
    pub fn take_elapsed_us(&self) -> u64 {
        core::mem::take(&mut self.inner.lock().elapsed_us)
    }

    /// What was injected so far.
    #[must_use]
    pub fn counts(&self) -> FaultCounts {
        self.inner.lock().counts.clone()
    }

    /// Changing operations so far, by kind.
    #[must_use]
    pub fn operations(&self) -> BTreeMap<&'static str, u64> {
        self.inner.lock().operations.clone()
    }

    /// Looks at the files in `directory`: path and contents of each.
    pub fn with_files<T>(
        &self,
        which: View,
        directory: &str,
        look: impl FnOnce(&[(&str, &[u8])]) -> T,
    ) -> T {
        let inner = self.inner.lock();
        let names = match which {
            View::Live => &inner.names.live,
            View::Durable => inner.names.durable(),
        };
        let files: Vec<(&str, &[u8])> = names
            .iter()
            .filter_map(|(path, target)| match target {
                Target::File(number) if parent(path) == directory => {
                    let file = &inner.files[*number];
                    let contents = match which {
                        View::Live => file.live(),
                        View::Durable => file.guaranteed(),
                    };
                    Some((path.as_str(), contents))
                }
                _ => None,
            })
            .collect();
        look(&files)
    }

    /// A copy of all files, to compare with later.
    #[must_use]
    pub fn image(&self) -> Vec<(String, Vec<u8>)> {
        let inner = self.inner.lock();
        let files = inner.names.live.iter().filter_map(|(path, target)| match target {
            Target::File(number) => Some((path.clone(), inner.files[*number].live().to_vec())),
            Target::Directory => None,
        });
        files.collect()
    }

    /// Flips one bit of a file for good; flipping it again restores it.
    pub fn rot(&self, path: &str, offset: usize, bit: u8) {
        let mut guard = self.inner.lock();
        let inner = &mut *guard;
        if let Some(Target::File(number)) = inner.names.live.get(path) {
            inner.files[*number].rot(offset, bit);
            inner.count("bit rot");
        }
    }

    fn begin(&self, operation: &'static str, path: &str) -> DiskResult<MutexGuard<'_, Inner>> {
        check(operation, path)?;
        let mut inner = self.inner.lock();
        if inner.stopped {
            return Err(DiskError::new(operation, path, "the machine has stopped"));
        }
        inner.elapsed_us += inner.latency.operation_us;
        Ok(inner)
    }
}

/// Which contents of the disk to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// What programs see.
    Live,
    /// What any power cut now would leave: certain names with their certain bytes.
    Durable,
}

/// What becomes of a changing operation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Done,
    /// The machine stops before, in the middle of, or after it.
    StopBefore,
    StopAfter,
}

impl Inner {
    fn count(&mut self, kind: &'static str) {
        *self.counts.entry(kind).or_default() += 1;
    }

    /// Counts down the fuse; to be called once per changing operation.
    fn fate(&mut self, operation: &'static str) -> Fate {
        *self.operations.entry(operation).or_default() += 1;
        match &mut self.fuse {
            None => Fate::Done,
            Some(0) => {
                self.stopped = true;
                self.stopped_at = Some(operation);
                if self.rng.chance(500_000) { Fate::StopBefore } else { Fate::StopAfter }
            }
            Some(left) => {
                *left -= 1;
                Fate::Done
            }
        }
    }

    fn file(&self, operation: &'static str, path: &str) -> DiskResult<usize> {
        match self.names.live.get(path) {
            Some(Target::File(number)) => Ok(*number),
            Some(Target::Directory) => Err(DiskError::new(operation, path, "is a directory")),
            None if path.is_empty() => Err(DiskError::new(operation, path, "is a directory")),
            None => Err(DiskError::missing(operation, path)),
        }
    }

    fn require_directory(&self, operation: &'static str, path: &str) -> DiskResult<()> {
        match self.names.live.get(path) {
            Some(Target::Directory) => Ok(()),
            Some(Target::File(_)) => Err(DiskError::new(operation, path, "not a directory")),
            None if path.is_empty() => Ok(()),
            None => {
                self.require_directory(operation, &parent(path))?;
                Err(DiskError::missing(operation, path))
            }
        }
    }

    /// A change of names: done, failed, or interrupted.
    fn change_names(
        &mut self,
        operation: &'static str,
        path: &str,
        change: impl FnOnce(&mut Self),
    ) -> DiskResult<()> {
        let fate = self.fate(operation);
        if fate == Fate::StopBefore {
            return Err(stopped(operation, path));
        }
        if fate == Fate::Done && self.rng.chance(self.rates.name_error) {
            self.count("name operation failed");
            return Err(DiskError::new(operation, path, "input/output error"));
        }
        change(self);
        if fate == Fate::Done { Ok(()) } else { Err(stopped(operation, path)) }
    }

    /// Writes all of `bytes`, or part of them and fails.
    fn write(
        &mut self,
        operation: &'static str,
        path: &str,
        number: usize,
        offset: usize,
        bytes: &[u8],
    ) -> DiskResult<()> {
        let fate = self.fate(operation);
        if fate == Fate::StopBefore {
            // The process died within the call: any part of it may have been done.
            let done = self.part_of(offset, bytes);
            self.files[number].write(offset, &bytes[..done]);
            return Err(stopped(operation, path));
        }
        if fate == Fate::StopAfter {
            self.files[number].write(offset, bytes);
            return Err(stopped(operation, path));
        }
        let broken = self.broken.contains(&number);
        let error = if self.full || self.rng.chance(self.rates.full) {
            self.full = true;
            self.count("disk full");
            Some(DiskError::full(operation, path))
        } else if broken || self.rng.chance(self.rates.write_error) {
            self.count("write failed");
            if self.rng.chance(self.rates.lasting) {
                self.broken.insert(number);
            }
            Some(DiskError::new(operation, path, "input/output error"))
        } else {
            None
        };
        let Some(error) = error else {
            self.files[number].write(offset, bytes);
            return Ok(());
        };
        let done = self.part_of(offset, bytes);
        if done > 0 {
            self.count("short write");
            self.files[number].write(offset, &bytes[..done]);
        }
        Err(error)
    }

    /// How much of a write was done when it was cut short: the system copies block by block.
    fn part_of(&mut self, offset: usize, bytes: &[u8]) -> usize {
        let end = offset + self.rng.index(bytes.len() + 1);
        (end / SECTOR_BYTES * SECTOR_BYTES).saturating_sub(offset)
    }

    fn sync_latency(&mut self) {
        let Latency { sync_us_min, sync_us_max, .. } = self.latency;
        let mut took = self.rng.between(sync_us_min, sync_us_max);
        if self.rng.chance(self.rates.slow_sync) {
            self.count("slow sync");
            took = self.rng.between(1_000_000, SLOW_SYNC_US_MAX);
        }
        self.elapsed_us += took;
    }
}

fn stopped(operation: &'static str, path: &str) -> DiskError {
    DiskError::new(operation, path, "the machine has stopped")
}

fn check(operation: &'static str, path: &str) -> DiskResult<()> {
    let plain = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    if path.is_empty() || (plain && !path.contains(['\0', '\\'])) {
        Ok(())
    } else {
        Err(DiskError::new(operation, path, "not a plain relative path"))
    }
}

fn range_in(offset: u64, length: usize, size: usize) -> Option<Range<usize>> {
    let start = usize::try_from(offset).ok()?;
    let end = start.checked_add(length)?;
    (end <= size).then_some(start..end)
}

fn beyond(operation: &'static str, path: &str) -> DiskError {
    DiskError::new(operation, path, "beyond the end of the file")
}

impl Disk for SimDisk {
    fn create_dir(&mut self, path: &str) -> DiskResult<()> {
        let mut inner = self.begin("create_dir", path)?;
        let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
        for part in ends.map(|end| &path[..end]).filter(|part| !part.is_empty()) {
            match inner.names.live.get(part) {
                Some(Target::Directory) => continue,
                Some(Target::File(_)) => {
                    return Err(DiskError::new("create_dir", path, "a file is in the way"));
                }
                None => {}
            }
            inner.change_names("create_dir", path, |inner| {
                inner.names.add(part, Target::Directory);
            })?;
        }
        Ok(())
    }

    fn create(&mut self, path: &str) -> DiskResult<()> {
        let mut inner = self.begin("create", path)?;
        inner.require_directory("create", &parent(path))?;
        if path.is_empty() || inner.names.live.contains_key(path) {
            return Err(DiskError::new("create", path, "it exists already"));
        }
        if inner.full {
            inner.count("disk full");
            return Err(DiskError::full("create", path));
        }
        inner.change_names("create", path, |inner| {
            inner.files.push(File::default());
            inner.names.add(path, Target::File(inner.files.len() - 1));
        })
    }

    fn append(&mut self, path: &str, bytes: &[u8]) -> DiskResult<()> {
        let mut inner = self.begin("append", path)?;
        let number = inner.file("append", path)?;
        let offset = inner.files[number].live().len();
        inner.write("append", path, number, offset, bytes)
    }

    fn write_at(&mut self, path: &str, offset: u64, bytes: &[u8]) -> DiskResult<()> {
        let mut inner = self.begin("write_at", path)?;
        let number = inner.file("write_at", path)?;
        let range = range_in(offset, bytes.len(), inner.files[number].live().len())
            .ok_or_else(|| beyond("write_at", path))?;
        inner.write("write_at", path, number, range.start, bytes)
    }

    fn read_at(&self, path: &str, offset: u64, length: usize) -> DiskResult<Vec<u8>> {
        let mut guard = self.begin("read_at", path)?;
        let inner = &mut *guard;
        let number = inner.file("read_at", path)?;
        if inner.rng.chance(inner.rates.read_error) {
            inner.count("read failed");
            return Err(DiskError::new("read_at", path, "input/output error"));
        }
        let live = inner.files[number].live();
        range_in(offset, length, live.len())
            .map(|range| live[range].to_vec())
            .ok_or_else(|| beyond("read_at", path))
    }

    fn size(&self, path: &str) -> DiskResult<u64> {
        let inner = self.begin("size", path)?;
        let number = inner.file("size", path)?;
        Ok(inner.files[number].live().len() as u64)
    }

    fn truncate(&mut self, path: &str, size: u64) -> DiskResult<()> {
        let mut inner = self.begin("truncate", path)?;
        let number = inner.file("truncate", path)?;
        let size = range_in(size, 0, inner.files[number].live().len())
            .ok_or_else(|| DiskError::new("truncate", path, "the file is shorter"))?
            .start;
        inner.change_names("truncate", path, |inner| inner.files[number].truncate(size))
    }

    fn sync(&mut self, path: &str) -> DiskResult<()> {
        let mut guard = self.begin("sync", path)?;
        let inner = &mut *guard;
        let number = inner.file("sync", path)?;
        inner.sync_latency();
        match inner.fate("sync") {
            Fate::StopBefore => return Err(stopped("sync", path)),
            Fate::StopAfter => {
                inner.files[number].sync();
                return Err(stopped("sync", path));
            }
            Fate::Done => {}
        }
        if inner.broken.contains(&number) || inner.rng.chance(inner.rates.sync_error) {
            inner.count("sync failed");
            inner.files[number].fail_sync(&mut inner.rng);
            if inner.rng.chance(inner.rates.lasting) {
                inner.broken.insert(number);
            }
            return Err(DiskError::new("sync", path, "input/output error"));
        }
        inner.files[number].sync();
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> DiskResult<()> {
        check("rename", to)?;
        let mut inner = self.begin("rename", from)?;
        inner.file("rename", from)?;
        inner.require_directory("rename", &parent(to))?;
        if to.is_empty() || inner.names.live.get(to) == Some(&Target::Directory) {
            return Err(DiskError::new("rename", to, "a directory is in the way"));
        }
        inner.change_names("rename", from, |inner| {
            if from != to {
                inner.names.rename(from, to);
            }
        })
    }

    fn sync_dir(&mut self, path: &str) -> DiskResult<()> {
        let mut inner = self.begin("sync_dir", path)?;
        inner.require_directory("sync_dir", path)?;
        inner.sync_latency();
        inner.change_names("sync_dir", path, |inner| inner.names.sync_dir(path))
    }

    fn list(&self, path: &str) -> DiskResult<Vec<String>> {
        let inner = self.begin("list", path)?;
        match inner.require_directory("list", path) {
            Err(error) if error.missing => return Ok(Vec::new()),
            other => other?,
        }
        Ok(inner
            .names
            .live
            .keys()
            .filter(|name| parent(name) == path)
            .filter_map(|name| name.rsplit('/').next())
            .map(str::to_owned)
            .collect())
    }

    fn remove(&mut self, path: &str) -> DiskResult<()> {
        let mut inner = self.begin("remove", path)?;
        inner.file("remove", path)?;
        inner.change_names("remove", path, |inner| inner.names.remove(path))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

    use super::*;

    #[test]
    fn the_fuse_stops_the_machine_at_that_operation() {
        let mut disk = SimDisk::new(Rng::new(3));
        disk.create("f").unwrap();
        disk.stop_after(Some(1));
        disk.append("f", b"one").unwrap();
        assert!(disk.append("f", b"two").is_err());
        assert_eq!(disk.stopped_at(), Some("append"));
        assert!(disk.read_at("f", 0, 1).is_err());
        disk.restart(Stop::Kill);
        assert_eq!(disk.read_at("f", 0, 3).unwrap(), b"one");
    }

    #[test]
    fn only_what_was_synced_is_guaranteed() {
        let mut disk = SimDisk::new(Rng::new(3));
        disk.create_dir("d").unwrap();
        disk.sync_dir("").unwrap();
        disk.create("d/f").unwrap();
        disk.append("d/f", b"one").unwrap();
        disk.sync("d/f").unwrap();
        disk.with_files(View::Durable, "d", |files| {
            assert!(files.is_empty(), "the name is not synced");
        });
        disk.sync_dir("d").unwrap();
        disk.append("d/f", b"two").unwrap();
        disk.with_files(View::Durable, "d", |files| assert_eq!(files, [("d/f", &b"one"[..])]));
        disk.with_files(View::Live, "d", |files| assert_eq!(files, [("d/f", &b"onetwo"[..])]));
        assert_eq!(disk.image(), [("d/f".to_owned(), b"onetwo".to_vec())]);
    }

    #[test]
    fn faults_come_at_their_rates_and_are_counted() {
        let mut disk = SimDisk::new(Rng::new(3));
        disk.create("f").unwrap();
        disk.set_rates(FaultRates {
            write_error: 500_000,
            sync_error: 500_000,
            read_error: 500_000,
            ..FaultRates::default()
        });
        for _ in 0..200 {
            let _ = disk.append("f", &[1; 2_000]);
            let _ = disk.sync("f");
            let _ = disk.read_at("f", 0, 0);
        }
        for kind in ["write failed", "short write", "sync failed", "read failed"] {
            assert!(disk.counts()[kind] > 50, "{kind}: {:?}", disk.counts());
        }
        disk.set_rates(FaultRates { full: 1_000_000, ..FaultRates::default() });
        assert!(disk.append("f", b"x").unwrap_err().full);
    }

    #[test]
    fn rot_is_undone_by_the_same_flip() {
        let mut disk = SimDisk::new(Rng::new(3));
        disk.create("f").unwrap();
        disk.append("f", b"abc").unwrap();
        disk.rot("f", 1, 0);
        assert_eq!(disk.read_at("f", 0, 3).unwrap(), b"acc");
        disk.rot("f", 1, 0);
        assert_eq!(disk.read_at("f", 0, 3).unwrap(), b"abc");
    }
}
