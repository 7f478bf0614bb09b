media_test(test_repository AREAS core repository TIMEOUT 300 SOURCES
  ${CMAKE_CURRENT_LIST_DIR}/repository_backup_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/repository_disk_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/repository_group_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/repository_memory_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/repository_open_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/repository_plan_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/repository_process_test.cpp)
