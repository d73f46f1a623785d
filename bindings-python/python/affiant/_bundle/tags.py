"""Whether a wheel is for this interpreter and this machine, told by the tags in its file name."""

from __future__ import annotations

import os
import platform
import re
import sys
from dataclasses import dataclass

from .errors import BundleError

_FILE = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._]*[A-Za-z0-9])?)-(?P<version>[A-Za-z0-9._!+]+)"
    r"(?:-(?P<build>\d[A-Za-z0-9_.]*))?"
    r"-(?P<python>[a-z0-9_.]+)-(?P<abi>[a-z0-9_.]+)-(?P<platform>[A-Za-z0-9_.]+)\.whl",
    re.ASCII,
)
_OLD_GLIBC = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}
FILE_CHARACTERS_MAX = 190


@dataclass(frozen=True, slots=True)
class Name:
    """The parts of a wheel's file name."""

    file: str
    project: str
    version: str
    pythons: tuple[str, ...]
    abis: tuple[str, ...]
    platforms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """What wheels are to run on: Python's version, the machine, the version of glibc if it is that."""

    python: tuple[int, int]
    machine: str
    glibc: tuple[int, int] | None

    def __str__(self) -> str:
        """For messages."""
        library = "another C library" if self.glibc is None else "glibc {}.{}".format(*self.glibc)
        return "CPython {}.{} on {} with {}".format(*self.python, self.machine, library)


def this_target() -> Target:
    """The running interpreter and its machine."""
    glibc = None
    try:
        text = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, OSError):
        text = ""
    found = re.fullmatch(r"glibc (\d+)\.(\d+).*", text)
    if found:
        glibc = (int(found[1]), int(found[2]))
    version = sys.version_info
    return Target((version.major, version.minor), platform.machine(), glibc)


def parse(file: str) -> Name:
    """The parts of a wheel's file name. Raises `BundleError` if it is none."""
    found = _FILE.fullmatch(file)
    if found is None or len(file) > FILE_CHARACTERS_MAX:
        raise BundleError(
            f"{file[:120]!r} is not the file name of a wheel (NAME-VERSION-PYTHON-ABI-PLATFORM.whl, at most "
            f"{FILE_CHARACTERS_MAX} characters); take the file as its index names it"
        )
    return Name(
        file,
        normal(found["name"]),
        found["version"],
        *(tuple(found[part].split(".")) for part in ("python", "abi", "platform")),
    )


def normal(project: str) -> str:
    """A project's name in the one form that is compared."""
    return re.sub(r"[-_.]+", "-", project).lower()


def check(name: Name, target: Target) -> None:
    """Raise `BundleError` if a wheel is not for `target`."""
    code = any(_code(python, abi, target.python) for python in name.pythons for abi in name.abis)
    if not code:
        raise BundleError(
            f"{name.file} is for {'/'.join(name.pythons)} ({'/'.join(name.abis)}), this is {target}; run the "
            "node with that Python, or build the bundle with this one"
        )
    if not any(_machine(each, target) for each in name.platforms):
        raise BundleError(
            f"{name.file} is for {'/'.join(name.platforms)}, this is {target}; build the bundle on a machine "
            "of this kind"
        )


def _code(python: str, abi: str, version: tuple[int, int]) -> bool:
    """Whether one pair of tags of code is for a version of CPython."""
    major, minor = version
    found = re.fullmatch(r"(py|cp)(\d)(\d*)", python)
    if found is None or int(found[2]) != major:
        return False
    least = int(found[3]) if found[3] else 0
    if found[1] == "py":
        return abi == "none" and least <= minor
    if abi == "abi3":
        return least <= minor
    return least == minor and abi in ("none", f"cp{major}{minor}")


def _machine(tag: str, target: Target) -> bool:
    """Whether one tag of a platform is for a machine."""
    if tag in ("any", f"linux_{target.machine}"):
        return True
    if not tag.endswith("_" + target.machine):
        return False
    family = tag[: -len(target.machine) - 1]
    if target.glibc is None:
        return family.startswith("musllinux_1_")
    wanted = _OLD_GLIBC.get(family)
    found = re.fullmatch(r"manylinux_(\d+)_(\d+)", family)
    if found:
        wanted = (int(found[1]), int(found[2]))
    return wanted is not None and wanted <= target.glibc


def check_python(wanted: str, version: tuple[int, int, int], where: str) -> None:
    """Raise `BundleError` unless `version` fits `wanted`, a list like ">=3.11,<3.14".

    `where` names what wants it, for messages.
    """
    for clause in wanted.split(","):
        found = re.fullmatch(r"\s*(>=|<=|==|!=|~=|>|<)\s*(\d+(?:\.\d+){0,2})(\.\*)?\s*", clause)
        if found is None or (found[3] and found[1] not in ("==", "!=")):
            raise BundleError(
                f'{where} wants Python {wanted!r}, which cannot be read; write it like ">=3.11"'
            )
        if not _fits(found[1], found[2], bool(found[3]), version):
            raise BundleError(
                f"{where} wants Python {wanted}, this is {'.'.join(map(str, version))}; run it with a "
                "Python that fits"
            )


def _fits(operator: str, text: str, any_patch: bool, version: tuple[int, int, int]) -> bool:
    """Whether one clause holds of a version."""
    parts = tuple(int(part) for part in text.split("."))
    full = parts + (0,) * (3 - len(parts))
    same = version[: len(parts)] == parts if any_patch else version == full
    return {
        ">=": version >= full,
        "<=": version <= full,
        ">": version > full,
        "<": version < full,
        "==": same,
        "!=": not same,
        "~=": version >= full and version[: len(parts) - 1] == parts[:-1],
    }[operator]
