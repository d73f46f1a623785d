//! The Merkle tree over the ledger, and the paths cut from it.
//!
//! Leaf 0 is 32 zero bytes; leaf i is that of seqno i. A node is SHA-256(left || right); the
//! shape is RFC 6962's. [`Tree`] keeps the root of every complete subtree it may still need, row
//! by row, so an append costs one hash on average, a root or a path one per level.
//!
//! Invariant: row k holds the complete subtrees of 2^k leaves with indices
//! `(flushed >> k) & !1 .. size >> k`. The even lower bound keeps, for each one bit of `flushed`,
//! the subtree left of it: exactly the frontier from which everything flushed was hashed.

mod path;
mod serialise;

pub use path::{MerklePath, Step};

use crate::{Digest, ProofError};

/// A Merkle tree that can forget its oldest leaves and take back its newest.
#[derive(Clone)]
pub struct Tree {
    rows: Vec<Row>,
    /// Leaves appended, leaf 0 included: the index of the next leaf.
    size: u64,
    /// The index of the first leaf that is retained.
    flushed: u64,
}

impl Tree {
    /// The tree of an empty ledger: leaf 0 alone.
    #[must_use]
    pub fn new() -> Self {
        let mut tree = Self { rows: Vec::new(), size: 0, flushed: 0 };
        tree.append(Digest::ZERO);
        tree
    }

    /// The number of leaves, leaf 0 included; equals the seqno of the next entry.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The index of the first leaf still retained; paths exist from there on.
    #[must_use]
    pub const fn flushed(&self) -> u64 {
        self.flushed
    }

    /// Appends the leaf of the next entry.
    pub fn append(&mut self, leaf: Digest) {
        let mut node = leaf;
        let mut index = self.size;
        for level in 0.. {
            if level == self.rows.len() {
                self.rows.push(Row::default());
            }
            let row = &mut self.rows[level];
            row.push(node);
            if index & 1 == 0 {
                break;
            }
            node = Digest::node(row.node(index - 1), row.node(index));
            index >>= 1;
        }
        self.size += 1;
    }

    /// The root over all leaves: what the signature entry at seqno [`Tree::size`] signs.
    #[must_use]
    pub fn root(&self) -> Digest {
        let mut edge = None;
        for level in 0..self.rows.len() {
            edge = self.edge_above(level, self.size, edge);
        }
        edge.expect("a tree has at least leaf 0")
    }

    /// The path of the leaf at `index` to [`Tree::root`].
    ///
    /// # Errors
    /// As [`Tree::path_at`].
    pub fn path(&self, index: u64) -> Result<MerklePath, ProofError> {
        self.path_at(index, self.size)
    }

    /// The path of the leaf at `index` to the root that the tree had with `size` leaves.
    ///
    /// # Errors
    /// [`ProofError::OutOfRange`] if the leaf is flushed, not below `size`, or `size` is above
    /// the tree's.
    pub fn path_at(&self, index: u64, size: u64) -> Result<MerklePath, ProofError> {
        let flushed = self.flushed;
        in_range("size of the tree", size, flushed + 1, self.size + 1)?;
        in_range("leaf index", index, flushed, size)?;
        let mut steps = Vec::with_capacity(64 - size.leading_zeros() as usize);
        let mut edge = None;
        for level in 0..self.rows.len() {
            // The nodes of this row are `size >> level` complete ones and perhaps the edge.
            let complete = size >> level;
            let node = index >> level;
            if node & 1 == 1 {
                steps.push(Step::Left(*self.rows[level].node(node - 1)));
            } else if node + 1 < complete {
                steps.push(Step::Right(*self.rows[level].node(node + 1)));
            } else if node + 1 == complete
                && let Some(edge) = edge
            {
                steps.push(Step::Right(edge));
            }
            edge = self.edge_above(level, size, edge);
        }
        Ok(MerklePath::from_steps(steps))
    }

    /// Forgets all leaves below `index`, and keeps what later paths and roots need of them.
    /// Does nothing if they are forgotten already.
    ///
    /// # Errors
    /// [`ProofError::OutOfRange`] if `index` is not a leaf of the tree.
    pub fn flush_to(&mut self, index: u64) -> Result<(), ProofError> {
        in_range("leaf index", index, 0, self.size)?;
        if index > self.flushed {
            self.flushed = index;
            for (level, row) in self.rows.iter_mut().enumerate() {
                row.forget_below((index >> level) & !1);
            }
        }
        Ok(())
    }

    /// Takes back all leaves from index `size` on (a rollback to seqno `size - 1`).
    ///
    /// # Errors
    /// [`ProofError::OutOfRange`] if that would take back a flushed leaf, or `size` is above the
    /// tree's.
    pub fn retract_to(&mut self, size: u64) -> Result<(), ProofError> {
        in_range("size of the tree", size, self.flushed + 1, self.size + 1)?;
        self.size = size;
        for (level, row) in self.rows.iter_mut().enumerate() {
            row.truncate(size >> level);
        }
        Ok(())
    }

    /// The leaf at `index`, if it is retained.
    #[must_use]
    pub fn leaf(&self, index: u64) -> Option<Digest> {
        (self.flushed..self.size).contains(&index).then(|| *self.rows[0].node(index))
    }

    /// Given the hash `edge` of the incomplete node at the right of row `level` (none if the row
    /// ends on a complete node), the same for the row above. Above the top row it is the root.
    fn edge_above(&self, level: usize, size: u64, edge: Option<Digest>) -> Option<Digest> {
        let complete = size >> level;
        if complete & 1 == 0 {
            return edge;
        }
        let last = self.rows[level].node(complete - 1);
        Some(edge.map_or(*last, |edge| Digest::node(last, &edge)))
    }
}

impl Default for Tree {
    fn default() -> Self {
        Self::new()
    }
}

impl core::fmt::Debug for Tree {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Tree").field("size", &self.size).field("flushed", &self.flushed).finish()
    }
}

/// One row of complete subtrees, from index `base` on.
#[derive(Clone, Default)]
struct Row {
    base: u64,
    /// How many of the nodes in front are forgotten; they are dropped in bulk.
    stale: usize,
    nodes: Vec<Digest>,
}

impl Row {
    fn node(&self, index: u64) -> &Digest {
        assert!(index >= self.base, "the node was flushed");
        &self.nodes[(index - self.base) as usize + self.stale]
    }

    fn push(&mut self, node: Digest) {
        self.nodes.push(node);
    }

    fn forget_below(&mut self, index: u64) {
        assert!(index >= self.base, "nodes come back");
        self.stale += (index - self.base) as usize;
        self.base = index;
        assert!(self.stale <= self.nodes.len(), "nodes are forgotten before they exist");
        // Each node is moved at most once per time it could have been dropped.
        if self.stale * 2 >= self.nodes.len() {
            self.nodes.drain(..self.stale);
            self.stale = 0;
        }
    }

    fn truncate(&mut self, end: u64) {
        self.nodes.truncate((end - self.base) as usize + self.stale);
    }
}

fn in_range(what: &'static str, found: u64, low: u64, high: u64) -> Result<(), ProofError> {
    if (low..high).contains(&found) {
        return Ok(());
    }
    Err(ProofError::OutOfRange { what, found, low, high })
}
