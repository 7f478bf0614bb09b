if(MEDIA_WITH_VIDEO)
  media_test(test_video_worker TIMEOUT 600 AREAS core inspect image cage SOURCES ${CMAKE_CURRENT_LIST_DIR}/video_worker_test.cpp ${CMAKE_CURRENT_LIST_DIR}/video_encode_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/video_lies_test.cpp
    LINK nlohmann_json::nlohmann_json)
  add_dependencies(test_video_worker media-worker media-video-worker cage_odd_worker)
  target_compile_definitions(test_video_worker PRIVATE
    MEDIA_WORKER_BINARY="$<TARGET_FILE:media-worker>" MEDIA_VIDEO_WORKER_BINARY="$<TARGET_FILE:media-video-worker>"
    ODD_WORKER="$<TARGET_FILE:cage_odd_worker>")
endif()
