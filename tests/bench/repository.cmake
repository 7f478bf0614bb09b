media_bench(repository_bench AREAS core repository SOURCES
  ${CMAKE_CURRENT_LIST_DIR}/repository_bench.cpp)
