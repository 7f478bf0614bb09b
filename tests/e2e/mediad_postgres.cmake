if(MEDIA_BUILD_SERVER AND MEDIA_BUILD_CLI AND MEDIA_WITH_POSTGRES)
  media_test(test_mediad_postgres AREAS core TIMEOUT 600 SOURCES
    ${CMAKE_CURRENT_LIST_DIR}/cli_adopt_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/cli_migrate_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/mediad_postgres_test.cpp
    LINK test_postgres PkgConfig::httplib nlohmann_json::nlohmann_json)
  add_dependencies(test_mediad_postgres mediad mediactl media-worker)
endif()
