# The documented proxy in front of mediad.
if(MEDIA_BUILD_SERVER)
  add_test(NAME e2e_nginx
    COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/nginx.sh $<TARGET_FILE:mediad> ${PROJECT_SOURCE_DIR}/packaging/nginx/mediad.conf
            ${PROJECT_SOURCE_DIR}/docs/images/photo.jpg)
  set_tests_properties(e2e_nginx PROPERTIES TIMEOUT 180 SKIP_RETURN_CODE 77)
endif()
