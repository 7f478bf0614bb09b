if(MEDIA_BUILD_SERVER AND MEDIA_BUILD_CLI)
  media_test(test_tiers AREAS core TIMEOUT 300 SOURCES
    ${CMAKE_CURRENT_LIST_DIR}/cli_support.cpp
    ${CMAKE_CURRENT_LIST_DIR}/cli_tiers_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/mediad_tiers_test.cpp
    LINK PkgConfig::httplib nlohmann_json::nlohmann_json)
  add_dependencies(test_tiers mediad mediactl media-worker)
endif()
