# SPDX-License-Identifier: MIT
#
# Writes the Lua half as C: cmake -DROOT=<lua folder> -DOUT=<file.c> -P embed.cmake
#
# Every ROOT/tutti/**.lua becomes one entry of tutti__lua_sources (sources.h) under its real chunk name, such as
# "@tutti/graph.lua"; ROOT/meta/tutti.lua becomes tutti__lua_annotations. OUT.d lists the files and their folders, so that a new or removed file counts as a change.
cmake_minimum_required(VERSION 3.25)
file(GLOB_RECURSE paths LIST_DIRECTORIES true RELATIVE "${ROOT}" "${ROOT}/tutti/*")
list(SORT paths)

set(texts "")
set(entries "")
set(inputs "${ROOT}/tutti")
set(index 0)
foreach(path IN LISTS paths)
    if(IS_DIRECTORY "${ROOT}/${path}")
        string(APPEND inputs " \\\n  ${ROOT}/${path}")
        continue()
    elseif(NOT path MATCHES "\\.lua$")
        continue()
    endif()
    string(APPEND inputs " \\\n  ${ROOT}/${path}")
    file(READ "${ROOT}/${path}" hex HEX)
    string(LENGTH "${hex}" length)
    math(EXPR length "${length} / 2")
    string(REGEX REPLACE "(..)" "'\\\\x\\1'," bytes "${hex}")
    string(APPEND texts "static const char text_${index}[] = {${bytes}0};\n")
    string(APPEND entries "    {\"@${path}\", text_${index}, ${length}},\n")
    math(EXPR index "${index} + 1")
endforeach()

file(READ "${ROOT}/meta/tutti.lua" hex HEX)
string(LENGTH "${hex}" length)
math(EXPR length "${length} / 2")
string(REGEX REPLACE "(..)" "'\\\\x\\1'," bytes "${hex}")
string(APPEND texts "static const char annotations[] = {${bytes}0};\n")
string(APPEND inputs " \\\n  ${ROOT}/meta/tutti.lua")

file(WRITE "${OUT}.new" "/* Made by engine/lua/embed.cmake from lua/tutti. */
#include \"lua/sources.h\"

${texts}
const struct tutti__lua_source tutti__lua_sources[] = {
${entries}    {0, 0, 0},
};
const struct tutti__lua_source tutti__lua_annotations = {\"@tutti/meta.lua\", annotations, ${length}};
")
file(COPY_FILE "${OUT}.new" "${OUT}" ONLY_IF_DIFFERENT)
file(REMOVE "${OUT}.new")
file(WRITE "${OUT}.d" "${OUT}: ${inputs}\n")
