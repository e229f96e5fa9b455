# SPDX-License-Identifier: MIT
#
# While installing: ask the program for its manual page and its completions.
# In: `program`, and the folder `said`.
file(MAKE_DIRECTORY "${said}")
foreach(asked IN ITEMS
    "man/tutti.1" "completions bash/tutti" "completions zsh/_tutti" "completions fish/tutti.fish")
    string(REGEX MATCH "^(.*)/(.*)$" unused "${asked}")
    string(REPLACE " " ";" words "${CMAKE_MATCH_1}")
    execute_process(COMMAND "${program}" ${words}
        OUTPUT_FILE "${said}/${CMAKE_MATCH_2}" RESULT_VARIABLE result)
    if(NOT result EQUAL 0)
        message(FATAL_ERROR "${program} ${CMAKE_MATCH_1}: ${result}")
    endif()
endforeach()
