# Debian packages, by CPack from the components of Install.cmake: `./dev package`. What a distribution ships beside the programs (manual
# pages, completions, the service with its settings) is installed in such a build alone.
option(MEDIA_DISTRIBUTION "Install manual pages, completions, the systemd unit and /etc/mediad as well, and make Debian packages" OFF)
if(NOT MEDIA_DISTRIBUTION)
  return()
endif()

set(manuals "${PROJECT_BINARY_DIR}/manuals")
set(manual_files mediactl.1 mediad.8 mediactl.bash mediad.bash)
list(TRANSFORM manual_files PREPEND "${manuals}/")
add_custom_command(OUTPUT ${manual_files}
  COMMAND "${MEDIA_YAML_PYTHON}" "${PROJECT_SOURCE_DIR}/packaging/manuals/generate.py" $<TARGET_FILE:mediactl> $<TARGET_FILE:mediad> "${manuals}"
  COMMAND gzip -9 -n -k -f "${manuals}/mediactl.1" "${manuals}/mediad.8"
  DEPENDS mediactl mediad packaging/manuals/generate.py VERBATIM)
add_custom_target(manuals ALL DEPENDS ${manual_files})

install(FILES "${manuals}/mediactl.1.gz" DESTINATION share/man/man1 COMPONENT tools)
install(FILES "${manuals}/mediactl.bash" DESTINATION share/bash-completion/completions RENAME mediactl COMPONENT tools)
install(FILES "${manuals}/mediad.8.gz" DESTINATION share/man/man8 COMPONENT server)
install(FILES "${manuals}/mediad.bash" DESTINATION share/bash-completion/completions RENAME mediad COMPONENT server)
install(FILES packaging/systemd/mediad.service DESTINATION lib/systemd/system COMPONENT server)
install(FILES packaging/systemd/mediad.env DESTINATION /etc/mediad COMPONENT server)
install(PROGRAMS packaging/backup/backup.sh packaging/backup/restore.sh DESTINATION share/mediad/backup COMPONENT server)
install(DIRECTORY packaging/prometheus packaging/grafana DESTINATION share/mediad COMPONENT server)
install(FILES docs/configuration.md docs/operations.md docs/authentication.md docs/backup.md docs/troubleshooting.md docs/upgrading.md
  packaging/nginx/mediad.conf DESTINATION share/doc/mediad COMPONENT server)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME libmedia)
set(CPACK_PACKAGE_VERSION "${PROJECT_VERSION}")
set(CPACK_PACKAGE_CONTACT "the authors of libmedia <libmedia@localhost>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_SET_DESTDIR ON)  # what lies in /etc
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS "${PROJECT_BINARY_DIR}/libmedia")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

# debian_package(<name> GROUP <variable's part> COMPONENTS … SECTION … ABOUT … [DEPENDS …] [RECOMMENDS …] [SUGGESTS …])
function(debian_package name)
  cmake_parse_arguments(PARSE_ARGV 1 deb "" "GROUP;SECTION;ABOUT;DEPENDS;RECOMMENDS;SUGGESTS" "COMPONENTS")
  set(upper ${deb_GROUP})
  string(TOUPPER "${upper}" upper)
  foreach(component IN LISTS deb_COMPONENTS)
    string(TOUPPER "${component}" component)
    set(CPACK_COMPONENT_${component}_GROUP ${deb_GROUP} PARENT_SCOPE)
  endforeach()
  set(CPACK_DEBIAN_${upper}_PACKAGE_NAME ${name} PARENT_SCOPE)
  set(CPACK_DEBIAN_${upper}_PACKAGE_SECTION ${deb_SECTION} PARENT_SCOPE)
  set(CPACK_DEBIAN_${upper}_DESCRIPTION "${deb_ABOUT}" PARENT_SCOPE)
  set(CPACK_COMPONENT_${upper}_DESCRIPTION "${deb_ABOUT}" PARENT_SCOPE)
  foreach(relation DEPENDS RECOMMENDS SUGGESTS)
    if(deb_${relation})
      set(CPACK_DEBIAN_${upper}_PACKAGE_${relation} "${deb_${relation}}" PARENT_SCOPE)
    endif()
  endforeach()
  list(GET deb_COMPONENTS 0 first)
  install(FILES packaging/debian/copyright DESTINATION share/doc/${name} COMPONENT ${first})
endfunction()

set(same_version "(= ${PROJECT_VERSION}-1)")
debian_package(libmedia0 GROUP deb_library COMPONENTS runtime SECTION libs RECOMMENDS media-video-worker
  ABOUT "keeps, proves, transforms and serves photos and videos
 The shared library, and the worker process in which it decodes strangers' pictures.")
debian_package(media-video-worker GROUP deb_video COMPONENTS video SECTION video
  ABOUT "pictures of videos for libmedia
 The worker process that decodes videos. It is the only part of libmedia that links FFmpeg, whose build in Debian is under the GPL.")
debian_package(libmedia-dev GROUP deb_development COMPONENTS development static shared SECTION libdevel
  DEPENDS "libmedia0 ${same_version}, libexpected-dev"
  ABOUT "development files of libmedia
 Headers, the static library, and what CMake and pkg-config read. A static link wants the development packages of what libmedia uses as well.")
debian_package(mediactl GROUP deb_tools COMPONENTS tools SECTION graphics DEPENDS "libmedia0 ${same_version}"
  ABOUT "command line of libmedia
 Takes photos and videos into a store, proves that they are whole, makes pictures of other sizes and formats, and copies stores.")
debian_package(mediad GROUP deb_server COMPONENTS server SECTION web DEPENDS "libmedia0 ${same_version}, ca-certificates, passwd, init-system-helpers (>= 1.54)"
  RECOMMENDS "mediactl, media-video-worker" SUGGESTS "nginx, rsync, postgresql"
  ABOUT "HTTP server of libmedia
 Keeps photos and videos, proves them intact and serves them in every size. Comes as a systemd service with a user of its own.")
set(CPACK_DEBIAN_DEB_LIBRARY_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_DEB_SERVER_PACKAGE_CONTROL_EXTRA
  "${PROJECT_SOURCE_DIR}/packaging/debian/mediad/postinst" "${PROJECT_SOURCE_DIR}/packaging/debian/mediad.prerm"
  "${PROJECT_SOURCE_DIR}/packaging/debian/mediad/postrm" "${PROJECT_SOURCE_DIR}/packaging/debian/mediad.conffiles")
include(CPack)
