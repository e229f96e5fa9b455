/* SPDX-License-Identifier: MIT */
/*
 * sleep.c - see sleep.h.
 *
 *   caller ---- post: arm ----> loop: timer in the heap ---- deadline ----> settle the promise
 *   settled (by whom ever): notice ---- post: done ----> loop: timer out of the heap, free
 *
 * Layer: io. Locks: none.
 * Invariant: the record is freed on the loop once both posts have run; either may come first.
 */
#include "io/sleep.h"

#include <stddef.h>

#include "base/alloc.h"
#include "base/clock.h"

struct sleeper {
    struct tutti__timer timer;   /* [loop] */
    struct tutti__notice notice; /* of the promise */
    struct tutti__post arm;
    struct tutti__post done;
    struct tutti__loop *loop;    /* [const] */
    tutti_task *task;            /* [const] a reference: a cancelled one may be gone before */
    uint64_t deadline_ns;        /* [const] */
    bool has_armed;              /* [loop] */
    bool is_done;                /* [loop] */
};

#define SLEEPER_OF(ptr, member)                                                                    \
    ((struct sleeper *)(void *)((char *)(ptr) - offsetof(struct sleeper, member)))

static void free_if_over(struct sleeper *s)
{
    if (s->has_armed && s->is_done) {
        tutti__task_unref(s->task);
        tutti__memory_free(tutti__loop_memory(s->loop), s, sizeof *s);
    }
}

static void on_deadline(struct tutti__timer *timer)
{
    /* ESETTLED: cancelled a moment ago on another thread, whose post is on its way. */
    (void)tutti__promise_settle(SLEEPER_OF(timer, timer)->task, TUTTI_OK, NULL);
}

static void on_arm(struct tutti__post *post)
{
    struct sleeper *s = SLEEPER_OF(post, arm);
    s->has_armed = true;
    if (!s->is_done &&
        tutti__loop_timer_start(s->loop, &s->timer, s->deadline_ns) != TUTTI_OK) {
        (void)tutti__promise_settle(s->task, TUTTI_ENOMEM, NULL);
    }
    free_if_over(s);
}

static void on_done(struct tutti__post *post)
{
    struct sleeper *s = SLEEPER_OF(post, done);
    s->is_done = true;
    tutti__loop_timer_stop(s->loop, &s->timer);
    free_if_over(s);
}

/* Thread: whichever settled the promise. */
static void on_settled(struct tutti__notice *notice, tutti_task *task)
{
    (void)task;
    struct sleeper *s = SLEEPER_OF(notice, notice);
    tutti__home_post(tutti__loop_home(s->loop), &s->done);
}

int tutti__sleep_start(struct tutti__sched *sched, struct tutti__loop *loop, uint64_t delay_ns,
                       tutti_task **out)
{
    const tutti_allocator *memory = tutti__loop_memory(loop);
    struct sleeper *s = tutti__memory_zero(memory, TUTTI__ALIGN_ANY, sizeof *s);
    if (s == NULL) {
        return TUTTI_ENOMEM;
    }
    s->timer.fn = on_deadline;
    s->notice.fn = on_settled;
    s->arm.fn = on_arm;
    s->done.fn = on_done;
    s->loop = loop;
    s->deadline_ns = tutti__clock_after(tutti__loop_now_ns(loop), delay_ns);
    int rc = tutti__sched_promise_new(sched, &s->task);
    if (rc != TUTTI_OK) {
        tutti__memory_free(memory, s, sizeof *s);
        return rc;
    }
    tutti_task *task = s->task;
    tutti__task_ref(task); /* one for the record, one for the caller */
    if (!tutti__task_notify(task, &s->notice)) {
        s->is_done = true; /* the engine stopped in this very moment and has settled it */
    }
    tutti__home_post(tutti__loop_home(loop), &s->arm); /* `s` is the loop's now */
    *out = task;
    return TUTTI_OK;
}
