if(MEDIA_BUILD_CLI)
  media_test(test_cli SOURCES
      ${CMAKE_CURRENT_LIST_DIR}/cli_basic_test.cpp
      ${CMAKE_CURRENT_LIST_DIR}/cli_crash_test.cpp
      ${CMAKE_CURRENT_LIST_DIR}/cli_derive_test.cpp
      ${CMAKE_CURRENT_LIST_DIR}/cli_doctor_test.cpp
      ${CMAKE_CURRENT_LIST_DIR}/cli_erase_test.cpp
      ${CMAKE_CURRENT_LIST_DIR}/cli_incremental_test.cpp
      ${CMAKE_CURRENT_LIST_DIR}/cli_gate_test.cpp
      ${CMAKE_CURRENT_LIST_DIR}/cli_ingest_test.cpp
      ${CMAKE_CURRENT_LIST_DIR}/cli_renditions_test.cpp
      ${CMAKE_CURRENT_LIST_DIR}/cli_sharing_test.cpp
      ${CMAKE_CURRENT_LIST_DIR}/cli_similar_test.cpp
      ${CMAKE_CURRENT_LIST_DIR}/cli_support.cpp
      ${CMAKE_CURRENT_LIST_DIR}/cli_verify_test.cpp
      $<$<BOOL:${MEDIA_WITH_VIDEO}>:${CMAKE_CURRENT_LIST_DIR}/cli_video_test.cpp>
      ${PROJECT_SOURCE_DIR}/tests/support/clamd.cpp
    LINK nlohmann_json::nlohmann_json SQLiteCpp SQLite::SQLite3
    TIMEOUT 600)
  # They run the programs, and do not link them.
  add_dependencies(test_cli mediactl media-worker)
  if(MEDIA_WITH_VIDEO)
    add_dependencies(test_cli media-video-worker)
  endif()
endif()
