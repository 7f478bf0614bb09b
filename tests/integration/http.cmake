if(MEDIA_BUILD_SERVER)
  media_test(test_http_parts AREAS core LINK media_server_http SOURCES
    ${CMAKE_CURRENT_LIST_DIR}/http_content_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/http_engine_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/http_head_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/http_multipart_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/http_router_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/http_thread_pool_test.cpp)
  media_test(test_http_server AREAS core LINK media_server_http TIMEOUT 300 SOURCES
    ${CMAKE_CURRENT_LIST_DIR}/http_client.cpp
    ${CMAKE_CURRENT_LIST_DIR}/http_body_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/http_hooks_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/http_limits_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/http_protocol_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/http_serve_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/http_stop_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/http_wait_test.cpp)
endif()
