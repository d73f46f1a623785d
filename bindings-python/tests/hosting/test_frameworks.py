"""Flask and FastAPI through the adapters answer as they do through their own test clients."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake import FakeRequest

import compare
from affiant._hosting.load import AppLoadError, Loaded, Source, load
from table import Request

WEB = Path(__file__).resolve().parent.parent / "web"

pytest.importorskip("flask", reason="Flask is not installed")
pytest.importorskip("fastapi", reason="FastAPI is not installed")
pytest.importorskip("httpx", reason="httpx, which FastAPI's test client needs, is not installed")
pytest.importorskip("multipart", reason="python-multipart is not installed")

from requests_fastapi import REQUESTS as TO_FASTAPI  # noqa: E402
from requests_flask import REQUESTS as TO_FLASK  # noqa: E402


def adapter(loaded: Loaded) -> compare.Send:
    handler = loaded.handlers["* /*"]

    def send(request: Request) -> compare.Answer:
        path, _, query = request["path"].partition("?")
        headers = [("host", compare.HOST), *request["headers"]]
        if request["body"] or request["method"] not in ("GET", "HEAD"):
            headers.append(("content-length", str(len(request["body"]))))
        fake = FakeRequest(request["method"], compare.ROOT + path, query, headers, request["body"])
        answer: compare.Answer = handler(fake)
        return answer

    return send


@pytest.fixture(scope="module")
def flasks() -> Iterator[tuple[compare.Send, compare.Send]]:
    import flask_app

    loaded = load(Source(directory=str(WEB), entry="flask_app.py:app"))
    assert loaded.interface == "wsgi"
    yield compare.flask_client(flask_app.app), adapter(loaded)
    loaded.shutdown()


@pytest.fixture(scope="module")
def fastapis() -> Iterator[tuple[compare.Send, compare.Send]]:
    import fastapi_app
    from fastapi.testclient import TestClient

    with TestClient(
        fastapi_app.app, root_path=compare.ROOT, raise_server_exceptions=False
    ) as client:
        loaded = load(Source(directory=str(WEB), entry="fastapi_app.py:app"))
        assert loaded.interface == "asgi"
        yield compare.fastapi_client(client), adapter(loaded)
        loaded.shutdown()
        assert fastapi_app.done[-1] == "stopped"


def named(request: Any) -> str:
    return str(request["name"])


@pytest.mark.parametrize("request_", TO_FLASK, ids=named)
def test_flask(flasks: tuple[compare.Send, compare.Send], request_: Request) -> None:
    own, ours = flasks
    assert compare.difference(request_, own(request_), ours(request_)) is None


@pytest.mark.parametrize("request_", TO_FASTAPI, ids=named)
def test_fastapi(fastapis: tuple[compare.Send, compare.Send], request_: Request) -> None:
    own, ours = fastapis
    assert compare.difference(request_, own(request_), ours(request_)) is None


def test_the_tables_are_whole() -> None:
    for table in (TO_FLASK, TO_FASTAPI):
        names = [r["name"] + repr(r["headers"][:1]) for r in table]
        assert len(table) >= 50
        assert len(set(names)) == len(names)


def test_a_difference_is_seen() -> None:
    request = TO_FLASK[0]
    one: compare.Answer = (200, [("a", "1"), ("date", "x")], b"")
    assert compare.difference(request, one, (200, [("A", "1")], b"")) is None
    assert compare.difference(request, one, (200, [("a", "2")], b"")) is not None
    assert compare.difference(request, one, (201, [("a", "1")], b"")) is not None
    assert compare.difference(request, one, (200, [("a", "1")], b"x")) is not None


def test_a_stream_that_fails_half_way_is_no_answer(
    flasks: tuple[compare.Send, compare.Send],
) -> None:
    request: Request = {**TO_FLASK[0], "path": "/stream-fails"}
    status, _, body = flasks[1](request)
    assert status == 500 and b"first" not in body and b"middle" not in body


def test_an_http_error_of_ours_is_answered_by_both_frameworks() -> None:
    head = "from affiant._hosting.handlers import HTTPError\n"
    flask = (
        head + "from flask import Flask\napp = Flask('f')\n"
        "@app.get('/own')\n"
        "def own():\n    raise HTTPError(409, 'taken', code='Taken')\n"
    )
    fastapi = (
        head + "from fastapi import FastAPI\napp = FastAPI()\n"
        "@app.get('/own')\n"
        "def own():\n    raise HTTPError(409, 'taken', code='Taken')\n"
    )
    for source in (flask, fastapi):
        loaded = load(Source(modules={"/app.py": source}))
        status, _, body = loaded.handlers["* /*"](FakeRequest(path="/app/own"))
        assert (status, body) == (409, b'{"error":{"code":"Taken","message":"taken"}}')
        assert loaded.warnings == []
        loaded.shutdown()


def test_flask_is_found_among_its_proxies() -> None:
    source = "from flask import Flask, current_app, g, request, session\napp = Flask(__name__)\n"
    loaded = load(Source(modules={"/app.py": source}))
    assert loaded.interface == "wsgi"
    loaded.shutdown()
    with pytest.raises(AppLoadError, match=r"web \(WSGI\)"):
        load(Source(modules={"/app.py": source.replace("app =", "web =")}))


def test_a_fastapi_app_gives_its_document() -> None:
    source = (
        "from fastapi import FastAPI\n"
        "app = FastAPI(openapi_url=None)\n"
        "@app.get('/a')\ndef a(): ...\n"
        "shown = FastAPI()\n"
        "@shown.get('/b')\ndef b(): ...\n"
    )
    hidden = load(Source(modules={"/app.py": source}, entry="app.py:app"))
    shown = load(Source(modules={"/app.py": source}, entry="app.py:shown"))
    assert hidden.openapi is None
    assert shown.openapi is not None and list(shown.openapi["paths"]) == ["/app/b"]
    hidden.shutdown()
    shown.shutdown()
