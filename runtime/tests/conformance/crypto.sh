#!/usr/bin/env bash
# Python's `cryptography` (OpenSSL) and Affiant's application crypto API sign, verify, wrap, unwrap
# and convert for each other. Usage: crypto.sh [ROUND_TRIPS]
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
round_trips=${1:-10000}
peer=${AFFIANT_CRYPTO_PEER:-$root/target/debug/examples/crypto_peer}

# shellcheck source=scripts/venv.sh
. "$root/scripts/venv.sh"

if ! python=$(python_at_least 10); then
    say "no Python 3.10 or newer with venv found (Debian, Ubuntu: apt-get install python3-venv)." >&2
    exit 1
fi
environment cryptography "$python" cryptography==50.0.2
exec "$root/target/venvs/cryptography/bin/python" "$here/crypto.py" "$peer" "$round_trips"
