/* SPDX-License-Identifier: MIT */
/*
 * wait.c - threads that wait for a task, for the scheduler to be idle, or for a condition of the host's.
 *
 *   outside of a body   the creator runs what is ready; others sleep
 *   in a body           runs what the body's task, or a task made by it, has made; then sleeps, and a
 *                       spare has its place meanwhile (spare.h)
 *
 * Nobody leaves anything behind when the deadline comes first.
 *
 * Layer: sched. Locks: lot.mu, idle.mu, spares.mu, blocking.mu, one at a time.
 * Invariant: a waiter says that it waits (WAITED, idle_waiters, the alarm), then looks whether it is
 * over; who ends what is waited for does so, then looks for waiters; one of the two sees the other.
 */
#include "base/clock.h"
#include "sched/core.h"

struct wait {
    struct tutti__sched *sched;
    struct tutti__search until;
    bool is_for_idle;
};

/* So much of the creator's stack, which is not ours, is used by bodies that wait in each other. */
enum { CREATOR_STACK_BYTES = 256 << 10 };

static bool task_is_over(struct tutti__thread *thread, const void *key)
{
    (void)thread;
    return tutti__task_is_done(key);
}

static bool idle_is_over(struct tutti__thread *thread, const void *key)
{
    (void)thread;
    return tutti__sched_is_idle((struct tutti__sched *)(uintptr_t)key);
}

static bool is_over(const struct wait *wait)
{
    return wait->until.is_over(NULL, wait->until.key);
}

static bool is_late(const struct wait *wait)
{
    const struct tutti__env *env = wait->sched->env;
    return wait->until.deadline_ns != UINT64_MAX && env->now_ns(env->user) >= wait->until.deadline_ns;
}

static void announce(const struct wait *wait)
{
    if (wait->is_for_idle) {
        TUTTI_FETCH_ADD(&wait->sched->idle_waiters, 1, seq_cst);
    } else {
        tutti_task *task = (tutti_task *)(uintptr_t)wait->until.key;
        TUTTI_FETCH_OR(&task->pending, TUTTI__PENDING_WAITED, seq_cst);
    }
    TUTTI_FENCE(seq_cst);
}

static void renounce(const struct wait *wait)
{
    if (wait->is_for_idle) {
        TUTTI_FETCH_SUB(&wait->sched->idle_waiters, 1, relaxed);
    } /* WAITED stays: it costs the settler one look at an empty list */
}

static int outcome(const struct wait *wait)
{
    return is_over(wait) ? TUTTI_OK : TUTTI_ETIMEDOUT;
}

/* ---- outside of a body -------------------------------------------------------------------- */

static void leave_outside(struct tutti__sched *sched)
{
    /* seq_cst: the stopper sets its bit, then sleeps until the number is 0 (stop.c). */
    if (TUTTI_FETCH_SUB(&sched->outside, 1, seq_cst) == TUTTI__OUTSIDE_STOP + 1) {
        tutti__futex_wake(&sched->outside, 1); /* by its address: the scheduler may be gone */
    }
}

/* Of a thread that runs no tasks. */
static int sleep_until(const struct wait *wait)
{
    struct tutti__parker parker = { 0 };
    TUTTI_FETCH_ADD(&wait->sched->outside, 1, seq_cst); /* as above */
    announce(wait);
    for (bool in_time = true; in_time && !is_over(wait);) {
        struct tutti__waiter waiter = { .key = wait->until.key, .parker = &parker };
        tutti__lot_add(&wait->sched->lot, &waiter);
        if (!is_over(wait)) {
            in_time = tutti__parker_wait(&parker, wait->until.deadline_ns);
        }
        tutti__lot_remove(&wait->sched->lot, &waiter);
    }
    renounce(wait);
    int rc = outcome(wait);
    leave_outside(wait->sched);
    return rc;
}

bool tutti__help_enter(struct tutti__thread *thread)
{
    bool helps = thread->parks;
    if (!helps) {
        tutti__idle_enter(&thread->sched->idle);
        thread->parks = true;
        thread->stack_low = tutti__stack_below(CREATOR_STACK_BYTES);
    }
    return helps;
}

void tutti__help_leave(struct tutti__thread *thread, bool helped)
{
    if (!helped) {
        thread->parks = false;
        tutti__idle_leave(&thread->sched->idle);
        tutti__idle_check(thread->sched); /* others may wait for idle, and this thread goes away */
    }
}

/* Run what can be run without sleeping. */
static void help(struct tutti__thread *thread, const struct wait *wait)
{
    tutti_task *task;
    while ((wait->is_for_idle || !is_over(wait)) && !is_late(wait) &&
           (task = tutti__find(thread)) != NULL) {
        tutti__run(thread, task);
    }
}

static int help_until(struct tutti__thread *thread, const struct wait *wait)
{
    bool helped = tutti__help_enter(thread);
    help(thread, wait);
    if (!is_over(wait)) {
        announce(wait);
        while (!is_over(wait) && !is_late(wait)) {
            struct tutti__waiter waiter = { .key = wait->until.key, .parker = &thread->parker };
            tutti__lot_add(&wait->sched->lot, &waiter);
            tutti_task *task = tutti__search(thread, &wait->until);
            tutti__lot_remove(&wait->sched->lot, &waiter);
            if (task != NULL) {
                tutti__run(thread, task);
                help(thread, wait);
            }
        }
        renounce(wait);
    }
    tutti__help_leave(thread, helped);
    return outcome(wait);
}

/* ---- in a body: the family ---------------------------------------------------------------- */

/* Hold a ready task still, so that nobody settles it early and its parents are there. Returns: false:
 * it has been settled. */
static bool hold(tutti_task *task)
{
    /* To a canceller it has started. acq_rel: in one order with the claims. */
    uint64_t old = TUTTI_FETCH_OR(&task->pending, TUTTI__PENDING_STARTED, acq_rel);
    return (old & TUTTI__PENDING_CLAIMED) == 0;
}

static void let_go(tutti_task *task)
{
    uint64_t old = TUTTI_FETCH_AND(&task->pending, ~TUTTI__PENDING_STARTED, acq_rel);
    if ((old & TUTTI__PENDING_CANCEL) != 0) {
        tutti__task_cancel(task); /* the canceller could only set the flag: do the rest for it */
    }
}

static bool is_below(const tutti_task *task, const tutti_task *ancestor)
{
    for (task = tutti__record_parent(task); task != NULL; task = tutti__record_parent(task)) {
        if (task == ancestor) {
            return true;
        }
    }
    return false;
}

/* Has `self`, or a task that it has made, made `task`? Thread: has just taken `task` from its deque. */
static bool is_family(struct tutti__thread *thread, tutti_task *task, const tutti_task *self)
{
    const tutti_task *parent = tutti__record_parent(task);
    if (parent == NULL || parent == self) {
        return parent == self;
    }
    if (tutti__task_is_sole(thread, task)) {
        return is_below(task, self); /* nobody else can settle it */
    }
    if (!hold(task)) {
        return true; /* to run it is to drop it */
    }
    bool is_found = is_below(task, self);
    let_go(task);
    return is_found;
}

/* How many strangers on top of the family are looked behind. */
enum { STRANGERS_MAX = 8 };

static bool has_stack(const struct tutti__thread *thread)
{
    return tutti__stack_below(0) > thread->stack_low;
}

tutti_task *tutti__take_family(struct tutti__thread *thread, const tutti_task *self)
{
    if (!tutti__thread_has_deque(thread) || !has_stack(thread)) {
        return NULL;
    }
    tutti_task *strangers[STRANGERS_MAX];
    uint32_t count = 0;
    tutti_task *task = tutti__deque_take(&thread->deque);
    while (task != NULL && !is_family(thread, task, self)) {
        strangers[count++] = task;
        task = count < STRANGERS_MAX ? tutti__deque_take(&thread->deque) : NULL;
    }
    if (count != 0) {
        while (count-- > 0) { /* the oldest first, as they lay */
            if (!tutti__deque_push(&thread->deque, strangers[count])) {
                tutti__injector_push(&thread->sched->injector, strangers[count]);
            }
        }
        tutti__idle_notify(&thread->sched->idle); /* others may have found the deque empty */
    }
    return task;
}

bool tutti__task_wait_here(tutti_task *task)
{
    struct tutti__thread *thread = tutti__thread_here(tutti__sched_of(task));
    if (thread == NULL || thread->frame == NULL || !tutti__thread_has_deque(thread) ||
        tutti__deque_newest(&thread->deque) != task || !has_stack(thread) ||
        tutti__deque_take(&thread->deque) == NULL) {
        return false;
    }
    tutti__run_alone(thread, task); /* it is not settled early: the caller has looked, or to run is to drop */
    return tutti__task_is_done(task);
}

/* ---- in a body: waiting ------------------------------------------------------------------- */

/* Would `self` wait for one that waits for it? */
static bool is_own_ancestor(const tutti_task *self, const tutti_task *task)
{
    /* What has not started, and a child of one's own, is none: so a family as deep as it may be never
     * comes to the walk. relaxed: an ancestor's start was seen by whoever made a child in it. */
    if ((TUTTI_LOAD(&task->pending, relaxed) & TUTTI__PENDING_STARTED) == 0 ||
        tutti__record_parent(task) == self) {
        return false;
    }
    return is_below(self, task);
}

int tutti__body_may_wait(const tutti_task *self, const tutti_task *task)
{
    if (self == task || is_own_ancestor(self, task)) {
        return TUTTI_EDEADLK;
    }
    return tutti__task_is_cancelled(self) ? TUTTI_ECANCELED : TUTTI_OK;
}

/* Is there no reason to go on waiting? */
static bool must_end(const struct wait *wait, const tutti_task *self)
{
    return is_over(wait) || tutti__task_is_cancelled(self);
}

static void spin_in_body(const struct wait *wait, const tutti_task *self)
{
    const struct tutti__env *env = wait->sched->env;
    if (wait->sched->spin_ns == 0) {
        return;
    }
    uint64_t end_ns = env->now_ns(env->user) + wait->sched->spin_ns;
    while (!must_end(wait, self) && env->now_ns(env->user) < end_ns) {
        tutti__relax();
    }
}

/* Sleep until the wait is over, `self` is cancelled or the deadline has passed, or for no reason.
 * Returns: TUTTI_OK · TUTTI_EAGAIN: nobody could take this thread's place. */
static int sleep_in_body(struct tutti__thread *thread, const struct wait *wait, tutti_task *self)
{
    struct tutti__sched *sched = wait->sched;
    struct tutti__waiter waiter = { .key = wait->until.key, .self = self, .parker = &thread->parker };
    spin_in_body(wait, self);
    if (must_end(wait, self)) {
        return TUTTI_OK;
    }
    tutti__batch_flush(&thread->batch);
    tutti__heap_collect(&thread->heap);
    tutti__idle_check(sched); /* this thread may have settled something, and will not look for work */
    int rc = tutti__slot_lend(thread);
    if (rc != TUTTI_OK) {
        return rc;
    }
    tutti__lot_add(&sched->lot, &waiter);
    announce(wait);
    if (!must_end(wait, self)) {
        tutti__parker_wait(&thread->parker, wait->until.deadline_ns);
    }
    tutti__lot_remove(&sched->lot, &waiter);
    tutti__slot_take(thread);
    return TUTTI_OK;
}

static int wait_in_body(struct tutti__thread *thread, const struct wait *wait)
{
    tutti_task *self = thread->frame->task;
    int rc = tutti__body_may_wait(self, wait->until.key);
    while (rc == TUTTI_OK && !is_over(wait)) {
        if (tutti__task_is_cancelled(self)) {
            rc = TUTTI_ECANCELED;
        } else if (is_late(wait)) {
            rc = TUTTI_ETIMEDOUT;
        } else {
            tutti_task *task = tutti__take_family(thread, self);
            if (task != NULL) {
                tutti__run_alone(thread, task);
            } else {
                rc = sleep_in_body(thread, wait, self);
            }
        }
    }
    return rc;
}

/* ---- dispatch ----------------------------------------------------------------------------- */

static int wait_for(const struct wait *wait)
{
    struct tutti__thread *here = tutti__thread_here(wait->sched);
    if (tutti__wave_active(wait->sched) != NULL) {
        return TUTTI_EDEADLK; /* in a notice, or where a value is dropped: others wait for its end */
    }
    if (here == NULL) {
        return sleep_until(wait);
    }
    if (here->frame != NULL) {
        /* On the loop thread nobody would serve the loop; and while a body runs it is not idle. */
        bool is_loop = here->home != NULL && here->home != &here->own_home;
        return is_loop || wait->is_for_idle ? TUTTI_EDEADLK : wait_in_body(here, wait);
    }
    if (here->home != NULL) {
        return TUTTI_EDEADLK; /* this would hold up what lives there */
    }
    return here->kind == TUTTI__THREAD_CREATOR ? help_until(here, wait) : sleep_until(wait);
}

int tutti__task_wait(tutti_task *task, uint64_t timeout_ns)
{
    if (tutti__task_is_done(task)) {
        return TUTTI_OK;
    }
    struct tutti__sched *sched = tutti__sched_of(task);
    uint64_t now_ns = timeout_ns == TUTTI_FOREVER ? 0 : sched->env->now_ns(sched->env->user);
    struct wait wait = { .sched = sched,
                         .until = { task_is_over, task, tutti__clock_after(now_ns, timeout_ns) },
                         .is_for_idle = false };
    return wait_for(&wait);
}

static int wait_idle(struct tutti__sched *sched, uint64_t deadline_ns)
{
    struct wait wait = { .sched = sched,
                         .until = { idle_is_over, sched, deadline_ns },
                         .is_for_idle = true };
    return wait_for(&wait);
}

int tutti__sched_wait_idle(struct tutti__sched *sched)
{
    return wait_idle(sched, UINT64_MAX);
}

int tutti__sched_wait_idle_until(struct tutti__sched *sched, uint64_t deadline_ns)
{
    return wait_idle(sched, deadline_ns);
}

/* ---- for a condition of the host's -------------------------------------------------------- */

void tutti__watch_tell(struct tutti__sched *sched)
{
    /* acq_rel: one of many tells; what has settled is seen by who is told. */
    uint32_t old = TUTTI_FETCH_AND(&sched->alarm, ~TUTTI__ALARM_WATCH, acq_rel);
    if ((old & TUTTI__ALARM_WATCH) != 0) {
        tutti__lot_wake(&sched->lot, &sched->alarm);
    }
}

void tutti__watch_begin(struct tutti__sched *sched)
{
    TUTTI_FETCH_OR(&sched->alarm, TUTTI__ALARM_WATCH, seq_cst);
    TUTTI_FENCE_HEAVY(); /* pairs with the light one before each look at the alarm */
}

void tutti__watch_end(struct tutti__sched *sched)
{
    /* relaxed: who sleeps no more needs no telling; a settler that comes late wakes nobody. */
    (void)TUTTI_FETCH_AND(&sched->alarm, ~TUTTI__ALARM_WATCH, relaxed);
}

bool tutti__watch_is_told(struct tutti__sched *sched)
{
    /* acquire pairs with the release in tutti__watch_tell. */
    return (TUTTI_LOAD(&sched->alarm, acquire) & TUTTI__ALARM_WATCH) == 0;
}

static bool settle_is_over(struct tutti__thread *thread, const void *unused)
{
    (void)unused;
    return tutti__watch_is_told(thread->sched);
}

/* None was ready: sleep until there is one or something has settled. Returns: the task, if there is. */
static tutti_task *search_watched(struct tutti__thread *thread, bool (*pred)(void *user), void *user)
{
    static const struct tutti__search until = { settle_is_over, NULL, UINT64_MAX };
    struct tutti__sched *sched = thread->sched;
    struct tutti__waiter waiter = { .key = &sched->alarm, .parker = &thread->parker };
    tutti_task *task = NULL;
    tutti__watch_begin(sched);
    tutti__lot_add(&sched->lot, &waiter);
    if (!pred(user)) {
        task = tutti__search(thread, &until);
    }
    tutti__lot_remove(&sched->lot, &waiter);
    return task;
}

int tutti__sched_run_until(struct tutti__sched *sched, bool (*pred)(void *user), void *user)
{
    struct tutti__thread *here = tutti__thread_here(sched);
    if (here != NULL && (here->frame != NULL || tutti__wave_active(sched) != NULL)) {
        return TUTTI_EDEADLK;
    }
    if (here == NULL || here->kind != TUTTI__THREAD_CREATOR || here->home != NULL) {
        return TUTTI_EINVAL;
    }
    bool helped = tutti__help_enter(here);
    while (!pred(user)) {
        tutti_task *task = tutti__find(here);
        if (task == NULL) {
            task = search_watched(here, pred, user);
        }
        if (task != NULL) {
            tutti__run_alone(here, task);
        }
    }
    tutti__watch_end(sched);
    tutti__help_leave(here, helped);
    return TUTTI_OK;
}
