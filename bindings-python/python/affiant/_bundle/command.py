"""The command `affiant bundle`."""

from __future__ import annotations

import argparse
import sys

from .build import build
from .errors import BundleError

FAILED = 1


def main(argv: list[str]) -> int:
    """Run the command with its arguments (without "bundle"); the exit code.

    Prints the digest and what is in the bundle; an error goes to the standard error.
    """
    parser = argparse.ArgumentParser(
        prog="affiant bundle",
        description="Put a Python app and every wheel it needs into one file, under one digest.",
    )
    parser.add_argument(
        "app", metavar="DIR", help="the app: a directory, or FILE.py, or FILE.py:attribute"
    )
    parser.add_argument(
        "--output", metavar="FILE", help="where to write it (default: NAME.affiant)"
    )
    parser.add_argument(
        "--requirements",
        metavar="FILE",
        help="what the app requires (default: its requirements.txt, else dependencies of its pyproject.toml)",
    )
    parser.add_argument(
        "--python-version", metavar="X.Y", help="bundle for another Python that is installed"
    )
    parser.add_argument(
        "--wheels", metavar="DIR", help="take the wheels from here, not from pip's index"
    )
    parser.add_argument(
        "--update", action="store_true", help="choose the wheels anew, and write the lock anew"
    )
    options = parser.parse_args(argv)
    try:
        built = build(
            options.app,
            options.output,
            requirements_file=options.requirements,
            python_version=options.python_version,
            wheels=options.wheels,
            update=options.update,
        )
    except BundleError as error:
        print(f"affiant bundle: {error}", file=sys.stderr)
        return FAILED
    except OSError as error:
        print(f"affiant bundle: {error}", file=sys.stderr)
        return FAILED
    for warning in built.warnings:
        print(f"affiant bundle: warning: {warning}", file=sys.stderr)
    size = sum(item.size for item in built.wheels)
    print(
        f"{built.path}: {built.endpoints} endpoints, {len(built.modules)} modules, "
        f"{len(built.wheels)} wheels ({size} bytes)"
    )
    print(f"digest {built.digest}")
    return 0
