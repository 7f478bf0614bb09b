media_test(test_reproducible TIMEOUT 600
  AREAS core inspect image store repository cage library
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/reproducible_test.cpp)
add_dependencies(test_reproducible media-worker)
target_compile_definitions(test_reproducible PRIVATE MEDIA_WORKER_BINARY="$<TARGET_FILE:media-worker>")
