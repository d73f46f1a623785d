"""``ccf.crypto``: keys, signatures, hashes, certificates."""

from .converters import digest

__all__ = ["digest"]
