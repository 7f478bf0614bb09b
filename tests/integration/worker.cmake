media_test(test_worker TIMEOUT 600 AREAS core inspect image cage LINK media_locks SOURCES
  ${CMAKE_CURRENT_LIST_DIR}/worker_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/worker_locks_test.cpp)
add_dependencies(test_worker media-worker)
target_compile_definitions(test_worker PRIVATE MEDIA_WORKER_BINARY="$<TARGET_FILE:media-worker>")
