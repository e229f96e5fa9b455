/* SPDX-License-Identifier: MIT */
/*
 * graph_store.h - what a graph declares, as flat lists: a million tables would cost more than all else.
 *
 *     userdata: counts, and pointers to nodes[] and needs[]
 *       user values: those two, the names, the functions, name -> index, the lines, names that came first as
 *       a need
 *
 * A node of lua/tutti/graph/node.lua is made of it when somebody looks (lua/tutti/graph/nodes.lua).
 *
 * Layer: lua. Thread: the state's home.
 * Invariant: entries 1 to count of the lists of names and functions are there; the needs of node i end where
 * those of i + 1 begin.
 */
#ifndef TUTTI_LUA_GRAPH_STORE_H
#define TUTTI_LUA_GRAPH_STORE_H

#include "lua/state.h"

/* User values of the store. */
enum {
    STORE_NODES = 1,
    STORE_NEEDS,
    STORE_NAMES,     /* index -> name */
    STORE_FUNCTIONS, /* index -> function, or false */
    STORE_NUMBERS,   /* name -> index */
    STORE_LINES,     /* number of a line -> its text, and the other way round */
    STORE_PLACES,    /* number of a line -> the place of a record, see core.graph_place */
    STORE_LATER,     /* number -> name that was no task's yet, and the other way round */
    STORE_VALUES = STORE_LATER,
};

struct tutti__graph_node {
    int32_t from;   /* where its needs begin */
    int32_t line;   /* number of the line that added it; 0: none */
    int32_t caller; /* and of the line that called the function which that is in */
};

enum { TUTTI__GRAPH_LINES = 8 };

struct tutti__graph_store {
    int32_t count;
    int32_t size;
    int32_t used; /* needs */
    int32_t needs_size;
    int32_t lines_count;
    int32_t later_count;
    struct tutti__graph_node *nodes;
    int32_t *needs; /* the index of a task, 1, 2, ...; or minus a number of STORE_LATER */
    struct {
        const char *text; /* of an anchored string */
        int32_t number;
    } lines[TUTTI__GRAPH_LINES]; /* by that address: those asked for last */
};

/* The store at `index`, or an error of Lua. */
struct tutti__graph_store *tutti__graph_store_check(lua_State *L, int index);

/* Where the needs of node i (0, 1, ...) end. */
static inline int32_t tutti__graph_store_end(const struct tutti__graph_store *store, int32_t i)
{
    return i + 1 < store->count ? store->nodes[i + 1].from : store->used;
}

/* Make room for one node and so many needs behind `used`. The store is at `index`. */
void tutti__graph_store_grow(lua_State *L, struct tutti__graph_store *store, int index, lua_Unsigned needs);

/* The number of the line whose text (or nil) is on top, which is popped. */
int32_t tutti__graph_store_line(lua_State *L, struct tutti__graph_store *store, int index);

/* Pop the name of a task: its index, or minus its number among those that are none's yet. */
int32_t tutti__graph_store_find(lua_State *L, struct tutti__graph_store *store, int index);

/* Add a node whose `needs_count` needs lie behind `used`. Pops its name, and its function or false above
 * that. */
void tutti__graph_store_add(lua_State *L, struct tutti__graph_store *store, int index,
                            struct tutti__graph_node node, int32_t needs_count);

/* Push the name of a need as the store has it. */
void tutti__graph_store_push_need(lua_State *L, int index, int32_t need);

extern const luaL_Reg tutti__graph_store_functions[];

#endif
