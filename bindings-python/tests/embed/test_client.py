"""The test client: requests without sockets."""

from __future__ import annotations

import gc
import sys
import threading
import types
from pathlib import Path
from typing import Any

import affiant
import ccf
import pytest
from affiant.testing import Client, Response

APP = Path(__file__).parent / "notes_app.py"

pytestmark = pytest.mark.affiant_app("notes_app.py")


def test_requests_are_transactions_with_receipts(client: Client, ledger: affiant.Ledger) -> None:
    answer = client.put("/notes/1", json={"text": "hello"})
    assert (answer.status_code, answer.ok, answer.content) == (204, True, b"")
    assert answer.transaction_id is not None
    assert answer.receipt().verify(ledger.service_certificate)
    assert client.get("/app/notes/1").json() == {"note": {"text": "hello"}, "by": {}}
    with ledger.read() as tx:
        assert tx.kv["notes"]["1"] == {"text": "hello"}
    missing = client.get("notes/2")
    assert missing.status_code == 404 and missing.transaction_id is None
    with pytest.raises(LookupError, match="not kept"):
        missing.receipt()
    with pytest.raises(AssertionError, match="no such note"):
        missing.raise_for_status()
    claimed = client.post("/claim", data="what is claimed")
    assert claimed.receipt().verify(claims=b"what is claimed")


def test_every_test_has_a_ledger_of_its_own(client: Client) -> None:
    assert client.get("/notes/1").status_code == 404


def test_what_is_sent_arrives(client: Client) -> None:
    def echo(method: str, path: str = "/echo", **options: Any) -> Any:
        return client.request(method, path, **options).raise_for_status().json()

    assert echo("GET", "/echo?a=1", params={"b": ["x y", 2], "c": None})["query"] in (
        "a=1&b=x y&b=2",
        "a=1&b=x+y&b=2",
    )
    assert echo("POST", json={"ü": None})["sent"] == '{"\\u00fc": null}'
    assert echo("POST", json=[])["type"] == "application/json"
    assert echo("PATCH", data={"a": "1 2"})["sent"] == "a=1+2"
    assert echo("PATCH", data={"a": 1})["type"] == "application/x-www-form-urlencoded"
    assert echo("POST", data="text")["type"].startswith("text/plain")
    assert echo("POST", data=b"raw", headers={"Content-Type": "a/b"})["type"] == "a/b"
    assert echo("DELETE", headers={"X-Extra": "1"})["extra"] == "1"
    assert client.head("/notes/1").content == b""
    assert "GET" in client.options("/echo").headers["Allow"]
    with pytest.raises(ValueError, match="not both"):
        client.post("/echo", json=1, data=b"1")
    with pytest.raises(ValueError, match="header"):
        client.get("/echo", headers={"a b": "c"})


def test_who_calls_is_chosen(client: Client) -> None:
    client.put("/notes/1", json=1)
    alice = client.as_user("alice", {"role": "auditor"})
    assert alice.get("/notes/1").json()["by"] == {"role": "auditor"}
    assert client.get("/notes/1").json()["by"] == {}
    assert client.anonymous().get("/notes/1").status_code == 401
    assert client.stranger().get("/notes/1").status_code == 401
    assert client.anonymous().get("/echo").json()["caller"] == "no_auth"


def test_a_handler_that_fails_shows_where(client: Client, ledger: affiant.Ledger) -> None:
    answer = client.post("/fails")
    assert answer.status_code == 500 and answer.transaction_id is None
    assert "ValueError: on purpose" in repr(answer)
    assert "notes_app.py" in repr(answer)
    with ledger.read() as tx:
        assert "lost" not in tx.kv["notes"]


def test_a_request_is_no_place_for_another_transaction(client: Client) -> None:
    assert "runs here already" in client.post("/nested").json()["refused"]


def test_the_nodes_own_endpoints_answer(client: Client) -> None:
    assert client.get("/node/commit").json()["transaction_id"].startswith("2.")
    assert client.get("/node/state").status_code == 200


def test_requests_come_from_any_thread(client: Client) -> None:
    answers: list[Response] = []

    def work(number: int) -> None:
        for turn in range(10):
            answers.append(client.put(f"/notes/{number}-{turn}", json=turn))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [answer.status_code for answer in answers] == [204] * 60
    assert len({answer.transaction_id for answer in answers}) == 60


def test_the_code_is_imported_once(client: Client) -> None:
    module = sys.modules["notes_app"]
    with Client(APP) as other:
        other.get("/echo").raise_for_status()
    assert sys.modules["notes_app"] is module


def test_a_client_may_have_a_ledger_of_its_own() -> None:
    with Client(str(APP), headers={"x-extra": "always"}, user=None) as client:
        assert client.get("/echo").json()["extra"] == "always"
        assert client.get("/notes/1").status_code == 401
        ledger = client.ledger
    assert ledger.closed


def test_apps_may_be_objects() -> None:
    def handler(request: Any) -> Any:
        return {"path": request.app_path}

    with Client(handler) as client:
        assert client.get("/handler").json() == {"path": "/handler"}

    @ccf.endpoint("/declared", auth=["no_auth"])
    def declared(request: Any) -> str:
        return "yes"

    with Client(declared, user=None) as client:
        assert client.get("/declared").text == "yes"

    module = types.ModuleType("made_here")
    exec(
        "import ccf\n@ccf.endpoint('/x', auth=['no_auth'])\ndef x(request): return 'x'",
        vars(module),
    )
    with Client(module) as client:
        assert client.get("/x").text == "x"


def test_flask_and_fastapi_apps_run() -> None:
    flask = pytest.importorskip("flask", reason="an extra of the test environment")
    fastapi = pytest.importorskip("fastapi", reason="an extra of the test environment")
    web = flask.Flask("pages")

    @web.put("/item/<name>")
    def put_item(name: str) -> Any:
        ccf.kv["items"][name] = flask.request.get_json()
        return {"stored": name}

    with Client(web) as client:
        answer = client.put("/item/a", json={"n": 1})
        assert answer.json() == {"stored": "a"} and answer.receipt().verify()
        with client.ledger.read() as tx:
            assert tx.kv["items"]["a"] == {"n": 1}

    api = fastapi.FastAPI()

    @api.put("/item/{name}")
    async def put_async(name: str, n: int) -> Any:
        ccf.kv["items"][name] = n
        return {"stored": name}

    with Client(api) as client:
        assert client.put("/item/b", params={"n": 7}).json() == {"stored": "b"}
        assert client.put("/item/b", params={"n": "seven"}).status_code == 422
        with client.ledger.read() as tx:
            assert tx.kv["items"]["b"] == 7


def test_what_is_no_app_is_refused(tmp_path: Path) -> None:
    for nonsense in (tmp_path / "none.py", 7, types.ModuleType("empty")):
        with pytest.raises(affiant.LedgerError):
            Client(nonsense)
    (tmp_path / "broken.py").write_text("1 // 0\n")
    with pytest.raises(affiant.LedgerError, match="ZeroDivisionError"):
        Client(tmp_path / "broken.py")


def test_a_client_that_is_forgotten_ends_its_ledger() -> None:
    client = Client(APP)
    client.get("/echo").raise_for_status()
    before = threading.active_count()
    del client
    gc.collect()
    assert threading.active_count() <= before
