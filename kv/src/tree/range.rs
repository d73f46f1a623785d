//! Going through keys in order, from either end.

use std::ops::Bound;
use std::slice;
use std::sync::Arc;

use super::heads::Probe;
use super::{Branch, Node};
use crate::key::Key;

/// Keys and values in a range, ascending.
pub(crate) struct Range<'a, V> {
    root: &'a Node<V>,
    from: Bound<Key>,
    to: Bound<Key>,
    /// Made when they are first needed: mostly one of them is.
    front: Option<Cursor<'a, V>>,
    back: Option<Cursor<'a, V>>,
    /// What the ends gave last: they stop where they meet.
    last_front: Option<&'a Key>,
    last_back: Option<&'a Key>,
}

/// A place between two entries.
struct Cursor<'a, V> {
    /// The branches above the leaf, and in each the child that leads to it.
    above: Vec<(&'a Branch<V>, usize)>,
    /// What is left of the leaf in the direction of travel.
    leaf: slice::Iter<'a, (Key, V)>,
}

impl<'a, V> Range<'a, V> {
    pub(super) fn new(root: &'a Arc<Node<V>>, from: Bound<&[u8]>, to: Bound<&[u8]>) -> Self {
        let own = |bound: Bound<&[u8]>| bound.map(Key::from);
        Self {
            root,
            from: own(from),
            to: own(to),
            front: None,
            back: None,
            last_front: None,
            last_back: None,
        }
    }
}

impl<'a, V> Iterator for Range<'a, V> {
    type Item = (&'a Key, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        let front = self.front.get_or_insert_with(|| Cursor::before(self.root, &self.from));
        let (key, value) = front.next()?;
        let inside = match (self.last_back, &self.to) {
            (Some(last), _) => key < last,
            (None, Bound::Unbounded) => true,
            (None, Bound::Included(to)) => key <= to,
            (None, Bound::Excluded(to)) => key < to,
        };
        self.last_front = Some(key);
        inside.then_some((key, value))
    }
}

impl<V> DoubleEndedIterator for Range<'_, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let back = self.back.get_or_insert_with(|| Cursor::behind(self.root, &self.to));
        let (key, value) = back.next_back()?;
        let inside = match (self.last_front, &self.from) {
            (Some(last), _) => key > last,
            (None, Bound::Unbounded) => true,
            (None, Bound::Included(from)) => key >= from,
            (None, Bound::Excluded(from)) => key > from,
        };
        self.last_back = Some(key);
        inside.then_some((key, value))
    }
}

impl<'a, V> Cursor<'a, V> {
    /// Before everything in a range that begins with `from`.
    fn before(root: &'a Node<V>, from: &Bound<Key>) -> Self {
        let mut cursor = Self { above: Vec::new(), leaf: slice::Iter::default() };
        match from {
            Bound::Unbounded => cursor.enter_first(root),
            Bound::Included(key) => cursor.leaf = cursor.descend(root, key, false).1.iter(),
            Bound::Excluded(key) => cursor.leaf = cursor.descend(root, key, true).1.iter(),
        }
        cursor
    }

    /// Behind everything in a range that ends with `to`.
    fn behind(root: &'a Node<V>, to: &Bound<Key>) -> Self {
        let mut cursor = Self { above: Vec::new(), leaf: slice::Iter::default() };
        match to {
            Bound::Unbounded => cursor.enter_last(root),
            Bound::Included(key) => cursor.leaf = cursor.descend(root, key, true).0.iter(),
            Bound::Excluded(key) => cursor.leaf = cursor.descend(root, key, false).0.iter(),
        }
        cursor
    }

    /// Goes to the leaf of `key` and cuts it before the key, or `behind` it.
    #[expect(clippy::type_complexity, reason = "a leaf's entries in two")]
    fn descend(
        &mut self,
        mut node: &'a Node<V>,
        key: &Key,
        behind: bool,
    ) -> (&'a [(Key, V)], &'a [(Key, V)]) {
        let key = Probe::new(key);
        loop {
            match node {
                Node::Branch(branch) => {
                    let position = branch.position(&key);
                    self.above.push((branch, position));
                    node = &branch.children[position];
                }
                Node::Leaf(leaf) => {
                    let cut = match leaf.position(&key) {
                        Ok(position) => position + usize::from(behind),
                        Err(position) => position,
                    };
                    return leaf.entries.split_at(cut);
                }
            }
        }
    }

    fn enter_first(&mut self, mut node: &'a Node<V>) {
        loop {
            match node {
                Node::Branch(branch) => {
                    self.above.push((branch, 0));
                    node = &branch.children[0];
                }
                Node::Leaf(leaf) => {
                    self.leaf = leaf.entries.iter();
                    return;
                }
            }
        }
    }

    fn enter_last(&mut self, mut node: &'a Node<V>) {
        loop {
            match node {
                Node::Branch(branch) => {
                    self.above.push((branch, branch.keys.len()));
                    node = &branch.children[branch.keys.len()];
                }
                Node::Leaf(leaf) => {
                    self.leaf = leaf.entries.iter();
                    return;
                }
            }
        }
    }

    fn next(&mut self) -> Option<&'a (Key, V)> {
        loop {
            if let Some(entry) = self.leaf.next() {
                return Some(entry);
            }
            let (branch, position) = self.above.last_mut()?;
            *position += 1;
            match branch.children.get(*position) {
                Some(child) => self.enter_first(child),
                None => drop(self.above.pop()),
            }
        }
    }

    fn next_back(&mut self) -> Option<&'a (Key, V)> {
        loop {
            if let Some(entry) = self.leaf.next_back() {
                return Some(entry);
            }
            let (branch, position) = self.above.last_mut()?;
            let children = &branch.children;
            match position.checked_sub(1) {
                Some(before) => {
                    *position = before;
                    self.enter_last(&children[before]);
                }
                None => drop(self.above.pop()),
            }
        }
    }
}
