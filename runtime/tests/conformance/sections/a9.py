"""A.9: `ccf.gov`, and what constitutions bring about when they apply a proposal."""

import json
import time

import apps
import governed
from governed import COMMON, MEMBER_DATA, ONE, SET_APP, TWO, keys, row, spki, text
from kit import COMMIT_S, UNDEFINED, threw
from language import JAVASCRIPT, either, module
from people import identity

VALIDATE = "export function validate(input) { return { valid: true, description: '' }; }\n"
RESOLVE = "export function resolve(proposal, proposerId, votes) { return 'Open'; }\n"
APPLY = "export function apply(proposal, proposalId) {}\n"
PARAMETERS = "The constitution's function {} takes {} parameters; it must be {}({})"
RESOLVES = "proposal, proposerId, votes[, proposalId]"
NO_STRING = threw("TypeError: Argument must be a string: a constitution's source")
# Name, source, what is wrong with it.
CONSTITUTIONS = [
    ("the three functions", VALIDATE + RESOLVE + APPLY, None),
    ("a resolve of four parameters",
     VALIDATE + APPLY + "export const resolve = (a, b, c, d) => 'Open'", None),
    ("an empty one", "", "The constitution is empty"),
    ("no validate", RESOLVE + APPLY, "The constitution exports no function validate(input)"),
    ("no resolve", VALIDATE + APPLY, f"The constitution exports no function resolve({RESOLVES})"),
    ("no apply", VALIDATE + RESOLVE,
     "The constitution exports no function apply(proposal, proposalId)"),
    ("an apply that is not exported", VALIDATE + RESOLVE + APPLY.replace("export ", ""),
     "The constitution exports no function apply(proposal, proposalId)"),
    ("an apply that is no function", VALIDATE + RESOLVE + "export const apply = 7",
     "The constitution exports no function apply(proposal, proposalId)"),
    ("a validate of none", RESOLVE + APPLY + "export function validate() {}",
     PARAMETERS.format("validate", 0, "validate", "input")),
    ("a validate of two", RESOLVE + APPLY + "export function validate(a, b) {}",
     PARAMETERS.format("validate", 2, "validate", "input")),
    ("a resolve of two", VALIDATE + APPLY + "export function resolve(a, b) {}",
     PARAMETERS.format("resolve", 2, "resolve", RESOLVES)),
    ("a resolve of five", VALIDATE + APPLY + "export function resolve(a, b, c, d, e) {}",
     PARAMETERS.format("resolve", 5, "resolve", RESOLVES)),
    ("an apply of one", VALIDATE + RESOLVE + "export function apply(a) {}",
     PARAMETERS.format("apply", 1, "apply", "proposal, proposalId")),
    ("an apply of three", VALIDATE + RESOLVE + "export function apply(a, b, c) {}",
     PARAMETERS.format("apply", 3, "apply", "proposal, proposalId")),
]
OWN = either(
    "const own = ccf.bufToJsonCompatible("
    "ccf.kv['public:ccf.gov.constitution'].get(new ArrayBuffer(8))); ",
    "own = ccf.buf_to_json_compatible(ccf.kv['public:ccf.gov.constitution'].get(bytes(8))); ",
)

# A constitution that has nothing of the built-in one, and notes what it is given.
FOREIGN = {
    "actions.js": """
const noted = ccf.kv["public:foreign.notes"];
const kinds = {};
for (const name of ["rpc", "consensus", "historical", "node", "network", "gov", "crypto",
    "setJwtPublicSigningKeys", "removeJwtPublicSigningKeys", "refreshAppBytecodeCache"]) {
  kinds[name] = typeof ccf[name];
}
const attempt = (f) => {
  try { f(); return "done"; } catch (e) { return `${e.name}: ${e.message}`; }
};
""",
    "validate.js": """
export function validate(input) {
  const good = JSON.parse(input).actions.every(({ name }) => name === "note");
  return { valid: good, description: "only note is known here" };
}
""",
    "resolve.js": RESOLVE,
    "apply.js": """
export function apply(proposal, proposalId) {
  const [{ args }] = JSON.parse(proposal).actions;
  if (args.fail) throw new TypeError(args.fail);
  const key = ccf.strToBuf("k");
  const found = {
    args, kinds, id: /^[0-9a-f]{64}$/.test(proposalId),
    private: attempt(() => ccf.kv["mine"].get(key)),
    internal: attempt(() => ccf.kv["public:ccf.internal.signatures"].set(key, key)),
    internalRead: attempt(() => ccf.kv["public:ccf.internal.signatures"].get(key)),
    counts: attempt(() => ccf.node.triggerLedgerChunk(1)),
    rekey: attempt(() => ccf.node.triggerLedgerRekey()).startsWith("InternalError: "),
    seqno: typeof ccf.network.getLatestLedgerSecretSeqno(),
  };
  noted.set(ccf.strToBuf("found"), ccf.jsonCompatibleToBuf(found));
}
""",
}


def run(t):
    if JAVASCRIPT:
        validation(t)
    made = governed.service(t.world)
    effects(t, made)
    people(t, made)
    issuers(t, made)
    refusals(t, made)
    foreign(t)


def validation(t):
    """Constitutions are in JavaScript, and so is what checks them."""
    for name, source, fault in CONSTITUTIONS:
        t.do(f"validateConstitution: {name}",
             f"return ccf.gov.validateConstitution({json.dumps(source)})",
             True if fault is None else threw(f"TypeError: {fault}"))
    own = OWN + "return ccf.gov.validateConstitution(own)"
    t.do("validateConstitution: the service's own", own, True)
    t.do("the service's own is a JSON string", OWN + "return typeof own", "string")
    for name, argument in (("undefined", "undefined"), ("a number", "7"), ("an object", "{}"),
                           ("a buffer", "b('x')")):
        t.do(f"validateConstitution refuses {name}",
             f"return ccf.gov.validateConstitution({argument})", NO_STRING)
    for name, arguments, count in (("no argument", "", 0), ("two arguments", "'', ''", 2)):
        t.do(f"validateConstitution with {name}",
             f"return ccf.gov.validateConstitution({arguments})",
             threw(f"TypeError: Passed {count} arguments, but expected 1"))
    for name, source, beginning in (
        ("a syntax error", "export function validate(", "SyntaxError: "),
        ("an exception", "throw new RangeError('mine')", "RangeError: mine"),
        ("an import", "import 'other.js'", ""),
    ):
        message = f"The constitution cannot be evaluated: {beginning}"
        t.do(f"validateConstitution: {name}",
             f"try {{ ccf.gov.validateConstitution({json.dumps(source)}) }} catch (e) {{ "
             f"return [e.name, e.message.startsWith({json.dumps(message)}) || e.message] }}",
             ["TypeError", True])


def effects(t, made):
    """Of set_js_app, set_ca_cert_bundle, trigger_ledger_chunk."""
    there = made.service
    t.equal(f"{SET_APP}: the app is served", there.get("/app/nothing").plain,
            [200, "text/plain", "nothing"])
    t.equal(f"{SET_APP}: the earlier app is gone", there.get("/app/old").brief,
            [404, "ResourceNotFound"])
    t.do(f"{SET_APP}: modules by name", keys("modules"),
         sorted(f"/{name}" for name in apps.MODULES), service=there)
    t.do(f"{SET_APP}: endpoints by verb and path, unknown properties kept",
         row("endpoints", "GET /odd/{a}"),
         {**apps.code("/request", "one"), "forwarding_required": "sometimes",
          "authn_policies": ["no_auth"], "mode": "readwrite",
          "openapi": {"summary": "Odd", "parameters": [], "x-own": {"kept": True}},
          "x_unknown": {"z": 1, "a": [None]}, "redirection_strategy": "to_backup"}, service=there)
    t.do(f"{SET_APP}: interpreters are flushed", row("interpreter.flush", None), True,
         service=there)
    t.do(f"{SET_APP}: bytecode is not stored", keys("modules_quickjs_bytecode"), [], service=there)
    t.do("set_ca_cert_bundle", row("tls.ca_cert_bundles", "roots"), made.pem("user7"),
         service=there)
    t.do("remove_ca_cert_bundle", keys("tls.ca_cert_bundles"), ["roots"], service=there)
    t.equal("trigger_ledger_chunk ends the chunk at the next signature", chunks(there), ["1"])
    lines = there.log.read_text()
    t.equal("every proposal is counted", f"{len(made.proposals())} proposals" in lines or lines,
            True)


def chunks(there):
    """The first seqnos of complete chunks, once there are any; only signatures end chunks."""
    ledger = there.root / "workspace" / "sandbox_0" / "0.ledger"
    deadline = time.monotonic() + COMMIT_S
    while True:
        there.committed(there.post("/app/tx/write", b'{"space": "a9", "key": "k"}').txid)
        names = [path.name for path in ledger.glob("ledger_*-*.committed")]
        if names or time.monotonic() > deadline:
            return [name.split("_")[1].split("-")[0] for name in names]


def people(t, made):
    """Of set_user, set_user_data, remove_user, set_member, set_member_data; and who was there."""
    there = made.service
    for name, data in (("user0", None), ("user7", {"role": "clerk"}), ("user8", {"late": 1})):
        caller = there.client(made.people[name]).get("/app/echo/user").json["caller"]
        caller["cert"] = caller["cert"].strip() == made.pem(name).strip()
        t.equal(f"{name} is a user", caller,
                {"policy": "user_cert", "id": made.id(name), "data": data, "cert": True})
    t.equal("remove_user", there.client(made.people["gone"]).get("/app/echo/user").brief,
            [401, "InvalidAuthenticationInfo"])
    for name, data in (("member0", MEMBER_DATA), ("member7", {"of": "us"})):
        caller = there.client(made.people[name]).get("/app/echo/member").json["caller"]
        t.equal(f"{name} is a member", [caller["policy"], caller["id"], caller["data"]],
                ["member_cert", made.id(name), data])
    for table, name, wanted in (
        ("users.info", "user7", {"user_data": {"role": "clerk"}}),
        ("users.info", "user8", {"user_data": {"late": 1}}),
        ("users.info", "user0", UNDEFINED), ("users.info", "gone", UNDEFINED),
        ("members.info", "member0", {"member_data": MEMBER_DATA, "status": "Active"}),
        ("members.info", "member7",
         {"member_data": {"of": "us"}, "recovery_role": "Owner", "status": "Accepted"}),
    ):
        t.do(f"{table} of {name}", row(table, made.id(name)), wanted, service=there)
    for table, name, wanted in (
        ("users.certs", "user7", made.pem("user7")), ("users.certs", "gone", UNDEFINED),
        ("members.certs", "member7", made.pem("member7")),
        ("members.encryption_public_keys", "member7", made.member_key),
    ):
        t.do(f"{table} of {name}", text(table, made.id(name)), wanted, service=there)
    t.do("members.acks of a new member has a state to sign",
         row("members.acks", made.id("member7")).replace(*either(
             ("return row &&", "return row && ((ack) => /^[0-9a-f]{64}$/.test(ack.state_digest))("),
             ("return row and", "import re; return bool(re.fullmatch('[0-9a-f]{64}', ("),
         )) + either(")", ")['state_digest']))"), True, service=there)
    for name in ("user0", "member0"):
        kept = [path.read_bytes() for path in there.identity(name)]
        t.equal(f"the certificate and key of {name} that lay there are kept", kept,
                [path.read_bytes() for path in made.people[name]])
    made_here = identity(there.identity("user1"))
    t.equal("a user who was not there is made",
            there.client("user1").get("/app/echo/user").json["caller"]["id"], made_here[0])
    t.equal("a member who has no encryption key there gets one",
            (there.common / "member0_enc_pubk.pem").is_file(), True)


def issuers(t, made):
    """Of set_jwt_issuer, set_jwt_public_signing_keys, remove_jwt_issuer."""
    there = made.service
    t.do("issuers", keys("jwt.issuers"), sorted([ONE, TWO, governed.CHILD, COMMON]), service=there)
    t.do("an issuer is its arguments without the keys", row("jwt.issuers", ONE),
         {"issuer": ONE, "key_filter": "all", "auto_refresh": False}, service=there)
    table = "jwt.public_signing_keys_metadata_v2"
    t.do("key ids, without those that were replaced or removed", keys(table),
         ["child", "ec", "entra", "new", "p384", "rsa", "shared", "x5c"], service=there)
    rsa, curve = spki(made.rsa), spki(made.curve)
    for name, rows in (
        ("rsa", [{"public_key": rsa, "issuer": ONE, "constraint": ONE}]),
        ("ec", [{"public_key": curve, "issuer": ONE}]),
        ("x5c", [{"public_key": rsa, "issuer": ONE}]),
        ("shared", [{"public_key": rsa, "issuer": ONE, "constraint": ONE},
                    {"public_key": spki(made.other_rsa), "issuer": TWO, "constraint": TWO}]),
        ("entra", [{"public_key": rsa, "issuer": COMMON, "constraint": governed.TENANTS}]),
    ):
        t.do(f"the rows of key {name}", row(table, name), rows, service=there)


def refusals(t, made):
    """Proposals that stop a sandbox's start."""
    away = governed.ec_jwk("k", made.curve, issuer="https://elsewhere.example")
    broken = governed.bundle(
        {"/f": {"get": apps.endpoint("a", "f")}},
        {module("a"): either("export function f( {", "def f( {")})
    for name, actions, words in (
        ("an unknown action", [("dance", {})], ["(dance)", "there is no such action"]),
        ("what is no certificate", [("set_user", {"cert": "x"})], ["cert is no PEM certificate"]),
        ("a user who is not there, after something else",
         [("trigger_ledger_chunk", None),
          ("set_user_data", {"user_id": "0" * 64, "user_data": {}})],
         ["action 1 (set_user_data)", "there is no user"]),
        ("a key of another domain",
         [("set_jwt_issuer", {"issuer": ONE, "jwks": {"keys": [away]}})],
         ["elsewhere.example is neither of the domain of the issuer", ONE]),
        ("keys of no issuer",
         [("set_jwt_public_signing_keys",
           {"issuer": ONE, "jwks": {"keys": [governed.ec_jwk("k", made.curve)]}})],
         [f"there is no issuer {ONE}"]),
        ("a bundle that is none",
         [("set_ca_cert_bundle", {"name": "n", "cert_bundle": "x"})], ["cert_bundle"]),
        ("an app that does not compile", [(SET_APP, broken)],
         [either("Unable to refresh bytecode", "a.py"), "SyntaxError"]),
        ("snapshots", [("trigger_snapshot", None)], ["does not support snapshots"]),
    ):
        said = refused(t, "refused", actions)
        t.equal(f"refused: {name}", said if not all(word in said[1] for word in words) else said[0],
                1)


def refused(t, name, actions, *options):
    proposal = t.world.proposal(name, actions)
    return t.world.refusal(
        ["sandbox", "--node", "local://127.0.0.1:0", "--workspace",
         t.world.directory("refused") / "workspace", "--apply", proposal, *options])


def foreign(t):
    """Another constitution, whole."""
    directory = t.world.directory("constitution")
    for name, source in FOREIGN.items():
        (directory / name).write_text(source)
    options = ("--constitution-dir", directory)
    note = t.world.proposal("note", [("note", {"text": "h\u00e9"})])
    app = t.world.bundle(apps.endpoints(), apps.MODULES)
    there = t.world.sandbox("foreign", app, *options, "--apply", note)
    found = t.value(either("return ccf.bufToJsonCompatible", "return ccf.buf_to_json_compatible")
                    + "(ccf.kv['public:foreign.notes'].get(b('found')))", service=there)
    here = dict.fromkeys(("node", "network", "gov", "crypto"), "object")
    here |= dict.fromkeys(("rpc", "consensus", "historical"), "undefined")
    here |= dict.fromkeys(("setJwtPublicSigningKeys", "removeJwtPublicSigningKeys",
                           "refreshAppBytecodeCache"), "function")
    for name, wanted in (
        ("args", {"text": "h\u00e9"}), ("kinds", here), ("id", True), ("internalRead", "done"),
        ("counts", "TypeError: Passed 1 arguments but expected 0"), ("rekey", True),
        ("seqno", "number"),
    ):
        t.equal(f"apply of another constitution: {name}", found.get(name), wanted)
    for name in ("private", "internal"):
        t.equal(f"apply of another constitution has no access: {name}",
                found[name].startswith("TypeError: ") or found[name], True)
    t.do("it is stored whole", OWN + "return own", "\n".join(FOREIGN.values()), service=there)
    t.do("it is valid", either(OWN + "return ccf.gov.validateConstitution(own)", None), True,
         service=there)
    for name, actions, word in (
        ("by its validate", [("set_user", {})], "only note is known here"),
        ("by an exception of its apply", [("note", {"fail": "not today"})],
         "TypeError: not today"),
    ):
        said = refused(t, "foreign", actions, *options)
        t.equal(f"another constitution refuses {name}", said if word not in said[1] else said[0], 1)
    (directory / "apply.js").write_text("export function apply(proposal) {}")
    said = refused(t, "foreign", [("note", {})], *options)
    word = PARAMETERS.format("apply", 1, "apply", "proposal, proposalId")
    t.equal("a directory whose constitution is none", said if word not in said[1] else said[0], 1)
