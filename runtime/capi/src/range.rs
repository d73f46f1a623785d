//! Which keys an iteration goes over.

use std::ops::Bound;

use crate::fault::Fault;
use crate::memory::{Versioned, affiant_slice, versioned};

/// A range of keys; all fields but `size` may be zero, which means no bound.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct affiant_range {
    /// sizeof(affiant_range).
    pub size: usize,
    /// The first key, or what precedes it; data NULL: from the first one on.
    pub from: affiant_slice,
    /// Where it ends; data NULL: after the last one. This key itself is not part of it, unless `to_included`.
    pub to: affiant_slice,
    /// Only keys that begin with this; empty: all.
    pub prefix: affiant_slice,
    /// How many entries at most; 0: all.
    pub limit: u64,
    /// Not 0: `from` itself is not part of it.
    pub from_excluded: u8,
    /// Not 0: `to` itself is part of it.
    pub to_included: u8,
    /// Zero.
    pub reserved: [u8; 6],
}

// SAFETY: repr(C), its first field is its size, the others are pointers and numbers.
unsafe impl Versioned for affiant_range {
    const NAME: &'static str = "affiant_range";
    const SIZE_MIN: usize = size_of::<Self>();
}

/// Where keys lie, for an iteration that may go on later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    from: Bound<Vec<u8>>,
    to: Bound<Vec<u8>>,
    /// How many more entries.
    pub(crate) left: u64,
}

impl Range {
    /// Of a program's struct, or everything where it gives none.
    ///
    /// # Safety
    /// `given` is NULL or leads to as many bytes as its size says, its slices to as many as they say.
    pub(crate) unsafe fn read(given: *const affiant_range) -> Result<Self, Fault> {
        if given.is_null() {
            return Ok(Self { from: Bound::Unbounded, to: Bound::Unbounded, left: u64::MAX });
        }
        // SAFETY: as promised to this function.
        let range = unsafe { versioned(given)? };
        if range.reserved != [0; 6] {
            return Err(Fault::argument("affiant_range.reserved is not zero"));
        }
        // SAFETY: as promised to this function.
        let (from, to, prefix) = unsafe {
            (
                bound(range.from, "from", range.from_excluded == 0)?,
                bound(range.to, "to", range.to_included != 0)?,
                range.prefix.bytes("prefix")?,
            )
        };
        let mut read =
            Self { from, to, left: if range.limit == 0 { u64::MAX } else { range.limit } };
        read.narrow(prefix);
        Ok(read)
    }

    pub(crate) fn from(&self) -> Bound<&[u8]> {
        self.from.as_ref().map(Vec::as_slice)
    }

    pub(crate) fn to(&self) -> Bound<&[u8]> {
        self.to.as_ref().map(Vec::as_slice)
    }

    /// Goes on after `key`.
    pub(crate) fn after(&mut self, key: &[u8]) {
        self.from = Bound::Excluded(key.to_vec());
        self.left = self.left.saturating_sub(1);
    }

    fn narrow(&mut self, prefix: &[u8]) {
        if prefix.is_empty() {
            return;
        }
        let later = match &self.from {
            Bound::Included(from) | Bound::Excluded(from) => from.as_slice() < prefix,
            Bound::Unbounded => true,
        };
        if later {
            self.from = Bound::Included(prefix.to_vec());
        }
        // The first key beyond all that begin with the prefix; none if it is all ones.
        let Some(last) = prefix.iter().rposition(|byte| *byte < u8::MAX) else { return };
        let mut beyond = prefix.get(..=last).unwrap_or_default().to_vec();
        if let Some(byte) = beyond.last_mut() {
            *byte += 1;
        }
        let sooner = match &self.to {
            Bound::Included(to) | Bound::Excluded(to) => *to >= beyond,
            Bound::Unbounded => true,
        };
        if sooner {
            self.to = Bound::Excluded(beyond);
        }
    }
}

/// # Safety
/// As [`affiant_slice::bytes`].
unsafe fn bound(
    slice: affiant_slice,
    what: &'static str,
    included: bool,
) -> Result<Bound<Vec<u8>>, Fault> {
    // SAFETY: as promised to this function.
    let bytes = unsafe { slice.bytes(what)? }.to_vec();
    Ok(match (slice.data.is_null(), included) {
        (true, _) => Bound::Unbounded,
        (false, true) => Bound::Included(bytes),
        (false, false) => Bound::Excluded(bytes),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn key() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(prop_oneof![Just(0), Just(7), Just(254), Just(255)], 0..4)
    }

    proptest! {
        #[test]
        fn a_prefix_is_a_range(
            keys in proptest::collection::btree_set(key(), 0..40),
            from in proptest::option::of(key()),
            to in proptest::option::of(key()),
            prefix in key(),
            from_excluded in 0_u8..2,
            to_included in 0_u8..2,
        ) {
            let slice = |key: &Option<Vec<u8>>| match key {
                None => affiant_slice::EMPTY,
                Some(key) => affiant_slice::of(key),
            };
            let given = affiant_range {
                size: size_of::<affiant_range>(),
                from: slice(&from),
                to: slice(&to),
                prefix: affiant_slice::of(&prefix),
                limit: 0,
                from_excluded,
                to_included,
                reserved: [0; 6],
            };
            // SAFETY: everything that it points to is here.
            let range = unsafe { Range::read(&raw const given).unwrap() };
            let within = |key: &[u8]| {
                let after = match range.from() {
                    Bound::Included(from) => key >= from,
                    Bound::Excluded(from) => key > from,
                    Bound::Unbounded => true,
                };
                let before = match range.to() {
                    Bound::Included(to) => key <= to,
                    Bound::Excluded(to) => key < to,
                    Bound::Unbounded => true,
                };
                after && before
            };
            let wanted = |key: &[u8]| {
                key.starts_with(&prefix)
                    && from.as_deref().is_none_or(|from| key > from || (key == from && from_excluded == 0))
                    && to.as_deref().is_none_or(|to| key < to || (key == to && to_included == 1))
            };
            let found: BTreeSet<_> = keys.iter().filter(|key| within(key)).collect();
            let expected: BTreeSet<_> = keys.iter().filter(|key| wanted(key)).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
