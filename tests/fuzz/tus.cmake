if(MEDIA_BUILD_SERVER)
  media_fuzz(fuzz_tus_fields LINK media_server SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_tus_fields.cpp)
endif()
