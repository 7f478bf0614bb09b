media_bench(repository_bench AREAS core repository SOURCES
  ${CMAKE_CURRENT_LIST_DIR}/repository_bench.cpp)
if(MEDIA_WITH_POSTGRES AND TARGET test_postgres)
  media_bench(queue_bench AREAS core repository LINK test_postgres SOURCES
    ${CMAKE_CURRENT_LIST_DIR}/queue_bench.cpp
    ${PROJECT_SOURCE_DIR}/tests/support/daemon.cpp
    ${PROJECT_SOURCE_DIR}/tests/support/support.cpp)
  target_compile_definitions(queue_bench PRIVATE MEDIA_SHARED_DIR="${PROJECT_SOURCE_DIR}/../shared")
endif()
