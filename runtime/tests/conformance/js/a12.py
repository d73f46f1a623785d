"""A.12: limits of execution, at CCF's defaults."""

import time

import apps

EXECUTING = "Exception thrown while executing."


def run(t):
    def bare(source):
        answer = t.main.post("/app/bare", source.encode())
        detail = answer.json["error"]["details"][0]["message"]
        return [answer.status, answer.json["error"]["message"], detail]

    t.equal("too deep a stack", bare("(function f() { f() })()"),
            [500, EXECUTING, "InternalError: stack overflow"])
    t.equal("too much memory",
            bare("const a = []; for (;;) a.push(new Uint8Array(1 << 20))"),
            [500, EXECUTING, "InternalError: out of memory"])
    t.equal("too long a string",
            bare("let s = 'x'.repeat(1 << 20); for (;;) s += s")[0], 500)
    began = time.monotonic()
    t.equal("too much time", bare("for (;;);"),
            [500, "Operation took too long to complete.", "InternalError: interrupted"])
    t.equal("that time is five seconds", 4.5 < time.monotonic() - began < 15, True)
    t.equal("an interrupt cannot be caught",
            bare("for (;;) { try { for (;;); } catch (e) {} }")[2], "InternalError: interrupted")
    t.equal("a limit fails one request only", t.main.get("/app/nothing").plain,
            [200, "text/plain", "nothing"])
    t.js("half of the heap may be used",
         "const a = []; for (let i = 0; i < 50; i++) a.push(new Uint8Array(1 << 20)); "
         "return a.length", 50)
    answer = apps.node(t.world).post("/app/bare", b"(function f() { f() })()")
    t.equal("without details a limit looks like any exception", answer.json,
            {"error": {"code": "InternalError", "message": EXECUTING}})
    metrics = t.main.get("/node/js_metrics").json
    for name, value in (
        ("max_heap_size", 104857600), ("max_stack_size", 1048576), ("max_execution_time", 5000),
        ("max_cached_interpreters", 10),
    ):
        t.equal(f"the default of {name}", metrics[name], value)
    t.equal("too long a handler writes nothing", written(t), False)


def written(t):
    source = b"ccf.kv['a12'].set(ccf.strToBuf('k'), ccf.strToBuf('v')); (function f() { f() })()"
    t.main.post("/app/bare", source)
    return t.value("return ccf.kv['a12'].has(b('k'))")
