//! Reference A.2, A.9, D.2, F.1.

use std::sync::{Arc, Mutex};

use affiant::governance::{
    Constitution as _, GovEffects, GovernanceCall, Resolution, ScriptFailure, Validation, Vote,
};
use affiant::hosting::RuntimeOptions;
use affiant::log::Level;
use affiant::{Mode, RuntimeError, RuntimeResult};
use affiant_js::JsConstitution;
use affiant_kv::{MapName, Store, Tx};
use serde_json::{Value as Json, json};

use crate::support::*;

/// Notes what `apply` asks of the node.
#[derive(Default)]
struct Asked(Mutex<Vec<String>>);

impl Asked {
    fn note(&self, what: String) -> RuntimeResult<()> {
        self.0.lock().unwrap().push(what);
        Ok(())
    }
}

impl GovEffects for Asked {
    fn trigger_ledger_rekey(&self, _: &mut Tx) -> RuntimeResult<()> {
        Err(RuntimeError::Unsupported { what: "that".to_owned() })
    }
    fn trigger_recovery_shares_refresh(&self, _: &mut Tx) -> RuntimeResult<()> {
        self.note("shares".to_owned())
    }
    fn trigger_ledger_chunk(&self, _: &mut Tx) -> RuntimeResult<()> {
        self.note("chunk".to_owned())
    }
    fn trigger_snapshot(&self, _: &mut Tx) -> RuntimeResult<()> {
        self.note("snapshot".to_owned())
    }
    fn transition_service_to_open(
        &self,
        _: &mut Tx,
        previous: Option<&str>,
        next: &str,
    ) -> RuntimeResult<()> {
        self.note(format!("open {previous:?} {next}"))
    }
    fn latest_ledger_secret_seqno(&self) -> RuntimeResult<u64> {
        Ok(17)
    }
    fn generate_endorsed_certificate(
        &self,
        csr_pem: &str,
        valid_from: &str,
        validity_days: u32,
    ) -> RuntimeResult<String> {
        Ok(format!("{csr_pem} {valid_from} {validity_days}"))
    }
    fn generate_network_certificate(
        &self,
        valid_from: &str,
        validity_days: u32,
    ) -> RuntimeResult<String> {
        Ok(format!("{valid_from} {validity_days}"))
    }
}

/// A store, and a constitution to run against it.
struct Bench {
    store: Arc<Store>,
    lines: Lines,
    language: JsConstitution,
    limits: RuntimeOptions,
    asked: Arc<Asked>,
}

impl Bench {
    fn new() -> Self {
        let lines = Lines::default();
        let sink = lines.clone();
        Self {
            store: Store::new(),
            lines,
            language: JsConstitution::with_log(Arc::new(move |level, tag, text| {
                sink.lock().unwrap().push((level, tag, text.to_owned()));
            })),
            limits: RuntimeOptions::default(),
            asked: Arc::default(),
        }
    }

    fn call<R>(&self, source: &str, tx: &mut Tx, run: impl FnOnce(GovernanceCall<'_>) -> R) -> R {
        let limits = &self.limits;
        run(GovernanceCall { source, name: "constitution[0]", tx, limits, attestor: None })
    }

    fn validate(&self, source: &str, proposal: &str) -> Result<Validation, ScriptFailure> {
        self.call(source, &mut self.store.begin(), |call| self.language.validate(call, proposal))
    }

    fn resolve(&self, source: &str, votes: &[Vote]) -> Result<Resolution, ScriptFailure> {
        self.call(source, &mut self.store.begin(), |call| {
            self.language.resolve(call, "the proposal", "proposer", votes, "id")
        })
    }

    fn vote(&self, source: &str) -> Result<bool, ScriptFailure> {
        self.call(source, &mut self.store.begin(), |call| {
            self.language.vote(call, "the proposal", "proposer", "id")
        })
    }

    fn apply(&self, source: &str, tx: &mut Tx) -> Result<(), ScriptFailure> {
        self.call(source, tx, |call| {
            self.language.apply(call, "the proposal", "id", self.asked.clone())
        })
    }

    /// An expression's JSON in each context: validate, resolve, vote, apply.
    fn everywhere(&self, expression: &str) -> [Json; 4] {
        let value = format!("JSON.stringify([{expression}])");
        let thrown = |failure: ScriptFailure| {
            let (_, json) = failure.reason.split_once("Error: ").unwrap();
            serde_json::from_str::<Json>(json).unwrap()[0].take()
        };
        let body = format!("{{ throw new Error({value}); }}");
        let source = format!(
            "export function validate(input) {body}
             export function resolve(proposal, proposerId, votes) {body}
             export function vote(proposal, proposerId) {body}
             export function apply(proposal, proposalId) {body}"
        );
        [
            thrown(self.validate(&source, "").unwrap_err()),
            thrown(self.resolve(&source, &[]).unwrap_err()),
            thrown(self.vote(&source).unwrap_err()),
            thrown(self.apply(&source, &mut self.store.begin()).unwrap_err()),
        ]
    }

    /// What an expression throws in `apply`.
    fn thrown_in_apply(&self, statements: &str) -> String {
        let source = format!("export function apply(proposal, proposalId) {{ {statements} }}");
        self.apply(&source, &mut self.store.begin()).unwrap_err().reason
    }
}

const READERS: [&str; 6] = ["has", "get", "getVersionOfPreviousWrite", "forEach", "range", "size"];
const WRITERS: [&str; 3] = ["set", "delete", "clear"];

/// An expression that calls a method of the table `name`: "ok", or what it throws.
fn attempt(name: &str, method: &str) -> String {
    let call = match method {
        "has" | "get" | "getVersionOfPreviousWrite" | "delete" => format!("m.{method}(k)"),
        "set" => "m.set(k, k)".to_owned(),
        "forEach" => "m.forEach(() => {})".to_owned(),
        "range" => "m.range(null, null)".to_owned(),
        "size" => "m.size".to_owned(),
        _ => "m.clear()".to_owned(),
    };
    format!(
        "(() => {{ const k = ccf.strToBuf('k'), m = ccf.kv['{name}'];
           try {{ {call}; return 'ok'; }} catch (e) {{ return e.name + ': ' + e.message; }} }})()"
    )
}

/// What [`attempt`] is to give: the table's word is `None` where the method is allowed.
fn expected(name: &str, method: &str, may_read: bool, may_write: bool, phrase: &str) -> Json {
    let allowed = if READERS.contains(&method) { may_read } else { may_write };
    if allowed {
        return json!("ok");
    }
    let word = match (may_read, may_write) {
        (true, _) => "read-only",
        (false, true) => "write-only",
        (false, false) => "inaccessible",
    };
    json!(format!(
        "TypeError: Cannot call \"{method}\" on table named {name}. This table is {word} in current \
         ({phrase}) execution context. See \
         https://microsoft.github.io/CCF/main/audit/read_write_restrictions.html for more detail."
    ))
}

const INTERNAL: &str = "public:ccf.internal.signatures";
const GOVERNANCE: &str = "public:ccf.gov.members.info";
const PRIVATE: [&str; 2] = ["ccf.gov.x", "ccf.internal.x"];

#[test]
fn every_context_may_do_to_tables_what_the_reference_says() {
    let bench = Bench::new();
    // Table, then who may read and write before approval, then in apply.
    let cells = [
        (INTERNAL, (true, false), (true, false)),
        (GOVERNANCE, (true, false), (true, true)),
        ("public:records", (false, false), (false, true)),
        ("records", (false, false), (false, false)),
        (PRIVATE[0], (false, false), (false, false)),
        (PRIVATE[1], (false, false), (false, false)),
    ];
    for (name, before, after) in cells {
        for method in READERS.iter().chain(&WRITERS) {
            let seen = bench.everywhere(&attempt(name, method));
            let pre = expected(name, method, before.0, before.1, "read-only governance");
            let post = expected(name, method, after.0, after.1, "read-write governance");
            assert_eq!(seen, [pre.clone(), pre.clone(), pre, post], "{method} of {name}");
        }
    }
    let cells = [
        (INTERNAL, (true, false), (true, false)),
        (GOVERNANCE, (true, false), (true, false)),
        ("public:records", (true, true), (true, false)),
        ("records", (true, true), (true, false)),
        (PRIVATE[0], (false, false), (false, false)),
        (PRIVATE[1], (false, false), (false, false)),
    ];
    for (name, write, read) in cells {
        for method in READERS.iter().chain(&WRITERS) {
            let source = format!(
                "export function run() {{ return {{ body: [{}] }}; }}",
                attempt(name, method)
            );
            for (mode, may, phrase) in [
                (Mode::ReadWrite, write, "application"),
                (Mode::ReadOnly, read, "read-only application"),
                (Mode::Historical, read, "read-only application"),
            ] {
                let endpoint = with_mode(endpoint("/app.js", "run"), mode);
                let mut app = App::new(&[("/app.js", &source)], vec![endpoint], shown());
                let seen = app.call("run").json()[0].take();
                let wanted = expected(name, method, may.0, may.1, phrase);
                assert_eq!(seen, wanted, "{method} of {name} in {mode:?}");
            }
        }
    }
}

#[test]
fn every_context_sees_what_the_reference_says() {
    let bench = Bench::new();
    let common = [
        "console.log",
        "Math.random",
        "ccf.strToBuf",
        "ccf.crypto.digest",
        "ccf.pemToId",
        "ccf.tcbHexToPolicy",
        "ccf.getAttestation",
        "ccf.gov.validateConstitution",
        "ccf.kv['public:ccf.gov.users.certs'].get",
        "snp_attestation.verifySnpAttestation",
    ];
    for name in common {
        let function = json!("function");
        assert_eq!(bench.everywhere(&format!("typeof {name}")), [(); 4].map(|()| function.clone()));
        assert_eq!(evaluate(&format!("typeof {name}")), function, "{name}");
    }
    for name in ["ccf.rpc", "ccf.consensus", "ccf.historical"] {
        let kinds = bench.everywhere(&format!("typeof {name}"));
        assert_eq!(kinds, [(); 4].map(|()| json!("undefined")), "{name}");
        assert_eq!(evaluate(&format!("typeof {name}")), json!("object"), "{name}");
    }
    let absent = "['ccf.host', 'ccf.historicalState'].map(name => typeof eval(name)).join()";
    assert_eq!(bench.everywhere(absent), [(); 4].map(|()| json!("undefined,undefined")));
    for name in [
        "ccf.node",
        "ccf.network",
        "ccf.refreshAppBytecodeCache",
        "ccf.setJwtPublicSigningKeys",
        "ccf.removeJwtPublicSigningKeys",
    ] {
        let kinds = bench.everywhere(&format!("(typeof {name}) !== 'undefined'"));
        assert_eq!(kinds, [false, false, false, true].map(Json::from), "{name}");
        assert_eq!(evaluate(&format!("typeof {name}")), json!("undefined"), "{name}");
    }
}

#[test]
fn lines_of_governance_are_tagged_so() {
    let bench = Bench::new();
    let source = "console.log('evaluated');
        export function validate(input) { console.warn('judged', {a: 1}); return {valid: true}; }";
    let judged = bench.validate(source, "").unwrap();
    assert_eq!(judged, Validation { valid: true, description: String::new() });
    let lines = std::mem::take(&mut *bench.lines.lock().unwrap());
    let wanted = [(Level::Info, "evaluated"), (Level::Fail, "judged {\"a\":1}")];
    assert_eq!(lines, wanted.map(|(level, text)| (level, "gov", text.to_owned())));
}

#[test]
fn functions_get_and_give_what_the_contract_says() {
    let bench = Bench::new();
    let source = "
        export function validate(input) { return { valid: input === 'yes', description: input }; }
        export function resolve(proposal, proposerId, votes, proposalId) {
          if (proposal !== 'the proposal' || proposerId !== 'proposer' || proposalId !== 'id')
            throw new Error('other arguments');
          if (votes.length === 0) return 'Open';
          return votes.every(({ member_id, vote }) => member_id === 'm' && vote === true)
            ? 'Accepted' : 'Rejected';
        }
        export function vote(proposal, proposerId, proposalId) {
          return proposal === 'the proposal' && proposerId === 'proposer' && proposalId === 'id';
        }
        export function apply(proposal, proposalId) {
          ccf.kv['public:ccf.gov.x'].set(ccf.strToBuf(proposalId), ccf.strToBuf(proposal));
        }";
    let described =
        |valid, description: &str| Ok(Validation { valid, description: description.to_owned() });
    assert_eq!(bench.validate(source, "yes"), described(true, "yes"));
    assert_eq!(bench.validate(source, "no"), described(false, "no"));
    let votes = |vote| [Vote { member_id: "m".to_owned(), vote }];
    assert_eq!(bench.resolve(source, &[]), Ok(Resolution::Open));
    assert_eq!(bench.resolve(source, &votes(true)), Ok(Resolution::Accepted));
    assert_eq!(bench.resolve(source, &votes(false)), Ok(Resolution::Rejected));
    assert_eq!(bench.vote(source), Ok(true));
    let mut tx = bench.store.begin();
    bench.apply(source, &mut tx).unwrap();
    let table = MapName::new("public:ccf.gov.x").unwrap();
    assert_eq!(tx.get(&table, b"id").as_deref(), Some(&b"the proposal"[..]));

    for truthy in ["1", "'yes'", "{}", "new Boolean(true)"] {
        let ballot = format!("export function vote(p, q) {{ return {truthy}; }}");
        assert_eq!(bench.vote(&ballot), Ok(false), "{truthy}");
    }
    let later = "export async function validate(input) { return { valid: await true }; }";
    assert_eq!(bench.validate(later, ""), described(true, ""));
}

#[test]
fn nonsense_and_exceptions_are_failures_with_reason_and_trace() {
    let bench = Bench::new();
    for answer in ["", "return true", "return null"] {
        let source = format!("export function validate(input) {{ {answer} }}");
        let failure = bench.validate(&source, "").unwrap_err();
        assert!(failure.reason.contains("returned no object"), "{failure}");
    }
    for answer in ["", "return 'Dropped'", "return {}"] {
        let source = format!("export function resolve(a, b, c) {{ {answer} }}");
        let failure = bench.resolve(&source, &[]).unwrap_err();
        assert!(failure.reason.contains("it must be Open, Accepted or Rejected"), "{failure}");
    }
    let source = "function deep() { throw new Error('boom'); }
        export function apply(proposal, proposalId) { deep(); }";
    let mut tx = bench.store.begin();
    let failure = bench.apply(source, &mut tx).unwrap_err();
    assert_eq!(failure.reason, "Error: boom");
    let trace = failure.trace.unwrap();
    let wanted = "    at deep (constitution[0]:1)\n    at apply (constitution[0]:2)\n";
    assert_eq!(trace, wanted);

    let cases = [
        ("export function other() {}", "Error: Failed to find export 'apply'"),
        ("export const apply = 1;", "Error: Not a function: 'apply'"),
        ("export function apply( {", "SyntaxError"),
        ("throw new TypeError('at once');", "TypeError: at once"),
        ("import './other.js'; export function apply() {}", "ReferenceError"),
        ("await new Promise(() => {}); export function apply() {}", "never happens"),
    ];
    for (source, reason) in cases {
        let failure = bench.apply(source, &mut bench.store.begin()).unwrap_err();
        assert!(failure.reason.contains(reason), "{source}: {failure}");
    }
}

#[test]
fn calls_share_nothing_and_break_no_limit() {
    let mut bench = Bench::new();
    let source = "globalThis.count = (globalThis.count ?? 0) + 1;
        export function validate(input) { return { valid: true, description: String(count++) }; }";
    for _ in 0..2 {
        assert_eq!(bench.validate(source, "").unwrap().description, "1");
    }
    let loops = "export function apply(a, b) { for (;;) {} }";
    let polls_not = "export function apply(a, b) { Array(4e9).indexOf(1); }";
    let eats =
        "export function apply(a, b) { const all = []; for (;;) all.push(new Array(1000)); }";
    let nests = "function f() { f(); } export function apply(a, b) { f(); }";
    let at_once = "for (;;) {}";
    bench.limits.max_execution_time_ms = 50;
    let slow = "Operation took too long to complete.";
    for source in [loops, polls_not, at_once] {
        let mut tx = bench.store.begin();
        assert_eq!(bench.apply(source, &mut tx).unwrap_err().reason, slow, "{source}");
    }
    bench.limits.max_execution_time_ms = 10_000;
    bench.limits.max_heap_bytes = 4 << 20;
    let broken = |source| bench.apply(source, &mut bench.store.begin()).unwrap_err().reason;
    assert_eq!(broken(eats), "InternalError: out of memory");
    assert_eq!(broken(nests), "InternalError: stack overflow");
    // The transaction comes back whatever happens.
    let mut tx = bench.store.begin();
    let table = MapName::new("public:ccf.gov.x").unwrap();
    tx.put(&table, b"k", b"v").unwrap();
    bench.apply(nests, &mut tx).unwrap_err();
    assert!(tx.has_writes() && tx.has(&table, b"k"));
}

#[test]
fn constitutions_are_checked_as_ccf_checks_them() {
    let whole = "export function validate(input) {}
        export function resolve(proposal, proposerId, votes) {}
        export function apply(proposal, proposalId) {}";
    let with_id = whole.replace("votes)", "votes, proposalId)");
    let cases: [(String, Option<&str>); 13] = [
        (whole.to_owned(), None),
        (with_id, None),
        (whole.replace("(input)", "()"), Some("validate takes 0 parameters")),
        (whole.replace("(input)", "(input, more)"), Some("validate takes 2 parameters")),
        (whole.replace("(input)", "(...all)"), Some("validate takes 0 parameters")),
        (whole.replace(", votes", ""), Some("resolve takes 2 parameters")),
        (whole.replace("votes)", "votes, a, b)"), Some("resolve takes 5 parameters")),
        (whole.replace(", proposalId", ""), Some("apply takes 1 parameters")),
        (whole.replace("export function apply", "function apply"), Some("no function apply")),
        (format!("{whole} export ;"), Some("SyntaxError")),
        (format!("{whole} throw new Error('no');"), Some("Error: no")),
        (format!("{whole} ccf.kv['public:ccf.gov.x'].size;"), Some("Unable to access MapHandle")),
        (format!("{whole} ccf.gov.validateConstitution('x');"), Some("while it is validated")),
    ];
    let source = "
        export function run(request) {
          try { return { body: [ccf.gov.validateConstitution(request.body.text())] }; }
          catch (e) { return { body: [e.name, e.message] }; }
        }";
    let mut app = App::of(source, &["run"]);
    let bench = Bench::new();
    for (constitution, fault) in &cases {
        let seen = app.call_with("run", &request(constitution.as_bytes())).json();
        let proposed = format!("ccf.gov.validateConstitution({})", json!(constitution));
        match fault {
            None => {
                assert_eq!(seen, json!([true]), "{constitution}");
                assert_eq!(bench.everywhere(&proposed), [(); 4].map(|()| json!(true)));
                assert_eq!(bench.language.check(constitution), Ok(()));
            }
            Some(fault) => {
                assert_eq!(seen[0], "TypeError", "{constitution}: {seen}");
                assert!(seen[1].as_str().unwrap().contains(fault), "{constitution}: {seen}");
                assert!(bench.language.check(constitution).unwrap_err().contains(fault));
            }
        }
    }
    assert_eq!(thrown("ccf.gov.validateConstitution('')"), "TypeError: The constitution is empty");
    assert!(thrown("ccf.gov.validateConstitution(1)").starts_with("TypeError: "));
    let count = "TypeError: Passed 2 arguments, but expected 1";
    assert_eq!(thrown("ccf.gov.validateConstitution('a', 'b')"), count);
}

#[test]
fn a_constitution_that_loops_costs_its_validator_no_more_than_its_own_time() {
    let options = RuntimeOptions { max_execution_time_ms: 100, ..shown() };
    let source = "
        export function run(request) {
          try { ccf.gov.validateConstitution(request.body.text()); } catch (e) {}
          return { body: 'went on' };
        }
        export function after(request) { return { body: 'whole' }; }";
    let mut app = App::with_options(source, &["run", "after"], options);
    for constitution in ["for (;;) {}", "Array(4e9).indexOf(1);"] {
        let error = app.call_with("run", &request(constitution.as_bytes()));
        assert_eq!(error.error().message, "Operation took too long to complete.", "{constitution}");
        assert_eq!(app.call("after").text(), "whole");
    }
    // Nor does a deep stack below it, or a deep one in it.
    let source = "
        function down(n, text) { return n === 0 ? attempt(text) : down(n - 1, text); }
        function attempt(text) {
          try { return ccf.gov.validateConstitution(text); } catch (e) { return e.message; }
        }
        export function run(request) { return { body: [down(1000, request.body.text())] }; }";
    let mut app = App::of(source, &["run"]);
    let deep = app.call_with("run", &request(b"function f() { f(); } f();")).json();
    assert!(deep[0].as_str().unwrap().contains("stack overflow"), "{deep}");
}

#[test]
fn what_apply_asks_reaches_the_node() {
    let bench = Bench::new();
    let source = "export function apply(proposal, proposalId) {
        const b = ccf.strToBuf;
        ccf.node.triggerRecoverySharesRefresh();
        ccf.node.triggerLedgerChunk();
        ccf.node.triggerSnapshot();
        ccf.node.transitionServiceToOpen(undefined, b('next'));
        ccf.node.transitionServiceToOpen(b('old'), b('next'));
        const made = [
          ccf.network.getLatestLedgerSecretSeqno(),
          ccf.network.generateEndorsedCertificate('csr', 'today', 3),
          ccf.network.generateNetworkCertificate('today', 4.5),
        ];
        ccf.kv['public:ccf.gov.made'].set(b('k'), ccf.jsonCompatibleToBuf(made));
    }";
    let mut tx = bench.store.begin();
    bench.apply(source, &mut tx).unwrap();
    let asked = std::mem::take(&mut *bench.asked.0.lock().unwrap());
    let wanted = ["shares", "chunk", "snapshot", "open None next", "open Some(\"old\") next"];
    assert_eq!(asked, wanted);
    let made = tx.get(&MapName::new("public:ccf.gov.made").unwrap(), b"k").unwrap();
    assert_eq!(&*made, br#"[17,"csr today 3","today 4"]"#);

    let cases = [
        ("ccf.node.triggerLedgerRekey()", "InternalError: Failed to rekey ledger: This version"),
        ("ccf.node.triggerLedgerRekey(1)", "TypeError: Passed 1 arguments but expected 0"),
        ("ccf.node.transitionServiceToOpen()", "TypeError: Passed 0 arguments but expected 2"),
        ("ccf.node.transitionServiceToOpen(undefined, 'x')", "TypeError: Next service identity"),
        ("ccf.node.transitionServiceToOpen('x', 'x')", "TypeError: Previous service identity"),
        ("ccf.network.generateNetworkCertificate('x', -1)", "RangeError"),
        ("ccf.network.generateNetworkCertificate('x')", "TypeError: Passed 1 arguments but"),
        ("ccf.refreshAppBytecodeCache(1)", "TypeError: Passed 1 arguments, but expected 0"),
    ];
    for (statement, wanted) in cases {
        let thrown = bench.thrown_in_apply(statement);
        assert!(thrown.starts_with(wanted), "{statement}: {thrown}");
    }
}

#[test]
fn an_app_whose_module_does_not_compile_is_refused_where_it_is_deployed() {
    let bench = Bench::new();
    let refresh = |source: &str| {
        let source = format!(
            "export function apply(proposal, proposalId) {{
               const b = ccf.strToBuf, modules = ccf.kv['public:ccf.gov.modules'];
               modules.set(b('/a.js'), b({}));
               modules.set(b('/lib/b.js'), b('export const b = 1;'));
               ccf.refreshAppBytecodeCache();
             }}",
            json!(source)
        );
        bench.apply(&source, &mut bench.store.begin())
    };
    assert_eq!(refresh("import { b } from './lib/b.js'; export const a = b;"), Ok(()));
    let failure = refresh("import './missing.js'; export const a = 1;").unwrap_err();
    assert!(failure.reason.contains("'/missing.js'"), "{failure}");
    let failure = refresh("\nexport const = 1;").unwrap_err();
    assert!(failure.reason.contains("/a.js:2"), "{failure}");
}
