#!/usr/bin/env bash
# A session with `kv`, built from the installed package in a temporary directory: what it prints is checked.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here/kv.c" "$here/Makefile" "$work"
make --quiet --no-print-directory -C "$work" kv

kv() { "$work/kv" "$work/data" "$@"; }
expect() { # wanted text, command...
    local wanted=$1 found
    shift
    found=$("$@" 2>&1) || true
    if [[ $found != *"$wanted"* ]]; then
        printf 'kv-tool: %s: wanted %q in:\n%s\n' "$*" "$wanted" "$found" >&2
        exit 1
    fi
}

expect 'committed as transaction 2.' kv put fruit/apple red
expect 'committed as transaction' kv put fruit/banana yellow
expect 'committed as transaction' kv put tool/hammer steel
expect 'red' kv get fruit/apple
[ "$(kv scan fruit/)" = $'fruit/apple\tred\nfruit/banana\tyellow' ]
expect 'committed as transaction' kv delete fruit/banana
[ "$(kv scan | wc -l)" = 2 ]
expect 'there is no such key' kv get fruit/banana
expect 'passed  signature' kv verify fruit/apple
expect 'the receipt holds' kv verify fruit/apple
expect 'usage: kv DIRECTORY put' kv turn
if kv get nothing >"$work/out" 2>&1; then echo "kv-tool: a missing key is no success" >&2; exit 1; fi
# The reason of a refusal is readable.
"$work/kv" /proc/none get x >"$work/out" 2>&1 && exit 1
grep -q '^kv: /proc/none: ' "$work/out"
echo "kv-tool: passed"
