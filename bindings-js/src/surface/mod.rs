//! What scripts see: the global object `ccf`, `console`, and the two built-ins that reach outside
//! (`Math.random`, `Date`). Reference A.1 to A.11.
//!
//! Every native function is an entry of a static table; JavaScript function objects refer to it by
//! number, so that nothing inside an interpreter points at anything that could go away. All are
//! installed before any module is evaluated: `@microsoft/ccf-app` dereferences them at its top
//! level.

mod attestation;
mod builtins;
mod consensus;
mod console;
mod converters;
mod crypto;
mod effects;
mod gov;
mod historical;
mod kv;
mod request;
mod rpc;
pub(crate) mod web;

pub(crate) use builtins::{Builtins, Entropy};
pub(crate) use historical::{StateTable, hide as hide_historical_state};
pub(crate) use kv::{MapTable, map_handle};
pub(crate) use request::{RequestParts, build as build_request};

use crate::engine::{Native, Scope, Script, Value};
use crate::host::Context;

/// The tables; a native's number is its table's position times [`TABLE_SIZE`] plus its own.
static TABLES: [&[Native]; 17] = [
    converters::NATIVES,
    kv::NATIVES,
    rpc::NATIVES,
    consensus::NATIVES,
    crypto::NATIVES,
    console::NATIVES,
    builtins::NATIVES,
    request::NATIVES,
    attestation::CCF,
    historical::NATIVES,
    gov::NATIVES,
    attestation::SNP,
    web::NATIVES,
    web::LAZY,
    effects::NODE,
    effects::NETWORK,
    effects::CCF,
];

const CONVERTERS: usize = 0;
const KV: usize = 1;
const RPC: usize = 2;
const CONSENSUS: usize = 3;
const CRYPTO: usize = 4;
const CONSOLE: usize = 5;
const BUILTINS: usize = 6;
const REQUEST: usize = 7;
const ATTESTATION: usize = 8;
const HISTORICAL: usize = 9;
const GOV: usize = 10;
const SNP: usize = 11;
const WEB: usize = 12;
const WEB_LAZY: usize = 13;
const NODE: usize = 14;
const NETWORK: usize = 15;
const EFFECTS: usize = 16;

/// No table is longer.
const TABLE_SIZE: usize = 64;

/// The native function with that number.
pub(crate) fn native(number: usize) -> Option<&'static Native> {
    TABLES.get(number / TABLE_SIZE)?.get(number % TABLE_SIZE)
}

/// A function object for an entry of a table.
fn function<'js>(scope: Scope<'js>, table: usize, index: usize) -> Script<Value<'js>> {
    scope.native(table * TABLE_SIZE + index)
}

/// Puts all functions of a table on `object`.
fn install_table<'js>(scope: Scope<'js>, object: &Value<'js>, table: usize) -> Script<()> {
    for (index, native) in TABLES[table].iter().enumerate() {
        scope.set(object, native.name, function(scope, table, index)?)?;
    }
    Ok(())
}

/// An object with all functions of the tables.
fn namespace<'js>(scope: Scope<'js>, tables: &[usize]) -> Script<Value<'js>> {
    let object = scope.object()?;
    for table in tables {
        install_table(scope, &object, *table)?;
    }
    Ok(object)
}

/// Installs what a context sees (reference A.2).
pub(crate) fn install(scope: Scope<'_>, context: Context) -> Script<()> {
    let global = scope.global();
    scope.set(&global, c"console", namespace(scope, &[CONSOLE])?)?;
    builtins::install(scope, &global)?;
    request::install(scope)?;

    let ccf = namespace(scope, &[CONVERTERS, ATTESTATION])?;
    scope.set(&ccf, c"kv", kv::install(scope)?)?;
    scope.set(&ccf, c"gov", namespace(scope, &[GOV])?)?;
    match context {
        Context::Application(_) => {
            web::install(scope, &global)?;
            scope.set(&ccf, c"rpc", namespace(scope, &[RPC])?)?;
            scope.set(&ccf, c"consensus", namespace(scope, &[CONSENSUS])?)?;
            historical::install(scope, &ccf)?;
        }
        Context::PreApproval => {}
        Context::Apply => {
            install_table(scope, &ccf, EFFECTS)?;
            scope.set(&ccf, c"node", namespace(scope, &[NODE])?)?;
            scope.set(&ccf, c"network", namespace(scope, &[NETWORK])?)?;
        }
    }
    let crypto = namespace(scope, &[CRYPTO])?;
    // 1.x and 2.x apps find these directly under `ccf`.
    for name in crypto::DEPRECATED_ALIASES {
        scope.set(&ccf, name, scope.get(&crypto, name)?)?;
    }
    scope.set(&ccf, c"crypto", crypto)?;
    scope.set(&global, c"ccf", ccf)?;
    scope.set(&global, c"snp_attestation", namespace(scope, &[SNP])?)
}
