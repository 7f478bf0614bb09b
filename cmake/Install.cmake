# What is installed, in components:
#   development  headers, mediaConfig.cmake, media.pc
#   static       libmedia.a and its CMake targets
#   shared       the name by which a linker finds libmedia.so, and its CMake targets
#   runtime      libmedia.so.*, and media-worker in libexec
#   video        media-video-worker in libexec, beside media-worker: the only part that needs FFmpeg
#   tools        mediactl
#   server       mediad
# Everything finds everything by relative paths: an installed tree can be moved.
include(CMakePackageConfigHelpers)

set(media_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/media")
set(media_libexec_dir "${CMAKE_INSTALL_LIBEXECDIR}/libmedia")
set(media_worker "${media_libexec_dir}/media-worker")
set(media_video_worker "${media_libexec_dir}/media-video-worker")

# media_install(<target> static|shared): a library of libmedia/CMakeLists.txt with its export set.
function(media_install target kind)
  set(file_of_static mediaStaticTargets.cmake)
  set(file_of_shared mediaSharedTargets.cmake)
  install(TARGETS ${target} EXPORT media_${kind}
    LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT runtime NAMELINK_COMPONENT shared
    ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT static
    FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT development
    FILE_SET generated_headers DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT development)
  install(EXPORT media_${kind} NAMESPACE media:: FILE ${file_of_${kind}} DESTINATION "${media_package_dir}" COMPONENT ${kind})
endfunction()

if(BUILD_SHARED_LIBS)
  media_install(media shared)
  if(MEDIA_BOTH_LIBRARIES)
    media_install(media_static static)
  endif()
else()
  media_install(media static)
  if(MEDIA_BOTH_LIBRARIES)
    media_install(media_shared shared)
  endif()
endif()

configure_package_config_file(cmake/mediaConfig.cmake.in "${PROJECT_BINARY_DIR}/mediaConfig.cmake" INSTALL_DESTINATION "${media_package_dir}" PATH_VARS media_worker media_video_worker)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/mediaConfigVersion.cmake" COMPATIBILITY SameMinorVersion)

file(RELATIVE_PATH media_pc_to_prefix "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix")
string(REGEX REPLACE "/$" "" media_pc_to_prefix "${media_pc_to_prefix}")
list(JOIN MEDIA_PC_MODULES " " media_pc_requires)
list(JOIN MEDIA_PC_LIBS " " media_pc_libs)
configure_file(cmake/media.pc.in "${PROJECT_BINARY_DIR}/media.pc" @ONLY)

install(FILES "${PROJECT_BINARY_DIR}/mediaConfig.cmake" "${PROJECT_BINARY_DIR}/mediaConfigVersion.cmake"
  DESTINATION "${media_package_dir}" COMPONENT development)
install(FILES "${PROJECT_BINARY_DIR}/media.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig" COMPONENT development)
install(FILES LICENSE README.md CHANGELOG.md DESTINATION "${CMAKE_INSTALL_DOCDIR}" COMPONENT development)

if(TARGET media-video-worker)
  install(TARGETS media-video-worker RUNTIME DESTINATION "${media_libexec_dir}" COMPONENT video)
endif()
install(TARGETS media-worker RUNTIME DESTINATION "${media_libexec_dir}" COMPONENT runtime)
if(TARGET mediactl)
  install(TARGETS mediactl RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT tools)
endif()
if(TARGET mediad)
  install(TARGETS mediad RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT server)
endif()
