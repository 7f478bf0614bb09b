add_executable(image_bench ${CMAKE_CURRENT_LIST_DIR}/image_bench.cpp)
target_include_directories(image_bench PRIVATE "${PROJECT_SOURCE_DIR}/libmedia/src")
target_link_libraries(image_bench PRIVATE media_flags media_core media_image)
