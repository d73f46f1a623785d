# Sourced by the conformance scripts: Python interpreters, virtual environments under
# target/conformance, and words on the terminal. Wants $root, the top of the checkout.

say() { echo "conformance: $*"; }

# The newest interpreter of at least that minor version which can make virtual environments.
python_at_least() { # minor version
    local candidate
    for candidate in python3.14 python3.13 python3.12 python3.11 python3 \
        "$HOME"/.pyenv/versions/3.*/bin/python3; do
        candidate=$(command -v "$candidate" 2>/dev/null) || continue
        if "$candidate" -c "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, $1))" \
            >/dev/null 2>&1; then
            echo "$candidate"
            return 0
        fi
    done
    return 1
}

# Makes target/conformance/NAME unless it is there with exactly these packages.
environment() { # name, interpreter, packages...
    local venv=$root/target/conformance/$1 python=$2
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
