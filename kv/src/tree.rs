//! An ordered persistent map: a B+ tree whose nodes are shared between its copies. Cloning is a pointer
//! copy; a change copies those nodes on its path that another copy shares, and changes the others in
//! place.
//!
//! A search in a large map is as slow as the memory it must wait for. So each node holds the first eight
//! bytes in which its keys differ side by side, as numbers: they are fetched together and compared
//! without a branch, and nodes can be wide. Whole keys are compared only where the numbers are equal.
//!
//! Invariants
//! * Keys ascend; a branch with n keys has n + 1 children, and key i is above everything in child i and
//!   at or below everything in child i + 1.
//! * All leaves are equally far from the root. A branch has two children or more, and only a leaf that
//!   is the root may be empty.

mod change;
mod heads;
mod range;
#[cfg(test)]
mod tests;

use std::ops::Bound;
use std::sync::Arc;

use crate::key::Key;
use heads::{Heads, Probe};
use range::Range;

/// Most keys of a node.
const SLOTS: usize = 24;
/// A node that a removal leaves with fewer is joined with its neighbour.
const THIN: usize = SLOTS / 4;
/// Room that a node's list is given when it must grow: nodes are many, and mostly grow no more.
const GROWTH: usize = 4;

#[derive(Clone)]
pub(crate) struct Tree<V> {
    root: Arc<Node<V>>,
    count: usize,
}

#[derive(Clone)]
enum Node<V> {
    Leaf(Leaf<V>),
    Branch(Branch<V>),
}

#[derive(Clone)]
struct Leaf<V> {
    heads: Heads,
    entries: Vec<(Key, V)>,
}

#[derive(Clone)]
struct Branch<V> {
    heads: Heads,
    keys: Vec<Key>,
    children: Vec<Arc<Node<V>>>,
}

impl<V> Leaf<V> {
    fn new(entries: Vec<(Key, V)>) -> Self {
        Self { heads: Heads::of(entries.iter().map(|(key, _)| key)), entries }
    }

    /// Where `key` is, or would be.
    fn position(&self, key: &Probe<'_>) -> Result<usize, usize> {
        let (from, to) = self.heads.bounds(key, self.entries.len());
        match self.entries[from..to].binary_search_by(|(own, _)| (**own).cmp(key.bytes)) {
            Ok(position) => Ok(from + position),
            Err(position) => Err(from + position),
        }
    }
}

impl<V> Branch<V> {
    fn new(keys: Vec<Key>, children: Vec<Arc<Node<V>>>) -> Self {
        Self { heads: Heads::of(keys.iter()), keys, children }
    }

    /// The child in which `key` is, if it is anywhere.
    fn position(&self, key: &Probe<'_>) -> usize {
        let (from, to) = self.heads.bounds(key, self.keys.len());
        from + self.keys[from..to].partition_point(|own| **own <= *key.bytes)
    }
}

impl<V> Default for Tree<V> {
    fn default() -> Self {
        Self { root: Arc::new(Node::Leaf(Leaf::new(Vec::new()))), count: 0 }
    }
}

impl<V> Tree<V> {
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<&V> {
        let key = Probe::new(key);
        let mut node = &*self.root;
        loop {
            match node {
                Node::Branch(branch) => node = &branch.children[branch.position(&key)],
                Node::Leaf(leaf) => {
                    let position = leaf.position(&key).ok()?;
                    return Some(&leaf.entries[position].1);
                }
            }
        }
    }

    /// Those with keys in the range, ascending.
    pub(crate) fn range<'a>(&'a self, from: Bound<&[u8]>, to: Bound<&[u8]>) -> Range<'a, V> {
        Range::new(&self.root, from, to)
    }
}
