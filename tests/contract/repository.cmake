media_test(test_repository_contract AREAS core repository LINK $<TARGET_NAME_IF_EXISTS:test_postgres> TIMEOUT 600 SOURCES
  ${CMAKE_CURRENT_LIST_DIR}/repository_contract_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/repository_contract_gate.cpp
  ${CMAKE_CURRENT_LIST_DIR}/repository_contract_rows.cpp
  ${CMAKE_CURRENT_LIST_DIR}/repository_contract_work.cpp)
