"""Time and CPU of one call through the gateways, without a network and without a node.

    python measure.py

needs Flask and FastAPI. Numbers are the best of several rounds; CPU is that of all threads.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import conftest  # noqa: F401  (finds the package with and without its extension module)
from fake import FakeRequest

from affiant._hosting import asgi
from affiant._hosting.load import Source, load

ROUNDS = 7
CALLS = 1_000
HEADERS = [
    ("host", "node.example"),
    ("user-agent", "measure"),
    ("accept", "*/*"),
    ("content-type", "application/json"),
    ("content-length", "27"),
]
BODY = b'{"key":"a","value":"hello"}'

WSGI = """
def app(environ, start_response):
    start_response("200 OK", [("content-type", "text/plain")])
    return [b"x"]
"""
ASGI = """
async def app(scope, receive, send):
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"x"})
"""
FLASK = """
from flask import Flask, request
app = Flask(__name__)
@app.post("/path")
def endpoint():
    return {"got": request.json["key"]}
"""
FASTAPI = """
from fastapi import FastAPI
from pydantic import BaseModel
class Given(BaseModel):
    key: str
    value: str
app = FastAPI()
@app.post("/path")
def endpoint(given: Given):
    return {"got": given.key}
"""


async def coroutine() -> int:
    """A handler that has nothing to wait for."""
    return 1


def report(name: str, call: Callable[[], Any]) -> None:
    """Prints the best round."""
    call()
    best = cpu = float("inf")
    for _ in range(ROUNDS):
        began, used = time.perf_counter(), time.process_time()
        for _ in range(CALLS):
            call()
        best = min(best, time.perf_counter() - began)
        cpu = min(cpu, time.process_time() - used)
    print(f"{name:24} {best / CALLS * 1e6:8.1f} us {cpu / CALLS * 1e6:8.1f} us CPU")


def main() -> None:
    """Measures each kind of app."""
    request = FakeRequest("POST", "/app/path", "", HEADERS, BODY)
    for name, source in (
        ("WSGI alone", WSGI),
        ("Flask, JSON", FLASK),
        ("ASGI alone", ASGI),
        ("FastAPI, async, JSON", FASTAPI.replace("def endpoint", "async def endpoint")),
        ("FastAPI, sync, JSON", FASTAPI),
    ):
        loaded = load(Source(modules={"/app.py": source}))
        handler = loaded.handlers["* /*"]
        answer = handler(request)
        if answer[0] != 200:
            raise SystemExit(f"{name}: {answer}")
        report(name, lambda handler=handler: handler(request))  # type: ignore[misc]
        if hasattr(handler, "environ"):
            report("  environ", lambda handler=handler: handler.environ(request))  # type: ignore[misc]
        if hasattr(handler, "scope"):
            report("  scope", lambda handler=handler: handler.scope(request))  # type: ignore[misc]
        loaded.shutdown()
    report("async handler's run", lambda: asgi.run(coroutine()))


if __name__ == "__main__":
    main()
