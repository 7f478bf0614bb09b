# The example calls of the service before this one.
if(MEDIA_BUILD_SERVER)
  add_test(NAME e2e_seed_examples
    COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/seed_examples.sh $<TARGET_FILE:mediad> ${PROJECT_SOURCE_DIR}/docs/images/photo.jpg)
  set_tests_properties(e2e_seed_examples PROPERTIES TIMEOUT 300 ENVIRONMENT PYTHONDONTWRITEBYTECODE=1)
endif()
