"""Bundles of Python apps: one file with the app's modules and every wheel they need, under one digest.

Pure Python, and without the extension module: `affiant bundle` and a starting node both use it.
"""

from .errors import BundleError
from .verify import Bundle, open_bundle

__all__ = ["Bundle", "BundleError", "open_bundle"]
