/* SPDX-License-Identifier: MIT */
/*
 * scope.h - scopes: owners that live on the stack of a task.
 *
 *     task (LOCAL) --scope--> innermost (SCOPE) --below--> ... --below--> outermost --below--> NULL
 *
 * A scope is a child of what it was opened in, so cancelling flows through it as through a task. What
 * runs in it raises the cancellation of any record on this chain, the outermost first, but sees nothing
 * of what lies below a shield.
 *
 * Layer: lua. Thread: the state's home.
 * Invariant: `below` links are those of the stack that runs; `parent` is where the scope was opened.
 */
#ifndef TUTTI_LUA_SCOPE_H
#define TUTTI_LUA_SCOPE_H

#include "lua/state.h"

/* What came first and ended the scope: it decides the kind of the error, the rest is in err.errors. */
enum tutti__scope_cause {
    CAUSE_NONE,
    CAUSE_BODY,     /* the function raised an error of its own */
    CAUSE_CHILD,    /* what it started failed */
    CAUSE_CANCEL,   /* s:cancel() */
    CAUSE_DEADLINE,
    CAUSE_OUTER,    /* what it was opened in was cancelled */
};

/* Stands behind the record of a scope. */
struct tutti__scope {
    struct tutti__timer timer;       /* loop state: of the deadline */
    struct tutti__record *below;     /* the next scope on the running stack; NULL: the task is next */
    struct tutti__record *sleep;     /* worker: the engine's sleep that stands for the deadline */
    uint64_t deadline_ns;            /* 0: none */
    uint64_t duration_ns;            /* for messages */
    uint32_t limit;                  /* 0: none */
    uint8_t cause;                   /* enum tutti__scope_cause */
    bool is_shield;
    bool is_collect;                 /* failures end nothing; what nobody awaited counts at the end */
    bool is_abandoned;               /* its function will never get here: settles by itself */
    bool has_failed;                 /* the function raised; UV_BODY has the error */
};

static inline struct tutti__scope *tutti__scope_of(const struct tutti__record *record)
{
    return (struct tutti__scope *)(void *)(record + 1);
}

/* Is it a scope that ends with the first failure of what it started? */
static inline bool tutti__scope_is_strict(const struct tutti__record *record)
{
    return record->kind == RECORD_SCOPE && !tutti__scope_of(record)->is_collect;
}

/* Push the userdata of a record that lies on the running stack, also of an abandoned scope. */
void tutti__scope_push(lua_State *L, struct tutti__record *record);

/* A child of a strict scope has failed; its handle is at `index`. */
void tutti__scope_child_failed(lua_State *L, struct tutti__record *scope, int index);

/* A child has ended: who waits for a turn (limit) may have it. */
void tutti__scope_child_ended(lua_State *L, struct tutti__record *scope);

/* The last child of a scope that joins has ended. */
void tutti__scope_joined(lua_State *L, struct tutti__record *scope);

/* A body has ended: scopes among the children of its record, in coroutines that do not run, are cancelled
 * and settle once their own children have ended. */
void tutti__scope_abandon_within(lua_State *L, struct tutti__record *record);

/* End a shield as if its time limit had come. */
void tutti__scope_cut(lua_State *L, struct tutti__record *scope);

/* Cancel the scopes on the current task's stack whose deadline has passed. May be called from a count
 * hook of the running coroutine. */
void tutti__scope_expire(lua_State *L, struct tutti__lua *lua, uint64_t now_ns);

extern const luaL_Reg tutti__scope_functions[];
extern const luaL_Reg tutti__scope_methods[];

#endif
