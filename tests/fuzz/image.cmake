media_fuzz(fuzz_image_derive AREAS core image SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_image_derive.cpp)
media_fuzz(fuzz_jpeg_planes AREAS core image SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_jpeg_planes.cpp)
media_fuzz(fuzz_image_exif AREAS core image SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_image_exif.cpp)
media_fuzz(fuzz_transform AREAS core image SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_transform.cpp)
