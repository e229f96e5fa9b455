/* SPDX-License-Identifier: MIT */
/*
 * traceback.c - the stack of a coroutine as text, for errors that are made by the thousand.
 *
 * Layer: lua. Thread: the state's home.
 */
#include "lua/traceback.h"

#include <string.h>

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

static void push_text(lua_State *L, int level)
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

/* ---- stacks that have been seen ------------------------------------------------------------ */

/* Stacks of more frames are not kept, and no more texts than these. */
enum { KEY_FRAMES = 8, KEPT_MAX = 64 };

/* All that the text of a frame is made of, but for the name of its function: that is how the frame below
 * it calls it, in the line that is given there. */
struct frame {
    lua_CFunction function; /* NULL: of Lua */
    uint32_t source;
    int line;
    int line_defined;
    int is_tail_call;
};

static bool note_frame(lua_State *L, struct tutti__lua *lua, lua_Debug *ar, struct frame *frame)
{
    (void)lua_getinfo(L, "Sltf", ar);
    frame->function = lua_tocfunction(L, -1);
    lua_pop(L, 1);
    frame->line = ar->currentline;
    frame->line_defined = ar->linedefined;
    frame->is_tail_call = ar->istailcall;
    if (frame->function != NULL)
        return true;
    if (ar->source[0] != '@')
        return false; /* a chunk of text has no name of its own */
    frame->source = tutti__record_source(L, lua, ar->source);
    return true;
}

/* Push a string that stands for the stack. Returns: false, and nothing is pushed: it has none. */
static bool push_key(lua_State *L, struct tutti__lua *lua, int level)
{
    struct frame frames[KEY_FRAMES];
    lua_Debug ar;
    size_t count = 0;
    memset(frames, 0, sizeof frames);
    for (; lua_getstack(L, level, &ar) != 0; level++) {
        if (count == KEY_FRAMES || !note_frame(L, lua, &ar, &frames[count]))
            return false;
        count++;
    }
    lua_pushlstring(L, (const char *)frames, count * sizeof *frames);
    return true;
}

/* Push the table of what is kept. */
static void push_kept(lua_State *L, struct tutti__lua *lua)
{
    if (lua->ref_traces != 0 && lua->traces_count < KEPT_MAX) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, lua->ref_traces);
        return;
    }
    lua_newtable(L);
    lua_pushvalue(L, -1);
    if (lua->ref_traces == 0)
        lua->ref_traces = luaL_ref(L, LUA_REGISTRYINDEX);
    else
        lua_rawseti(L, LUA_REGISTRYINDEX, lua->ref_traces);
    lua->traces_count = 0;
}

void tutti__traceback(lua_State *L, struct tutti__lua *lua, int level)
{
    luaL_checkstack(L, LUA_MINSTACK, "to show the stack");
    if (!push_key(L, lua, level)) {
        push_text(L, level);
        return;
    }
    push_kept(L, lua);
    lua_pushvalue(L, -2);
    if (lua_rawget(L, -2) == LUA_TNIL) {
        lua_pop(L, 1);
        push_text(L, level);
        lua_pushvalue(L, -3);
        lua_pushvalue(L, -2);
        lua_rawset(L, -4);
        lua->traces_count++;
    }
    lua_replace(L, -3);
    lua_pop(L, 1);
}
