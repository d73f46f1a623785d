//! Keys and what belongs to them, ascending: a sorted vector while they are few, a tree once they are
//! many. Nearly all transactions touch a few keys, and a vector of them is one allocation.

use std::collections::BTreeMap;
use std::collections::btree_map;
use std::ops::Bound;

use crate::key::Key;

/// Keys at which the vector becomes a tree: inserting in its midst would cost more.
const FEW_MAX: usize = 32;

#[derive(Clone)]
pub(crate) enum Ordered<V> {
    Few(Vec<(Key, V)>),
    Many(BTreeMap<Key, V>),
}

impl<V> Default for Ordered<V> {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl<V> Ordered<V> {
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Few(few) => few.is_empty(),
            Self::Many(many) => many.is_empty(),
        }
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<&V> {
        match self {
            Self::Few(few) => position(few, key).ok().map(|position| &few[position].1),
            Self::Many(many) => many.get(key),
        }
    }

    /// Sets the value of `key`, whether it had one or not.
    pub(crate) fn insert(&mut self, key: &[u8], value: V) {
        let few = match self {
            Self::Few(few) => few,
            Self::Many(many) => {
                many.insert(Key::from(key), value);
                return;
            }
        };
        match position(few, key) {
            Ok(position) => few[position].1 = value,
            Err(position) if few.len() < FEW_MAX => few.insert(position, (Key::from(key), value)),
            Err(_) => {
                let mut many: BTreeMap<Key, V> = core::mem::take(few).into_iter().collect();
                many.insert(Key::from(key), value);
                *self = Self::Many(many);
            }
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Key, &V)> {
        self.range(Bound::Unbounded, Bound::Unbounded)
    }

    /// Those with keys in the range, ascending. The bounds must be in order.
    pub(crate) fn range(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
    ) -> impl Iterator<Item = (&Key, &V)> {
        match self {
            Self::Few(few) => {
                let start = few.partition_point(|(key, _)| match from {
                    Bound::Unbounded => false,
                    Bound::Included(from) => **key < *from,
                    Bound::Excluded(from) => **key <= *from,
                });
                let end = few.partition_point(|(key, _)| match to {
                    Bound::Unbounded => true,
                    Bound::Included(to) => **key <= *to,
                    Bound::Excluded(to) => **key < *to,
                });
                Range::Few(few[start..end.max(start)].iter())
            }
            Self::Many(many) => Range::Many(many.range::<[u8], _>((from, to))),
        }
    }

    pub(crate) fn into_vec(self) -> Vec<(Key, V)> {
        match self {
            Self::Few(few) => few,
            Self::Many(many) => many.into_iter().collect(),
        }
    }
}

fn position<V>(few: &[(Key, V)], key: &[u8]) -> Result<usize, usize> {
    few.binary_search_by(|(own, _)| (**own).cmp(key))
}

enum Range<'a, V> {
    Few(core::slice::Iter<'a, (Key, V)>),
    Many(btree_map::Range<'a, Key, V>),
}

impl<'a, V> Iterator for Range<'a, V> {
    type Item = (&'a Key, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Few(few) => few.next().map(|(key, value)| (key, value)),
            Self::Many(many) => many.next(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn it_is_a_sorted_map(
            writes in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..3), 0..9_u32), 0..90),
            bounds in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3), 2),
            probe in prop::collection::vec(any::<u8>(), 0..3),
        ) {
            let mut ordered = Ordered::default();
            let mut model = BTreeMap::new();
            for (key, value) in &writes {
                ordered.insert(key, *value);
                model.insert(key.clone(), *value);
            }
            prop_assert_eq!(ordered.get(&probe), model.get(&probe));
            prop_assert_eq!(ordered.is_empty(), model.is_empty());
            let (from, to) = (bounds[0].as_slice().min(&bounds[1]), bounds[0].as_slice().max(&bounds[1]));
            let expected: Vec<(Vec<u8>, u32)> = model
                .range::<[u8], _>((Bound::Included(from), Bound::Included(to)))
                .map(|(key, value)| (key.clone(), *value))
                .collect();
            let found: Vec<(Vec<u8>, u32)> = ordered
                .range(Bound::Included(from), Bound::Included(to))
                .map(|(key, value)| (key.to_vec(), *value))
                .collect();
            prop_assert_eq!(found, expected);
            let all: Vec<(Vec<u8>, u32)> =
                ordered.into_vec().into_iter().map(|(key, value)| (key.to_vec(), value)).collect();
            prop_assert_eq!(all, model.into_iter().collect::<Vec<_>>());
        }
    }
}
