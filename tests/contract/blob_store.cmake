# A program of its own for what a test process cannot do to itself: being killed, traced, or being two.
add_executable(blob_store_program ${CMAKE_CURRENT_LIST_DIR}/blob_store_program.cpp)
target_link_libraries(blob_store_program PRIVATE media_flags media_core media_store)

media_test(test_blob_store AREAS core store TIMEOUT 300 SOURCES
  ${CMAKE_CURRENT_LIST_DIR}/blob_store_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/blob_store_bad_segments_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/blob_store_filesystem_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/blob_store_disk_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/blob_store_order_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/blob_store_segments_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/blob_store_sharing_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/blob_store_trace_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/blob_store_wipe_test.cpp)
target_compile_definitions(test_blob_store PRIVATE BLOB_STORE_PROGRAM="$<TARGET_FILE:blob_store_program>")
add_dependencies(test_blob_store blob_store_program)
