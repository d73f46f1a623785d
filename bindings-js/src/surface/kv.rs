//! `ccf.kv` (reference A.4) and what a script may do to which map (D.2).
//!
//! A handle knows its map by name and finds the running request's transaction at each call, so
//! handles made at module scope work for later requests too. CCF's byte API is the one for
//! ArrayBuffer keys; a string key means the typed layer: the key's UTF-8, the value's JSON. Iteration
//! is in key order, and `range` is ours.
//!
//! No borrow of the transaction is held while a script runs: entries are collected first.

use std::collections::HashMap;
use std::ops::Bound;

use affiant::Mode;
use affiant_kv::{Category, MapName, Tx};

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

const RESTRICTIONS_URL: &str =
    "https://microsoft.github.io/CCF/main/audit/read_write_restrictions.html";

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

/// What a script may do to a map.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    ReadWrite,
    ReadOnly,
    Nothing,
}

fn access(mode: Mode, map: &MapName) -> Access {
    match (map.category(), map.is_public(), mode) {
        (Category::Application, _, Mode::ReadWrite) => Access::ReadWrite,
        (Category::Application, ..) | (_, true, _) => Access::ReadOnly,
        _ => Access::Nothing,
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
    scope.set_handle_prototype(prototype);
    scope.kv_object()
}

/// A fresh handle of the map of that name.
pub(crate) fn map_handle<'js>(scope: Scope<'js>, name: &str) -> Script<Value<'js>> {
    let known = scope.host().maps.borrow().position(name);
    let position = match known {
        Some(position) => position,
        None => {
            let name = MapName::new(name)
                .map_err(|error| scope.throw(ErrorKind::Internal, &error.to_string()))?;
            scope.host().maps.borrow_mut().add(name)
        }
    };
    scope.handle(position)
}

/// The map behind `this`, once the call is permitted.
fn map_of<'js>(scope: Scope<'js>, this: &Value<'js>, method: &str, write: bool) -> Script<MapName> {
    let map = scope
        .handle_map(this)
        .and_then(|position| scope.host().maps.borrow().names.get(position).cloned());
    let Some(map) = map else {
        return Err(scope.throw(ErrorKind::Internal, "Internal: Unable to access MapHandle"));
    };
    let mode = scope.host().mode.get();
    let word = match access(mode, &map) {
        Access::ReadWrite => return Ok(map),
        Access::ReadOnly if !write => return Ok(map),
        Access::ReadOnly => "read-only",
        Access::Nothing => "inaccessible",
    };
    let context = if mode == Mode::ReadWrite { "application" } else { "read-only application" };
    Err(scope.throw_type(&format!(
        "Cannot call \"{method}\" on table named {map}. This table is {word} in current ({context}) \
         execution context. See {RESTRICTIONS_URL} for more detail."
    )))
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
    let map = map_of(scope, &args.this(), "has", false)?;
    check_count(scope, &args, 1)?;
    let found = with_key(scope, &args.get(0), |key| with_tx(scope, |tx| tx.has(&map, key)))?;
    Ok(scope.boolean(found))
}

fn get<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let map = map_of(scope, &args.this(), "get", false)?;
    check_count(scope, &args, 1)?;
    let key = args.get(0);
    match with_key(scope, &key, |key| with_tx(scope, |tx| tx.get(&map, key)))? {
        None => Ok(scope.undefined()),
        Some(value) if key.is_string() => scope.parse_json(&value),
        Some(value) => scope.array_buffer(&value),
    }
}

fn version<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let map = map_of(scope, &args.this(), "getVersionOfPreviousWrite", false)?;
    check_count(scope, &args, 1)?;
    let seqno = with_key(scope, &args.get(0), |key| {
        with_tx(scope, |tx| tx.version_of_previous_write(&map, key))
    })?;
    Ok(seqno.map_or_else(|| scope.undefined(), |seqno| scope.integer(seqno)))
}

fn set<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let map = map_of(scope, &args.this(), "set", true)?;
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
    let map = map_of(scope, &args.this(), "delete", true)?;
    check_count(scope, &args, 1)?;
    with_key(scope, &args.get(0), |key| {
        with_tx(scope, |tx| tx.remove(&map, key))?
            .map_err(|error| scope.throw(ErrorKind::Range, &error.to_string()))
    })?;
    Ok(scope.undefined())
}

fn clear<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let map = map_of(scope, &args.this(), "clear", true)?;
    check_count(scope, &args, 0)?;
    with_tx(scope, |tx| tx.clear(&map))?;
    Ok(scope.undefined())
}

fn for_each<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let this = args.this();
    let map = map_of(scope, &this, "forEach", false)?;
    check_count(scope, &args, 1)?;
    let callback = args.get(0);
    if !callback.is_function() {
        return Err(scope.throw_type("Argument must be a function"));
    }
    for (key, value) in with_tx(scope, |tx| tx.entries(&map))? {
        let (key, value) = (scope.array_buffer(&key)?, scope.array_buffer(&value)?);
        scope.call(&callback, &[&value, &key, &this])?;
    }
    Ok(scope.undefined())
}

fn size<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let map = map_of(scope, &args.this(), "size", false)?;
    let count = with_tx(scope, |tx| tx.len(&map))?;
    Ok(scope.integer(count as u64))
}

/// `range(from, to[, limit])`: entries with `from <= key < to` in key order, as `[key, value]`
/// pairs. A bound that is null or undefined is open. String bounds mean the typed layer.
fn range<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let map = map_of(scope, &args.this(), "range", false)?;
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
    let entries = with_tx(scope, |tx| {
        let from = from.as_deref().map_or(Bound::Unbounded, Bound::Included);
        let to = to.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        tx.range(&map, from, to, limit)
    })?;
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
