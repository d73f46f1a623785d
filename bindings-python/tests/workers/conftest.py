"""Sandboxes that several tests share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from served import Client, Sandbox  # noqa: E402

APP = Path(__file__).parent / "app"


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """The app with two workers."""
    directory = tmp_path_factory.mktemp("two")
    sandbox = Sandbox(directory, APP, 2, environment={"WORKERS_TEST": "1", "SECRET_KEY": "x"})
    yield sandbox
    sandbox.stop()


@pytest.fixture(scope="session")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """The same app in the node's own process."""
    sandbox = Sandbox(tmp_path_factory.mktemp("none"), APP, 0)
    yield sandbox
    sandbox.stop()


@pytest.fixture
def client(served: Sandbox) -> Client:
    return served.client()
