# Every third-party package, found once, at the top, so that all directories see the targets.
# packaging/deps/ names the Debian packages they come from.
#
# What the library itself links goes through media_package and media_modules, which also note it for the two ways in which an
# installed static library tells a program what to link: mediaConfig.cmake (MEDIA_CONFIG_DEPENDENCIES) and media.pc
# (MEDIA_PC_MODULES, and MEDIA_PC_LIBS for what ships no .pc file).

find_package(PkgConfig REQUIRED)

set(MEDIA_CONFIG_DEPENDENCIES "  find_dependency(PkgConfig)\n")
set(MEDIA_PC_MODULES "")
set(MEDIA_PC_LIBS "")

# media_package([PC <modules>…] [LIBS <flags>…] FIND <arguments of find_package>…)
macro(media_package)
  cmake_parse_arguments(package "" "" "PC;LIBS;FIND" ${ARGN})
  find_package(${package_FIND} REQUIRED)
  list(JOIN package_FIND " " package_arguments)
  string(APPEND MEDIA_CONFIG_DEPENDENCIES "  find_dependency(${package_arguments})\n")
  list(APPEND MEDIA_PC_MODULES ${package_PC})
  list(APPEND MEDIA_PC_LIBS ${package_LIBS})
endmacro()

# media_modules(<name> [LIBS <flags>…] MODULES <pkg-config modules>…): the target PkgConfig::<name>. Its real name has a prefix,
# because an installed mediaConfig.cmake makes it again in a project where the short one may stand for other modules. With LIBS,
# media.pc names those flags and not the modules.
macro(media_modules name)
  cmake_parse_arguments(modules "" "" "LIBS;MODULES" ${ARGN})
  pkg_check_modules(media_${name} REQUIRED IMPORTED_TARGET ${modules_MODULES})
  add_library(PkgConfig::${name} ALIAS PkgConfig::media_${name})
  list(JOIN modules_MODULES " " modules_text)
  string(APPEND MEDIA_CONFIG_DEPENDENCIES "  media_find_modules(media_${name} ${modules_text})\n")
  if(modules_LIBS)
    list(APPEND MEDIA_PC_LIBS ${modules_LIBS})
  else()
    list(APPEND MEDIA_PC_MODULES ${modules_MODULES})
  endif()
endmacro()

media_package(FIND Threads LIBS -pthread)
find_package(tl-expected REQUIRED)  # header-only, and in the public headers: mediaConfig.cmake looks for it in any case
media_package(FIND OpenSSL COMPONENTS Crypto PC libcrypto)
media_package(FIND SQLite3 PC sqlite3)
media_package(FIND SQLiteCpp CONFIG LIBS -lSQLiteCpp)
media_package(FIND JPEG PC libjpeg)
media_package(FIND GIF LIBS -lgif)
media_package(FIND hwy CONFIG PC libhwy)
media_modules(webp MODULES libwebp libwebpdemux libwebpmux)
media_modules(spng MODULES spng)
media_modules(lcms2 MODULES lcms2)
if(MEDIA_WITH_AVIF)
  media_modules(avif MODULES libavif)
endif()
if(MEDIA_WITH_HEIC)
  # Debian 12's libheif.pc, asked with --static, names libraries that its package does not bring along (libnuma).
  media_modules(heif LIBS -lheif MODULES libheif)
endif()
if(MEDIA_WITH_TIFF)
  media_package(FIND TIFF LIBS -ltiff)
endif()
if(MEDIA_WITH_POSTGRES)
  # Debian 12's libpq.pc, asked with --static, names archives of the server that only its -dev package for extensions has.
  media_package(FIND PostgreSQL LIBS -lpq)
endif()

if(MEDIA_WITH_S3)
  # libcurl.pc, asked with --static, names libraries that its package does not bring along (libssh2 and others).
  media_package(FIND CURL 7.85 LIBS -lcurl)
  media_package(FIND EXPAT PC expat)
endif()

# The worker programs alone.
pkg_check_modules(seccomp REQUIRED IMPORTED_TARGET libseccomp)
if(MEDIA_WITH_VIDEO)
  # Of media-video-worker alone: nothing that is installed to be linked knows of it.
  pkg_check_modules(ffmpeg REQUIRED IMPORTED_TARGET libavformat libavcodec libavutil libswresample libswscale)
endif()

if(MEDIA_BUILD_CLI OR MEDIA_BUILD_SERVER)
  find_package(nlohmann_json REQUIRED)
endif()
if(MEDIA_BUILD_CLI)
  find_package(CLI11 REQUIRED)
endif()
if(MEDIA_BUILD_SERVER)
  find_package(spdlog REQUIRED)
  find_package(prometheus-cpp REQUIRED)
  find_package(CURL 7.85 REQUIRED)  # key sets and introspection; 7.85 takes protocols as text
  find_package(ZLIB REQUIRED)
  pkg_check_modules(httplib REQUIRED IMPORTED_TARGET cpp-httplib)
  # The page that describes the API is made while building. Of several interpreters the first that can read YAML.
  function(media_python_reads_yaml valid candidate)
    execute_process(COMMAND "${candidate}" -c "import yaml" RESULT_VARIABLE code OUTPUT_QUIET ERROR_QUIET)
    if(NOT code EQUAL 0)
      set(${valid} FALSE PARENT_SCOPE)
    endif()
  endfunction()
  find_program(MEDIA_YAML_PYTHON python3 VALIDATOR media_python_reads_yaml)
  if(NOT MEDIA_YAML_PYTHON)
    message(FATAL_ERROR "mediad needs a python3 with the module yaml to build (python3-yaml on Debian)")
  endif()
endif()
if(MEDIA_BUILD_TESTS)
  find_package(Catch2 REQUIRED)
endif()
