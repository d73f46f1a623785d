"""The one error of this package."""

from __future__ import annotations


class BundleError(Exception):
    """A bundle, lock or wheel that cannot be used: which file, what was expected and found, the cure."""


def mismatch(what: str, expected: object, found: object, cure: str) -> BundleError:
    """An error about something that differs from what it should be."""
    return BundleError(f"{what}: expected {expected}, found {found}; {cure}")
