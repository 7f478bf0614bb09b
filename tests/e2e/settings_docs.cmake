# The documented settings are those that there are.
if(MEDIA_BUILD_SERVER)
  add_test(NAME settings_docs COMMAND python3 ${CMAKE_CURRENT_LIST_DIR}/settings_docs.py $<TARGET_FILE:mediad> ${PROJECT_SOURCE_DIR})
  set_tests_properties(settings_docs PROPERTIES TIMEOUT 60 ENVIRONMENT PYTHONDONTWRITEBYTECODE=1)
endif()
