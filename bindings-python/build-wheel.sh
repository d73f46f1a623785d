#!/usr/bin/env bash
# Builds the wheel into target/wheels with a pinned maturin. PROFILE=dev builds it unoptimised.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
speaker=wheel
# shellcheck source=scripts/venv.sh
. "$root/scripts/venv.sh"

python=$(python_at_least 11) || {
    say "no Python 3.11 or newer with venv found (Debian, Ubuntu: apt-get install python3-venv)." >&2
    exit 1
}
environment maturin "$python" maturin==1.16.0
# The interpreter that pyo3 is configured for; the stable ABI serves later ones too.
export PYO3_PYTHON=$root/target/venvs/maturin/bin/python
PATH=$root/target/venvs/maturin/bin:$PATH
cd "$root/bindings-python"
exec maturin build --quiet --locked --compatibility linux --profile "${PROFILE:-release}" \
    --interpreter "$PYO3_PYTHON" --out "$root/target/wheels"
