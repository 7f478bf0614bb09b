media_bench(store_bench AREAS core store SOURCES ${CMAKE_CURRENT_LIST_DIR}/store_bench.cpp)
