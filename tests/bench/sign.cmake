media_bench(sign_bench AREAS core sign SOURCES ${CMAKE_CURRENT_LIST_DIR}/sign_bench.cpp)
