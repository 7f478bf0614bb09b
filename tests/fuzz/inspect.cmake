media_fuzz(fuzz_inspect_probe AREAS inspect core SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_inspect_probe.cpp)
