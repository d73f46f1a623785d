#!/usr/bin/env bash
# Microsoft's own `ccf` packages, versions 7.0.22 and 6.0.28, validate a ledger and receipts that a
# real Affiant node wrote under load. Usage: run.sh [TRANSACTIONS]
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
transactions=${1:-20000}
affiant=${AFFIANT:-$root/target/release/affiant}
work=$(mktemp -d)
node=
trap '[ -z "$node" ] || kill "$node" 2>/dev/null || true; rm -rf "$work"' EXIT

# shellcheck source=scripts/venv.sh
. "$root/scripts/venv.sh"

# The 7.x package wants Python 3.12 or newer; the newest interpreter that is here serves both unless
# it is too new for the 6.x package's pins.
if ! python7=$(python_at_least 12); then
    say "no Python 3.12 or newer found, which ccf 7.0.22 needs." >&2
    say "Install one (Debian 13: apt-get install python3-venv; Ubuntu 24.04: the same) and run make again." >&2
    exit 1
fi
python6=$(python_at_least 8)
environment ccf7 "$python7" ccf==7.0.22
environment ccf6 "$python6" ccf==6.0.28 'cbor2<6'

say "starting a node with small chunks and writing $transactions transactions"
"$affiant" sandbox --app "$root/examples/logging" --node local://127.0.0.1:0 \
    --workspace "$work/workspace" --ledger-chunk-bytes 500KB >"$work/node.log" 2>&1 &
node=$!
addresses=$work/workspace/sandbox_0/0.rpc_addresses
for _ in $(seq 200); do
    [ -s "$addresses" ] && break
    if ! kill -0 "$node" 2>/dev/null; then
        say "the node stopped:" >&2
        cat "$work/node.log" >&2
        exit 1
    fi
    sleep 0.1
done
address=$(python3 -c 'import json, sys; print(next(iter(json.load(open(sys.argv[1])).values())))' "$addresses")
"$python7" "$here/drive.py" "$address" "$work/workspace/sandbox_common" "$work/out" \
    --transactions "$transactions"
kill -TERM "$node"
wait "$node" || { say "the node did not stop cleanly:" >&2; tail -n 20 "$work/node.log" >&2; exit 1; }
node=

ledger=$work/workspace/sandbox_0/0.ledger
for version in 7 6; do
    "$root/target/venvs/ccf$version/bin/python" "$here/check.py" "$ledger" "$work/out"
done
"$affiant" ledger verify "$ledger"
say "passed"
