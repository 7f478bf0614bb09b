# A page in Chromium plays and seeks what mediad delivers of videos. Its screenshots stay in the build folder (e2e_play).
if(MEDIA_BUILD_SERVER AND MEDIA_WITH_VIDEO AND NOT MEDIA_SANITIZE)
  add_test(NAME e2e_play_in_chromium
    COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/node/play.sh ${CMAKE_CURRENT_LIST_DIR}/node ${PROJECT_BINARY_DIR}/e2e_node $<TARGET_FILE:mediad>
            ${PROJECT_BINARY_DIR}/e2e_play)
  set_tests_properties(e2e_play_in_chromium PROPERTIES TIMEOUT 300 SKIP_RETURN_CODE 77 RESOURCE_LOCK e2e_node)
endif()
