/* SPDX-License-Identifier: MIT */
/*
 * complete.c - what happens when a task ends: the one completion path.
 *
 * To settle a task is: store status and result; close `succ`; wake who sleeps on it; go through the
 * edges; tell the parent; drop the scheduler's reference. Everything that follows from one end on one
 * thread is one wave, a structure on that thread's stack: the first successor that became ready (to be
 * run next without being queued), parents whose last child has ended, and, within a failure, the edges
 * still to be followed. There is no recursion, however long the chain.
 *
 * A failure goes down the edges at once: each successor that would not run is claimed, becomes skipped
 * with the same cause, and its own edges join the list. All edges of that list lead to the same
 * outcome, so the list needs no other memory than the edges themselves.
 *
 * Layer: sched. Locks: none.
 * Invariants (native.md 1.4): `pending` gets each edge's unit exactly once, and who takes it to zero
 * alone makes the task ready, or drops it if it was claimed. `next` and `to` of an edge are read before
 * its unit is given: afterwards its memory may be gone.
 */
#include "base/value.h"
#include "sched/core.h"
#include "sched/scope.h"

/* The innermost wave of this thread: a settle from within a notice joins it instead of nesting. */
static _Thread_local struct tutti__wave *active __attribute__((tls_model("initial-exec")));

enum { NOTIFY_EVERY = 256 }; /* in a large fan-out others begin before all edges have been followed */

/* ---- ready -------------------------------------------------------------------------------- */

/* Push where this thread's tasks go. Returns: false: it has no such place, or no memory. */
static bool push_own(struct tutti__sched *sched, struct tutti__thread *thread, tutti_task *task)
{
    if (!tutti__thread_has_deque(thread)) {
        return false;
    }
    /* A creator that runs no tasks at the moment only offers them to others. */
    return thread->parks ? tutti__deque_push(&thread->deque, task)
                         : tutti__feed_push(&sched->feed, task);
}

/* Put a task with one of RECORD_ELSEWHERE where it belongs. */
static void put_elsewhere(struct tutti__sched *sched, tutti_task *task, uint32_t flags)
{
    if ((flags & TUTTI_PIN_LOOP) != 0) {
        tutti__pinned_push(&sched->pinned, task);
    } else if ((flags & TUTTI_BLOCKING) != 0) {
        tutti__blocking_push(sched, task);
    } else if ((flags & (TUTTI__RECORD_HIGH | TUTTI__RECORD_LOW)) != 0) {
        tutti__level_push(&sched->levels, &sched->raised, task);
    } else {
        tutti__strict_push(&sched->strict, task);
    }
}

static void push_local(struct tutti__wave *wave, tutti_task *task)
{
    struct tutti__sched *sched = wave->sched;
    uint32_t flags = tutti__record_flags(task);
    if (TUTTI_UNLIKELY((flags & TUTTI__RECORD_ELSEWHERE) != 0)) {
        put_elsewhere(sched, task, flags);
    } else if (!push_own(sched, wave->thread, task)) {
        tutti__injector_push(&sched->injector, task); /* needs no memory */
    }
    if (++wave->pushed % NOTIFY_EVERY == 0) {
        tutti__idle_notify(&sched->idle);
    }
}

static TUTTI_NOINLINE void push_slowly(struct tutti__thread *thread, tutti_task *task)
{
    struct tutti__sched *sched = thread->sched;
    uint32_t flags = tutti__record_flags(task);
    if ((flags & TUTTI__RECORD_ELSEWHERE) != 0) {
        put_elsewhere(sched, task, flags);
        if ((flags & (TUTTI_PIN_LOOP | TUTTI_BLOCKING)) != 0) {
            return; /* these wake whom they need */
        }
    } else if (!push_own(sched, thread, task)) {
        tutti__injector_push(&sched->injector, task);
    }
    tutti__idle_notify(&sched->idle);
}

/* As push_own, but only where it costs next to nothing. */
TUTTI_INLINE bool try_push_own(struct tutti__thread *thread, tutti_task *task)
{
    if (TUTTI_UNLIKELY(!tutti__thread_has_deque(thread))) {
        return false;
    }
    return thread->parks ? tutti__deque_try_push(&thread->deque, task)
                         : tutti__feed_try_push(&thread->sched->feed, task);
}

void tutti__push_ready(struct tutti__thread *thread, tutti_task *task)
{
    if (TUTTI_UNLIKELY((tutti__record_flags(task) & TUTTI__RECORD_ELSEWHERE) != 0 ||
                       !try_push_own(thread, task))) {
        push_slowly(thread, task);
        return;
    }
    tutti__idle_notify(&thread->sched->idle);
}

bool tutti__may_run(const struct tutti__thread *thread, uint32_t flags)
{
    uint32_t refused = thread->takes_strict ? 0 : TUTTI_NO_HELP;
    refused |= thread->sched->env->one_thread ? 0 : TUTTI_BLOCKING; /* there are no extra threads */
    return (flags & (TUTTI_PIN_LOOP | refused)) == 0;
}

/* Two are ready: keep the one with the higher rank to be run next. Of equal ones that is the task that
 * came last: the edges come newest first, so the one that is kept is the oldest, and the deque gives
 * the others back in the order in which they were submitted. */
static void keep_one(struct tutti__wave *wave, tutti_task *task, uint32_t flags)
{
    tutti_task *other = wave->next;
    uint32_t other_flags = tutti__record_flags(other);
    if (TUTTI_UNLIKELY(((flags & TUTTI__RECORD_LOW) | (other_flags & TUTTI__RECORD_HIGH)) != 0) &&
        tutti__rank(flags) < tutti__rank(other_flags)) {
        push_local(wave, task);
        return;
    }
    push_local(wave, other);
    wave->next = task;
}

void tutti__wave_ready(struct tutti__wave *wave, tutti_task *task)
{
    if (!tutti__thread_has_deque(wave->thread)) {
        push_local(wave, task);
        return;
    }
    uint32_t flags = tutti__record_flags(task);
    if (TUTTI_UNLIKELY((flags & TUTTI__RECORD_ELSEWHERE) != 0) &&
        !tutti__may_run(wave->thread, flags)) {
        push_local(wave, task);
        return;
    }
    if (wave->next != NULL) {
        keep_one(wave, task, flags);
        return;
    }
    wave->next = task;
}

tutti_task *tutti__count_down(struct tutti__thread *thread, tutti_task *task, uint32_t count)
{
    /* First the references, then the state: the other way round, one who claims it and drops his handle
     * in between would go unseen. */
    bool sole = tutti__task_is_sole(thread, task);
    /* acquire: what was done with edges that are counted already comes with it (each was counted by a
     * read-modify-write with release, and these form one release sequence). */
    uint64_t old = TUTTI_LOAD(&task->pending, acquire);
    if (old == count && sole) {
        /* Ours are the last, and nobody has a handle to claim it by: no exchange is needed. */
        TUTTI_STORE(&task->pending, 0, relaxed);
    } else {
        /* acq_rel: publishes what this predecessor did, and takes in what the others did. */
        old = TUTTI_FETCH_SUB(&task->pending, count, acq_rel);
    }
    if ((old & TUTTI__PENDING_EDGES) != count) {
        return NULL; /* the record is not ours to look at any more */
    }
    if (TUTTI_UNLIKELY((old & TUTTI__PENDING_CLAIMED) != 0)) {
        tutti__task_drop(thread, task); /* settled early; this was what kept it */
        return NULL;
    }
    return task;
}

static void wave_count_down(struct tutti__wave *wave, tutti_task *task)
{
    tutti_task *ready = tutti__count_down(wave->thread, task, 1);
    if (ready != NULL) {
        tutti__wave_ready(wave, ready);
    }
}

/* ---- closing ------------------------------------------------------------------------------ */

static void count_settled(struct tutti__wave *wave)
{
    struct tutti__thread *thread = wave->thread;
    wave->settled = true;
    /* release: who reads this number then reads a number of submitted tasks that includes this one. */
    if (thread != NULL) {
        uint64_t settled = TUTTI_LOAD(&thread->counters.settled, relaxed);
        TUTTI_STORE(&thread->counters.settled, settled + 1, release);
    } else {
        TUTTI_FETCH_ADD(&wave->sched->settled_outside, 1, release);
    }
}

/* Close the list of `task`, whose status and result are stored. Returns: its edges. */
static tutti__link close_edges(struct tutti__wave *wave, tutti_task *task)
{
    tutti__link list;
    uint64_t pending;
    if (tutti__task_is_sole(wave->thread, task)) {
        /* Nobody else can push, wait or cancel any more. */
        list = TUTTI_LOAD(&task->succ, acquire);
        TUTTI_STORE(&task->succ, TUTTI__EDGE_CLOSED, relaxed); /* notices may ask */
        pending = TUTTI_LOAD(&task->pending, relaxed);
    } else {
        list = tutti__edge_close(&task->succ);
        /* Close, then look for waiters and cancellers; they set their bit, then look whether it is
         * closed (wait.c, cancel.c): one of the two sees the other. */
        pending = TUTTI_LOAD(&task->pending, seq_cst);
        if (TUTTI_UNLIKELY((pending & TUTTI__PENDING_WAITED) != 0)) {
            tutti__lot_wake(&wave->sched->lot, task);
        }
    }
    if (TUTTI_UNLIKELY((pending & TUTTI__PENDING_COUNTED) != 0)) {
        tutti__cancel_uncount(wave->sched, task);
    }
    return list;
}

/* Append a task whose outcome is stored to those that this wave is to settle. */
static void append_ended(struct tutti__wave *wave, tutti_task *task)
{
    TUTTI_STORE(&task->link, NULL, relaxed); /* its hook has been taken back, it is in no queue */
    if (wave->ended_last != NULL) {
        TUTTI_STORE(&wave->ended_last->link, task, relaxed);
    } else {
        wave->ended = task;
    }
    wave->ended_last = task;
}

/* The last child has ended: what does that make of the outcome of the body? */
static void join_outcome(tutti_task *task)
{
    uint64_t pending = TUTTI_LOAD(&task->pending, relaxed); /* the last child's decrement was acquired */
    uint32_t flags = tutti__record_flags(task);
    if (TUTTI_GET(task->status) != TUTTI_OK) {
        return; /* the body's own failure wins */
    }
    if ((pending & TUTTI__PENDING_CHILD_FAILED) != 0) {
        TUTTI_SET(task->status, TUTTI_EFAILED);
    } else if ((pending & TUTTI__PENDING_CANCEL) != 0 && (flags & TUTTI__RECORD_LATE) == 0) {
        TUTTI_SET(task->status, TUTTI_ECANCELED); /* cancelled while it joined */
    } else {
        return;
    }
    if ((flags & TUTTI__RECORD_RESULT) != 0) {
        tutti__value_free(&task->u.result);
        tutti__record_set_flags(task, flags & ~TUTTI__RECORD_RESULT);
    }
}

bool tutti__child_ended(tutti_task *parent)
{
    /* acq_rel: all that the children did comes before the parent's end. It reaches zero only after the
     * parent's body has added the number of its children. */
    if (TUTTI_FETCH_SUB(&parent->children, 1, acq_rel) != 1) {
        return false;
    }
    uint64_t pending = TUTTI_LOAD(&parent->pending, relaxed); /* this thread alone has it now */
    if ((pending & TUTTI__PENDING_JOINING) == 0) {
        /* The body left the mark out because nobody else knew the task, and nobody has got to know it. */
        TUTTI_STORE(&parent->pending, pending | TUTTI__PENDING_JOINING, relaxed);
    }
    return true;
}

/* Tell the parent that `task` has settled. `lonely`: it failed and nobody looks at it. */
static void tell_parent(struct tutti__wave *wave, tutti_task *task, bool lonely)
{
    tutti_task *parent = task->parent; /* it has one */
    if (TUTTI_UNLIKELY((tutti__record_flags(task) & TUTTI__RECORD_MEMBER) != 0)) {
        tutti__scope_tell(wave, task);
        return;
    }
    if (lonely) {
        TUTTI_FETCH_OR(&parent->pending, TUTTI__PENDING_CHILD_FAILED, relaxed); /* published below */
    }
    if (tutti__child_ended(parent)) {
        append_ended(wave, parent);
    }
}

/* ---- following the edges ------------------------------------------------------------------ */

static void call_notice(tutti__link link, tutti_task *task)
{
    struct tutti__notice *notice = (struct tutti__notice *)(void *)tutti__link_edge(link);
    notice->fn(notice, task);
}

static void follow_done(struct tutti__wave *wave, tutti_task *task, tutti__link list)
{
    while (list != 0) {
        tutti__link link = list;
        list = TUTTI_GET(tutti__link_edge(link)->next); /* before the unit is given: see the invariants */
        if (TUTTI_UNLIKELY(tutti__link_kind(link) == TUTTI__EDGE_NOTICE)) {
            call_notice(link, task);
        } else {
            wave_count_down(wave, tutti__link_task(link));
        }
    }
}

/* Call the notices among the edges of `task` and put its successors on the stack. */
static void spread(tutti_task *task, tutti__link list, tutti__link *stack)
{
    while (list != 0) {
        tutti__link link = list;
        struct tutti__edge *edge = tutti__link_edge(link);
        list = TUTTI_GET(edge->next);
        if (tutti__link_kind(link) == TUTTI__EDGE_NOTICE) {
            call_notice(link, task);
        } else {
            TUTTI_SET(edge->next, *stack);
            *stack = link;
        }
    }
}

/* Settle a claimed task up to its edges. Returns: these. */
static tutti__link settle_early(struct tutti__wave *wave, tutti_task *task, int status,
                                        tutti_task *cause)
{
    TUTTI_SET(task->status, status);
    if (cause != NULL) {
        tutti__task_ref(cause);
        TUTTI_STORE(&task->link, cause, relaxed); /* published by the close; it is in no queue */
    }
    tutti__task_drop_arg(task);
    tutti__link list = close_edges(wave, task);
    count_settled(wave);
    return list;
}

/* `task`, or the cause of it, has not succeeded: follow all edges with that. */
static void follow_failed(struct tutti__wave *wave, tutti_task *task, tutti__link list)
{
    tutti_task *cause = tutti__task_root(task);
    tutti__link stack = 0;
    spread(task, list, &stack);
    while (stack != 0) {
        tutti__link link = stack;
        stack = TUTTI_GET(tutti__link_edge(link)->next);
        tutti_task *succ = tutti__link_task(link);
        uint32_t flags = tutti__record_flags(succ);
        /* It is there: this edge has not been counted down. */
        if ((flags & TUTTI_RUN_ON_SKIP) == 0 && tutti__task_claim(succ)) {
            tutti__link more = settle_early(wave, succ, TUTTI_ESKIPPED, cause);
            spread(succ, more, &stack);
            if ((flags & TUTTI__RECORD_PARENT) != 0) {
                tell_parent(wave, succ, false);
            }
        }
        wave_count_down(wave, succ);
    }
}

/* ---- settling ----------------------------------------------------------------------------- */

void tutti__wave_settle(struct tutti__wave *wave, tutti_task *task)
{
    tutti__task_drop_arg(task);
    int status = TUTTI_GET(task->status);
    tutti__link list = close_edges(wave, task);
    bool failed = status != TUTTI_OK && status != TUTTI_ECANCELED;
    /* Nobody had asked to be told, and nobody has a handle to ask with (acquire as in task_is_sole). */
    bool lonely = failed && list == 0 && TUTTI_LOAD(&task->refs, acquire) == 1;
    if (status == TUTTI_OK) {
        follow_done(wave, task, list);
    } else {
        follow_failed(wave, task, list);
    }
    count_settled(wave);
    if ((tutti__record_flags(task) & TUTTI__RECORD_PARENT) != 0) {
        tell_parent(wave, task, lonely);
    }
    tutti__task_drop(wave->thread, task);
}

void tutti__wave_settle_claimed(struct tutti__wave *wave, tutti_task *task, int status,
                                tutti_task *cause)
{
    follow_failed(wave, task, settle_early(wave, task, status, cause));
    if ((tutti__record_flags(task) & TUTTI__RECORD_PARENT) != 0) {
        tell_parent(wave, task, false);
    }
}

/* Say that the body has ended and its children have not. */
static void mark_joining(tutti_task *task)
{
    uint64_t old = TUTTI_FETCH_OR(&task->pending, TUTTI__PENDING_JOINING, relaxed);
    if ((old & TUTTI__PENDING_CANCEL) != 0) {
        tutti__record_set_flags(task, tutti__record_flags(task) | TUTTI__RECORD_LATE);
    }
}

bool tutti__leave_to_children(struct tutti__thread *thread, tutti_task *task, uint32_t children)
{
    if (!tutti__task_is_sole(thread, task)) { /* else nobody could ask or cancel */
        mark_joining(task);
    }
    /* acq_rel: the last child settles the task, and sees status and result; or they have all ended
     * and what they did is seen here. */
    if (TUTTI_FETCH_ADD(&task->children, children, acq_rel) + children != 0) {
        return true;
    }
    join_outcome(task);
    return false;
}

void tutti__wave_ended(struct tutti__wave *wave, tutti_task *task)
{
    append_ended(wave, task);
}

void tutti__wave_suspended_end(struct tutti__wave *wave, tutti_task *task)
{
    /* A body that made children and suspended has counted itself as one more (run.c). */
    if ((TUTTI_LOAD(&task->pending, acquire) & TUTTI__PENDING_CHILDREN) != 0) {
        mark_joining(task);
        if (TUTTI_FETCH_SUB(&task->children, 1, acq_rel) != 1) {
            return; /* the last child has it */
        }
    }
    append_ended(wave, task);
}

/* ---- waves -------------------------------------------------------------------------------- */

void tutti__wave_begin(struct tutti__wave *wave, struct tutti__sched *sched,
                       struct tutti__thread *thread)
{
    wave->sched = sched;
    wave->thread = thread;
    wave->next = NULL;
    wave->pushed = 0;
    wave->ended = NULL;
    wave->ended_last = NULL;
    wave->settled = false;
    wave->scopes = NULL;
    wave->outer = active;
    active = wave;
}

struct tutti__wave *tutti__wave_active(struct tutti__sched *sched)
{
    return active != NULL && active->sched == sched ? active : NULL;
}

/* Settle what is to be settled, and what follows from that. */
static void settle_ended(struct tutti__wave *wave)
{
    while (wave->ended != NULL) {
        tutti_task *task = wave->ended;
        wave->ended = TUTTI_LOAD(&task->link, relaxed);
        if (wave->ended == NULL) {
            wave->ended_last = NULL;
        }
        if ((TUTTI_LOAD(&task->pending, relaxed) & TUTTI__PENDING_JOINING) != 0) {
            join_outcome(task);
        }
        tutti__wave_settle(wave, task);
    }
}

tutti_task *tutti__wave_end(struct tutti__wave *wave, bool run)
{
    settle_ended(wave);
    while (TUTTI_UNLIKELY(wave->scopes != NULL)) {
        tutti__scopes_fail(wave);
        settle_ended(wave);
    }
    active = wave->outer;
    if (!run && wave->next != NULL) {
        push_local(wave, wave->next);
        wave->next = NULL;
    }
    if (wave->pushed != 0) {
        tutti__idle_notify(&wave->sched->idle);
    }
    struct tutti__thread *thread = wave->thread;
    if (wave->settled && (thread == NULL || !thread->parks)) {
        tutti__idle_check(wave->sched);
    } else {
        tutti__watch_check(wave->sched);
    }
    return wave->next;
}
