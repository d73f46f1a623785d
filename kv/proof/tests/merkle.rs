//! The Merkle tree against the definition in RFC 6962, section 2.1 (without its prefixes).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use affiant_proof::merkle::{MerklePath, Step, Tree};
use affiant_proof::{Digest, ProofError};
use proptest::prelude::*;

fn leaf(index: u64) -> Digest {
    if index == 0 { Digest::ZERO } else { Digest::of(&index.to_be_bytes()) }
}

fn leaves(size: u64) -> Vec<Digest> {
    (0..size).map(leaf).collect()
}

fn split(count: usize) -> usize {
    count.next_power_of_two() / 2
}

fn naive_root(leaves: &[Digest]) -> Digest {
    match leaves {
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            Digest::of_parts(&[&naive_root(left).0, &naive_root(right).0])
        }
    }
}

fn naive_path(leaves: &[Digest], index: usize) -> Vec<Step> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let middle = split(leaves.len());
    let (left, right) = leaves.split_at(middle);
    let (mut steps, last) = if index < middle {
        (naive_path(left, index), Step::Right(naive_root(right)))
    } else {
        (naive_path(right, index - middle), Step::Left(naive_root(left)))
    };
    steps.push(last);
    steps
}

fn grown(size: u64) -> Tree {
    let mut tree = Tree::new();
    (1..size).for_each(|index| tree.append(leaf(index)));
    tree
}

#[test]
fn roots_agree_at_every_size() {
    let mut tree = Tree::new();
    for size in 1..=600 {
        assert_eq!(tree.size(), size);
        assert_eq!(tree.root(), naive_root(&leaves(size)), "size {size}");
        tree.append(leaf(size));
    }
}

#[test]
fn paths_agree_at_every_small_size_and_around_powers_of_two() {
    let tree = grown(600);
    for size in (1..40).chain([63, 64, 65, 127, 128, 129, 255, 256, 257, 511, 512, 513, 599, 600]) {
        let all = leaves(size);
        let root = naive_root(&all);
        for index in 0..size {
            let path = tree.path_at(index, size).unwrap();
            assert_eq!(path.steps(), naive_path(&all, index as usize), "{index} of {size}");
            assert_eq!(path.root(&leaf(index)), root, "{index} of {size}");
        }
    }
}

#[test]
fn a_path_from_another_leaf_or_with_a_step_changed_leads_elsewhere() {
    let tree = grown(37);
    let path = tree.path(11).unwrap();
    assert_ne!(path.root(&leaf(12)), tree.root());
    for at in 0..path.steps().len() {
        let mut steps = path.steps().to_vec();
        steps[at] = match steps[at] {
            Step::Left(sibling) => Step::Right(sibling),
            Step::Right(sibling) => Step::Left(sibling),
        };
        assert_ne!(MerklePath::from_steps(steps).root(&leaf(11)), tree.root());
    }
}

#[test]
fn what_is_flushed_has_no_path_and_cannot_be_taken_back() {
    let mut tree = grown(20);
    tree.flush_to(9).unwrap();
    assert_eq!(tree.flushed(), 9);
    assert_eq!(tree.leaf(8), None);
    assert_eq!(tree.leaf(9), Some(leaf(9)));
    assert!(matches!(tree.path(8), Err(ProofError::OutOfRange { .. })));
    assert!(matches!(tree.path_at(9, 9), Err(ProofError::OutOfRange { .. })));
    assert!(matches!(tree.path_at(9, 21), Err(ProofError::OutOfRange { .. })));
    assert!(matches!(tree.retract_to(9), Err(ProofError::OutOfRange { .. })));
    assert!(matches!(tree.retract_to(21), Err(ProofError::OutOfRange { .. })));
    assert!(matches!(tree.flush_to(20), Err(ProofError::OutOfRange { .. })));
    tree.flush_to(3).unwrap();
    assert_eq!(tree.flushed(), 9, "flushing backwards changes nothing");
    tree.retract_to(10).unwrap();
    assert_eq!(tree.root(), naive_root(&leaves(10)));
    assert!(matches!(grown(4).retract_to(0), Err(ProofError::OutOfRange { .. })));
}

#[test]
fn other_bytes_than_one_whole_tree_are_refused() {
    let mut tree = grown(21);
    tree.flush_to(13).unwrap();
    let bytes = tree.serialise();
    assert_eq!(bytes.len(), 16 + 32 * (8 + 3));
    for end in 0..bytes.len() {
        assert!(Tree::deserialise(&bytes[..end]).is_err(), "cut at {end}");
    }
    assert!(Tree::deserialise(&[bytes.clone(), vec![0]].concat()).is_err());
    let mut empty = bytes.clone();
    empty[7] = 0;
    assert!(Tree::deserialise(&empty).is_err());
    let mut huge = bytes;
    huge[0] = 0xff;
    assert!(matches!(Tree::deserialise(&huge), Err(ProofError::TooLarge { .. })));
    let mut other_zero = grown(2).serialise();
    other_zero[16] = 1;
    assert!(Tree::deserialise(&other_zero).is_err());
}

#[derive(Clone, Debug)]
enum Step2 {
    Append(u64),
    Flush(u64),
    Retract(u64),
    Reload,
}

fn step() -> impl Strategy<Value = Step2> {
    prop_oneof![
        4 => (1_u64..90).prop_map(Step2::Append),
        1 => any::<u64>().prop_map(Step2::Flush),
        1 => any::<u64>().prop_map(Step2::Retract),
        1 => Just(Step2::Reload),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever is appended, flushed, taken back and reloaded: roots, paths and bytes are those
    /// of a tree that only ever grew to this size.
    #[test]
    fn flushing_retracting_and_reloading_change_no_root(
        steps in proptest::collection::vec(step(), 1..14)
    ) {
        let mut tree = Tree::new();
        let mut all = vec![Digest::ZERO];
        let mut fresh = 1 << 32;
        let mut flushed = 0;
        for step in steps {
            match step {
                Step2::Append(count) => for _ in 0..count {
                    tree.append(leaf(fresh));
                    all.push(leaf(fresh));
                    fresh += 1;
                },
                Step2::Flush(at) => {
                    flushed += at % (tree.size() - flushed);
                    tree.flush_to(flushed).unwrap();
                }
                Step2::Retract(at) => {
                    let size = flushed + 1 + at % (tree.size() - flushed);
                    tree.retract_to(size).unwrap();
                    all.truncate(size as usize);
                }
                Step2::Reload => {
                    let bytes = tree.serialise();
                    tree = Tree::deserialise(&bytes).unwrap();
                    prop_assert_eq!(tree.serialise(), bytes);
                }
            }
            prop_assert_eq!(tree.size(), all.len() as u64);
            prop_assert_eq!(tree.flushed(), flushed);
            prop_assert_eq!(tree.root(), naive_root(&all));
        }
        let size = all.len();
        for index in [flushed, (flushed + size as u64) / 2, size as u64 - 1] {
            let path = tree.path(index).unwrap();
            prop_assert_eq!(path.steps(), naive_path(&all, index as usize));
            let frontier_only = tree.serialise_flushed_to(index).unwrap();
            prop_assert_eq!(Tree::deserialise(&frontier_only).unwrap().root(), tree.root());
        }
    }
}
