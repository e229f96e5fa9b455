/* SPDX-License-Identifier: MIT */
/*
 * prompt_lua.c - what the Lua half may do with the terminal: the table session.prompt.
 *
 *     read(prompt, callback)   edit a line; callback(nil, kind, text) is called once, on the loop:
 *                              "line" text | "interrupt" typed | "end"
 *     listen(f)                f() is called for Ctrl-C while no line is edited
 *     foreground(task | nil)   what Ctrl-C cancels then, at once, also in the middle of a loop
 *     completer(f)             f(line, point) is called for Tab, on the loop, with how many bytes
 *                              are before the cursor; returns from, to, insert, listing (struct
 *                              cli_completion), or nothing
 *     remember(text)           an entry for the history
 *     leave()                  from now on Ctrl-C ends the program
 *     hold() release()         something else has the terminal meanwhile
 *
 * Layer: cli. Thread: the loop's.
 */
#include "cli/prompt_lua.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "cli/prompt.h"
#include "cli/prompt_tab.h"

/* Keys of the registry. */
static const char callback_key = 0;
static const char listener_key = 0;
static const char completer_key = 0;
static const char foreground_key = 0;
static const char cancel_key = 0;
static const char thread_key = 0;

static int l_read(lua_State *L)
{
    const char *shown = luaL_checkstring(L, 1);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_pushvalue(L, 2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &callback_key);
    cli_prompt_read(shown);
    return 0;
}

/* The function that is the only argument is called from now on.   [-1, +0, v] */
static int keep_function(lua_State *L, const void *key)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, key);
    return 0;
}

static int l_listen(lua_State *L)
{
    return keep_function(L, &listener_key);
}

static int l_foreground(lua_State *L)
{
    lua_settop(L, 1);
    if (!lua_isnil(L, 1)) { /* its cancel is a C function, found while Lua code may run */
        lua_getfield(L, 1, "cancel");
        lua_rawsetp(L, LUA_REGISTRYINDEX, &cancel_key);
    }
    lua_rawsetp(L, LUA_REGISTRYINDEX, &foreground_key);
    return 0;
}

static int l_completer(lua_State *L)
{
    return keep_function(L, &completer_key);
}

static int l_remember(lua_State *L)
{
    cli_prompt_remember(luaL_checkstring(L, 1));
    return 0;
}

static int l_leave(lua_State *L)
{
    (void)L;
    cli_prompt_leave();
    return 0;
}

static int l_hold(lua_State *L)
{
    (void)L;
    cli_prompt_hold();
    return 0;
}

static int l_release(lua_State *L)
{
    (void)L;
    cli_prompt_release();
    return 0;
}

int cli_prompt_attach(lua_State *L)
{
    static const luaL_Reg functions[] = {
        { "read", l_read },   { "listen", l_listen }, { "foreground", l_foreground },
        { "leave", l_leave },
        { "completer", l_completer }, { "remember", l_remember },
        { "hold", l_hold },   { "release", l_release }, { NULL, NULL },
    };
    if (!cli_prompt_is_on())
        return 0;
    lua_getglobal(L, "require");
    lua_pushliteral(L, "tutti.session");
    lua_call(L, 1, 1);
    luaL_newlib(L, functions);
    lua_setfield(L, -2, "prompt");
    lua_pushliteral(L, "none"); /* no live block below the line that is typed */
    lua_setfield(L, -2, "progress");
    (void)lua_newthread(L); /* a post must not touch the stack of what runs the loop */
    lua_rawsetp(L, LUA_REGISTRYINDEX, &thread_key);
    return 0;
}

/* ---- posts -------------------------------------------------------------------------------- */

static lua_State *thread_of(lua_State *main)
{
    lua_rawgetp(main, LUA_REGISTRYINDEX, &thread_key);
    lua_State *L = lua_tothread(main, -1);
    lua_pop(main, 1);
    return L;
}

/* The function is below its `count` arguments. */
static void call(lua_State *L, int count)
{
    if (lua_pcall(L, count, 0, 0) == LUA_OK)
        return;
    fprintf(stderr, "tutti: the prompt: %s\n", luaL_tolstring(L, -1, NULL));
    lua_pop(L, 2);
}

void cli_prompt_deliver(lua_State *main, const char *kind, const char *text)
{
    lua_State *L = thread_of(main);
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &callback_key) != LUA_TFUNCTION) {
        lua_pop(L, 1);
        return;
    }
    lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &callback_key);
    lua_pushnil(L); /* no error */
    lua_pushstring(L, kind);
    lua_pushstring(L, text);
    call(L, 3);
}

void cli_prompt_cancel(lua_State *main)
{
    lua_State *L = thread_of(main);
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &foreground_key) == LUA_TNIL) {
        lua_pop(L, 1);
        return;
    }
    lua_rawgetp(L, LUA_REGISTRYINDEX, &cancel_key);
    lua_insert(L, -2);
    lua_pushliteral(L, "interrupted (Ctrl-C)");
    call(L, 2);
}

void cli_prompt_tell(lua_State *main)
{
    lua_State *L = thread_of(main);
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &listener_key) == LUA_TFUNCTION)
        call(L, 0);
    else
        lua_pop(L, 1);
}

/* Stack: the four results. */
static bool take_completion(lua_State *L, size_t size, struct cli_completion *found)
{
    lua_Integer from = lua_tointeger(L, -4);
    lua_Integer to = lua_tointeger(L, -3);
    const char *insert = lua_tostring(L, -2);
    const char *listing = lua_tostring(L, -1);
    if (insert == NULL || from < 0 || from > to || to > (lua_Integer)size)
        return false;
    *found = (struct cli_completion){ (size_t)from, (size_t)to, strdup(insert),
                                      listing == NULL ? NULL : strdup(listing) };
    return found->insert != NULL;
}

bool cli_prompt_complete(lua_State *main, const char *line, size_t point,
                         struct cli_completion *found)
{
    lua_State *L = thread_of(main);
    lua_settop(L, 0);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &completer_key);
    lua_pushstring(L, line);
    lua_pushinteger(L, (lua_Integer)point);
    bool is_found = lua_pcall(L, 2, 4, 0) == LUA_OK && take_completion(L, strlen(line), found);
    lua_settop(L, 0);
    return is_found;
}
