/* SPDX-License-Identifier: MIT */
/*
 * read.c - see read.h.
 *
 * Lua's own functions do the reading. Before one of them has to ask the system for bytes that are not there
 * yet, this waits for them in poll, which a nudge (sched/nudge.h) ends, unlike a read of the C library: so
 * Ctrl-C, a cancellation or a time limit raises here, with nothing read and nothing lost.
 *
 * What has come in part only is waited for inside the C library as ever (half a line of a pipe, the rest of
 * a number of bytes); but a terminal gives whole lines, and "a" takes them one by one.
 *
 * Layer: lua. Thread: the state's.
 * Invariant: what is read, and what is returned, is what Lua's own functions read and return.
 */
#include "lua/read.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lauxlib.h>

#include "lua/interrupt.h"

/* ---- waiting ------------------------------------------------------------------------------ */

/* Bytes that the C library has read ahead. It has no function for this question. */
static bool has_bytes(const FILE *file)
{
    return file->_IO_read_ptr < file->_IO_read_end;
}

/* Wait until a read of the file would not have to. Raises the task's live cancellation. */
static void wait_for_bytes(lua_State *L, FILE *file)
{
    struct tutti__lua *lua = tutti__lua_find(L);
    struct pollfd fd = { .fd = fileno(file), .events = POLLIN };
    if (has_bytes(file) || fd.fd < 0 || lua == NULL || lua->watched.dog == NULL || poll(&fd, 1, 0) != 0)
        return;
    (void)fflush(stdout); /* as the C library does before it waits for a terminal: the question is there */
    while (poll(&fd, 1, -1) < 0 && errno == EINTR)
        tutti__interrupt_look(L, lua);
}

/* "n" passes over blanks, of which the end of the line before is one. */
static void pass_blanks(FILE *file)
{
    while (has_bytes(file)) {
        int c = getc(file);
        if (!isspace(c)) {
            (void)ungetc(c, file);
            return;
        }
    }
}

/* The letter of the first format, 0 if it is a number of bytes. */
static char format_at(lua_State *L, int index)
{
    const char *text = lua_type(L, index) == LUA_TSTRING ? lua_tostring(L, index) : "";
    return *text == '*' ? text[1] : lua_isnone(L, index) ? 'l' : *text;
}

/* ---- read --------------------------------------------------------------------------------- */

/* All that a terminal gives, line by line. Upvalue 1 is Lua's file:read; the file is at `index`. */
static int read_terminal(lua_State *L, FILE *file, int index)
{
    luaL_Buffer all;
    luaL_buffinit(L, &all);
    for (;;) {
        wait_for_bytes(L, file);
        lua_pushvalue(L, lua_upvalueindex(1));
        lua_pushvalue(L, index);
        lua_pushliteral(L, "L");
        lua_call(L, 2, 3);
        if (lua_isnil(L, -3) && !lua_isnil(L, -2))
            return 3; /* what went wrong */
        lua_pop(L, 2);
        if (lua_isnil(L, -1))
            break;
        luaL_addvalue(&all);
    }
    lua_pop(L, 1);
    luaL_pushresult(&all);
    return 1;
}

/* `stream` is about to be read in the format at `first`: wait for it. */
static void prepare_read(lua_State *L, const luaL_Stream *stream, int first)
{
    if (stream == NULL || stream->closef == NULL)
        return; /* Lua's function says what is wrong */
    if (format_at(L, first) == 'n')
        pass_blanks(stream->f);
    wait_for_bytes(L, stream->f);
}

/* Is "a" all that is asked, and of a terminal? */
static bool wants_terminal(lua_State *L, const luaL_Stream *stream, int first, int last)
{
    return stream != NULL && stream->closef != NULL && first == last && format_at(L, first) == 'a' &&
           isatty(fileno(stream->f)) == 1;
}

/* file:read(...), as Lua's, which is upvalue 1.   [-n, +n, e] */
static int l_file_read(lua_State *L)
{
    const luaL_Stream *stream = (const luaL_Stream *)luaL_testudata(L, 1, LUA_FILEHANDLE);
    if (wants_terminal(L, stream, 2, lua_gettop(L)))
        return read_terminal(L, stream->f, 1);
    prepare_read(L, stream, 2);
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

/* io.read(...), as Lua's, which is upvalue 2; 1: file:read, 3: io.input.   [-n, +n, e] */
static int l_read(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(3));
    lua_call(L, 0, 1);
    int file = lua_gettop(L);
    const luaL_Stream *stream = (const luaL_Stream *)luaL_testudata(L, file, LUA_FILEHANDLE);
    if (wants_terminal(L, stream, 1, file - 1))
        return read_terminal(L, stream->f, file);
    lua_pop(L, 1); /* the registry has it */
    prepare_read(L, stream, 1);
    return lua_tocfunction(L, lua_upvalueindex(2))(L);
}

/* ---- lines -------------------------------------------------------------------------------- */

/* The iterator: upvalue 1 is Lua's, 2 the file.   [-n, +n, e] */
static int l_next_line(lua_State *L)
{
    const luaL_Stream *stream = (const luaL_Stream *)lua_touserdata(L, lua_upvalueindex(2));
    if (stream->closef != NULL)
        wait_for_bytes(L, stream->f);
    lua_settop(L, 0);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_call(L, 0, LUA_MULTRET);
    return lua_gettop(L);
}

/* Of what is no file proper one may have to wait for a line. */
static bool may_wait(const luaL_Stream *stream)
{
    struct stat st;
    return stream->closef != NULL && fstat(fileno(stream->f), &st) == 0 && !S_ISREG(st.st_mode);
}

/* io.lines(...) and file:lines(...), as Lua's, which is upvalue 1.   [-n, +n, e] */
static int l_lines(lua_State *L)
{
    int count = lua_tocfunction(L, lua_upvalueindex(1))(L);
    int iterator = lua_gettop(L) - count + 1;
    const luaL_Stream *stream = NULL;
    if (lua_getupvalue(L, iterator, 1) != NULL) /* Lua's iterator holds its file there */
        stream = (const luaL_Stream *)luaL_testudata(L, -1, LUA_FILEHANDLE);
    if (stream == NULL || !may_wait(stream)) {
        lua_settop(L, iterator + count - 1);
        return count;
    }
    lua_pushvalue(L, iterator);
    lua_insert(L, -2);
    lua_pushcclosure(L, l_next_line, 2);
    lua_replace(L, iterator);
    return count;
}

/* ---- where they stand --------------------------------------------------------------------- */

/* Is the field Lua's own function still? A script may have run here before, or a host replaced it. */
static bool is_original(lua_State *L, int table, const char *name)
{
    lua_getfield(L, table, name);
    lua_CFunction f = lua_tocfunction(L, -1);
    lua_pop(L, 1);
    return f != NULL && f != l_read && f != l_file_read && f != l_lines;
}

/* `lines` of the table at this index.   [-0, +0, m] */
static void replace_lines(lua_State *L, int table)
{
    if (!is_original(L, table, "lines"))
        return;
    lua_getfield(L, table, "lines");
    lua_pushcclosure(L, l_lines, 1);
    lua_setfield(L, table, "lines");
}

/* Both at once: the one uses the other.   [-0, +0, m] */
static void replace_read(lua_State *L, int io, int methods)
{
    if (!is_original(L, io, "read") || !is_original(L, methods, "read") || !is_original(L, io, "input"))
        return;
    lua_getfield(L, methods, "read");
    lua_getfield(L, io, "read");
    lua_getfield(L, io, "input");
    lua_pushcclosure(L, l_read, 3);
    lua_setfield(L, io, "read");
    lua_getfield(L, methods, "read");
    lua_pushcclosure(L, l_file_read, 1);
    lua_setfield(L, methods, "read");
}

void tutti__read_globals(lua_State *L)
{
    int top = lua_gettop(L);
    if (lua_getglobal(L, "io") == LUA_TTABLE && luaL_getmetatable(L, LUA_FILEHANDLE) == LUA_TTABLE &&
        lua_getfield(L, -1, "__index") == LUA_TTABLE) {
        replace_read(L, top + 1, top + 3);
        replace_lines(L, top + 1);
        replace_lines(L, top + 3);
    }
    lua_settop(L, top);
}
