# In its short form; `power_cut.py PROGRAM 200` by hand is the long one.
add_test(NAME torture_power_cut COMMAND python3 "${CMAKE_CURRENT_LIST_DIR}/power_cut.py" "$<TARGET_FILE:blob_store_program>" 9)
set_tests_properties(torture_power_cut PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 180)
