//! The databases, each used as its documentation recommends.

mod affiant;
pub mod affiant_c;
mod fjall;
mod group;
mod redb;
mod sqlite;

use std::fmt;
use std::path::Path;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::Outcome;
use crate::work::{self, Key, Value};

/// Memory that a database which caches may use, in bytes: all that the largest measurement needs.
const CACHE_BYTES: usize = 4 << 30;

/// A database, and how it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub enum Kind {
    /// Affiant, waiting for commit: synced and signed.
    Affiant,
    /// The same with keys on P-256.
    AffiantP256,
    /// Affiant, waiting until it is durable: synced; signatures follow.
    AffiantDurable,
    /// Affiant through C, waiting for commit.
    AffiantC,
    /// SQLite: writers meet at its own lock, with a busy timeout.
    Sqlite,
    /// SQLite: writers queue at a lock of the program.
    SqliteMutex,
    /// redb: every transaction is synced by itself.
    Redb,
    /// redb: transactions that wait together are synced together.
    RedbGroup,
    /// fjall: every write is synced by itself.
    Fjall,
    /// fjall: writes that wait together are synced together.
    FjallGroup,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Affiant,
        Self::AffiantC,
        Self::AffiantDurable,
        Self::AffiantP256,
        Self::Sqlite,
        Self::SqliteMutex,
        Self::Redb,
        Self::RedbGroup,
        Self::Fjall,
        Self::FjallGroup,
    ];

    /// As the command line and the tables say it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Affiant => "affiant",
            Self::AffiantDurable => "affiant-durable",
            Self::AffiantP256 => "affiant-p256",
            Self::AffiantC => "affiant-c",
            Self::Sqlite => "sqlite",
            Self::SqliteMutex => "sqlite-mutex",
            Self::Redb => "redb",
            Self::RedbGroup => "redb-group",
            Self::Fjall => "fjall",
            Self::FjallGroup => "fjall-group",
        }
    }

    /// What it keeps: those with the same can use each other's data.
    pub fn store(self) -> &'static str {
        match self {
            Self::Affiant | Self::AffiantC | Self::AffiantDurable => "affiant",
            Self::AffiantP256 => "affiant-p256",
            Self::Sqlite | Self::SqliteMutex => "sqlite",
            Self::Redb | Self::RedbGroup => "redb",
            Self::Fjall | Self::FjallGroup => "fjall",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// An open database, shared by all threads.
pub trait Engine: Sync {
    /// What one thread uses it through.
    fn session(&self) -> Outcome<Box<dyn Session + '_>>;
    /// Writes many keys at once, as cheaply as it can; durable after [`Self::close`].
    fn write_many(&self, keys: &mut dyn Iterator<Item = (Key, Value)>) -> Outcome<()>;
    /// Closes it in good order.
    fn close(self: Box<Self>) -> Outcome<()>;
}

/// One thread's use of a database.
pub trait Session {
    /// One transaction with one put, durable before it returns.
    fn write(&mut self, key: &Key, value: &Value) -> Outcome<()>;
    /// Reads all keys in one snapshot that is taken for them; gives the bytes of their values.
    fn read(&mut self, keys: &[Key]) -> Outcome<usize>;
}

/// Opens the database in `directory`, new or not.
pub fn open(kind: Kind, directory: &Path) -> Outcome<Box<dyn Engine>> {
    Ok(match kind {
        Kind::Affiant | Kind::AffiantP256 | Kind::AffiantDurable => {
            Box::new(affiant::open(kind, directory)?)
        }
        Kind::AffiantC => Box::new(affiant_c::open(Some(directory))?),
        Kind::Sqlite => Box::new(sqlite::open(directory, false)?),
        Kind::SqliteMutex => Box::new(sqlite::open(directory, true)?),
        Kind::Redb => Box::new(redb::open(directory, false)?),
        Kind::RedbGroup => Box::new(redb::open(directory, true)?),
        Kind::Fjall => Box::new(fjall::open(directory, false)?),
        Kind::FjallGroup => Box::new(fjall::open(directory, true)?),
    })
}

/// Fills an empty directory with the first `count` keys.
pub fn load(kind: Kind, directory: &Path, count: u64) -> Outcome<()> {
    let engine = open(kind, directory)?;
    engine.write_many(&mut (0..count).map(|number| (work::key(number), work::value(number))))?;
    engine.close()
}
