/* SPDX-License-Identifier: MIT */
/*
 * traceback.c - the stack of a coroutine as text, for errors that are made by the thousand.
 *
 * Layer: lua. Thread: the state's home.
 */
#include "lua/traceback.h"

#include <stdbool.h>

#include <lauxlib.h>

/* Of a deep stack the first and the last frames are shown, as many as luaL_traceback shows. */
enum { FIRST_SHOWN = 10, LAST_SHOWN = 11 };

static bool has_level(lua_State *L, int level)
{
    lua_Debug ar;
    return lua_getstack(L, level, &ar) != 0;
}

/* The number of frames: that many steps at most, each twice as far as the one before, and half as far. */
static int count_levels(lua_State *L)
{
    int low = 0, high = 1;
    while (has_level(L, high)) {
        low = high;
        high *= 2;
    }
    while (high - low > 1) {
        int middle = low + (high - low) / 2;
        *(has_level(L, middle) ? &low : &high) = middle;
    }
    return high;
}

static void add_function(luaL_Buffer *text, lua_State *L, const lua_Debug *ar)
{
    if (ar->namewhat[0] == 'g')
        lua_pushfstring(L, "function '%s'", ar->name);
    else if (ar->namewhat[0] != '\0')
        lua_pushfstring(L, "%s '%s'", ar->namewhat, ar->name);
    else if (ar->what[0] == 'm')
        lua_pushliteral(L, "main chunk");
    else if (ar->what[0] == 'C')
        lua_pushliteral(L, "?");
    else
        lua_pushfstring(L, "function <%s:%d>", ar->short_src, ar->linedefined);
    luaL_addvalue(text);
}

static void add_frame(luaL_Buffer *text, lua_State *L, const lua_Debug *ar)
{
    if (ar->currentline <= 0)
        lua_pushfstring(L, "\n\t%s: in ", ar->short_src);
    else
        lua_pushfstring(L, "\n\t%s:%d: in ", ar->short_src, ar->currentline);
    luaL_addvalue(text);
    add_function(text, L, ar);
    if (ar->istailcall)
        luaL_addstring(text, "\n\t(...tail calls...)");
}

void tutti__traceback(lua_State *L, int level)
{
    luaL_Buffer text;
    lua_Debug ar;
    int count = count_levels(L);
    int skip_from = count - level > FIRST_SHOWN + LAST_SHOWN ? level + FIRST_SHOWN : count;
    luaL_buffinit(L, &text);
    luaL_addstring(&text, "stack traceback:");
    for (; level < count && lua_getstack(L, level, &ar); level++) {
        if (level == skip_from) {
            lua_pushfstring(L, "\n\t...\t(skipping %d levels)", count - LAST_SHOWN - level);
            luaL_addvalue(&text);
            level = count - LAST_SHOWN - 1;
            continue;
        }
        (void)lua_getinfo(L, "Slnt", &ar);
        add_frame(&text, L, &ar);
    }
    luaL_pushresult(&text);
}
