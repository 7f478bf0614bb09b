media_fuzz(fuzz_segment AREAS store core SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_segment.cpp)
