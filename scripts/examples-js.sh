#!/usr/bin/env bash
# Every example that npm builds, and both projects of `affiant new`: install, check, test, build, serve,
# and the requests of its demo. AFFIANT names another binary than the release build.
#   usage: examples-js.sh [NAME...]    only these: folders of examples/, new-js, new-ts
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
affiant=${AFFIANT:-$root/target/release/affiant}
affiant=$(cd "$(dirname "$affiant")" && pwd)/$(basename "$affiant")
# The demos and `npm start` call it.
export AFFIANT=$affiant
# shellcheck source=scripts/sandbox.sh
. "$root/scripts/sandbox.sh"
# shellcheck source=scripts/examples.sh
. "$root/scripts/examples.sh"

prepare() { # NAME, npm's way to install
    local began=$SECONDS
    quiet npm "$2" --prefer-offline --no-audit --no-fund
    quiet npm run check
    quiet npm test
    quiet npm run build --if-present
    echo "$1: installed, checked, tested, built in $((SECONDS - began)) s"
}

serve() { # NAME, DIRECTORY OF THE APP
    local more=()
    [ ! -f users.json ] || more=(--user-data users.json)
    sandbox_start "$work/$1" --app "$2" "${more[@]}"
    echo "$1: served"
}

new_project() { # js or ts, DIRECTORY OF THE APP
    local name=new-$1
    quiet "$affiant" new "$1" "$work/projects/$name"
    cd "$work/projects/$name"
    prepare "$name" install
    serve "$name" "$2"
    note PUT notes/1 '{"text": "sworn"}'
    local read
    read=$(note GET notes/1)
    case $read in
    '{"text":"sworn","author":"'*) echo "$name: $read" ;;
    *)
        echo "$name: the note reads $read" >&2
        return 1
        ;;
    esac
    finished "$name"
}

example() { # NAME
    cd "$root/examples/$1"
    # A lock file that names a registry's host would bind everybody to that host.
    if grep -n '"resolved"' package-lock.json; then
        echo "examples/$1/package-lock.json names hosts: npm install --omit-lockfile-registry-resolved" >&2
        return 1
    fi
    prepare "$1" ci
    serve "$1" dist
    ./demo.sh "https://$address" "$common"
    finished "$1"
}

names=("$@")
if [ "${#names[@]}" -eq 0 ]; then
    names=(new-js new-ts)
    for folder in "$root"/examples/*/package-lock.json; do
        names+=("$(basename "$(dirname "$folder")")")
    done
fi
for name in "${names[@]}"; do
    printf '\n== %s\n' "$name"
    case $name in
    new-js) new_project js . ;;
    new-ts) new_project ts dist ;;
    *) example "$name" ;;
    esac
done
printf '\nall JavaScript examples passed in %s s\n' "$SECONDS"
