//! fjall: insert, then `persist(SyncData)`.

use std::path::Path;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable};

use super::group::Group;
use super::{CACHE_BYTES, Engine, Session};
use crate::Outcome;
use crate::work::{self, Key, Value};

/// Keys of one batch while the database is loaded.
const BATCH: usize = 10_000;

struct Fjall {
    database: Database,
    records: Keyspace,
    group: Option<Group>,
}

pub fn open(directory: &Path, grouped: bool) -> Outcome<impl Engine + use<>> {
    let database = Database::builder(directory.join("fjall"))
        .cache_size(CACHE_BYTES as u64)
        // It is synced by the program, right away.
        .manual_journal_persist(true)
        .open()?;
    let options = || KeyspaceCreateOptions::default().expect_point_read_hits(true);
    let records = database.keyspace("records", options)?;
    Ok(Fjall { database, records, group: grouped.then(Group::default) })
}

impl Engine for Fjall {
    fn session(&self) -> Outcome<Box<dyn Session + '_>> {
        Ok(Box::new(self))
    }

    fn write_many(&self, keys: &mut dyn Iterator<Item = (Key, Value)>) -> Outcome<()> {
        loop {
            let mut batch = self.database.batch();
            for (key, value) in (&mut *keys).take(BATCH) {
                batch.insert(&self.records, key, value);
            }
            let count = batch.len();
            batch.commit()?;
            if count < BATCH {
                return Ok(());
            }
        }
    }

    fn close(self: Box<Self>) -> Outcome<()> {
        Ok(self.database.persist(PersistMode::SyncAll)?)
    }
}

impl Session for &Fjall {
    fn write(&mut self, key: &Key, value: &Value) -> Outcome<()> {
        self.records.insert(key, value)?;
        let sync = || -> Outcome<()> { Ok(self.database.persist(PersistMode::SyncData)?) };
        match &self.group {
            Some(group) => group.sync(sync),
            None => sync(),
        }
    }

    fn read(&mut self, keys: &[Key]) -> Outcome<usize> {
        let snapshot = self.database.snapshot();
        let mut bytes = 0;
        for key in keys {
            bytes += snapshot.get(&self.records, key)?.map_or(0, |value| work::touched(&value));
        }
        Ok(bytes)
    }
}
