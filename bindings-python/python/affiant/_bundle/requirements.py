"""What an app requires, and pip asked for it: wheels only, in a process of its own."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass

from . import tags
from .errors import BundleError
from .lock import Lock

FILE_BYTES_MAX = 4 << 20
DEPTH_MAX = 10
PIP_SECONDS_MAX = 3600
_SHOWN_LINES = 12
# The node brings these itself.
_PROVIDED = frozenset({"affiant"})


@dataclass(frozen=True, slots=True)
class Asked:
    """Requirements: lines as pip reads them, of packages and of options, and the hash of it all."""

    packages: tuple[str, ...]
    options: tuple[str, ...]
    digest: str


def of_app(directory: str, explicit: str | None) -> Asked:
    """What the app in `directory` requires: the file `explicit`, else requirements.txt, else pyproject.toml.

    Nothing is required if there is neither. Raises `BundleError` if a file cannot be read.
    """
    beside = os.path.join(directory, "requirements.txt")
    project = os.path.join(directory, "pyproject.toml")
    if explicit is not None:
        lines = _lines(explicit, 0)
    elif os.path.isfile(beside):
        lines = _lines(beside, 0)
    else:
        lines = _dependencies(project) if os.path.isfile(project) else []
    packages = [line for line in lines if line[:1] != "-" and _project(line) not in _PROVIDED]
    options = [line for line in lines if line[:1] == "-"]
    for option in options:
        if re.match(r"(-e|--editable)\b", option):
            raise BundleError(
                f"{option!r} cannot be bundled: build a wheel of it, and name that with --wheels"
            )
    text = "\n".join([*sorted(packages), *options])
    return Asked(tuple(packages), tuple(options), hashlib.sha256(text.encode()).hexdigest())


def _project(line: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", line)
    return tags.normal(found[0]) if found else ""


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(FILE_BYTES_MAX + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise BundleError(f"{path} cannot be read: {error}") from error
    if len(text) > FILE_BYTES_MAX:
        raise BundleError(f"{path} has more than {FILE_BYTES_MAX} characters")
    return text


def _lines(path: str, depth: int) -> list[str]:
    """The lines of a file of requirements, without comments, files it includes in their place."""
    if depth > DEPTH_MAX:
        raise BundleError(
            f"{path} is included through more than {DEPTH_MAX} files; does it include itself?"
        )
    found: list[str] = []
    for line in re.sub(r"\\\n", " ", _read(path)).splitlines():
        line = " ".join(re.sub(r"(^|\s)#.*", "", line).split())
        included = re.fullmatch(r"(?:-r|--requirement)[ =]?(.+)", line)
        bounded = re.fullmatch(r"(?:-c|--constraint)[ =]?(.+)", line)
        if included:
            found += _lines(os.path.join(os.path.dirname(path), included[1]), depth + 1)
        elif bounded:
            found.append(f"-c {os.path.abspath(os.path.join(os.path.dirname(path), bounded[1]))}")
        elif line:
            found.append(line)
    return found


def _dependencies(path: str) -> list[str]:
    try:
        table = tomllib.loads(_read(path))
    except tomllib.TOMLDecodeError as error:
        raise BundleError(f"{path}: {error}") from error
    project = table.get("project", {})
    lines = project.get("dependencies", []) if isinstance(project, dict) else None
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise BundleError(f'{path}: dependencies of [project] must be a list like ["flask>=3"]')
    return [" ".join(line.split()) for line in lines]


def fetch(
    asked: Asked, lock: Lock | None, python: str | None, wheels: str | None, into: str
) -> None:
    """Have pip put wheels into the directory `into`.

    lock: take exactly its versions; None: resolve what is asked.
    python: for this version ("3.12"); None: for the running one.
    wheels: a directory to take them from; None: the index that pip is configured for.
    Raises `BundleError` with pip's own words if it cannot.
    """
    if lock is None:
        lines = [*asked.options, *asked.packages]
    else:
        plain = [line for line in asked.options if not re.match(r"-c |--require-hashes", line)]
        lines = [*plain, *(f"{wheel.name}=={wheel.version}" for wheel in lock.wheels)]
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        command = [
            sys.executable,
            "-m",
            "pip",
            "--disable-pip-version-check",
            "--no-input",
            "download",
        ]
        command += ["--quiet", "--only-binary", ":all:", "--dest", into, "--requirement", file.name]
        command += ["--no-deps"] if lock is not None else []
        command += ["--python-version", python] if python is not None else []
        command += ["--no-index", "--find-links", wheels] if wheels is not None else []
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, errors="replace", timeout=PIP_SECONDS_MAX
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise BundleError(f"pip did not get the wheels: {error}") from error
    if done.returncode:
        said = "\n".join(done.stderr.strip().splitlines()[-_SHOWN_LINES:]).replace(
            file.name, "the requirements"
        )
        raise BundleError(
            f"pip did not get the wheels:\n{said}\nIf a package has no wheel for this Python, build one with "
            "`pip wheel`, and name its directory with --wheels"
        )
