if(MEDIA_BUILD_SERVER AND MEDIA_BUILD_CLI AND MEDIA_WITH_S3)
  media_test(test_s3_programs AREAS core store TIMEOUT 400 SOURCES
    ${CMAKE_CURRENT_LIST_DIR}/cli_support.cpp
    ${CMAKE_CURRENT_LIST_DIR}/s3_cli_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/s3_mediad_test.cpp
    LINK OpenSSL::Crypto PkgConfig::httplib nlohmann_json::nlohmann_json)
  add_dependencies(test_s3_programs mediad mediactl media-worker)
endif()
