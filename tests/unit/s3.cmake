media_test(test_store_location AREAS core store SOURCES ${CMAKE_CURRENT_LIST_DIR}/store_location_test.cpp)
if(MEDIA_WITH_S3)
  media_test(test_s3 AREAS core store SOURCES ${CMAKE_CURRENT_LIST_DIR}/s3_test.cpp)
endif()
