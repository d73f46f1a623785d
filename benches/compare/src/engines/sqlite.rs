//! SQLite: WAL, `synchronous=FULL`, one connection for each thread, prepared statements.

use std::path::{Path, PathBuf};
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::{Connection, params};

use super::{CACHE_BYTES, Engine, Session};
use crate::Outcome;
use crate::work::{self, Key, Value};

/// Rows of one transaction while the database is loaded.
const BATCH: usize = 10_000;
const PUT: &str = "INSERT INTO records VALUES (?1, ?2) \
                   ON CONFLICT (key) DO UPDATE SET value = excluded.value";
const GET: &str = "SELECT value FROM records WHERE key = ?1";

struct Sqlite {
    path: PathBuf,
    /// Where writers queue, if they are to.
    queue: Option<Mutex<()>>,
}

struct Handle<'a> {
    connection: Connection,
    queue: Option<&'a Mutex<()>>,
}

pub fn open(directory: &Path, queued: bool) -> Outcome<impl Engine + use<>> {
    let sqlite =
        Sqlite { path: directory.join("sqlite.db"), queue: queued.then(|| Mutex::new(())) };
    let connection = sqlite.connect()?;
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS records (key BLOB PRIMARY KEY, value BLOB NOT NULL) \
         WITHOUT ROWID",
    )?;
    Ok(sqlite)
}

impl Sqlite {
    fn connect(&self) -> Outcome<Connection> {
        let connection = Connection::open(&self.path)?;
        connection.busy_timeout(Duration::from_secs(60))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        // All connections share the mapped pages; a cache of its own holds only what is not mapped.
        connection.pragma_update(None, "mmap_size", CACHE_BYTES as i64)?;
        Ok(connection)
    }
}

impl Engine for Sqlite {
    fn session(&self) -> Outcome<Box<dyn Session + '_>> {
        Ok(Box::new(Handle { connection: self.connect()?, queue: self.queue.as_ref() }))
    }

    fn write_many(&self, keys: &mut dyn Iterator<Item = (Key, Value)>) -> Outcome<()> {
        let connection = self.connect()?;
        connection.pragma_update(None, "synchronous", "OFF")?;
        connection.pragma_update(None, "cache_size", -(CACHE_BYTES as i64 / 1024))?;
        loop {
            connection.execute_batch("BEGIN IMMEDIATE")?;
            let mut put = connection.prepare_cached(PUT)?;
            let mut count = 0;
            for (key, value) in (&mut *keys).take(BATCH) {
                put.execute(params![key, value])?;
                count += 1;
            }
            connection.execute_batch("COMMIT")?;
            if count < BATCH {
                return Ok(());
            }
        }
    }

    fn close(self: Box<Self>) -> Outcome<()> {
        let connection = self.connect()?;
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        connection.close().map_err(|(_, error)| error.into())
    }
}

impl Session for Handle<'_> {
    fn write(&mut self, key: &Key, value: &Value) -> Outcome<()> {
        let _turn = self.queue.map(Mutex::lock);
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        self.connection.prepare_cached(PUT)?.execute(params![key, value])?;
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }

    fn read(&mut self, keys: &[Key]) -> Outcome<usize> {
        let mut get = self.connection.prepare_cached(GET)?;
        let mut bytes = 0;
        let mut read = |key: &Key| -> Outcome<()> {
            let mut rows = get.query(params![key])?;
            if let Some(row) = rows.next()? {
                bytes += work::touched(row.get_ref(0)?.as_blob()?);
            }
            Ok(())
        };
        if let [key] = keys {
            // A statement by itself is a transaction.
            read(key)?;
            return Ok(bytes);
        }
        self.connection.prepare_cached("BEGIN")?.execute([])?;
        keys.iter().try_for_each(read)?;
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(bytes)
    }
}
