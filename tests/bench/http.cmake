if(MEDIA_BUILD_SERVER)
  # Not a test: a server to be measured by http_bench.sh.
  add_executable(http_bench ${CMAKE_CURRENT_LIST_DIR}/http_bench.cpp)
  target_link_libraries(http_bench PRIVATE media_flags media_server_http media_core)
endif()
