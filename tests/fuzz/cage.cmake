media_fuzz(fuzz_cage SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_cage.cpp AREAS core inspect image cage)
