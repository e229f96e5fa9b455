/* SPDX-License-Identifier: MIT */
/*
 * newstate.c - Lua states on a heap of their own (base/blocks.h). What luaL_newstate does besides, which the
 * auxiliary library keeps to itself, is done here: the panic's message and `warn`.
 *
 * Layer: lua. Thread: the one that will run the state.
 */
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include "api/bridge.h"
#include "tutti_lua.h"

static int panic(lua_State *L)
{
    const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "an error object";
    lua_writestringerror("PANIC: unprotected error in call to Lua API (%s)\n", text);
    return 0; /* Lua aborts */
}

static void warn_off(void *user, const char *text, int to_be_continued);
static void warn_on(void *user, const char *text, int to_be_continued);

/* "@on" and "@off" switch; other messages that begin so are for nobody. */
static bool is_control(lua_State *L, const char *text, int to_be_continued)
{
    if (to_be_continued || *text != '@')
        return false;
    if (strcmp(text, "@on") == 0)
        lua_setwarnf(L, warn_on, L);
    else if (strcmp(text, "@off") == 0)
        lua_setwarnf(L, warn_off, L);
    return true;
}

static void warn_off(void *user, const char *text, int to_be_continued)
{
    (void)is_control((lua_State *)user, text, to_be_continued);
}

/* The rest of a message that came in pieces. */
static void warn_more(void *user, const char *text, int to_be_continued)
{
    lua_writestringerror("%s", text);
    if (to_be_continued)
        return;
    lua_writestringerror("%s", "\n");
    lua_setwarnf((lua_State *)user, warn_on, user);
}

static void warn_on(void *user, const char *text, int to_be_continued)
{
    if (is_control((lua_State *)user, text, to_be_continued))
        return;
    lua_writestringerror("%s", "Lua warning: ");
    lua_setwarnf((lua_State *)user, warn_more, user);
    warn_more(user, text, to_be_continued);
}

TUTTI_API lua_State *tutti_lua_newstate(void)
{
    struct tutti__blocks *heap = tutti__blocks_new();
    if (heap == NULL)
        return NULL;
    lua_State *L = lua_newstate(tutti__blocks_realloc, heap);
    tutti__blocks_release(heap); /* from now on it lives as long as its last block: that of L */
    if (L == NULL)
        return NULL;
    lua_atpanic(L, panic);
    lua_setwarnf(L, warn_off, L);
    return L;
}
