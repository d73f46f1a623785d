"""Fixtures of pytest for ledger apps; there wherever this package is installed.

* ``ledger``: a :class:`affiant.Ledger` in memory, empty, of this test alone.
* ``client``: an :class:`affiant.testing.Client` of the app on that ledger, as user ``user0``.
* ``affiant_app``: the app that ``client`` serves; a test suite may override it. It is, in this order:
  what the marker ``@pytest.mark.affiant_app("orders.py:app")`` says, the option ``affiant_app`` of
  pytest's ini file, the project (``[tool.affiant]`` in ``pyproject.toml``) or ``app.py`` of the test's
  directory or the next one above it, up to pytest's root.

The app's code is imported once per run, so what it keeps outside of the ledger outlives a test; what
it writes to the ledger does not.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from affiant import Ledger
    from affiant.testing import Client


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option ``affiant_app``."""
    parser.addini("affiant_app", "the app of fixture client: app.py, app.py:attribute, a directory")


def pytest_configure(config: pytest.Config) -> None:
    """The marker ``affiant_app``."""
    config.addinivalue_line(
        "markers", "affiant_app(app): the app that fixture client serves: a path, or an app itself"
    )


def pytest_unconfigure(config: pytest.Config) -> None:
    """Ends the apps, before the run's last words."""
    apps = sys.modules.get("affiant._apps")
    if apps is not None:
        apps.end_all()


@pytest.fixture
def affiant_app(request: pytest.FixtureRequest) -> Any:
    """The app that ``client`` serves; see :mod:`affiant.pytest_plugin`."""
    from affiant.testing import find_app

    marker = request.node.get_closest_marker("affiant_app")
    root = request.config.rootpath
    if marker is not None:
        if len(marker.args) != 1 or marker.kwargs:
            raise pytest.UsageError('the marker takes one argument: affiant_app("app.py")')
        return _below(marker.args[0], os.path.dirname(request.path))
    configured = request.config.getini("affiant_app")
    if configured:
        return _below(configured, str(root))
    found = find_app(os.path.dirname(request.path), root)
    if found is None:
        raise pytest.UsageError(
            f"no app for fixture client: no app.py, and no pyproject.toml with [tool.affiant], from "
            f"{os.path.dirname(request.path)} up to {root}; name it with the marker "
            '@pytest.mark.affiant_app("path/app.py"), or with affiant_app in pytest\'s ini file'
        )
    return found


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    """An empty ledger in memory, of this test alone."""
    import affiant

    with affiant.open() as opened:
        yield opened


@pytest.fixture
def client(affiant_app: Any, ledger: Ledger) -> Iterator[Client]:
    """A client of the app on this test's ledger, as user ``user0``."""
    from affiant.testing import Client

    with Client(affiant_app, ledger=ledger) as made:
        yield made


def _below(app: Any, directory: str) -> Any:
    """A relative path means one beside the test, or beside the ini file."""
    if isinstance(app, (str, os.PathLike)):
        return os.path.join(directory, os.fspath(app))
    return app
