# The project's own promises: include rules, headers that stand alone, a package that strangers can use, a dev script that works.

find_program(MEDIA_PYTHON python3)
if(MEDIA_PYTHON)
  add_test(NAME project_include_rules COMMAND ${MEDIA_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/project_include_rules.py ${PROJECT_SOURCE_DIR})
  add_test(NAME project_include_rules_self_test COMMAND ${MEDIA_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/project_include_rules.py --self-test)
endif()

add_test(NAME project_dev_script COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/project_dev_script.sh ${PROJECT_SOURCE_DIR})

# Each public header compiles alone. A build inside a test: nothing else may build in this folder meanwhile.
add_test(NAME project_public_headers COMMAND ${CMAKE_COMMAND} --build ${PROJECT_BINARY_DIR} --target all_verify_interface_header_sets)
set_tests_properties(project_public_headers PROPERTIES TIMEOUT 600 RESOURCE_LOCK build)

if(MEDIA_BOTH_LIBRARIES AND MEDIA_INSTALL AND TARGET mediactl)
  foreach(step install find-static find-shared pkgconfig-static pkgconfig-shared refusals embed custom_store clean)
    add_test(NAME project_package_${step}
      COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/project_package.sh ${step} ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
    set_tests_properties(project_package_${step} PROPERTIES TIMEOUT 300 FIXTURES_REQUIRED installed_package)
  endforeach()
  set_tests_properties(project_package_install PROPERTIES FIXTURES_REQUIRED "" FIXTURES_SETUP installed_package)
  set_tests_properties(project_package_clean PROPERTIES FIXTURES_REQUIRED "" FIXTURES_CLEANUP installed_package)
endif()

# Sanitizers bring run times that are built otherwise.
if(NOT MEDIA_SANITIZE AND NOT MEDIA_COVERAGE)
  set(programs media-worker)
  foreach(program media-video-worker mediactl mediad)
    if(TARGET ${program})
      list(APPEND programs ${program})
    endif()
  endforeach()
  list(TRANSFORM programs REPLACE "(.+)" "$<TARGET_FILE:\\1>" OUTPUT_VARIABLE program_files)
  add_test(NAME project_hardening COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/project_hardening.sh ${program_files})
endif()
