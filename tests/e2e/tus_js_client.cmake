# A tus client of other people's, through connections that break and servers that die. Not under sanitizers: the same cuts and kills
# are in test_mediad, and a server a tenth as fast changes where the client's hundreds of megabytes are cut.
if(MEDIA_BUILD_SERVER AND NOT MEDIA_SANITIZE)
  foreach(scenario cuts kills stalls)
    add_test(NAME e2e_tus_js_client_${scenario}
      COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/node/run.sh ${CMAKE_CURRENT_LIST_DIR}/node ${PROJECT_BINARY_DIR}/e2e_node tus_upload.mjs $<TARGET_FILE:mediad>
              ${scenario} $<IF:$<STREQUAL:${scenario},stalls>,20000000,200000000>)
    # One installs the client into the folder of both.
    set_tests_properties(e2e_tus_js_client_${scenario} PROPERTIES TIMEOUT 300 SKIP_RETURN_CODE 77 RESOURCE_LOCK e2e_node)
  endforeach()
endif()
