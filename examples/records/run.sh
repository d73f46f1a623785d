#!/usr/bin/env bash
# Serves the three variants in turn, has test_records.py ask each, and compares their answers.
# Usage: run.sh [VARIANT...]; wants `affiant` of the wheel in the path (or AFFIANT), Flask beside it.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
affiant=${AFFIANT:-affiant}
python=${PYTHON:-python3}
variants=("$@")
[ "${#variants[@]}" -gt 0 ] || variants=(javascript handlers flask)
work=$(mktemp -d)
node=
finish() {
    [ -z "$node" ] || kill "$node" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT

for variant in "${variants[@]}"; do
    "$affiant" sandbox --app "$here/$variant" --node local://127.0.0.1:0 \
        --workspace "$work/$variant" --initial-user-count 2 >"$work/$variant.log" 2>&1 &
    node=$!
    addresses=$work/$variant/sandbox_0/0.rpc_addresses
    for ((tries = 0; tries < 600; tries++)); do
        if [ -s "$addresses" ] && grep -q '^Ready' "$work/$variant.log"; then break; fi
        if ! kill -0 "$node" 2>/dev/null; then break; fi
        sleep 0.1
    done
    if [ ! -s "$addresses" ]; then
        echo "$variant did not start:" >&2
        cat "$work/$variant.log" >&2
        exit 1
    fi
    address=$("$python" -c 'import json, sys; print(*json.load(sys.stdin).values())' <"$addresses")
    echo "== $variant"
    (cd "$here" && PYTHONDONTWRITEBYTECODE=1 RECORDS_ADDRESS=$address \
        RECORDS_COMMON=$work/$variant/sandbox_common RECORDS_TRANSCRIPT=$work/$variant.json \
        "$python" -m unittest test_records)
    kill "$node"
    wait "$node" || true
    node=
    diff -u "$work/${variants[0]}.json" "$work/$variant.json"
done
echo "the same $(grep -c '^  "/app' "$work/${variants[0]}.json") answers from ${variants[*]}"
