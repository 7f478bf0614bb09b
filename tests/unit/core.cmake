media_test(test_core AREAS core SOURCES
  ${CMAKE_CURRENT_LIST_DIR}/core_test.cpp)

media_test(test_trace AREAS core SOURCES ${CMAKE_CURRENT_LIST_DIR}/trace_test.cpp)
