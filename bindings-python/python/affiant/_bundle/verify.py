"""Opens a bundle: checks every byte of it and unpacks its wheels into a directory of its own.

The file is taken for hostile: it is read with bounds, and nothing it says is used before it was checked. What
a former run unpacked is never used again, for anybody could have changed it since.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import stat
import sys
import tempfile
from dataclasses import dataclass
from typing import Any, BinaryIO

from . import archive, listing, lock, tags, wheel
from .errors import BundleError, mismatch

BUNDLE_JSON_BYTES_MAX = 64 << 20
MODULES_COUNT_MAX = 10_000
FILES_UNPACKED_MAX = 200_000
BYTES_UNPACKED_MAX = 16 << 30
COPY_BYTES = 1 << 20

_SHARED_MEMORY = "/dev/shm"
_PREFIX = "affiant-wheels-"
_HELD = ".held"
_SWEPT_COUNT_MAX = 1_000


@dataclass
class Bundle:
    """An opened bundle.

    digest: SHA-256 of its listing, in hexadecimal.
    metadata, modules, manifest: as in bundle.json, checked.
    packages: directories to import libraries from (the guard's roots); empty if it has no wheels.
    directory: what was made for them, removed by `close`, or else by a later `open_bundle`; None if nothing.
    held: the open file that tells others that this process uses the directory.
    """

    path: str
    digest: str
    metadata: dict[str, Any]
    modules: list[dict[str, str]]
    manifest: dict[str, Any]
    packages: list[str]
    directory: str | None = None
    held: BinaryIO | None = None

    @property
    def sources(self) -> dict[str, str]:
        """The app's modules: name with its leading slash to source."""
        return {item["name"]: item["module"] for item in self.modules}

    def close(self) -> None:
        """Remove what was unpacked. A second call does nothing.

        Under a guard nothing can be removed: the node does, or a later `open_bundle` in the same place.
        """
        directory, self.directory = self.directory, None
        held, self.held = self.held, None
        if directory is not None:
            shutil.rmtree(directory, ignore_errors=True)
        if held is not None:
            held.close()

    def __enter__(self) -> Bundle:
        """The bundle itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()


def open_bundle(path: str, expected_digest: str | None = None, into: str | None = None) -> Bundle:
    """Check the bundle at `path` and unpack its wheels.

    expected_digest: the digest it must have, in hexadecimal; None: the one it says itself.
    into: a directory to make the private directory in; None: shared memory if programs may run from there,
        else the directory for temporary files.
    Raises `BundleError`; nothing is left unpacked then.
    """
    try:
        file = open(path, "rb")
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error}") from error
    with file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise BundleError(f"{path} is no file; name the file that `affiant bundle` wrote")
        content, places = _read(file, path)
        metadata, modules, manifest = _checked(content, path)
        digest = _check_digest(metadata, modules, manifest, expected_digest, path)
        tags.check_python(manifest["requires_python"], sys.version_info[:3], path)
        wheels = [lock.wheel_of(item) for item in manifest["wheels"]]
        _check_places(wheels, places, path)
        target = tags.this_target()
        for item in wheels:
            tags.check(tags.parse(item.file), target)
        bundle = Bundle(path, digest, metadata, modules, manifest, [])
        if wheels:
            try:
                _unpack(bundle, file, wheels, places, into)
            except BaseException:
                bundle.close()
                raise
        return bundle


def _read(file: BinaryIO, path: str) -> tuple[Any, dict[str, archive.Entry]]:
    """The value of bundle.json, and the other files by name."""
    places = {entry.name: entry for entry in archive.entries(file, path)}
    first = places.pop("bundle.json", None)
    if first is None or first.offset != archive.BLOCK_BYTES or first.size > BUNDLE_JSON_BYTES_MAX:
        raise BundleError(
            f"{path} is no bundle: it does not begin with a bundle.json that can be read"
        )
    file.seek(first.offset)
    try:
        return json.loads(file.read(first.size)), places
    except (ValueError, RecursionError) as error:
        raise BundleError(
            f"{path}: bundle.json cannot be read: {error}; build the bundle again"
        ) from error


def _checked(content: Any, path: str) -> tuple[dict, list, dict]:
    """Metadata, modules and manifest, each of the form it must have."""

    def need(condition: bool, what: str) -> None:
        if not condition:
            raise BundleError(f"{path}: bundle.json: {what}; build the bundle again")

    need(
        isinstance(content, dict) and set(content) == {"metadata", "modules", "manifest"},
        "it has other keys",
    )
    metadata, modules, manifest = content["metadata"], content["modules"], content["manifest"]
    need(
        isinstance(metadata, dict) and set(metadata) == {"endpoints"},
        "metadata is not the endpoints",
    )
    need(isinstance(metadata["endpoints"], dict), "endpoints is not an object")
    need(
        isinstance(modules, list) and len(modules) <= MODULES_COUNT_MAX,
        "modules is no list, or too long",
    )
    for item in modules:
        need(isinstance(item, dict) and set(item) == {"name", "module"}, "a module has other keys")
        name = item["name"]
        need(isinstance(name, str) and isinstance(item["module"], str), "a module is not text")
        fine = (
            name[:1] == "/"
            and name.isprintable()
            and ".." not in name.split("/")
            and " " not in name
        )
        need(fine, f"the module name {name[:100]!r} is none")
    need(len({item["name"] for item in modules}) == len(modules), "a module is in it twice")
    keys = {"language", "requires_python", "policy", "wheels", "entry", "digest"}
    need(isinstance(manifest, dict) and set(manifest) == keys, "the manifest has other keys")
    need(manifest["language"] == "python", "the language is not python")
    for key in ("requires_python", "digest"):
        text = manifest[key]
        need(
            isinstance(text, str) and text.isprintable() and len(text) < 200,
            f"{key} is not a short string",
        )
    entry = manifest["entry"]
    need(entry is None or (isinstance(entry, str) and entry.isprintable()), "entry is not a string")
    need(isinstance(manifest["policy"], dict), "the policy is not an object")
    wheels = manifest["wheels"]
    need(
        isinstance(wheels, list) and len(wheels) <= lock.WHEELS_COUNT_MAX,
        "wheels is no list, or too long",
    )
    for item in wheels:
        need(
            isinstance(item, dict) and set(item) == {"file", "sha256", "size"},
            "a wheel has other keys",
        )
        try:
            lock.wheel_of(item)
        except (ValueError, BundleError) as error:
            need(False, str(error))
    return metadata, modules, manifest


def _check_digest(
    metadata: dict, modules: list, manifest: dict, expected: str | None, path: str
) -> str:
    """The bundle's digest, which must be what it says, and what is expected."""
    try:
        found = listing.digest(metadata, modules, manifest)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path}: bundle.json cannot be hashed: {error}") from error
    cure = "it was changed after it was built; take the file whose digest was agreed on"
    if found != manifest["digest"]:
        raise mismatch(f"{path} is not what its digest says", manifest["digest"], found, cure)
    if expected is not None and found != expected.lower():
        raise mismatch(f"{path} is another bundle", expected, found, cure)
    return found


def _check_places(wheels: list[lock.Wheel], places: dict[str, archive.Entry], path: str) -> None:
    """The files of the archive must be the manifest's wheels."""
    wanted = {f"wheels/{item.file}": item for item in wheels}
    if len({item.name for item in wheels}) != len(wheels):
        raise BundleError(f"{path} has two wheels of one project; build the bundle again")
    for name in sorted(set(wanted) ^ set(places)):
        what = "lacks" if name in wanted else "has, but does not list,"
        raise BundleError(
            f"{path} {what} {name!r}; it was changed after it was built, build it again"
        )
    for name, item in wanted.items():
        if places[name].size != item.size:
            raise mismatch(
                f"{path}: {name}",
                f"{item.size} bytes",
                f"{places[name].size} bytes",
                "build the bundle again",
            )


def _unpack(
    bundle: Bundle,
    file: BinaryIO,
    wheels: list[lock.Wheel],
    places: dict[str, archive.Entry],
    into: str | None,
) -> None:
    """Unpack the wheels into a fresh directory that only this user may enter."""
    bundle.directory, bundle.held = _private(into, sum(item.size for item in wheels))
    packages = os.path.join(bundle.directory, "packages")
    os.mkdir(packages, 0o700)
    space = wheel.Space(BYTES_UNPACKED_MAX, FILES_UNPACKED_MAX)
    for item in wheels:
        # The bytes that are hashed are those that are unpacked, whatever becomes of the bundle's file.
        with tempfile.TemporaryFile(dir=bundle.directory) as copy:
            digest = _copy(file, places[f"wheels/{item.file}"], copy)
            if digest != item.sha256:
                raise mismatch(
                    f"{bundle.path}: {item.file} is not the wheel it lists",
                    f"sha256 {item.sha256}",
                    digest,
                    "it was changed after the bundle was built; take the file whose digest was agreed on",
                )
            wheel.unpack(copy, tags.parse(item.file), packages, space)
    bundle.packages = [packages]


def _copy(file: BinaryIO, entry: archive.Entry, out: BinaryIO) -> str:
    """Copy a file of the archive; the SHA-256 of what was copied, in hexadecimal."""
    digest, left = hashlib.sha256(), entry.size
    file.seek(entry.offset)
    while left:
        part = file.read(min(COPY_BYTES, left))
        if not part:
            break
        digest.update(part)
        out.write(part)
        left -= len(part)
    return digest.hexdigest()


def _private(into: str | None, size: int) -> tuple[str, BinaryIO]:
    """A fresh directory of mode 0700, and the open file by which this process holds it."""
    if into is None:
        shared = _may_run_from(_SHARED_MEMORY, 8 * size)
        into = _SHARED_MEMORY if shared else tempfile.gettempdir()
    into = os.path.realpath(into)
    _sweep(into)
    try:
        directory = tempfile.mkdtemp(prefix=_PREFIX, dir=into)
        held = open(os.path.join(directory, _HELD), "xb")
        fcntl.flock(held, fcntl.LOCK_EX)
    except OSError as error:
        raise BundleError(f"no directory for the wheels can be made: {error}") from error
    return directory, held


def _sweep(into: str) -> None:
    """Remove the directories of processes that ended without removing them."""
    try:
        names = [name for name in os.listdir(into) if name.startswith(_PREFIX)]
    except OSError:
        return
    for name in names[:_SWEPT_COUNT_MAX]:
        directory = os.path.join(into, name)
        try:
            if os.lstat(directory).st_uid != os.getuid():
                continue
            held = os.open(os.path.join(directory, _HELD), os.O_RDWR | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(directory, ignore_errors=True)
        except OSError:
            pass  # in use
        finally:
            os.close(held)


def _may_run_from(directory: str, size: int) -> bool:
    """Whether native libraries may be loaded from a file system, and `size` bytes fit into it."""
    try:
        found = os.statvfs(directory)
    except OSError:
        return False
    room = found.f_bavail * found.f_frsize
    return (
        not found.f_flag & os.ST_NOEXEC and room > size and os.access(directory, os.W_OK | os.X_OK)
    )
