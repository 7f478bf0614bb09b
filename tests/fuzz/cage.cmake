media_fuzz(fuzz_cage SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_cage.cpp AREAS core inspect image cage)
media_fuzz(fuzz_encoded_shape SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_encoded_shape.cpp AREAS core inspect image cage)
