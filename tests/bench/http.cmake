if(MEDIA_BUILD_SERVER)
  # A server to be measured by http_bench.sh.
  media_bench(http_bench AREAS core LINK media_server_http SOURCES ${CMAKE_CURRENT_LIST_DIR}/http_bench.cpp)
endif()
