media_fuzz(fuzz_inspect_probe AREAS inspect core SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_inspect_probe.cpp)
media_fuzz(fuzz_clamd_reply AREAS inspect core SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_clamd_reply.cpp)
media_fuzz(fuzz_polyglot AREAS inspect core SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_polyglot.cpp)
media_fuzz(fuzz_web_ready AREAS inspect core SOURCES ${CMAKE_CURRENT_LIST_DIR}/fuzz_web_ready.cpp)
