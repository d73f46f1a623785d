//! `ccf.kv` (reference A.4) and what a script may do to which map (D.2).
//!
//! A handle knows its map by name and finds the running request's transaction at each call, so
//! handles made at module scope work for later requests too. CCF's byte API is the one for
//! ArrayBuffer keys; a string key means the typed layer: the key's UTF-8, the value's JSON. Iteration
//! is in key order, and `range` is ours.
//!
//! Handles of a historical state (A.7) have the same methods; they read what one past transaction
//! wrote, and refuse to write.
//!
//! No borrow of the transaction is held while a script runs: entries are collected first.

use std::collections::HashMap;
use std::ops::Bound;
use std::sync::Arc;

use affiant::historical::HistoricalState;
use affiant_kv::{Key, MapName, Tx, Value as Bytes};

use super::converters::NOT_A_BUFFER;
use super::{KV, function};
use crate::engine::{Args, Arity, ErrorKind, Native, Scope, Script, Value};

/// Methods of map handles; [`install`] makes `size` an accessor.
pub(super) static NATIVES: &[Native] = &[
    Native { name: c"has", arity: Arity::Any, run: has },
    Native { name: c"get", arity: Arity::Any, run: get },
    Native { name: c"getVersionOfPreviousWrite", arity: Arity::Any, run: version },
    Native { name: c"set", arity: Arity::Any, run: set },
    Native { name: c"delete", arity: Arity::Any, run: delete },
    Native { name: c"clear", arity: Arity::Any, run: clear },
    Native { name: c"forEach", arity: Arity::Any, run: for_each },
    Native { name: c"range", arity: Arity::Any, run: range },
    Native { name: c"size", arity: Arity::Any, run: size },
];

/// Map names that an interpreter's handles refer to by position.
#[derive(Default)]
pub(crate) struct MapTable {
    names: Vec<MapName>,
    positions: HashMap<MapName, usize>,
}

impl MapTable {
    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    /// Forgets those past `length`; no handle of theirs is left.
    pub(crate) fn truncate(&mut self, length: usize) {
        for name in self.names.drain(length.min(self.names.len())..) {
            self.positions.remove(&name);
        }
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.positions.get(name).copied()
    }

    fn add(&mut self, name: MapName) -> usize {
        let position = self.names.len();
        self.positions.insert(name.clone(), position);
        self.names.push(name);
        position
    }
}

/// Makes `ccf.kv` and the prototype of its handles.
pub(super) fn install<'js>(scope: Scope<'js>) -> Script<Value<'js>> {
    let prototype = scope.object()?;
    for (index, native) in NATIVES.iter().enumerate() {
        let method = function(scope, KV, index)?;
        if native.name == c"size" {
            scope.set_getter(&prototype, "size", method)?;
        } else {
            scope.set_hidden(&prototype, native.name, method)?;
        }
    }
    scope.set_prototypes(prototype, scope.object()?);
    scope.kv_object(0)
}

/// Bits of a handle's number that hold the position of its map, from 1 on; those above hold the
/// number of the historical state, 0 for the transaction of the running request.
const MAP_BITS: u32 = 24;

/// A fresh handle of the map of that name.
pub(crate) fn map_handle<'js>(scope: Scope<'js>, name: &str, state: u64) -> Script<Value<'js>> {
    let known = scope.host().maps.borrow().position(name);
    let position = match known {
        Some(position) => position,
        None => {
            let name = MapName::new(name)
                .map_err(|error| scope.throw(ErrorKind::Internal, &error.to_string()))?;
            scope.host().maps.borrow_mut().add(name)
        }
    };
    if position >> MAP_BITS != 0 {
        return Err(scope.throw(ErrorKind::Range, "too many map names for one interpreter"));
    }
    scope.handle((state << MAP_BITS) | (position as u64 + 1))
}

/// What a handle reads from and writes to.
enum Source {
    /// The transaction of the running request.
    Live,
    /// What one past transaction wrote.
    Past(Arc<HistoricalState>),
}

/// A map, once the call is permitted.
struct Table {
    map: MapName,
    source: Source,
}

/// The table behind `this`, once the call is permitted.
fn table_of<'js>(scope: Scope<'js>, this: &Value<'js>, method: &str, write: bool) -> Script<Table> {
    let unknown = || scope.throw(ErrorKind::Internal, "Internal: Unable to access MapHandle");
    let number = scope.handle_number(this);
    let position = (number & ((1 << MAP_BITS) - 1)).checked_sub(1).ok_or_else(unknown)?;
    let known = scope.host().maps.borrow().names.get(position as usize).cloned();
    let map = known.ok_or_else(unknown)?;
    let context = scope.host().context.get();
    let source = match number >> MAP_BITS {
        0 => Source::Live,
        state => {
            let state = scope.host().states.borrow().get(state);
            Source::Past(state.ok_or_else(unknown)?)
        }
    };
    let permitted = match source {
        Source::Live => context.permit(&map, method, write),
        Source::Past(_) => context.permit_in_past(&map, method, write),
    };
    permitted.map_err(|refusal| scope.throw_type(&refusal.to_string()))?;
    Ok(Table { map, source })
}

/// The map to which a method that writes writes.
fn writable<'js>(scope: Scope<'js>, this: &Value<'js>, method: &str) -> Script<MapName> {
    table_of(scope, this, method, true).map(|table| table.map)
}

impl Table {
    /// Reads; neither function may call scripts.
    fn read<R>(
        &self,
        scope: Scope<'_>,
        live: impl FnOnce(&mut Tx, &MapName) -> R,
        past: impl FnOnce(&HistoricalState, &MapName) -> R,
    ) -> Script<R> {
        match &self.source {
            Source::Live => with_tx(scope, |tx| live(tx, &self.map)),
            Source::Past(state) => Ok(past(state, &self.map)),
        }
    }

    /// Up to `limit` entries with keys in the range, ascending.
    fn entries(
        &self,
        scope: Scope<'_>,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        limit: usize,
    ) -> Script<Vec<(Key, Bytes)>> {
        let past = |state: &HistoricalState, map: &MapName| {
            let within = |key: &Key| core::ops::RangeBounds::<[u8]>::contains(&(from, to), &**key);
            let found = state.entries(map).filter(|(key, _)| within(key)).take(limit);
            found.map(|(key, value)| (key.clone(), value.clone())).collect()
        };
        self.read(scope, |tx, map| tx.range(map, from, to, limit), past)
    }
}

fn check_count(scope: Scope<'_>, args: &Args<'_>, wanted: usize) -> Script<()> {
    if args.len() == wanted {
        return Ok(());
    }
    let count = args.len();
    Err(scope.throw_type(&format!("Passed {count} arguments, but expected {wanted}")))
}

/// Lends the running request's transaction; `run` may not call scripts.
fn with_tx<R>(scope: Scope<'_>, run: impl FnOnce(&mut Tx) -> R) -> Script<R> {
    scope.host().touch();
    match scope.host().tx.borrow_mut().as_mut() {
        Some(tx) => Ok(run(tx)),
        None => Err(scope.throw(ErrorKind::Internal, "Internal: Unable to access MapHandle")),
    }
}

/// Lends a key's bytes, and whether it is of the typed layer.
fn with_key<'js, R>(
    scope: Scope<'js>,
    key: &Value<'js>,
    run: impl FnOnce(&[u8]) -> Script<R>,
) -> Script<R> {
    if key.is_string() {
        return scope.with_text(key, run)?;
    }
    scope.with_buffer(key, run).unwrap_or_else(|| Err(scope.throw_type(NOT_A_BUFFER)))
}

fn has<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let table = table_of(scope, &args.this(), "has", false)?;
    check_count(scope, &args, 1)?;
    let found = with_key(scope, &args.get(0), |key| {
        table.read(scope, |tx, map| tx.has(map, key), |state, map| state.get(map, key).is_some())
    })?;
    Ok(scope.boolean(found))
}

fn get<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let table = table_of(scope, &args.this(), "get", false)?;
    check_count(scope, &args, 1)?;
    let key = args.get(0);
    let found = with_key(scope, &key, |key| {
        table.read(scope, |tx, map| tx.get(map, key), |state, map| state.get(map, key).cloned())
    })?;
    match found {
        None => Ok(scope.undefined()),
        Some(value) if key.is_string() => scope.parse_json(&value),
        Some(value) => scope.array_buffer(&value),
    }
}

fn version<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let table = table_of(scope, &args.this(), "getVersionOfPreviousWrite", false)?;
    check_count(scope, &args, 1)?;
    let seqno = with_key(scope, &args.get(0), |key| {
        table.read(
            scope,
            |tx, map| tx.version_of_previous_write(map, key),
            |state, map| state.get(map, key).map(|_| state.txid().seqno),
        )
    })?;
    Ok(seqno.map_or_else(|| scope.undefined(), |seqno| scope.integer(seqno)))
}

fn set<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let map = writable(scope, &args.this(), "set")?;
    check_count(scope, &args, 2)?;
    let (key, value) = (args.get(0), args.get(1));
    let put = |key: &[u8], value: &[u8]| {
        with_tx(scope, |tx| tx.put(&map, key, value))?
            .map_err(|error| scope.throw(ErrorKind::Range, &error.to_string()))
    };
    if key.is_string() {
        if value.is_array_buffer() || value.is_typed_array() {
            return Err(scope.throw_type(
                "A string key takes a JSON value; to store bytes make the key an ArrayBuffer \
                 (ccf.strToBuf(key))",
            ));
        }
        let json = scope.to_json(&value)?;
        if !json.is_string() {
            return Err(scope.throw_type("A string key takes a JSON value; this one has no JSON"));
        }
        scope.with_text(&key, |key| scope.with_text(&json, |json| put(key, json)))???;
    } else {
        let written =
            scope.with_buffer(&key, |key| scope.with_buffer(&value, |value| put(key, value)));
        match written.flatten() {
            Some(written) => written?,
            None => return Err(scope.throw_type("Arguments must be ArrayBuffers")),
        }
    }
    Ok(args.this())
}

fn delete<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let map = writable(scope, &args.this(), "delete")?;
    check_count(scope, &args, 1)?;
    with_key(scope, &args.get(0), |key| {
        with_tx(scope, |tx| tx.remove(&map, key))?
            .map_err(|error| scope.throw(ErrorKind::Range, &error.to_string()))
    })?;
    Ok(scope.undefined())
}

fn clear<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let map = writable(scope, &args.this(), "clear")?;
    check_count(scope, &args, 0)?;
    with_tx(scope, |tx| tx.clear(&map))?;
    Ok(scope.undefined())
}

fn for_each<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let this = args.this();
    let table = table_of(scope, &this, "forEach", false)?;
    check_count(scope, &args, 1)?;
    let callback = args.get(0);
    if !callback.is_function() {
        return Err(scope.throw_type("Argument must be a function"));
    }
    for (key, value) in table.entries(scope, Bound::Unbounded, Bound::Unbounded, usize::MAX)? {
        let (key, value) = (scope.array_buffer(&key)?, scope.array_buffer(&value)?);
        scope.call(&callback, &[&value, &key, &this])?;
    }
    Ok(scope.undefined())
}

fn size<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let table = table_of(scope, &args.this(), "size", false)?;
    let count =
        table.read(scope, |tx, map| tx.len(map), |state, map| state.entries(map).count())?;
    Ok(scope.integer(count as u64))
}

/// `range(from, to[, limit])`: entries with `from <= key < to` in key order, as `[key, value]`
/// pairs. A bound that is null or undefined is open. String bounds mean the typed layer.
fn range<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let table = table_of(scope, &args.this(), "range", false)?;
    if !(2..=3).contains(&args.len()) {
        let count = args.len();
        let message = format!("Passed {count} arguments, but expected between 2 and 3");
        return Err(scope.throw_type(&message));
    }
    let (from, to) = (args.get(0), args.get(1));
    let typed = from.is_string() || to.is_string();
    let bound = |value: &Value<'js>| -> Script<Option<Vec<u8>>> {
        if value.is_undefined() || value.is_null() {
            return Ok(None);
        }
        if typed && !value.is_string() {
            return Err(scope.throw_type("Both bounds must be strings, or neither"));
        }
        with_key(scope, value, |key| Ok(Some(key.to_vec())))
    };
    let (from, to) = (bound(&from)?, bound(&to)?);
    let limit = limit_of(scope, &args.get(2))?;
    let from = from.as_deref().map_or(Bound::Unbounded, Bound::Included);
    let to = to.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    let entries = table.entries(scope, from, to, limit)?;
    let mut pairs = Vec::new();
    for (key, value) in entries {
        let pair = if typed {
            vec![scope.string_from_bytes(&key)?, scope.parse_json(&value)?]
        } else {
            vec![scope.array_buffer(&key)?, scope.array_buffer(&value)?]
        };
        pairs.push(scope.array(pair)?);
    }
    scope.array(pairs)
}

fn limit_of<'js>(scope: Scope<'js>, value: &Value<'js>) -> Script<usize> {
    if value.is_undefined() {
        return Ok(usize::MAX);
    }
    match value.as_number() {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range")]
        Some(limit) if limit >= 0.0 && limit.fract() == 0.0 => Ok(limit as usize),
        _ => Err(scope.throw_type("The limit must be a whole number, not negative")),
    }
}
