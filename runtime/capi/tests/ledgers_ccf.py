"""Validates ledgers that C programs wrote, and their receipts, with the stock `ccf` package.

ledgers_ccf.py DIRECTORY...

Beside a data directory, NAME.proof may hold receipts; see program.sh.
"""

import importlib.metadata
import pathlib
import sys
import warnings

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "conformance"))

import check


def main():
    warnings.simplefilter("ignore", DeprecationWarning)
    ledgers = entries = signatures = receipts = 0
    for directory in map(pathlib.Path, sys.argv[1:]):
        try:
            _, found, _, signed, _ = check.check_ledger(directory / "ledger", committed_only=False)
            proof = directory.with_name(directory.name + ".proof")
            if proof.exists():
                receipts += check.check_receipts(proof)[0]
        except Exception:
            print(f"in {directory}:", file=sys.stderr)
            raise
        ledgers += 1
        entries += found
        signatures += signed
    assert receipts, "no program left receipts"
    version = importlib.metadata.version("ccf")
    print(
        f"ccf {version}: {ledgers} ledgers of {entries} entries, {signatures} signatures and"
        f" {receipts} receipts in both forms verified"
    )


if __name__ == "__main__":
    main()
