"""The values that plain handlers answer with, and what makes a handler of a function."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from fake import FakeRequest

from affiant._hosting.handlers import HTTPError, Response, plain


def test_an_http_error_says_status_code_and_message() -> None:
    error = HTTPError(404, "no such order")
    assert (error.status, error.code, error.message) == (404, "ResourceNotFound", "no such order")
    assert error.status_code == 404
    assert str(error) == "404 ResourceNotFound: no such order"
    assert (HTTPError(409).code, HTTPError(409).message) == ("Conflict", "Conflict")
    assert HTTPError(422, code="Own").code == "Own"
    assert HTTPError(599).message == "Error"
    status, headers, body = HTTPError(400, 'a "quote"').answer()
    assert status == 400 and headers == [("content-type", "application/json")]
    assert body == b'{"error":{"code":"InvalidInput","message":"a \\"quote\\""}}'


@pytest.mark.parametrize("status", [200, 399, 600, True, "404", None])
def test_an_http_error_needs_an_error_status(status: Any) -> None:
    with pytest.raises(ValueError, match="from 400 to 599"):
        HTTPError(status)


def test_a_response_holds_its_parts() -> None:
    response = Response({"a": 1}, 201, {"x-n": 5}, "application/problem+json")  # type: ignore[dict-item]
    assert response.body == {"a": 1} and response.status_code == 201
    assert response.headers == {"x-n": "5"}
    assert response.content_type == "application/problem+json"
    assert repr(response) == "Response({'a': 1}, status_code=201)"
    assert (Response().body, Response().status_code, Response().headers) == (None, 200, {})


@pytest.mark.parametrize(
    "given",
    [
        {"status_code": 99},
        {"status_code": "200"},
        {"headers": {"a b": "1"}},
        {"headers": {"a": "1\r\nb: 2"}},
        {"content_type": "text/plain\n"},
    ],
)
def test_a_response_refuses_what_cannot_be_sent(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        Response("body", **given)


def test_a_function_is_called_as_it_is() -> None:
    def function(request: Any) -> Any:
        return request

    handler = plain(function, "f")
    request = FakeRequest()
    assert handler.kind == "handler" and handler.func is function
    assert handler(request) is request


def test_callables_of_other_shapes() -> None:
    def defaults(request: Any = None, more: int = 2) -> Any:
        return request is not None, more

    def several(*arguments: Any) -> int:
        return len(arguments)

    assert plain(defaults, "f")(FakeRequest()) == (True, 2)
    assert plain(several, "f")(FakeRequest()) == 1
    assert plain(lambda: "none", "f")(FakeRequest()) == "none"
    assert plain(functools.partial(lambda a, r: a, "bound"), "f")(FakeRequest()) == "bound"
    with pytest.raises(TypeError, match="needs 2 arguments"):
        plain(lambda a, b: None, "f")
    with pytest.raises(TypeError, match="cannot be called"):
        plain(3, "f")  # type: ignore[arg-type]
