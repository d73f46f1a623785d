"""Unit tests: the fixture `client` sends requests to this app, over a ledger in memory."""

from typing import Any

import pytest
from affiant.testing import Client


def test_a_note_that_was_put_is_read_and_listed(client: Client) -> None:
    assert client.put("/notes/1", json={"text": "milk"}).status_code == 204
    note = client.get("/notes/1")
    assert note.status_code == 200
    assert note.json()["text"] == "milk"
    assert note.json()["author"] != ""
    assert client.get("/notes").json() == {"ids": ["1"]}


@pytest.mark.parametrize("body", [{}, {"text": ""}, {"text": 7}, ["text"]])
def test_what_is_no_note_is_refused(client: Client, body: Any) -> None:
    refused = client.put("/notes/2", json=body)
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "InvalidInput"
    assert client.get("/notes/2").status_code == 404
