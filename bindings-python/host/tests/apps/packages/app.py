"""An app that imports what its environment has."""

import sys

import ccf
import marker
from ccf import ledger


@ccf.endpoint("/packages", mode="readonly", auth=["no_auth"])
def packages(request):
    return {
        "marker": marker.FOUND,
        "tool": ledger.TOOL,
        "executable": sys.executable,
        "ccf": ccf.__file__,
    }
