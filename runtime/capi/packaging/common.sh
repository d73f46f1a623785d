# shellcheck shell=bash
# For the scripts that package and install the C library: sourced, not run. Wants $root, the top of the
# checkout; PYTHON as package.sh describes it. Sets names, versions and $package.

say() { echo "capi: $*"; }
fail() {
    say "$*" >&2
    exit 1
}

version=$(sed -n 's/^version = "\([0-9][0-9.]*\)"$/\1/p' "$root/Cargo.toml" | head -n 1)
[ -n "$version" ] || fail "no version in Cargo.toml"
major=${version%%.*}
minor=${version#*.}
minor=${minor%%.*}
real_name=libaffiant.so.$version
soname=libaffiant.so.$major
symbol_version=AFFIANT_$major.$minor

package=$root/target/capi/package
python=
case ${PYTHON:-} in
'' | 0) ;;
1) python=$(command -v "${PYO3_PYTHON:-python3}") || fail "no ${PYO3_PYTHON:-python3} found" ;;
*) python=$(command -v "$PYTHON") || fail "PYTHON=$PYTHON: no such program" ;;
esac
flavour=${python:+-python}
package=$package$flavour

# What links the interpreter's own library, which has to be a shared one.
python_link_flags() {
    "$python" - <<'END' || fail "$python cannot be linked: see above"
import os.path, sys, sysconfig
at = sysconfig.get_config_var
name, place = at("LDLIBRARY") or "", at("LIBDIR") or ""
if not at("Py_ENABLE_SHARED") or not name.startswith("lib") or ".so" not in name:
    sys.exit(f"{sys.executable} has no shared libpython: choose another interpreter with PYTHON=")
if not os.path.exists(os.path.join(place, name)):
    sys.exit(f"{place} has no {name}: apt-get install libpython3-dev, or choose another interpreter with PYTHON=")
flags = [f"-L{place}", "-l" + name[3:name.index(".so")]]
if not place.startswith("/usr/lib"):
    flags.append(f"-Wl,-rpath,{place}")
print(*flags)
END
}
