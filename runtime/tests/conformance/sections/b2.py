"""B.2: app.json."""

import apps
from b1 import good
from language import JAVASCRIPT, either, module

MODULE, FUNCTION = either(("js_module", "js_function"), ("py_module", "py_function"))

NOTHING = either("export function f() {}", "def f():\n    pass\n")
REFUSED = [
    (f"no {MODULE}", {MODULE: None}, either("js_module is missing", "needs py_module")),
    (f"no {FUNCTION}", {FUNCTION: None}, either("js_function is missing", "py_function, the name")),
    ("no authn_policies", {"authn_policies": None}, "authn_policies is missing"),
    ("a mode that does not exist", {"mode": "readwritten"}, "readwrite, readonly, historical"),
    ("a forwarding_required that does not exist", {"forwarding_required": "maybe"},
     "always, sometimes, never"),
    ("a redirection_strategy that does not exist", {"redirection_strategy": "away"},
     "to_primary, none, to_backup"),
    ("a policy that does not exist", {"authn_policies": ["telepathy"]}, "telepathy"),
    ("an openapi that is no object", {"openapi": "text"}, "openapi is"),
    ("an openapi_hidden that is no boolean", {"openapi_hidden": "no"}, "true or false"),
    ("an interpreter_reuse without key", {"interpreter_reuse": {}}, "interpreter_reuse is"),
]
TEMPLATES = [
    ("adjacent placeholders", "/{a}{b}", "follows another one directly"),
    ("a name twice", "/{a}/{a}", "occurs twice"),
    ("an open brace", "/{a", "never closed"),
]


def run(t):
    for name, changes, word in REFUSED:
        refused(t, name, {"/x": {"get": good(**changes)}}, word)
    for name, template, word in TEMPLATES:
        refused(t, name, {template: {"get": good()}}, word)
    refused(t, "a verb that does not exist", {"/x": {"fetch": good()}}, "is no verb")
    accepted(t)
    stored(t)
    if JAVASCRIPT:
        reuse(t)


def refused(t, name, endpoints, word):
    bundle = t.world.bundle(endpoints, {module("a"): NOTHING})
    code, said = t.world.refusal(["sandbox", "--app", bundle, "--node", "local://127.0.0.1:0"])
    t.equal(f"refused: {name}", [code, word in said or said], [1, True])


def accepted(t):
    """Everything that may be declared, and what is missing is CCF's default."""
    source = either(
        "export const f = (request) => ({ body: request.method });\n"
        "export const g = () => { ccf.kv['x'].set(ccf.strToBuf('k'), ccf.strToBuf('v'));"
        " return { body: 'written' }; };",
        "import ccf\n\n\ndef f(request):\n    return {'body': request.method}\n\n\n"
        "def g():\n    ccf.kv['x'].set(b'k', b'v')\n    return {'body': 'written'}\n",
    )
    policies = ["user_cert", "member_cert", "any_cert", "no_auth", {"all_of": ["any_cert"]}]
    endpoints = {
        "/verbs": {
            verb: good(**{MODULE: f"/{module('a')}"})
            for verb in ("get", "POST", "Put", "delete", "patch", "options")
        },
        "/default/mode": {"post": good(mode=None, **{FUNCTION: "g"})},
        "/default/forwarding": {"get": good(forwarding_required=None)},
        "/default/openapi": {"get": good(openapi=None)},
        "/policies": {"get": good(authn_policies=policies)},
        "/open": {"get": good(authn_policies=[])},
    }
    for field, choices in (
        ("forwarding_required", ("sometimes", "always", "never")),
        ("redirection_strategy", ("none", "to_primary", "to_backup")),
    ):
        for choice in choices:
            endpoints[f"/{field}/{choice}"] = {"get": good(**{field: choice})}
    service = t.world.sandbox("declared", t.world.bundle(endpoints, {module("a"): source}))
    for verb in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        t.equal(f"the verb {verb}", service.ask(verb, "/app/verbs").plain,
                [200, "text/plain", verb])
    t.equal("without mode an endpoint reads and writes",
            service.post("/app/default/mode").plain, [200, "text/plain", "written"])
    for path in ("/app/default/forwarding", "/app/default/openapi", "/app/policies", "/app/open",
                 *(f"/app{path}" for path in endpoints if path.count("/") == 2
                   and not path.startswith("/default"))):
        t.equal(f"accepted: {path[5:]}", service.get(path).plain, [200, "text/plain", "GET"])


def stored(t):
    """The endpoints table holds what was declared, also what nobody here knows."""
    wanted = apps.endpoints()["/odd/{a}"]["get"] | {MODULE: f"/{module('request')}"}
    row = either("return ccf.bufToJsonCompatible", "return ccf.buf_to_json_compatible")
    row += "(ccf.kv['public:ccf.gov.endpoints'].get(b('%s')))"
    wanted |= either({}, {"py_interface": "handler"})
    t.do("unknown properties are kept", row % "GET /odd/{a}", wanted)
    t.do("redirection_strategy is kept",
         (row % "GET /odd/{a}") + "['redirection_strategy']", "to_backup")
    t.do("interpreter_reuse is kept",
         (row % "GET /engine/counted_reused") + "['interpreter_reuse']", {"key": "counted"})
    t.do("verbs are stored in upper case",
         "return ccf.kv['public:ccf.gov.endpoints'].has(b('POST /run/rw'))", True)
    count = sum(len(verbs) for verbs in apps.endpoints().values())
    t.do("a row for every endpoint", "return ccf.kv['public:ccf.gov.endpoints'].size", count)
    t.equal("to_backup runs here where the interface does not redirect",
            t.main.get("/app/odd/1").json, {"name": "one", "params": {"a": "1"}})


def reuse(t):
    """interpreter_reuse: state stays for one key, on one connection's worker."""
    def counts(path):
        return [t.main.get(path).json for _ in range(3)]

    t.equal("without reuse module state is fresh for every request",
            counts("/app/engine/counted"), [1, 1, 1])
    t.equal("with reuse module state stays", counts("/app/engine/counted_reused"), [1, 2, 3])
    t.equal("endpoints of one key share it", counts("/app/engine/counted_shared"), [4, 5, 6])
    t.equal("another key has its own", counts("/app/engine/counted_other"), [1, 2, 3])
    t.equal("and nothing leaks into fresh ones", counts("/app/engine/counted"), [1, 1, 1])
