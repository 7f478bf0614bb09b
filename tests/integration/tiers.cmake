media_test(test_library_tiers AREAS core inspect image store repository cage library TIMEOUT 300 SOURCES
  ${CMAKE_CURRENT_LIST_DIR}/library_tiers_test.cpp)
media_test(test_tiered_store AREAS core store TIMEOUT 300 SOURCES
  ${CMAKE_CURRENT_LIST_DIR}/../contract/blob_store_tiers_test.cpp)
if(MEDIA_WITH_POSTGRES)
  media_test(test_migrate AREAS core repository LINK test_postgres TIMEOUT 300 SOURCES
    ${CMAKE_CURRENT_LIST_DIR}/repository_migrate_test.cpp)
  target_include_directories(test_migrate PRIVATE ${PROJECT_SOURCE_DIR}/tests/unit)
endif()
