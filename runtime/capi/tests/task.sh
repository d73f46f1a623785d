#!/usr/bin/env bash
# One run of run.sh, in a directory of its own, its output kept beside it.
#   usage: task.sh program VARIANT SOURCE | check NAME | example COMPILER FILE | ledgers READER
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd)
case $1 in
program)
    name=$(basename "$3")
    what=$2
    ;;
check)
    name=package
    what=$2
    ;;
ledgers)
    name=$2
    what=ledgers
    ;;
example)
    name=$(basename "$(dirname "$3")")
    what=$2
    ;;
esac
place=$AFFIANT_TESTS/$name/$what
mkdir -p "$place/cwd"
cd "$place/cwd" || exit 1

began=$SECONDS
"$here/$1.sh" "${@:2}" >"$place/output" 2>&1
status=$?
took=$((SECONDS - began))
if [ "$status" -eq 0 ]; then
    note=$(tail -n 1 "$place/output")
    case $1 in
    check) echo "passed $what" >"$place/result" ;;
    ledgers) echo "passed $note ($took s)" >"$place/result" ;;
    *) echo "passed $what ($took s)" >"$place/result" ;;
    esac
    rm -rf "$place/cwd"
else
    echo "failed $name, $what: exit code $status after $took s" >"$place/result"
fi
# Failures are counted from the results: xargs would stop others on 255 and hide the rest on others.
exit 0
