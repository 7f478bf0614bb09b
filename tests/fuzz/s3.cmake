if(MEDIA_WITH_S3)
  media_fuzz(fuzz_s3_answer AREAS store core SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_s3_answer.cpp)
endif()
