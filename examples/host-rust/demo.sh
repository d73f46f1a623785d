#!/usr/bin/env bash
# The whole life of a ledger inside a program: written without HTTP, served over HTTPS, its receipt
# checked without it.
#   usage: demo.sh PROGRAM
set -euo pipefail
custody=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
work=$(mktemp -d)
cleanup() {
    exec 3>&- || true
    [ -z "${host:-}" ] || wait "$host" || true
    rm -rf "$work"
}
trap cleanup EXIT
cd "$work"

echo "A sample, registered by the program itself; its receipt:"
"$custody" register data blood-7 alice
! "$custody" register data blood-7 mallory 2>refused || { echo "registered twice" >&2; exit 1; }
echo "Again: $(cat refused)"

echo
echo "Served over HTTPS, to alice and bob:"
"$custody" person alice
"$custody" person bob
mkfifo input
"$custody" serve data 127.0.0.1:0 alice bob <input >output &
host=$!
exec 3>input
until grep -q '^https' output; do
    kill -0 "$host" || { echo "the program ended" >&2; exit 1; }
    sleep 0.05
done
url=$(head -n 1 output)

call() { # NAME METHOD PATH [BODY]: the status on one line, then the body
    curl --silent --show-error --cacert service_cert.pem --cert "$1_cert.pem" --key "$1_privk.pem" \
        --request "$2" ${4:+--data "$4"} --write-out '%{http_code}' --output answer.json "$url/app/$3"
    echo " $(head -c 200 answer.json)"
}

echo "alice -> bob:   $(call alice POST samples/blood-7/handover '{"to": "bob"}')..."
cp answer.json proof.json
echo "alice -> carol: $(call alice POST samples/blood-7/handover '{"to": "carol"}')"
grep -q 'Only who has a sample' answer.json
echo "blood-7:        $(call bob GET samples/blood-7)"
! "$custody" list data 2>refused || { echo "opened twice" >&2; exit 1; }
echo "Meanwhile: $(cat refused)"

# The end of its standard input ends it.
exec 3>&-
wait "$host"
host=

echo
echo "Without the service, bob's answer from before:"
"$custody" verify proof.json service_cert.pem
sed 's/"write_set_digest":"[0-9a-f]\{8\}/"write_set_digest":"00000000/' proof.json >forged.json
! "$custody" verify forged.json service_cert.pem >verdict 2>&1 || { echo "a forgery held" >&2; exit 1; }
echo "A forged one does not hold:"
grep -i 'failed' verdict

echo
echo "And the ledger is where it was: $("$custody" list data)"
[ "$("$custody" list data)" = "blood-7 bob" ]
