#!/usr/bin/env bash
# Has an example build itself from the installed package, with CMake or make, and test itself: its run.sh
# does both, and says at last what passed.
#   usage: example.sh COMPILER FILE    gcc or clang; the example's CMakeLists.txt or Makefile
set -euo pipefail

export CC=$1 CXX=${1/gcc/g++}
[ "$1" != clang ] || CXX=clang++
export PKG_CONFIG_PATH=$AFFIANT_PREFIX/lib/pkgconfig CMAKE_PREFIX_PATH=$AFFIANT_PREFIX
timeout --kill-after=10 300 "$(dirname "$2")/run.sh"
