"""P.1: modules, the standard library, asynchronous handlers, exceptions; the place of A.1."""

import datetime

from kit import buffer, threw

LANGUAGES = ("python",)

# Expression, value: what apps compute with.
LIBRARY = [
    ("json", "json.loads('[1.5, null]')", [1.5, None]),
    ("hashlib", "hashlib.sha256(b'x').hexdigest()[:8]", "2d711642"),
    ("hmac", "hmac.digest(b'k', b'd', 'sha256').hex()[:8]", "e7ea21c3"),
    ("base64", "base64.b64encode(b'hi').decode()", "aGk="),
    ("re", "re.sub(r'(?<=a)b', 'c', 'abab')", "acac"),
    ("decimal", "str(decimal.Decimal('0.1') + decimal.Decimal('0.2'))", "0.3"),
    ("fractions", "str(fractions.Fraction(1, 3) * 3)", "1"),
    ("datetime", "datetime.date(2026, 2, 28).isoformat()", "2026-02-28"),
    ("collections", "collections.Counter('aab').most_common(1)", [["a", 2]]),
    ("dataclasses", "dataclasses.asdict(dataclasses.make_dataclass('P', ['x'])(1))", {"x": 1}),
    ("functools", "functools.reduce(lambda a, b: a + b, [1, 2, 3])", 6),
    ("itertools", "list(itertools.chain([1], [2]))", [1, 2]),
    ("enum", "enum.Enum('E', ['A', 'B']).B.value", 2),
    ("uuid", "uuid.UUID(int=7).hex[-2:]", "07"),
    ("statistics", "statistics.median([1, 5, 2])", 2),
    ("struct", "struct.pack('>H', 258)", {"$hex": "0102"}),
    ("zlib", "zlib.decompress(zlib.compress(b'x' * 99)).count(b'x')", 99),
    ("csv", "list(csv.reader(['a,b']))", [["a", "b"]]),
    ("xml.etree.ElementTree", "xml.etree.ElementTree.fromstring('<a><b/></a>')[0].tag", "b"),
    ("urllib.parse", "urllib.parse.parse_qs('a=1&a=2')", {"a": ["1", "2"]}),
    ("secrets", "len(secrets.token_bytes(16))", 16),
    ("random", "0 <= random.random() < 1", True),
    ("typing", "typing.get_type_hints(lambda: 0)", {}),
    ("contextvars", "contextvars.ContextVar('c', default=3).get()", 3),
]
# Statement, beginning of what it raises: a policy names what more an app may do.
REFUSED = [
    ("a file", "open('/etc/passwd')", "PermissionError: the app may not open '/etc/passwd' for "
     "reading; to allow it add to [tool.affiant.policy] in "),
    ("a directory", "import os; os.listdir('/')", "PermissionError: the app may not list '/'"),
    ("writing", "open('/tmp/p1', 'w')", "PermissionError: the app may not open '/tmp/p1' for "),
    ("a connection", "import socket; socket.create_connection(('127.0.0.1', 9))",
     "PermissionError: the app may not look up the host '127.0.0.1'"),
    ("a process", "import subprocess; subprocess.run(['true'])",
     "PermissionError: the app may not import 'subprocess'"),
    ("native code", "import ctypes; ctypes.CDLL(None)", "PermissionError: the app may not"),
    ("a fork", "import os; os.fork()", "PermissionError: the app may not"),
]
RAISED = [
    ("a chain of exceptions",
     "try: 1 / 0\nexcept ZeroDivisionError as e: raise ValueError('outer') from e",
     "ValueError: outer", "ZeroDivisionError: division by zero"),
    ("an exception group", "raise ExceptionGroup('g', [ValueError('inner')])",
     "ExceptionGroup: g (1 sub-exception)", "ValueError: inner"),
    ("a note", "e = ValueError('v'); e.add_note('a note'); raise e", "ValueError: v", "a note"),
    ("SystemExit ends nothing", "raise SystemExit(3)", "SystemExit: 3", "SystemExit: 3"),
    ("KeyboardInterrupt ends nothing", "raise KeyboardInterrupt", "KeyboardInterrupt",
     "KeyboardInterrupt"),
]


def run(t):
    for module, expression, expected in LIBRARY:
        top = module.partition(".")[0]
        t.do(f"library: {module}", f"import {module}; return {expression}", expected)
        t.do(f"library: {module} is the interpreter's own",
             f"import sys; return {top!r} in sys.stdlib_module_names", True)
    facts = t.main.get("/app/engine/facts").json
    t.equal("imports across packages", facts["named"], "root sibling leaf")
    t.equal("import of a module in a package", facts["sibling"], "sibling")
    t.equal("a module has its import name", facts["module"], "engine")
    counts = [t.main.get("/app/engine/counted").json for _ in range(3)]
    t.equal("modules are run once and keep their state", counts,
            [counts[0], counts[0] + 1, counts[0] + 2])
    t.do("import ccf gives one module", "import ccf as again; return again is ccf", True)
    t.do("an absent module", "import no_such_module",
         threw("ModuleNotFoundError: No module named 'no_such_module'"))
    now = datetime.datetime.now(datetime.timezone.utc).timestamp()
    t.do("the clock is the real one", f"import time; return abs(time.time() - {now}) < 60", True)
    refused(t)
    asynchronous(t)
    raised(t)


def refused(t):
    for name, statement, beginning in REFUSED:
        said = t.value(statement)
        said = said.get("$threw", said) if isinstance(said, dict) else said
        t.equal(f"without a policy: {name}", str(said).startswith(beginning) or said, True)
    said = t.value(REFUSED[0][1])["$threw"]
    t.equal("the file that takes the policy is beside app.json",
            said.partition("] in ")[2].split(":")[0].rsplit("/", 2)[1:],
            ["1-bundle", "pyproject.toml"])


def asynchronous(t):
    t.equal("what an async handler returned is its answer", t.main.get("/app/engine/later").plain,
            [200, "text/plain", "later"])
    detail = t.main.get("/app/engine/rejects").json["error"]["details"][0]
    t.equal("an exception of an async handler", detail["message"], "TypeError: late")
    t.equal("its trace names the handler", "in rejects" in detail["trace"], True)
    answer = t.main.post("/app/bare", b"import asyncio\nasync def f():\n"
                         b"    await asyncio.sleep(0)\n    ccf.kv['p1'].set(b'k', b'later')\n"
                         b"asyncio.run(f())")
    t.equal("an event loop of one's own", answer.status, 200)
    t.do("shares the request's transaction", "return ccf.kv['p1'].get(b'k')", buffer(b"later"))


def raised(t):
    for name, source, message, traced in RAISED:
        error = t.main.post("/app/bare", source.encode()).json["error"]
        detail = error["details"][0]
        t.equal(f"raised: {name}", [error["message"], detail["code"], detail["message"],
                                    traced in detail["trace"] or detail["trace"]],
                ["Exception thrown while executing.", "PythonException", message, True])
    t.equal("the service goes on", t.main.get("/app/nothing").text, "nothing")
    detail = t.main.get("/app/engine/throws").json["error"]["details"][0]
    frames = [line.strip().split(", ") for line in detail["trace"].splitlines() if "File " in line]
    t.equal("a trace has file, line and function of the app's frames",
            [[frame[0].rpartition("/")[2], frame[-1]] for frame in frames[-2:]],
            [['engine.py"', "in throws"], ['engine.py"', "in inner"]])
