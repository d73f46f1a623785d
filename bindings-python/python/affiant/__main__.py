"""The command ``affiant``; also ``python -m affiant``."""

import sys

from affiant import _native


def main() -> int:
    """Runs the command line of this process; returns the exit code."""
    return _native.main(["affiant", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
