media_bench(bench_repository AREAS core repository SOURCES
  ${CMAKE_CURRENT_LIST_DIR}/repository_bench.cpp)
