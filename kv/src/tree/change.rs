//! Insertion and removal.

use core::mem;
use std::sync::Arc;

use super::heads::{Heads, Probe};
use super::{Branch, GROWTH, Leaf, Node, SLOTS, THIN, Tree};
use crate::key::Key;

/// What an insertion came to.
enum Inserted<V> {
    Added,
    Replaced(V),
    /// Added, and the node has become two: the key between them, and the second.
    Split(Key, Arc<Node<V>>),
}

impl<V: Clone> Tree<V> {
    /// Sets the value of `key` and gives back what it had before.
    pub(crate) fn insert(&mut self, key: &Key, value: V) -> Option<V> {
        match insert(&mut self.root, &Probe::new(key), key, value) {
            Inserted::Replaced(before) => return Some(before),
            Inserted::Added => {}
            Inserted::Split(between, second) => {
                let first = self.root.clone();
                let root = Branch::new(vec![between], vec![first, second]);
                self.root = Arc::new(Node::Branch(root));
            }
        }
        self.count += 1;
        None
    }

    /// Removes `key` and gives back its value.
    pub(crate) fn remove(&mut self, key: &[u8]) -> Option<V> {
        // Nothing is copied for a key that is not there.
        self.get(key)?;
        let removed = remove(&mut self.root, &Probe::new(key));
        if let Node::Branch(branch) = &*self.root
            && let [only] = &branch.children[..]
        {
            self.root = only.clone();
        }
        self.count -= 1;
        removed
    }
}

fn insert<V: Clone>(
    node: &mut Arc<Node<V>>,
    probe: &Probe<'_>,
    key: &Key,
    value: V,
) -> Inserted<V> {
    match Arc::make_mut(node) {
        Node::Leaf(leaf) => leaf.insert(probe, key, value),
        Node::Branch(branch) => {
            let position = branch.position(probe);
            match insert(&mut branch.children[position], probe, key, value) {
                Inserted::Split(between, second) => branch.insert(position, between, second),
                done => done,
            }
        }
    }
}

fn remove<V: Clone>(node: &mut Arc<Node<V>>, key: &Probe<'_>) -> Option<V> {
    match Arc::make_mut(node) {
        Node::Leaf(leaf) => {
            let position = leaf.position(key).ok()?;
            leaf.heads.remove(position);
            Some(leaf.entries.remove(position).1)
        }
        Node::Branch(branch) => {
            let position = branch.position(key);
            let removed = remove(&mut branch.children[position], key);
            if branch.children[position].count() < THIN {
                branch.join(position);
            }
            removed
        }
    }
}

/// Where a full node is cut that grows at `position`. One that grows at its end stays full, since its
/// keys most likely come in order.
fn cut(position: usize) -> usize {
    if position == SLOTS { SLOTS } else { SLOTS / 2 }
}

/// Adds to a list that has room for few.
fn add<T>(list: &mut Vec<T>, position: usize, item: T) {
    if list.len() == list.capacity() {
        list.reserve_exact(GROWTH);
    }
    list.insert(position, item);
}

/// The part from `position` on; both parts have little room to spare.
fn split_off<T>(list: &mut Vec<T>, position: usize) -> Vec<T> {
    let rest = list.drain(position..).collect();
    list.shrink_to(position + GROWTH);
    rest
}

impl<V> Node<V> {
    fn count(&self) -> usize {
        match self {
            Self::Leaf(leaf) => leaf.entries.len(),
            Self::Branch(branch) => branch.keys.len(),
        }
    }
}

impl<V> Leaf<V> {
    fn insert(&mut self, probe: &Probe<'_>, key: &Key, value: V) -> Inserted<V> {
        let position = match self.position(probe) {
            Ok(position) => {
                return Inserted::Replaced(mem::replace(&mut self.entries[position].1, value));
            }
            Err(position) => position,
        };
        if self.entries.len() < SLOTS {
            add(&mut self.entries, position, (key.clone(), value));
            if self.heads.suit(probe) {
                self.heads.insert(position, probe);
            } else {
                self.heads = Heads::of(self.entries.iter().map(|(key, _)| key));
            }
            return Inserted::Added;
        }
        let cut = cut(position);
        let mut second = split_off(&mut self.entries, cut);
        if position < cut {
            add(&mut self.entries, position, (key.clone(), value));
        } else {
            add(&mut second, position - cut, (key.clone(), value));
        }
        *self = Self::new(mem::take(&mut self.entries));
        let between = second[0].0.clone();
        Inserted::Split(between, Arc::new(Node::Leaf(Self::new(second))))
    }
}

impl<V> Branch<V> {
    /// Puts a child behind the one at `position`, and the key between them.
    fn insert(&mut self, position: usize, between: Key, child: Arc<Node<V>>) -> Inserted<V> {
        if self.keys.len() < SLOTS {
            add(&mut self.keys, position, between);
            add(&mut self.children, position + 1, child);
            self.heads = Heads::of(self.keys.iter());
            return Inserted::Added;
        }
        self.keys.insert(position, between);
        self.children.insert(position + 1, child);
        let cut = cut(position).min(SLOTS - 1);
        let (between, second) = self.split(cut);
        Inserted::Split(between, Arc::new(Node::Branch(second)))
    }

    /// Keeps `cut` keys, and gives the next one and all behind it.
    fn split(&mut self, cut: usize) -> (Key, Self) {
        let second_keys = split_off(&mut self.keys, cut + 1);
        let second_children = split_off(&mut self.children, cut + 1);
        let between = self.keys.remove(cut);
        *self = Self::new(mem::take(&mut self.keys), mem::take(&mut self.children));
        (between, Self::new(second_keys, second_children))
    }
}

impl<V: Clone> Branch<V> {
    /// Makes one of the child at `position` and a neighbour, or two that are equally full.
    fn join(&mut self, position: usize) {
        assert!(!self.keys.is_empty(), "a branch has two children or more");
        let first = position.min(self.keys.len() - 1);
        let between = self.keys.remove(first);
        let second = self.children.remove(first + 1);
        let second = Arc::unwrap_or_clone(second);
        if let Some((between, second)) =
            Arc::make_mut(&mut self.children[first]).absorb(between, second)
        {
            self.keys.insert(first, between);
            self.children.insert(first + 1, Arc::new(second));
        }
        self.heads = Heads::of(self.keys.iter());
    }
}

impl<V> Node<V> {
    /// Takes all of `second`, which lies behind it with `between` in between; gives half back if it
    /// is too much for one node.
    fn absorb(&mut self, between: Key, second: Self) -> Option<(Key, Self)> {
        match (self, second) {
            (Self::Leaf(leaf), Self::Leaf(second)) => {
                leaf.entries.extend(second.entries);
                let half = leaf.entries.len() / 2;
                let rest = (leaf.entries.len() > SLOTS).then(|| split_off(&mut leaf.entries, half));
                *leaf = Leaf::new(mem::take(&mut leaf.entries));
                rest.map(|rest| (rest[0].0.clone(), Self::Leaf(Leaf::new(rest))))
            }
            (Self::Branch(branch), Self::Branch(second)) => {
                branch.keys.push(between);
                branch.keys.extend(second.keys);
                branch.children.extend(second.children);
                if branch.keys.len() > SLOTS {
                    let (between, second) = branch.split(branch.keys.len() / 2);
                    return Some((between, Self::Branch(second)));
                }
                let children = mem::take(&mut branch.children);
                *branch = Branch::new(mem::take(&mut branch.keys), children);
                None
            }
            _ => unreachable!("all leaves are equally far from the root"),
        }
    }
}
