media_test(test_placement AREAS core inspect image store repository cage library SOURCES ${CMAKE_CURRENT_LIST_DIR}/placement_test.cpp)
