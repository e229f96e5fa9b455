/* SPDX-License-Identifier: MIT */
/*
 * fs.c - see fs.h: the operations, what they take from Lua and what they give back.
 *
 * Options, iterators and globs are lua/tutti/fs.lua, which calls these.
 *
 * Layer: lua. Thread: the state's home.
 */
#include "lua/fs.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "lua/fs_call.h"
#include "lua/fs_type.h"

/* ---- what they give ----------------------------------------------------------------------- */

/* An open file of fs.lines. */
struct file {
    int fd; /* -1: closed, or in the hands of a call */
};

static const char *const file_name = "tutti.fs_file";

static int push_nothing(lua_State *L, struct tutti__fs_call *call)
{
    (void)L;
    (void)call;
    return 0;
}

static int push_bytes(lua_State *L, struct tutti__fs_call *call)
{
    lua_pushlstring(L, call->out.data == NULL ? "" : call->out.data, call->out.length);
    return 1;
}

static int push_names(lua_State *L, struct tutti__fs_call *call)
{
    int count = call->names_count < INT_MAX ? (int)call->names_count : INT_MAX;
    lua_createtable(L, count, 0);
    for (int i = 0; i < count; i++) {
        const char *name = call->names[i];
        if (call->flag) {
            lua_createtable(L, 0, 2);
            lua_pushstring(L, name + 1);
            lua_setfield(L, -2, "name");
            lua_pushstring(L, tutti__fs_type_name(name[0]));
            lua_setfield(L, -2, "type");
        } else {
            lua_pushstring(L, name + 1);
        }
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

static void set_integer(lua_State *L, const char *name, lua_Integer value)
{
    lua_pushinteger(L, value);
    lua_setfield(L, -2, name);
}

static int push_stat(lua_State *L, struct tutti__fs_call *call)
{
    const struct stat *st = &call->st;
    lua_createtable(L, 0, 8);
    lua_pushstring(L, tutti__fs_type_name(tutti__fs_type_letter(st->st_mode)));
    lua_setfield(L, -2, "type");
    lua_pushnumber(L, (lua_Number)st->st_mtim.tv_sec + (lua_Number)st->st_mtim.tv_nsec * 1e-9);
    lua_setfield(L, -2, "mtime");
    set_integer(L, "size", (lua_Integer)st->st_size);
    set_integer(L, "mode", (lua_Integer)(st->st_mode & 07777));
    set_integer(L, "uid", (lua_Integer)st->st_uid);
    set_integer(L, "gid", (lua_Integer)st->st_gid);
    set_integer(L, "ino", (lua_Integer)st->st_ino);
    set_integer(L, "nlink", (lua_Integer)st->st_nlink);
    return 1;
}

static int close_file(lua_State *L)
{
    struct file *file = (struct file *)luaL_checkudata(L, 1, file_name);
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
    return 0;
}

static int push_file(lua_State *L, struct tutti__fs_call *call)
{
    struct file *file = (struct file *)lua_newuserdatauv(L, sizeof *file, 0);
    file->fd = -1;
    if (luaL_newmetatable(L, file_name)) {
        lua_pushcfunction(L, close_file);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    file->fd = call->fd; /* the handle's now */
    call->fd = -1;
    return 1;
}

/* The piece, or nil at the end; the file, at stack index 1, gets its descriptor back. */
static int push_piece(lua_State *L, struct tutti__fs_call *call)
{
    struct file *file = (struct file *)lua_touserdata(L, 1);
    file->fd = call->fd;
    call->fd = -1;
    if (call->out.length == 0)
        lua_pushnil(L);
    else
        lua_pushlstring(L, call->out.data, call->out.length);
    return 1;
}

/* ---- the table ---------------------------------------------------------------------------- */

enum {
    OP_READ, OP_WRITE, OP_APPEND, OP_OPEN, OP_NEXT, OP_LIST, OP_MKDIR, OP_REMOVE, OP_STAT, OP_LSTAT,
};

static const struct tutti__fs_op ops[] = {
    [OP_READ] = { "fs.read", tutti__fs_work_read, push_bytes },
    [OP_WRITE] = { "fs.write", tutti__fs_work_write, push_nothing },
    [OP_APPEND] = { "fs.append", tutti__fs_work_append, push_nothing },
    [OP_OPEN] = { "fs.lines", tutti__fs_work_open, push_file },
    [OP_NEXT] = { "fs.lines", tutti__fs_work_next, push_piece },
    [OP_LIST] = { "fs.list", tutti__fs_work_list, push_names },
    [OP_MKDIR] = { "fs.mkdir", tutti__fs_work_mkdir, push_nothing },
    [OP_REMOVE] = { "fs.remove", tutti__fs_work_remove, push_nothing },
    [OP_STAT] = { "fs.stat", tutti__fs_work_stat, push_stat },
    [OP_LSTAT] = { "fs.lstat", tutti__fs_work_lstat, push_stat },
};

/* (path, [flag]) */
static int perform(lua_State *L, int op)
{
    lua_settop(L, 2);
    struct tutti__fs_call *call = tutti__fs_new(L, &ops[op], 1);
    call->flag = lua_toboolean(L, 2);
    return tutti__fs_perform(L);
}

/* fs.read(path) -> bytes   [-1, +1, y] */
static int l_read(lua_State *L)
{
    return perform(L, OP_READ);
}

/* core.fs_open(path) -> file   [-1, +1, y] */
static int l_open(lua_State *L)
{
    return perform(L, OP_OPEN);
}

/* core.fs_list(path, types) -> list   [-2, +1, y] */
static int l_list(lua_State *L)
{
    return perform(L, OP_LIST);
}

/* core.fs_mkdir(path, parents)   [-2, +0, y] */
static int l_mkdir(lua_State *L)
{
    return perform(L, OP_MKDIR);
}

/* core.fs_remove(path, recursive)   [-2, +0, y] */
static int l_remove(lua_State *L)
{
    return perform(L, OP_REMOVE);
}

/* fs.stat(path) -> table   [-1, +1, y] */
static int l_stat(lua_State *L)
{
    return perform(L, OP_STAT);
}

/* fs.lstat(path) -> table: of a link itself   [-1, +1, y] */
static int l_lstat(lua_State *L)
{
    return perform(L, OP_LSTAT);
}

/* (path, bytes) */
static int perform_with_data(lua_State *L, int op)
{
    lua_settop(L, 2);
    if (!lua_isstring(L, 2))
        return tutti__usage(L, 1,
                            "%s: the bytes to write (a string) were expected as second argument, "
                            "got %s",
                            ops[op].name, luaL_typename(L, 2));
    struct tutti__fs_call *call = tutti__fs_new(L, &ops[op], 1);
    call->data = lua_tolstring(L, 2, &call->length);
    return tutti__fs_perform(L);
}

/* fs.write(path, bytes)   [-2, +0, y] */
static int l_write(lua_State *L)
{
    return perform_with_data(L, OP_WRITE);
}

/* fs.append(path, bytes)   [-2, +0, y] */
static int l_append(lua_State *L)
{
    return perform_with_data(L, OP_APPEND);
}

/* core.fs_next(file, path) -> bytes | nil at the end   [-2, +1, y] */
static int l_next(lua_State *L)
{
    struct file *file = (struct file *)luaL_checkudata(L, 1, file_name);
    if (file->fd < 0)
        return tutti__usage(L, 1, "fs.lines: the file is closed, or another task reads from it");
    lua_settop(L, 2);
    struct tutti__fs_call *call = tutti__fs_new(L, &ops[OP_NEXT], 2);
    call->fd = file->fd; /* so that it cannot be closed under a read that goes on after a cancel */
    file->fd = -1;
    return tutti__fs_perform(L);
}

const luaL_Reg tutti__fs_functions[] = {
    { "fs_read", l_read },   { "fs_write", l_write },   { "fs_append", l_append },
    { "fs_open", l_open },   { "fs_next", l_next },     { "fs_close", close_file },
    { "fs_list", l_list },   { "fs_mkdir", l_mkdir },   { "fs_remove", l_remove },
    { "fs_stat", l_stat },   { "fs_lstat", l_lstat },   { NULL, NULL },
};
