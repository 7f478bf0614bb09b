# Debian packages, by `./dev package`: the components of Install.cmake, and what an installed service needs beside its program. That belongs
# to the packages alone (EXCLUDE_FROM_ALL): an install into a prefix writes nothing outside of it.
set(media_manuals "${PROJECT_BINARY_DIR}/manuals")
if(TARGET mediactl AND TARGET mediad)
  find_package(Python3 REQUIRED COMPONENTS Interpreter)
  add_custom_command(OUTPUT "${media_manuals}/mediactl.1.gz" "${media_manuals}/mediad.8.gz" "${media_manuals}/mediactl.bash" "${media_manuals}/mediad.bash"
    COMMAND "${Python3_EXECUTABLE}" "${PROJECT_SOURCE_DIR}/packaging/manuals/generate.py" "$<TARGET_FILE:mediactl>" "$<TARGET_FILE:mediad>" "${media_manuals}"
    COMMAND gzip -9nf "${media_manuals}/mediactl.1" "${media_manuals}/mediad.8"
    DEPENDS mediactl mediad "${PROJECT_SOURCE_DIR}/packaging/manuals/generate.py" VERBATIM)
  add_custom_target(manuals ALL DEPENDS "${media_manuals}/mediactl.1.gz")
  foreach(program mediactl.1 mediad.8)
    string(REGEX MATCH "^([a-z]+)\\.([18])$" matched "${program}")
    set(name "${CMAKE_MATCH_1}")
    set(section "${CMAKE_MATCH_2}")
    install(FILES "${media_manuals}/${program}.gz" DESTINATION "${CMAKE_INSTALL_MANDIR}/man${section}" COMPONENT ${name}_manual EXCLUDE_FROM_ALL)
    install(FILES "${media_manuals}/${name}.bash" DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions" RENAME "${name}"
      COMPONENT ${name}_manual EXCLUDE_FROM_ALL)
  endforeach()
  install(FILES packaging/systemd/mediad.service DESTINATION /lib/systemd/system COMPONENT service EXCLUDE_FROM_ALL)
  install(FILES packaging/systemd/mediad.env DESTINATION /etc/mediad COMPONENT service EXCLUDE_FROM_ALL)
endif()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME libmedia)
set(CPACK_PACKAGE_VERSION "${PROJECT_VERSION}")
set(CPACK_PACKAGE_CONTACT "The maintainers of libmedia <root@localhost>" CACHE STRING "The packages' maintainer: a name and an address")
set(CPACK_PACKAGE_HOMEPAGE_URL "")
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_STRIP_FILES ON)
# With DESTDIR: the unit and the settings lie outside of the prefix.
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

# media_package(<name> SECTION s SUMMARY s [DEPENDS …] [RECOMMENDS …] COMPONENTS …)
macro(media_package name)
  cmake_parse_arguments(package "" "SECTION;SUMMARY;DEPENDS;RECOMMENDS" "COMPONENTS" ${ARGN})
  string(REGEX REPLACE "[^a-z]" "_" package_group "${name}")
  string(TOUPPER "${package_group}" PACKAGE_GROUP)
  set(CPACK_COMPONENT_GROUP_${PACKAGE_GROUP}_DESCRIPTION "${package_SUMMARY}")
  set(CPACK_DEBIAN_${PACKAGE_GROUP}_DESCRIPTION "${package_SUMMARY}")
  set(CPACK_DEBIAN_${PACKAGE_GROUP}_PACKAGE_NAME ${name})
  set(CPACK_DEBIAN_${PACKAGE_GROUP}_PACKAGE_SECTION ${package_SECTION})
  set(CPACK_DEBIAN_${PACKAGE_GROUP}_PACKAGE_DEPENDS "${package_DEPENDS}")
  set(CPACK_DEBIAN_${PACKAGE_GROUP}_PACKAGE_RECOMMENDS "${package_RECOMMENDS}")
  install(FILES LICENSE DESTINATION "${CMAKE_INSTALL_DATADIR}/doc/${name}" RENAME copyright COMPONENT ${package_group}_licence EXCLUDE_FROM_ALL)
  foreach(component ${package_COMPONENTS} ${package_group}_licence)
    string(TOUPPER "${component}" COMPONENT)
    set(CPACK_COMPONENT_${COMPONENT}_GROUP ${package_group})
    list(APPEND CPACK_COMPONENTS_ALL ${component})
  endforeach()
endmacro()

set(media_same "(= ${PROJECT_VERSION})")
media_package(libmedia0 SECTION libs COMPONENTS runtime
  SUMMARY "keeps photos and videos by their content, and makes every size of them")
# What libmedia.a leaves to the program, and libmedia's pkg-config file names; not what the programs and the tests use besides.
file(STRINGS packaging/deps/build.txt media_dev_packages REGEX "^lib[a-z0-9]+([-0-9a-z]*)-dev$")
list(FILTER media_dev_packages EXCLUDE REGEX "^lib(av(format|codec|util)|swscale|stb|cli11|spdlog|cpp-httplib)-dev$")
list(JOIN media_dev_packages ", " media_dev_packages)
media_package(libmedia-dev SECTION libdevel COMPONENTS development static shared
  SUMMARY "headers, the static library and the CMake package of libmedia"
  DEPENDS "libmedia0 ${media_same}, ${media_dev_packages}")
set(media_with_video "")
if(TARGET media-video-worker)
  media_package(libmedia-video SECTION libs COMPONENTS video
    SUMMARY "pictures of videos for libmedia, by FFmpeg"
    DEPENDS "libmedia0 ${media_same}")
  set(media_with_video "libmedia-video ${media_same}, ")
endif()
if(TARGET mediactl AND TARGET mediad)
  media_package(mediactl SECTION graphics COMPONENTS tools mediactl_manual
    SUMMARY "a store of photos and videos on the command line"
    DEPENDS "libmedia0 ${media_same}" RECOMMENDS "${media_with_video}bash-completion")
  media_package(mediad SECTION httpd COMPONENTS server mediad_manual service
    SUMMARY "a server of photos and videos"
    DEPENDS "libmedia0 ${media_same}, adduser, init-system-helpers" RECOMMENDS "${media_with_video}mediactl ${media_same}, ca-certificates")
  foreach(script conffiles postinst prerm postrm)
    list(APPEND CPACK_DEBIAN_MEDIAD_PACKAGE_CONTROL_EXTRA "${PROJECT_SOURCE_DIR}/packaging/debian/mediad/${script}")
  endforeach()
endif()
include(CPack)
