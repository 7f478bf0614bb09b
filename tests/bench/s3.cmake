if(MEDIA_WITH_S3)
  media_bench(s3_bench AREAS store core SOURCES ${CMAKE_CURRENT_LIST_DIR}/s3_bench.cpp)
endif()
