# What a collector of OpenTelemetry is told, judged by the definitions in OpenTelemetry's own package.
if(MEDIA_BUILD_SERVER)
  add_test(NAME e2e_traces
    COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/node/run.sh ${CMAKE_CURRENT_LIST_DIR}/node ${PROJECT_BINARY_DIR}/e2e_node traces.mjs $<TARGET_FILE:mediad>)
  set_tests_properties(e2e_traces PROPERTIES TIMEOUT 120 SKIP_RETURN_CODE 77 RESOURCE_LOCK e2e_node)
endif()
