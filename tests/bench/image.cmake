media_bench(image_bench AREAS core image SOURCES ${CMAKE_CURRENT_LIST_DIR}/image_bench.cpp)
