media_test(test_worker TIMEOUT 600 AREAS core inspect image cage SOURCES ${CMAKE_CURRENT_LIST_DIR}/worker_test.cpp)
add_dependencies(test_worker media-worker)
target_compile_definitions(test_worker PRIVATE MEDIA_WORKER_BINARY="$<TARGET_FILE:media-worker>")
