# What is installed, in components:
#   development  headers, mediaConfig.cmake, media.pc, the name that a linker looks for (libmedia.so)
#   static       libmedia.a and its CMake targets
#   runtime      libmedia.so.*, and media-worker in libexec
#   tools        mediactl
#   server       mediad
# Everything finds everything by relative paths: an installed tree can be moved.
include(CMakePackageConfigHelpers)

set(media_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/media")
set(media_libexec_dir "${CMAKE_INSTALL_LIBEXECDIR}/libmedia")

# media_install(<target> <kind>): a library of libmedia/CMakeLists.txt with its export set.
function(media_install target kind)
  string(TOLOWER "${kind}" component)
  string(SUBSTRING "${component}" 0 1 first)
  string(SUBSTRING "${component}" 1 -1 rest)
  string(TOUPPER "${first}" first)
  install(TARGETS ${target} EXPORT media_${component}
    LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT runtime NAMELINK_COMPONENT development
    ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT static
    FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT development
    FILE_SET generated_headers DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT development)
  if(component STREQUAL "shared")
    set(component development)
  endif()
  install(EXPORT media_${kind} NAMESPACE media:: FILE "media${first}${rest}Targets.cmake" DESTINATION "${media_package_dir}" COMPONENT ${component})
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

configure_package_config_file(cmake/mediaConfig.cmake.in "${PROJECT_BINARY_DIR}/mediaConfig.cmake" INSTALL_DESTINATION "${media_package_dir}")
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

if(TARGET media-worker)
  install(TARGETS media-worker RUNTIME DESTINATION "${media_libexec_dir}" COMPONENT runtime)
endif()
if(TARGET mediactl)
  install(TARGETS mediactl RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT tools)
endif()
if(TARGET mediad)
  install(TARGETS mediad RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT server)
endif()
