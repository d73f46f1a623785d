//! The two built-ins that reach outside: `Math.random`, from the system's entropy, and `Date`, the
//! real clock (reference A.1).
//!
//! `Date` is wrapped so that a module which reads the clock while it is evaluated is known to do so
//! ([`crate::host::Host::ambient`]); in every other way it is the engine's own.

use std::time::{SystemTime, UNIX_EPOCH};

use super::{BUILTINS, function};
use crate::engine::{Args, Arity, ErrorKind, Function, Native, Scope, Script, Value};
use crate::limits::ENTROPY_BUFFER_BYTES;

/// `Math.random`, `Date`, `Date.now`.
pub(super) static NATIVES: &[Native] = &[
    Native { name: c"random", arity: Arity::Any, run: random },
    Native { name: c"Date", arity: Arity::Any, run: date },
    Native { name: c"now", arity: Arity::Any, run: now },
];

const RANDOM: usize = 0;
const DATE: usize = 1;
const NOW: usize = 2;

/// Values that natives need again, pinned when they are installed.
#[derive(Clone, Copy, Default)]
pub(crate) struct Builtins {
    /// The engine's `Date`.
    date: Option<Function>,
    pub(super) request_prototype: Option<Function>,
    pub(super) body_prototype: Option<Function>,
    pub(super) body_functions: [Option<Function>; 3],
    /// The object `ccf` as it was installed.
    pub(super) ccf: Option<Function>,
}

/// Bytes from the system, fetched several numbers at a time.
pub(crate) struct Entropy {
    bytes: [u8; ENTROPY_BUFFER_BYTES],
    used: usize,
}

impl Default for Entropy {
    fn default() -> Self {
        Self { bytes: [0; ENTROPY_BUFFER_BYTES], used: ENTROPY_BUFFER_BYTES }
    }
}

impl Entropy {
    /// Eight fresh bytes; `None` if the system has none.
    fn next(&mut self) -> Option<u64> {
        if self.used == self.bytes.len() {
            getrandom::fill(&mut self.bytes).ok()?;
            self.used = 0;
        }
        let piece = self.bytes.get_mut(self.used..self.used + 8)?;
        let number = u64::from_le_bytes(<[u8; 8]>::try_from(&*piece).ok()?);
        // A number is given out once only.
        piece.fill(0);
        self.used += 8;
        Some(number)
    }
}

pub(super) fn install<'js>(scope: Scope<'js>, global: &Value<'js>) -> Script<()> {
    let math = scope.get(global, c"Math")?;
    scope.set_hidden(&math, c"random", function(scope, BUILTINS, RANDOM)?)?;

    let original = scope.get(global, c"Date")?;
    let wrapped = function(scope, BUILTINS, DATE)?;
    for name in [c"UTC", c"parse", c"length"] {
        scope.set_hidden(&wrapped, name, scope.get(&original, name)?)?;
    }
    scope.set_hidden(&wrapped, c"now", function(scope, BUILTINS, NOW)?)?;
    scope.set_constructor(&wrapped, &scope.get(&original, c"prototype")?)?;
    scope.set_hidden(global, c"Date", wrapped)?;
    let mut builtins = scope.host().builtins.get();
    builtins.date = Some(scope.pin(original));
    scope.host().builtins.set(builtins);
    Ok(())
}

fn random<'js>(scope: Scope<'js>, _: Args<'js>) -> Script<Value<'js>> {
    scope.host().touch();
    let bits = scope.host().entropy.borrow_mut().next();
    let Some(bits) = bits else {
        return Err(scope.throw(ErrorKind::Internal, "Math.random: the system has no entropy"));
    };
    // The 53 bits that a float in [0, 1) holds exactly.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    Ok(scope.number((bits >> 11) as f64 / (1_u64 << 53) as f64))
}

/// Milliseconds since 1970 by the real clock.
fn clock(scope: Scope<'_>) -> f64 {
    scope.host().touch();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    #[expect(clippy::cast_precision_loss, reason = "exact for the next 285,000 years")]
    {
        now.as_millis() as f64
    }
}

fn now<'js>(scope: Scope<'js>, _: Args<'js>) -> Script<Value<'js>> {
    Ok(scope.number(clock(scope)))
}

/// `new Date(...)`, where `this` is `new.target`, and `Date()`.
fn date<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let Some(original) = scope.host().builtins.get().date else {
        return Err(scope.throw(ErrorKind::Internal, "Date is not installed"));
    };
    let original = scope.pinned(original);
    let new_target = args.this();
    if new_target.is_undefined() {
        let now = scope.construct(&original, &original, &[scope.number(clock(scope))])?;
        return scope.string(&scope.text(&now)?);
    }
    let mut passed: Vec<Value<'js>> = (0..args.len()).map(|index| args.get(index)).collect();
    if passed.is_empty() {
        passed.push(scope.number(clock(scope)));
    }
    scope.construct(&original, &new_target, &passed)
}
