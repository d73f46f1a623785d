//! `ccf.consensus` (reference A.6).

use std::sync::Arc;

use affiant_kv::Store;
use affiant_proof::TxId;

use crate::engine::{Args, Arity, ErrorKind, Native, Scope, Script, Value};

/// Functions of `ccf.consensus`.
pub(super) static NATIVES: &[Native] = &[
    Native { name: c"getLastCommittedTxId", arity: Arity::Exactly(0), run: last_committed },
    Native { name: c"getStatusForTxId", arity: Arity::Exactly(2), run: status },
    Native { name: c"getViewForSeqno", arity: Arity::Exactly(1), run: view },
];

fn store(scope: Scope<'_>) -> Script<Arc<Store>> {
    scope.host().touch();
    let store = scope.host().store.borrow().clone();
    store.ok_or_else(|| scope.throw(ErrorKind::Internal, "No consensus: no request is running"))
}

/// A number by JavaScript's rules (`Number(x)`, cut to an integer).
pub(super) fn whole<'js>(scope: Scope<'js>, value: &Value<'js>, message: &str) -> Script<u64> {
    let number = scope.to_number(value)?;
    if number <= -1.0 {
        return Err(scope.throw(ErrorKind::Range, message));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    Ok(number as u64)
}

fn last_committed<'js>(scope: Scope<'js>, _: Args<'js>) -> Script<Value<'js>> {
    let committed = store(scope)?.committed();
    let result = scope.object()?;
    scope.set(&result, c"view", scope.integer(committed.view))?;
    scope.set(&result, c"seqno", scope.integer(committed.seqno))?;
    Ok(result)
}

fn status<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let message = "Invalid view or seqno: cannot be negative";
    let view = whole(scope, &args.get(0), message)?;
    let seqno = whole(scope, &args.get(1), message)?;
    let status = store(scope)?.status(TxId::new(view, seqno));
    scope.string(status.as_str())
}

fn view<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let seqno = whole(scope, &args.get(0), "Invalid seqno: cannot be negative")?;
    let view = store(scope)?.view_of(seqno);
    Ok(view.map_or_else(|| scope.null(), |view| scope.integer(view)))
}
