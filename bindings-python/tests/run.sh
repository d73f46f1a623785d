#!/usr/bin/env bash
# The wheel's tests, as its users meet it: installed into a fresh environment of each CPython.
#   usage: run.sh [VERSION...]     such as 3.11; default 3.11 3.12 3.13
# The first version runs every test, the others leave out those marked `once`, which do not depend on
# the version of the interpreter. Wants the wheel in target/wheels (make wheel).
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
# shellcheck source=runtime/tests/conformance/venv.sh
. "$root/runtime/tests/conformance/venv.sh"

interpreter() { # VERSION: its interpreter, with venv
    local candidate
    for candidate in "python$1" "$HOME"/.pyenv/versions/"$1".*/bin/python3; do
        candidate=$(command -v "$candidate" 2>/dev/null) || continue
        if "$candidate" -c "import sys, venv, ensurepip; sys.exit('$1' != '%d.%d' % sys.version_info[:2])" \
            >/dev/null 2>&1; then
            echo "$candidate"
            return 0
        fi
    done
    return 1
}

wheel=$(ls "$root"/target/wheels/affiant-*.whl 2>/dev/null | tail -n 1)
if [ -z "$wheel" ]; then
    echo "no wheel in target/wheels: run make wheel first" >&2
    exit 1
fi
versions=("$@")
[ "${#versions[@]}" -gt 0 ] || versions=(3.11 3.12 3.13)
tested=0
for version in "${versions[@]}"; do
    if ! python=$(interpreter "$version"); then
        say "NOT TESTED on CPython $version: no such interpreter with venv on this machine"
        continue
    fi
    mapfile -t packages < <(grep -v '^#' "$here/requirements.txt")
    environment "wheel-$version" "$python" "${packages[@]}"
    venv=$root/target/conformance/wheel-$version
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --force-reinstall "$wheel"
    more=()
    [ "$tested" -eq 0 ] || more=(-m "not once")
    say "CPython $version"
    (cd "$here" && AFFIANT_WHEEL=$wheel "$venv/bin/python" -m pytest -q -p no:cacheprovider "${more[@]}" .)
    tested=$((tested + 1))
done
if [ "$tested" -eq 0 ]; then
    echo "no CPython of ${versions[*]} was found: nothing was tested" >&2
    exit 1
fi
say "the wheel passed on $tested version(s) of CPython"
