"""Reads a wheel and unpacks it: a zip archive in which every file is listed with its hash.

Wheels come from outside: sizes and counts are bounded, names lead nowhere but below the directory given,
and what is written is what RECORD says, or an error.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import stat
import struct
import unicodedata
import zipfile
import zlib
from dataclasses import dataclass, field
from typing import BinaryIO

from .errors import BundleError, mismatch
from .tags import Name

WHEEL_BYTES_MAX = 2 << 30
FILES_COUNT_MAX = 50_000
DIRECTORY_BYTES_MAX = 32 << 20
RECORD_BYTES_MAX = 16 << 20
FILE_BYTES_MAX = 2 << 30
PATH_CHARACTERS_MAX = 400
DEPTH_MAX = 40
COPY_BYTES = 1 << 20

_END = struct.Struct("<4s4H2LH")
_HASHES = ("sha256", "sha384", "sha512")
_UNSIGNED = ("RECORD", "RECORD.jws", "RECORD.p7s")


@dataclass
class Space:
    """What may still be unpacked, and who unpacked what: shared by the wheels of one bundle."""

    bytes_left: int
    files_left: int
    owners: dict[str, tuple[str, str]] = field(default_factory=dict)

    def take(self, wheel: str, files: int, size: int) -> None:
        """Count a wheel's files in. Raises `BundleError` if they are too many or too large."""
        self.files_left -= files
        self.bytes_left -= size
        if self.files_left < 0 or self.bytes_left < 0:
            raise BundleError(
                f"{wheel} unpacks to {size} bytes in {files} files, more than a bundle may hold; leave out "
                "requirements the app does not need"
            )


def open_wheel(file: BinaryIO, name: str) -> zipfile.ZipFile:
    """A wheel as a zip archive, its directory bounded before it is read."""
    size = file.seek(0, 2)
    file.seek(max(0, size - _END.size))
    tail = file.read(_END.size)
    broken = BundleError(f"{name} is no wheel, or is cut short or padded; download it again")
    if len(tail) != _END.size or size > WHEEL_BYTES_MAX:
        raise broken
    mark, disk, first, here, count, length, offset, comment = _END.unpack(tail)
    if mark != b"PK\x05\x06" or disk or first or here != count or comment:
        raise broken
    if count > FILES_COUNT_MAX or length > DIRECTORY_BYTES_MAX or offset + length > size:
        raise BundleError(
            f"{name} has {count} files (a directory of {length} bytes); at most {FILES_COUNT_MAX} files "
            f"({DIRECTORY_BYTES_MAX} bytes) are read"
        )
    try:
        return zipfile.ZipFile(file)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
        raise BundleError(f"{name} is no wheel: {error}; download it again") from error


def files_of(archive: zipfile.ZipFile, name: str) -> dict[str, zipfile.ZipInfo]:
    """The files of a wheel by path, each path checked. Raises `BundleError` for any that is unsafe."""
    found: dict[str, zipfile.ZipInfo] = {}
    folded: set[str] = set()
    for info in archive.infolist():
        path = info.orig_filename
        kind = stat.S_IFMT(info.external_attr >> 16)
        if path.endswith("/") and not info.file_size:
            path = path[:-1]
            directory = True
        else:
            directory = False
        fault = _fault(path)
        if fault is None and kind not in (0, stat.S_IFREG, *((stat.S_IFDIR,) if directory else ())):
            fault = "is no plain file"
        if fault is None and (info.flag_bits & 0x1 or info.compress_type not in (0, 8)):
            fault = "is encrypted, or compressed in a way that wheels are not"
        if fault:
            raise BundleError(f"{name}: {path[:200]!r} {fault}; this wheel is refused, use another")
        if directory:
            continue
        key = unicodedata.normalize("NFC", path).casefold()
        if key in folded:
            raise BundleError(
                f"{name} has two files {path!r} (letters large or small); use another wheel"
            )
        folded.add(key)
        found[path] = info
    return found


def _fault(path: str) -> str | None:
    """Why a path of an archive is refused; None if it is not."""
    parts = path.split("/")
    if not path or len(path) > PATH_CHARACTERS_MAX or len(parts) > DEPTH_MAX:
        return "is too long or too deep"
    if "\\" in path or any(ord(character) < 32 or character == "\x7f" for character in path):
        return "has a character that file names do not have"
    if any(part in ("", ".", "..") for part in parts) or ":" in parts[0]:
        return "leads out of its directory"
    if any("\ud800" <= character <= "\udfff" for character in path):
        return "is no text"
    return None


def record(
    archive: zipfile.ZipFile, files: dict[str, zipfile.ZipInfo], name: Name
) -> dict[str, tuple[str, bytes]]:
    """The hash of each file by path, from RECORD: algorithm and digest.

    Raises `BundleError` unless the files of the archive and those of RECORD are the same.
    """
    places = [path for path in files if path.endswith(".dist-info/RECORD") and path.count("/") == 1]
    if len(places) != 1:
        raise BundleError(
            f"{name.file} has {len(places)} files RECORD; it is no wheel, use another"
        )
    home = places[0].rpartition("/")[0]
    text = read(archive, files[places[0]], RECORD_BYTES_MAX, name.file)
    listed: dict[str, tuple[str, bytes]] = {}
    unsigned = {f"{home}/{each}" for each in _UNSIGNED}
    try:
        rows = list(csv.reader(io.StringIO(text.decode("utf-8"), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise BundleError(
            f"{name.file}: RECORD cannot be read ({error}); use another wheel"
        ) from error
    for row in rows:
        if not row:
            continue
        if len(row) != 3 or row[0] in listed:
            raise BundleError(
                f"{name.file}: RECORD has a line {row[:3]!r} that says nothing; use another wheel"
            )
        path, value, _size = row
        if path in unsigned:
            continue
        listed[path] = _hash(value, path, name.file)
    missing = sorted(set(listed) - set(files))
    extra = sorted(set(files) - set(listed) - unsigned)
    if missing or extra:
        what = (
            f"RECORD lists {missing[0]!r}, which is not in it"
            if missing
            else (f"it has {extra[0]!r}, which RECORD does not list")
        )
        raise BundleError(f"{name.file} was changed after it was built: {what}; download it again")
    return listed


def _hash(value: str, path: str, wheel: str) -> tuple[str, bytes]:
    """Algorithm and digest of a field of RECORD."""
    algorithm, _equals, text = value.partition("=")
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raw = b""
    if algorithm not in _HASHES or len(raw) != hashlib.new(algorithm).digest_size:
        raise BundleError(
            f"{wheel}: RECORD gives {path!r} no hash that counts ({value[:60]!r}); use another wheel"
        )
    return algorithm, raw


def read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, most: int, wheel: str) -> bytes:
    """A file's content, at most `most` bytes."""
    out = io.BytesIO()
    _copy(archive, info, out, most, wheel)
    return out.getvalue()


def _copy(
    archive: zipfile.ZipFile,
    info: zipfile.ZipInfo,
    out: BinaryIO,
    most: int,
    wheel: str,
    *hashes: "hashlib._Hash",
) -> None:
    """Copy a file's content to `out` and into `hashes`; never more than it says it has."""
    if info.file_size > most:
        raise BundleError(
            f"{wheel}: {info.orig_filename!r} has {info.file_size} bytes, more than {most}"
        )
    left = info.file_size
    try:
        with archive.open(info) as source:
            while left:
                part = source.read(min(COPY_BYTES, left))
                if not part:
                    break
                left -= len(part)
                for each in hashes:
                    each.update(part)
                out.write(part)
            if left or source.read(1):
                raise BundleError(f"{wheel}: {info.orig_filename!r} is not of the size it says")
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        raise BundleError(
            f"{wheel}: {info.orig_filename!r} cannot be read ({error}); download it again"
        ) from error


def target_of(path: str) -> str | None:
    """Where a wheel's file is unpacked to, below the directory of packages; None if nowhere.

    `NAME.data/purelib` and `platlib` are parts of the packages; scripts and data are for installations.
    """
    top, slash, rest = path.partition("/")
    if not slash or not top.endswith(".data"):
        return path
    kind, slash, below = rest.partition("/")
    return below if slash and kind in ("purelib", "platlib") else None


def unpack(file: BinaryIO, name: Name, into: str, space: Space) -> None:
    """Unpack a wheel below the directory `into`, every file checked against RECORD.

    Raises `BundleError`; `into` may then hold some of the files.
    """
    with open_wheel(file, name.file) as archive:
        files = files_of(archive, name.file)
        space.take(name.file, len(files), sum(info.file_size for info in files.values()))
        listed = record(archive, files, name)
        for path, info in files.items():
            if path in listed:
                _unpack_one(archive, info, path, listed[path], name, into, space)


def _unpack_one(
    archive: zipfile.ZipFile,
    info: zipfile.ZipInfo,
    path: str,
    expected: tuple[str, bytes],
    name: Name,
    into: str,
    space: Space,
) -> None:
    """Unpack and check one file."""
    algorithm, digest = expected
    found = hashlib.new(algorithm)
    target = target_of(path)
    content = hashlib.sha256()
    other = None
    if target is None:
        _copy(archive, info, _Nowhere(), FILE_BYTES_MAX, name.file, found)
    else:
        key = unicodedata.normalize("NFC", target).casefold()
        other = space.owners.get(key)
        if other is None:
            place = os.path.join(into, target)
            try:
                os.makedirs(os.path.dirname(place), mode=0o700, exist_ok=True)
                handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            except OSError as error:
                raise BundleError(f"{name.file}: {path!r} cannot be unpacked: {error}") from error
            with os.fdopen(handle, "wb") as out:
                _copy(archive, info, out, FILE_BYTES_MAX, name.file, found, content)
            space.owners[key] = (name.file, content.hexdigest())
        else:
            _copy(archive, info, _Nowhere(), FILE_BYTES_MAX, name.file, found, content)
    if found.digest() != digest:
        raise mismatch(
            f"{name.file}: {path!r} is not what RECORD says",
            f"{algorithm} {digest.hex()}",
            found.hexdigest(),
            "it was changed after it was built, download it again",
        )
    if other is not None and other[1] != content.hexdigest():
        # Packages that share a name space bring the same small files; different ones are a clash.
        raise BundleError(
            f"{name.file} and {other[0]} both bring {path!r}; the app can use one of the two"
        )


class _Nowhere(io.RawIOBase):
    """Takes what is only hashed."""

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Count, and forget."""
        return len(data)
