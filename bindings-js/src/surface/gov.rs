//! `ccf.gov` (reference A.9), in every context.

use crate::engine::{Args, Arity, Native, Scope, Script, Value};
use crate::governance::find_fault_within;

/// Functions of `ccf.gov`.
pub(super) static NATIVES: &[Native] =
    &[Native { name: c"validateConstitution", arity: Arity::Exactly(1), run: validate }];

fn validate<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let host = scope.host();
    // A constitution is evaluated in an interpreter of its own, on this thread's stack.
    if host.nested.get() {
        return Err(scope.throw_type("A constitution cannot validate one while it is validated"));
    }
    host.touch();
    let source = args.get(0);
    if !source.is_string() {
        return Err(scope.throw_type("Argument must be a string: a constitution's source"));
    }
    let source = scope.text(&source)?;
    let checked = find_fault_within(&source, host.log.clone(), host.remaining());
    host.rearm();
    // Its time was this script's: do not leave it to the next poll.
    host.check_deadline();
    match checked {
        Ok(()) => Ok(scope.boolean(true)),
        Err(fault) => Err(scope.throw_type(&fault)),
    }
}
