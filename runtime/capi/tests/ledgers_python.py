"""Opens ledgers that C programs wrote, and compares what is in them with what they said is.

ledgers_python.py NAME.expect...    each beside the data directory NAME
"""

import collections
import pathlib
import sys

import affiant


def expected(path):
    maps = collections.defaultdict(dict)
    for line in path.read_text().splitlines():
        name, key, value = line.split("\t")
        maps[name][bytes.fromhex(key)] = bytes.fromhex(value)
    assert maps, f"{path} expects nothing"
    return maps


def main():
    values = 0
    for path in map(pathlib.Path, sys.argv[1:]):
        directory = path.with_suffix("")
        report = affiant.verify_ledger(directory)
        assert report, report
        with affiant.open(directory) as ledger, ledger.read() as tx:
            for name, entries in expected(path).items():
                found = {key: tx.kv[name][key] for key in tx.kv[name]}
                assert found == entries, f"{directory}: map {name} holds something else"
                values += len(entries)
    print(f"Python: {len(sys.argv) - 1} ledgers verified and opened, {values} values as expected")


if __name__ == "__main__":
    main()
