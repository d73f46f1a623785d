//! Properties of the store against naive models.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use affiant_proof::{Digest, TxId};
use proptest::prelude::*;

use super::*;
use crate::key::Key;
use crate::map::Value;
use crate::name::MapName;
use crate::tx::Tx;

/// Map to key to value.
type Model = BTreeMap<(u8, u8), u8>;

/// One step of one of several transactions in progress.
#[derive(Clone, Debug)]
enum Action {
    Get(u8, u8),
    Has(u8, u8),
    Put(u8, u8, u8),
    Remove(u8, u8),
    Clear(u8),
    Len(u8),
    Range(u8, u8, u8, usize),
    /// Keeps what the transaction has read, for others to rely on.
    Remember,
    Rely,
    Commit,
    Abandon,
}

fn action() -> impl Strategy<Value = Action> {
    let map = || 0..3_u8;
    let key = || 0..5_u8;
    prop_oneof![
        4 => (map(), key()).prop_map(|(m, k)| Action::Get(m, k)),
        1 => (map(), key()).prop_map(|(m, k)| Action::Has(m, k)),
        5 => (map(), key(), any::<u8>()).prop_map(|(m, k, v)| Action::Put(m, k, v)),
        2 => (map(), key()).prop_map(|(m, k)| Action::Remove(m, k)),
        1 => map().prop_map(Action::Clear),
        1 => map().prop_map(Action::Len),
        2 => (map(), key(), key(), 0..4_usize).prop_map(|(m, a, b, l)| Action::Range(m, a, b, l)),
        2 => Just(Action::Remember),
        2 => Just(Action::Rely),
        4 => Just(Action::Commit),
        1 => Just(Action::Abandon),
    ]
}

fn name(map: u8) -> MapName {
    MapName::new(["public:zero", "one", "public:ccf.gov.two"][usize::from(map)]).unwrap()
}

/// Performs a step and says what it saw.
fn perform(tx: &mut Tx, action: &Action) -> Vec<u8> {
    match action {
        Action::Get(map, key) => tx.get(&name(*map), &[*key]).map_or(vec![], |v| v.to_vec()),
        Action::Has(map, key) => vec![u8::from(tx.has(&name(*map), &[*key]))],
        Action::Put(map, key, value) => {
            tx.put(&name(*map), &[*key], &[*value]).unwrap();
            vec![]
        }
        Action::Remove(map, key) => {
            tx.remove(&name(*map), &[*key]).unwrap();
            vec![]
        }
        Action::Clear(map) => {
            tx.clear(&name(*map));
            vec![]
        }
        Action::Len(map) => vec![tx.len(&name(*map)) as u8],
        Action::Range(map, from, to, limit) => tx
            .range(&name(*map), Bound::Included(&[*from]), Bound::Excluded(&[*to]), *limit)
            .iter()
            .flat_map(|(key, value)| [key[0], value[0]])
            .collect(),
        Action::Remember | Action::Rely | Action::Commit | Action::Abandon => vec![],
    }
}

/// The same on the model.
fn model_step(model: &mut Model, action: &Action) -> Vec<u8> {
    match action {
        Action::Get(map, key) => model.get(&(*map, *key)).map_or(vec![], |v| vec![*v]),
        Action::Has(map, key) => vec![u8::from(model.contains_key(&(*map, *key)))],
        Action::Put(map, key, value) => {
            model.insert((*map, *key), *value);
            vec![]
        }
        Action::Remove(map, key) => {
            model.remove(&(*map, *key));
            vec![]
        }
        Action::Clear(map) => {
            model.retain(|(own, _), _| own != map);
            vec![]
        }
        Action::Len(map) => vec![model.keys().filter(|(own, _)| own == map).count() as u8],
        Action::Range(map, from, to, limit) => model
            .iter()
            .filter(|((own, key), _)| own == map && (from..to).contains(&key))
            .take(*limit)
            .flat_map(|((_, key), value)| [*key, *value])
            .collect(),
        Action::Remember | Action::Rely | Action::Commit | Action::Abandon => vec![],
    }
}

fn contents(store: &Store) -> Model {
    let snapshot = store.snapshot();
    let entries = |map: u8| {
        let entries: Vec<_> = snapshot
            .entries(name(map).as_str())
            .map(|(key, value, _)| ((map, key[0]), value[0]))
            .collect();
        entries
    };
    (0..3).flat_map(entries).collect()
}

/// A transaction in progress, and what it has seen.
type Running = (Tx, Vec<(Action, Vec<u8>)>);

fn running(store: &Arc<Store>) -> Running {
    (store.begin(), Vec::new())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// Whatever is committed could have run alone, one after the other, in the order of its numbers.
    #[test]
    fn p03_committed_transactions_are_serialisable(
        script in prop::collection::vec((0..4_usize, action()), 1..120),
    ) {
        let store = Store::new();
        store.open_view(2);
        let mut model = Model::new();
        let mut history = vec![Model::new()];
        let mut slots: Vec<Running> = (0..4).map(|_| running(&store)).collect();
        let mut relies = [false; 4];
        let mut remembered = None;
        for (slot, action) in script {
            if matches!(action, Action::Abandon) {
                slots[slot] = running(&store);
                relies[slot] = false;
                continue;
            }
            if matches!(action, Action::Remember) {
                // What it saw is the state's only if it has not written.
                let (tx, seen) = &slots[slot];
                if !relies[slot] && !tx.has_writes() && let Some(reads) = tx.reads() {
                    remembered = Some((reads, seen.clone()));
                }
                continue;
            }
            if matches!(action, Action::Rely) {
                if let Some((reads, before)) = &remembered {
                    slots[slot].0.rely_on(reads.clone());
                    slots[slot].1.splice(0..0, before.iter().cloned());
                    relies[slot] = true;
                }
                continue;
            }
            if !matches!(action, Action::Commit) {
                let seen = perform(&mut slots[slot].0, &action);
                slots[slot].1.push((action, seen));
                continue;
            }
            let (tx, seen) = core::mem::replace(&mut slots[slot], running(&store));
            let relied = core::mem::take(&mut relies[slot]);
            let changed = relied || tx.snapshot_taken().is_some_and(|s| s.version() != store.last());
            match store.sequence(tx) {
                Sequencing::Done(done) => {
                    prop_assert_eq!(done.txid, TxId::new(2, history.len() as u64));
                    for (action, seen) in &seen {
                        prop_assert_eq!(&model_step(&mut model, action), seen, "{:?}", action);
                    }
                    prop_assert_eq!(&contents(&store), &model);
                    history.push(model.clone());
                }
                Sequencing::ReadOnly(Some(version)) => {
                    let mut then = history[version.seqno as usize].clone();
                    for (action, seen) in &seen {
                        prop_assert_eq!(&model_step(&mut then, action), seen, "{:?}", action);
                    }
                }
                Sequencing::ReadOnly(None) => {
                    let idle = |(_, seen): &(Action, Vec<u8>)| seen.is_empty();
                    prop_assert!(seen.iter().all(idle));
                }
                Sequencing::Conflict => prop_assert!(changed, "nothing changed since it read"),
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }

    /// A rollback gives back every earlier state, and no snapshot ever changes.
    #[test]
    fn a_rollback_restores_and_snapshots_never_change(
        script in prop::collection::vec((0..3_u8, prop::collection::vec(action(), 1..6)), 1..40),
        signatures in prop::collection::vec(any::<bool>(), 40),
        targets in prop::collection::vec(0.0..1.0_f64, 1..4),
    ) {
        let store = Store::new();
        let mut view = 2;
        store.open_view(view);
        let describe = |snapshot: &Snapshot| {
            let versions: Vec<u64> =
                [0, 1, 2].iter().map(|map| snapshot.version_of_map(name(*map).as_str())).collect();
            (snapshot.version(), snapshot.state_digest(), versions)
        };
        let mut states = vec![describe(&store.snapshot())];
        let mut kept: Vec<(Snapshot, Digest)> = Vec::new();
        for (round, (take_snapshot, actions)) in script.iter().enumerate() {
            if signatures[round % signatures.len()] {
                let txid = store.sequence_signature().unwrap();
                states.push((TxId::default(), Digest::ZERO, Vec::new()));
                let write = (Key::from(&b"k"[..]), Some(round.to_le_bytes()[..].into()));
                let table = MapName::new("public:ccf.internal.tree").unwrap();
                store.apply_internal(txid, vec![MapWrites { name: table, writes: vec![write] }]);
                states.pop();
                states.push(describe(&store.snapshot()));
            }
            let mut tx = store.begin();
            for action in actions {
                perform(&mut tx, action);
            }
            if let Sequencing::Done(_) = store.sequence(tx) {
                states.push(describe(&store.snapshot()));
            }
            if *take_snapshot == 0 {
                let snapshot = store.snapshot();
                let digest = snapshot.state_digest();
                kept.push((snapshot, digest));
            }
        }
        for target in targets {
            let target = (target * states.len() as f64) as usize;
            store.stop_sequencing();
            let mut late = store.begin();
            late.get(&name(0), &[0]);
            late.put(&name(0), &[0], &[1]).unwrap();
            store.rollback(target as u64);
            states.truncate(target + 1);
            prop_assert_eq!(&describe(&store.snapshot()), &states[target]);
            view += 1;
            store.open_view(view);
            let reads = late.reads().unwrap();
            let outcome = store.sequence(late);
            prop_assert!(matches!(outcome, Sequencing::Conflict), "a snapshot from before");
            let mut later = store.begin();
            later.rely_on(reads);
            prop_assert!(!later.reliance_holds(), "what was read before");
            later.put(&name(0), &[0], &[1]).unwrap();
            prop_assert!(matches!(store.sequence(later), Sequencing::Conflict));
        }
        for (snapshot, digest) in kept {
            prop_assert_eq!(snapshot.state_digest(), digest);
        }
    }
}

fn put(store: &Arc<Store>, map: u8, value: &[u8]) -> TxId {
    let mut tx = store.begin();
    tx.put(&name(map), b"key", value).unwrap();
    match store.sequence(tx) {
        Sequencing::Done(done) => done.txid,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_write_changes_the_head_in_place_unless_somebody_holds_the_state_before() {
    let store = Store::new();
    store.open_view(2);
    put(&store, 1, b"first");
    let held = store.snapshot();
    put(&store, 1, b"second");
    assert_eq!(held.get("one", b"key").as_deref(), Some(&b"first"[..]));
    // Read and written by one transaction: its own snapshot must not be in the way.
    let mut tx = store.begin();
    tx.get(&name(1), b"key");
    tx.put(&name(1), b"key", b"third").unwrap();
    let weak = Arc::downgrade(&store.published.load_full().unwrap());
    assert!(matches!(store.sequence(tx), Sequencing::Done(_)));
    assert!(weak.upgrade().is_none());
    assert_eq!(store.snapshot().get("one", b"key").as_deref(), Some(&b"third"[..]));
}

#[test]
fn a_row_of_governance_that_changes_is_noticed_by_readers_and_by_who_relies_on_it() {
    let store = Store::new();
    store.open_view(2);
    put(&store, 2, b"before");
    for changed in [false, true] {
        let mut reader = store.begin();
        reader.get(&name(2), b"key");
        let mut relying = store.begin();
        relying.rely_on(reader.reads().unwrap());
        for tx in [&mut reader, &mut relying] {
            tx.put(&name(1), b"key", b"value").unwrap();
        }
        put(&store, 1, b"application");
        if changed {
            put(&store, 2, b"after");
        }
        for tx in [reader, relying] {
            assert_eq!(matches!(store.sequence(tx), Sequencing::Conflict), changed);
        }
    }
}

#[test]
fn a_signature_whose_number_was_rolled_back_leaves_no_trace() {
    let store = Store::new();
    store.open_view(2);
    let txid = store.sequence_signature().unwrap();
    store.stop_sequencing();
    store.rollback(0);
    let write = (Key::from(&b"k"[..]), Some(b"v"[..].into()));
    let table = MapName::new("public:ccf.internal.tree").unwrap();
    store.apply_internal(txid, vec![MapWrites { name: table, writes: vec![write] }]);
    assert_eq!(store.snapshot().map_names().count(), 0);
    assert_eq!(store.last(), TxId::default());
}

#[test]
fn a_reader_of_the_signature_tables_conflicts_with_one_that_fills_them_in() {
    let store = Store::new();
    store.open_view(2);
    let table = MapName::new("public:ccf.internal.tree").unwrap();
    let txid = store.sequence_signature().unwrap();
    let mut tx = store.begin();
    assert_eq!(tx.get(&table, b"k"), None);
    tx.put(&name(1), b"saw", b"nothing").unwrap();
    let write = (Key::from(&b"k"[..]), Some(b"v"[..].into()));
    store.apply_internal(txid, vec![MapWrites { name: table, writes: vec![write] }]);
    assert!(matches!(store.sequence(tx), Sequencing::Conflict));
}

#[test]
fn p08_what_is_not_committed_is_bounded_in_number_and_in_bytes() {
    let store = Store::new();
    store.open_view(2);
    store.set_uncommitted_count_max(3);
    let write = |size: usize| {
        let mut tx = store.begin();
        tx.put(&name(1), b"key", &vec![0; size]).unwrap();
        store.sequence(tx)
    };
    for seqno in 1..=3 {
        assert!(matches!(write(1), Sequencing::Done(done) if done.txid.seqno == seqno));
    }
    assert!(matches!(write(1), Sequencing::TooManyPending));
    store.compact(TxId::new(2, 2));
    store.set_uncommitted_bytes_max(1_000);
    assert!(matches!(write(2_000), Sequencing::Done(_)), "one may exceed the bound");
    assert!(matches!(write(1), Sequencing::TooManyPending));
    store.compact(TxId::new(2, 4));
    assert!(matches!(write(1), Sequencing::Done(_)));
}

#[test]
fn p02_statuses_follow_the_table() {
    let store = Store::new();
    store.open_view(2);
    for key in 0..4 {
        let mut tx = store.begin();
        tx.put(&name(1), &[key], b"v").unwrap();
        store.sequence(tx);
    }
    store.compact(TxId::new(2, 2));
    let status = |view, seqno| store.status(TxId::new(view, seqno));
    assert_eq!(status(2, 1), TxStatus::Committed);
    assert_eq!(status(2, 3), TxStatus::Pending);
    assert_eq!(status(1, 1), TxStatus::Invalid);
    assert_eq!(status(3, 2), TxStatus::Invalid);
    assert_eq!(status(1, 3), TxStatus::Invalid, "the commit point is in a later view");
    assert_eq!(
        (status(2, 5), status(3, 5), status(2, 0)),
        (TxStatus::Unknown, TxStatus::Unknown, TxStatus::Invalid)
    );
    store.stop_sequencing();
    store.rollback(3);
    store.open_view(3);
    assert_eq!(status(2, 4), TxStatus::Unknown);
    let mut tx = store.begin();
    tx.put(&name(1), b"k", b"v").unwrap();
    store.sequence(tx);
    assert_eq!((status(2, 4), status(3, 4)), (TxStatus::Unknown, TxStatus::Pending));
    store.compact(TxId::new(3, 4));
    assert_eq!((status(2, 4), status(3, 4)), (TxStatus::Invalid, TxStatus::Committed));
}

#[test]
fn p09_a_transaction_can_neither_touch_the_signature_tables_nor_outgrow_an_entry() {
    let store = Store::new();
    store.open_view(2);
    for table in ["signatures", "cose_signatures", "tree"] {
        let table = MapName::new(&format!("public:ccf.internal.{table}")).unwrap();
        let mut tx = store.begin();
        assert!(tx.put(&table, b"key", b"value").is_err());
        assert!(tx.remove(&table, b"key").is_err());
        tx.clear(&table);
        assert!(tx.get(&table, b"key").is_none() && !tx.has_writes());
        assert!(tx.put(&table, b"key", b"value").is_err(), "even if it was read");
        tx.put(&name(1), b"key", b"value").unwrap();
        assert!(matches!(store.sequence(tx), Sequencing::Done(_)));
    }
    let mut tx = store.begin();
    let value = vec![0; 200 << 20];
    tx.put(&name(1), b"1", &value).unwrap();
    tx.put(&name(1), b"2", &value).unwrap();
    let error = tx.put(&name(1), b"3", &value).unwrap_err();
    assert!(error.to_string().contains("the writes of one transaction"), "{error}");
    tx.reset();
    tx.put(&name(1), b"3", b"value").unwrap();
}

#[test]
fn what_is_relied_on_costs_no_snapshot_and_is_checked_when_it_is_committed() {
    let store = Store::new();
    store.open_view(2);
    let put = |map: u8, key: u8| {
        let mut tx = store.begin();
        tx.put(&name(map), &[key], b"v").unwrap();
        store.sequence(tx)
    };
    put(0, 1);
    let mut first = store.begin();
    assert!(first.reads().is_none(), "it has read nothing");
    assert!(first.has(&name(0), &[1]) && !first.has(&name(0), &[2]));
    let reads = first.reads().unwrap();
    let relying = || {
        let mut tx = store.begin();
        tx.rely_on(reads.clone());
        tx
    };
    put(0, 3);
    let mut writer = relying();
    writer.put(&name(1), &[7], b"v").unwrap();
    assert!(writer.snapshot_taken().is_none());
    assert!(matches!(store.sequence(writer), Sequencing::Done(_)), "those rows are as they were");
    let last = store.last();
    assert!(matches!(store.sequence(relying()), Sequencing::ReadOnly(Some(seen)) if seen == last));
    let twin = Store::new();
    twin.open_view(2);
    let mut stranger = twin.begin();
    stranger.rely_on(reads.clone());
    assert!(!stranger.reliance_holds(), "another store's rows");
    put(0, 2);
    let mut writer = relying();
    writer.put(&name(1), &[7], b"v").unwrap();
    assert!(matches!(store.sequence(writer), Sequencing::Conflict), "a row has appeared");
    assert!(!relying().reliance_holds());
    assert!(matches!(store.sequence(relying()), Sequencing::Conflict));
}

/// A store with the keys of `held` in map `one`, sequenced but not sealed.
fn holding(held: &[&[u8]]) -> Snapshot {
    let store = Store::new();
    store.open_view(2);
    let mut tx = store.begin();
    for key in held {
        tx.put(&name(1), key, key).unwrap();
    }
    assert!(held.is_empty() || matches!(store.sequence(tx), Sequencing::Done(_)));
    store.snapshot()
}

fn keys<'a>(found: impl Iterator<Item = (&'a Key, &'a Value)>) -> Vec<Vec<u8>> {
    found.map(|(key, _)| key.to_vec()).collect()
}

#[test]
fn a_snapshot_has_every_prefix_up_to_the_last_key() {
    let snapshot = holding(&[b"", b"a", b"a\xff", b"a\xff\xff", b"b", b"\xff", b"\xff\xff"]);
    let with = |prefix: &[u8]| keys(snapshot.prefix("one", prefix));
    assert_eq!(with(b"").len(), 7);
    assert_eq!(with(b"a"), [&b"a"[..], b"a\xff", b"a\xff\xff"]);
    assert_eq!(with(b"a\xff"), [&b"a\xff"[..], b"a\xff\xff"]);
    assert_eq!(with(b"\xff"), [&b"\xff"[..], b"\xff\xff"]);
    assert!(with(b"c").is_empty() && with(b"a\xff\xff\xff").is_empty());
    assert_eq!(snapshot.prefix("two", b"").count(), 0);
    let last = snapshot.prefix("one", b"a").next_back();
    assert_eq!(last.map(|(key, _)| key.to_vec()), Some(b"a\xff\xff".to_vec()));
}

fn bound() -> impl Strategy<Value = Bound<Vec<u8>>> {
    let key = || proptest::collection::vec(0..3_u8, 0..3);
    prop_oneof![
        Just(Bound::Unbounded),
        key().prop_map(Bound::Included),
        key().prop_map(Bound::Excluded),
    ]
}

proptest! {
    #[test]
    fn a_snapshots_range_is_that_of_the_sorted_keys(
        held in proptest::collection::btree_set(proptest::collection::vec(0..3_u8, 0..3), 0..12),
        from in bound(),
        to in bound(),
    ) {
        let slices: Vec<&[u8]> = held.iter().map(Vec::as_slice).collect();
        let snapshot = holding(&slices);
        let within = |key: &&Vec<u8>| {
            (match &from {
                Bound::Unbounded => true,
                Bound::Included(from) => *key >= from,
                Bound::Excluded(from) => *key > from,
            }) && match &to {
                Bound::Unbounded => true,
                Bound::Included(to) => *key <= to,
                Bound::Excluded(to) => *key < to,
            }
        };
        let expected: Vec<Vec<u8>> = held.iter().filter(within).cloned().collect();
        let (from, to) = (from.as_ref().map(Vec::as_slice), to.as_ref().map(Vec::as_slice));
        prop_assert_eq!(&keys(snapshot.range("one", from, to)), &expected);
        let backwards: Vec<Vec<u8>> = expected.iter().rev().cloned().collect();
        prop_assert_eq!(keys(snapshot.range("one", from, to).rev()), backwards);
        prop_assert_eq!(snapshot.len("one"), held.len());
    }
}
