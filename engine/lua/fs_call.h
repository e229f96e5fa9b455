/* SPDX-License-Identifier: MIT */
/*
 * fs_call.h - one operation on files, and how a task waits for it.
 *
 *     loop state:   call --(extra thread: work)--> post --> the task goes on
 *     worker state: work runs at once, in the worker; only what would wait takes the way above
 *
 * `work` never waits: descriptors of FIFOs and devices are opened with O_NONBLOCK, and work that
 * would block returns TUTTI__FS_WAIT. Then the loop watches the descriptor, and work is called
 * again when it is ready. So a FIFO costs no thread while it waits (a hundred readers would
 * otherwise leave none for the programs that should write), a cancelled call is left at once, and
 * no FIFO holds up the end of an engine.
 *
 * Layer: lua. Locks: none.
 * Invariant: between submit and post a call belongs to the extra thread but for the fields marked
 * [home] and `stop`.
 */
#ifndef TUTTI_LUA_FS_CALL_H
#define TUTTI_LUA_FS_CALL_H

#include <sys/stat.h>

#include "lua/state.h"

/* Result of `work`: call again when call->fd is ready for call->events. */
#define TUTTI__FS_WAIT (-1)

struct tutti__fs_call;

struct tutti__fs_op {
    const char *name; /* as messages have it: "fs.read" */
    /* Does it. Thread: any. Returns: 0 · an errno · TUTTI__FS_WAIT. */
    int (*work)(struct tutti__fs_call *call);
    /* Push what it gave; returns how many values. May raise. Thread: the state's home. */
    int (*push)(lua_State *L, struct tutti__fs_call *call);
};

struct tutti__fs_bytes {
    char *data;
    size_t length;
    size_t capacity;
};

struct tutti__fs_call {
    struct tutti__block_job job;
    const struct tutti__fs_op *op;
    struct tutti__record *record; /* [home] who waits; NULL: nobody, or a caller outside any task */
    bool in_flight;               /* [home] submitted, its post has not run */
    bool is_dropped;              /* [home] nobody wants the outcome: its post frees it */
    bool is_waiting;              /* [home] in flight, and `wait` is armed */
    TUTTI_ATOMIC(uint32_t) stop;  /* [home sets, extra thread reads] see tutti__fs_is_stopped */
    tutti_engine *engine;         /* [const] once submitted */
    struct tutti__fd_wait wait;   /* for what `work` may not wait for */
    int error;                    /* of `work`, once it is over */

    char *path;
    const char *data; /* to write: on Lua's stack at first, data_copy once submitted */
    char *data_copy;
    size_t length;    /* of data */
    bool flag;        /* what it means depends on the operation: types, parents, recursive */

    int fd;           /* open in between, else -1 */
    short events;     /* with TUTTI__FS_WAIT */
    size_t done;      /* of data */
    struct tutti__fs_bytes out;
    char **names;     /* list: sorted; each points into out: a letter (type), the name */
    size_t names_count;
    struct stat st;
};

/* Push a userdata that owns a new call for the path at `index`. Raises: usage, memory. */
struct tutti__fs_call *tutti__fs_new(lua_State *L, const struct tutti__fs_op *op, int index);

/* Do the call whose userdata is on top of the stack; to be returned from a C function. */
int tutti__fs_perform(lua_State *L);

/* Whether somebody has asked `work` to stop. Thread: any. */
bool tutti__fs_is_stopped(struct tutti__fs_call *call);

/* Make room for `more` bytes behind out.length. Returns 0 or ENOMEM. Thread: any. */
int tutti__fs_reserve(struct tutti__fs_bytes *out, size_t more);

/* Close call->fd if it is open. Thread: any. */
void tutti__fs_close_fd(struct tutti__fs_call *call);

/* The works: fs_work.c, fs_list.c, fs_tree.c. */
int tutti__fs_work_read(struct tutti__fs_call *call);
int tutti__fs_work_open(struct tutti__fs_call *call);
int tutti__fs_work_next(struct tutti__fs_call *call);
int tutti__fs_work_write(struct tutti__fs_call *call);
int tutti__fs_work_append(struct tutti__fs_call *call);
int tutti__fs_work_list(struct tutti__fs_call *call);
int tutti__fs_work_stat(struct tutti__fs_call *call);
int tutti__fs_work_lstat(struct tutti__fs_call *call);
int tutti__fs_work_mkdir(struct tutti__fs_call *call);
int tutti__fs_work_remove(struct tutti__fs_call *call);

#endif
