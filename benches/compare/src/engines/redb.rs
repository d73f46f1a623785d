//! redb: one write transaction at a time, `Durability::Immediate`.

use std::path::Path;

use redb::{Database, Durability, ReadableDatabase, TableDefinition};

use super::group::Group;
use super::{CACHE_BYTES, Engine, Session};
use crate::Outcome;
use crate::work::{self, Key, Value};

/// Keys of one transaction while the database is loaded.
const BATCH: usize = 10_000;
const RECORDS: TableDefinition<'_, Key, &[u8]> = TableDefinition::new("records");

struct Redb {
    database: Database,
    group: Option<Group>,
}

pub fn open(directory: &Path, grouped: bool) -> Outcome<impl Engine + use<>> {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    let database = builder.create(directory.join("redb.db"))?;
    let start = database.begin_write()?;
    start.open_table(RECORDS)?;
    start.commit()?;
    Ok(Redb { database, group: grouped.then(Group::default) })
}

impl Redb {
    fn put(&self, durability: Durability, key: &Key, value: &Value) -> Outcome<()> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(durability)?;
        transaction.open_table(RECORDS)?.insert(key, &value[..])?;
        Ok(transaction.commit()?)
    }

    /// Makes all commits before it durable.
    fn sync(&self) -> Outcome<()> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        Ok(transaction.commit()?)
    }
}

impl Engine for Redb {
    fn session(&self) -> Outcome<Box<dyn Session + '_>> {
        Ok(Box::new(self))
    }

    fn write_many(&self, keys: &mut dyn Iterator<Item = (Key, Value)>) -> Outcome<()> {
        loop {
            let transaction = self.database.begin_write()?;
            let mut table = transaction.open_table(RECORDS)?;
            let mut count = 0;
            for (key, value) in (&mut *keys).take(BATCH) {
                table.insert(key, &value[..])?;
                count += 1;
            }
            drop(table);
            transaction.commit()?;
            if count < BATCH {
                return Ok(());
            }
        }
    }

    fn close(self: Box<Self>) -> Outcome<()> {
        Ok(())
    }
}

impl Session for &Redb {
    fn write(&mut self, key: &Key, value: &Value) -> Outcome<()> {
        let Some(group) = &self.group else {
            return self.put(Durability::Immediate, key, value);
        };
        self.put(Durability::None, key, value)?;
        group.sync(|| self.sync())
    }

    fn read(&mut self, keys: &[Key]) -> Outcome<usize> {
        let transaction = self.database.begin_read()?;
        let table = transaction.open_table(RECORDS)?;
        let mut bytes = 0;
        for key in keys {
            bytes += table.get(key)?.map_or(0, |value| work::touched(value.value()));
        }
        Ok(bytes)
    }
}
