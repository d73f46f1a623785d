"""D.2: which map may be read and written where."""

LINK = "https://microsoft.github.io/CCF/main/audit/read_write_restrictions.html"
MODES = {"rw": "application", "ro": "read-only application"}
# Name; may be read, may be written by a readwrite handler.
MAPS = [
    ("d2.private", True, True),
    ("public:d2.public", True, True),
    ("public:ccf.gov.users.certs", True, False),
    ("public:ccf.gov.members.info", True, False),
    ("public:ccf.gov.d2.unknown", True, False),
    ("public:ccf.internal.signatures", True, False),
    ("ccf.gov.d2", False, False),
    ("ccf.internal.d2", False, False),
]
READS = {
    "has": "has(b('k'))", "get": "get(b('k'))", "size": "size", "forEach": "forEach(() => 1)",
    "getVersionOfPreviousWrite": "getVersionOfPreviousWrite(b('k'))",
}
WRITES = {"set": "set(b('k'), b('v'))", "delete": "delete(b('k'))", "clear": "clear()"}


def run(t):
    for mode, context in MODES.items():
        for name, readable, writable in MAPS:
            writable = writable and mode == "rw"
            word = "read-only" if readable else "inaccessible"
            for kind, calls, allowed in (("reads", READS, readable), ("writes", WRITES, writable)):
                expected = {
                    method: "ok" if allowed else
                    f'TypeError: Cannot call "{method}" on table named {name}. This table is '
                    f"{word} in current ({context}) execution context. See {LINK} for more detail."
                    for method in calls
                }
                source = "const out = {}; const map = ccf.kv['%s'];" % name
                for method, call in calls.items():
                    source += (
                        f"try {{ map.{call}; out.{method} = 'ok' }} "
                        f"catch (e) {{ out.{method} = `${{e.name}}: ${{e.message}}` }}"
                    )
                t.js(f"{kind} of {name} by a {context}", f"{source} return out", expected,
                     mode=mode)
    t.js("methods that are refused are still there",
         "return typeof ccf.kv['public:ccf.gov.users.certs'].set", "function", mode="ro")
    rows(t)


def rows(t):
    """What real apps read of governance."""
    t.js("users.certs has a row for every user",
         "return ccf.kv['public:ccf.gov.users.certs'].size", 2)
    t.js("members.certs has a row for every member",
         "return ccf.kv['public:ccf.gov.members.certs'].size", 2)
    pem = t.main.identity("user0")[0].read_text()
    t.js("a user's certificate is under the user's id",
         "return s(ccf.kv['public:ccf.gov.users.certs'].get(b(ccf.pemToId(`%s`))))" % pem, pem)
    t.js("members.info has JSON with a status",
         "const seen = []; ccf.kv['public:ccf.gov.members.info']"
         ".forEach((v) => seen.push(typeof ccf.bufToJsonCompatible(v).status)); return seen",
         ["string", "string"])
    t.js("service.info is a singleton",
         "return ccf.bufToJsonCompatible(ccf.kv['public:ccf.gov.service.info']"
         ".get(new ArrayBuffer(8))).status", "Open")
    t.js("internal tables can be read",
         "return ccf.kv['public:ccf.internal.signatures'].has(new ArrayBuffer(8))", True)
