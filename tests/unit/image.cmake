media_test(test_image AREAS core image TIMEOUT 600 SOURCES
  ${CMAKE_CURRENT_LIST_DIR}/image_animation_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/image_codec_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/image_corpus_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/image_deep_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/image_depth_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/image_describe_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/image_edit_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/image_metadata_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/image_pipeline_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/image_pixels_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/image_place_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/image_planes_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/image_resample_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/image_score_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/image_transform_test.cpp)
set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/image_deep_test.cpp ${CMAKE_CURRENT_LIST_DIR}/image_depth_test.cpp PROPERTIES COMPILE_DEFINITIONS
  "MEDIA_TEST_AVIF=$<BOOL:${MEDIA_WITH_AVIF}>;MEDIA_TEST_TIFF=$<BOOL:${MEDIA_WITH_TIFF}>;MEDIA_TEST_HEIC=$<BOOL:${MEDIA_WITH_HEIC}>")
