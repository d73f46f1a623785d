//! The tree against the maps of the standard library, and what it must keep however it is changed.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// What a tree holds, after a look at all its invariants.
fn contents(tree: &Tree<u32>) -> Vec<(Vec<u8>, u32)> {
    let mut leaves_at = None;
    check(&tree.root, 0, &mut leaves_at, true, Bound::Unbounded, Bound::Unbounded);
    let all: Vec<_> = tree
        .range(Bound::Unbounded, Bound::Unbounded)
        .map(|(key, value)| (key.to_vec(), *value))
        .collect();
    assert_eq!(all.len(), tree.len());
    all
}

fn check(
    node: &Node<u32>,
    depth: usize,
    leaves_at: &mut Option<usize>,
    is_root: bool,
    from: Bound<&Key>,
    to: Bound<&Key>,
) {
    use std::ops::RangeBounds;
    let (keys, heads): (Vec<&Key>, &Heads) = match node {
        Node::Leaf(leaf) => (leaf.entries.iter().map(|(key, _)| key).collect(), &leaf.heads),
        Node::Branch(branch) => (branch.keys.iter().collect(), &branch.heads),
    };
    assert!(keys.len() <= SLOTS && (is_root || !keys.is_empty()), "{} keys", keys.len());
    assert!(keys.is_sorted_by(|a, b| a < b));
    assert!(keys.iter().all(|key| (from, to).contains(*key)));
    for (position, key) in keys.iter().enumerate() {
        let (from, to) = heads.bounds(&Probe::new(key), keys.len());
        assert!((from..to).contains(&position));
    }
    let Node::Branch(branch) = node else {
        assert_eq!(*leaves_at.get_or_insert(depth), depth);
        return;
    };
    assert_eq!(branch.children.len(), keys.len() + 1);
    assert!(!keys.is_empty());
    for (position, child) in branch.children.iter().enumerate() {
        let from = position.checked_sub(1).map_or(from, |before| Bound::Included(keys[before]));
        let to = keys.get(position).map_or(to, |key| Bound::Excluded(*key));
        check(child, depth + 1, leaves_at, false, from, to);
    }
}

/// Keys of a few kinds: many that share their first eight bytes, some that are prefixes of others, some
/// that do not lie in place, some anywhere.
fn key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => (0..3_000_u32).prop_map(|number| format!("customer/{number:06}").into_bytes()),
        4 => any::<u16>().prop_map(|number| number.to_be_bytes().to_vec()),
        1 => prop::collection::vec(prop_oneof![Just(0), Just(255)], 0..12),
        1 => (0..200_u32).prop_map(|number| format!("a key of many bytes, number {number}").into()),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Insert(Vec<u8>, u32),
    Remove(Vec<u8>),
    /// Removes what begins with this letter or byte.
    RemoveMany(u8),
    /// Inserts ascending numbers from this one.
    InsertMany(u16),
    Copy,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (key(), any::<u32>()).prop_map(|(key, value)| Step::Insert(key, value)),
        4 => key().prop_map(Step::Remove),
        1 => any::<u8>().prop_map(Step::RemoveMany),
        2 => any::<u16>().prop_map(Step::InsertMany),
        1 => Just(Step::Copy),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn it_is_a_sorted_map_whose_copies_never_change(
        steps in prop::collection::vec(step(), 0..200),
        probes in prop::collection::vec(key(), 4),
        turns in prop::collection::vec(any::<bool>(), 40),
    ) {
        let (mut tree, mut model) = (Tree::default(), BTreeMap::new());
        let mut copies = Vec::new();
        for step in steps {
            match step {
                Step::Insert(key, value) => {
                    prop_assert_eq!(tree.insert(&Key::from(&key[..]), value), model.insert(key, value));
                }
                Step::Remove(key) => prop_assert_eq!(tree.remove(&key), model.remove(&key)),
                Step::RemoveMany(first) => {
                    let keys: Vec<Vec<u8>> =
                        model.keys().filter(|key| key.first() == Some(&first)).cloned().collect();
                    for key in keys {
                        prop_assert_eq!(tree.remove(&key), model.remove(&key));
                    }
                }
                Step::InsertMany(first) => {
                    for number in (first..u16::MAX).step_by(3).take(100) {
                        let key = number.to_be_bytes();
                        let before = tree.insert(&Key::from(&key[..]), 7);
                        prop_assert_eq!(before, model.insert(key.to_vec(), 7));
                    }
                }
                Step::Copy => copies.push((tree.clone(), model.clone())),
            }
        }
        copies.push((tree, model));
        for (tree, model) in copies {
            let expected: Vec<(Vec<u8>, u32)> = model.clone().into_iter().collect();
            prop_assert_eq!(contents(&tree), expected);
            for probe in &probes {
                prop_assert_eq!(tree.get(probe), model.get(probe));
            }
            check_ranges(&tree, &model, &probes, &turns)?;
        }
    }
}

fn check_ranges(
    tree: &Tree<u32>,
    model: &BTreeMap<Vec<u8>, u32>,
    probes: &[Vec<u8>],
    turns: &[bool],
) -> Result<(), TestCaseError> {
    let bounds = |probe: &Vec<u8>| {
        [Bound::Unbounded, Bound::Included(probe.clone()), Bound::Excluded(probe.clone())]
    };
    for pair in probes.chunks(2) {
        for from in bounds(&pair[0]) {
            for to in bounds(&pair[1]) {
                use std::ops::RangeBounds;
                let range = (from.clone(), to.clone());
                let expected: Vec<&Vec<u8>> =
                    model.keys().filter(|key| range.contains(*key)).collect();
                let found = || {
                    tree.range(from.as_ref().map(|key| &key[..]), to.as_ref().map(|key| &key[..]))
                };
                let keys: Vec<Vec<u8>> = found().map(|(key, _)| key.to_vec()).collect();
                prop_assert!(keys.iter().eq(expected.iter().copied()));
                let keys: Vec<Vec<u8>> = found().rev().map(|(key, _)| key.to_vec()).collect();
                prop_assert!(keys.iter().eq(expected.iter().rev().copied()));
                // From both ends in turn.
                let (mut both, mut model) = (found(), expected.into_iter());
                for forwards in turns {
                    let (found, expected) = if *forwards {
                        (both.next(), model.next())
                    } else {
                        (both.next_back(), model.next_back())
                    };
                    prop_assert_eq!(found.map(|(key, _)| key.to_vec()), expected.cloned());
                }
            }
        }
    }
    Ok(())
}

#[test]
fn a_tree_that_is_filled_in_order_has_full_leaves_and_empties_to_one() {
    let mut tree = Tree::default();
    let key = |number: u32| Key::from(&number.to_be_bytes()[..]);
    for number in 0..20_000 {
        assert_eq!(tree.insert(&key(number), number), None);
    }
    let Node::Branch(branch) = &*tree.root else { panic!("20,000 keys do not fit into a leaf") };
    assert!(branch.children.len() < 20_000 / SLOTS / SLOTS + 2);
    for number in 0..20_000 {
        assert_eq!(tree.remove(&key(number * 7 % 20_000)), Some(number * 7 % 20_000));
        if number % 500 == 0 {
            contents(&tree);
        }
    }
    assert!(matches!(&*tree.root, Node::Leaf(leaf) if leaf.entries.is_empty()));
}
