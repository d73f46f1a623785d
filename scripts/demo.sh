#!/usr/bin/env bash
# The whole way once: a node, a private and a public write, a receipt, and its verification offline.
# Runs what `make demo` built; leaves nothing behind.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
affiant=$root/target/release/affiant
work=$(mktemp -d)
node=
finish() {
    if [ -n "$node" ]; then
        kill -TERM "$node" 2>/dev/null || true
        wait "$node" 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap finish EXIT

say() { printf '\n== %s\n' "$*"; }

say "Starting one node with examples/logging"
"$affiant" sandbox --app "$root/examples/logging" --node local://127.0.0.1:0 \
    --workspace "$work/workspace" >"$work/node.log" 2>&1 &
node=$!
addresses=$work/workspace/sandbox_0/0.rpc_addresses
for _ in $(seq 100); do
    [ -s "$addresses" ] && [ -s "$work/workspace/sandbox_common/service_cert.pem" ] && break
    if ! kill -0 "$node" 2>/dev/null; then
        echo "The node did not start:" >&2
        cat "$work/node.log" >&2
        exit 1
    fi
    sleep 0.1
done
address=$(sed -n 's/.*"\([0-9.]*:[0-9]*\)".*/\1/p' "$addresses" | head -n 1)
common=$work/workspace/sandbox_common
for _ in $(seq 100); do
    curl --silent --fail --output /dev/null --cacert "$common/service_cert.pem" \
        "https://$address/node/ready/app" && break
    sleep 0.05
done
echo "listening on https://$address"

say "Sending requests"
AFFIANT=$affiant "$root/examples/logging/demo.sh" "https://$address" "$common"

say "Stopping the node, and auditing its whole ledger from the files alone"
kill -TERM "$node"
wait "$node"
node=
"$affiant" ledger verify "$work/workspace/sandbox_0/0.ledger"

say "Done: the record was encrypted, written to disk, signed and proven."
