#!/usr/bin/env bash
# The wheel's tests, as its users meet it: installed into a fresh environment of each CPython.
#   usage: run.sh [VERSION...]     such as 3.11; default 3.11 3.12 3.13
# The first version runs every test, the others leave out those marked `once`, which do not depend on
# the version of the interpreter. Wants the wheel in target/wheels (make wheel).
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
speaker=python
# shellcheck source=scripts/venv.sh
. "$root/scripts/venv.sh"

wheel=$(built_wheel)
versions=("$@")
[ "${#versions[@]}" -gt 0 ] || versions=(3.11 3.12 3.13)
tested=0
for version in "${versions[@]}"; do
    if ! python=$(python_of "$version"); then
        say "NOT TESTED on CPython $version: no such interpreter with venv on this machine"
        continue
    fi
    mapfile -t packages < <(grep -v '^#' "$here/requirements.txt")
    environment "wheel-$version" "$python" "${packages[@]}"
    venv=$root/target/venvs/wheel-$version
    install_wheel "$venv/bin/python" "$wheel"
    more=()
    [ "$tested" -eq 0 ] || more=(-m "not once")
    say "CPython $version"
    (cd "$here" && AFFIANT_WHEEL=$wheel "$venv/bin/python" -m pytest -q -p no:cacheprovider "${more[@]}" .)
    tested=$((tested + 1))
done
if [ "$tested" -eq 0 ]; then
    say "no CPython of ${versions[*]} was found: nothing was tested" >&2
    exit 1
fi
say "the wheel passed on $tested version(s) of CPython"
