"""D.2: which map may be read and written where."""

from language import PYTHON, either
from people import identity

LINK = "https://microsoft.github.io/CCF/main/audit/read_write_restrictions.html"
ERROR = either("TypeError", "AccessError")
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
    "has": "has(b('k'))", "get": "get(b('k'))", "size": "size",
    "forEach": either("forEach(() => 1)", "for_each(lambda value, key, map_: 1)"),
    "getVersionOfPreviousWrite": either("getVersionOfPreviousWrite(b('k'))",
                                        "get_version_of_previous_write(b('k'))"),
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
                    f'{ERROR}: Cannot call "{method}" on table named {name}. This table is '
                    f"{word} in current ({context}) execution context. See {LINK} for more detail."
                    for method in calls
                }
                t.do(f"{kind} of {name} by a {context}", attempts(name, calls), expected, mode=mode)
    t.do("methods that are refused are still there",
         either("return typeof ccf.kv['public:ccf.gov.users.certs'].set",
                "return ccf.kv['public:ccf.gov.users.certs'].set"),
         either("function", {"$": "function"}), mode="ro")
    rows(t)


def attempts(name, calls):
    """A snippet that makes each call and gives what came of it, by name of the method."""
    if PYTHON:
        source = f"out = {{}}; map_ = ccf.kv['{name}']\n"
        for method, call in calls.items():
            source += (
                f"try:\n    map_.{call}; out['{method}'] = 'ok'\n"
                f"except Exception as e:\n    out['{method}'] = f'{{type(e).__name__}}: {{e}}'\n"
            )
        return f"{source}return out"
    source = f"const out = {{}}; const map = ccf.kv['{name}'];"
    for method, call in calls.items():
        source += (
            f"try {{ map.{call}; out.{method} = 'ok' }} "
            f"catch (e) {{ out.{method} = `${{e.name}}: ${{e.message}}` }}"
        )
    return f"{source} return out"


def rows(t):
    """What real apps read of governance."""
    t.do("users.certs has a row for every user",
         "return ccf.kv['public:ccf.gov.users.certs'].size", 2)
    t.do("members.certs has a row for every member",
         "return ccf.kv['public:ccf.gov.members.certs'].size", 2)
    id_, pem = identity(t.main.identity("user0"))
    t.do("a user's certificate is under the user's id",
         "return s(ccf.kv['public:ccf.gov.users.certs'].get(b('%s')))" % id_, pem)
    t.do("members.info has JSON with a status",
         either("const seen = []; ccf.kv['public:ccf.gov.members.info']"
                ".forEach((v) => seen.push(ccf.bufToJsonCompatible(v).status)); return seen",
                "return [v['status'] for v in ccf.kv['public:ccf.gov.members.info'].values(str)]"),
         ["Active", "Active"])
    t.do("service.info is a singleton",
         either("return ccf.bufToJsonCompatible(ccf.kv['public:ccf.gov.service.info']"
                ".get(new ArrayBuffer(8))).status",
                "return ccf.buf_to_json_compatible(ccf.kv['public:ccf.gov.service.info']"
                ".get(bytes(8)))['status']"), "Open")
    zeros = either("new ArrayBuffer(8)", "bytes(8)")
    t.do("internal tables can be read",
         f"return ccf.kv['public:ccf.internal.signatures'].has({zeros})", True)
