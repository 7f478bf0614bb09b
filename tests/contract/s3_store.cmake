if(MEDIA_WITH_S3)
  media_test(test_s3_store AREAS core store LINK OpenSSL::Crypto TIMEOUT 400 SOURCES
    ${CMAKE_CURRENT_LIST_DIR}/s3_store_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/s3_faults_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/s3_refusals_test.cpp)
endif()
