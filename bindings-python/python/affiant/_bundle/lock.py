"""`affiant.lock`: which wheels an app is built from, exactly, beside the app.

JSON: `format` 1; `python` the version of Python the wheels were chosen for ("3.13"); `requirements` the
SHA-256 of what was asked for; `wheels` with `name`, `version`, `file`, `sha256` and `size` (bytes) each.
Where a wheel came from is not in it: its hash says what it is.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO

from . import tags
from .errors import BundleError, mismatch

NAME = "affiant.lock"
LOCK_BYTES_MAX = 4 << 20
WHEELS_COUNT_MAX = 1_000
COPY_BYTES = 1 << 20
_CURE = "run `affiant bundle` with --update to choose the wheels anew"


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel by what it is: project, version, file name, SHA-256 in hexadecimal, size in bytes."""

    name: str
    version: str
    file: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Lock:
    """The wheels of an app, and what they were chosen for."""

    python: str
    requirements: str
    wheels: tuple[Wheel, ...]


def hash_of(file: BinaryIO) -> tuple[str, int]:
    """SHA-256 in hexadecimal and size in bytes of an open file, from its start."""
    digest, size = hashlib.sha256(), 0
    file.seek(0)
    while part := file.read(COPY_BYTES):
        digest.update(part)
        size += len(part)
    return digest.hexdigest(), size


def wheel_at(path: str) -> Wheel:
    """What a wheel's file is."""
    name = tags.parse(os.path.basename(path))
    with open(path, "rb") as file:
        digest, size = hash_of(file)
    return Wheel(name.project, name.version, name.file, digest, size)


def read(path: str) -> Lock | None:
    """The lock at `path`; None if there is none. Raises `BundleError` if it cannot be used."""
    try:
        with open(path, "rb") as file:
            raw = file.read(LOCK_BYTES_MAX + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error}") from error
    try:
        if len(raw) > LOCK_BYTES_MAX:
            raise ValueError(f"more than {LOCK_BYTES_MAX} bytes")
        return _parse(json.loads(raw))
    except (ValueError, KeyError, TypeError, RecursionError, BundleError) as error:
        raise BundleError(f"{path} is no lock that can be used ({error}); {_CURE}") from error


def _parse(value: Any) -> Lock:
    if not isinstance(value, dict) or value.get("format") != 1:
        raise ValueError("its format is not 1")
    items = value["wheels"]
    if not isinstance(items, list) or len(items) > WHEELS_COUNT_MAX:
        raise ValueError(f"wheels is not a list of at most {WHEELS_COUNT_MAX}")
    wheels = tuple(wheel_of(item) for item in items)
    for key in ("python", "requirements"):
        if not isinstance(value[key], str):
            raise ValueError(f"{key} is not a string")
    if len({wheel.name for wheel in wheels}) != len(wheels):
        raise ValueError("a project is in it twice")
    return Lock(value["python"], value["requirements"], wheels)


def wheel_of(item: Any) -> Wheel:
    """A wheel from `file`, `sha256` and `size` of an object. Raises `ValueError` or `BundleError`."""
    if not isinstance(item, dict):
        raise ValueError("a wheel is not an object")
    file, digest, size = item.get("file"), item.get("sha256"), item.get("size")
    if (
        not isinstance(file, str)
        or not isinstance(digest, str)
        or type(size) is not int
        or size < 0
    ):
        raise ValueError("a wheel has no file, sha256 or size")
    if not re.fullmatch("[0-9a-f]{64}", digest):
        raise ValueError(f"the sha256 of {file[:100]!r} is not 64 lower-case hexadecimal digits")
    name = tags.parse(file)
    return Wheel(name.project, name.version, file, digest, size)


def write(path: str, lock: Lock) -> None:
    """Write a lock; the same lock is the same bytes."""
    value = {
        "format": 1,
        "python": lock.python,
        "requirements": lock.requirements,
        "wheels": [asdict(wheel) for wheel in sorted(lock.wheels, key=lambda wheel: wheel.file)],
    }
    put(path, (json.dumps(value, indent=2) + "\n").encode())


def put(path: str, content: bytes) -> None:
    """Write a small file as a whole or not at all."""
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path) or ".", prefix=".affiant-")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def check_choice(lock: Lock, path: str, python: str, requirements: str) -> None:
    """Raise `BundleError` if a lock was made for another Python or other requirements."""
    if lock.python != python:
        raise mismatch(f"{path} is for another Python", python, lock.python, _CURE)
    if lock.requirements != requirements:
        raise BundleError(f"{path} was made from other requirements than the app has now; {_CURE}")


def check_wheels(lock: Lock, path: str, found: list[Wheel]) -> None:
    """Raise `BundleError` unless `found` are exactly the wheels of a lock."""
    by_name = {wheel.name: wheel for wheel in found}
    for wheel in lock.wheels:
        there = by_name.pop(wheel.name, None)
        if there is None:
            raise BundleError(
                f"{path} has {wheel.file}, which was not found; put the file there, or {_CURE}"
            )
        if there.file != wheel.file:
            raise mismatch(
                f"{path} has another wheel of {wheel.name}", wheel.file, there.file, _CURE
            )
        if (there.sha256, there.size) != (wheel.sha256, wheel.size):
            raise mismatch(
                f"{wheel.file} is not the wheel of {path}",
                f"sha256 {wheel.sha256} ({wheel.size} bytes)",
                f"{there.sha256} ({there.size} bytes)",
                "somebody changed it: find out who before you use it",
            )
    if by_name:
        raise BundleError(f"{path} does not have {', '.join(sorted(by_name))}; {_CURE}")
