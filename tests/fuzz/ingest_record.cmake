if(MEDIA_BUILD_CLI)
  media_fuzz(fuzz_ingest_record AREAS core SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_ingest_record.cpp "${PROJECT_SOURCE_DIR}/cli/src/record_format.cpp")
  target_include_directories(fuzz_ingest_record PRIVATE "${PROJECT_SOURCE_DIR}/cli/src")
endif()
