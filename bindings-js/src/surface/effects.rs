//! What only `apply` has (reference A.9): `ccf.node`, `ccf.network`, and the functions of `ccf` that
//! bring governance's tables into effect.

use std::sync::Arc;

use affiant::governance::GovEffects;
use affiant::jwt::{remove_public_signing_keys, set_public_signing_keys};
use affiant::{RuntimeResult, Tx, tables};
use serde_json::Value as Json;

use super::converters::NOT_A_BUFFER;
use crate::engine::{Args, Arity, ErrorKind, Native, Scope, Script, Value};
use crate::program::find_fault;

/// Functions of `ccf.node`.
pub(super) static NODE: &[Native] = &[
    Native { name: c"triggerLedgerRekey", arity: Arity::ExactlyNoComma(0), run: rekey },
    Native {
        name: c"triggerRecoverySharesRefresh",
        arity: Arity::ExactlyNoComma(0),
        run: refresh_shares,
    },
    Native { name: c"triggerLedgerChunk", arity: Arity::ExactlyNoComma(0), run: chunk },
    Native { name: c"triggerSnapshot", arity: Arity::ExactlyNoComma(0), run: snapshot },
    Native { name: c"transitionServiceToOpen", arity: Arity::ExactlyNoComma(2), run: open },
];

/// Functions of `ccf.network`.
pub(super) static NETWORK: &[Native] = &[
    Native {
        name: c"getLatestLedgerSecretSeqno",
        arity: Arity::ExactlyNoComma(0),
        run: secret_seqno,
    },
    Native { name: c"generateEndorsedCertificate", arity: Arity::ExactlyNoComma(3), run: endorse },
    Native { name: c"generateNetworkCertificate", arity: Arity::ExactlyNoComma(2), run: renew },
];

/// Functions of `ccf`.
pub(super) static CCF: &[Native] = &[
    Native { name: c"refreshAppBytecodeCache", arity: Arity::Exactly(0), run: refresh_bytecode },
    Native { name: c"setJwtPublicSigningKeys", arity: Arity::Exactly(3), run: set_jwt_keys },
    Native { name: c"removeJwtPublicSigningKeys", arity: Arity::Exactly(1), run: remove_jwt_keys },
];

fn effects(scope: Scope<'_>) -> Script<Arc<dyn GovEffects>> {
    let effects = scope.host().effects.borrow().clone();
    effects.ok_or_else(|| scope.throw(ErrorKind::Internal, "No proposal is being applied"))
}

fn with_tx<R>(scope: Scope<'_>, run: impl FnOnce(&mut Tx) -> R) -> Script<R> {
    match scope.host().tx.borrow_mut().as_mut() {
        Some(tx) => Ok(run(tx)),
        None => Err(scope.throw(ErrorKind::Internal, "No proposal is being applied")),
    }
}

/// Asks the node for something that belongs to the transaction.
fn ask<'js>(
    scope: Scope<'js>,
    what: &str,
    run: impl FnOnce(&dyn GovEffects, &mut Tx) -> RuntimeResult<()>,
) -> Script<Value<'js>> {
    let effects = effects(scope)?;
    with_tx(scope, |tx| run(&*effects, tx))?
        .map_err(|error| scope.throw(ErrorKind::Internal, &format!("{what}: {error}")))?;
    Ok(scope.undefined())
}

fn rekey<'js>(scope: Scope<'js>, _: Args<'js>) -> Script<Value<'js>> {
    ask(scope, "Failed to rekey ledger", |effects, tx| effects.trigger_ledger_rekey(tx))
}

fn refresh_shares<'js>(scope: Scope<'js>, _: Args<'js>) -> Script<Value<'js>> {
    let what = "Unable to trigger recovery shares refresh";
    ask(scope, what, |effects, tx| effects.trigger_recovery_shares_refresh(tx))
}

fn chunk<'js>(scope: Scope<'js>, _: Args<'js>) -> Script<Value<'js>> {
    ask(scope, "Unable to force ledger chunk", |effects, tx| effects.trigger_ledger_chunk(tx))
}

fn snapshot<'js>(scope: Scope<'js>, _: Args<'js>) -> Script<Value<'js>> {
    ask(scope, "Unable to request snapshot", |effects, tx| effects.trigger_snapshot(tx))
}

/// A PEM in an ArrayBuffer.
fn pem<'js>(scope: Scope<'js>, value: &Value<'js>, what: &str) -> Script<String> {
    let text = scope.with_buffer(value, |bytes| String::from_utf8_lossy(bytes).into_owned());
    text.ok_or_else(|| scope.throw_type(&format!("{what} service identity: {NOT_A_BUFFER}")))
}

fn open<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let (previous, next) = (args.get(0), args.get(1));
    let previous =
        if previous.is_undefined() { None } else { Some(pem(scope, &previous, "Previous")?) };
    let next = pem(scope, &next, "Next")?;
    ask(scope, "Unable to open service", |effects, tx| {
        effects.transition_service_to_open(tx, previous.as_deref(), &next)
    })
}

fn secret_seqno<'js>(scope: Scope<'js>, _: Args<'js>) -> Script<Value<'js>> {
    let seqno = effects(scope)?.latest_ledger_secret_seqno();
    let seqno = seqno.map_err(|error| scope.throw(ErrorKind::Internal, &error.to_string()))?;
    Ok(scope.integer(seqno))
}

/// A number of days.
fn days<'js>(scope: Scope<'js>, value: &Value<'js>) -> Script<u32> {
    let number = scope.to_number(value)?;
    if number.is_nan() || number <= -1.0 || number > f64::from(u32::MAX) {
        return Err(scope.throw(ErrorKind::Range, "The validity is no number of days"));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range")]
    Ok(number as u32)
}

fn certificate<'js>(scope: Scope<'js>, made: RuntimeResult<String>) -> Script<Value<'js>> {
    let pem = made.map_err(|error| {
        scope.throw(ErrorKind::Internal, &format!("Failed to create certificate: {error}"))
    })?;
    scope.string(&pem)
}

fn endorse<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let (request, from) = (scope.text(&args.get(0))?, scope.text(&args.get(1))?);
    let days = days(scope, &args.get(2))?;
    certificate(scope, effects(scope)?.generate_endorsed_certificate(&request, &from, days))
}

fn renew<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let from = scope.text(&args.get(0))?;
    let days = days(scope, &args.get(1))?;
    certificate(scope, effects(scope)?.generate_network_certificate(&from, days))
}

/// Bytecode is made where the app is loaded and never stored; what remains of CCF's contract is that
/// an app with a module that does not compile is refused here.
fn refresh_bytecode<'js>(scope: Scope<'js>, _: Args<'js>) -> Script<Value<'js>> {
    let entries = with_tx(scope, |tx| tx.entries(&tables::MODULES))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let modules = entries.iter().map(|(name, source)| (text(name), text(source)));
    match find_fault(modules, &scope.host().log) {
        Ok(()) => Ok(scope.undefined()),
        Err(fault) => {
            let message = format!("Unable to refresh bytecode: {fault}");
            Err(scope.throw(ErrorKind::Internal, &message))
        }
    }
}

/// A JSON object.
fn json<'js>(scope: Scope<'js>, value: &Value<'js>, what: &str) -> Script<Json> {
    let text = scope.to_json(value)?;
    let parsed: Option<Json> = if text.is_string() {
        scope.with_text(&text, |text| serde_json::from_slice(text).ok())?
    } else {
        None
    };
    let object = parsed.filter(Json::is_object);
    object.ok_or_else(|| scope.throw_type(&format!("{what} must be an object")))
}

fn set_jwt_keys<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let issuer = scope.text(&args.get(0))?;
    let metadata = json(scope, &args.get(1), "metadata")?;
    let jwks = json(scope, &args.get(2), "jwks")?;
    let done = with_tx(scope, |tx| set_public_signing_keys(tx, &issuer, &metadata, &jwks))?;
    done.map_err(|error| scope.throw(ErrorKind::Internal, &error.to_string()))?;
    Ok(scope.undefined())
}

fn remove_jwt_keys<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let issuer = scope.text(&args.get(0))?;
    let done = with_tx(scope, |tx| remove_public_signing_keys(tx, &issuer))?;
    done.map_err(|error| scope.throw(ErrorKind::Internal, &error.to_string()))?;
    Ok(scope.undefined())
}
