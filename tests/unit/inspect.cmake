media_test(test_inspect AREAS inspect core SOURCES
  ${CMAKE_CURRENT_LIST_DIR}/inspect_samples.cpp
  ${CMAKE_CURRENT_LIST_DIR}/inspect_cursor_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/inspect_images_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/inspect_boxes_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/inspect_videos_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/inspect_damage_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/inspect_admit_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/inspect_polyglot_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/inspect_web_ready_test.cpp
  ${CMAKE_CURRENT_LIST_DIR}/inspect_corpus_test.cpp)
