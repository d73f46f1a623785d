#!/usr/bin/env bash
# What others say of the ledgers that programs left in target/capi/ledgers (program.sh says how).
#   usage: ledgers.sh ccf7 | ccf6   Microsoft's tools of those versions validate all of them, and receipts
#          ledgers.sh python        the wheel opens a copy of each and compares what is in it
#          ledgers.sh rust          the `affiant` crate does
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
# shellcheck source=scripts/venv.sh
. "$root/scripts/venv.sh"

ledgers=$AFFIANT_LEDGERS
shopt -s nullglob
directories=("$ledgers"/*/*/ledger)
directories=("${directories[@]%/ledger}")
expectations=("$ledgers"/*/*.expect)
if [ "${#directories[@]}" -eq 0 ] || [ "${#expectations[@]}" -eq 0 ]; then
    echo "no program left a ledger and what is to be in it"
    exit 1
fi

need_python() { # MINOR VERSION: sets python
    python=$(python_at_least "$1") || {
        echo "no Python 3.$1 or newer with venv found (Debian, Ubuntu: apt-get install python3-venv)"
        exit 1
    }
}
# Opening a ledger writes to it.
copies() {
    cp -a "$ledgers" copies
    expectations=(copies/*/*.expect)
}

case $1 in
ccf7)
    need_python 12
    environment ccf7 "$python" ccf==7.0.22
    "$root/target/venvs/ccf7/bin/python" "$here/ledgers_ccf.py" "${directories[@]}"
    ;;
ccf6)
    need_python 8
    environment ccf6 "$python" ccf==6.0.28 'cbor2<6'
    "$root/target/venvs/ccf6/bin/python" "$here/ledgers_ccf.py" "${directories[@]}"
    ;;
python)
    wheel=$(built_wheel)
    need_python 11
    environment capi-ledgers "$python" "$wheel"
    install_wheel "$root/target/venvs/capi-ledgers/bin/python" "$wheel"
    copies
    "$root/target/venvs/capi-ledgers/bin/python" "$here/ledgers_python.py" "${expectations[@]}"
    ;;
rust)
    # Unoptimised is enough, and `make unit` has built this already.
    (cd "$root" && "${CARGO:-cargo}" build --quiet --locked -p affiant --example read_ledger)
    copies
    "$root/target/debug/examples/read_ledger" "${expectations[@]}"
    ;;
esac
