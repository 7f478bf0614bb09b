add_executable(cage_bench ${CMAKE_CURRENT_LIST_DIR}/cage_bench.cpp)
target_include_directories(cage_bench PRIVATE "${PROJECT_SOURCE_DIR}/libmedia/src")
target_link_libraries(cage_bench PRIVATE media_flags media_core media_image media_cage)
add_dependencies(cage_bench media-worker)
