# What lies in packaging/: manifests, scripts, units, rules and packages, each checked by what will read it. No code of ours runs in most
# of them, so a sanitizer has nothing to see.
if(MEDIA_BUILD_SERVER AND MEDIA_BUILD_CLI AND NOT MEDIA_SANITIZE)
  # packaging_test(<name> ARGUMENT…): tests/packaging/<name>.sh.
  function(packaging_test name)
    add_test(NAME packaging_${name} COMMAND sh "${PROJECT_SOURCE_DIR}/tests/packaging/${name}.sh" ${ARGN})
    set_tests_properties(packaging_${name} PROPERTIES TIMEOUT 300 SKIP_RETURN_CODE 77 ENVIRONMENT PYTHONDONTWRITEBYTECODE=1)
  endfunction()

  packaging_test(scripts "${PROJECT_SOURCE_DIR}")
  packaging_test(systemd "${PROJECT_SOURCE_DIR}" $<TARGET_FILE:mediad>)
  packaging_test(compose "${PROJECT_SOURCE_DIR}" "${PROJECT_BINARY_DIR}" $<TARGET_FILE:mediad>)
  packaging_test(backup "${PROJECT_SOURCE_DIR}" $<TARGET_FILE:mediactl> $<TARGET_FILE:mediad>)
  packaging_test(licences "$<$<BOOL:${MEDIA_WITH_VIDEO}>:$<TARGET_FILE_DIR:mediad>/media-video-worker>" $<TARGET_FILE:mediad>
    $<TARGET_FILE:mediactl> $<TARGET_FILE:media-worker>)
  packaging_test(manuals "${PROJECT_SOURCE_DIR}" "${PROJECT_BINARY_DIR}" $<TARGET_FILE:mediactl> $<TARGET_FILE:mediad>)
  packaging_test(debian "${PROJECT_BINARY_DIR}" "${PROJECT_SOURCE_DIR}")
  packaging_test(image_context "${PROJECT_SOURCE_DIR}")
  packaging_test(kubernetes "${PROJECT_SOURCE_DIR}" "${PROJECT_BINARY_DIR}" $<TARGET_FILE:mediad>)

  add_test(NAME packaging_monitoring COMMAND "${MEDIA_YAML_PYTHON}" "${PROJECT_SOURCE_DIR}/tests/packaging/monitoring.py"
    "${PROJECT_SOURCE_DIR}" $<TARGET_FILE:mediad>)
  add_test(NAME packaging_prometheus COMMAND "${MEDIA_YAML_PYTHON}" "${PROJECT_SOURCE_DIR}/tests/packaging/prometheus.py"
    "${PROJECT_SOURCE_DIR}" $<TARGET_FILE:mediad>)
  set_tests_properties(packaging_monitoring packaging_prometheus
    PROPERTIES TIMEOUT 120 SKIP_RETURN_CODE 77 ENVIRONMENT PYTHONDONTWRITEBYTECODE=1)
endif()
