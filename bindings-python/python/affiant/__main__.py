"""The command ``affiant``; also ``python -m affiant``."""

import io
import signal
import sys

from affiant import _native


def main() -> int:
    """Runs the command line of this process; returns the exit code."""
    # A node stops in order on an interrupt; Python's own handler would raise once it has.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    for stream in (sys.stdout, sys.stderr):
        # What an app prints stands among the node's lines, also in a pipe.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)
    return _native.main(["affiant", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
