#!/usr/bin/env bash
# Checks of the installed package itself.
#   usage: check.sh symbols | headers | cmake | loading | strangers | second-rust | readme | guide
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
# shellcheck source=runtime/capi/packaging/common.sh
. "$root/runtime/capi/packaging/common.sh"
export PKG_CONFIG_PATH=$AFFIANT_PREFIX/lib/pkgconfig
export AFFIANT_TEST_ROOT=$root AFFIANT_TEST_DIR=$PWD/data AFFIANT_TEST_QUICK=1
strict=(-Wall -Wextra -Werror -pedantic)

flags_of() { # PACKAGE: sets flags
    read -r -a flags <<<"$(pkg-config --cflags --libs "$1")"
}

# What linkers see of the libraries.
symbols() {
    "$here/symbols.sh" "$AFFIANT_PREFIX" ${python:+python}
}

# The headers stand alone, and twice, in every dialect and under stricter warnings than are asked of
# programs; two files that include them make one program.
headers() {
    local more=(-Wconversion -Wsign-conversion -Wshadow -Wundef -Wcast-qual)
    local compiler dialect
    for compiler in gcc clang; do
        for dialect in c11 c17; do
            printf '%s\n' '#include <affiant.h>' '#include <affiant.h>' | "$compiler" -std=$dialect -x c "${strict[@]}" \
                "${more[@]}" -Wc++-compat -Wstrict-prototypes -fsyntax-only \
                -I "$AFFIANT_PREFIX/include" -
        done
    done
    for compiler in g++ clang++; do
        for dialect in c++17 c++20; do
            # In C's header, casts are C's.
            printf '%s\n' '#include <affiant.h>' '#include <affiant.h>' | "$compiler" -std=$dialect -x c++ \
                "${strict[@]}" "${more[@]}" -fsyntax-only -I "$AFFIANT_PREFIX/include" -
            printf '%s\n' '#include <affiant.hpp>' '#include <affiant.hpp>' | "$compiler" -std=$dialect -x c++ \
                "${strict[@]}" "${more[@]}" -Wnon-virtual-dtor -fsyntax-only -I "$AFFIANT_PREFIX/include" -
        done
    done
    printf '#include <affiant.hpp>\nint other() { return AFFIANT_VERSION; }\n' >other.cpp
    printf '#include <affiant.hpp>\nint other();\nint main() { return other() != AFFIANT_VERSION; }\n' >main.cpp
    flags_of affiant
    g++ -std=c++17 -O0 main.cpp other.cpp -o both "${flags[@]}"
    LD_LIBRARY_PATH=$AFFIANT_PREFIX/lib ./both
}

# find_package: both targets build and run, and versions are taken or refused by the rule.
cmake() {
    local asked found
    command cmake -S "$here/package/cmake" -B build -DCMAKE_PREFIX_PATH="$AFFIANT_PREFIX" -DASKED="$version" \
        -DCMAKE_BUILD_TYPE=Debug
    command cmake --build build
    ./build/shared
    ./build/static
    readelf --dynamic --wide build/shared | grep -qF "Shared library: [$soname]"
    ! readelf --dynamic --wide build/static | grep -F "$soname"
    local newer=$major.$((minor + 1)) patch=${version##*.}
    for asked in "$major.$minor" "$major.$minor...<$newer" "$major.$minor.0...$version" \
        "$newer" "$((major + 1)).0" "$major.$minor.$((patch + 1))" "$newer...$((major + 2))"; do
        found=no
        if command cmake -S "$here/package/cmake" -B "ask-$asked" -DCMAKE_PREFIX_PATH="$AFFIANT_PREFIX" \
            -DASKED="$asked" >asked 2>&1; then
            found=yes
        elif ! grep -q 'compatible with requested version' asked; then
            cat asked
            return 1
        fi
        case $asked in
        "$major.$minor" | "$major.$minor...<$newer" | "$major.$minor.0...$version") expected=yes ;;
        *) expected=no ;;
        esac
        [ "$found" = "$expected" ] || {
            echo "find_package(affiant $asked) with version $version: $found"
            return 1
        }
    done
}

# Loaded and let go of by a running program, twice.
loading() {
    gcc -std=c11 "${strict[@]}" -I "$AFFIANT_PREFIX/include" -o loading "$here/package/loading.c" -ldl
    ./loading "$AFFIANT_PREFIX/lib/$soname" "$symbol_version"
}

# A program of its own names: every name in C that the library has inside is defined by the program too,
# as something that ends the process. Once linked in, once beside the shared library, where a name that is
# not bound inside would lead into the program.
strangers() {
    local profile=${PROFILE:-release}
    readelf --wide --symbols "$root/target/${profile/dev/debug}/libaffiant_capi.a" 2>/dev/null |
        awk '$5 != "LOCAL" && $7 != "UND" && $8 ~ /^[A-Za-z][A-Za-z0-9_]*$/ { print $8 }' |
        LC_ALL=C sort -u >inside
    { printf '%s\n' main stranger OPENSSL_memory_{alloc,free,get_size,realloc} sdallocx JS_NewRuntime \
        rust_eh_personality SSL_new EVP_DigestInit inflate | LC_ALL=C sort -u - inside; } >all
    { ldd "$AFFIANT_PREFIX/lib/$soname" | sed -n 's/.* \(\/[^ ]*\) (.*/\1/p' |
        xargs -n 1 readelf --wide --dyn-syms | awk '$7 != "UND" { sub(/@.*/, "", $8); print $8 }' &&
        cat "$package/exports" && printf '%s\n' main stranger; } | LC_ALL=C sort -u >taken
    LC_ALL=C comm -23 all taken >names
    grep -q '^JS_NewRuntime$' names
    [ "$(wc -l <names)" -gt 1000 ]
    {
        echo 'void stranger(void);'
        echo 'void stranger(void) { __builtin_trap(); }'
        sed 's/.*/__asm__(".globl &\\n.set &, stranger\\n");/' names
    } >strangers.c
    gcc -c -o strangers.o strangers.c
    local program
    for program in "$here/c/smoke.c" "$here/c/ledger.c"; do
        [ -f "$program" ] || continue
        flags_of affiant-static
        gcc -std=c11 -O1 -pthread -o within "$program" strangers.o "${flags[@]}"
        rm -rf data && mkdir data
        ./within
        flags_of affiant
        gcc -std=c11 -O1 -pthread -rdynamic -o beside "$program" strangers.o "${flags[@]}"
        rm -rf data && mkdir data
        LD_LIBRARY_PATH=$AFFIANT_PREFIX/lib ./beside
    done
    echo "$(wc -l <names) names"
}

# Two static libraries that each hold Rust's own.
second-rust() {
    rustc --edition 2024 --crate-type staticlib -O -o libsecond.a "$here/package/second.rs"
    flags_of affiant-static
    gcc -std=c11 "${strict[@]}" -pthread -o both "$here/package/second.c" libsecond.a "${flags[@]}"
    ./both
    gcc -std=c11 "${strict[@]}" -pthread -o turned "$here/package/second.c" "${flags[@]}" libsecond.a -lpthread -ldl -lm
    ./turned
}

# What the README shows, as it is written there.
readme() {
    local section
    section=$(awk '/^## / { here = $0 == "## From C and C++" } here' "$root/README.md")
    local block='/^```/ { inside = !inside; here = inside && $0 == "```" language; next } here'
    awk -v language=c "$block" <<<"$section" >note.c
    awk -v language= "$block" <<<"$section" | sed -n '/^cc /,$p' >lines
    [ -s note.c ] && [ "$(wc -l <lines)" -eq 2 ]
    bash -euxo pipefail lines
    [ -d data/ledger ]
    gcc -std=c11 "${strict[@]}" -fsyntax-only note.c -I "$AFFIANT_PREFIX/include"
}

# The listings of the guide to embedding, built by both compilers and run twice: the second time resumes.
guide() {
    local language file compiler program
    flags_of affiant
    for language in c cpp; do
        file=listing.$language
        awk -v language=$language '/^```/ { inside = !inside; here = inside && $0 == "```" language; next } here' \
            "$root/docs/embedding.md" >"$file"
        [ -s "$file" ]
        for compiler in gcc clang; do
            rm -rf data
            program=./listing-$language-$compiler
            if [ "$language" = c ]; then
                "$compiler" -std=c11 "${strict[@]}" -o "$program" "$file" "${flags[@]}"
            else
                "$(cxx "$compiler")" -std=c++17 "${strict[@]}" -o "$program" "$file" "${flags[@]}"
            fi
            LD_LIBRARY_PATH=$AFFIANT_PREFIX/lib "$program" | grep -q '^2\.[0-9]*: alice has 10$'
            LD_LIBRARY_PATH=$AFFIANT_PREFIX/lib "$program" | grep -q ': alice has 10$'
        done
    done
}

cxx() { # COMPILER: its name for C++
    if [ "$1" = gcc ]; then echo g++; else echo "$1++"; fi
}

"$1"
