"""The file format of a bundle: a tar archive of plain files, the same bytes for the same content.

Files have mode 0644, no owner and no times, in the order given; a name of more than 100 bytes stands in an
extended header (pax) that says nothing else. Any archive that holds more than that (links, directories,
other headers, a name twice) is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from .errors import BundleError

BLOCK_BYTES = 512
NAME_BYTES_MAX = 200
FILES_COUNT_MAX = 1_001
FILE_BYTES_MAX = 4 << 30
COPY_BYTES = 1 << 20

_MAGIC = b"ustar\x0000"
_SHORT_BYTES_MAX = 100
_PAX_NAME = b"././@PaxHeader"


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
        if _read(file, offset, where) == bytes(BLOCK_BYTES):
            break
        if len(seen) >= FILES_COUNT_MAX:
            raise BundleError(f"{where} has more than {FILES_COUNT_MAX} files; it is not a bundle")
        name, size, header_bytes = _parse(file, offset, where)
        if name.casefold() in seen:
            raise BundleError(f"{where} has two files {name!r}; it is damaged, build it again")
        seen.add(name.casefold())
        start = offset + header_bytes
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
    """What stands before a file's content: one block, or three if the name is long."""
    raw = name.encode()
    if not 0 < len(raw) <= NAME_BYTES_MAX:
        raise BundleError(f"the name {name!r} has more than {NAME_BYTES_MAX} bytes")
    if size > FILE_BYTES_MAX:
        raise BundleError(f"{name} has {size} bytes; at most {FILE_BYTES_MAX} fit into a bundle")
    block = _block(raw[:_SHORT_BYTES_MAX], size, b"0")
    if len(raw) <= _SHORT_BYTES_MAX:
        return block
    # The length counts its own digits: three, for names of this size.
    record = b"%d path=%s\n" % (len(raw) + 10, raw)
    return _block(_PAX_NAME, len(record), b"x") + record.ljust(BLOCK_BYTES, b"\0") + block


def _block(name: bytes, size: int, kind: bytes) -> bytes:
    fields = [
        name.ljust(_SHORT_BYTES_MAX, b"\0"),
        b"0000644\x000000000\x000000000\0",
        b"%011o\0" % size,
        b"00000000000\0",
        b" " * 8,
        kind,
        bytes(100),
        _MAGIC,
    ]
    header = b"".join(fields).ljust(BLOCK_BYTES, b"\0")
    checksum = b"%06o\0 " % sum(header)
    return header[:148] + checksum + header[156:]


def _parse(file: BinaryIO, offset: int, where: str) -> tuple[str, int, int]:
    """Name and size of a file, and the size of its header; only what `_header` writes is read."""
    header = _read(file, offset, where)
    raw = header[:_SHORT_BYTES_MAX].rstrip(b"\0")
    if raw == _PAX_NAME:
        header += _read(file, offset + BLOCK_BYTES, where) + _read(
            file, offset + 2 * BLOCK_BYTES, where
        )
        raw = header[BLOCK_BYTES : 2 * BLOCK_BYTES].rstrip(b"\0")[len("100 path=") : -1]
    try:
        name = raw.decode()
        size = int(header[-BLOCK_BYTES:][124:135], 8)
        expected = _header(name, size)
    except (ValueError, BundleError):
        name, size, expected = "", 0, b""
    if header != expected:
        raise BundleError(
            f"{where} is no bundle, or is damaged: it holds more than plain files as `affiant bundle` "
            "writes them; build it again"
        )
    return name, size, len(header)
