# Needs no program of ours; what it counts is its own process's allocations.
if(NOT MEDIA_SANITIZE)
  add_executable(allocation_sweep ${CMAKE_CURRENT_LIST_DIR}/allocation_sweep.cpp ${PROJECT_SOURCE_DIR}/tests/support/pictures.cpp
    ${PROJECT_SOURCE_DIR}/tests/support/support.cpp)
  target_include_directories(allocation_sweep PRIVATE "${PROJECT_SOURCE_DIR}/tests/support")
  target_compile_definitions(allocation_sweep PRIVATE MEDIA_SHARED_DIR="${PROJECT_SOURCE_DIR}/../shared")  # support.cpp asks for it
  target_link_libraries(allocation_sweep PRIVATE media_flags media::media)
  set_target_properties(allocation_sweep PROPERTIES ENABLE_EXPORTS ON)  # its stacks tell names
  add_test(NAME torture_allocation_sweep COMMAND allocation_sweep --short)
  set_tests_properties(torture_allocation_sweep PROPERTIES TIMEOUT 300)
endif()

# Each in its short form; `./dev torture` runs the long ones.
if(MEDIA_BUILD_SERVER AND MEDIA_BUILD_CLI)
  add_executable(fault_injector ${CMAKE_CURRENT_LIST_DIR}/fault_injector.cpp)
  target_link_libraries(fault_injector PRIVATE media_flags PkgConfig::seccomp)

  # Sanitizers change what a program asks of the kernel and how much memory it takes; the sweeps are about the programs as they are run.
  if(NOT MEDIA_SANITIZE)
    # torture_test(<name> [ARGUMENT…]): python3 <name>.py <folder of the programs> ARGUMENT…, from where ./dev calls it, with as relative a path
    file(RELATIVE_PATH torture_programs "${PROJECT_SOURCE_DIR}" "${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
    function(torture_test name)
      add_test(NAME torture_${name}
        COMMAND python3 "${PROJECT_SOURCE_DIR}/tests/torture/${name}.py" "${torture_programs}" ${ARGN}
        WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}")
      set_tests_properties(torture_${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 300 ENVIRONMENT PYTHONDONTWRITEBYTECODE=1)
    endfunction()
    torture_test(kill_sweep --short packed post erase postgres-collect)
    torture_test(fault_sweep --short packed)
    torture_test(full_disk 60)
    torture_test(vanishing_client 40)
    torture_test(soak 4 0.5)
    torture_test(bit_rot)
    torture_test(mutants 100)
    torture_test(bombs)
    torture_test(signed_urls 4000)
    torture_test(power_cut_catalog 3)
    if(MEDIA_WITH_POSTGRES)
      torture_test(fleet --seconds 12 --clients 4 --stops 1 --holes 1)
    endif()
    torture_test(clock_jumps)
    torture_test(collect_races 8)
  endif()
endif()
