#!/usr/bin/env bash
# Installs the C library: headers, libraries, what pkg-config and CMake read, licences, the guide.
#   usage: install.sh            PREFIX=/usr/local  DESTDIR=  LIBDIR=$PREFIX/lib, and as package.sh
#          install.sh uninstall  removes what the last installation to the same place wrote
# Under sudo nothing is built, so that nothing in target belongs to root: package (make capi) before.
# What is installed may be moved as a whole: every file in it finds the others from its own place.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
# shellcheck source=runtime/capi/packaging/common.sh
. "$here/packaging/common.sh"

prefix=${PREFIX:-/usr/local}
libdir=${LIBDIR:-$prefix/lib}
destination=${DESTDIR:-}
header=${HEADER:-$root/include/affiant.h}
case $prefix:$libdir in
/*:/*) ;;
*) fail "PREFIX and LIBDIR are absolute paths, not $prefix and $libdir" ;;
esac
documents=$prefix/share/doc/affiant
listed=$destination$documents/installed

if [ "${1:-}" = uninstall ]; then
    [ -f "$listed" ] || fail "$listed is not there: nothing was installed there"
    while read -r path; do
        rm -f "$destination$path"
    done <"$listed"
    rm -f "$listed"
    rmdir --ignore-fail-on-non-empty "$destination"{"$documents","$libdir/cmake/affiant"} 2>/dev/null || true
    say "removed from $destination$prefix"
    exit 0
fi

if [ -n "${SUDO_UID:-}" ] && [ "$(id -u)" -eq 0 ]; then
    [ -f "$package/inputs" ] || fail "nothing is built yet: run make capi without sudo, then install again"
else
    "$here/package.sh"
fi

paths=()
put() { # MODE FILE PATH
    install -D -m "$1" "$2" "$destination$3"
    paths+=("$3")
}
link() { # TARGET PATH
    ln -sfn "$1" "$destination$2"
    paths+=("$2")
}
fill() { # TEMPLATE PATH
    sed -e "s|@VERSION@|$version|g" -e "s|@SONAME@|$soname|g" -e "s|@REAL_NAME@|$real_name|g" \
        -e "s|@PREFIX_FROM_PC@|$(relative "$libdir/pkgconfig" "$prefix")|g" \
        -e "s|@PREFIX_FROM_CMAKE@|$(relative "$libdir/cmake/affiant" "$prefix")|g" \
        -e "s|@LIBDIR@|$(relative "$prefix" "$libdir")|g" \
        -e "s|@LIBS@|$libs|g" -e "s|@LIBS_LIST@|${libs// /;}|g" \
        "$here/packaging/$1" >"$filled"
    put 644 "$filled" "$2"
}
relative() { # FROM TO
    realpath --canonicalize-missing --relative-to="$1" "$2"
}

filled=$(mktemp)
trap 'rm -f "$filled"' EXIT
libs=$(cat "$package/libs")

put 644 "$header" "$prefix/include/affiant.h"
put 644 "$root/include/affiant.hpp" "$prefix/include/affiant.hpp"
put 755 "$package/$real_name" "$libdir/$real_name"
link "$real_name" "$libdir/$soname"
link "$soname" "$libdir/libaffiant.so"
put 644 "$package/libaffiant.a" "$libdir/libaffiant.a"
fill affiant.pc.in "$libdir/pkgconfig/affiant.pc"
fill affiant-static.pc.in "$libdir/pkgconfig/affiant-static.pc"
fill affiantConfig.cmake.in "$libdir/cmake/affiant/affiantConfig.cmake"
fill affiantConfigVersion.cmake.in "$libdir/cmake/affiant/affiantConfigVersion.cmake"
for document in LICENSE-APACHE LICENSE-MIT docs/embedding.md; do
    [ ! -f "$root/$document" ] || put 644 "$root/$document" "$documents/$(basename "$document")"
done
printf '%s\n' "${paths[@]}" >"$listed"

# A library for the loader's own directories is found once its cache knows it.
if [ -z "$destination" ] && [ "$(id -u)" -eq 0 ] && command -v ldconfig >/dev/null 2>&1; then
    ldconfig || true
fi
say "installed in $destination$prefix"
