//! The bytes of a tree in the table `public:ccf.internal.tree`: big-endian, unlike the rest of
//! the ledger. The number of retained leaves, the number of flushed leaves, the retained leaves,
//! then one root for each one bit of the number of flushed leaves, lowest bit first.

use super::{Row, Tree, in_range};
use crate::bytes::Cursor;
use crate::limits::TREE_LEAVES_MAX;
use crate::{Digest, ProofError};

impl Tree {
    /// The tree in CCF's bytes.
    #[must_use]
    pub fn serialise(&self) -> Vec<u8> {
        self.serialise_flushed_to(self.flushed).expect("the first retained leaf is in the tree")
    }

    /// The tree as it would be after `flush_to(index)`, in CCF's bytes. With the last leaf's
    /// index this is the smallest form that any reader accepts.
    ///
    /// # Errors
    /// [`ProofError::OutOfRange`] if `index` is flushed or no leaf of the tree.
    pub fn serialise_flushed_to(&self, index: u64) -> Result<Vec<u8>, ProofError> {
        in_range("leaf index", index, self.flushed, self.size)?;
        let retained = self.size - index;
        let digests = retained as usize + index.count_ones() as usize;
        let mut out = Vec::with_capacity(16 + 32 * digests);
        out.extend_from_slice(&retained.to_be_bytes());
        out.extend_from_slice(&index.to_be_bytes());
        for leaf in index..self.size {
            out.extend_from_slice(&self.rows[0].node(leaf).0);
        }
        for (level, row) in self.rows.iter().enumerate() {
            if (index >> level) & 1 == 1 {
                out.extend_from_slice(&row.node((index >> level) - 1).0);
            }
        }
        Ok(out)
    }

    /// Whether `bytes` are this tree serialised as if flushed to some index that is not yet
    /// flushed. Compares in place, without hashing; false also if they are flushed further back.
    #[must_use]
    pub fn matches_serialised(&self, bytes: &[u8]) -> bool {
        let Some((head, digests)) = bytes.split_first_chunk::<16>() else { return false };
        let [retained, flushed] = [&head[..8], &head[8..]]
            .map(|half| half.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)));
        let in_tree = (self.flushed..self.size).contains(&flushed);
        let length = retained.checked_add(u64::from(flushed.count_ones()));
        let length = length.and_then(|digests| digests.checked_mul(32));
        if !in_tree || retained != self.size - flushed || length != Some(digests.len() as u64) {
            return false;
        }
        let leaves = (flushed..self.size).map(|leaf| self.rows[0].node(leaf));
        let frontier = self.rows.iter().enumerate().filter_map(|(level, row)| {
            let index = flushed >> level;
            (index & 1 == 1).then(|| row.node(index - 1))
        });
        leaves.chain(frontier).zip(digests.chunks_exact(32)).all(|(own, theirs)| own.0 == *theirs)
    }

    /// A tree from CCF's bytes.
    ///
    /// # Errors
    /// The bytes are not exactly one tree, hold no leaf, or too many.
    pub fn deserialise(bytes: &[u8]) -> Result<Self, ProofError> {
        const WHAT: &str = "serialised tree";
        let mut cursor = Cursor::new(bytes, 0);
        let retained = cursor.u64_be(WHAT)?;
        let flushed = cursor.u64_be(WHAT)?;
        for found in [retained, flushed] {
            if found > TREE_LEAVES_MAX {
                let limit = TREE_LEAVES_MAX;
                return Err(ProofError::TooLarge { what: "leaves of a tree", found, limit });
            }
        }
        if retained == 0 {
            let why = "it retains no leaf";
            return Err(ProofError::Malformed { what: WHAT, offset: 0, why });
        }
        let leaves = cursor.take(retained * 32, WHAT)?;
        let mut tree = Self { rows: Vec::new(), size: flushed, flushed };
        for level in 0..(64 - flushed.leading_zeros()) {
            let base = (flushed >> level) & !1;
            let mut row = Row { base, ..Row::default() };
            if (flushed >> level) & 1 == 1 {
                row.push(Digest(cursor.array(WHAT)?));
            }
            tree.rows.push(row);
        }
        if cursor.remaining() != 0 {
            let why = "bytes follow its last hash";
            return Err(ProofError::Malformed { what: WHAT, offset: cursor.offset(), why });
        }
        let mut leaves = Cursor::new(leaves, 16);
        for _ in 0..retained {
            tree.append(Digest(leaves.array(WHAT)?));
        }
        if tree.leaf(0).is_some_and(|leaf| leaf != Digest::ZERO) {
            let why = "leaf 0 is not 32 zero bytes";
            return Err(ProofError::Malformed { what: WHAT, offset: 16, why });
        }
        Ok(tree)
    }
}
