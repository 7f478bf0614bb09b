media_test(test_sign AREAS core sign SOURCES ${CMAKE_CURRENT_LIST_DIR}/sign_test.cpp)
