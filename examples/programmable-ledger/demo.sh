#!/bin/sh
# Talks to the running service: signs processed data and verifies the signature, records a transaction
# and verifies its proof.
#   usage: demo.sh [URL [COMMON_DIRECTORY]]
# AFFIANT names the affiant binary, if it is not in the path.
set -eu

url=${1:-https://127.0.0.1:8000}
common=${2:-workspace/sandbox_common}
affiant=${AFFIANT:-affiant}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ ! -f "$common/service_cert.pem" ]; then
  echo "demo.sh: $common/service_cert.pem is not there; start the service first: npm start" >&2
  exit 1
fi

fail() {
  echo "demo.sh: $*" >&2
  exit 1
}

# call STATUS METHOD PATH [BODY [CONTENT_TYPE]]: the answer's body; anything but STATUS ends the demo.
call() {
  expected=$1 method=$2 path=$3 body=${4:-} type=${5:-application/json}
  status=$(curl --silent --show-error --cacert "$common/service_cert.pem" \
    --cert "$common/user0_cert.pem" --key "$common/user0_privk.pem" \
    --dump-header "$work/headers" --output "$work/body" --write-out '%{http_code}' \
    --request "$method" "$url$path" --header "content-type: $type" --data "$body")
  [ "$status" = "$expected" ] ||
    fail "$method $path: status $status instead of $expected: $(cat "$work/body")"
  cat "$work/body"
}

echo "A key of the service's own:"
call 200 PUT /app/key >"$work/key.json"
sed 's/^/  /' "$work/key.json"
echo

# verified DATA: whether $work/answer.json holds a signature of it by that key
verified() {
  node -e '
    const { readFileSync } = require("node:fs");
    const [data, answer, key] = process.argv.slice(1);
    const { signature } = JSON.parse(readFileSync(answer, "utf8"));
    const { publicKey } = JSON.parse(readFileSync(key, "utf8"));
    const valid = require("node:crypto").verify(null, data, publicKey, Buffer.from(signature, "base64"));
    process.exit(valid ? 0 : 1);
  ' "$1" "$work/answer.json" "$work/key.json"
}

echo "Data, processed and signed in the node (first listing):"
call 200 POST /app/handle 'the quick brown fox' text/plain >"$work/answer.json"
sed 's/^/  /' "$work/answer.json"
echo
grep -q '"sha256":"9ecb36561341d18eb65484e833efea61edc74b84cf5e6ae1b81c63533e25fc8f"' "$work/answer.json" ||
  fail "the result is not the data's digest"
grep -Eq '"format":"(Insecure_Virtual|AMD_SEV_SNP_v1)"' "$work/answer.json" ||
  fail "the answer has no evidence of the platform"
verified 'the quick brown fox' || fail "the signature does not verify"
if verified 'the quick brown cat'; then fail "the signature verifies other data too"; fi
call 200 POST /app/handle '{"n":  1}' >"$work/answer.json"
verified '{"n":1}' || fail "the signature of a JSON body does not verify"
echo "  the signatures verify, and only for this data"

# A name of this run, so that the demo can run again on the same service.
id=t-$$
echo "A transaction (second listing), answered once it is on disk and signed:"
answer=$(call 200 POST /app/transactions "{\"id\": \"$id\", \"from\": \"a\", \"to\": \"b\", \"amount\": 5}")
txid=$(sed -n 's/^x-ms-ccf-transaction-id: *\([0-9.]*\).*$/\1/ip' "$work/headers")
echo "  $answer (transaction $txid)"
statement="transaction $id: 5 from a to b"
[ "$answer" = "{\"success\":true,\"proof\":{\"statement\":\"$statement\"}}" ] || fail "an unexpected answer"
read=$(call 200 GET "/app/transactions/$id")
[ "$read" = "{\"id\":\"$id\",\"from\":\"a\",\"to\":\"b\",\"amount\":5}" ] || fail "it reads back as $read"

echo "One that is invalid:"
refused=$(call 200 POST /app/transactions "{\"id\": \"$id-2\", \"from\": \"a\", \"to\": \"b\", \"amount\": -5}")
echo "  $refused"
[ "$refused" = '{"success":false,"error":"Invalid transaction"}' ] || fail "it was not refused"
call 404 GET "/app/transactions/$id-2" >/dev/null

echo "The receipt proves the statement, offline:"
printf '%s' "$statement" >"$work/statement"
attempt=0
until (call 200 GET "/app/receipt?transaction_id=$txid") >"$work/receipt.json" 2>"$work/error"; do
  attempt=$((attempt + 1))
  if [ "$attempt" -ge 50 ]; then
    cat "$work/error" >&2
    exit 1
  fi
  sleep 0.1
done
"$affiant" receipt verify "$work/receipt.json" --service-cert "$common/service_cert.pem" \
  --claims-file "$work/statement"
