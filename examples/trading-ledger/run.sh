#!/usr/bin/env bash
# The trading ledger, built by CMake from the installed package in a temporary directory: what it prints is checked.
# CMAKE_PREFIX_PATH says where the package is, if not in a usual place.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake -S "$here" -B "$work/build" -DCMAKE_BUILD_TYPE=Release >"$work/log" && cmake --build "$work/build" >>"$work/log" || {
    cat "$work/log" >&2
    exit 1
}
"$work/build/trading-ledger" "$work/data" "$here/app" "$work/receipts" >"$work/said" || {
    cat "$work/said" >&2
    exit 1
}
for wanted in '10 at 99 with bob' 'alice holds -50' 'erin holds 20' '3 trades are proved by their receipts' \
    'a price is between 1 and 10000' 'mallory would hold 501'; do
    grep -qF "$wanted" "$work/said" || {
        echo "trading-ledger: it did not say: $wanted" >&2
        cat "$work/said" >&2
        exit 1
    }
done
echo "trading-ledger: passed"
