# shellcheck shell=bash
# For scripts that need Python: sourced, not run. Interpreters, virtual environments under target/venvs,
# the wheel. Wants $root, the top of the checkout; $speaker is who speaks on the terminal.

say() { echo "${speaker:-conformance}: $*"; }

# The first of the named interpreters for which a Python expression is false and which can make virtual
# environments.
python_unless() { # expression, interpreters...
    local candidate wrong=$1
    shift
    for candidate in "$@"; do
        candidate=$(command -v "$candidate" 2>/dev/null) || continue
        if "$candidate" -c "import sys, venv, ensurepip; sys.exit($wrong)" >/dev/null 2>&1; then
            echo "$candidate"
            return 0
        fi
    done
    return 1
}

# The newest interpreter of at least that minor version.
python_at_least() { # minor version
    python_unless "sys.version_info < (3, $1)" python3.14 python3.13 python3.12 python3.11 python3 \
        "$HOME"/.pyenv/versions/3.*/bin/python3
}

# An interpreter of exactly that version.
python_of() { # version, such as 3.11
    python_unless "'$1' != '%d.%d' % sys.version_info[:2]" \
        "python$1" "$HOME"/.pyenv/versions/"$1".*/bin/python3
}

# Makes target/venvs/NAME unless it is there with exactly these packages.
environment() { # name, interpreter, packages...
    local venv=$root/target/venvs/$1 python=$2
    shift 2
    if [ ! -x "$venv/bin/python" ] || [ "$(cat "$venv/packages" 2>/dev/null)" != "$*" ]; then
        say "installing $*"
        rm -rf "$venv"
        mkdir -p "$(dirname "$venv")"
        "$python" -m venv "$venv"
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
        echo "$*" >"$venv/packages"
    fi
}

# The wheel of `make wheel`. Of one version there is one; the newest, should there be several.
built_wheel() {
    local wheels=("$root"/target/wheels/affiant-*.whl)
    if [ ! -f "${wheels[0]}" ]; then
        say "no wheel in target/wheels: run make wheel first" >&2
        return 1
    fi
    # shellcheck disable=SC2012  # names without surprises, by age
    ls -t "${wheels[@]}" | head -n 1
}

# Installs a wheel whose version stays the same from build to build: always anew.
install_wheel() { # interpreter of an environment, wheel
    "$1" -m pip install --quiet --disable-pip-version-check --no-deps --force-reinstall "$2"
}
