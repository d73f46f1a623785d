#!/usr/bin/env bash
# From nothing to a first receipt that is verified offline, and how many seconds that takes.
#   usage: first_receipt.sh [WHEEL]     what pip installs; by default the package affiant of the index
# Needs Python 3.11 or newer (PYTHON names another than python3) and curl. Leaves nothing behind.
set -euo pipefail

notary=$(cd "$(dirname "$0")" && pwd)/notary.py
wheel=$(realpath "${1:-affiant}" 2>/dev/null) && [ -f "$wheel" ] || wheel=${1:-affiant}
work=$(mktemp -d)
node=
finish() {
    [ -z "$node" ] || kill "$node" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
cd "$work"
began=$(date +%s%N)
step() { printf '\n[%4d.%01d s] %s\n' $((($(date +%s%N) - began) / 1000000000)) \
    $((($(date +%s%N) - began) / 100000000 % 10)) "$*"; }

step "1. A clean environment with the package, nothing else"
"${PYTHON:-python3}" -m venv venv
. venv/bin/activate
pip install --quiet --disable-pip-version-check "$wheel"

step "2. A service that runs notary.py"
affiant sandbox --app "$notary" --node local://127.0.0.1:0 >node.log 2>&1 &
node=$!
common=workspace/sandbox_common
until [ -s workspace/sandbox_0/0.rpc_addresses ] && [ -s $common/service_cert.pem ] &&
    address=$(sed -n 's/.*"\([0-9.]*:[0-9]*\)".*/\1/p' workspace/sandbox_0/0.rpc_addresses | head -n 1) &&
    curl --silent --fail --output ready --cacert $common/service_cert.pem "https://$address/node/ready/app"; do
    kill -0 "$node" 2>/dev/null || { cat node.log >&2; exit 1; }
    sleep 0.1
done

step "3. One request: notarise a document; the answer holds the receipt"
echo "I owe Bob 5 euros. Alice" >document.txt
curl --silent --show-error --fail-with-body "https://$address/app/documents" --data-binary @document.txt \
    --cacert $common/service_cert.pem --cert $common/user0_cert.pem --key $common/user0_privk.pem >answer.json
cut -c 1-100 answer.json

# From here on nobody is asked: the node is gone, what remains are three files.
kill -TERM "$node"
wait "$node"
node=

step "4. The receipt verified at the command line, with the document as its claims"
affiant receipt verify answer.json --service-cert $common/service_cert.pem --claims-file document.txt

step "5. The same in Python, and that it proves no other document"
python - <<'PYTHON'
import json
from pathlib import Path

import affiant

receipt = json.loads(Path("answer.json").read_text())["receipt"]
service = Path("workspace/sandbox_common/service_cert.pem")
print(affiant.verify_receipt(receipt, service, claims=Path("document.txt").read_bytes()).summary())
try:
    affiant.verify_receipt(receipt, service, claims=b"I owe Bob 500 euros. Alice\n")
except affiant.VerificationError as error:
    print(f"Another document is refused: {error}")
else:
    raise SystemExit("the receipt proves another document too")
PYTHON

step "A first receipt, verified."
