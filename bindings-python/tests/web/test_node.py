"""A node answers for Flask and FastAPI apps what the frameworks' own test clients answer."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

WEB = Path(__file__).resolve().parent
sys.path.insert(0, str(WEB))

import compare  # noqa: E402
from requests_fastapi import REQUESTS as TO_FASTAPI  # noqa: E402
from requests_flask import REQUESTS as TO_FLASK  # noqa: E402
from sandboxes import sandbox  # noqa: E402

# One worker: some endpoints tell what an earlier request left in the process.
MODES = {"in the node": "0", "in a worker": "1"}


@contextmanager
def node(directory: Path, app: str, workers: str) -> Iterator[compare.Send]:
    """A sandbox that serves `app`, and a client of it."""
    with sandbox(directory, "--app", str(WEB / app), "--python-workers", workers) as running:
        yield compare.http_client(f"https://{running.address}", running.context())


def differences(requests: list[Any], own: compare.Send, ours: compare.Send) -> list[str]:
    assert len(requests) >= 50
    found = [compare.difference(request, own(request), ours(request)) for request in requests]
    return [line for line in found if line is not None]


@pytest.mark.once
@pytest.mark.parametrize("workers", MODES.values(), ids=list(MODES))
def test_flask(tmp_path: Path, workers: str) -> None:
    from flask_app import app

    with node(tmp_path, "flask_app.py:app", workers) as ours:
        assert differences(TO_FLASK, compare.flask_client(app), ours) == []


@pytest.mark.once
@pytest.mark.parametrize("workers", MODES.values(), ids=list(MODES))
def test_fastapi(tmp_path: Path, workers: str) -> None:
    from fastapi.testclient import TestClient
    from fastapi_app import app

    with node(tmp_path, "fastapi_app.py:app", workers) as ours:
        with TestClient(app, root_path=compare.ROOT, raise_server_exceptions=False) as client:
            assert differences(TO_FASTAPI, compare.fastapi_client(client), ours) == []
