#!/bin/sh
# Talks to a running sandbox with the logging example: writes, reads, waits for commit, fetches a
# receipt and verifies it.
#   usage: demo.sh [URL [COMMON_DIRECTORY]]
# AFFIANT names the affiant binary, if it is not in the path.
set -eu

url=${1:-https://127.0.0.1:8000}
common=${2:-workspace/sandbox_common}
affiant=${AFFIANT:-affiant}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ ! -f "$common/service_cert.pem" ]; then
  echo "demo.sh: $common/service_cert.pem is not there; start the service first:" >&2
  echo "  affiant sandbox --app examples/logging" >&2
  exit 1
fi

# call METHOD PATH [BODY]: the answer's body, as user0; headers are left in $work/headers.
call() {
  set -- "$1" "$2" "${3:-}"
  if [ -n "$3" ]; then
    curl --silent --show-error --fail --cacert "$common/service_cert.pem" \
      --cert "$common/user0_cert.pem" --key "$common/user0_privk.pem" --dump-header "$work/headers" \
      --request "$1" "$url$2" --header 'content-type: application/json' --data "$3"
  else
    curl --silent --show-error --fail --cacert "$common/service_cert.pem" \
      --cert "$common/user0_cert.pem" --key "$common/user0_privk.pem" --dump-header "$work/headers" \
      --request "$1" "$url$2"
  fi
}

# The id of the transaction of the last call.
transaction() {
  sed -n 's/^x-ms-ccf-transaction-id: *\([0-9.]*\).*$/\1/ip' "$work/headers"
}

message="demo message"
printf '%s' "$message" >"$work/message"

echo "A private record, encrypted in the ledger:"
call POST /app/log/private '{"id": 42, "msg": "secret message"}' >/dev/null
echo "  written as transaction $(transaction)"
read=$(call GET '/app/log/private?id=42')
echo "  read back: $read"

echo "A public record, its message bound to the receipt, answered once it is committed:"
call POST /app/log/public/durable "{\"id\": 42, \"msg\": \"$message\", \"record_claim\": true}" >/dev/null
txid=$(transaction)
echo "  transaction $txid is on disk and signed"

echo "Its receipt:"
attempt=0
until call GET "/app/receipt?transaction_id=$txid" >"$work/receipt.json" 2>"$work/error" &&
  [ -s "$work/receipt.json" ]; do
  attempt=$((attempt + 1))
  if [ "$attempt" -ge 50 ]; then
    cat "$work/error" >&2
    exit 1
  fi
  sleep 0.1
done
"$affiant" receipt verify "$work/receipt.json" --service-cert "$common/service_cert.pem" \
  --claims-file "$work/message"
