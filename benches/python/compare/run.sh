#!/usr/bin/env bash
# Compares Affiant with Flask and FastAPI on SQL databases (README.md) and prints the tables.
#   usage: [PYTHON=python3.13] run.sh [--wheel FILE] [--seconds N] [--only WORD] [--no-scaling]
# The wheel is that of `make wheel` unless given; Python's packages go to target/compare, and as root
# what is missing of PostgreSQL, wrk and OpenSSL is installed by apt.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
speaker=compare
# shellcheck source=scripts/venv.sh
. "$root/scripts/venv.sh"

wheel=
if [ "${1:-}" = --wheel ]; then
    wheel=${2:?"--wheel needs a file"}
    shift 2
fi
[ -n "$wheel" ] || wheel=$(built_wheel)

missing=()
command -v wrk >/dev/null || missing+=(wrk)
command -v openssl >/dev/null || missing+=(openssl)
command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null ||
    missing+=(postgresql)
if [ "${#missing[@]}" -gt 0 ]; then
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        say "missing: ${missing[*]} (Debian package names). Install them and run this again." >&2
        exit 1
    fi
    # Debian's package starts a cluster of its own unless told not to.
    if ! [ -e /etc/postgresql-common/createcluster.conf ]; then
        mkdir -p /etc/postgresql-common
        echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
    fi
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}" >&2
fi

python=${PYTHON:-$(python_at_least 11)} || {
    say "no Python 3.11 or newer with venv found (apt-get install python3-venv)." >&2
    exit 1
}
venv=$root/target/compare/venv-$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-virtualenv \
    -r "$here/requirements.txt"
install_wheel "$venv/bin/python" "$wheel"
exec "$venv/bin/python" "$here/compare.py" "$@"
