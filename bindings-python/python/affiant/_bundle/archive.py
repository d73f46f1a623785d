"""The file format of a bundle: a tar archive of plain files, the same bytes for the same content.

Files have mode 0644, no owner and no times, in the order given; names are at most 100 bytes. Any archive
that holds more than that (links, directories, extended headers, a name twice) is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from .errors import BundleError

BLOCK_BYTES = 512
NAME_BYTES_MAX = 100
FILES_COUNT_MAX = 1_001
FILE_BYTES_MAX = 4 << 30
COPY_BYTES = 1 << 20

_MAGIC = b"ustar\x0000"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of an archive: its name, the offset of its first byte, and its size in bytes."""

    name: str
    offset: int
    size: int


def write(out: BinaryIO, files: Iterable[tuple[str, int, Iterable[bytes]]]) -> None:
    """Write an archive of `files`: name, size in bytes, content in parts.

    Raises `BundleError` if a name is too long, or content is not of the size given.
    """
    for name, size, parts in files:
        out.write(_header(name, size))
        written = 0
        for part in parts:
            out.write(part)
            written += len(part)
        if written != size:
            raise BundleError(f"{name} changed while the bundle was written; build it again")
        out.write(bytes(-size % BLOCK_BYTES))
    out.write(bytes(2 * BLOCK_BYTES))


def entries(file: BinaryIO, where: str) -> Iterator[Entry]:
    """The files of an archive, in order; `where` names it in messages.

    Raises `BundleError` at the first thing that `write` would not have written.
    """
    total = file.seek(0, 2)
    seen: set[str] = set()
    offset = 0
    while True:
        header = _read(file, offset, where)
        if header == bytes(BLOCK_BYTES):
            break
        if len(seen) >= FILES_COUNT_MAX:
            raise BundleError(f"{where} has more than {FILES_COUNT_MAX} files; it is not a bundle")
        name, size = _parse(header, where)
        if name.casefold() in seen:
            raise BundleError(f"{where} has two files {name!r}; it is damaged, build it again")
        seen.add(name.casefold())
        start = offset + BLOCK_BYTES
        offset = start + size + -size % BLOCK_BYTES
        if size > FILE_BYTES_MAX or offset > total:
            raise BundleError(f"{where} ends within {name!r}; it is cut short, copy it again")
        yield Entry(name, start, size)
    if _read(file, offset + BLOCK_BYTES, where) != bytes(BLOCK_BYTES) or total != offset + 1024:
        raise BundleError(f"{where} goes on after its end; it is damaged, build it again")


def _read(file: BinaryIO, offset: int, where: str) -> bytes:
    file.seek(offset)
    block = file.read(BLOCK_BYTES)
    if len(block) != BLOCK_BYTES:
        raise BundleError(f"{where} is no bundle, or is cut short; build it with `affiant bundle`")
    return block


def _header(name: str, size: int) -> bytes:
    raw = name.encode()
    if not 0 < len(raw) <= NAME_BYTES_MAX:
        raise BundleError(f"the name {name!r} has more than {NAME_BYTES_MAX} bytes")
    if size > FILE_BYTES_MAX:
        raise BundleError(f"{name} has {size} bytes; at most {FILE_BYTES_MAX} fit into a bundle")
    fields = [
        raw.ljust(NAME_BYTES_MAX, b"\0"),
        b"0000644\x000000000\x000000000\0",
        b"%011o\0" % size,
        b"00000000000\0",
        b" " * 8,
        b"0",
        bytes(100),
        _MAGIC,
    ]
    header = b"".join(fields).ljust(BLOCK_BYTES, b"\0")
    checksum = b"%06o\0 " % sum(header)
    return header[:148] + checksum + header[156:]


def _parse(header: bytes, where: str) -> tuple[str, int]:
    """Name and size of a file; only what `_header` writes is read."""
    try:
        name = header[:NAME_BYTES_MAX].rstrip(b"\0").decode()
        size = int(header[124:135], 8)
        expected = _header(name, size)
    except ValueError:
        expected = b""
    if header != expected:
        raise BundleError(
            f"{where} is no bundle, or is damaged: it holds more than plain files as `affiant bundle` "
            "writes them; build it again"
        )
    return name, size
