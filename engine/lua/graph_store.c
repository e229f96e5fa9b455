/* SPDX-License-Identifier: MIT */
/*
 * graph_store.c - see graph_store.h.
 *
 * The arrays are userdata, so that they go with the store and need no finaliser.
 *
 * Layer: lua. Thread: the state's home.
 * Invariant: an error of Lua (out of memory) leaves the store as it was, but for names in STORE_LATER that
 * nobody needs.
 */
#include "lua/graph_store.h"

#include <string.h>

#include "lua/graph.h"

static const char type_name[] = "tutti.graph_store";

enum { NODES_FIRST = 16, COUNT_MAX = INT32_MAX / 4 };

struct tutti__graph_store *tutti__graph_store_check(lua_State *L, int index)
{
    return (struct tutti__graph_store *)luaL_checkudata(L, index, type_name);
}

/* ---- room --------------------------------------------------------------------------------- */

/* Put an array of so many bytes, of which the first `used` are those of the one that is there, into `slot` of
 * the store at `index`. */
static void *grow_array(lua_State *L, int index, int slot, size_t bytes, size_t used)
{
    lua_getiuservalue(L, index, slot);
    const void *old = lua_touserdata(L, -1);
    void *array = lua_newuserdatauv(L, bytes, 0);
    if (used > 0)
        memcpy(array, old, used);
    lua_setiuservalue(L, index, slot);
    lua_pop(L, 1);
    return array;
}

static int32_t larger(lua_State *L, int32_t size, int32_t used, lua_Unsigned more, const char *what)
{
    if (more > (lua_Unsigned)(COUNT_MAX - used))
        luaL_error(L, "a graph cannot have more than %d %s", COUNT_MAX, what);
    int32_t wanted = used + (int32_t)more;
    int32_t doubled = size < NODES_FIRST ? NODES_FIRST : 2 * size;
    return wanted > doubled ? wanted : doubled;
}

void tutti__graph_store_grow(lua_State *L, struct tutti__graph_store *store, int index, lua_Unsigned needs)
{
    if (store->count == store->size) {
        int32_t size = larger(L, store->size, store->count, 1, "tasks");
        store->nodes = (struct tutti__graph_node *)grow_array(
            L, index, STORE_NODES, (size_t)size * sizeof *store->nodes,
            (size_t)store->count * sizeof *store->nodes);
        store->size = size;
    }
    if (needs > (lua_Unsigned)(store->needs_size - store->used)) {
        int32_t size = larger(L, store->needs_size, store->used, needs, "needs");
        store->needs = (int32_t *)grow_array(L, index, STORE_NEEDS, (size_t)size * sizeof *store->needs,
                                             (size_t)store->used * sizeof *store->needs);
        store->needs_size = size;
    }
}

/* ---- names and lines ---------------------------------------------------------------------- */

/* Pop the text: its number in the list that is the store's user value `slot`, one more than `*count` if it
 * is new there. */
static int32_t intern(lua_State *L, int index, int slot, int32_t *count)
{
    lua_getiuservalue(L, index, slot);
    lua_pushvalue(L, -2);
    lua_rawget(L, -2);
    int32_t number = (int32_t)lua_tointeger(L, -1);
    lua_pop(L, 1);
    if (number == 0) {
        number = *count + 1;
        lua_pushvalue(L, -2);
        lua_rawseti(L, -2, number);
        lua_pushvalue(L, -2);
        lua_pushinteger(L, number);
        lua_rawset(L, -3);
        *count = number;
    }
    lua_pop(L, 2);
    return number;
}

static int32_t new_line(lua_State *L, struct tutti__graph_store *store, int index)
{
    lua_getiuservalue(L, index, STORE_PLACES);
    tutti__graph_push_place(L, lua_tostring(L, -2));
    lua_rotate(L, -3, -1); /* the list, the place, the text */
    int32_t number = intern(L, index, STORE_LINES, &store->lines_count);
    lua_rawseti(L, -2, number);
    lua_pop(L, 1);
    return number;
}

int32_t tutti__graph_store_line(lua_State *L, struct tutti__graph_store *store, int index)
{
    const char *text = lua_tostring(L, -1);
    if (text == NULL) {
        lua_pop(L, 1);
        return 0;
    }
    size_t slot = ((uintptr_t)text >> 4) % TUTTI__GRAPH_LINES;
    if (store->lines[slot].text == text) {
        lua_pop(L, 1);
        return store->lines[slot].number;
    }
    /* The same text may be another string, if it is long: only the one in the list is sure to stay. */
    int32_t number = new_line(L, store, index);
    lua_getiuservalue(L, index, STORE_LINES);
    lua_rawgeti(L, -1, number);
    if (lua_tostring(L, -1) == text) {
        store->lines[slot].text = text;
        store->lines[slot].number = number;
    }
    lua_pop(L, 2);
    return number;
}

int32_t tutti__graph_store_find(lua_State *L, struct tutti__graph_store *store, int index)
{
    lua_getiuservalue(L, index, STORE_NUMBERS);
    lua_pushvalue(L, -2);
    lua_rawget(L, -2);
    int32_t number = (int32_t)lua_tointeger(L, -1);
    lua_pop(L, 2);
    if (number == 0)
        return -intern(L, index, STORE_LATER, &store->later_count);
    lua_pop(L, 1);
    return number;
}

void tutti__graph_store_push_need(lua_State *L, int index, int32_t need)
{
    lua_getiuservalue(L, index, need > 0 ? STORE_NAMES : STORE_LATER);
    lua_rawgeti(L, -1, need > 0 ? need : -need);
    lua_remove(L, -2);
}

/* ---- nodes -------------------------------------------------------------------------------- */

static void set_at(lua_State *L, int index, int slot, int32_t number)
{
    lua_getiuservalue(L, index, slot);
    lua_insert(L, -2);
    lua_rawseti(L, -2, number);
    lua_pop(L, 1);
}

void tutti__graph_store_add(lua_State *L, struct tutti__graph_store *store, int index,
                            struct tutti__graph_node node, int32_t needs_count)
{
    int32_t number = store->count + 1;
    set_at(L, index, STORE_FUNCTIONS, number);
    lua_pushvalue(L, -1);
    set_at(L, index, STORE_NAMES, number);
    lua_getiuservalue(L, index, STORE_NUMBERS);
    lua_insert(L, -2);
    lua_pushinteger(L, number);
    lua_rawset(L, -3);
    lua_pop(L, 1);
    node.from = store->used;
    store->nodes[store->count] = node;
    store->used += needs_count;
    store->count = number;
}

/* core.graph_store() -> store, names, functions, numbers: its lists, which are only read   [-0, +4, m] */
static int l_store(lua_State *L)
{
    struct tutti__graph_store *store =
        (struct tutti__graph_store *)lua_newuserdatauv(L, sizeof *store, STORE_VALUES);
    memset(store, 0, sizeof *store);
    luaL_newmetatable(L, type_name);
    lua_setmetatable(L, -2);
    int index = lua_gettop(L);
    for (int slot = STORE_NAMES; slot <= STORE_LATER; slot++) {
        lua_newtable(L);
        lua_setiuservalue(L, index, slot);
    }
    for (int slot = STORE_NAMES; slot <= STORE_NUMBERS; slot++)
        lua_getiuservalue(L, index, slot);
    return 4;
}

/* core.graph_note(store, name, f or false, needs, line, caller) -> its index: a node that has been made
   already   [-6, +1, m] */
static int l_note(lua_State *L)
{
    enum { STORE = 1, NAME, F, NEEDS, LINE, CALLER };
    struct tutti__graph_store *store = tutti__graph_store_check(L, STORE);
    lua_settop(L, CALLER);
    lua_Unsigned count = lua_rawlen(L, NEEDS);
    tutti__graph_store_grow(L, store, STORE, count);
    for (lua_Unsigned k = 0; k < count; k++) {
        lua_rawgeti(L, NEEDS, (lua_Integer)k + 1);
        store->needs[store->used + (int32_t)k] = tutti__graph_store_find(L, store, STORE);
    }
    struct tutti__graph_node node = { 0 };
    node.caller = tutti__graph_store_line(L, store, STORE);
    node.line = tutti__graph_store_line(L, store, STORE);
    lua_pop(L, 1);
    tutti__graph_store_add(L, store, STORE, node, (int32_t)count);
    lua_pushinteger(L, store->count);
    return 1;
}

static void push_line(lua_State *L, int32_t number)
{
    lua_getiuservalue(L, 1, STORE_LINES);
    lua_rawgeti(L, -1, number); /* nil: none */
    lua_remove(L, -2);
}

/* core.graph_read(store, index) -> list of needs or nil, line, caller   [-2, +3, m] */
static int l_read(lua_State *L)
{
    struct tutti__graph_store *store = tutti__graph_store_check(L, 1);
    lua_Integer index = luaL_checkinteger(L, 2);
    luaL_argcheck(L, index >= 1 && index <= store->count, 2, "no such task");
    int32_t i = (int32_t)index - 1;
    int32_t from = store->nodes[i].from;
    int32_t count = tutti__graph_store_end(store, i) - from;
    if (count == 0) {
        lua_pushnil(L);
    } else {
        lua_createtable(L, count, 0);
        for (int32_t k = 0; k < count; k++) {
            tutti__graph_store_push_need(L, 1, store->needs[from + k]);
            lua_rawseti(L, -2, k + 1);
        }
    }
    push_line(L, store->nodes[i].line);
    push_line(L, store->nodes[i].caller);
    return 3;
}

/* core.graph_count(store) -> how many nodes it has   [-1, +1, v] */
static int l_count(lua_State *L)
{
    lua_pushinteger(L, tutti__graph_store_check(L, 1)->count);
    return 1;
}

const luaL_Reg tutti__graph_store_functions[] = {
    { "graph_store", l_store },
    { "graph_note", l_note },
    { "graph_read", l_read },
    { "graph_count", l_count },
    { NULL, NULL },
};
