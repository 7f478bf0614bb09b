media_test(test_clamd TIMEOUT 120
  AREAS core inspect image store repository cage library
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/clamd_test.cpp ${PROJECT_SOURCE_DIR}/tests/support/clamd.cpp)
