/* SPDX-License-Identifier: MIT */
/*
 * waitlist.h - tasks of any states that wait for something an object gives: a channel's value, a
 * semaphore's permit, an event.
 *
 *     task --- wait ---> [ list in the object, under its lock ] --- served ---> home of the task
 *
 * Whoever serves a wait takes it out of the list under the lock and tells it afterwards: at once if it is a
 * wait of the same state, else by a post. A wait that is cancelled is taken back; if somebody has
 * served it meanwhile, what it was given is returned to the object.
 *
 * Layer: lua.
 */
#ifndef TUTTI_LUA_WAITLIST_H
#define TUTTI_LUA_WAITLIST_H

#include "lua/handle.h"
#include "lua/parcel.h"

/* LINKED: in a list. SERVED: has what it waits for. REFUSED: will never get it (the channel is closed). */
enum tutti__blocked_state { BLOCKED_NEW, BLOCKED_LINKED, BLOCKED_SERVED, BLOCKED_REFUSED };

struct tutti__blocked;

/* What kind of wait it is. */
struct tutti__blocked_kind {
    const char *what; /* the operation: "channel:send" */
    /* Where a linked wait of this kind stands. */
    struct tutti__waitlist *(*list)(struct tutti__handle *handle);
    /* It was taken back before it was served (false), or after (true): let go of what it holds. */
    void (*taken_back)(struct tutti__lua *lua, struct tutti__blocked *blocked, bool was_served);
    /* It is over, served or refused: push the results of the operation, or raise. Frees `blocked`. */
    int (*finish)(lua_State *L, struct tutti__blocked *blocked);
};

/* One wait. It is its object's while linked, and its home's before and after. */
struct tutti__blocked {
    struct tutti__blocked *next; /* [handle.mu] while linked; then of whoever took it out */
    struct tutti__blocked *prev; /* [handle.mu] */
    struct tutti__post post;
    const struct tutti__blocked_kind *kind; /* [const] */
    struct tutti__lua *lua;                 /* [const] its state; others only compare it */
    struct tutti__home *home;               /* [const] */
    struct tutti__handle *handle;           /* [const] from the first time in a list on a reference; before,
                                               the caller's stack has it */
    struct tutti__record *record;           /* [home] NULL: taken back, or outside any task */
    struct tutti__parcel parcel;            /* [as state] of a channel: to send, or received */
    enum tutti__blocked_state state;        /* [handle.mu while linked, then home] */
    bool arrived;                           /* [home] it has been told */
    bool has_handle;                        /* [home] `handle` is a reference */
    bool outside;                           /* [home] of a caller outside any task, who runs the loop */
};

struct tutti__waitlist {
    struct tutti__blocked *first;
    struct tutti__blocked *last;
};

/* ---- under the object's lock ---------------------------------------------------------------- */

void tutti__waitlist_append(struct tutti__waitlist *list, struct tutti__blocked *blocked);

/* Take the longest waiting one out and mark it SERVED or REFUSED; NULL when there is none. */
struct tutti__blocked *tutti__waitlist_take(struct tutti__waitlist *list,
                                            enum tutti__blocked_state state);

/* Take all out, in order, linked by `next`. */
struct tutti__blocked *tutti__waitlist_take_all(struct tutti__waitlist *list,
                                                enum tutti__blocked_state state);

/* ---- without it ----------------------------------------------------------------------------- */

/* Tell waits (linked by `next`, or one with next NULL, or NULL) that are in no list any more. `lua` is
 * the state that runs here. */
void tutti__blocked_tell(struct tutti__lua *lua, struct tutti__blocked *first);

/* Make a wait of `me`, or with NULL of a caller outside any task. Raises: out of memory. */
struct tutti__blocked *tutti__blocked_new(lua_State *L, struct tutti__lua *lua,
                                          struct tutti__handle *handle, struct tutti__record *me,
                                          const struct tutti__blocked_kind *kind);
/* The same under the object's lock. Returns: NULL - out of memory. */
struct tutti__blocked *tutti__blocked_make(struct tutti__lua *lua, struct tutti__handle *handle,
                                           struct tutti__record *me,
                                           const struct tutti__blocked_kind *kind);
void tutti__blocked_free(struct tutti__lua *lua, struct tutti__blocked *blocked);

/* Wait. To be returned from the C function of the operation, after `blocked` has been linked. */
int tutti__blocked_wait(lua_State *L, struct tutti__lua *lua, struct tutti__blocked *blocked);

/* The operation a suspended record waits in ("channel:recv"), or NULL if it is none of these. */
const char *tutti__blocked_what(const struct tutti__record *record);

/* Free what is kept for waits to come. */
void tutti__blocked_forget(struct tutti__lua *lua);

#endif
