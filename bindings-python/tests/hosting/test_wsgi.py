"""The WSGI adapter against PEP 3333."""

from __future__ import annotations

import contextvars
import io
import logging
import sys
import wsgiref.validate
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from fake import FakeRequest

from affiant._hosting.handlers import HTTPError
from affiant._hosting.wsgi import WsgiHandler

Environ = dict[str, Any]
Start = Callable[..., Callable[[bytes], None]]


def environ_of(**given: Any) -> Environ:
    return WsgiHandler(lambda environ, start: []).environ(FakeRequest(**given))


def answer(app: Callable[[Environ, Start], Iterable[bytes]], **given: Any) -> Any:
    return WsgiHandler(app)(FakeRequest(**given))


def test_the_validator_of_the_standard_library_is_content() -> None:
    def app(environ: Environ, start: Start) -> list[bytes]:
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        start("200 OK", [("Content-Type", "text/plain")])
        return [body, b"!"]

    checked = wsgiref.validate.validator(app)
    for method in ("GET", "POST"):
        given = {"method": method, "path": "/app/a", "headers": [("content-type", "text/plain")]}
        status, headers, body = answer(checked, **given, body=b"hello")
        assert (status, headers, body) == (200, [("Content-Type", "text/plain")], b"hello!")


def test_environ_of_a_request() -> None:
    caller = {"policy": "user_cert", "id": "abc", "data": {"role": "x"}}
    environ = environ_of(
        method="POST",
        path="/app/a%20b/%C3%BC%2F",
        query="x=%2F&y",
        headers=[
            ("Host", "node.example:8443"),
            ("Content-Type", "text/plain"),
            ("Content-Length", "2"),
            ("X-Many", "a"),
            ("X-Many", "b"),
            ("Cookie", "a=1"),
            ("Cookie", "b=2"),
        ],
        body=b"hi",
        caller=caller,
    )
    expected = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "/app",
        "PATH_INFO": "/a b/\xc3\xbc/",
        "QUERY_STRING": "x=%2F&y",
        "REQUEST_URI": "/app/a%20b/%C3%BC%2F?x=%2F&y",
        "CONTENT_TYPE": "text/plain",
        "CONTENT_LENGTH": "2",
        "HTTP_HOST": "node.example:8443",
        "HTTP_X_MANY": "a, b",
        "HTTP_COOKIE": "a=1; b=2",
        "SERVER_NAME": "node.example",
        "SERVER_PORT": "8443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_USER": "abc",
        "AUTH_TYPE": "user_cert",
        "wsgi.url_scheme": "https",
        "wsgi.multithread": False,
        "wsgi.version": (1, 0),
        "ccf.caller": caller,
    }
    assert {name: environ[name] for name in expected} == expected
    assert type(environ) is dict
    assert "HTTP_CONTENT_TYPE" not in environ and "HTTP_CONTENT_LENGTH" not in environ


@pytest.mark.parametrize(
    "path,script,info",
    [
        ("/app", "/app", ""),
        ("/app/", "/app", "/"),
        ("/apple", "", "/apple"),
        ("/other/x", "", "/other/x"),
    ],
)
def test_only_a_whole_component_is_the_root(path: str, script: str, info: str) -> None:
    environ = environ_of(path=path)
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == (script, info)


@pytest.mark.parametrize(
    "host,name,port",
    [
        ("a.example", "a.example", "443"),
        ("a.example:80", "a.example", "80"),
        ("[::1]:80", "[::1]", "80"),
        ("[::1]", "[::1]", "443"),
        ("", "localhost", "443"),
        ("a:b:c", "a:b:c", "443"),
    ],
)
def test_server_name_and_port(host: str, name: str, port: str) -> None:
    environ = environ_of(headers=[("Host", host)] if host else [])
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == (name, port)


def test_a_body_without_length_and_a_header_that_imitates() -> None:
    environ = environ_of(
        method="POST",
        headers=[("Transfer-Encoding", "chunked"), ("X_User", "forged"), ("X-User", "true")],
        body=b"abc",
    )
    assert environ["CONTENT_LENGTH"] == "3"
    assert "HTTP_TRANSFER_ENCODING" not in environ
    assert environ["HTTP_X_USER"] == "true"
    # A length that was announced and is wrong is not passed on.
    assert environ_of(headers=[("content-length", "9")], body=b"abc")["CONTENT_LENGTH"] == "3"


def test_the_input_is_a_file() -> None:
    body = b"one\ntwo\nthree"

    def stream() -> Any:
        return environ_of(body=body)["wsgi.input"]

    assert stream().read() == body
    assert stream().readline() == b"one\n"
    assert stream().readlines() == list(stream()) == [b"one\n", b"two\n", b"three"]
    assert stream().read(2) == b"on"
    assert stream().readline(2) == b"on"


def test_write_comes_before_the_iterable() -> None:
    def app(_environ: Environ, start: Start) -> list[bytes]:
        write = start("200 OK", [])
        write(b"written ")
        write(b"")
        return [b"returned"]

    assert answer(app) == (200, [], b"written returned")


def test_a_generator_may_start_late_and_is_closed() -> None:
    closed = []

    class Body:
        def __iter__(self) -> Iterator[bytes]:
            self.start("201 Created", [("X-A", " padded ")])
            yield b"a"
            yield b"b"

        def __init__(self, _environ: Environ, start: Start) -> None:
            self.start = start

        def close(self) -> None:
            closed.append(True)

    assert answer(Body) == (201, [("X-A", "padded")], b"ab")
    assert closed == [True]


def test_close_is_called_when_the_iterable_fails(caplog: pytest.LogCaptureFixture) -> None:
    closed = []

    class Body:
        def __iter__(self) -> Iterator[bytes]:
            yield b"first"
            raise ValueError("secret")

        def close(self) -> None:
            closed.append(True)

    def app(_environ: Environ, start: Start) -> Body:
        start("200 OK", [])
        return Body()

    status, headers, body = answer(app)
    assert status == 500 and closed == [True]
    assert b"secret" not in body and b"InternalError" in body
    assert "secret" in caplog.text and "ValueError" in caplog.text


def test_exc_info_replaces_an_answer_that_has_not_begun() -> None:
    def app(_environ: Environ, start: Start) -> list[bytes]:
        start("200 OK", [("X-First", "1")])
        try:
            raise ValueError("found out late")
        except ValueError:
            start("503 Service Unavailable", [("X-Second", "2")], sys.exc_info())
        return [b"sorry"]

    assert answer(app) == (503, [("X-Second", "2")], b"sorry")


def test_exc_info_after_output_is_raised_again(caplog: pytest.LogCaptureFixture) -> None:
    def app(_environ: Environ, start: Start) -> list[bytes]:
        start("200 OK", [])(b"begun")
        try:
            raise ValueError("too late")
        except ValueError:
            start("503 Service Unavailable", [], sys.exc_info())
        return [b"never"]

    assert answer(app)[0] == 500
    assert "too late" in caplog.text


@pytest.mark.parametrize(
    "status,headers,parts,said",
    [
        ("200 OK", [("X-A", "a\r\nX-B: b")], [], "'X-A' has a control"),
        ("200 OK", [("X-A\r\n", "a")], [], "no HTTP token"),
        ("200 OK", [("X A", "a")], [], "no HTTP token"),
        ("200 OK", [("X-A", "\u4e16")], [], "non-Latin-1"),
        ("200 OK", [("X-A", b"a")], [], "no pair of str"),
        ("200 OK", [("X-A", "a")] * 300, [], "300 header lines"),
        ("OK", [], [], "the status is 'OK'"),
        ("2000", [], [], "a space must follow"),
        (200, [], [], "the status is 200"),
        ("999 No", [], [], "from 200 to 599"),
        ("200 OK", [], ["text"], "WSGI takes bytes"),
        (None, [], [b"x"], "before it called start_response"),
        (None, [], [], "never called start_response"),
    ],
)
def test_what_breaks_the_rules_is_an_error(
    status: Any, headers: Any, parts: Any, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    def app(_environ: Environ, start: Start) -> Any:
        if status is not None:
            start(status, headers)
        return parts

    assert answer(app)[0] == 500
    assert said in caplog.text


def test_a_second_start_without_exc_info_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    def app(_environ: Environ, start: Start) -> list[bytes]:
        start("200 OK", [])
        start("200 OK", [])
        return []

    assert answer(app)[0] == 500
    assert "called twice" in caplog.text


def test_what_belongs_to_the_connection_is_dropped() -> None:
    def app(_environ: Environ, start: Start) -> list[bytes]:
        names = ("Connection", "Keep-Alive", "Transfer-Encoding", "Upgrade", "Content-Length")
        start(
            "200 OK", [*((name, "1") for name in names), ("Set-Cookie", "a"), ("Set-Cookie", "b")]
        )
        return [b"body"]

    assert answer(app) == (200, [("Set-Cookie", "a"), ("Set-Cookie", "b")], b"body")
    # Of HEAD the length is all that tells how long the body would be.
    status, headers, body = answer(app, method="HEAD")
    assert ("Content-Length", "1") in headers and body == b""


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_no_body_where_there_can_be_none(status: str) -> None:
    def app(_environ: Environ, start: Start) -> list[bytes]:
        start(status, [])
        return [b"body"]

    assert answer(app)[2] == b""


def test_an_answer_is_bounded(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from affiant._hosting import wsgi

    monkeypatch.setattr(wsgi, "RESPONSE_BYTES_MAX", 100)

    def app(_environ: Environ, start: Start) -> Iterator[bytes]:
        start("200 OK", [])
        while True:
            yield b"0123456789"

    assert answer(app)[0] == 500
    assert "more than 100 bytes" in caplog.text


def test_file_wrapper() -> None:
    file = io.BytesIO(b"x" * 20_000)

    def app(environ: Environ, start: Start) -> Any:
        start("200 OK", [])
        return environ["wsgi.file_wrapper"](file, 4096)

    assert answer(app)[2] == b"x" * 20_000
    assert file.closed


def test_errors_go_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    def app(environ: Environ, start: Start) -> list[bytes]:
        errors = environ["wsgi.errors"]
        errors.write("one\ntw")
        errors.writelines(["o\n", "three"])
        errors.flush()
        start("200 OK", [])
        return []

    with caplog.at_level(logging.ERROR, "affiant.app.wsgi"):
        answer(app)
    assert [record.getMessage() for record in caplog.records] == ["one", "two", "three"]


def test_logging_that_writes_to_errors_does_not_go_round(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def app(environ: Environ, start: Start) -> list[bytes]:
        shown = logging.StreamHandler(environ["wsgi.errors"])
        logging.getLogger().addHandler(shown)
        try:
            logging.getLogger("own").error("said once")
        finally:
            logging.getLogger().removeHandler(shown)
        start("200 OK", [])
        return []

    assert answer(app)[0] == 200
    assert capsys.readouterr().err == "said once\n"


def test_an_http_error_is_the_answer_it_names() -> None:
    def app(_environ: Environ, _start: Start) -> list[bytes]:
        raise HTTPError(409, "taken", code="Taken")

    status, headers, body = answer(app)
    assert (status, body) == (409, b'{"error":{"code":"Taken","message":"taken"}}')


def test_what_is_no_exception_passes() -> None:
    class Limit(BaseException):
        pass

    def app(_environ: Environ, _start: Start) -> list[bytes]:
        raise Limit

    with pytest.raises(Limit):
        answer(app)


def test_the_context_is_seen_and_not_changed() -> None:
    variable = contextvars.ContextVar("variable", default="unset")

    def app(_environ: Environ, start: Start) -> Iterator[bytes]:
        start("200 OK", [])
        yield variable.get().encode()
        variable.set("changed")

    token = variable.set("of the request")
    try:
        assert answer(app)[2] == b"of the request"
        assert variable.get() == "of the request"
    finally:
        variable.reset(token)
