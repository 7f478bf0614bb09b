if(MEDIA_BUILD_SERVER AND MEDIA_BUILD_CLI)
  # httplib is the client here: a stranger to the server's own loop.
  media_test(test_mediad AREAS core TIMEOUT 600 SOURCES
    ${CMAKE_CURRENT_LIST_DIR}/mediad_auth_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/mediad_bad_input_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/mediad_edge_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/mediad_gate_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/mediad_media_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/mediad_metrics_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/mediad_pictures_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/mediad_shared_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/mediad_sign_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/mediad_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/mediad_tus_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/mediad_upload_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/mediad_waiting_test.cpp
    $<$<BOOL:${MEDIA_WITH_VIDEO}>:${CMAKE_CURRENT_LIST_DIR}/mediad_video_test.cpp>
    ${PROJECT_SOURCE_DIR}/tests/support/clamd.cpp
    ${PROJECT_SOURCE_DIR}/tests/support/tokens.cpp
    LINK OpenSSL::Crypto PkgConfig::httplib nlohmann_json::nlohmann_json SQLite::SQLite3)
  add_dependencies(test_mediad mediad mediactl media-worker cage_odd_worker)
  target_compile_definitions(test_mediad PRIVATE ODD_WORKER="$<TARGET_FILE:cage_odd_worker>")
  media_test(test_mediad_health SOURCES ${CMAKE_CURRENT_LIST_DIR}/mediad_health_test.cpp LINK PkgConfig::httplib nlohmann_json::nlohmann_json)
  add_dependencies(test_mediad_health mediad media-worker)
  if(MEDIA_WITH_VIDEO)
    add_dependencies(test_mediad media-video-worker)
  endif()
endif()
