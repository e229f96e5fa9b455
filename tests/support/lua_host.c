/* SPDX-License-Identifier: MIT */
/*
 * lua_host.c - a bare Lua interpreter that is built with the sanitizer of its preset.
 *
 * The specs run in a stock lua5.4 on the release build. A sanitizer's runtime has to be in the
 * program itself; preloading it into lua5.4 would push it into every child process as well, and
 * would report their leaks as ours. So the specs of dev, hard and tsan run in this one instead:
 * lua_host [-e CHUNK]... [FILE [words]]. It closes its state, so that lua_close is tested too.
 *
 * Layer: tests; Lua only.
 * Locks: none.
 * Invariant: a script sees what it would see in lua5.4: `arg`, `...`, the standard libraries.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

struct command_line {
    int count;
    char **words;
};

static int add_traceback(lua_State *L)
{
    const char *message = luaL_tolstring(L, 1, NULL);
    luaL_traceback(L, L, message, 1);
    return 1;
}

/** Run the chunk on top of the stack with `args_count` words of `arg` after it. */
static int run_chunk(lua_State *L, int load_status, char **args, int args_count)
{
    int status = load_status;
    if (status == LUA_OK) {
        int base = lua_gettop(L);
        lua_pushcfunction(L, add_traceback);
        lua_insert(L, base);
        luaL_checkstack(L, args_count, "too many words");
        for (int i = 0; i < args_count; i++) {
            lua_pushstring(L, args[i]);
        }
        status = lua_pcall(L, args_count, 0, base);
        lua_remove(L, base);
    }
    if (status != LUA_OK) {
        fprintf(stderr, "lua: %s\n", luaL_tolstring(L, -1, NULL));
        lua_pop(L, 2);
    }
    return status;
}

/** Set `arg` as lua5.4 does: arg[0] is the script, negative entries stand before it. */
static void set_arg(lua_State *L, const struct command_line *line, int script)
{
    lua_createtable(L, line->count - script, script + 1);
    for (int i = 0; i < line->count; i++) {
        lua_pushstring(L, line->words[i]);
        lua_rawseti(L, -2, i - script);
    }
    lua_setglobal(L, "arg");
}

static int host_main(lua_State *L)
{
    const struct command_line *line = lua_touserdata(L, 1);
    int at = 1;
    luaL_openlibs(L);
    while (at + 1 < line->count && strcmp(line->words[at], "-e") == 0) {
        at += 2;
    }
    int script = at < line->count ? at : 0;
    set_arg(L, line, script);
    for (int i = 2; i < at; i += 2) {
        if (run_chunk(L, luaL_loadstring(L, line->words[i]), NULL, 0) != LUA_OK) {
            return 0;
        }
    }
    if (script != 0) {
        int loaded = luaL_loadfile(L, line->words[script]);
        int words_count = line->count - script - 1;
        if (run_chunk(L, loaded, line->words + script + 1, words_count) != LUA_OK) {
            return 0;
        }
    }
    lua_pushboolean(L, 1);
    return 1;
}

int main(int argc, char **argv)
{
    struct command_line line = {argc, argv};
    lua_State *L = luaL_newstate();
    if (L == NULL) {
        fprintf(stderr, "lua: no memory for a state\n");
        return EXIT_FAILURE;
    }
    lua_pushcfunction(L, host_main);
    lua_pushlightuserdata(L, &line);
    int status = lua_pcall(L, 1, 1, 0);
    if (status != LUA_OK) {
        fprintf(stderr, "lua: %s\n", lua_tostring(L, -1));
    }
    bool good = status == LUA_OK && lua_toboolean(L, -1);
    lua_close(L);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
