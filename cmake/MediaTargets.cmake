# How targets of this project are made: flags in one interface target, one object library for each area of libmedia,
# one executable for each group of tests.

option(MEDIA_WARNINGS_AS_ERRORS "Stop at a warning" OFF)
set(MEDIA_SANITIZE "" CACHE STRING "Sanitizers for everything, as -fsanitize takes them")
option(MEDIA_COVERAGE "Instrument for line coverage" OFF)
option(MEDIA_FUZZ "Build the fuzz targets (clang, libFuzzer)" OFF)

add_library(media_flags INTERFACE)
target_compile_features(media_flags INTERFACE cxx_std_20)
target_compile_options(media_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor -Wold-style-cast -Wcast-align
  -Woverloaded-virtual -Wimplicit-fallthrough -fstack-protector-strong
  $<$<BOOL:${MEDIA_WARNINGS_AS_ERRORS}>:-Werror>)
# What a memory fault can reach is not writable: all symbols are bound at the start, and their table is sealed.
target_link_options(media_flags INTERFACE LINKER:-z,relro LINKER:-z,now LINKER:-z,noexecstack)
if(MEDIA_SANITIZE)
  target_compile_options(media_flags INTERFACE -fsanitize=${MEDIA_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(media_flags INTERFACE -fsanitize=${MEDIA_SANITIZE})
endif()
if(MEDIA_FUZZ)
  target_compile_options(media_flags INTERFACE -fsanitize=fuzzer-no-link)  # libFuzzer sees which edges of the areas an input reaches
endif()
if(MEDIA_COVERAGE)
  target_compile_options(media_flags INTERFACE --coverage -fprofile-update=atomic)
  target_link_options(media_flags INTERFACE --coverage)
endif()

find_program(MEDIA_CCACHE ccache)
if(MEDIA_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${MEDIA_CCACHE}")
  set(CMAKE_C_COMPILER_LAUNCHER "${MEDIA_CCACHE}")
endif()

# media_area(<name> [SEPARATE] SOURCES … [USES <areas>…] [LINK <targets>…])
# One area of libmedia: an object library `media_<name>`. USES are the areas it may call (the arrows of docs/architecture.md);
# LINK are third-party targets, which the finished library links too. A SEPARATE area is no part of the library.
function(media_area name)
  cmake_parse_arguments(PARSE_ARGV 1 area "SEPARATE" "" "SOURCES;USES;LINK")
  add_library(media_${name} OBJECT ${area_SOURCES})
  set_target_properties(media_${name} PROPERTIES POSITION_INDEPENDENT_CODE ON CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  target_include_directories(media_${name} PUBLIC
    "${PROJECT_SOURCE_DIR}/libmedia/include" "${PROJECT_BINARY_DIR}/include" PRIVATE "${PROJECT_SOURCE_DIR}/libmedia/src")
  target_link_libraries(media_${name} PRIVATE media_flags PUBLIC tl::expected ${area_LINK})
  if(NOT area_SEPARATE)
    set_property(GLOBAL APPEND PROPERTY MEDIA_AREAS media_${name})
    set_property(GLOBAL APPEND PROPERTY MEDIA_AREA_LINKS ${area_LINK})
  endif()
  set_property(TARGET media_${name} PROPERTY MEDIA_USES "${area_USES}")
endfunction()

# media_test(<name> SOURCES … [AREAS <areas>…] [LINK …] [TIMEOUT s])
# A Catch2 executable of tests that reach into areas (their internals included); AREAS names all that it needs.
function(media_test name)
  cmake_parse_arguments(PARSE_ARGV 1 test "" "TIMEOUT" "SOURCES;AREAS;LINK")
  list(TRANSFORM test_AREAS PREPEND media_)
  add_executable(${name} ${test_SOURCES})
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}/libmedia/src" "${PROJECT_SOURCE_DIR}/tests/support")
  # Unoptimised: a test spends its time in the code under test, and Catch2 takes three times as long to compile at -O2.
  target_compile_options(${name} PRIVATE -O0)
  target_link_libraries(${name} PRIVATE media_flags test_support ${test_AREAS} ${test_LINK})
  target_compile_definitions(${name} PRIVATE MEDIA_SOURCE_DIR="${PROJECT_SOURCE_DIR}" MEDIA_BINARY_DIR="${PROJECT_BINARY_DIR}")
  if(NOT test_TIMEOUT)
    set(test_TIMEOUT 120)
  endif()
  if(MEDIA_SANITIZE)
    math(EXPR test_TIMEOUT "${test_TIMEOUT} * 4")
  endif()
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${test_TIMEOUT})
endfunction()

# `./dev fuzz` and `./dev bench` build these.
add_custom_target(fuzzers)
add_custom_target(benches)

# media_bench(<name> SOURCES … [AREAS <areas>…] [LINK …])
# A program <area>_bench that measures and prints; built by the target `benches` only, and no test; tests/bench/run.sh runs it.
function(media_bench name)
  cmake_parse_arguments(PARSE_ARGV 1 bench "" "" "SOURCES;AREAS;LINK")
  list(TRANSFORM bench_AREAS PREPEND media_)
  add_executable(${name} EXCLUDE_FROM_ALL ${bench_SOURCES})
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}/libmedia/src")
  target_link_libraries(${name} PRIVATE media_flags ${bench_AREAS} ${bench_LINK})
  add_dependencies(benches ${name})
endfunction()

# media_fuzz(<name> SOURCES … AREAS …): a libFuzzer target in the fuzz preset; elsewhere an executable that replays files
# given to it, run as a test over tests/fuzz/corpus/<name>.
function(media_fuzz name)
  cmake_parse_arguments(PARSE_ARGV 1 fuzz "" "" "SOURCES;AREAS;LINK")
  list(TRANSFORM fuzz_AREAS PREPEND media_)
  add_executable(${name} ${fuzz_SOURCES})
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}/libmedia/src")
  target_link_libraries(${name} PRIVATE media_flags ${fuzz_AREAS} ${fuzz_LINK})
  add_dependencies(fuzzers ${name})
  if(MEDIA_FUZZ)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  else()
    target_sources(${name} PRIVATE "${PROJECT_SOURCE_DIR}/tests/fuzz/replay_main.cpp")
    add_test(NAME ${name} COMMAND ${name} "${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name}")
    set_tests_properties(${name} PROPERTIES TIMEOUT 120)
  endif()
endfunction()
