/* SPDX-License-Identifier: MIT */
/*
 * graph_plan.c - see graph_plan.h: the steps of a graph's tasks, and who waits for whom, as lists of numbers.
 *
 * The arrays are userdata on the stack, so that an error of Lua (out of memory) frees them.
 *
 * Layer: lua. Thread: the state's home.
 * Invariant: time and memory are linear in nodes and needs, and nothing recurses.
 */
#include "lua/graph_plan.h"

#include <string.h>

#include "lua/graph_store.h"

enum { ARG_STORE = 1, ARG_CHOSEN, ARG_NUMBERS, SLOT_NEEDS, SLOT_NAMES };

static const int32_t none = 0;     /* the level of a node that has none yet */
static const int32_t on_path = -1; /* and of one whose needs are being walked */

/* Nodes are 0, 1, ... here, in order of addition; positions are numbers in the plan's order. */
struct graph_numbers {
    const struct tutti__graph_store *store;
    int32_t count;
    int32_t *from;  /* [count + 1] the needs of node i are needs[from[i]] ... needs[from[i + 1] - 1] */
    int32_t *needs;
    int32_t needs_size;
    int32_t *levels; /* [count] then positions */
    int32_t highest;
};

static int32_t *new_numbers(lua_State *L, int32_t count)
{
    return (int32_t *)lua_newuserdatauv(L, ((size_t)count + 1) * sizeof(int32_t), 0);
}

/* ---- reading ------------------------------------------------------------------------------ */

static void make_room(lua_State *L, struct graph_numbers *graph, int32_t used, lua_Unsigned more)
{
    if (more > (lua_Unsigned)(INT32_MAX / 4 - used))
        luaL_error(L, "a graph cannot have more than %d needs", INT32_MAX / 4);
    int32_t wanted = used + (int32_t)more;
    if (wanted <= graph->needs_size)
        return;
    int32_t size = wanted > 2 * graph->needs_size ? wanted : 2 * graph->needs_size;
    int32_t *needs = new_numbers(L, size);
    if (used > 0)
        memcpy(needs, graph->needs, (size_t)used * sizeof *needs);
    lua_replace(L, SLOT_NEEDS);
    graph->needs = needs;
    graph->needs_size = size;
}

/* The number of the task that the graph knows by `index`, or -1 if it is none or not chosen. */
static int32_t number_of(lua_State *L, lua_Integer index)
{
    if (index > 0 && lua_istable(L, ARG_NUMBERS)) {
        lua_rawgeti(L, ARG_NUMBERS, index);
        index = lua_tointeger(L, -1);
        lua_pop(L, 1);
    }
    return (int32_t)index - 1;
}

/* Pop the name of a need. */
static int32_t number_of_name(lua_State *L)
{
    lua_rawget(L, SLOT_NAMES);
    lua_Integer index = lua_tointeger(L, -1);
    lua_pop(L, 1);
    return number_of(L, index);
}

/* Read the needs of node i, the first of which comes to place `used`: the place after them, or -k if there
 * is no node for the k-th (1, 2, ...). The node is on top and is popped. */
static int32_t read_node(lua_State *L, struct graph_numbers *graph, int32_t used)
{
    lua_getfield(L, -1, "needs");
    lua_Unsigned count = lua_rawlen(L, -1);
    make_room(L, graph, used, count);
    for (lua_Unsigned k = 1; k <= count; k++) {
        lua_rawgeti(L, -1, (lua_Integer)k);
        int32_t need = number_of_name(L);
        if (need < 0)
            return -(int32_t)k;
        graph->needs[used++] = need;
    }
    lua_pop(L, 2);
    return used;
}

/* The same of a node as the graph's store has it. */
static int32_t read_stored(lua_State *L, struct graph_numbers *graph, int32_t i, int32_t used)
{
    const struct tutti__graph_store *store = graph->store;
    int32_t from = store->nodes[i].from;
    int32_t count = tutti__graph_store_end(store, i) - from;
    make_room(L, graph, used, (lua_Unsigned)count);
    for (int32_t k = 0; k < count; k++) {
        int32_t need = store->needs[from + k] - 1;
        if (need < 0) { /* it was no task's name then */
            tutti__graph_store_push_need(L, ARG_STORE, need + 1);
            need = number_of_name(L);
            if (need < 0)
                return -(k + 1);
        }
        graph->needs[used++] = need;
    }
    return used;
}

/* Read the needs of all; or the k of the first for which there is no node, in `*missing` whose. */
static int32_t read_all(lua_State *L, struct graph_numbers *graph, bool has_chosen, int32_t *missing)
{
    graph->from[0] = 0;
    for (int32_t i = 0; i < graph->count; i++) {
        int32_t used = graph->from[i];
        if (lua_rawgeti(L, ARG_CHOSEN, (lua_Integer)i + 1) == LUA_TTABLE || has_chosen) {
            used = read_node(L, graph, used);
        } else {
            lua_pop(L, 1);
            used = read_stored(L, graph, i, used);
        }
        if (used < 0) {
            *missing = i;
            return -used;
        }
        graph->from[i + 1] = used;
    }
    return 0;
}

/* ---- levels ------------------------------------------------------------------------------- */

/* The level of node i; or `none`, and in `at` the first of its needs, from there on, that has none yet. */
static int32_t level_of(const struct graph_numbers *graph, int32_t i, int32_t *at)
{
    const int32_t *needs = graph->needs;
    int32_t end = graph->from[i + 1];
    int32_t level = 1;
    for (; *at < end; ++*at) {
        if (graph->levels[needs[*at]] <= none)
            return none;
    }
    for (int32_t k = graph->from[i]; k < end; k++) {
        if (graph->levels[needs[k]] >= level)
            level = graph->levels[needs[k]] + 1;
    }
    return level;
}

struct graph_walk {
    int32_t *nodes; /* from the root down; each needs the next */
    int32_t *ats;   /* of each the place of that need */
};

/* Give `root` and all it needs their levels; false if there is a circle. */
static bool walk(struct graph_numbers *graph, struct graph_walk *path, int32_t root)
{
    int32_t depth = 0;
    path->nodes[0] = root;
    path->ats[0] = graph->from[root];
    graph->levels[root] = on_path;
    while (depth >= 0) {
        int32_t i = path->nodes[depth];
        int32_t level = level_of(graph, i, &path->ats[depth]);
        if (level != none) {
            graph->levels[i] = level;
            graph->highest = level > graph->highest ? level : graph->highest;
            depth--;
            continue;
        }
        int32_t need = graph->needs[path->ats[depth]];
        if (graph->levels[need] == on_path)
            return false;
        graph->levels[need] = on_path;
        depth++;
        path->nodes[depth] = need;
        path->ats[depth] = graph->from[need];
    }
    return true;
}

/* The step of each node: 1 if it needs nothing, else one more than the last of its needs. */
static bool find_levels(lua_State *L, struct graph_numbers *graph)
{
    struct graph_walk path = { new_numbers(L, graph->count), new_numbers(L, graph->count) };
    for (int32_t i = 0; i < graph->count; i++) {
        if (graph->levels[i] == none && !walk(graph, &path, i))
            return false;
    }
    lua_pop(L, 2);
    return true;
}

/* ---- order -------------------------------------------------------------------------------- */

/* Push the list where each level begins; `levels` becomes the list of positions. */
static void sort_by_level(lua_State *L, struct graph_numbers *graph)
{
    int32_t *starts = new_numbers(L, graph->highest + 1);
    memset(starts, 0, ((size_t)graph->highest + 2) * sizeof *starts);
    for (int32_t i = 0; i < graph->count; i++)
        starts[graph->levels[i]]++;
    int32_t sum = 0;
    lua_createtable(L, graph->highest + 1, 0);
    for (int32_t level = 1; level <= graph->highest + 1; level++) {
        int32_t size = starts[level];
        starts[level] = sum;
        lua_pushinteger(L, (lua_Integer)sum + 1);
        lua_rawseti(L, -2, level);
        sum += size;
    }
    for (int32_t i = 0; i < graph->count; i++)
        graph->levels[i] = starts[graph->levels[i]]++;
    lua_remove(L, -2);
}

static void push_list(lua_State *L, const int32_t *numbers, int32_t count)
{
    lua_createtable(L, count, 0);
    for (int32_t i = 0; i < count; i++) {
        lua_pushinteger(L, numbers[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

/* Push the number of the node at each position, and how many it waits for; `order` gets the former too. */
static void push_order(lua_State *L, const struct graph_numbers *graph, int32_t *order)
{
    for (int32_t i = 0; i < graph->count; i++)
        order[graph->levels[i]] = i;
    lua_createtable(L, graph->count, 0);
    lua_createtable(L, graph->count, 0);
    for (int32_t position = 0; position < graph->count; position++) {
        int32_t i = order[position];
        lua_pushinteger(L, (lua_Integer)i + 1);
        lua_rawseti(L, -3, (lua_Integer)position + 1);
        lua_pushinteger(L, graph->from[i + 1] - graph->from[i]);
        lua_rawseti(L, -2, (lua_Integer)position + 1);
    }
}

/* Push where the edges of each position begin, and the edges: positions that wait for it, in order. */
static void push_edges(lua_State *L, const struct graph_numbers *graph, const int32_t *order)
{
    int32_t count = graph->from[graph->count];
    int32_t *first = new_numbers(L, graph->count);
    int32_t *edges = new_numbers(L, count);
    memset(first, 0, ((size_t)graph->count + 1) * sizeof *first);
    for (int32_t k = 0; k < count; k++)
        first[graph->levels[graph->needs[k]]]++;
    int32_t sum = 1;
    for (int32_t position = 0; position <= graph->count; position++) {
        sum += first[position];
        first[position] = sum; /* their end: they are filled in from there backwards */
    }
    for (int32_t position = graph->count - 1; position >= 0; position--) {
        int32_t i = order[position];
        for (int32_t k = graph->from[i]; k < graph->from[i + 1]; k++)
            edges[--first[graph->levels[graph->needs[k]]] - 1] = position + 1;
    }
    push_list(L, first, graph->count + 1);
    push_list(L, edges, count);
    lua_rotate(L, -4, 2);
    lua_pop(L, 2); /* the arrays */
}

/* Push where the needs of each position begin, and the needs: positions that it waits for, in their order. */
static void push_needs(lua_State *L, const struct graph_numbers *graph, const int32_t *order)
{
    lua_createtable(L, graph->count + 1, 0);
    lua_createtable(L, graph->from[graph->count], 0);
    lua_Integer used = 1;
    for (int32_t position = 0; position <= graph->count; position++) {
        lua_pushinteger(L, used);
        lua_rawseti(L, -3, (lua_Integer)position + 1);
        if (position == graph->count)
            break;
        int32_t i = order[position];
        for (int32_t k = graph->from[i]; k < graph->from[i + 1]; k++) {
            lua_pushinteger(L, graph->levels[graph->needs[k]] + 1);
            lua_rawseti(L, -2, used++);
        }
    }
}

/* core.graph_plan(store, chosen, numbers) -> starts, order, waits, first, edges, from, needs; or false if
   there is a circle; or nil, i, k if there is no node for the k-th need of the i-th. `chosen`: a list of
   nodes, and `numbers`: index -> number among them; or, without `numbers`, all of the store but for the nodes
   that stand at their indices in `chosen`. `order` has numbers among those that are planned   [-3, +7, m] */
static int l_graph_plan(lua_State *L)
{
    struct graph_numbers graph = { 0 };
    int32_t missing = 0;
    lua_settop(L, SLOT_NEEDS);
    graph.store = tutti__graph_store_check(L, ARG_STORE);
    luaL_checktype(L, ARG_CHOSEN, LUA_TTABLE);
    lua_getiuservalue(L, ARG_STORE, STORE_NUMBERS); /* SLOT_NAMES */
    bool has_chosen = lua_istable(L, ARG_NUMBERS);
    graph.count = has_chosen ? (int32_t)lua_rawlen(L, ARG_CHOSEN) : graph.store->count;
    graph.from = new_numbers(L, graph.count);
    int32_t k = read_all(L, &graph, has_chosen, &missing);
    if (k > 0) {
        lua_pushnil(L);
        lua_pushinteger(L, (lua_Integer)missing + 1);
        lua_pushinteger(L, k);
        return 3;
    }
    graph.levels = new_numbers(L, graph.count);
    memset(graph.levels, 0, ((size_t)graph.count + 1) * sizeof *graph.levels);
    if (!find_levels(L, &graph)) {
        lua_pushboolean(L, 0);
        return 1;
    }
    int32_t *order = new_numbers(L, graph.count);
    sort_by_level(L, &graph);
    push_order(L, &graph, order);
    push_edges(L, &graph, order);
    push_needs(L, &graph, order);
    return 7;
}

const luaL_Reg tutti__graph_plan_functions[] = {
    { "graph_plan", l_graph_plan },
    { NULL, NULL },
};
