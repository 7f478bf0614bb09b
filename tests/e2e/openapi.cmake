if(MEDIA_BUILD_SERVER AND MEDIA_BUILD_CLI)
  # The description against the program: what it says is served, and what is served it says.
  function(media_python_validates valid candidate)
    execute_process(COMMAND "${candidate}" -c "import yaml, jsonschema, prometheus_client; jsonschema.Draft202012Validator"
      RESULT_VARIABLE code OUTPUT_QUIET ERROR_QUIET)
    if(NOT code EQUAL 0)
      set(${valid} FALSE PARENT_SCOPE)
    endif()
  endfunction()
  find_program(MEDIA_API_PYTHON python3 VALIDATOR media_python_validates)
  if(NOT MEDIA_API_PYTHON)
    message(STATUS "openapi tests: no python3 with jsonschema, prometheus_client and yaml (python3-jsonschema, python3-prometheus-client, python3-yaml on Debian)")
  endif()
  add_test(NAME openapi COMMAND "${MEDIA_API_PYTHON}" "${CMAKE_CURRENT_LIST_DIR}/openapi_test.py"
    "${PROJECT_SOURCE_DIR}/docs/api/openapi.yaml" "${PROJECT_BINARY_DIR}")
  add_test(NAME openapi_self_test COMMAND "${MEDIA_API_PYTHON}" "${CMAKE_CURRENT_LIST_DIR}/openapi_self_test.py"
    "${PROJECT_SOURCE_DIR}/docs/api/openapi.yaml")
  set_tests_properties(openapi openapi_self_test PROPERTIES TIMEOUT 300 ENVIRONMENT PYTHONDONTWRITEBYTECODE=1)
endif()

# No code of ours runs in it, so a sanitizer has nothing to see.
if(NOT MEDIA_SANITIZE)
  add_test(NAME openapi_lint COMMAND sh "${PROJECT_SOURCE_DIR}/tests/api/lint.sh" "${PROJECT_SOURCE_DIR}" "${PROJECT_BINARY_DIR}")
  set_tests_properties(openapi_lint PROPERTIES TIMEOUT 600 SKIP_RETURN_CODE 77)
endif()
