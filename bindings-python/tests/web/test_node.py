"""A node answers for Flask and FastAPI apps what the frameworks' own test clients answer."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import time
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

# Seconds; only ever waited for when something is wrong.
PATIENCE = 120
MODES = {"in the node": "0", "in workers": "2"}


@contextmanager
def node(directory: Path, app: str, workers: str) -> Iterator[compare.Send]:
    """A sandbox that serves `app`, and a client of it."""
    command = [sys.executable, "-I", "-m", "affiant", "sandbox", "--app", str(WEB / app)]
    command += ["--python-workers", workers, "--node", "local://127.0.0.1:0"]
    with (directory / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=directory, stdout=log, stderr=log)
    try:
        workspace = directory / "workspace"
        addresses = workspace / "sandbox_0" / "0.rpc_addresses"
        deadline = time.monotonic() + PATIENCE
        while not addresses.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((directory / "log").read_text())
            time.sleep(0.05)
        (address,) = json.loads(addresses.read_text()).values()
        certificate = workspace / "sandbox_common" / "service_cert.pem"
        context = ssl.create_default_context(cafile=certificate)
        yield compare.http_client(f"https://{address}", context)
    finally:
        process.terminate()
        process.wait(PATIENCE)


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
