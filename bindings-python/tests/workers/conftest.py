"""Sandboxes that several tests share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from served import APP, Client, Workers  # noqa: E402


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    """The app with two workers."""
    directory = tmp_path_factory.mktemp("two")
    sandbox = Workers(directory, APP, 2, environment={"WORKERS_TEST": "1", "SECRET_KEY": "x"})
    yield sandbox
    sandbox.stop()


@pytest.fixture(scope="session")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    """The same app in the node's own process."""
    sandbox = Workers(tmp_path_factory.mktemp("none"), APP, 0)
    yield sandbox
    sandbox.stop()


@pytest.fixture
def client(served: Workers) -> Client:
    return served.client()
