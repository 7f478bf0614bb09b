if(MEDIA_BUILD_SERVER)
  media_test(test_server SOURCES
    ${CMAKE_CURRENT_LIST_DIR}/auth_issuer_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/auth_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/edge_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/listing_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/server_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/tus_fields_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/json_writer_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/url_signer_test.cpp
    ${PROJECT_SOURCE_DIR}/tests/support/tokens.cpp
    LINK media_server OpenSSL::Crypto ZLIB::ZLIB)
endif()
