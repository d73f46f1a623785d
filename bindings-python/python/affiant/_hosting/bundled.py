"""Apps from bundles: what the wheels of an app in the ledger are taken from.

The ledger records a bundle's digest and list of contents, and the app's own modules; the wheels lie in the
bundle's file, of which each node keeps a copy under its digest.
"""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from affiant._bundle.verify import Bundle, BundleError, open_bundle
from affiant._hosting.errors import AppLoadError


def is_bundle(path: str) -> bool:
    """Whether `path` is a file that `affiant bundle` may have written, whatever its name."""
    return os.path.isfile(path) and not path.endswith(".py") and tarfile.is_tarfile(path)


def opened(path: str, packages: str) -> Bundle:
    """Checks and unpacks a bundle, and keeps a copy of it among the node's packages."""
    try:
        bundle = open_bundle(path)
    except BundleError as error:
        raise AppLoadError(str(error)) from error
    if packages and bundle.packages:
        _keep(path, _kept(packages, bundle.digest))
    return bundle


def reopened(manifest: dict[str, Any], packages: str) -> Bundle | None:
    """The bundle that an app in the ledger came in; None if it came from a directory.

    Raises:
        AppLoadError: this node has no such bundle, or it is damaged.
    """
    digest = manifest.get("digest")
    if not isinstance(digest, str) or not manifest.get("wheels"):
        return None
    path = _kept(packages, digest)
    if not path.is_file():
        raise AppLoadError(
            f"the app in the ledger came in a bundle with wheels, and this node does not have it: "
            f"put the file whose digest is {digest} at {path}"
        )
    try:
        return open_bundle(str(path), digest)
    except BundleError as error:
        raise AppLoadError(str(error)) from error


def _kept(packages: str, digest: str) -> Path:
    return Path(packages).absolute() / f"{digest}.tar"


def _keep(path: str, kept: Path) -> None:
    """Copies whole or not at all: another start may read it."""
    if kept.is_file() and kept.samefile(path):
        return
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        number, name = tempfile.mkstemp(dir=kept.parent)
        with os.fdopen(number, "wb") as copy, open(path, "rb") as given:
            shutil.copyfileobj(given, copy)
            copy.flush()
            os.fsync(copy.fileno())
        os.replace(name, kept)
    except OSError as error:
        raise AppLoadError(f"the bundle cannot be kept for later starts: {error}") from error
