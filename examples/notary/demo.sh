#!/bin/sh
# Talks to a running notary: notarises a document, looks it up, fetches its receipt and verifies it.
#   usage: demo.sh [URL [COMMON_DIRECTORY]]
# AFFIANT names the affiant command, if it is not in the path.
set -eu

url=${1:-https://127.0.0.1:8000}
common=${2:-workspace/sandbox_common}
affiant=${AFFIANT:-affiant}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
  echo "demo.sh: $*" >&2
  exit 1
}

[ -f "$common/user0_cert.pem" ] ||
  fail "$common/user0_cert.pem is not there; start the service first: affiant sandbox --app notary.py"

# call STATUS METHOD PATH [FILE]: the answer is in $work/body; anything but STATUS ends the demo.
call() {
  expected=$1 method=$2 path=$3 file=${4:-/dev/null}
  status=$(curl --silent --show-error --cacert "$common/service_cert.pem" \
    --cert "$common/user0_cert.pem" --key "$common/user0_privk.pem" \
    --output "$work/body" --write-out '%{http_code}' \
    --request "$method" "$url$path" --data-binary "@$file")
  [ "$status" = "$expected" ] || fail "$method $path: status $status, not $expected: $(cat "$work/body")"
}

# A document of this run, so that the demo can run again on the same service.
echo "Deed $$ of $(date -u +%FT%TZ): the house goes to Bob." >"$work/deed.txt"
digest=$(sha256sum "$work/deed.txt" | cut -d ' ' -f 1)

echo "The document is notarised, once:"
call 201 POST /app/documents "$work/deed.txt"
cp "$work/body" "$work/answer.json"
grep -q "\"digest\":\"$digest\"" "$work/answer.json" || fail "the answer has another digest"
call 409 POST /app/documents "$work/deed.txt"
echo "  $(cat "$work/body")"

echo "Who knows its digest finds who brought it, and in which transaction:"
call 200 GET "/app/documents/$digest"
echo "  $(cat "$work/body")"
txid=$(sed -n 's/.*"transaction_id":"\([0-9.]*\)".*/\1/p' "$work/body")

echo "Anybody fetches the receipt of that transaction, and verifies it offline:"
call 200 GET "/app/receipt?transaction_id=$txid"
mv "$work/body" "$work/receipt.json"
"$affiant" receipt verify "$work/receipt.json" --service-cert "$common/service_cert.pem" \
  --claims-file "$work/deed.txt"
"$affiant" receipt verify "$work/answer.json" --service-cert "$common/service_cert.pem" \
  --claims-file "$work/deed.txt" >/dev/null || fail "the receipt in the first answer does not verify"

sed 's/Bob/Eve/' "$work/deed.txt" >"$work/forged.txt"
if "$affiant" receipt verify "$work/receipt.json" --service-cert "$common/service_cert.pem" \
  --claims-file "$work/forged.txt" >/dev/null 2>&1; then
  fail "the receipt proves a forged document too"
fi
echo "A forged document is refused."
