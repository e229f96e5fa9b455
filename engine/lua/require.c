/* SPDX-License-Identifier: MIT */
/*
 * require.c - see require.h. What is not about tasks is Lua's own require, word for word.
 *
 *     loads (weak values): name -> load      the load lies in a to-be-closed slot of the require that runs it
 *
 * A task that requires what another loads waits for it, linked at that task as an await would be: so a
 * circle of waits is found like any other. Who cannot wait (outside any task, in a comparator, in the load
 * itself) loads the module once more, as Lua does.
 *
 * Layer: lua. Thread: the state's home.
 * Invariant: whoever waits for a load is linked at its owner until the load is over; a load in a coroutine
 * that was dropped is over when it is collected, or its task ends.
 */
#include "lua/require.h"

#include "lua/coroutine.h"
#include "lua/cycle.h"

enum { UP_LUA = 1, UP_PACKAGE, UP_LOADS };

/* Stack of require. */
enum { AT_NAME = 1, AT_LOADED, AT_LOAD, AT_DATA, AT_LOADER };

/* A module that is being loaded by `owner`, which its user value keeps. */
struct load {
    struct tutti__record *owner;
    const struct tutti__record *root; /* of the owner's world, see testing.c */
    bool is_over;
};

/* ---- waiting for another's load ----------------------------------------------------------- */

static int attempt(lua_State *L);

static int wait_over(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    struct tutti__lua *lua = tutti__lua_of(L);
    tutti__checkpoint(L, lua);
    if (tutti__cycle_take_error(L, lua))
        return lua_error(L);
    return attempt(L);
}

static int wait_for(lua_State *L, struct load *load)
{
    struct tutti__record *me = tutti__wait_check(L, tutti__lua_of(L), "require");
    tutti__waiter_link(&me->await, load->owner);
    tutti__cycle_wait(L, me);
    return tutti__wait(L, WAITS_FOR_LOAD, load, 0, wait_over);
}

/* ---- loads -------------------------------------------------------------------------------- */

/* __close, __gc: let those who wait look again; the first of them may have to load. */
static int load_end(lua_State *L)
{
    struct load *load = (struct load *)lua_touserdata(L, 1);
    if (load->is_over)
        return 0;
    load->is_over = true;
    struct tutti__waiter *next = NULL;
    for (struct tutti__waiter *at = load->owner->waiters_first; at != NULL; at = next) {
        next = at->next;
        if (at->owner->waits_for != WAITS_FOR_LOAD || at->owner->op != load)
            continue;
        tutti__waiter_unlink(at);
        tutti__wait_end(at->owner);
    }
    return 0;
}

/* The load of `name` that goes on, or NULL. */
static struct load *find_load(lua_State *L, const char *name)
{
    lua_getfield(L, lua_upvalueindex(UP_LOADS), name);
    struct load *load = (struct load *)lua_touserdata(L, -1);
    lua_pop(L, 1); /* the stack of the require that runs it keeps it */
    bool goes_on = load != NULL && !load->is_over && !tutti__record_is_settled(load->owner);
    return goes_on ? load : NULL;
}

/* Would the current task wait for itself, through those that wait for each other's loads? */
static bool is_own(const struct load *load, const struct tutti__record *me)
{
    while (load->owner != me && load->owner->waits_for == WAITS_FOR_LOAD)
        load = (const struct load *)load->owner->op;
    return load->owner == me;
}

static bool may_wait(lua_State *L, const struct tutti__lua *lua, const struct load *load)
{
    return tutti__wait_is_possible(L, lua) && load->root == lua->root && !is_own(load, lua->current);
}

static void begin_load(lua_State *L, struct tutti__lua *lua, const char *name)
{
    struct load *load = (struct load *)lua_newuserdatauv(L, sizeof *load, 1);
    *load = (struct load){ lua->current, lua->root, false };
    tutti__record_push(L, lua->current);
    lua_setiuservalue(L, -2, 1);
    luaL_setmetatable(L, "tutti.load");
    lua_replace(L, AT_LOAD);
    lua_toclose(L, AT_LOAD);
    lua_pushvalue(L, AT_LOAD);
    lua_setfield(L, lua_upvalueindex(UP_LOADS), name);
}

/* ---- require ------------------------------------------------------------------------------ */

/* Leave a loader in AT_LOADER and its data in AT_DATA, on top. */
static void find_loader(lua_State *L, const char *name)
{
    enum { SEARCHERS = AT_LOAD + 1, MESSAGE };
    if (lua_getfield(L, lua_upvalueindex(UP_PACKAGE), "searchers") != LUA_TTABLE)
        luaL_error(L, "'package.searchers' must be a table");
    lua_pushliteral(L, "");
    for (lua_Integer i = 1; lua_rawgeti(L, SEARCHERS, i) != LUA_TNIL; i++) {
        lua_pushstring(L, name);
        lua_call(L, 1, 2);
        if (lua_isfunction(L, -2)) {
            lua_replace(L, AT_DATA);
            lua_replace(L, AT_LOADER);
            return;
        }
        lua_pop(L, 1);
        if (lua_isstring(L, -1)) {
            lua_pushfstring(L, "%s\n\t%s", lua_tostring(L, MESSAGE), lua_tostring(L, -1));
            lua_replace(L, MESSAGE);
        }
        lua_pop(L, 1);
    }
    luaL_error(L, "module '%s' not found:%s", name, lua_tostring(L, MESSAGE));
}

/* The loader has returned one value, which is on top. */
static int loaded(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    const char *name = lua_tostring(L, AT_NAME);
    if (!lua_isnil(L, -1))
        lua_setfield(L, AT_LOADED, name);
    else
        lua_pop(L, 1);
    if (lua_getfield(L, AT_LOADED, name) == LUA_TNIL) {
        lua_pushboolean(L, 1);
        lua_copy(L, -1, -2);
        lua_setfield(L, AT_LOADED, name);
    }
    if (!lua_isnil(L, AT_LOAD))
        lua_closeslot(L, AT_LOAD);
    lua_pushvalue(L, AT_DATA);
    return 2;
}

static int attempt(lua_State *L)
{
    struct tutti__lua *lua = (struct tutti__lua *)lua_touserdata(L, lua_upvalueindex(UP_LUA));
    const char *name = lua_tostring(L, AT_NAME);
    lua_settop(L, AT_NAME);
    lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_getfield(L, AT_LOADED, name);
    if (lua_toboolean(L, -1))
        return 1;
    lua_pop(L, 1);
    struct load *load = lua->current == NULL ? NULL : find_load(L, name);
    if (load != NULL && may_wait(L, lua, load))
        return wait_for(L, load);
    lua_pushnil(L); /* AT_LOAD */
    find_loader(L, name);
    if (lua->current != NULL && load == NULL)
        begin_load(L, lua, name);
    lua_pushvalue(L, AT_NAME);
    lua_pushvalue(L, AT_DATA);
    lua_callk(L, 2, 1, 0, loaded);
    return loaded(L, LUA_OK, 0);
}

/* require(name) -> module, loader data   [-1, +2, y] */
static int l_require(lua_State *L)
{
    luaL_checkstring(L, 1);
    return attempt(L);
}

void tutti__require_global(lua_State *L, struct tutti__lua *lua)
{
    static const luaL_Reg methods[] = { { "__close", load_end }, { "__gc", load_end }, { NULL, NULL } };
    luaL_newmetatable(L, "tutti.load");
    luaL_setfuncs(L, methods, 0);
    lua_pop(L, 1);
    lua_pushlightuserdata(L, lua);
    if (lua_getglobal(L, "package") != LUA_TTABLE) {
        lua_pop(L, 2);
        return;
    }
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_pushcclosure(L, l_require, UP_LOADS);
    lua_setglobal(L, "require");
}
