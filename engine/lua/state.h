/* SPDX-License-Identifier: MIT */
/*
 * state.h - what the Lua layer keeps for one Lua state: records of tasks, who waits for whom, and the
 * queue of what is ready.
 *
 *     record (userdata)           one for each task this state knows
 *       LOCAL   a function of this state, run as a coroutine
 *       REMOTE  stands for a task of the engine: a pool task, a process, a task of another state
 *       GATHER  all, any, race, settle, completed over other records
 *       SCOPE   a tutti.scope that is open on the stack of a task: owns what is started in it
 *       ROOT    owns what nobody else does; never settles
 *
 * Waiting inside one state is a doubly linked list in the awaited record, so a wait can be withdrawn
 * without a trace; only a REMOTE record has an edge into the engine, and at most one.
 *
 * Layer: lua. Thread: everything here belongs to the home of the state (the loop thread or a worker).
 * Invariant: a record that has not settled, has not been told of, or has an edge armed, holds a slot,
 * and the slots table keeps its userdata alive; so the pointers between records need no anchor.
 */
#ifndef TUTTI_LUA_STATE_H
#define TUTTI_LUA_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lauxlib.h>
#include <lua.h>

#include "api/bridge.h"
#include "lua/spares.h"
#include "tutti.h"
#include "value/codec.h"

struct tutti__blocked;
struct tutti__alarm;
struct tutti__edge_home;
struct tutti__lua;
struct tutti__listener;
struct tutti__record;
struct tutti__stacks;
struct tutti__trace;
struct tutti__trace_buffer;
struct tutti__testing;

/* A line of the script whose text is kept, see place.h. */
struct tutti__place {
    char source[LUA_IDSIZE];
    int line; /* 0: none */
};

enum { TUTTI__PLACES = 8 };

/* One wait of `owner` for `target`, embedded in the owner. Linked while target is not NULL. */
struct tutti__waiter {
    struct tutti__waiter *next;
    struct tutti__waiter *prev;
    struct tutti__record *target;
    struct tutti__record *owner;
};

/* Stands behind a record with RECORD_DEPS: what it waits for as a whole. */
struct tutti__deps {
    uint32_t count;
    uint32_t left;      /* of those, how many it still waits for */
    uint32_t winner;    /* GATHER: which member decided, or how many have been taken */
    uint32_t collected; /* GATHER: how many wait to be taken, and have been */
    struct tutti__waiter list[];
};

enum tutti__record_kind {
    RECORD_LOCAL,
    RECORD_REMOTE,
    RECORD_GATHER,
    RECORD_ROOT,
    RECORD_SCOPE,
    TUTTI__RECORD_KINDS,
};

/* What a record that is suspended waits for; how each is taken back stands in waits.c. */
enum tutti__waits_for {
    WAITS_FOR_NOTHING,
    WAITS_FOR_TASK,         /* await, pawait */
    WAITS_FOR_MEMBER,       /* the next of completed */
    WAITS_FOR_LOAD,         /* of a module that another task requires */
    WAITS_FOR_TURN,         /* in a scope that is full */
    WAITS_FOR_SLEEP,        /* by a timer of this state */
    WAITS_FOR_ENGINE_SLEEP, /* on a worker, where the engine has the timer */
    WAITS_FOR_JOIN,         /* of the children of a scope, or of the task before its cleanup */
    WAITS_FOR_OBJECT,       /* a channel, semaphore, event: waitlist.h */
    WAITS_FOR_FS,
    WAITS_FOR_UV,
    WAITS_FOR_WAKE,         /* parked: supervise.c */
    WAITS_FOR_PLACE,        /* that it has lent: graph_wait.c */
    WAITS_FOR_SIGNAL,       /* REMOTE */
    TUTTI__WAITS_FOR,
};

enum tutti__record_flag {
    RECORD_STARTED = 1u << 0,
    RECORD_IN_READY = 1u << 1,    /* linked in a ready queue */
    RECORD_JOINING = 1u << 2,     /* the body has returned; waits for its children */
    RECORD_BODY_FAILED = 1u << 3, /* with JOINING: UV_BODY is an error */
    RECORD_CANCEL = 1u << 4,      /* cancelled: every checkpoint raises until it has ended */
    RECORD_OBSERVED = 1u << 5,    /* somebody awaited it: its failure is theirs */
    RECORD_RUN_ON_SKIP = 1u << 6,
    RECORD_AFTER = 1u << 7,       /* it holds the tasks it comes after; see start.h */
    RECORD_RESULT_LATER = 1u << 8,/* REMOTE, done: the result is still in the engine's task */
    RECORD_ARMED = 1u << 9,       /* REMOTE: its post is on its way to this home */
    RECORD_QUEUED = 1u << 10,     /* settled, its waiters not yet told */
    RECORD_SCRIPT = 1u << 11,     /* the script of `tutti run`: reported by the program itself */
    RECORD_EXPORT_HOME = 1u << 12,/* a pool task's body: its outcome belongs to `task` alone */
    RECORD_RAISED = 1u << 13,     /* set by the trampoline: the body ended by an error */
    RECORD_QUIET = 1u << 14,      /* not counted as a task the script made */
    RECORD_ADOPTED = 1u << 16,    /* detached on a worker: the loop state's root owns its failure */
    RECORD_BACKGROUND = 1u << 18, /* holds no join open: cancelled when its owner waits for no other; it
                                     stands behind all other children of its owner */
    RECORD_ANSWERS = 1u << 19,    /* EXTRA_FAILED has something that it may have to answer for */
    RECORD_NAMED = 1u << 20,      /* it has a name of its own */
    RECORD_DEFER = 1u << 21,      /* LOCAL, SCOPE: EXTRA_DEFER holds functions; see cleanup.h */
    RECORD_LIVE = 1u << 17,       /* LOCAL: its next checkpoint raises a cancellation; see cancel.c */
    RECORD_SUPERVISES = 1u << 24, /* is told of each child's end, and owns it: see supervise.c */
    RECORD_OWNS_SUPERVISOR = 1u << 25, /* among its children is, or was, one with SUPERVISES */
    RECORD_KILLED = 1u << 27,     /* LOCAL: cancelled, and its shields hold nothing off any more */
    RECORD_LISTENS = 1u << 28,    /* not REMOTE: `listener` is in the place of `label`, see pool.c */
    RECORD_DEPS = 1u << 31,       /* struct tutti__deps is behind it */
    RECORD_TOLD = 1u << 29,       /* its cancellation has been raised: the cleanup runs */
    RECORD_SUSPECT = 1u << 26,    /* in lua->cycle.suspects */
    RECORD_RUNS_GRAPH = 1u << 22, /* with SUPERVISES: its children are tasks of a graph, see graph.c */
    RECORD_CIRCLE = 1u << 23,     /* its wait was ended, see tutti__cycle_take_error */
    RECORD_LENT = 1u << 30,       /* LOCAL: asks for its place back before it goes on, see graph_wait.c */
    RECORD_COLLECTED = 1u << 15,  /* its finaliser has run: only other finalisers can still see it */
};

/* User values of the record's userdata. */
enum {
    UV_BODY = 1, /* the function; once it has waited the coroutine; once settled the result (see
                    result_count) or the error */
    UV_EXTRA,    /* nil, its name, its EXTRA_CANCEL, or a table, see EXTRA_* */
    UV_COUNT = UV_EXTRA,
};

/* So many tasks that a LOCAL record comes after are user values behind the others; more are in
 * EXTRA_AFTER. See tutti__start_push_after. Behind them are the arguments, see tutti__record_uv_args. */
enum { TUTTI__AFTER_FEW = 64 };

/* Words that options are known by, see options.c. */
enum { TUTTI__OPTION_WORDS = 7 };

/* Keys of the UV_EXTRA table. */
enum { EXTRA_NAME = 1, EXTRA_AFTER, EXTRA_FAILED, EXTRA_CANCEL, EXTRA_LIST, EXTRA_ENV, EXTRA_ENDED,
       EXTRA_CIRCLE, EXTRA_DEFER };

/* Kept small: a million tasks that wait are a million of these. What shares memory is never asked for in
 * the other's time. */
struct tutti__record {
    struct tutti__lua *lua;
    struct tutti__record *parent;
    /* LOCAL: the innermost scope that is open on its running stack, or NULL. SCOPE: the task whose
     * stack that is. */
    struct tutti__record *scope;
    struct tutti__record *child_first; /* children that have not settled */
    struct tutti__record *sibling_next;
    struct tutti__record *sibling_prev;
    struct tutti__waiter *waiters_first; /* whose `prev` is the last one */
    lua_State *co;                       /* LOCAL: while started */
    union {
        const char *label; /* LOCAL, started: its name, NULL if it has none; see stuck.h */
        struct tutti__listener *listener; /* while it LISTENS; keeps the label */
        struct tutti__edge_home *edge;    /* REMOTE, while ARMED; see proxy.c */
    };
    tutti_task *task; /* REMOTE: what it stands for (a reference); LOCAL: its export */
    void *op; /* what the wait is about; of a pool task that has not begun: the job */
    union {
        struct tutti__waiter await; /* linked while it awaits a record of this state */
        struct tutti__timer nap;    /* while it waits for a SLEEP, see await.c */
        struct {
            struct tutti__record *ready_next; /* while in a ready queue, or in the list of settled records */
            struct tutti__record *ready_prev; /* while in a ready queue */
        };
    };
    uint32_t id_low;
    uint32_t slot; /* 0 = none */
    uint32_t flags;
    union {
        uint32_t args_count;   /* LOCAL, not started */
        uint32_t wait;         /* LOCAL, started: the number of its wait, see cycle.c */
        uint32_t result_count; /* once the body has returned */
    };
    int32_t line;           /* where it was started: source is an index into lua->sources */
    uint32_t source;
    uint32_t born_ms;       /* when it was made, see tree.h */
    uint8_t id_high;
    uint8_t kind : 3;      /* enum tutti__record_kind */
    uint8_t waits_for : 5; /* enum tutti__waits_for */
    uint8_t state; /* enum tutti_task_state */
    union {
        uint8_t priority; /* LOCAL, REMOTE */
        uint8_t gather;   /* GATHER: which, see gather.c */
    };
};

#define TUTTI__PRIORITIES 3
#define TUTTI__PRIORITY_NORMAL 1

/* Types of shared objects (handle.h): their places in lua->meta_handles. */
enum {
    TUTTI__HANDLE_CHANNEL,
    TUTTI__HANDLE_SEMAPHORE,
    TUTTI__HANDLE_EVENT,
    TUTTI__HANDLE_TYPES,
};

struct tutti__ready {
    struct tutti__record *first;
    struct tutti__record *last;
};

/* A hook of the user's that stood in `co` before the engine's was set there. */
struct tutti__hook_note {
    lua_State *co; /* NULL: free */
    lua_Hook hook;
    int mask;
    int count;
};

#define TUTTI__HOOK_NOTES 8

/* A task that may be part of a circle of waits. */
struct tutti__suspect {
    uint64_t id;
    uint32_t slot;
    uint32_t since_ms; /* as tutti__tick_ms */
};

/* See cycle.c. */
struct tutti__cycle {
    struct tutti__suspect *suspects;
    uint32_t suspect_count;
    uint32_t suspect_size;
    struct tutti__alarm *alarm;          /* armed: a look will come */
    uint64_t cost_ns;                    /* of the last look */
    uint32_t most;                       /* see RECORDS_FIRST of cycle.c; 0: that */
    TUTTI_ATOMIC(uint64_t) taken_back;   /* [home; others read] waits that ended without what they were for */
    bool has_published;
};

/* What is asked for the most stands in the first lines of each part. tutti.testing puts another world in
 * the place of the first part for a while; see testing.c. */
struct tutti__lua {
    /* ---- the world: an engine, and the tasks of this state in it ---- */
    tutti_engine *engine;
    struct tutti__home *home;
    lua_State *service; /* a thread of the engine's own: what no coroutine does is done here */
    struct tutti__testing *testing; /* NULL: not in tutti.testing */
    struct tutti__record *current;
    struct tutti__record *into; /* while a method of a scope starts something: that scope */
    struct tutti__record *root;
    struct tutti__ready ready[TUTTI__PRIORITIES];
    struct tutti__record *settled_first; /* settled, waiters not yet told */
    struct tutti__record *settled_last;
    struct tutti__trace *trace;   /* [const] the engine's, see trace.h */
    struct tutti__trace_buffer *trace_buffer; /* where this state's events go; NULL: there was none yet */
    struct tutti__record **slots; /* slot -> record or NULL; slot 0 is not used */
    uint32_t slots_size;
    uint32_t slots_used;   /* high water */
    uint32_t *slots_free;  /* stack of free slots */
    uint32_t slots_free_count;
    int ref_service;       /* registry: that thread */
    int ref_slots;         /* registry: slot -> userdata */
    int ref_tasks;         /* registry: engine task -> userdata, weak values */
    bool telling;          /* the settled list is being worked off further up the stack */
    bool closing;          /* what is left is being cancelled */
    struct tutti__cycle cycle;
    struct tutti__record **graph_watch; /* tasks of runs that are woken when a wait begins: graph_wait.c */
    uint32_t graph_watch_count;
    uint32_t graph_watch_size;
    uint64_t tick_ns;      /* the clock as it was when this state last looked */
    uint64_t next_id;
    uint64_t random;       /* state of core.random, see testing.c; 0: not seeded yet */
    /* ---- the state: set once ---- */
    lua_State *main;       /* main thread of the state */
    bool own_engine;       /* engine is freed with the state */
    bool is_worker;        /* a state the engine made for a worker */
    bool is_own;           /* a worker's or the program's: globals let cancellations through */
    lua_State *idle;       /* a thread that never runs: coroutines to be used again lie on its stack */
    int ref_idle;          /* registry: that thread */
    int ref_metas[TUTTI__RECORD_KINDS]; /* registry: metatables by kind of record; 0: not known yet */
    int ref_sources;       /* registry: index -> chunk name, chunk name -> index */
    int ref_helpers;       /* registry: functions of the Lua half, by name */
    const void *meta_local; /* identity of the two metatables of task handles */
    const void *meta_remote;
    const void *meta_handles[TUTTI__HANDLE_TYPES]; /* those of the handles on shared objects */
    const char *option_words[TUTTI__OPTION_WORDS]; /* anchored strings of this state */
    /* ---- the state: what changes, in whatever world it is ---- */
    TUTTI_ATOMIC(lua_State *) running; /* [home; its signal handler reads] see interrupt.h */
    struct tutti__watched watched;
    uint64_t raise_ns;     /* of this turn: when the hook may raise again; 0: it has not yet */
    bool is_cleanup_over;  /* of this turn: the hook raises at every instruction */
    bool has_given_turn;   /* a turn was cut short: time for what only the loop knows of */
    bool is_hook_busy;     /* hooks are being changed: its signal handler leaves them alone */
    bool has_permanent_hook; /* [const once open] preempt is HOOK, and this state is watched */
    struct tutti__hook_note hook_notes[TUTTI__HOOK_NOTES];
    const char **source_texts; /* see stuck.h */
    uint32_t source_texts_size;
    uint32_t pool_count;   /* coroutines that lie there */
    lua_State *hand;       /* what a body began in last, see run.c; NULL: it has waited since */
    bool is_hand_free;     /* no body is in it */
    int ref_hand;          /* registry: that coroutine */
    struct tutti__pool_name *place_name; /* the last place a pool task was started from, see pool.c */
    uint32_t place_source;
    int32_t place_line;
    uint32_t parked_count; /* coroutines that do not run and have scopes open */
    uint32_t sources_count;
    const char *source_last; /* cache of the last place a task was started from */
    uint32_t source_last_index;
    int ref_places;        /* registry: texts of places, by their slot in `places`; 0: none yet */
    struct tutti__place places[TUTTI__PLACES];
    int ref_traces;        /* registry: stacks -> their texts, see traceback.c; 0: none yet */
    struct tutti__stacks *stacks; /* those, once ref_traces is there */
    uint64_t made;         /* tasks made, without the script itself */
    bool has_prompts;      /* the Lua half is told who detaches a task */
    bool has_ended;        /* nothing of it is left: only memory waits to be freed */
    bool exiting;          /* os.exit was called: exit_code counts, whatever else ends how */
    int exit_code;
    struct tutti__blocked *blocked_kept; /* waits that are free, see waitlist.c */
    uint32_t blocked_kept_count;
    struct tutti__spares edges;     /* of proxies, see proxy.c */
    struct tutti__spares listeners; /* see pool.c */
};

/* Every C function of the module has the state as its first upvalue. Raises once the state has ended: a
 * finaliser may outlive it. */
static inline struct tutti__lua *tutti__lua_of(lua_State *L)
{
    struct tutti__lua *lua = (struct tutti__lua *)lua_touserdata(L, lua_upvalueindex(1));
    if (lua->has_ended)
        luaL_error(L, "the Lua state is being closed: tutti cannot be used any more");
    return lua;
}

/* Whom what is started now belongs to: the innermost scope, else the task, else the root. */
static inline struct tutti__record *tutti__owner(const struct tutti__lua *lua)
{
    struct tutti__record *task = lua->current;
    if (lua->into != NULL)
        return lua->into;
    if (task == NULL)
        return lua->root;
    return task->scope != NULL ? task->scope : task;
}

/* Its state; of a task of the engine what the engine says. */
static inline enum tutti_task_state tutti__record_state(const struct tutti__record *record)
{
    if (record->kind == RECORD_REMOTE && record->state < TUTTI_TASK_DONE && record->task != NULL)
        return tutti_task_state(record->task);
    return (enum tutti_task_state)record->state;
}

static inline bool tutti__record_is_settled(const struct tutti__record *record)
{
    return record->state >= TUTTI_TASK_DONE;
}

/* ---- state.c ------------------------------------------------------------------------------ */

/**
 * Make the Lua layer's half of a state. Raises on failure; the userdata it is made in is anchored in
 * the registry and closes with the state.
 */
struct tutti__lua *tutti__lua_open(lua_State *L, tutti_engine *engine, bool own_engine,
                                   bool is_worker);

/**
 * __gc of the layer's half: what is pending is named on stderr, cancelled and waited for (a few
 * seconds at most); then an engine of the state's own is freed.   [-1, +0, -]
 */
int tutti__lua_close(lua_State *L);

/* End the life of the state before its records are freed. Idempotent. */
void tutti__lua_end(struct tutti__lua *lua);

/* Posts that are on their way will not find its records. */
void tutti__lua_forget(struct tutti__lua *lua);

/* The layer's half of this state, or NULL. */
struct tutti__lua *tutti__lua_find(lua_State *L);

/* Register the functions of `list` (first upvalue: the state) into the table on top of the stack. */
void tutti__lua_functions(lua_State *L, struct tutti__lua *lua, const luaL_Reg *list);

/* Push the table `name` of this state, whose keys are weak; made on the first call. */
void tutti__lua_weak_table(lua_State *L, struct tutti__lua *lua, const char *name);

/* Push a function of the Lua half by name (nil if it has not been given yet). */
void tutti__lua_helper(lua_State *L, struct tutti__lua *lua, const char *name);

/* ---- record.c ----------------------------------------------------------------------------- */

/**
 * Make a record with `deps` waiters behind it and push its userdata, which keeps arguments only if
 * `has_args`. It has no parent and no slot.
 * Raises: out of memory.
 */
struct tutti__record *tutti__record_new(lua_State *L, struct tutti__lua *lua,
                                        enum tutti__record_kind kind, uint32_t deps, bool has_args);

/* The waiters behind a record with RECORD_DEPS / how many there are, also without that flag. */
struct tutti__deps *tutti__record_deps(const struct tutti__record *record);
static inline uint32_t tutti__record_deps_count(const struct tutti__record *record)
{
    return (record->flags & RECORD_DEPS) != 0 ? tutti__record_deps(record)->count : 0;
}

/* Take back all that it waits for as a whole. */
void tutti__record_unlink_deps(struct tutti__record *record);

/* The user value that has the arguments (see args_count) of a LOCAL record until it starts, or what has
 * settled of a `completed`. Nil in a record made without. */
static inline int tutti__record_uv_args(const struct tutti__record *record)
{
    uint32_t deps = record->kind == RECORD_LOCAL ? tutti__record_deps_count(record) : 0;
    return UV_COUNT + 1 + (deps <= TUTTI__AFTER_FEW ? (int)deps : 0);
}

/* Give it a slot (the userdata is at `index`) / push the userdata of a record that has one. */
void tutti__record_hold(lua_State *L, struct tutti__record *record, int index);
void tutti__record_push(lua_State *L, struct tutti__record *record);
/* Push the slots table and then the userdata; returns the index of the latter. */
int tutti__record_push_slots(lua_State *L, const struct tutti__record *record);
void tutti__record_release(lua_State *L, struct tutti__record *record);
/* The same for one that has settled and holds a slot; the slots table is at `slots`. */
void tutti__record_release_from(lua_State *L, struct tutti__record *record, int slots);

/* The record at `index`, or NULL / or a usage error that names the argument. */
struct tutti__record *tutti__record_test(lua_State *L, struct tutti__lua *lua, int index);
struct tutti__record *tutti__record_check(lua_State *L, struct tutti__lua *lua, int index);

void tutti__record_adopt(struct tutti__record *parent, struct tutti__record *child);

/* The children that are left, one or more, hold no join open: they are to be cancelled. */
static inline bool tutti__record_may_end(const struct tutti__record *record)
{
    return record->child_first != NULL && (record->child_first->flags & RECORD_BACKGROUND) != 0;
}

/* Cancel them for that reason. */
void tutti__cancel_background(lua_State *L, struct tutti__record *record);

/* Somebody awaits the record: its failure is theirs / ask, also of waiters in other states. */
void tutti__record_observe(struct tutti__record *record);
bool tutti__record_is_observed(const struct tutti__record *record);

/* Note where the function that called the running C function stands (level as for lua_getstack). */
void tutti__record_note_place(lua_State *L, struct tutti__record *record, int level);

/* The number by which records name this source: "@FILE" or "=NAME". */
uint32_t tutti__record_source(lua_State *L, struct tutti__lua *lua, const char *source);

/* Push "FILE:LINE" of where it was started / its name, or that place if it has none. */
void tutti__record_push_place(lua_State *L, struct tutti__record *record);
void tutti__record_push_place_of(lua_State *L, struct tutti__lua *lua, uint32_t source, int32_t line,
                                 uint64_t id);
void tutti__record_push_name(lua_State *L, struct tutti__record *record, int index);

/* Push EXTRA_key (nil if there is none) / pop a value into it. `index` is the userdata's. */
void tutti__record_get_extra(lua_State *L, int index, int key);
void tutti__record_set_extra(lua_State *L, int index, int key);

/* Pop its name, a string or nil / push it, and return its type. `index` is the userdata's. */
void tutti__record_set_name(lua_State *L, int index);
int tutti__record_get_name(lua_State *L, int index);

/* Of the tasks of a state no other has the same. */
static inline uint64_t tutti__record_id(const struct tutti__record *record)
{
    return (uint64_t)record->id_high << 32 | record->id_low;
}

/* Link / unlink a wait. `waiter->owner` is set by the caller. */
void tutti__waiter_link(struct tutti__waiter *waiter, struct tutti__record *target);
void tutti__waiter_unlink(struct tutti__waiter *waiter);

/* ---- settle.c ----------------------------------------------------------------------------- */

/**
 * Settle a record; the value on top of the stack is popped into UV_BODY (an error object unless
 * `state` is done; then result_count says what it is). Tells everybody who waits, iteratively, before
 * it returns, unless that is being done further up the stack.
 */
void tutti__record_settle(lua_State *L, struct tutti__record *record, enum tutti_task_state state);

/* The body has ended: join the children, then settle. The outcome is on top of the stack. */
void tutti__record_body_ended(lua_State *L, struct tutti__record *record, bool failed);

/* The same for a body that has returned: the way of most tasks. The userdata is at `index`, the slots table
 * below it. */
void tutti__record_returned(lua_State *L, struct tutti__record *record, int index);

/* The same for a body that has raised the error on top of the stack: most often its own cancellation. */
void tutti__record_raised(lua_State *L, struct tutti__record *record, int index);

/* Settle as skipped because of the error object on top of the stack (popped). */
void tutti__record_skip(lua_State *L, struct tutti__record *record);

/* Tell everybody who waits for what has settled, unless that is being done further up the stack. */
void tutti__settle_tell(lua_State *L, struct tutti__lua *lua);

/* Push the error of a settled record that did not succeed. */
void tutti__record_push_error(lua_State *L, int index);

/* Push the results of a done record (its userdata is at `index`); returns how many. May raise: what
 * came from another state is decoded on the first call. With only_first exactly one is pushed. */
int tutti__record_push_results(lua_State *L, struct tutti__record *record, int index, bool only_first);

/* ---- outcome.c ---------------------------------------------------------------------------- */

/* Push a list of the errors that the record (userdata at `index`) has to answer for, each once, or
 * nil. */
void tutti__outcome_failures(lua_State *L, struct tutti__record *record, int index);

/* Pop a failed task's handle, or an error object: `owner` has to answer for it. */
void tutti__outcome_leave(lua_State *L, struct tutti__record *owner);

/* The list of errors is on top: replace it by one error of kind `group`. */
void tutti__outcome_group(lua_State *L, struct tutti__record *record);

/* An error is on top, a list of others above it: leave one that says both, a copy of the first unless
 * the list has nothing else. */
void tutti__outcome_add(lua_State *L);

/* ---- cancel.c ----------------------------------------------------------------------------- */

/* Cancel a record and what it started. The reason (a string or nil) is on top and popped. */
void tutti__record_cancel(lua_State *L, struct tutti__record *record);

/* Cancel what `record` started. */
void tutti__cancel_children(lua_State *L, struct tutti__record *record, const char *reason);

/* GATHER: whether cancelling it cancels its members (gather.c). */
bool tutti__gather_cancels(const struct tutti__record *record);

/* GATHER: does it end only when all members have? */
bool tutti__gather_needs_all(const struct tutti__record *record);

/* Push the results of a GATHER that is done; returns how many. May raise. */
int tutti__gather_push_results(lua_State *L, struct tutti__record *gather, int index);
extern const luaL_Reg tutti__gather_functions[];

/* Raise the current task's cancellation if it has a live one: the start of every checkpoint. */
void tutti__checkpoint(lua_State *L, struct tutti__lua *lua);

/* Is a cancellation of the current task or of a scope on its stack live: will a checkpoint raise it? */
static inline bool tutti__cancel_is_due(const struct tutti__lua *lua)
{
    return lua->current != NULL && (lua->current->flags & RECORD_LIVE) != 0;
}

/* Is the error at `index` the live cancellation of the current task, which only the scope it is of may
 * absorb? */
bool tutti__cancel_is_live(lua_State *L, const struct tutti__lua *lua, int index);

/* The stack of scopes of a task, or what on it is cancelled, has changed: set RECORD_LIVE anew. */
void tutti__cancel_refresh(struct tutti__record *task);

/* The outermost cancelled record that the task's cancellation is of. Only if it has a live one. */
struct tutti__record *tutti__cancel_source(struct tutti__record *task);

/* ---- ready.c ------------------------------------------------------------------------------ */

void tutti__ready_push(struct tutti__lua *lua, struct tutti__record *record);
void tutti__ready_remove(struct tutti__lua *lua, struct tutti__record *record);
bool tutti__ready_is_empty(const struct tutti__lua *lua);

/* Run ready coroutines for a while; true while more is ready. The home's pump. */
bool tutti__ready_pump(void *user);
/* Would it run any? */
bool tutti__ready_has_work(void *user);

/* ---- run.c -------------------------------------------------------------------------------- */

/* Start or resume a LOCAL record taken from the ready queue. Leaves things on the stack of L, which has
 * room for RUN_STACK. */
enum { TUTTI__RUN_STACK = 40 };
void tutti__run_record(lua_State *L, struct tutti__record *record);

/* ---- await.c ------------------------------------------------------------------------------ */

/**
 * Suspend the current task of `L` until something calls tutti__wait_end on it; then `k` goes on. To be
 * returned from a C function: return tutti__wait(L, ...).
 */
int tutti__wait(lua_State *L, enum tutti__waits_for what, void *op, lua_KContext context,
                lua_KFunction k);

/* The same for who knows that task, in front of return lua_yieldk(L, 0, context, k). */
void tutti__wait_begin(struct tutti__record *record, enum tutti__waits_for what, void *op);

/* Take its wait back, if it has one, so that it can be resumed for another reason (waits.c). */
void tutti__wait_withdraw(struct tutti__record *record);

/* The waiter has been unlinked from what it waited for, which has settled (or, of those that wait for
 * something of it, has that): do what the wait was for. Runs no Lua code (waits.c). */
void tutti__waiter_fire(lua_State *L, struct tutti__waiter *waiter, struct tutti__record *target);

/* The wait is over: the record becomes ready. */
void tutti__wait_end(struct tutti__record *record);

/* May the running coroutine wait? Not outside any task (yieldable.c). */
bool tutti__wait_is_possible(lua_State *L, const struct tutti__lua *lua);

/* Raise `usage` unless the running coroutine may wait (yieldable.c). `what` names the operation. */
void tutti__wait_may(lua_State *L, struct tutti__lua *lua, const char *what);

/* The same, and a checkpoint; returns the current task, or NULL outside any
 * task, where the caller runs the loop instead (tutti__block_on). `what` names the operation. */
struct tutti__record *tutti__wait_check(lua_State *L, struct tutti__lua *lua, const char *what);

/**
 * Run the loop until done(user): only outside any task.
 * Returns: false if that cannot be done here (inside a callback of the loop, or while the state is being
 * closed); then the caller takes its wait back and calls tutti__block_refused, which raises `usage`.
 */
bool tutti__block_on(struct tutti__lua *lua, bool (*done)(void *user), void *user);
int tutti__block_refused(lua_State *L);

/* What a suspended record awaits (await, pawait, the next of completed, the task that loads what it
 * requires), or NULL if it waits otherwise. */
struct tutti__record *tutti__await_target(const struct tutti__record *record);
struct tutti__record *tutti__gather_taken_from(const struct tutti__record *record);

/* Does the record sleep by a timer of this state? Then *deadline_ns is when it ends. */
bool tutti__sleep_deadline(const struct tutti__record *record, uint64_t *deadline_ns);

extern const luaL_Reg tutti__await_functions[];
extern const luaL_Reg tutti__await_methods[];

/* ---- error.c ------------------------------------------------------------------------------ */

/* Push a new error object of this kind; the message is formatted as by lua_pushfstring. */
void tutti__error_push(lua_State *L, struct tutti__lua *lua, const char *kind, const char *format, ...);

/* Set a field of the error object at `index` to the value on top, and pop that. Only before anybody
 * else has seen it. */
void tutti__error_set(lua_State *L, int index, const char *field);

/* Push a field of the error object at `index`. */
void tutti__error_get(lua_State *L, int index, const char *field);

/* Push the table of the fields of the error object at `index`. */
void tutti__error_fields(lua_State *L, int index);

/* Push a copy of the error object at `index`, which nobody else has seen yet. */
void tutti__error_copy(lua_State *L, int index);

bool tutti__error_is(lua_State *L, int index);
extern const luaL_Reg tutti__error_functions[];

/* Raise kind `usage` with the caller's line (level as for luaL_where). */
int tutti__usage(lua_State *L, int level, const char *format, ...);

/* The message handler of every body: makes an error object, with the traceback, of what was raised. */
int tutti__error_handler(lua_State *L);

/* Make sure that the value on top is an error object (of kind `error` otherwise); no traceback. */
void tutti__error_wrap(lua_State *L, struct tutti__lua *lua, struct tutti__record *record);

/* ---- testing.c ---------------------------------------------------------------------------- */

/* A number in [0, 1), from the state's generator, which the engine's table has seeded. */
double tutti__random(struct tutti__lua *lua);

extern const luaL_Reg tutti__testing_functions[];

/* ---- proxy.c, export.c -------------------------------------------------------------------- */

/**
 * Push the record that stands for `task` in this state, made if there is none yet.
 * Memory: takes a reference of its own.
 */
struct tutti__record *tutti__proxy_push(lua_State *L, struct tutti__lua *lua, tutti_task *task);

/* Arm the edge into the engine if it is not; the record (userdata at `index`) gets a slot. */
void tutti__proxy_arm(lua_State *L, struct tutti__record *record, int index);

/* The state is going: the post that is on its way finds nobody. */
void tutti__proxy_forget(struct tutti__record *record);

/* Take back a wait for a proxy that nobody else can know of: the engine's task is cancelled. */
void tutti__proxy_abandon(struct tutti__record *record);

/* REMOTE: read the outcome of the engine's task and settle the record. */
void tutti__proxy_settle(lua_State *L, struct tutti__record *record);

/* Push the results of the engine's task `task`; returns how many. May raise. */
int tutti__proxy_push_results(lua_State *L, struct tutti__lua *lua, tutti_task *task, bool only_first);

/* The engine task of the record at `index`, made on the first request. Borrowed. Raises: no memory. */
tutti_task *tutti__export(lua_State *L, struct tutti__record *record, int index);

/* `outcome` is to be what the engine's task ends with: a handle of that very task in it keeps nothing. */
void tutti__export_loosen(struct tutti__buffer *outcome, const tutti_task *task);

/* A LOCAL record with an export has settled: settle that too. */
void tutti__export_settle(lua_State *L, struct tutti__record *record, int index);

/* Fill what the codec asks of this state. */
extern const struct tutti__value_ops tutti__lua_value_ops;

#endif
