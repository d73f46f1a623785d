//! Going over the entries of a map, or over the names of maps, without a copy of all of them.

use std::collections::VecDeque;

use affiant::{Key, MapName, Snapshot, Value};

use crate::boundary;
use crate::fault::Fault;
use crate::handle::{self, Kind, Opaque};
use crate::limits::ITERATOR_CHUNK_COUNT;
use crate::memory::{Out, affiant_slice};
use crate::range::Range;
use crate::status::{AFFIANT_END, affiant_status};
use crate::tx::affiant_tx;

/// An iteration over entries, made by `affiant_tx_range`, `affiant_snapshot_range` or
/// `affiant_snapshot_maps`. For one thread at a time.
pub struct affiant_iterator {
    _opaque: [u8; 0],
}

impl Opaque for affiant_iterator {
    type Object = Entries;
    const KIND: Kind = Kind::Iterator;
}

enum Source {
    /// A transaction's handle, and its writes when it was looked at last.
    Tx {
        handle: usize,
        seen: u64,
    },
    Snapshot(Snapshot),
    /// Nothing more comes than what is there already.
    Nothing,
}

/// The object behind `affiant_iterator`.
pub(crate) struct Entries {
    source: Source,
    map: Option<MapName>,
    range: Range,
    ahead: VecDeque<(Key, Value)>,
    shown: Option<(Key, Value)>,
    /// The source has no more.
    exhausted: bool,
}

impl Entries {
    pub(crate) fn over_tx(handle: usize, map: MapName, range: Range) -> Self {
        Self::new(Source::Tx { handle, seen: u64::MAX }, Some(map), range)
    }

    pub(crate) fn over_snapshot(snapshot: Snapshot, map: MapName, range: Range) -> Self {
        Self::new(Source::Snapshot(snapshot), Some(map), range)
    }

    /// Over names, each with an empty value.
    pub(crate) fn over_names<'a>(names: impl Iterator<Item = &'a MapName>, range: Range) -> Self {
        let mut made = Self::new(Source::Nothing, None, range);
        let nothing: &[u8] = &[];
        made.ahead =
            names.map(|name| (Key::from(name.as_str().as_bytes()), Value::from(nothing))).collect();
        made
    }

    fn new(source: Source, map: Option<MapName>, range: Range) -> Self {
        Self { source, map, range, ahead: VecDeque::new(), shown: None, exhausted: false }
    }

    fn next(&mut self) -> Result<Option<&(Key, Value)>, Fault> {
        self.shown = None;
        if self.range.left == 0 {
            return Ok(None);
        }
        self.refill()?;
        let Some(next) = self.ahead.pop_front() else { return Ok(None) };
        self.range.after(&next.0);
        Ok(Some(self.shown.insert(next)))
    }

    fn refill(&mut self) -> Result<(), Fault> {
        let Some(map) = &self.map else { return Ok(()) };
        let (range, ahead) = (&self.range, &mut self.ahead);
        let wanted = ITERATOR_CHUNK_COUNT.min(usize::try_from(range.left).unwrap_or(usize::MAX));
        match &mut self.source {
            Source::Nothing => {}
            Source::Snapshot(snapshot) => {
                if ahead.is_empty() && !self.exhausted {
                    let found = snapshot.range(map.as_str(), range.from(), range.to()).take(wanted);
                    ahead.extend(found.map(|(key, value)| (key.clone(), value.clone())));
                    self.exhausted = ahead.len() < wanted;
                }
            }
            Source::Tx { handle, seen } => {
                let tx = core::ptr::without_provenance_mut::<affiant_tx>(*handle);
                handle::with_mut(tx, |transaction| {
                    if *seen != transaction.writes {
                        // What lies ahead may have changed.
                        *seen = transaction.writes;
                        ahead.clear();
                        self.exhausted = false;
                    }
                    if ahead.is_empty() && !self.exhausted {
                        ahead.extend(transaction.entries(map, range, wanted));
                        self.exhausted = ahead.len() < wanted;
                    }
                    Ok(())
                })?;
            }
        }
        Ok(())
    }
}

/// Shows the next entry. `AFFIANT_END` after the last one. The views live until the next call with this
/// iterator. Where it goes over a transaction: `AFFIANT_INVALID_HANDLE` once that is freed, `AFFIANT_BUSY`
/// while another thread uses it.
///
/// # Safety
/// `key` and `value` lead to room for an `affiant_slice` each.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_iterator_next(
    iterator: *mut affiant_iterator,
    key: *mut affiant_slice,
    value: *mut affiant_slice,
) -> affiant_status {
    boundary::exclusive(iterator, |iterator| {
        // SAFETY: as promised to this function.
        let (key, value) = unsafe { (Out::new(key, "key")?, Out::new(value, "value")?) };
        let end = || Fault::new(AFFIANT_END, "there are no more entries");
        let (next_key, next_value) = iterator.next()?.ok_or_else(end)?;
        key.write(affiant_slice::of(next_key));
        value.write(affiant_slice::of(next_value));
        Ok(())
    })
}

/// Ends an iteration. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn affiant_iterator_free(iterator: *mut affiant_iterator) -> affiant_status {
    boundary::free(iterator)
}
