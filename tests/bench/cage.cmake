media_bench(cage_bench AREAS core inspect image cage SOURCES ${CMAKE_CURRENT_LIST_DIR}/cage_bench.cpp)
add_dependencies(cage_bench media-worker)
