#!/usr/bin/env bash
# Every Python example, and the project of `affiant new python`: an environment with the wheel and the
# packages of requirements-dev.txt, the tests, a service, the requests of the demo, an audit of the ledger.
# WHEEL names another wheel than that of target/wheels, PYTHON an interpreter.
#   usage: examples-python.sh [NAME...]    only these: folders of examples/, new-python
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=scripts/sandbox.sh
. "$root/scripts/sandbox.sh"
# shellcheck source=scripts/examples.sh
. "$root/scripts/examples.sh"
speaker=examples-python
# shellcheck source=scripts/venv.sh
. "$root/scripts/venv.sh"

wheel=${WHEEL:-$(built_wheel)}
wheel=$(realpath "$wheel")
python=${PYTHON:-$(python_at_least 11)} || {
    say "no Python 3.11 or newer with venv found" >&2
    exit 1
}
# The examples' folders stay as they are.
export PYTHONDONTWRITEBYTECODE=1

pip() {
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
}

prepare() { # NAME, REQUIREMENTS: an environment with exactly these; sets $venv and $affiant
    local began=$SECONDS asked
    asked="$python $(cat "$2" requirements.txt 2>/dev/null || true)"
    venv=$root/target/examples-python/$1
    if [ "$asked" != "$(cat "$venv/asked" 2>/dev/null)" ]; then
        rm -rf "$venv"
        mkdir -p "$(dirname "$venv")"
        "$python" -m venv "$venv"
        quiet pip -r "$2"
        echo "$asked" >"$venv/asked"
    fi
    quiet install_wheel "$venv/bin/python" "$wheel"
    affiant=$venv/bin/affiant
    export AFFIANT=$affiant
    echo "$1: installed in $((SECONDS - began)) s"
}

check() { # NAME: the tests of the current directory
    quiet "$venv/bin/python" -m pytest -q -p no:cacheprovider -W error
    echo "$1: $(tail -n 1 "$work/output")"
}

served=0
serve() { # ARGUMENTS of affiant sandbox...
    served=$((served + 1))
    sandbox_start "$work/service-$served" "$@"
}

example() { # NAME
    cd "$root/examples/$1"
    prepare "$1" requirements-dev.txt
    check "$1"
    case $1 in
    notary)
        serve --app notary.py
        ./demo.sh "https://$address" "$common"
        finished "$1"
        first_receipt
        ;;
    listings-python)
        serve --app app.py
        "$venv/bin/python" demo.py handler "https://$address" "$common"
        finished "$1"
        serve --app flask_app.py:app
        "$venv/bin/python" demo.py flask "https://$address" "$common"
        finished "$1"
        ;;
    *)
        local more=()
        [ ! -f users.json ] || more=(--user-data users.json)
        serve --app . "${more[@]}"
        "$venv/bin/python" demo.py "https://$address" "$common"
        finished "$1"
        ;;
    esac
}

first_receipt() {
    local began=$SECONDS
    PYTHON=$python quiet ./first_receipt.sh "$wheel"
    grep '^Verified: the service committed' "$work/output" | tail -n 1
    echo "notary: from nothing to a first verified receipt in $((SECONDS - began)) s"
}

new_project() {
    # The project pins nothing; these are the examples' versions.
    cd "$work"
    grep '^pytest==' "$root/examples/notary/requirements-dev.txt" >requirements-dev.txt
    prepare new-python requirements-dev.txt
    quiet "$affiant" new python "$work/project"
    cd "$work/project"
    check new-python
    serve --app .
    note PUT notes/1 '{"text": "sworn"}'
    local read listed
    read=$(note GET notes/1)
    listed=$(note GET notes)
    case $read$listed in
    '{"text":"sworn","author":"'*'"}{"ids":["1"]}') echo "new-python: $read $listed" ;;
    *)
        echo "new-python: the note reads $read, the list $listed" >&2
        return 1
        ;;
    esac
    finished new-python
}

names=("$@")
if [ "${#names[@]}" -eq 0 ]; then
    names=(new-python)
    for folder in "$root"/examples/*/requirements-dev.txt; do
        names+=("$(basename "$(dirname "$folder")")")
    done
fi
for name in "${names[@]}"; do
    began=$SECONDS
    printf '\n== %s\n' "$name"
    case $name in
    new-python) new_project ;;
    *) example "$name" ;;
    esac
    echo "$name: passed in $((SECONDS - began)) s"
done
printf '\nall Python examples passed in %s s\n' "$SECONDS"
