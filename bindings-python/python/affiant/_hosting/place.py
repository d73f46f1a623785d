"""What a path on a command line means: an app's directory, modules, options and policy."""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

from affiant._bundle.verify import Bundle
from affiant._hosting import bundled
from affiant._hosting.errors import AppLoadError
from affiant._hosting.guarding import guard
from affiant._hosting.load import Loaded, Source
from affiant._hosting.load import load as load_source

PROJECT_BYTES_MAX = 1 << 20
METADATA_BYTES_MAX = 8 << 20


def load(path: str, *, packages: str = "", guarded: bool = False) -> Loaded:
    """Loads the app at `path`: ``app.py``, ``app.py:attribute``, a directory or a bundle.

    Args:
        path: as on a command line.
        packages: the node's directory for what apps bring along; empty for none.
        guarded: the app may do what its policy says and nothing else, from now on in this process.

    Raises:
        AppLoadError: with a sentence for the app's author.
    """
    if bundled.is_bundle(path):
        return _of_bundle(bundled.opened(path, packages), path, guarded)
    source, origin = resolve(path)
    if guarded:
        described = _descriptions(path)
        policy = source.options.get("policy", {})
        guard(policy, place=described[0], app=source.directory, roots=None, described=described)
    loaded = load_source(source)
    loaded.origin = origin
    loaded.manifest = manifest_of(source)
    return loaded


def _descriptions(path: str) -> list[str]:
    """The files that describe the app at `path`, that with its policy first."""
    place = Path(path.rpartition(":")[0] if ".py:" in path else path).resolve()
    directory = place if place.is_dir() else place.parent
    return [str(directory / name) for name in ("pyproject.toml", "app.json")]


def load_modules(
    modules: dict[str, str],
    endpoints: dict[str, Any],
    manifest: dict[str, Any] | None,
    *,
    packages: str = "",
    guarded: bool = False,
) -> Loaded:
    """Loads an app from sources that the ledger holds; `packages` and `guarded` as in :func:`load`."""
    manifest = manifest or {}
    bundle = bundled.reopened(manifest, packages)
    loaded = _of_modules(modules, endpoints, manifest, bundle, "pyproject.toml of the app", guarded)
    loaded.origin = "the ledger"
    return loaded


def _of_bundle(bundle: Bundle, path: str, guarded: bool) -> Loaded:
    endpoints = bundle.metadata["endpoints"]
    manifest = {**bundle.manifest, "digest": bundle.digest}
    place = f"pyproject.toml of the app, before {path} is built anew"
    loaded = _of_modules(bundle.sources, endpoints, manifest, bundle, place, guarded)
    loaded.origin = path
    return loaded


def _of_modules(
    modules: dict[str, str],
    endpoints: dict[str, Any],
    manifest: dict[str, Any],
    bundle: Bundle | None,
    place: str,
    guarded: bool,
) -> Loaded:
    packages = bundle.packages if bundle is not None else []
    source = Source(
        modules=modules, endpoints=endpoints, entry=manifest.get("entry"), packages=packages
    )
    if guarded:
        # What came in a bundle imports from it and from nowhere else; the rest from the environment.
        roots = packages if "digest" in manifest else None
        guard(manifest.get("policy", {}), place=place, app=None, roots=roots)
    try:
        loaded = load_source(source)
    except BaseException:
        if bundle is not None:
            bundle.close()
        raise
    loaded.manifest = manifest
    loaded.bundle = bundle
    return loaded


def manifest_of(source: Source) -> dict[str, Any]:
    """What the ledger records of an app beside its endpoints and modules."""
    version = sys.version_info
    return {
        "language": "python",
        "requires_python": f">={version.major}.{version.minor}",
        "entry": source.entry,
        "policy": source.options.get("policy", {}),
        "wheels": [],
    }


def resolve(path: str) -> tuple[Source, str]:
    """What `path` means, and where its metadata is."""
    file, separator, attribute = path.rpartition(":")
    if separator and file.endswith(".py") and "/" not in attribute:
        place = Path(file)
    else:
        place, attribute = Path(path), ""
    if place.is_dir():
        return _of_directory(place)
    if not place.is_file():
        raise AppLoadError(f"{place}: no such file")
    directory = place.resolve().parent
    options = _project(directory)
    entry = f"{place.name}:{attribute}" if attribute else place.name
    return Source(directory=str(directory), entry=entry, options=options), str(place)


def _of_directory(place: Path) -> tuple[Source, str]:
    directory = place.resolve()
    options = _project(directory)
    metadata = directory / "app.json"
    if metadata.is_file():
        endpoints = _metadata(metadata)
        source = Source(directory=str(directory / "src"), endpoints=endpoints, options=options)
        return source, str(place / "app.json")
    entry = options.get("app")
    if entry is None and (directory / "app.py").is_file():
        entry = "app.py"
    if not isinstance(entry, str):
        raise AppLoadError(
            f"{place}: no app here; name it in {place / 'pyproject.toml'}:\n"
            '[tool.affiant]\napp = "app.py"'
        )
    file = entry.partition(":")[0]
    if not (directory / file).is_file():
        raise AppLoadError(f"{place / 'pyproject.toml'}: app = {entry!r}: no file {place / file}")
    return Source(directory=str(directory), entry=entry, options=options), str(place / file)


def _metadata(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > METADATA_BYTES_MAX:
            raise AppLoadError(f"{path}: more than {METADATA_BYTES_MAX} bytes")
        document = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise AppLoadError(f"{path}: {error}") from error
    endpoints = document.get("endpoints") if isinstance(document, dict) else None
    if not isinstance(endpoints, dict):
        raise AppLoadError(f"{path}: field endpoints is missing or no object")
    return endpoints


def _project(directory: Path) -> dict[str, Any]:
    """The table ``[tool.affiant]`` of the app's pyproject.toml; empty if there is none."""
    path = directory / "pyproject.toml"
    if not path.is_file():
        return {}
    try:
        if path.stat().st_size > PROJECT_BYTES_MAX:
            raise AppLoadError(f"{path}: more than {PROJECT_BYTES_MAX} bytes")
        document = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise AppLoadError(f"{path}: {error}") from error
    table = document.get("tool", {}).get("affiant", {})
    if not isinstance(table, dict):
        raise AppLoadError(f"{path}: [tool.affiant] is no table")
    return table
