media_test(test_upload_spool AREAS core store TIMEOUT 120 SOURCES ${CMAKE_CURRENT_LIST_DIR}/upload_spool_test.cpp)
