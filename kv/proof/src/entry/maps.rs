//! The map grammar of a domain: maps by name, each with its writes and its removes.
//!
//! [`Maps`] walks a domain without copying and checks each map whole before it hands it out, so
//! that the pairs within can be iterated without errors. Order is not required of a reader.

use crate::ProofError;
use crate::bytes::Cursor;

/// The fewest bytes a write takes: two lengths.
const WRITE_BYTES_MIN: u64 = 16;
/// The fewest bytes a remove takes: one length.
const REMOVE_BYTES_MIN: u64 = 8;

/// The maps of a public or (opened) private domain. Stops after the first error.
#[derive(Clone)]
pub struct Maps<'a> {
    cursor: Cursor<'a>,
    failed: bool,
}

impl<'a> Maps<'a> {
    /// The maps of an opened private domain.
    #[must_use]
    pub const fn of_private(plaintext: &'a [u8]) -> Self {
        Self::new(plaintext, 0)
    }

    /// Errors name offsets from `base`.
    pub(super) const fn new(bytes: &'a [u8], base: usize) -> Self {
        Self { cursor: Cursor::new(bytes, base), failed: false }
    }
}

impl<'a> Iterator for Maps<'a> {
    type Item = Result<MapView<'a>, ProofError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.cursor.remaining() == 0 {
            return None;
        }
        let map = MapView::read(&mut self.cursor);
        self.failed = map.is_err();
        Some(map)
    }
}

/// What one transaction did to one map.
#[derive(Clone, Copy, Debug)]
pub struct MapView<'a> {
    name: &'a [u8],
    write_count: u64,
    remove_count: u64,
    writes: &'a [u8],
    removes: &'a [u8],
}

impl<'a> MapView<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, ProofError> {
        let name_size = cursor.u64_le("map name size")?;
        let name = cursor.take(name_size, "map name")?;
        let read_version_at = cursor.offset();
        if cursor.u64_le("map read version")? != 0 {
            return Err(ProofError::Malformed {
                what: "map read version",
                offset: read_version_at,
                why: "it is always 0 in a ledger",
            });
        }
        if cursor.u64_le("map read count")? != 0 {
            return Err(ProofError::Malformed {
                what: "map read count",
                offset: read_version_at + 8,
                why: "it is always 0 in a ledger",
            });
        }
        let write_count = count(cursor, "map write count", WRITE_BYTES_MIN)?;
        let writes = span(cursor, |cursor| {
            for _ in 0..write_count {
                sized(cursor, "key")?;
                sized(cursor, "value")?;
            }
            Ok(())
        })?;
        let remove_count = count(cursor, "map remove count", REMOVE_BYTES_MIN)?;
        let removes = span(cursor, |cursor| {
            for _ in 0..remove_count {
                sized(cursor, "removed key")?;
            }
            Ok(())
        })?;
        Ok(Self { name, write_count, remove_count, writes, removes })
    }

    /// The map's name as bytes; names that this project writes are UTF-8.
    #[must_use]
    pub const fn name(&self) -> &'a [u8] {
        self.name
    }

    /// The number of writes.
    #[must_use]
    pub const fn write_count(&self) -> u64 {
        self.write_count
    }

    /// The number of removes.
    #[must_use]
    pub const fn remove_count(&self) -> u64 {
        self.remove_count
    }

    /// The keys and values written, in the order of the entry.
    #[must_use]
    pub const fn writes(&self) -> Pairs<'a> {
        Pairs(Cursor::new(self.writes, 0))
    }

    /// The keys removed, in the order of the entry.
    pub fn removes(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut cursor = Cursor::new(self.removes, 0);
        core::iter::from_fn(move || sized(&mut cursor, "removed key").ok())
    }

    /// The value written under `key`, if there is one.
    #[must_use]
    pub fn value(&self, key: &[u8]) -> Option<&'a [u8]> {
        self.writes().find(|(written, _)| *written == key).map(|(_, value)| value)
    }
}

/// The keys and values written to one map.
#[derive(Clone)]
pub struct Pairs<'a>(Cursor<'a>);

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        // The map was checked whole when it was read: an error here can only be the end.
        let key = sized(&mut self.0, "key").ok()?;
        let value = sized(&mut self.0, "value").ok()?;
        Some((key, value))
    }
}

fn sized<'a>(cursor: &mut Cursor<'a>, what: &'static str) -> Result<&'a [u8], ProofError> {
    let size = cursor.u64_le(what)?;
    cursor.take(size, what)
}

fn count(cursor: &mut Cursor<'_>, what: &'static str, each: u64) -> Result<u64, ProofError> {
    let offset = cursor.offset();
    let count = cursor.u64_le(what)?;
    let available = cursor.remaining() as u64;
    if count > available / each {
        let needed = count.saturating_mul(each);
        return Err(ProofError::Truncated { what, offset, needed, available });
    }
    Ok(count)
}

/// The bytes that `walk` goes over.
fn span<'a>(
    cursor: &mut Cursor<'a>,
    walk: impl FnOnce(&mut Cursor<'a>) -> Result<(), ProofError>,
) -> Result<&'a [u8], ProofError> {
    let mut start = *cursor;
    walk(cursor)?;
    start.take((cursor.offset() - start.offset()) as u64, "map")
}
