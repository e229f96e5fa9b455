/* SPDX-License-Identifier: MIT */
/*
 * protect.c - pcall and xpcall that let the task's live cancellation through, a debug.traceback that
 * knows them, and where they stand: in tutti everywhere, as globals in states that the engine made.
 *
 * Layer: lua. Thread: the state's home.
 */
#include <string.h>

#include "lua/coroutine.h"
#include "lua/read.h"
#include "lua/require.h"

void tutti__protect_pass(lua_State *L)
{
    const struct tutti__lua *lua = tutti__lua_find(L);
    if (tutti__cancel_is_due(lua) && tutti__cancel_is_live(L, lua, -1))
        lua_error(L);
}

/* ---- pcall -------------------------------------------------------------------------------- */

/* `extra` values lie below the results. */
static int protected_end(lua_State *L, int status, lua_KContext extra)
{
    if (status == LUA_OK || status == LUA_YIELD)
        return lua_gettop(L) - (int)extra;
    tutti__protect_pass(L);
    lua_pushboolean(L, 0);
    lua_insert(L, -2);
    return 2;
}

/* pcall(f, ...) -> true, results... | false, error   [-n, +n, y] */
static int l_pcall(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_pushboolean(L, 1);
    lua_insert(L, 1);
    int status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, 0, protected_end);
    return protected_end(L, status, 0);
}

static int on_error(lua_State *L);

/* Does it run in a frame of `of` from `level` on? */
static bool is_handling_from(lua_State *of, int level)
{
    lua_Debug ar;
    for (; lua_getstack(of, level, &ar) && lua_checkstack(of, 1); level++) {
        if (!lua_getinfo(of, "Sf", &ar))
            continue;
        bool is = ar.what[0] == 'C' && lua_tocfunction(of, -1) == on_error;
        lua_pop(of, 1);
        if (is)
            return true;
    }
    return false;
}

/* Is it tutti's misuse error, raised while a message handler runs? */
static bool is_refusal(lua_State *L)
{
    if (!tutti__error_is(L, 1))
        return false;
    tutti__error_get(L, 1, "kind");
    bool is_usage = lua_type(L, -1) == LUA_TSTRING && strcmp(lua_tostring(L, -1), "usage") == 0;
    lua_pop(L, 1);
    return is_usage && is_handling_from(L, 1);
}

/* The message handler of xpcall: the script's own, upvalue 1, is not asked about a live cancellation. */
static int on_error(lua_State *L)
{
    const struct tutti__lua *lua = tutti__lua_find(L);
    lua_settop(L, 1);
    if (tutti__cancel_is_due(lua) && tutti__cancel_is_live(L, lua, 1))
        return 1;
    if (is_refusal(L)) /* from the script's handler: to ask it again would end in a stack overflow */
        return 1;
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, 1, 1);
    return 1;
}

bool tutti__protect_is_handling(lua_State *of)
{
    return is_handling_from(of, 0);
}

/* xpcall(f, handler, ...) -> true, results... | false, what the handler returned   [-n, +n, y] */
static int l_xpcall(lua_State *L)
{
    int count = lua_gettop(L) - 2;
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_pushvalue(L, 2);
    lua_pushcclosure(L, on_error, 1);
    lua_replace(L, 2);
    lua_pushboolean(L, 1);
    lua_pushvalue(L, 1);
    lua_rotate(L, 3, 2); /* f, handler, true, f, arguments */
    int status = lua_pcallk(L, count, LUA_MULTRET, 2, 2, protected_end);
    return protected_end(L, status, 2);
}

/* ---- tracebacks --------------------------------------------------------------------------- */

/* Frames of ours that a traceback of `of` from `level` on shows: the wrapper of an xpcall handler, and the
 * body of a script's coroutine. */
static bool is_ours(lua_State *L, lua_State *of, int level)
{
    lua_Debug ar;
    if (!lua_getstack(of, level, &ar) || !lua_checkstack(of, 1) || !lua_getinfo(of, "f", &ar))
        return false;
    lua_xmove(of, L, 1);
    bool ours = lua_tocfunction(L, -1) == on_error || tutti__coroutine_is_body(L, -1);
    lua_pop(L, 1);
    return ours;
}

/* The number of the outermost frame of `of`. */
static int last_level(lua_State *of)
{
    lua_Debug ar;
    int low = 0;
    int high = 1;
    while (lua_getstack(of, high, &ar)) {
        low = high;
        high *= 2;
    }
    while (low + 1 < high) {
        int middle = (low + high) / 2;
        if (lua_getstack(of, middle, &ar))
            low = middle;
        else
            high = middle;
    }
    return low;
}

static const char *next_line(const char *at)
{
    const char *end = strchr(at, '\n');
    return end == NULL ? at + strlen(at) : end + 1;
}

/* Of a handler's traceback these frames are looked at: luaL_traceback shows so many before a gap. */
enum { FRAMES_SEEN = 10 };

/* A traceback of `of` from `level` on is on top: drop the lines of frames that are ours. */
static void drop_ours(lua_State *L, lua_State *of, int level)
{
    bool drop[FRAMES_SEEN];
    size_t length = 0;
    luaL_checkstack(L, LUA_MINSTACK, "a traceback");
    for (int i = 0; i < FRAMES_SEEN; i++)
        drop[i] = is_ours(L, of, level + i);
    bool drop_last = is_ours(L, of, last_level(of));
    const char *text = lua_tolstring(L, -1, &length);
    const char *end = next_line(text); /* stack traceback: */
    luaL_Buffer kept;
    luaL_buffinit(L, &kept);
    luaL_addlstring(&kept, text, (size_t)(end - text));
    for (int frame = -1; *end != '\0';) {
        const char *line = end;
        end = next_line(line);
        frame += strncmp(line, "\t(...tail", strlen("\t(...tail")) != 0;
        bool is_last = *end == '\0' && drop_last;
        if (!is_last && (frame < 0 || frame >= FRAMES_SEEN || !drop[frame]))
            luaL_addlstring(&kept, line, (size_t)(end - line));
    }
    luaL_pushresult(&kept);
    lua_remove(L, -2);
    text = lua_tolstring(L, -1, &length);
    if (length > 0 && text[length - 1] == '\n') {
        lua_pushlstring(L, text, length - 1);
        lua_remove(L, -2);
    }
}

/* Keep where it dies in the table thread (weak) -> text. */
int tutti__protect_death(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_find(L);
    if (tutti__cancel_is_due(lua) && tutti__cancel_is_live(L, lua, 1))
        return 1;
    tutti__lua_weak_table(L, lua, "deaths");
    lua_pushthread(L);
    luaL_traceback(L, L, NULL, 1);
    drop_ours(L, L, 1);
    lua_rawset(L, -3);
    lua_settop(L, 1);
    return 1;
}

/* Push the text of where a thread died of an error, or nil. */
static void push_death(lua_State *L, lua_State *of)
{
    int status = lua_status(of);
    if (status == LUA_OK || status == LUA_YIELD || L == of) {
        lua_pushnil(L);
        return;
    }
    tutti__lua_weak_table(L, tutti__lua_find(L), "deaths");
    lua_pushthread(of);
    lua_xmove(of, L, 1);
    lua_rawget(L, -2);
    lua_remove(L, -2);
}

/* debug.traceback([thread,] [message [, level]]) -> string   [-3, +1, m] */
static int l_traceback(lua_State *L)
{
    lua_State *of = lua_isthread(L, 1) ? lua_tothread(L, 1) : L;
    int arg = lua_isthread(L, 1) ? 1 : 0;
    const char *message = lua_tostring(L, arg + 1);
    if (message == NULL && !lua_isnoneornil(L, arg + 1)) {
        lua_pushvalue(L, arg + 1); /* returned untouched */
        return 1;
    }
    int level = (int)luaL_optinteger(L, arg + 2, L == of ? 1 : 0);
    if (!lua_checkstack(of, 2))
        return luaL_error(L, "stack overflow");
    push_death(L, of);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        luaL_traceback(L, of, NULL, level);
        drop_ours(L, of, level);
    }
    if (message != NULL) {
        lua_pushfstring(L, "%s\n", message);
        lua_insert(L, -2);
        lua_concat(L, 2);
    }
    return 1;
}

/* ---- call --------------------------------------------------------------------------------- */

static int call_end(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    return lua_gettop(L);
}

/* core.call(f, ...) -> results: f is called from C, so that no Lua function is its caller   [-n, +n, y] */
static int l_call(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_callk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, call_end);
    return lua_gettop(L);
}

/* ---- where they stand --------------------------------------------------------------------- */

static const luaL_Reg functions[] = { { "pcall", l_pcall }, { "xpcall", l_xpcall }, { NULL, NULL } };

void tutti__protect_functions(lua_State *L, struct tutti__lua *lua)
{
    lua_newtable(L);
    luaL_setfuncs(L, functions, 0);
    tutti__lua_helper(L, lua, "rawpcall");
    lua_setfield(L, -2, "rawpcall");
    if (lua->is_own) {
        lua_getglobal(L, "coroutine");
    } else {
        lua_newtable(L);
        tutti__coroutine_functions(L);
    }
    lua_setfield(L, -2, "coroutine");
    lua_setfield(L, -2, "protected");
    lua_pushcfunction(L, l_call);
    lua_setfield(L, -2, "call");
}

void tutti__protect_globals(lua_State *L, struct tutti__lua *lua)
{
    lua->is_own = true;
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    luaL_setfuncs(L, functions, 0);
    if (lua_getfield(L, -1, "coroutine") == LUA_TTABLE)
        tutti__coroutine_functions(L);
    lua_pop(L, 1);
    if (lua_getfield(L, -1, "debug") == LUA_TTABLE) {
        lua_pushcfunction(L, l_traceback);
        lua_setfield(L, -2, "traceback");
    }
    lua_pop(L, 2);
    tutti__read_globals(L);
    tutti__require_global(L, lua);
}
