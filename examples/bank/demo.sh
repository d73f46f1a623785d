#!/bin/sh
# Talks to a running bank: opens accounts, pays, is refused, and proves a transfer with its receipt.
#   usage: demo.sh [URL [COMMON_DIRECTORY]]
# AFFIANT names the affiant binary, if it is not in the path.
set -eu

url=${1:-https://127.0.0.1:8000}
common=${2:-workspace/sandbox_common}
affiant=${AFFIANT:-affiant}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ ! -f "$common/user2_cert.pem" ]; then
  echo "demo.sh: $common/user2_cert.pem is not there; start the service first: npm start" >&2
  exit 1
fi

# call USER STATUS METHOD PATH [BODY]: the answer's body; anything but STATUS ends the demo.
call() {
  user=$1 expected=$2 method=$3 path=$4 body=${5:-}
  status=$(curl --silent --show-error --cacert "$common/service_cert.pem" \
    --cert "$common/${user}_cert.pem" --key "$common/${user}_privk.pem" \
    --dump-header "$work/headers" --output "$work/body" --write-out '%{http_code}' \
    --request "$method" "$url$path" --header 'content-type: application/json' --data "$body")
  if [ "$status" != "$expected" ]; then
    echo "demo.sh: $method $path as $user: status $status instead of $expected: $(cat "$work/body")" >&2
    exit 1
  fi
  cat "$work/body"
}

# show ...: as call, with the answer on a line of its own. Not $(call ...): there a failure would not
# end the demo.
show() {
  call "$@" >/dev/null
  printf '  %s\n' "$(cat "$work/body")"
}

# same WHAT EXPECTED FOUND
same() {
  if [ "$2" != "$3" ]; then
    echo "demo.sh: $1 is $3 instead of $2" >&2
    exit 1
  fi
}

# Names of this run, so that the demo can run again on the same service.
alice=alice-$$ bob=bob-$$

echo "A teller opens two accounts and pays cash into one:"
call user0 201 PUT "/app/accounts/$alice" '{"owner": "alice"}' >/dev/null
call user0 201 PUT "/app/accounts/$bob" '{"owner": "bob"}' >/dev/null
show user0 200 POST "/app/accounts/$alice/deposits" '{"amount": 100}'

echo "Alice pays Bob; the answer comes once the transfer is on disk and signed:"
call user1 200 POST /app/transfers "{\"from\": \"$alice\", \"to\": \"$bob\", \"amount\": 30}" \
  >"$work/statement"
txid=$(sed -n 's/^x-ms-ccf-transaction-id: *\([0-9.]*\).*$/\1/ip' "$work/headers")
same "the statement" "transfer 30 from $alice to $bob" "$(cat "$work/statement")"
echo "  $(cat "$work/statement") (transaction $txid)"
show user1 200 GET "/app/accounts/$alice"
same "Alice's account" "{\"id\":\"$alice\",\"owner\":\"alice\",\"balance\":70}" "$(cat "$work/body")"
show user2 200 GET "/app/accounts/$bob"
same "Bob's account" "{\"id\":\"$bob\",\"owner\":\"bob\",\"balance\":30}" "$(cat "$work/body")"

echo "What is refused, and writes nothing:"
show user2 403 POST /app/transfers "{\"from\": \"$alice\", \"to\": \"$bob\", \"amount\": 1}"
show user1 400 POST /app/transfers "{\"from\": \"$alice\", \"to\": \"$bob\", \"amount\": 71}"
show user1 403 POST "/app/accounts/$alice/deposits" '{"amount": 1}'
call user1 200 GET "/app/accounts/$alice" >/dev/null
same "Alice's account" "{\"id\":\"$alice\",\"owner\":\"alice\",\"balance\":70}" "$(cat "$work/body")"

echo "The receipt proves the statement, offline:"
attempt=0
until (call user1 200 GET "/app/receipt?transaction_id=$txid") >"$work/receipt.json" 2>"$work/error"; do
  attempt=$((attempt + 1))
  if [ "$attempt" -ge 50 ]; then
    cat "$work/error" >&2
    exit 1
  fi
  sleep 0.1
done
"$affiant" receipt verify "$work/receipt.json" --service-cert "$common/service_cert.pem" \
  --claims-file "$work/statement"
printf 'transfer 99 from %s to %s' "$alice" "$bob" >"$work/lie"
if "$affiant" receipt verify "$work/receipt.json" --service-cert "$common/service_cert.pem" \
  --claims-file "$work/lie" >/dev/null 2>&1; then
  echo "demo.sh: the receipt proves another statement too" >&2
  exit 1
fi
echo "and no other statement."
