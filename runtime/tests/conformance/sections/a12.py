"""A.12: limits of execution, at CCF's defaults and as `set_js_runtime_options` sets them."""

import time

import apps
import governed
from language import either

EXECUTING = "Exception thrown while executing."
TOO_LONG = "Operation took too long to complete."
MEMORY = either("InternalError: out of memory", "MemoryError")
STACK = either("InternalError: stack overflow", "RecursionError: maximum recursion depth exceeded")
TIME = either("InternalError: interrupted", "TimeLimitExceeded")
RECURSION = either("(function f() { f() })()", "def f(): f()\nf()")
# Breaches of the options below that the defaults would let pass: script, message, reason.
BREACHES = [
    ("a small heap", either(
        "const a = []; for (let i = 0; i < 20; i++) a.push(new Uint8Array(1 << 20))",
        "a = [bytearray(1 << 20) for _ in range(20)]"), EXECUTING, MEMORY),
    # Python counts calls, not bytes of its stack.
    *either([("a small stack", "(function f(n) { if (n > 0) f(n - 1) })(1000)", EXECUTING, STACK)],
            []),
    ("little time", either(
        "const end = Date.now() + 1500; while (Date.now() < end);",
        "import time; end = time.time() + 1.5\nwhile time.time() < end: pass"), TOO_LONG, TIME),
]
OPTIONS = {"max_heap_bytes": 8 << 20, "max_stack_bytes": 100 << 10, "max_execution_time_ms": 300}
THROWS = either(b"throw new RangeError('a12 secret')", b"raise ValueError('a12 secret')")
SECRET = either("RangeError: a12 secret", "ValueError: a12 secret")


def run(t):
    def bare(source):
        answer = t.main.post("/app/bare", source.encode())
        detail = answer.json["error"]["details"][0]["message"]
        return [answer.status, answer.json["error"]["message"], detail]

    t.equal("too deep a stack", bare(RECURSION), [500, EXECUTING, STACK])
    t.equal("too much memory", bare(either(
        "const a = []; for (;;) a.push(new Uint8Array(1 << 20))",
        "a = []\nwhile True: a.append(bytearray(1 << 20))")), [500, EXECUTING, MEMORY])
    t.equal("too long a string", bare(either(
        "let s = 'x'.repeat(1 << 20); for (;;) s += s",
        "s = 'x' * (1 << 20)\nwhile True: s += s"))[0], 500)
    began = time.monotonic()
    t.equal("too much time", bare(either("for (;;);", "while True: pass")),
            [500, TOO_LONG, TIME])
    t.equal("that time is five seconds", 4.5 < time.monotonic() - began < 15, True)
    t.equal("an interrupt cannot be caught",
            bare(either(
                "for (;;) { try { for (;;); } catch (e) {} }",
                "while True:\n    try:\n        while True: pass\n    except Exception: pass"))[2],
            TIME)
    t.equal("a limit fails one request only", t.main.get("/app/nothing").plain,
            [200, "text/plain", "nothing"])
    t.do("half of the heap may be used", either(
        "const a = []; for (let i = 0; i < 50; i++) a.push(new Uint8Array(1 << 20)); "
        "return a.length",
        "a = [bytearray(1 << 20) for _ in range(50)]; return len(a)"), 50)
    answer = apps.node(t.world).post("/app/bare", RECURSION.encode())
    t.equal("without details a limit looks like any exception", answer.json,
            {"error": {"code": "InternalError", "message": EXECUTING}})
    metrics = t.main.get("/node/js_metrics").json
    for name, value in (
        ("max_heap_size", 104857600), ("max_stack_size", 1048576), ("max_execution_time", 5000),
        ("max_cached_interpreters", 10),
    ):
        t.equal(f"the default of {name}", metrics[name], value)
    t.equal("too long a handler writes nothing", written(t), False)
    proposed(t)


def written(t):
    source = either("ccf.kv['a12'].set(ccf.strToBuf('k'), ccf.strToBuf('v')); ",
                    "ccf.kv['a12'].set(b'k', b'v')\n") + RECURSION
    t.main.post("/app/bare", source.encode())
    return t.value("return ccf.kv['a12'].has(b('k'))")


def proposed(t):
    """Options that a proposal sets: one service tells clients of exceptions, one tells its log."""
    told = optioned(t, "told", return_exception_details=True, log_exception_details=False)
    logged = optioned(t, "logged", return_exception_details=False, log_exception_details=True,
                      max_cached_interpreters=3)
    for name, source, message, reason in BREACHES:
        t.equal(f"{name}: not by default", t.main.post("/app/bare", source.encode()).brief,
                [200, ""])
        error = told.post("/app/bare", source.encode()).json["error"]
        t.equal(f"{name}: details", [error["message"], error["details"][0]["message"]],
                [message, reason])
        answer = logged.post("/app/bare", source.encode())
        t.equal(f"{name}: no details", [answer.status, answer.json],
                [500, {"error": {"code": "InternalError", "message": message}}])
        t.equal(f"{name}: the log", [reason in there.log.read_text() for there in (told, logged)],
                [False, True])
    answer = told.post("/app/bare", THROWS)
    t.equal("return_exception_details", answer.json["error"]["details"][0]["message"],
            SECRET)
    answer = logged.post("/app/bare", THROWS)
    t.equal("no return_exception_details", answer.json,
            {"error": {"code": "InternalError", "message": EXECUTING}})
    t.equal("log_exception_details", [SECRET in there.log.read_text()
                                      for there in (told, logged)], [False, True])
    t.equal("a service with small options serves", told.get("/app/nothing").plain,
            [200, "text/plain", "nothing"])
    for there, name, cached in ((told, "left out", 10), (logged, "set", 3)):
        metrics = there.get("/node/js_metrics").json
        t.equal(f"js_metrics has the options, max_cached_interpreters {name}",
                [metrics[field] for field in ("max_heap_size", "max_stack_size",
                                              "max_execution_time", "max_cached_interpreters")],
                [*OPTIONS.values(), cached])
    t.do("the row is the proposal's arguments", governed.row("js_runtime_options", None),
         {**OPTIONS, "return_exception_details": False, "log_exception_details": True,
          "max_cached_interpreters": 3}, service=logged)


def optioned(t, name, **more):
    proposal = t.world.proposal(name, [("set_js_runtime_options", {**OPTIONS, **more})])
    bundle = t.world.bundle(apps.endpoints(), apps.MODULES)
    return t.world.sandbox(name, bundle, "--apply", proposal)
