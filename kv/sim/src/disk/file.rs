//! One file as a page cache sees it: what programs read, what the platter holds, and the writes
//! between the two.
//!
//! Invariant: `durable` is what is guaranteed after a power cut where `pending` is empty; each
//! pending operation may or may not have reached the platter, sector by sector.

use crate::rng::Rng;

/// Bytes that the device writes at once.
pub(super) const SECTOR_BYTES: usize = 512;

/// A change that is not yet synced.
enum Pending {
    Write { offset: usize, bytes: Vec<u8> },
    Resize { size: usize },
}

/// The contents of one file.
#[derive(Default)]
pub(super) struct File {
    live: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Pending>,
}

impl File {
    pub(super) fn live(&self) -> &[u8] {
        &self.live
    }

    /// Whether everything written is durable.
    pub(super) fn is_synced(&self) -> bool {
        self.pending.is_empty()
    }

    /// The bytes that survive any power cut, up to the first that might not.
    pub(super) fn guaranteed(&self) -> &[u8] {
        let mut size = self.durable.len();
        for pending in &self.pending {
            match pending {
                Pending::Write { offset, .. } if *offset == 0 => {}
                Pending::Write { offset, .. } => size = size.min(*offset),
                Pending::Resize { size: cut } => size = size.min(*cut),
            }
        }
        &self.durable[..size]
    }

    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset + bytes.len();
        if self.live.len() < end {
            self.live.resize(end, 0);
        }
        self.live[offset..end].copy_from_slice(bytes);
        self.pending.push(Pending::Write { offset, bytes: bytes.to_vec() });
    }

    pub(super) fn truncate(&mut self, size: usize) {
        self.live.truncate(size);
        self.pending.push(Pending::Resize { size });
    }

    pub(super) fn sync(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        // Only dirty sectors are written back: after a failed sync the clean ones keep what the
        // platter has, whatever the page cache shows.
        let dirty = self.dirty_sectors();
        let size = self.live.len();
        self.durable.resize(size, 0);
        for sector in dirty {
            let range = sector_range(sector, size);
            if !range.is_empty() {
                self.durable[range.clone()].copy_from_slice(&self.live[range]);
            }
        }
        self.pending.clear();
    }

    /// A failed sync: some sectors went through, the pages are clean from now on, and programs
    /// either go on seeing the lost bytes or see what the platter has.
    pub(super) fn fail_sync(&mut self, rng: &mut Rng) {
        let keep_pages = rng.chance(500_000);
        self.durable = self.survive(rng);
        self.pending.clear();
        if !keep_pages {
            let mut reread = self.durable.clone();
            reread.resize(self.live.len(), 0);
            self.live = reread;
        }
    }

    /// Power is cut: what the platter has is all there is.
    pub(super) fn cut(&mut self, rng: &mut Rng) {
        self.live = self.survive(rng);
        self.durable = self.live.clone();
        self.pending.clear();
    }

    /// Flips one bit for good; returns the byte before.
    pub(super) fn rot(&mut self, offset: usize, bit: u8) {
        for contents in [&mut self.live, &mut self.durable] {
            if let Some(byte) = contents.get_mut(offset) {
                *byte ^= 1 << (bit & 7);
            }
        }
    }

    fn dirty_sectors(&self) -> Vec<usize> {
        let mut dirty: Vec<usize> = Vec::new();
        let mut reached = self.durable.len();
        for pending in &self.pending {
            match pending {
                Pending::Write { offset, bytes } => {
                    let end = offset + bytes.len();
                    let first = (*offset).min(reached) / SECTOR_BYTES;
                    dirty.extend(first..end.div_ceil(SECTOR_BYTES));
                    reached = reached.max(end);
                }
                Pending::Resize { size } => {
                    dirty.extend([size / SECTOR_BYTES]);
                    reached = *size;
                }
            }
        }
        dirty.sort_unstable();
        dirty.dedup();
        dirty
    }

    /// One of the contents that a power cut now may leave: the size after some of the pending
    /// operations, and each dirty sector after some of them, independently.
    fn survive(&self, rng: &mut Rng) -> Vec<u8> {
        if self.pending.is_empty() {
            return self.durable.clone();
        }
        let count = self.pending.len();
        // Whole outcomes are as likely as mixed ones: the worst cases lie at both ends.
        let fate = rng.below(4);
        let prefix = |rng: &mut Rng| match fate {
            0 => 0,
            1 => count,
            _ => match rng.below(4) {
                0 => 0,
                1 => count,
                _ => rng.index(count + 1),
            },
        };
        let size = self.size_after(prefix(rng));
        let mut survived = self.durable.clone();
        survived.resize(size, 0);
        let stale = rng.chance(50_000);
        for sector in self.dirty_sectors() {
            let range = sector_range(sector, size);
            if range.is_empty() {
                continue;
            }
            let prefix = prefix(rng);
            if prefix == count {
                let from_live = range.start..range.end.min(self.live.len());
                if from_live.end > from_live.start {
                    survived[from_live.clone()].copy_from_slice(&self.live[from_live]);
                }
            } else if prefix == 0 && stale && range.start >= self.durable.len() {
                // A new sector that never was written may show what the device held before.
                let junk = rng.bytes(range.len());
                survived[range].copy_from_slice(&junk);
            } else {
                self.replay_sector(&self.pending[..prefix], range, &mut survived);
            }
        }
        survived
    }

    fn size_after(&self, prefix: usize) -> usize {
        self.pending[..prefix].iter().fold(self.durable.len(), |size, pending| match pending {
            Pending::Write { offset, bytes } => size.max(offset + bytes.len()),
            Pending::Resize { size } => *size,
        })
    }

    fn replay_sector(
        &self,
        operations: &[Pending],
        range: core::ops::Range<usize>,
        contents: &mut [u8],
    ) {
        for pending in operations {
            match pending {
                Pending::Write { offset, bytes } => {
                    let from = (*offset).max(range.start);
                    let to = (offset + bytes.len()).min(range.end);
                    if from < to {
                        contents[from..to].copy_from_slice(&bytes[from - offset..to - offset]);
                    }
                }
                Pending::Resize { size } => {
                    let from = (*size).clamp(range.start, range.end);
                    contents[from..range.end].fill(0);
                }
            }
        }
    }
}

fn sector_range(sector: usize, size: usize) -> core::ops::Range<usize> {
    let start = (sector * SECTOR_BYTES).min(size);
    start..(start + SECTOR_BYTES).min(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn synced_bytes_survive_every_cut_and_unsynced_ones_some() {
        let (mut lost, mut kept, mut torn) = (0, 0, 0);
        for seed in 0..400 {
            let mut file = File::default();
            file.write(0, &[1; 700]);
            file.sync();
            file.write(700, &[2; 2_000]);
            assert_eq!(file.guaranteed().len(), 700);
            file.cut(&mut Rng::new(seed));
            assert_eq!(file.live()[..700], [1; 700]);
            assert!(file.is_synced());
            match file.live().len() {
                700 => lost += 1,
                2_700 if file.live()[700..].iter().all(|byte| *byte == 2) => kept += 1,
                _ => torn += 1,
            }
        }
        assert!(lost > 20 && kept > 20 && torn > 20, "{lost} lost, {kept} kept, {torn} torn");
    }

    #[test]
    fn a_failed_sync_leaves_clean_pages_that_were_never_written() {
        let mut diverged = 0;
        for seed in 0..100 {
            let mut rng = Rng::new(seed);
            let mut file = File::default();
            file.write(0, &[7; 600]);
            file.fail_sync(&mut rng);
            // The second sync reports success and writes nothing.
            file.sync();
            assert_eq!(file.live().len(), 600);
            let seen = file.live().to_vec();
            file.cut(&mut rng);
            diverged += usize::from(seen != file.live());
        }
        assert!(diverged > 20, "{diverged}");
    }

    #[test]
    fn a_truncated_file_may_come_back_until_synced() {
        let mut sizes = std::collections::BTreeSet::new();
        for seed in 0..100 {
            let mut file = File::default();
            file.write(0, &[1; 1_000]);
            file.sync();
            file.truncate(10);
            assert_eq!(file.guaranteed().len(), 10);
            file.cut(&mut Rng::new(seed));
            sizes.insert(file.live().len());
        }
        assert_eq!(sizes.into_iter().collect::<Vec<_>>(), [10, 1_000]);
    }
}
