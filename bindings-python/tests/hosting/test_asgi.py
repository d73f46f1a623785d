"""The ASGI adapter against ASGI 3.0, HTTP 2.4 and lifespan."""

from __future__ import annotations

import asyncio
import contextvars
import ctypes
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fake import FakeRequest

from affiant._hosting import asgi
from affiant._hosting import loop as loops
from affiant._hosting.handlers import HTTPError

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
START = {"type": "http.response.start", "status": 200, "headers": [(b"x-a", b"1")]}


@pytest.fixture(autouse=True, params=["eager", "by turns"])
def each_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every test runs with tasks that begin at once, where Python has them, and without."""
    if request.param == "eager" and sys.version_info < (3, 12):
        pytest.skip("tasks begin at once since Python 3.12")
    monkeypatch.setattr(loops, "_EAGER", request.param == "eager")
    slot = loops.acquire()
    yield
    slot.release()


def handler(app: Any, state: dict[str, Any] | None = None) -> asgi.AsgiHandler:
    return asgi.AsgiHandler(app, loops._threads.slot.get(), state or {})


def answer(app: Any, **given: Any) -> Any:
    return handler(app)(FakeRequest(**given))


async def end(send: Send, body: bytes = b"") -> None:
    await send({"type": "http.response.body", "body": body})


def test_the_scope() -> None:
    caller = {"policy": "user_cert", "id": "abc"}
    request = FakeRequest(
        method="POST",
        path="/app/a%20b/%C3%BC%2F",
        query="x=%2F",
        headers=[
            ("Host", "node.example:8443"),
            ("X-Many", "a"),
            ("X-Many", "caf\xe9"),
            ("Transfer-Encoding", "chunked"),
        ],
        caller=caller,
    )
    state = {"model": [1]}
    scope = handler(None, state).scope(request)
    assert scope == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "https",
        "path": "/app/a b/\xfc/",
        "raw_path": b"/app/a%20b/%C3%BC%2F",
        "query_string": b"x=%2F",
        "root_path": "/app",
        "headers": [
            (b"host", b"node.example:8443"),
            (b"x-many", b"a"),
            (b"x-many", b"caf\xe9"),
        ],
        "client": None,
        "server": ("node.example", 8443),
        "state": state,
        "extensions": {},
        "ccf": {"caller": caller, "request": request},
    }
    assert scope["state"] is not state and scope["state"]["model"] is state["model"]


def test_a_request_comes_once_and_then_the_end() -> None:
    seen = []

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(await receive())
        waiting = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        seen.append(waiting.done())
        await send(START)
        await send({"type": "http.response.body", "body": b"one ", "more_body": True})
        await asyncio.sleep(0)
        seen.append(waiting.done())
        await end(send, b"two")
        seen.append(await waiting)
        seen.append(await receive())

    assert answer(app, body=b"in") == (200, [("x-a", "1")], b"one two")
    assert seen == [
        {"type": "http.request", "body": b"in", "more_body": False},
        False,
        False,
        {"type": "http.disconnect"},
        {"type": "http.disconnect"},
    ]


def test_a_view_is_copied_and_trailers_are_left_out() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        memory = bytearray(b"view")
        await send({**START, "trailers": True})
        await send({"type": "http.response.body", "body": memoryview(memory), "more_body": True})
        memory[:] = b"gone"
        await end(send)
        await send({"type": "http.response.trailers", "headers": [(b"x-t", b"1")]})

    assert answer(app) == (200, [("x-a", "1")], b"view")


@pytest.mark.parametrize(
    "messages,said",
    [
        ([], "made no answer"),
        ([START], "ended within its answer"),
        ([{"type": "http.response.body"}], "sent before 'http.response.start'"),
        ([START, START], "sent twice"),
        ([START, {"type": "http.response.body"}, {"type": "http.response.body"}], "was complete"),
        ([{"type": "websocket.accept"}], "no message of an HTTP answer"),
        ([{**START, "status": "200"}], "ASGI takes an int"),
        ([{**START, "status": 100}], "from 200 to 599"),
        ([{**START, "headers": [("x-a", "1")]}], "no pair of bytes"),
        ([{**START, "headers": [(b"x-a", b"1\r\nx-b: 2")]}], "control"),
        ([{**START, "headers": [(b"x:a", b"1")]}], "no HTTP token"),
        ([{**START, "headers": [(b"x-a", b"1")] * 300}], "300 header lines"),
        ([START, {"type": "http.response.body", "body": "text"}], "ASGI takes bytes"),
    ],
)
def test_what_breaks_the_rules_is_an_error(
    messages: list[dict[str, Any]], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    status, _, body = answer(app)
    assert status == 500 and b"InternalError" in body
    assert said in caplog.text


def test_an_answer_is_bounded(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asgi, "RESPONSE_BYTES_MAX", 100)

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send(START)
        while True:
            await send({"type": "http.response.body", "body": b"0123456789", "more_body": True})

    assert answer(app)[0] == 500
    assert "more than 100 bytes" in caplog.text


@pytest.mark.parametrize("complete", [False, True])
def test_an_exception_drops_the_answer(complete: bool, caplog: pytest.LogCaptureFixture) -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send(START)
        if complete:
            await end(send, b"fine")
        raise ValueError("secret")

    status, _, body = answer(app)
    assert status == 500 and b"fine" not in body and b"secret" not in body
    assert "ValueError: secret" in caplog.text


def test_an_apps_own_page_of_an_error_is_kept() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({**START, "status": 503})
        await end(send, b"own page")
        raise ValueError("for the log")

    assert answer(app) == (503, [("x-a", "1")], b"own page")


def test_an_http_error_is_the_answer_it_names() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        raise HTTPError(404, "no such order")

    status, _, body = answer(app)
    assert (status, b"ResourceNotFound" in body) == (404, True)


def test_an_app_that_cancels_itself_fails(caplog: pytest.LogCaptureFixture) -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    assert answer(app)[0] == 500
    assert "CancelledError" in caplog.text


def test_what_is_no_exception_passes_and_the_loop_goes_on() -> None:
    class Limit(BaseException):
        pass

    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise Limit

    async def later(_scope: Scope, _receive: Receive, _send: Send) -> None:
        await asyncio.sleep(0)
        raise Limit

    for broken in (app, later):
        with pytest.raises(Limit):
            answer(broken)
    assert asgi.run(asyncio.sleep(0, "well")) == "well"


def test_the_loop_is_the_running_one_from_the_first_step() -> None:
    async def steps() -> list[Any]:
        first = asyncio.get_running_loop(), asyncio.current_task()
        running = first[0].is_running()
        await asyncio.sleep(0)
        return [running, first == (asyncio.get_running_loop(), asyncio.current_task()), first[1]]

    running, same, task = asgi.run(steps())
    assert running and same and task is not None
    assert not loops._threads.slot.get().is_running()
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()


def test_run_takes_any_awaitable_and_raises_what_it_raises() -> None:
    class Waits:
        def __await__(self) -> Any:
            yield from asyncio.sleep(0).__await__()
            return "awaited"

    async def raises() -> None:
        raise KeyError("x")

    assert asgi.run(Waits()) == "awaited"
    with pytest.raises(KeyError):
        asgi.run(raises())


def test_run_within_a_running_loop_is_refused() -> None:
    async def inner() -> None: ...

    async def outer() -> None:
        asgi.run(inner())

    with pytest.raises(RuntimeError, match="already runs on this thread"):
        asgi.run(outer())


def test_one_loop_for_all_requests_of_a_thread_and_another_elsewhere() -> None:
    async def loop() -> Any:
        return asyncio.get_running_loop()

    first = asgi.run(loop())
    assert asgi.run(loop()) is first
    found: list[Any] = []

    def elsewhere() -> None:
        slot = loops.acquire()
        found.append(asgi.run(loop()))
        slot.release()

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert found[0] is not first and found[0].is_closed()


def test_an_app_is_served_and_ended_on_other_threads_than_it_was_loaded_on() -> None:
    from affiant._hosting.load import Source, load

    source = (
        "import asyncio\n"
        "events = []\n"
        "async def app(scope, receive, send):\n"
        "    if scope['type'] == 'lifespan':\n"
        "        await receive()\n"
        "        scope['state']['lock'] = asyncio.Lock()\n"
        "        await send({'type': 'lifespan.startup.complete'})\n"
        "        await receive()\n"
        "        events.append('stopped')\n"
        "        return await send({'type': 'lifespan.shutdown.complete'})\n"
        "    async with scope['state']['lock']:\n"
        "        await asyncio.sleep(0.001)\n"
        "    await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n"
        "    await send({'type': 'http.response.body', 'body': b'served'})\n"
    )
    loaded = load(Source(modules={"/app.py": source}))
    events = sys.modules["app"].events
    answers: list[Any] = []

    def elsewhere(what: Callable[[], Any]) -> None:
        thread = threading.Thread(target=lambda: answers.append(what()))
        thread.start()
        thread.join()

    elsewhere(lambda: loaded.handlers["* /*"](FakeRequest()))
    elsewhere(loaded.shutdown)
    assert answers == [(200, [], b"served"), None]
    assert events == ["stopped"]


def test_a_loop_that_another_thread_does_not_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "BUSY_SECONDS_MAX", 0.05)
    refused: list[Any] = []
    loop = loops._threads.slot.get()

    def elsewhere() -> None:
        try:
            loop.drive(asyncio.sleep(0))
        except RuntimeError as error:
            refused.append(str(error))

    async def waits() -> None:
        await asyncio.to_thread(elsewhere)

    asgi.run(waits())
    assert refused == ["the app's event loop is in use on another thread"]


def test_requests_of_two_threads_take_turns() -> None:
    loop = loops._threads.slot.get()
    active, most = 0, 0

    async def step() -> None:
        nonlocal active, most
        active += 1
        most = max(most, active)
        await asyncio.sleep(0.001)
        active -= 1

    def many() -> None:
        for _ in range(20):
            loop.drive(step())

    threads = [threading.Thread(target=many) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (active, most) == (0, 1)


def test_tasks_left_behind_are_cancelled(caplog: pytest.LogCaptureFixture) -> None:
    events = []

    async def left() -> None:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            events.append("cancelled")
            raise

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        asyncio.create_task(left())
        await asyncio.sleep(0)
        await send(START)
        await end(send)

    assert answer(app)[0] == 200
    assert events == ["cancelled"]
    assert "1 task(s) outlived their request" in caplog.text and "left" in caplog.text


def test_a_task_that_refuses_to_end_is_given_up(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loops, "LEFTOVER_SECONDS_MAX", 0.01)
    ended = False

    async def stubborn() -> None:
        while not ended:
            try:
                await asyncio.sleep(100)
            except asyncio.CancelledError:
                pass

    async def leave() -> None:
        asyncio.create_task(stubborn())
        await asyncio.sleep(0)

    began = time.monotonic()
    asgi.run(leave())
    assert time.monotonic() - began < 5
    assert "refuse to be cancelled" in caplog.text
    ended = True


def test_a_generator_left_open_is_closed() -> None:
    events = []

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await asyncio.sleep(0)
            events.append("closed")

    async def first() -> int:
        async for number in numbers():
            return number
        return 0

    assert asgi.run(first()) == 1
    asgi.run(asyncio.sleep(0))
    assert events == ["closed"]


def test_the_context_is_seen_everywhere_and_not_changed() -> None:
    variable = contextvars.ContextVar("variable", default="unset")

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        seen = [variable.get(), await asyncio.to_thread(variable.get)]
        seen.append(await asyncio.create_task(asyncio.to_thread(variable.get)))
        variable.set("changed")
        await send(START)
        await end(send, ",".join(seen).encode())

    token = variable.set("x")
    try:
        assert answer(app)[2] == b"x,x,x"
        assert variable.get() == "x"
    finally:
        variable.reset(token)


class App:
    """An app that knows the lifespan protocol and answers as it is told."""

    def __init__(self, **behaviour: Any) -> None:
        self.behaviour = behaviour
        self.events: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["state"]["own"] = 1
            await send(START)
            await end(send, repr(sorted(scope["state"])).encode())
            return
        assert scope["type"] == "lifespan"
        assert await receive() == {"type": "lifespan.startup"}
        if self.behaviour.get("fails"):
            await send({"type": "lifespan.startup.failed", "message": "no model"})
            raise RuntimeError("no model")
        if self.behaviour.get("hangs"):
            await asyncio.sleep(100)
        scope["state"]["model"] = "m"
        self.events.append("started")
        await send({"type": "lifespan.startup.complete"})
        assert await receive() == {"type": "lifespan.shutdown"}
        self.events.append("stopped")
        if self.behaviour.get("end_fails"):
            await send({"type": "lifespan.shutdown.failed", "message": "no end"})
        else:
            await send({"type": "lifespan.shutdown.complete"})


def test_lifespan_leaves_its_state_to_each_request() -> None:
    app = App()
    lifespan = asgi.Lifespan(app, loops._threads.slot.get())
    lifespan.startup()
    serve = handler(app, lifespan.state)
    for _ in range(2):
        assert serve(FakeRequest())[2] == b"['model', 'own']"
    assert lifespan.state == {"model": "m"}
    assert app.events == ["started"]
    lifespan.shutdown()
    lifespan.shutdown()
    assert app.events == ["started", "stopped"]


def test_lifespan_that_fails(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(asgi.LifespanError, match="no model"):
        asgi.Lifespan(App(fails=True), loops._threads.slot.get()).startup()
    monkeypatch.setattr(asgi, "STARTUP_SECONDS_MAX", 0.05)
    with pytest.raises(asgi.LifespanError, match="took longer"):
        asgi.Lifespan(App(hangs=True), loops._threads.slot.get()).startup()
    monkeypatch.undo()
    lifespan = asgi.Lifespan(App(end_fails=True), loops._threads.slot.get())
    lifespan.startup()
    lifespan.shutdown()
    assert "shutdown failed: no end" in caplog.text


def test_an_app_without_lifespan_is_served_all_the_same() -> None:
    async def raises(scope: Scope, _receive: Receive, _send: Send) -> None:
        raise NotImplementedError(scope["type"])

    async def returns(_scope: Scope, _receive: Receive, _send: Send) -> None: ...

    for app in (raises, returns):
        lifespan = asgi.Lifespan(app, loops._threads.slot.get())
        lifespan.startup()
        lifespan.shutdown()


def test_tasks_of_the_lifespan_outlive_requests() -> None:
    ticks = []

    async def tick() -> None:
        while True:
            await asyncio.sleep(0)
            ticks.append(1)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            task = asyncio.create_task(tick())
            await send({"type": "lifespan.startup.complete"})
            await receive()
            task.cancel()
            await send({"type": "lifespan.shutdown.complete"})
            return
        before = len(ticks)
        await asyncio.sleep(0.005)
        await send(START)
        await end(send, str(len(ticks) > before).encode())

    lifespan = asgi.Lifespan(app, loops._threads.slot.get())
    lifespan.startup()
    serve = handler(app)
    assert [serve(FakeRequest())[2] for _ in range(3)] == [b"True"] * 3
    lifespan.shutdown()


def test_worker_threads_serve_many_requests() -> None:
    to_thread = pytest.importorskip("anyio.to_thread", reason="anyio is not installed")
    loops._threads.slot.get().keep()

    async def where() -> int:
        found: int = await to_thread.run_sync(threading.get_ident)
        return found

    assert len({asgi.run(where()) for _ in range(10)}) == 1


def test_a_process_ends_though_a_worker_thread_never_does() -> None:
    pytest.importorskip("anyio", reason="anyio is not installed")
    script = (
        "import sys, types; p = types.ModuleType('affiant'); p.__path__ = [sys.argv[1]]\n"
        "sys.modules['affiant'] = p\n"
        "import anyio.to_thread, threading, ctypes\n"
        "from affiant._hosting import asgi, loop\n"
        "loop._threads.slot.get().keep()\n"
        "class Limit(BaseException): pass\n"
        "def forever():\n"
        "    while True: pass\n"
        "async def stuck():\n"
        "    await anyio.to_thread.run_sync(forever)\n"
        "strike = ctypes.pythonapi.PyThreadState_SetAsyncExc\n"
        "me = ctypes.c_ulong(threading.get_ident())\n"
        "threading.Timer(0.1, strike, [me, ctypes.py_object(Limit)]).start()\n"
        "try: asgi.run(stuck())\n"
        "except Limit: print('limit')\n"
    )
    package = str(Path(asgi.__file__).parents[1])
    ended = subprocess.run(
        [sys.executable, "-c", script, package], capture_output=True, timeout=30, check=False
    )
    assert ended.stdout.strip() == b"limit"


def test_a_process_ends_without_shutdown() -> None:
    pytest.importorskip("anyio", reason="anyio is not installed")
    script = (
        "import sys, types; p = types.ModuleType('affiant'); p.__path__ = [sys.argv[1]]\n"
        "sys.modules['affiant'] = p\n"
        "import anyio.to_thread\n"
        "from affiant._hosting import loop\n"
        "loop._threads.slot.get().keep()\n"
        "print('ready')"
    )
    package = str(Path(asgi.__file__).parents[1])
    ended = subprocess.run(
        [sys.executable, "-c", script, package], capture_output=True, timeout=30, check=True
    )
    assert ended.stdout.strip() == b"ready"


@pytest.mark.parametrize("where", ["loop", "thread"])
def test_a_time_limit_ends_a_request_that_waits(where: str) -> None:
    class Limit(BaseException):
        pass

    ended = threading.Event()
    events = []

    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        try:
            if where == "loop":
                await asyncio.sleep(100)
            else:
                await asyncio.to_thread(ended.wait, 10)
        finally:
            events.append("left")

    def strike(thread: int) -> None:
        # As the node's watchdog does.
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(Limit))

    timer = threading.Timer(0.05, strike, [threading.get_ident()])
    timer.start()
    began = time.monotonic()
    with pytest.raises(Limit):
        answer(app)
    assert time.monotonic() - began < 5
    assert events == ["left"]
    timer.join()
    ended.set()
    assert asgi.run(asyncio.sleep(0, "well")) == "well"
