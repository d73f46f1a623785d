"""Where a path leads, and whether that is inside a set of directories.

Nothing here calls a function that an app could have replaced: the few calls into the system are taken
when this module is loaded, and the built-in names are a copy of those times.
"""

from __future__ import annotations

import builtins
import posix

__builtins__ = dict(vars(builtins))  # type: ignore[assignment]

_MOST_LINKS = 40


def plain_text(value: object) -> str | None:
    """A path of an audit event as an exact `str`; None if it is neither text nor bytes."""
    kind = type(value)
    if kind is str:
        return value  # type: ignore[return-value]
    if issubclass(kind, str):
        # A class of the app could answer otherwise each time it is asked.
        return str.__str__(value)
    if issubclass(kind, bytes):
        return bytes.__getitem__(value, slice(None)).decode("utf-8", "surrogateescape")
    return None


def resolve(
    path: str,
    *,
    readlink=posix.readlink,
    getcwd=posix.getcwd,
) -> str:
    """The absolute path `path` leads to, through links as the system follows them.

    What does not exist stays as written. Raises `OSError` if there are too many links.
    """
    if path[:1] != "/":
        path = getcwd() + "/" + path
    rest = path.split("/")
    rest.reverse()
    done: list[str] = []
    links = 0
    while rest:
        part = rest.pop()
        if part == "" or part == ".":
            continue
        if part == "..":
            if done:
                done.pop()
            continue
        try:
            target = readlink("/" + "/".join([*done, part]))
        except (OSError, ValueError):
            done.append(part)
            continue
        links += 1
        if links > _MOST_LINKS:
            raise OSError(f"{path!r} goes through more than {_MOST_LINKS} links")
        if target[:1] == "/":
            done.clear()
        onward = target.split("/")
        onward.reverse()
        rest.extend(onward)
    return "/" + "/".join(done)


def of_library(path: str, roots: tuple[str, ...], standard: tuple[str, ...]) -> bool:
    """Whether the resolved `path` is below a directory of libraries, or of the standard library.

    Environments keep installed packages below the standard library: these are not part of it.
    """
    if inside(path, roots):
        return True
    for directory in standard:
        if path == directory:
            return True
        if path.startswith(directory + "/"):
            first = path[len(directory) + 1 :].partition("/")[0]
            return first != "site-packages" and first != "dist-packages"
    return False


def inside(path: str, directories: tuple[str, ...]) -> bool:
    """Whether the resolved `path` is one of `directories` or below one, by whole components."""
    for directory in directories:
        if path == directory or path.startswith(directory if directory == "/" else directory + "/"):
            return True
    return False
