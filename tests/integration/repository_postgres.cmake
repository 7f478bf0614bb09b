if(MEDIA_WITH_POSTGRES)
  media_test(test_repository_postgres AREAS core repository LINK test_postgres TIMEOUT 600 SOURCES
  ${CMAKE_CURRENT_LIST_DIR}/repository_postgres_open_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/repository_postgres_outage_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/repository_postgres_plan_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/repository_postgres_shared_test.cpp)
endif()
