#!/usr/bin/env bash
# The whole way once: a node, a private and a public write, a receipt, and its verification offline.
# Runs what `make demo` built; leaves nothing behind.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
affiant=$root/target/release/affiant
# shellcheck source=scripts/sandbox.sh
. "$root/scripts/sandbox.sh"
work=$(mktemp -d)
finish() {
    sandbox_stop || true
    rm -rf "$work"
}
trap finish EXIT

say() { printf '\n== %s\n' "$*"; }

say "Starting one node with examples/logging"
sandbox_start "$work" --app "$root/examples/logging"
echo "listening on https://$address"

say "Sending requests"
AFFIANT=$affiant "$root/examples/logging/demo.sh" "https://$address" "$common"

say "Stopping the node, and auditing its whole ledger from the files alone"
sandbox_stop
"$affiant" ledger verify "$ledger"

say "Done: the record was encrypted, written to disk, signed and proven."
