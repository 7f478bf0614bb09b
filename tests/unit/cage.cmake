add_executable(cage_odd_worker ${CMAKE_CURRENT_LIST_DIR}/cage_odd_worker.cpp)
target_include_directories(cage_odd_worker PRIVATE "${PROJECT_SOURCE_DIR}/libmedia/src" "${PROJECT_SOURCE_DIR}/tests/support")
target_link_libraries(cage_odd_worker PRIVATE media_flags media_core media_inspect media_image media_cage)

media_test(test_cage AREAS core inspect image cage SOURCES
  ${CMAKE_CURRENT_LIST_DIR}/cage_pool_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/cage_serve_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/cage_wire_test.cpp)
target_compile_definitions(test_cage PRIVATE ODD_WORKER="$<TARGET_FILE:cage_odd_worker>")
add_dependencies(test_cage cage_odd_worker)
