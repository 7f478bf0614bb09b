# Not a test: run by hand, `store_bench` prints what it can do.
add_executable(store_bench EXCLUDE_FROM_ALL ${CMAKE_CURRENT_LIST_DIR}/store_bench.cpp)
target_link_libraries(store_bench PRIVATE media_flags media_core media_store)
