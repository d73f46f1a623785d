//! `ccf.historical` and `ccf.historicalState` (reference A.7): past transactions.
//!
//! A state's object has a number under which the host finds the state while the request runs; its
//! `kv` and the handles made from that carry the same number. Its receipt is made when it is first
//! read: few scripts that walk a range look at receipts.
//!
//! `ccf.historicalState` is an accessor that turns into a plain property when it is first read, so
//! that a request finds the same object each time. A module that reads it while it is evaluated, as
//! `@microsoft/ccf-app` does, sees `undefined` in every request but those of endpoints with mode
//! `historical`; for these, which have interpreters of their own, it is evaluated per request.

use std::sync::Arc;
use std::time::Duration;

use affiant::historical::{HistoricalCache, HistoricalNamespace, HistoricalState};
use affiant::hosting::json_receipt;
use affiant_proof::Receipt;
use affiant_proof::receipt::ProofStep;

use super::consensus::whole;
use super::{HISTORICAL, function};
use crate::engine::{Args, Arity, ErrorKind, Native, Scope, Script, Value};

/// Functions of `ccf.historical`, then accessors.
pub(super) static NATIVES: &[Native] = &[
    Native { name: c"getStateRange", arity: Arity::Exactly(4), run: state_range },
    Native { name: c"dropCachedStates", arity: Arity::Exactly(1), run: drop_cached_states },
    Native { name: c"historicalState", arity: Arity::Any, run: historical_state },
    Native { name: c"receipt", arity: Arity::Any, run: receipt },
    Native { name: c"receipt", arity: Arity::Any, run: set_receipt },
];

const STATE_RANGE: usize = 0;
const DROP_CACHED_STATES: usize = 1;
const HISTORICAL_STATE: usize = 2;
const RECEIPT: usize = 3;
const SET_RECEIPT: usize = 4;

/// The states that a request has objects of, by numbers that are never used again, so that what a
/// script keeps of an earlier request leads nowhere.
pub(crate) struct StateTable {
    /// The number of the first state.
    first: u64,
    states: Vec<Arc<HistoricalState>>,
}

impl Default for StateTable {
    fn default() -> Self {
        Self { first: 1, states: Vec::new() }
    }
}

impl StateTable {
    pub(crate) fn get(&self, number: u64) -> Option<Arc<HistoricalState>> {
        let position = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.states.get(position).cloned()
    }

    fn add(&mut self, state: Arc<HistoricalState>) -> u64 {
        self.states.push(state);
        self.first + self.states.len() as u64 - 1
    }

    pub(crate) fn clear(&mut self) {
        self.first += self.states.len() as u64;
        self.states.clear();
    }
}

/// Puts `historical` and `historicalState` on the object `ccf`.
pub(super) fn install<'js>(scope: Scope<'js>, ccf: &Value<'js>) -> Script<()> {
    let historical = scope.object()?;
    for index in [STATE_RANGE, DROP_CACHED_STATES] {
        let function = function(scope, HISTORICAL, index)?;
        scope.set(&historical, NATIVES[index].name, function)?;
    }
    scope.set(ccf, c"historical", historical)?;
    let mut builtins = scope.host().builtins.get();
    builtins.ccf = Some(scope.pin(ccf.clone()));
    scope.host().builtins.set(builtins);
    hide(scope)
}

/// Makes `ccf.historicalState` an accessor, at first and again.
pub(crate) fn hide(scope: Scope<'_>) -> Script<()> {
    let Some(ccf) = scope.host().builtins.get().ccf else { return Ok(()) };
    let getter = function(scope, HISTORICAL, HISTORICAL_STATE)?;
    scope.set_getter(&scope.pinned(ccf), "historicalState", getter)
}

fn historical_state<'js>(scope: Scope<'js>, _: Args<'js>) -> Script<Value<'js>> {
    let host = scope.host();
    let Some(state) = host.historical_state.borrow().clone() else { return Ok(scope.undefined()) };
    host.touch();
    let object = state_object(scope, state)?;
    if let Some(ccf) = host.builtins.get().ccf {
        host.historical_shown.set(true);
        let defined = scope.set(&scope.pinned(ccf), c"historicalState", object.clone());
        if defined.is_err() {
            // The script has frozen `ccf`: another object each time.
            drop(scope.take_exception());
        }
    }
    Ok(object)
}

fn cache(scope: Scope<'_>) -> Script<(Arc<HistoricalCache>, HistoricalNamespace)> {
    scope.host().touch();
    let known = scope.host().historical.borrow().clone();
    known.ok_or_else(|| scope.throw(ErrorKind::Internal, "Failed to get state cache"))
}

fn state_range<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let (cache, namespace) = cache(scope)?;
    let message = "Invalid handle or seqno or expiry: cannot be negative";
    let handle = whole(scope, &args.get(0), message)?;
    let first = whole(scope, &args.get(1), message)?;
    let last = whole(scope, &args.get(2), message)?;
    let expiry = Duration::from_secs(whole(scope, &args.get(3), message)?);
    let found = cache.state_range(namespace, handle, first, last, expiry).map_err(|error| {
        scope.throw(ErrorKind::Internal, &format!("Failed to get state range: {error}"))
    })?;
    let Some(states) = found else { return Ok(scope.null()) };
    let mut objects = Vec::with_capacity(states.len());
    for state in states.iter() {
        objects.push(state_object(scope, state.clone())?);
    }
    scope.array(objects)
}

fn drop_cached_states<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let (cache, namespace) = cache(scope)?;
    let handle = whole(scope, &args.get(0), "Invalid handle: cannot be negative")?;
    Ok(scope.boolean(cache.drop_cached_states(namespace, handle)))
}

fn state_object<'js>(scope: Scope<'js>, state: Arc<HistoricalState>) -> Script<Value<'js>> {
    let txid = state.txid().to_string();
    let number = scope.host().states.borrow_mut().add(state);
    let object = scope.state_object(number)?;
    scope.set(&object, c"transactionId", scope.string(&txid)?)?;
    let getter = function(scope, HISTORICAL, RECEIPT)?;
    let setter = function(scope, HISTORICAL, SET_RECEIPT)?;
    scope.set_own_accessor(&object, "receipt", getter, setter)?;
    scope.set(&object, c"kv", scope.kv_object(number)?)?;
    Ok(object)
}

/// The state whose object `this` is.
fn state_of<'js>(scope: Scope<'js>, this: &Value<'js>) -> Script<Arc<HistoricalState>> {
    let state = scope.host().states.borrow().get(scope.state_of(this));
    state.ok_or_else(|| {
        scope.throw(ErrorKind::Internal, "Internal: Unable to access historical state")
    })
}

/// The receipt; from now on a plain property.
fn receipt<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let this = args.this();
    let state = state_of(scope, &this)?;
    let receipt = receipt_object(scope, &json_receipt(state.receipt()))?;
    scope.set(&this, c"receipt", receipt.clone())?;
    Ok(receipt)
}

fn set_receipt<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let this = args.this();
    state_of(scope, &this)?;
    scope.set(&this, c"receipt", args.get(0))?;
    Ok(scope.undefined())
}

/// A receipt in the form that scripts know; the order of its fields is CCF's.
fn receipt_object<'js>(scope: Scope<'js>, receipt: &Receipt) -> Script<Value<'js>> {
    let object = scope.object()?;
    let text = |object: &Value<'js>, name, text: &str| scope.set(object, name, scope.string(text)?);
    text(&object, c"signature", &receipt.signature)?;
    text(&object, c"cert", &receipt.cert)?;
    text(&object, c"node_id", &receipt.node_id)?;
    let is_signature = receipt.leaf.is_some();
    scope.set(&object, c"is_signature_transaction", scope.boolean(is_signature))?;
    if let Some(root) = &receipt.leaf {
        text(&object, c"root_hex", root)?;
    }
    if let Some(parts) = &receipt.leaf_components {
        let leaf = scope.object()?;
        text(&leaf, c"write_set_digest", &parts.write_set_digest)?;
        text(&leaf, c"commit_evidence", &parts.commit_evidence)?;
        if let Some(claims) = &parts.claims_digest {
            text(&leaf, c"claims_digest", claims)?;
        }
        scope.set(&object, c"leaf_components", leaf)?;
        let mut steps = Vec::with_capacity(receipt.proof.len());
        for step in &receipt.proof {
            let (name, hex) = match step {
                ProofStep::Left(hex) => (c"left", hex),
                ProofStep::Right(hex) => (c"right", hex),
            };
            let step = scope.object()?;
            text(&step, name, hex)?;
            steps.push(step);
        }
        scope.set(&object, c"proof", scope.array(steps)?)?;
    }
    Ok(object)
}
