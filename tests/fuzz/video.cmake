if(MEDIA_WITH_VIDEO)
  media_fuzz(fuzz_video_derive AREAS core inspect image video SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_video_derive.cpp)
endif()
