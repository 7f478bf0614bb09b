media_test(test_library TIMEOUT 300
  AREAS core inspect image store repository cage library
  SOURCES
  ${CMAKE_CURRENT_LIST_DIR}/library_api_keys_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/library_arrangements_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/library_collect_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/library_derivations_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/library_distant_store_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/library_encodings_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/library_entrance_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/library_erase_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/library_expiry_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/library_gate_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/library_ingest_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/library_jobs_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/library_measures_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/library_notifications_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/library_blob_cache_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/library_open_blobs_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/library_quarantine_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/library_quota_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/library_renditions_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/library_resumable_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/library_similar_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/library_uploads_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/library_verify_test.cpp)
