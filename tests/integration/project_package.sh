#!/bin/sh
# Uses the installed package as a stranger would: project_package.sh STEP SOURCE_FOLDER BUILD_FOLDER
# `install` comes first and `clean` last; the steps between them may run at once.
set -eu

step=$1 source=$2 build=$3
work=$build/package-test
prefix=$work/prefix        # all components
static_prefix=$work/static # no shared library anywhere near
photo=$source/docs/images/photo.jpg
export MEDIA_WORKER="$prefix/libexec/libmedia/media-worker"

# Our headers are no system headers here: a warning in one of them is a failure.
flags='-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-missing-field-initializers -Werror'

fail() {
  echo "$*" >&2
  exit 1
}

# build_project FOLDER NAME CMAKE_ARGUMENT…: leaves $work/NAME/<program>
build_project() {
  folder=$1 name=$2
  shift 2
  cmake -S "$folder" -B "$work/$name" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_PREFIX_PATH="$prefix" \
    -DCMAKE_NO_SYSTEM_FROM_IMPORTED=ON -DCMAKE_CXX_FLAGS="$flags" "$@" >"$work/$name.log" 2>&1 || { cat "$work/$name.log"; exit 1; }
  cmake --build "$work/$name"
}

expect_consumer() {
  digest=$(sha256sum "$photo" | cut -d ' ' -f 1)
  got=$("$@" "$photo")
  [ "$got" = "$digest 320x180" ] || fail "expected '$digest 320x180', got '$got'"
}

case $step in
  install)
    rm -rf "$work"
    # Installed in one place and moved to another: nothing inside may know where it was.
    cmake --install "$build" --prefix "$work/before" >/dev/null
    mv "$work/before" "$prefix"
    for component in development static; do
      cmake --install "$build" --prefix "$static_prefix" --component "$component" >/dev/null
    done
    [ ! -e "$static_prefix/lib/libmedia.so" ] || fail "the static component brings a shared library"
    if grep -rlF -e "$build" -e "$source/" "$prefix/lib/cmake" "$prefix/lib/pkgconfig" "$prefix/include"; then
      fail "the files above name folders of the build"
    fi
    # A hidden symbol that leaks, or a third-party one, would become part of the ABI.
    leaked=$(nm -DC --defined-only "$prefix/lib/libmedia.so" | awk '$2 ~ /[TWVBDR]/' |
      grep -vE ' (typeinfo (for|name for) |vtable for |VTT for |guard variable for |non-virtual thunk to |std::|void std::|operator )?.*(media::|std::|tl::)' || true)
    [ -z "$leaked" ] || fail "libmedia.so lets out: $leaked"
    ;;
  find-static)
    build_project "$source/tests/consumer" find-static -DKIND=static
    if readelf -d "$work/find-static/consumer" | grep -q 'NEEDED.*libmedia'; then fail "linked to the shared library"; fi
    expect_consumer "$work/find-static/consumer"
    ;;
  find-shared)
    build_project "$source/tests/consumer" find-shared -DKIND=shared
    readelf -d "$work/find-shared/consumer" | grep -q 'NEEDED.*libmedia\.so' || fail "not linked to the shared library"
    # The shared library brings its own dependencies: a program that uses it names none of them.
    if readelf -d "$work/find-shared/consumer" | grep -qE 'NEEDED.*lib(avif|sqlite3|jpeg)'; then fail "private dependencies leaked"; fi
    expect_consumer "$work/find-shared/consumer"
    ;;
  pkgconfig-static)
    export PKG_CONFIG_PATH="$static_prefix/lib/pkgconfig"
    # shellcheck disable=SC2046,SC2086 # flags are words
    "${CXX:-c++}" -std=c++20 $flags "$source/tests/consumer/main.cpp" -o "$work/pkgconfig-static" $(pkg-config --static --cflags --libs media)
    expect_consumer "$work/pkgconfig-static"
    ;;
  pkgconfig-shared)
    export PKG_CONFIG_PATH="$prefix/lib/pkgconfig"
    # shellcheck disable=SC2046,SC2086 # flags are words
    "${CXX:-c++}" -std=c++20 $flags "$source/tests/consumer/main.cpp" -o "$work/pkgconfig-shared" $(pkg-config --cflags --libs media)
    expect_consumer env LD_LIBRARY_PATH="$prefix/lib" "$work/pkgconfig-shared"
    [ -x "$(pkg-config --variable=worker media)" ] || fail "media.pc names no worker"
    [ -x "$(pkg-config --variable=video_worker media)" ] || fail "media.pc names no worker for videos"
    ;;
  refusals)
    # What find_package must not accept, each with a reason.
    for request in 'media 0.1 REQUIRED COMPONENTS dynamic' 'media 0.1 REQUIRED COMPONENTS static shared' 'media 99 REQUIRED'; do
      mkdir -p "$work/refusals"
      printf 'cmake_minimum_required(VERSION 3.25)\nproject(refusals LANGUAGES CXX)\nfind_package(%s)\n' "$request" >"$work/refusals/CMakeLists.txt"
      rm -rf "$work/refusals/build"
      if cmake -S "$work/refusals" -B "$work/refusals/build" -DCMAKE_PREFIX_PATH="$prefix" >"$work/refusals/log" 2>&1; then
        fail "find_package($request) was accepted"
      fi
      grep -q media "$work/refusals/log" || fail "find_package($request) did not say why"
    done
    ;;
  embed)
    build_project "$source/examples/embed" embed
    "$work/embed/embed" "$work/embed/store" "$photo" "$work/embed/thumbnail.avif"
    [ "$(dd if="$work/embed/thumbnail.avif" bs=1 skip=4 count=8 2>/dev/null)" = ftypavif ] || fail "no AVIF came out"
    "$prefix/bin/mediactl" verify --store "$work/embed/store"
    if "$work/embed/embed" "$work/embed/store" "$source/README.md" "$work/embed/none.avif" 2>"$work/embed/message"; then
      fail "a text was accepted as a photo"
    fi
    [ "$(wc -l <"$work/embed/message")" = 1 ] || fail "expected one sentence: $(cat "$work/embed/message")"
    ;;
  custom_store)
    build_project "$source/examples/custom_store" custom_store
    "$work/custom_store/custom_store" "$work/custom_store/first" "$work/custom_store/second" "$photo" >"$work/custom_store/said"
    cat "$work/custom_store/said"
    size=$(wc -c <"$photo")
    grep -q "^second read: $size bytes, whole\$" "$work/custom_store/said" || fail "the mirror did not heal"
    ;;
  clean)
    rm -rf "$work"
    ;;
  *) fail "no such step: $step" ;;
esac
