if(MEDIA_WITH_VIDEO)
  media_test(test_video AREAS core inspect image video TIMEOUT 300 SOURCES
    ${CMAKE_CURRENT_LIST_DIR}/video_corpus_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/video_details_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/video_encode_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/video_hostile_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/video_preview_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/video_still_test.cpp)
endif()
