/* SPDX-License-Identifier: MIT */
/*
 * uv.c - see uv.h.
 *
 * luv is not linked: the very file that `require "luv"` would load is opened first and told, before
 * it makes a loop of its own, which loop and which protected call to use.
 *
 * luv's handles and requests are memory of the Lua state that libuv keeps pointers to, and luv
 * frees a handle that is closing before libuv has closed it. So nothing of luv may be left when
 * finalisers run. Lua runs them youngest first; a guard that is always younger than the youngest
 * handle closes them all and lets the loop finish (guard_collect).
 *
 * Layer: lua. Thread: the loop state's home. Locks: none.
 * Invariant: luv's callbacks run on lua->service, from within a round of the loop, with no current
 * task.
 */
#include "lua/uv.h"
#include "lua/waits.h"

#include <dlfcn.h>
#include <string.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wstrict-prototypes" /* luv 1.44 has a typedef without one */
#include <luv/luv.h>
#pragma GCC diagnostic pop

/* ---- callbacks ----------------------------------------------------------------------------- */

static const char *const error_name = "callback_failed"; /* helper of lua/tutti/uv.lua */

/* Stack: [1] what a callback has raised. It becomes a failed task that nobody awaits. */
static int give_owner(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_find(L);
    tutti__error_wrap(L, lua, NULL); /* an error without memory was not made an object */
    tutti__lua_helper(L, lua, error_name);
    lua_insert(L, 1);
    lua_call(L, 1, 0);
    return 0;
}

/* What luv calls instead of lua_pcall: the function and its arguments are on top of the stack.
 * Returns the number of results, or a negative status. */
static int call_back(lua_State *L, int nargs, int nresults, int flags)
{
    struct tutti__lua *lua = tutti__lua_find(L);
    int base = lua_gettop(L) - nargs;
    (void)flags;
    if (lua->home->pump == NULL || !lua_checkstack(L, LUA_MINSTACK)) {
        lua_settop(L, base - 1); /* the state is at its end: nobody is left to hear of it */
        return -LUA_ERRRUN;
    }
    lua_pushcfunction(L, tutti__error_handler);
    lua_insert(L, base);
    int rc = lua_pcall(L, nargs, nresults, base);
    lua_remove(L, base);
    if (rc == LUA_OK)
        return nresults == LUA_MULTRET ? lua_gettop(L) - base + 1 : nresults;
    lua_pushcfunction(L, give_owner);
    lua_insert(L, -2);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        lua_writestringerror("tutti: in a luv callback: %s\n", luaL_tolstring(L, -1, NULL));
        lua_pop(L, 2);
    }
    return -rc;
}

/* ---- opening ------------------------------------------------------------------------------- */

/* From core.uv_open to the line that first says tutti.uv: the chunk of lua/tutti/uv.lua, require,
 * __index of tutti (or tutti.await), that line. */
enum { FIRST_USE_LEVEL = 4 };

struct luv {
    uv_loop_t *(*loop)(lua_State *L);
    void (*set_loop)(lua_State *L, uv_loop_t *loop);
    void (*set_callback)(lua_State *L, luv_CFpcall pcall);
};

/* Push the path of the file that require would load. */
static const char *push_luv_path(lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_getfield(L, -1, "package");
    lua_getfield(L, -1, "searchpath");
    lua_pushliteral(L, "luv");
    lua_getfield(L, -3, "cpath");
    lua_call(L, 2, 2);
    const char *path = lua_tostring(L, -2);
    if (path == NULL)
        tutti__usage(L, FIRST_USE_LEVEL,
                     "tutti.uv needs the Lua module \"luv\" (Debian: lua-luv):%s",
                     lua_tostring(L, -1));
    return path;
}

static void *find_symbol(lua_State *L, void *library, const char *name, const char *path)
{
    void *symbol = dlsym(library, name);
    if (symbol == NULL)
        tutti__usage(L, FIRST_USE_LEVEL, "tutti.uv: \"%s\" has no %s: luv 1.30 or later is needed",
                     path, name);
    return symbol;
}

static void load_luv(lua_State *L, struct luv *luv)
{
    const char *path = push_luv_path(L);
    /* Never closed: require opens the same file again and keeps it as long as the state. */
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        tutti__usage(L, FIRST_USE_LEVEL, "tutti.uv: opening \"%s\": %s", path, dlerror());
    *(void **)&luv->loop = find_symbol(L, library, "luv_loop", path);
    *(void **)&luv->set_loop = find_symbol(L, library, "luv_set_loop", path);
    *(void **)&luv->set_callback = find_symbol(L, library, "luv_set_callback", path);
}

static bool is_field_set(lua_State *L, const char *table, const char *field)
{
    lua_getfield(L, LUA_REGISTRYINDEX, table);
    bool is_set = lua_istable(L, -1) && lua_getfield(L, -1, field) != LUA_TNIL;
    return is_set;
}

/* core.uv_open() -> the table of luv, bound to the engine's loop   [-0, +1, v] */
static int l_uv_open(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    struct luv luv;
    uv_loop_t *loop = (uv_loop_t *)tutti__bridge_uv_loop(lua->engine);
    bool is_loaded = is_field_set(L, LUA_LOADED_TABLE, "luv");
    if (!is_loaded && is_field_set(L, LUA_PRELOAD_TABLE, "luv"))
        return tutti__usage(L, FIRST_USE_LEVEL,
                            "tutti.uv: this program has a luv of its own built in "
                            "(package.preload.luv), which cannot be given the engine's loop");
    load_luv(L, &luv);
    if (is_loaded && luv.loop(lua->service) != loop)
        return tutti__usage(L, FIRST_USE_LEVEL,
                            "tutti.uv: luv has been opened already, on a loop of its own: use "
                            "tutti.uv before anything does require \"luv\"");
    if (!is_loaded)
        luv.set_loop(lua->service, loop);
    luv.set_callback(lua->service, call_back);
    lua_settop(L, 0);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "luv");
    lua_call(L, 1, 1);
    return 1;
}

/* ---- the end of the state ------------------------------------------------------------------ */

static const char guard_key = 0; /* its address is the registry key of the guard that is armed */

struct guard {
    bool is_armed;
};

struct ending {
    const uv_loop_t *loop;
    bool has_run; /* at least one round, which is what closes handles */
};

/* Requests still in the hands of libuv's threads would be written to after the state is gone. The
 * engine itself makes none. */
static bool is_drained(void *user)
{
    struct ending *ending = (struct ending *)user;
    bool has_run = ending->has_run;
    ending->has_run = true;
    return has_run && ending->loop->closing_handles == NULL && ending->loop->active_reqs.count == 0;
}

static bool is_luv_handle(lua_State *L, int index, int types)
{
    if (lua_type(L, index) != LUA_TUSERDATA || !lua_getmetatable(L, index))
        return false;
    lua_rawget(L, types);
    bool is = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return is;
}

/* The method `name` of the handle on top of the stack: whether it returned true; false if it
 * raised. */
static bool call_method(lua_State *L, const char *name)
{
    lua_getfield(L, -1, name);
    lua_pushvalue(L, -2);
    bool is = lua_pcall(L, 1, 1, 0) == LUA_OK && lua_toboolean(L, -1);
    lua_pop(L, 1);
    return is;
}

/* luv keeps every handle that has not been closed in the registry. */
static int close_handles(lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, "uv_handle"); /* luv's set of metatables */
    int types = lua_gettop(L);
    lua_Integer count = (lua_Integer)lua_rawlen(L, LUA_REGISTRYINDEX);
    for (lua_Integer i = 1; i <= count && lua_istable(L, types); i++) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, i);
        if (is_luv_handle(L, -1, types) && !call_method(L, "is_closing"))
            (void)call_method(L, "close");
        lua_settop(L, types);
    }
    return 0;
}

/* __gc of the guard: only the end of the state collects one that is armed. */
static int guard_collect(lua_State *L)
{
    struct guard *guard = (struct guard *)lua_touserdata(L, 1);
    struct tutti__lua *lua = tutti__lua_find(L);
    if (!guard->is_armed || lua == NULL || lua->engine == NULL)
        return 0;
    guard->is_armed = false;
    tutti__lua_end(lua); /* tasks first: their cleanup may still use luv */
    lua_pushcfunction(L, close_handles);
    (void)lua_pcall(L, 0, 0, 0);
    struct ending ending = { (const uv_loop_t *)tutti__bridge_uv_loop(lua->engine), false };
    (void)tutti__bridge_run_until(lua->engine, is_drained, &ending);
    return 0;
}

/* core.uv_guard(): something of luv has been made: put a younger guard in the old one's place
   [-0, +0, m] */
static int l_uv_guard(lua_State *L)
{
    struct guard *guard = (struct guard *)lua_newuserdatauv(L, sizeof *guard, 0);
    guard->is_armed = true;
    if (luaL_newmetatable(L, "tutti.uv_guard")) {
        lua_pushcfunction(L, guard_collect);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &guard_key) == LUA_TUSERDATA)
        ((struct guard *)lua_touserdata(L, -1))->is_armed = false;
    lua_pop(L, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &guard_key);
    return 0;
}

/* ---- await --------------------------------------------------------------------------------- */

/* One wait for one callback. The userdata is an upvalue of that callback, so a call that comes
 * after the task has gone on finds it and no more. */
struct ticket {
    struct tutti__record *record; /* who waits, or NULL */
    bool is_called;
};

/* The callback. Upvalues: [1] ticket. What it was called with becomes the ticket's user value. */
static int on_called(lua_State *L)
{
    struct ticket *ticket = (struct ticket *)lua_touserdata(L, lua_upvalueindex(1));
    int count = lua_gettop(L);
    if (ticket->is_called)
        return 0; /* of a function that calls it often, the first call counts */
    ticket->is_called = true;
    lua_createtable(L, count, 1);
    lua_insert(L, 1);
    for (int i = count; i >= 1; i--)
        lua_rawseti(L, 1, i);
    lua_pushinteger(L, count);
    lua_setfield(L, 1, "n");
    lua_setiuservalue(L, lua_upvalueindex(1), 1);
    struct tutti__record *record = ticket->record;
    ticket->record = NULL;
    if (record != NULL)
        tutti__wait_end(record);
    return 0;
}

/* Raise kind `io` for a message of luv's, "ENOENT: no such file or directory: x", on top of the
 * stack. */
static int raise_io(lua_State *L)
{
    const char *text = lua_tostring(L, -1);
    const char *colon = strchr(text, ':');
    tutti__error_push(L, tutti__lua_of(L), "io", "tutti.await: %s", text);
    if (colon != NULL && text[0] == 'E') {
        lua_pushlstring(L, text, (size_t)(colon - text));
        tutti__error_set(L, -2, "code");
    }
    return lua_error(L);
}

/* Stack: [1] ticket. luv calls back with an error (a string) or nil first; a callback without a
 * place for an error (of a timer, of spawn) is taken as it comes. */
static int push_outcome(lua_State *L)
{
    lua_settop(L, 1);
    lua_getiuservalue(L, 1, 1);
    lua_getfield(L, 2, "n");
    int count = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
    luaL_checkstack(L, count, "too many values from a callback");
    for (int i = 1; i <= count; i++)
        lua_rawgeti(L, 2, i);
    if (count > 0 && lua_type(L, 3) == LUA_TSTRING) {
        lua_settop(L, 3);
        return raise_io(L);
    }
    return count > 0 && lua_isnil(L, 3) ? count - 1 : count;
}

void tutti__uv_withdraw(struct tutti__record *record)
{
    ((struct ticket *)record->op)->record = NULL;
}

/* Stack: [1] ticket, [2] what the function returned. The task is cancelled: a request that libuv
 * has not begun need not be done. Others cannot be called back; their callback finds nobody. */
static void give_up(lua_State *L)
{
    if (luaL_testudata(L, 2, "uv_req") == NULL && luaL_testudata(L, 2, "uv_fs") == NULL)
        return;
    lua_getfield(L, 2, "cancel");
    lua_pushvalue(L, 2);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK)
        lua_pop(L, 1);
}

static int await_continue(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    struct tutti__lua *lua = tutti__lua_of(L);
    const struct ticket *ticket = (const struct ticket *)lua_touserdata(L, 1);
    if (tutti__cancel_is_due(lua) && !ticket->is_called)
        give_up(L);
    tutti__checkpoint(L, lua);
    return push_outcome(L);
}

static bool is_called(void *user)
{
    return ((const struct ticket *)user)->is_called;
}

static bool at_once(void *user)
{
    (void)user;
    return true;
}

static struct ticket *push_ticket(lua_State *L)
{
    struct ticket *ticket = (struct ticket *)lua_newuserdatauv(L, sizeof *ticket, 1);
    ticket->record = NULL;
    ticket->is_called = false;
    return ticket;
}

/* core.uv_await(f, ...) -> values: call f(..., callback) and wait for the callback   [-n, +m, y] */
static int l_uv_await(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    int count = lua_gettop(L);
    if (lua_type(L, 1) != LUA_TFUNCTION)
        return tutti__usage(L, 1, "tutti.await: a task, or a luv function and its arguments, was "
                                  "expected, got %s", luaL_typename(L, 1));
    if (lua->testing != NULL)
        return tutti__usage(L, 1, "tutti.await: luv lives on the loop outside tutti.testing, which stands "
                                  "still meanwhile");
    struct tutti__record *me = tutti__wait_check(L, lua, "tutti.await");
    if (me == NULL && !tutti__block_on(lua, at_once, NULL))
        return tutti__block_refused(L);
    struct ticket *ticket = push_ticket(L);
    lua_insert(L, 1); /* ticket, f, arguments */
    lua_pushvalue(L, 1);
    lua_pushcclosure(L, on_called, 1);
    lua_call(L, count, 3);
    if (lua_isnil(L, 2) && lua_type(L, 3) == LUA_TSTRING) {
        lua_settop(L, 3);
        return raise_io(L); /* refused at once: the callback will not come */
    }
    lua_settop(L, 2);
    if (!ticket->is_called && me == NULL)
        (void)tutti__block_on(lua, is_called, ticket); /* it could run a moment ago */
    if (ticket->is_called)
        return push_outcome(L);
    ticket->record = me;
    return tutti__wait(L, WAITS_FOR_UV, ticket, 0, await_continue);
}

const luaL_Reg tutti__uv_functions[] = {
    { "uv_open", l_uv_open },
    { "uv_guard", l_uv_guard },
    { "uv_await", l_uv_await },
    { NULL, NULL },
};
