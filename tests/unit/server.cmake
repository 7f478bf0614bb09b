if(MEDIA_BUILD_SERVER)
  media_test(test_server SOURCES
    ${CMAKE_CURRENT_LIST_DIR}/server_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/tus_fields_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/url_signer_test.cpp
    LINK media_server)
endif()
