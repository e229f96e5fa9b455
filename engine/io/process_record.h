/* SPDX-License-Identifier: MIT */
/*
 * process_record.h - what the process files share: the record of one process, and of all.
 *
 *   process.c          the life: waiting to start -> starting -> running -> ended -> settled
 *   process_start.c    the queue of starts, and what happens when descriptors run out
 *   process_stdio.c    its streams
 *   process_pipe.c     what feeds one another
 *   process_group.c    signals, and who is left of its group
 *   process_reap.c     how it ended
 *   process_spec.c     the copy of what was asked for
 *
 * Layer: io. Thread: the loop's, but for the parts marked [start], which belong to the extra thread
 * between the submission of `job` and its post.
 * Invariant: the process stays unreaped from its start until the record settles, so its pid and the
 * id of its group name nothing else whenever they are signalled.
 */
#ifndef TUTTI_IO_PROCESS_RECORD_H
#define TUTTI_IO_PROCESS_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "io/capture.h"
#include "io/loop.h"
#include "io/process.h"
#include "io/spawn.h"
#include "sched/sched.h"

/* What a pipe holds by default: more never comes at once. */
#define TUTTI__PROCESS_BUFFER_BYTES ((size_t)64 * 1024)

enum tutti__process_phase {
    TUTTI__PROCESS_FED = 0, /* its feeder has not started yet, or it is not in the queue yet */
    TUTTI__PROCESS_QUEUED,
    TUTTI__PROCESS_STARTING,
    TUTTI__PROCESS_RUNNING,
    TUTTI__PROCESS_ENDED, /* it has exited; its streams, or members of its group, have not */
    TUTTI__PROCESS_REAPED, /* it is gone, but what feeds it is not */
    TUTTI__PROCESS_SETTLED,
};

enum tutti__process_end {
    TUTTI__END_ITSELF = 0,
    TUTTI__END_CANCEL,
    TUTTI__END_TIMEOUT,
    TUTTI__END_ERROR, /* it could not be started, or not be watched */
};

/* A descriptor watched by the loop. */
struct tutti__watcher {
    uv_poll_t poll;
    struct tutti__process *process;
    bool is_open;
    int fd; /* closed with it */
};

struct tutti__process {
    struct tutti__process_spec spec; /* [const] a copy: all it points to lies behind the record */
    const tutti_allocator *memory;   /* [const] of the record */
    size_t bytes;                    /* [const] of the record and what lies behind it */
    struct tutti__processes *all;    /* [const] */
    tutti_task *task;                /* [const] a reference; one task for a pipeline */
    struct tutti__process *feeder;   /* until that has settled */
    struct tutti__process *reader;   /* [const] which it feeds */
    struct tutti__process *previous; /* of all->first */
    struct tutti__process *next;
    struct tutti__process *queued_next;
    struct tutti__process *scan_next;

    enum tutti__process_phase phase;
    enum tutti__process_end end; /* why it is being stopped, once it is */
    bool is_killed;              /* KILL was sent */
    bool is_following;           /* ENDED, and a member of its group is left */
    bool is_queued_for_scan;
    bool is_hook_armed;          /* the task has our hook; its post has not come */
    bool is_hook_away;           /* settled, but a canceller has the hook: its post will come */
    bool began_alone;            /* nothing else held descriptors when the start began */
    uint64_t begun_number;       /* of the start */
    uint64_t started_ns;         /* [start] */
    uint64_t ended_ns;
    uint32_t handles_open;       /* libuv's, not closed yet */

    struct tutti__post arrival;
    struct tutti__block_job job;
    struct tutti__block_job wait_job; /* only when there is no pidfd */
    struct tutti__cancel_hook hook;
    struct tutti__timer timer;   /* timeout, then grace, then patience with the streams */
    struct tutti__spawn spawn;   /* [start] */
    size_t stdin_sent;
    struct tutti__watcher exit_watch;
    struct tutti__watcher member_watch;
    struct tutti__watcher in_watch;
    struct tutti__watcher out_watch[2];
    bool is_held[2];             /* nobody wants more of that stream now, so it is not watched */
    struct tutti__capture capture[2];
    struct tutti__process_box *box; /* the result to be */
};

struct tutti__processes {
    struct tutti__sched *sched; /* [const] */
    struct tutti__loop *loop;   /* [const] */
    struct tutti__process *first;
    uint32_t record_count;
    uint32_t holding_count;  /* starting, or holding descriptors: those that may give some back */
    uint32_t starting_count; /* of these, the starts that count against the limit */
    uint64_t begun_count;
    struct tutti__process *queue_first;
    struct tutti__process *queue_last;
    struct tutti__process *opening; /* the last of a pipeline of which a part has not started */
    bool is_scarce;  /* a start has failed for lack of something: one at a time */
    bool is_blocked; /* and nothing was given back since */
    bool is_stopping;
    void (*gone)(void *user);
    void *gone_user;
    struct tutti__process *scan_first;
    struct tutti__post scan_post;
    bool is_scan_posted;
    char *buffer; /* [TUTTI__PROCESS_BUFFER_BYTES] for reading; nothing of it survives a read */
};

#define TUTTI__PROCESS_OF(ptr, member)                                                             \
    ((struct tutti__process *)(void *)((char *)(ptr) - offsetof(struct tutti__process, member)))

/* One that reads the terminal stays in the terminal's group. */
static inline bool tutti__process_has_group(const struct tutti__process *p)
{
    return p->spec.stdin_kind != TUTTI__STDIN_INHERIT;
}

/* ---- process_spec.c ------------------------------------------------------------------------- */

/* Make a record with a copy of `spec` and an empty result. Returns: TUTTI_OK · TUTTI_EINVAL ·
 * ENOMEM. */
int tutti__process_record_new(struct tutti__process **out, const struct tutti__process_spec *spec,
                              const tutti_allocator *memory);
void tutti__process_record_free(struct tutti__process *p);

/* The result, which owns what it points to. */
struct tutti__process_box {
    struct tutti__process_result result; /* first */
    struct tutti__capture capture[2];
};

/* With what its feeders left. */
void tutti__process_box_free(struct tutti__process_box *box);

/* Make the box the task's value. Memory: takes the box. */
tutti_value tutti__process_box_value(struct tutti__process_box *box);

/* ---- process_pipe.c ------------------------------------------------------------------------- */

/* Make the records of what feeds `p`, whose task is there. Returns: TUTTI_OK · as
 * tutti__process_record_new; `p` owns those that were made. */
int tutti__process_feeders_new(struct tutti__process *p, const struct tutti__process_spec *spec);

/* Free records that were never linked, with their references on the task. */
void tutti__process_feeders_free(struct tutti__process *p);

/* The one that starts first. */
struct tutti__process *tutti__process_source(struct tutti__process *p);

/* The last reader, which has the hook and settles the task. */
static inline struct tutti__process *tutti__process_last(struct tutti__process *p)
{
    while (p->reader != NULL)
        p = p->reader;
    return p;
}

/* How many of those that feed `p` hold descriptors. */
uint32_t tutti__process_feeders_holding(const struct tutti__process *p);

/* `p` has started: its reader is next. */
void tutti__process_feed(struct tutti__process *p);

/* `p` has settled: its reader gets its result, and settles too if it waited for that. Memory: takes the
 * box. */
void tutti__process_fed(struct tutti__process *p, struct tutti__process_box *box);

/* ---- process_start.c ------------------------------------------------------------------------ */

/* Queue the start of `p`, and start what may start. */
void tutti__process_start_soon(struct tutti__process *p);

/* Its feeder has started: it goes before all others. */
void tutti__process_start_next(struct tutti__process *p);

/* `p`, the last of a pipeline, has started or never will. */
void tutti__process_opened(struct tutti__process *p);

/* `p` leaves the queue. */
void tutti__process_unqueue(struct tutti__process *p);

/* A process has given its descriptors back: somebody who waits for some may start. */
void tutti__process_gave_back(struct tutti__processes *all);

/* ---- process.c ------------------------------------------------------------------------------ */

/* The process runs: watch it. */
void tutti__process_begin(struct tutti__process *p);

/* Settle `p`, whose process never ran or was reaped, and let go of it: at once, or when what feeds it has
 * settled. */
void tutti__process_settle(struct tutti__process *p);

/* Stop it: TERM, then KILL after the grace. Nothing if it is being stopped already. */
void tutti__process_stop(struct tutti__process *p, enum tutti__process_end why);

/* It has exited, and who is left of its group is dead or not asked for: wait for its streams. */
void tutti__process_await_streams(struct tutti__process *p);

/* Watch `fd`, which is closed with the watcher. Returns 0 or an errno (the descriptor is closed
 * then). */
int tutti__watcher_start(struct tutti__watcher *w, int fd, int events, uv_poll_cb on_event);

/* Nothing if it is not open. The record lives until libuv has let go of the handle. */
void tutti__watcher_stop(struct tutti__watcher *w);

/* ---- process_stdio.c ------------------------------------------------------------------------ */

/* Watch the streams. Returns 0 or an errno. */
int tutti__process_stdio_begin(struct tutti__process *p);

/* Watch the streams again that were held. */
void tutti__process_stdio_resume(struct tutti__process *p);

/* Read what is there. */
void tutti__process_stdio_drain(struct tutti__process *p);

bool tutti__process_stdio_is_open(const struct tutti__process *p);

/* Stop watching; streams that are cut off get their end. */
void tutti__process_stdio_close(struct tutti__process *p);

/* ---- process_reap.c ------------------------------------------------------------------------- */

/* Reap it, and note in its result how it ended and what it used. */
void tutti__process_reap(struct tutti__process *p);

/* ---- process_group.c ------------------------------------------------------------------------ */

/* Send `signal` to the group, or to the process alone if it has none of its own. */
void tutti__process_signal(struct tutti__process *p, int signal);

/* See who is left of the group of an ended process; follow one, or go on to its streams. */
void tutti__process_scan_group(struct tutti__process *p);

/* For scan_post. */
void tutti__process_on_scan(struct tutti__post *post);

#endif
