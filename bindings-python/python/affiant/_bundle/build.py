"""Builds a bundle: chooses the wheels, asks the app what it serves, writes one file."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from affiant._guard import imports as guard_imports

from . import archive, listing, lock, probe, requirements, tags, wheel
from .errors import BundleError

FILES_UNPACKED_MAX = 200_000
BYTES_UNPACKED_MAX = 16 << 30
COPY_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Built:
    """A bundle that was written: its path, digest and wheels, and sentences for its author."""

    path: str
    digest: str
    wheels: tuple[lock.Wheel, ...]
    modules: tuple[str, ...]
    endpoints: int
    warnings: tuple[str, ...]


def build(
    app: str,
    output: str | None = None,
    *,
    requirements_file: str | None = None,
    python_version: str | None = None,
    wheels: str | None = None,
    update: bool = False,
) -> Built:
    """Build the bundle of the app at the path `app` (a directory, or FILE.py, or FILE.py:attribute).

    output: where to write it; None: NAME.affiant in the working directory.
    requirements_file: in place of the app's requirements.txt or pyproject.toml.
    python_version: "3.12", for another Python than the running one, which must be installed.
    wheels: a directory to take the wheels from, in place of the index that pip is configured for.
    update: choose the wheels anew, even if there is a lock.
    Raises `BundleError`.
    """
    directory = _directory(app)
    target, python = _python(python_version)
    asked = requirements.of_app(directory, requirements_file)
    path = os.path.join(directory, lock.NAME)
    wanted = "{}.{}".format(*target.python)
    kept = None if update else lock.read(path)
    if kept is not None:
        lock.check_choice(kept, path, wanted, asked.digest)
    with tempfile.TemporaryDirectory(prefix="affiant-bundle-") as temporary:
        files = os.path.join(temporary, "wheels")
        packages = os.path.join(temporary, "packages")
        for made in (files, packages):
            os.mkdir(made, 0o700)
        found = _collect(asked, kept, path, python_version, wheels, files)
        _unpack(found, files, packages, target)
        answer = probe.ask(python, app, packages)
        content = _content(answer, found, _requires(directory))
        output = output or _default_output(app)
        _write(output, content, found, files)
    if kept is None and (asked.packages or os.path.exists(path)):
        lock.write(path, lock.Lock(wanted, asked.digest, tuple(found)))
    verbs = sum(len(verbs) for verbs in answer["endpoints"].values())
    return Built(
        output,
        content["manifest"]["digest"],
        tuple(found),
        tuple(sorted(answer["modules"])),
        verbs,
        tuple(answer["warnings"]),
    )


def _directory(app: str) -> str:
    place = app
    if not os.path.isdir(place):
        file, colon, _attribute = app.rpartition(":")
        place = os.path.dirname(os.path.abspath(file if colon else app))
        if not os.path.isfile(file if colon else app):
            raise BundleError(f"{app}: no such app; name a directory, or a file like app.py")
    return os.path.abspath(place)


def _default_output(app: str) -> str:
    file = app.rpartition(":")[0] if not os.path.isdir(app) and ":" in app else app
    stem = os.path.basename(os.path.abspath(file)).removesuffix(".py")
    return f"{stem}.affiant"


def _python(version: str | None) -> tuple[tags.Target, str]:
    """What to choose wheels for, and the interpreter to load the app with."""
    target = tags.this_target()
    if version is None:
        return target, sys.executable
    found = re.fullmatch(r"(3)\.(\d{1,2})", version)
    if found is None:
        raise BundleError(f'--python-version {version!r} is no version; write it like "3.12"')
    wanted = (int(found[1]), int(found[2]))
    if wanted == target.python:
        return target, sys.executable
    python = shutil.which(f"python{version}")
    if python is None:
        raise BundleError(
            f"python{version} is not here, and the app must be loaded with the Python it is bundled for; "
            "install it, or leave --python-version out"
        )
    return tags.Target(wanted, target.machine, target.glibc), python


def _requires(directory: str) -> str:
    """The versions of Python the app runs on: [project] requires-python, else Affiant's own."""
    try:
        with open(os.path.join(directory, "pyproject.toml"), "rb") as file:
            project = tomllib.load(file).get("project", {})
    except FileNotFoundError:
        project = {}
    except (OSError, ValueError) as error:
        raise BundleError(f"{directory}/pyproject.toml: {error}") from error
    wanted = project.get("requires-python", ">=3.11") if isinstance(project, dict) else ">=3.11"
    if not isinstance(wanted, str) or not wanted.isprintable():
        raise BundleError(
            f'{directory}/pyproject.toml: requires-python must be a string like ">=3.11"'
        )
    tags.check_python(wanted, sys.version_info[:3], f"{directory}/pyproject.toml")
    return wanted


def _collect(
    asked: requirements.Asked,
    kept: lock.Lock | None,
    path: str,
    python_version: str | None,
    wheels: str | None,
    into: str,
) -> list[lock.Wheel]:
    """Put the app's wheels into the directory `into`; what they are, ascending by file name."""
    if kept is not None and wheels is not None:
        # Exactly these files: nothing to resolve, and what differs is told by its name.
        for item in kept.wheels:
            there = os.path.join(wheels, item.file)
            if os.path.isfile(there):
                shutil.copyfile(there, os.path.join(into, item.file))
    elif asked.packages if kept is None else kept.wheels:
        requirements.fetch(asked, kept, python_version, wheels, into)
    found = sorted(
        (lock.wheel_at(os.path.join(into, file)) for file in os.listdir(into)),
        key=lambda item: item.file,
    )
    found = [item for item in found if item.name != "affiant"]
    if kept is not None:
        lock.check_wheels(kept, path, found)
    return found


def _unpack(found: list[lock.Wheel], files: str, packages: str, target: tags.Target) -> None:
    """Unpack wheels as a node will, so that what it would refuse is refused here."""
    space = wheel.Space(BYTES_UNPACKED_MAX, FILES_UNPACKED_MAX)
    for item in found:
        name = tags.parse(item.file)
        tags.check(name, target)
        with open(os.path.join(files, item.file), "rb") as file:
            wheel.unpack(file, name, packages, space)
    try:
        reserved = frozenset({"affiant"})
        guard_imports.check_names(guard_imports.top_names(packages), "a wheel", reserved)
    except PermissionError as error:
        raise BundleError(str(error)) from error


def _content(answer: dict[str, Any], found: list[lock.Wheel], requires: str) -> dict[str, Any]:
    """The object of `bundle.json`."""
    modules = [
        {"name": name, "module": answer["modules"][name]} for name in sorted(answer["modules"])
    ]
    metadata = {"endpoints": answer["endpoints"]}
    manifest = {
        "language": "python",
        "requires_python": requires,
        "policy": answer["policy"],
        "wheels": [{"file": item.file, "sha256": item.sha256, "size": item.size} for item in found],
        "entry": answer["entry"],
    }
    manifest["digest"] = listing.digest(metadata, modules, manifest)
    return {"metadata": metadata, "modules": modules, "manifest": manifest}


def _write(output: str, content: dict[str, Any], found: list[lock.Wheel], files: str) -> None:
    """Write the bundle, as a whole or not at all."""
    raw = json.dumps(content, sort_keys=True, indent=1).encode()

    def parts(path: str) -> Iterator[bytes]:
        with open(path, "rb") as file:
            while part := file.read(COPY_BYTES):
                yield part

    contents = [("bundle.json", len(raw), iter([raw]))]
    contents += [
        (f"wheels/{item.file}", item.size, parts(os.path.join(files, item.file))) for item in found
    ]
    try:
        handle, temporary = tempfile.mkstemp(dir=os.path.dirname(output) or ".", prefix=".affiant-")
    except OSError as error:
        raise BundleError(f"{output} cannot be written: {error}") from error
    try:
        with os.fdopen(handle, "wb") as out:
            archive.write(out, contents)
        os.chmod(temporary, 0o644)
        os.replace(temporary, output)
    except BaseException:
        os.unlink(temporary)
        raise
