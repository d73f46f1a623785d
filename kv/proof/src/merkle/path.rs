//! Merkle paths: the siblings between a leaf and a root.

use crate::Digest;

/// One step of a path: the sibling, and the side it stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The sibling precedes: the parent is SHA-256(sibling || current).
    Left(Digest),
    /// The sibling follows: the parent is SHA-256(current || sibling).
    Right(Digest),
}

/// The steps from a leaf up to the root, the leaf's own sibling first.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct MerklePath {
    steps: Vec<Step>,
}

impl MerklePath {
    /// A path of these steps, the leaf's own sibling first.
    #[must_use]
    pub const fn from_steps(steps: Vec<Step>) -> Self {
        Self { steps }
    }

    /// The steps, the leaf's own sibling first.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The root to which this path leads from `leaf`.
    #[must_use]
    pub fn root(&self, leaf: &Digest) -> Digest {
        self.steps.iter().fold(*leaf, |current, step| match step {
            Step::Left(sibling) => Digest::node(sibling, &current),
            Step::Right(sibling) => Digest::node(&current, sibling),
        })
    }
}
