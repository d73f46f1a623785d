"""Ledger apps in confidential virtual machines, from Python."""

import _affiant_ccf  # noqa: F401  (makes `import ccf` work where no .pth file is read)

from affiant._native import __version__

__all__ = ["__version__"]
