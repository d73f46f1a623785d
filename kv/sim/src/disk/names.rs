//! The names of a tree: what programs see, what the platter has, and the changes between the two.
//!
//! POSIX promises a name only once its directory is synced, whatever was synced of the file. A
//! change that concerns two directories is durable when both are synced.

use std::collections::BTreeMap;

use crate::rng::Rng;

/// What a name stands for: a directory or the number of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Directory,
    File(usize),
}

/// All names, by full path.
pub(super) type Names = BTreeMap<String, Target>;

#[derive(Clone)]
enum Change {
    Add { path: String, target: Target },
    Rename { from: String, to: String },
    Remove { path: String },
}

struct Pending {
    change: Change,
    /// Directories that are yet to be synced.
    unsynced: Vec<String>,
}

/// The live and the durable names of a tree.
#[derive(Default)]
pub(super) struct NameTable {
    pub(super) live: Names,
    durable: Names,
    pending: Vec<Pending>,
}

impl NameTable {
    /// The names that are certain to be there after a power cut.
    pub(super) fn durable(&self) -> &Names {
        &self.durable
    }

    pub(super) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    pub(super) fn add(&mut self, path: &str, target: Target) {
        self.change(Change::Add { path: path.to_owned(), target }, vec![parent(path)]);
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) {
        let mut unsynced = vec![parent(from)];
        if parent(to) != unsynced[0] {
            unsynced.push(parent(to));
        }
        self.change(Change::Rename { from: from.to_owned(), to: to.to_owned() }, unsynced);
    }

    pub(super) fn remove(&mut self, path: &str) {
        self.change(Change::Remove { path: path.to_owned() }, vec![parent(path)]);
    }

    fn change(&mut self, change: Change, unsynced: Vec<String>) {
        apply(&mut self.live, &change);
        self.pending.push(Pending { change, unsynced });
    }

    pub(super) fn sync_dir(&mut self, directory: &str) {
        for pending in &mut self.pending {
            pending.unsynced.retain(|unsynced| unsynced != directory);
        }
        let durable = &mut self.durable;
        self.pending.retain(|pending| {
            if pending.unsynced.is_empty() {
                apply(durable, &pending.change);
            }
            !pending.unsynced.is_empty()
        });
    }

    /// Power is cut: of the pending changes a prefix survives (a journal) or, more rarely, any
    /// subset (POSIX promises no more).
    pub(super) fn cut(&mut self, rng: &mut Rng) {
        let count = self.pending.len();
        let subset = rng.chance(300_000);
        let prefix = if rng.chance(400_000) { 0 } else { rng.index(count + 1) };
        for (position, pending) in core::mem::take(&mut self.pending).into_iter().enumerate() {
            let survives = if subset { rng.chance(500_000) } else { position < prefix };
            if survives {
                apply(&mut self.durable, &pending.change);
            }
        }
        let names = self.durable.clone();
        self.durable.retain(|path, _| has_parents(&names, path));
        self.live = self.durable.clone();
    }
}

fn apply(names: &mut Names, change: &Change) {
    match change {
        Change::Add { path, target } => {
            names.insert(path.clone(), *target);
        }
        Change::Rename { from, to } => {
            if let Some(target) = names.remove(from) {
                names.insert(to.clone(), target);
            }
        }
        Change::Remove { path } => {
            names.remove(path);
        }
    }
}

fn has_parents(names: &Names, path: &str) -> bool {
    let above = parent(path);
    above.is_empty()
        || (names.get(&above) == Some(&Target::Directory) && has_parents(names, &above))
}

pub(super) fn parent(path: &str) -> String {
    path.rsplit_once('/').map_or("", |(parent, _)| parent).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut_outcomes(build: impl Fn(&mut NameTable)) -> Vec<Vec<String>> {
        let mut outcomes: Vec<Vec<String>> = (0..200)
            .map(|seed| {
                let mut table = NameTable::default();
                build(&mut table);
                table.cut(&mut Rng::new(seed));
                table.live.keys().cloned().collect()
            })
            .collect();
        outcomes.sort();
        outcomes.dedup();
        outcomes
    }

    #[test]
    fn a_name_is_certain_only_after_its_directory_was_synced() {
        let unsynced = cut_outcomes(|table| table.add("a", Target::File(0)));
        assert_eq!(unsynced.len(), 2);
        let synced = cut_outcomes(|table| {
            table.add("a", Target::File(0));
            table.sync_dir("");
        });
        assert_eq!(synced, [["a"]]);
    }

    #[test]
    fn a_rename_is_seen_whole_or_not_at_all() {
        let outcomes = cut_outcomes(|table| {
            table.add("a", Target::File(0));
            table.sync_dir("");
            table.rename("a", "b");
        });
        assert_eq!(outcomes, [["a"], ["b"]]);
    }

    #[test]
    fn a_lost_directory_takes_its_files_along() {
        let outcomes = cut_outcomes(|table| {
            table.add("d", Target::Directory);
            table.add("d/f", Target::File(0));
            table.sync_dir("d");
        });
        assert_eq!(outcomes, [vec![], vec!["d".to_owned(), "d/f".to_owned()]]);
    }
}
