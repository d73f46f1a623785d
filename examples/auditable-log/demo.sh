#!/bin/sh
# Talks to the running log: records events, then reads their history from the ledger three ways and
# verifies the receipt of a past one.
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

# call STATUS METHOD PATH [BODY [HEADER]]: the answer's body. 202 means that the ledger is being read, and
# the request is repeated; any other status but STATUS ends the demo.
call() {
  expected=$1 method=$2 path=$3 body=${4:-} header=${5:-x-nothing: more}
  attempt=0
  while :; do
    status=$(curl --silent --show-error --cacert "$common/service_cert.pem" \
      --cert "$common/user0_cert.pem" --key "$common/user0_privk.pem" \
      --dump-header "$work/headers" --output "$work/body" --write-out '%{http_code}' \
      --request "$method" "$url$path" --header 'content-type: application/json' \
      --header "$header" --data "$body")
    [ "$status" = 202 ] && [ "$attempt" -lt 100 ] || break
    attempt=$((attempt + 1))
    sleep 0.1
  done
  [ "$status" = "$expected" ] ||
    fail "$method $path: status $status instead of $expected: $(cat "$work/body")"
  cat "$work/body"
}

transaction() {
  sed -n 's/^x-ms-ccf-transaction-id: *\([0-9.]*\).*$/\1/ip' "$work/headers"
}

# contains TEXT PART...: whether the parts follow each other in the text
contains() {
  rest=$1
  shift
  for part in "$@"; do
    case $rest in
    *"$part"*) rest=${rest#*"$part"} ;;
    *) fail "$part is not where it should be in: $rest" ;;
    esac
  done
}

# Names of this run, so that the demo can run again on the same service.
door=door-$$ lamp=lamp-$$

echo "Events, each answered once it is on disk and signed:"
call 200 POST "/app/subjects/$door/events" '{"text": "opened"}' >/dev/null
opened=$(transaction)
call 200 POST "/app/subjects/$lamp/events" '{"text": "lit"}' >/dev/null
call 200 POST "/app/subjects/$door/events" '{"text": "closed"}' >/dev/null
closed=$(transaction)
echo "  $door opened in $opened, closed in $closed; $lamp lit in between"

echo "The present state knows the latest event only:"
latest=$(call 200 GET "/app/subjects/$door")
echo "  $latest"
contains "$latest" '"text":"closed"'

echo "The history of $door, event by event backwards through the ledger:"
history=$(call 200 GET "/app/subjects/$door/history")
echo "  $history"
contains "$history" "\"transactionId\":\"$closed\",\"text\":\"closed\"" \
  "\"transactionId\":\"$opened\",\"text\":\"opened\""

echo "Everything between the two transactions:"
range=$(call 200 GET "/app/events?from=${opened#*.}&to=${closed#*.}")
echo "  $range"
contains "$range" '"text":"opened"' '"text":"lit"' '"text":"closed"'

echo "Transaction $opened as it was, with the receipt that proves it:"
call 200 GET "/app/subjects/$door/at" '' "x-ms-ccf-transaction-id: $opened" >"$work/then.json"
contains "$(cat "$work/then.json")" '"text":"opened"' '"receipt":'
printf opened >"$work/text"
"$affiant" receipt verify "$work/then.json" --service-cert "$common/service_cert.pem" \
  --claims-file "$work/text"

call 404 GET "/app/subjects/$lamp/at" '' "x-ms-ccf-transaction-id: $opened" >/dev/null
call 400 GET '/app/events?from=5&to=1' >/dev/null
echo "What is not there, and what makes no sense, is refused."
