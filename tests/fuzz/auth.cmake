if(MEDIA_BUILD_SERVER)
  media_fuzz(fuzz_auth_token AREAS core LINK media_server SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_auth_token.cpp)
endif()
