/* SPDX-License-Identifier: MIT */
/*
 * circle.h - graphs of who waits for whom, and the circles in them: awaits that can never end.
 *
 * A node waits for its targets. Most end when all targets have (or fail as soon as one does, which does
 * not matter: one that can never settle holds them for ever); those with ANY go on when one has. What
 * has no target can go on by itself. A node that nothing can ever reach is stuck, and whoever follows
 * stuck nodes runs into a circle.
 *
 * A graph is of one state, taken at one moment. What it says stays true: a wait ends when its target
 * settles, or when it is taken back (cancelled), and then the state's count of those differs. So graphs of
 * several states that were taken at different moments can be looked at together.
 *
 * Layer: lua. Thread: a graph belongs to the home of its state until it is published, then to the lock of
 * the engine's circles.
 */
#ifndef TUTTI_LUA_CIRCLE_H
#define TUTTI_LUA_CIRCLE_H

#include <pthread.h>

#include "lua/state.h"

#define TUTTI__NO_NODE UINT32_MAX

enum tutti__wait_flag {
    WAIT_ANY = 1,   /* one target that settles is enough */
    WAIT_AWAIT = 2, /* a task in an await, where an error can be raised */
    WAIT_FAILS = 4, /* a task that has not begun, or a gather: it can be settled */
};

struct tutti__wait_edge {
    uint32_t node;    /* of the same graph, or NO_NODE: */
    tutti_task *task; /* a task of the engine, or NULL: something that can go on */
};

struct tutti__wait_node {
    tutti_task *task; /* how other states know it, or NULL */
    uint64_t id;
    uint32_t slot;
    uint32_t begun;   /* the order of waits that could close a circle */
    uint32_t edge_first;
    uint32_t edge_count;
    uint32_t name;    /* in `text` */
    uint32_t flags;   /* WAIT_* */
};

struct tutti__waits {
    struct tutti__waits *next; /* [circles.mu] */
    struct tutti__lua *lua;    /* [circles.mu] lives at least as long as this is in the list */
    struct tutti__home *home;
    uint64_t taken_back;       /* lua->cycle.taken_back at that moment */
    struct tutti__wait_node *nodes;
    uint32_t node_count, node_size;
    struct tutti__wait_edge *edges;
    uint32_t edge_count, edge_size;
    char *text;
    uint32_t text_count, text_size;
    bool is_short; /* memory ran out: it is not whole, and says nothing */
    bool has_refs; /* on each task in it */
};

/* Build a graph. Returns an index, or NO_NODE: no memory (is_short is set). */
uint32_t tutti__waits_add_node(struct tutti__waits *waits);
void tutti__waits_add_edge(struct tutti__waits *waits, uint32_t node, tutti_task *task);
uint32_t tutti__waits_add_text(struct tutti__waits *waits, const char *text);
void tutti__waits_ref(struct tutti__waits *waits);
void tutti__waits_free(struct tutti__waits *waits); /* NULL is fine */

/* May a node be part of a circle, now or when others change? The array is the caller's (free). NULL: no
 * node may, or no memory. */
bool *tutti__waits_open(const struct tutti__waits *waits);

/* A circle is to be broken at a node; `post` goes to the home of that state. Freed by who gets it. */
struct tutti__break {
    struct tutti__post post;
    struct tutti__break *next;
    struct tutti__home *home;
    uint64_t id;
    uint32_t slot;
    uint32_t begun;
    uint32_t flags;      /* WAIT_AWAIT or WAIT_FAILS */
    uint32_t name_count;
    char names[];        /* one after the other, each with its 0; the first is the last again */
};

/* What the states of an engine know of each other's waits. */
struct tutti__circles {
    pthread_mutex_t mu; /* a leaf lock */
    struct tutti__waits *first;    /* [mu] what has been published */
    TUTTI_ATOMIC(uint32_t) begun;  /* [any] the last number given to a wait */
};

/* Find the circles in a list of graphs (linked by `next`); returns what is to be broken, or NULL. */
struct tutti__break *tutti__circles_find(struct tutti__waits *list);

/**
 * Publish `waits` (NULL: nothing) in the place of what the state has published before, and look for
 * circles in all that is published.
 * Memory: takes `waits`. Returns: what is to be broken.
 */
struct tutti__break *tutti__circles_publish(struct tutti__circles *circles, struct tutti__lua *lua,
                                            struct tutti__waits *waits);

#endif
