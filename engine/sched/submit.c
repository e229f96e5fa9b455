/* SPDX-License-Identifier: MIT */
/*
 * submit.c - from a description to a task that waits, is ready, or is skipped already.
 *
 * Layer: sched. Locks: none (a foreign thread's first submit takes sched.mu).
 * Invariant: while edges are being added, `pending` holds at least the unit of the last one, so the
 * task cannot become ready before this thread is done with it; after the last edge has been pushed the
 * record is not touched any more. There is no guard of its own: the last edge is the guard.
 */
#include <string.h>

#include "sched/core.h"
#include "sched/scope.h"

/* What has become of the edges so far. */
struct attach {
    tutti_task *task;
    tutti_task *const *after;
    uint32_t count;   /* of after */
    uint32_t flags;   /* of the record, as it is made */
    uint32_t kind;    /* of the edges: edge.h */
    void *more;       /* the edges that are not in the record's first line; NULL: none */
    uint32_t settled; /* edges that need not be waited for and are not counted down yet */
    uint32_t shared;  /* edges that were pushed: others know the task */
    tutti_task *cause; /* the first of after that has not succeeded; NULL: none */
};

/* ---- the intake --------------------------------------------------------------------------- */

/* A foreign thread says that it is inside, so that the stopper can wait for it. Pool threads need not:
 * the stopper holds them still. */
static int intake_enter(struct tutti__sched *sched, struct tutti__thread *thread)
{
    if (!tutti__thread_is_pool(thread)) {
        /* Say that one is inside, then look whether it is closed; the stopper closes, then looks who is
         * inside (stop.c). */
        TUTTI_EXCHANGE(&thread->busy, 1, seq_cst);
    }
    return TUTTI_LOAD(&sched->closed, seq_cst) == 0 ? TUTTI_OK : TUTTI_ESTOPPED;
}

static void intake_leave(struct tutti__thread *thread)
{
    if (!tutti__thread_is_pool(thread) && TUTTI_EXCHANGE(&thread->busy, 0, seq_cst) == 2) {
        tutti__futex_wake(&thread->busy, 1);
    }
}

/* ---- the record --------------------------------------------------------------------------- */

static void *alloc_record(struct tutti__thread *thread, size_t bytes)
{
    uint32_t size_class = tutti__slab_class(bytes);
    if (TUTTI_UNLIKELY(size_class == TUTTI__SLAB_LARGE)) {
        return tutti__store_alloc_large(&thread->sched->store, bytes);
    }
    return tutti__heap_alloc(&thread->heap, size_class);
}

/* All atomics are relaxed: the record is published by an edge, a queue or the handle. */
static void init_header(tutti_task *task, tutti_task_fn fn, uint32_t refs, uint32_t flags)
{
    TUTTI_STORE(&task->succ, 0, relaxed);
    TUTTI_STORE(&task->refs, refs, relaxed);
    TUTTI_STORE(&task->flags, flags | TUTTI__RECORD_LIVE, relaxed);
    task->u.start.fn = fn;
    TUTTI_SET(task->status, TUTTI_OK);
}

static void count_submitted(struct tutti__thread *thread)
{
    /* relaxed: before the task is published; who sees it settled sees this (complete.c). */
    uint64_t submitted = TUTTI_LOAD(&thread->counters.submitted, relaxed);
    TUTTI_STORE(&thread->counters.submitted, submitted + 1, relaxed);
}

/* Is a record so large that its edges must name it? Args: offset - of the edges. */
static bool is_wide(size_t offset, size_t edges)
{
    return tutti__slab_class(offset + edges * sizeof(struct tutti__edge)) > TUTTI__EDGE_NARROW_MAX;
}

static size_t record_bytes(size_t offset, size_t edges)
{
    size_t edge_bytes = is_wide(offset, edges) ? sizeof(struct tutti__wide_edge)
                                               : sizeof(struct tutti__edge);
    return offset + edges * edge_bytes;
}

/* Memory for the record; `a->more` and `a->kind` say where its edges are. Args: arg_end - where the
 * argument ends; the edges from the third on lie behind it. */
static TUTTI_NOINLINE tutti_task *alloc_big_task(struct tutti__thread *thread, size_t arg_end,
                                                 struct attach *a)
{
    size_t offset = (arg_end + 7) & ~(size_t)7;
    size_t bytes = record_bytes(offset, a->count);
    tutti_task *task = alloc_record(thread, bytes);
    if (task != NULL) {
        a->kind = is_wide(offset, a->count) ? TUTTI__EDGE_WIDE : tutti__slab_class(bytes);
        a->more = tutti__record_at(task, offset);
    }
    return task;
}

TUTTI_INLINE tutti_task *alloc_task(struct tutti__thread *thread, size_t arg_bytes, struct attach *a)
{
    size_t arg_end = tutti__record_arg_offset(a->flags) + arg_bytes;
    if (TUTTI_LIKELY(a->count <= 2 && arg_end <= TUTTI__RECORD_SMALL)) {
        a->kind = 0;
        a->more = NULL;
        return tutti__heap_alloc(&thread->heap, 0);
    }
    return alloc_big_task(thread, arg_end, a);
}

/* The usual sizes without the call of a function. */
TUTTI_INLINE void copy_arg(void *to, const void *from, size_t bytes)
{
    switch (bytes) {
    case 8:
        memcpy(to, from, 8);
        break;
    case 16:
        memcpy(to, from, 16);
        break;
    case 24:
        memcpy(to, from, 24);
        break;
    case 32:
        memcpy(to, from, 32);
        break;
    default:
        memcpy(to, from, bytes);
    }
}

static void store_arg(tutti_task *task, const tutti_task_desc *desc, uint32_t flags)
{
    if (desc->arg_drop != NULL) {
        *tutti__record_drop(task) = desc->arg_drop;
    }
    if (desc->arg_bytes == 0) {
        task->arg = desc->arg;
    } else {
        copy_arg(tutti__record_at(task, tutti__record_arg_offset(flags)), desc->arg, desc->arg_bytes);
    }
}

/* The running body makes a child. */
static uint32_t adopt(struct tutti__frame *frame, tutti_task *task)
{
    task->parent = frame->task;
    if (frame->children++ == 0) { /* added up when the body ends (complete.c) */
        /* relaxed: no child has been published yet, and only children touch it. */
        TUTTI_STORE(&frame->task->children, 0, relaxed);
    }
    return TUTTI__RECORD_PARENT;
}

/* Does the desc ask for anything that few do? */
static inline bool is_special(const struct tutti__sched *sched, const tutti_task_desc *desc)
{
    return ((desc->flags & TUTTI_NO_LOOP) | desc->priority) != 0 || desc->scope != NULL ||
           sched->has_task_hooks;
}

/* That, as flags of the record. */
static TUTTI_COLD uint32_t special_flags(const struct tutti__sched *sched,
                                         const tutti_task_desc *desc)
{
    uint32_t flags = 0;
    flags |= desc->priority == TUTTI_PRIORITY_HIGH ? TUTTI__RECORD_HIGH : 0;
    flags |= desc->priority == TUTTI_PRIORITY_LOW ? TUTTI__RECORD_LOW : 0;
    if (sched->has_task_hooks && desc->name != NULL) {
        flags |= TUTTI__RECORD_NAME | TUTTI__RECORD_EXTRA;
    }
    if (desc->scope != NULL) {
        flags |= TUTTI__RECORD_MEMBER | TUTTI__RECORD_PARENT | TUTTI__RECORD_EXTRA;
    }
    if ((desc->flags & TUTTI_NO_LOOP) != 0 && sched->creator_loops) {
        flags |= TUTTI_NO_HELP; /* the one thread that helps is the loop's */
    }
    return flags;
}

/* The end of a record's making: what is open before it runs, and that it counts. */
TUTTI_INLINE void open_record(struct tutti__thread *thread, tutti_task *task, uint64_t pending,
                              uint32_t edges)
{
    /* relaxed: what follows publishes the record: a push of its edges or of itself, or its handle. */
    TUTTI_STORE(&task->pending, pending, relaxed);
    task->edge_count = edges;
    count_submitted(thread);
}

static tutti_task *make_record(struct tutti__thread *thread, const tutti_task_desc *desc,
                               struct attach *a, uint32_t refs)
{
    uint32_t flags = desc->flags;
    flags |= desc->arg_bytes != 0 ? TUTTI__RECORD_INLINE : 0;
    flags |= desc->arg_drop != NULL ? TUTTI__RECORD_DROP : 0;
    if (TUTTI_UNLIKELY(is_special(thread->sched, desc))) {
        flags |= special_flags(thread->sched, desc);
    }
    a->flags = flags;
    tutti_task *task = alloc_task(thread, desc->arg_bytes, a);
    if (TUTTI_UNLIKELY(task == NULL)) {
        return NULL;
    }
    if (TUTTI_UNLIKELY((flags & TUTTI__RECORD_MEMBER) != 0)) {
        task->parent = tutti__scope_anchor(desc->scope);
        refs++; /* of the scope's list */
    } else if (thread->frame != NULL && (flags & TUTTI_DETACH) == 0) {
        flags |= adopt(thread->frame, task);
    }
    init_header(task, desc->fn, refs, flags);
    open_record(thread, task, a->count, a->count);
    store_arg(task, desc, flags);
    if (TUTTI_UNLIKELY((flags & TUTTI__RECORD_NAME) != 0)) {
        tutti__record_extra(task)->name = desc->name;
    }
    a->task = task;
    return task;
}

/* Make a member of desc->scope, which is then known to who cancels that. Returns: TUTTI_OK ·
 * TUTTI_ECANCELED · TUTTI_ENOMEM. */
static TUTTI_COLD int make_member(struct tutti__thread *thread, const tutti_task_desc *desc,
                                  struct attach *a, uint32_t refs)
{
    int rc = tutti__scope_enter(desc->scope);
    if (rc != TUTTI_OK) {
        return rc;
    }
    tutti_task *task = make_record(thread, desc, a, refs);
    if (task == NULL) {
        rc = TUTTI_ENOMEM;
    } else if (!tutti__scope_link(thread, task)) {
        /* It was counted, so that who cancels a member finds it counted: it never happened. The argument
         * stays the caller's. */
        uint64_t settled = TUTTI_LOAD(&thread->counters.settled, relaxed);
        TUTTI_STORE(&thread->counters.settled, settled + 1, release); /* as in complete.c */
        tutti__record_set_flags(task, tutti__record_flags(task) & ~TUTTI__RECORD_DROP);
        tutti__task_free(thread, task);
        tutti__idle_check(thread->sched);
        rc = TUTTI_ECANCELED;
    }
    if (rc != TUTTI_OK) {
        tutti__scope_leave(desc->scope);
    }
    return rc;
}

/* ---- edges -------------------------------------------------------------------------------- */

static struct tutti__edge *edge_at(const struct attach *a, uint32_t i)
{
    if (TUTTI_UNLIKELY(a->kind == TUTTI__EDGE_WIDE)) {
        struct tutti__wide_edge *wide = (struct tutti__wide_edge *)a->more + i;
        wide->to = a->task;
        return &wide->edge;
    }
    return i < 2 ? &a->task->u.start.edges[i] : (struct tutti__edge *)a->more + (i - 2);
}

/* Add edge `i`. Returns: whether it was pushed; if not it is settled. */
static bool attach_one(struct attach *a, uint32_t i)
{
    tutti_task *pred = a->after[i];
    if (pred == NULL) {
        return false;
    }
    if (tutti__edge_push(&pred->succ, edge_at(a, i), a->kind)) {
        return true;
    }
    /* The push has seen the close, so status and cause may be read. */
    if (TUTTI_GET(pred->status) != TUTTI_OK && a->cause == NULL) {
        a->cause = tutti__task_root(pred);
    }
    return false;
}

static bool is_skipped(const struct attach *a)
{
    return a->cause != NULL && (tutti__record_flags(a->task) & TUTTI_RUN_ON_SKIP) == 0;
}

/* Give back `count` units that belong to no edge. */
static void give_back(struct tutti__thread *thread, const struct attach *a, uint32_t count)
{
    tutti_task *ready = tutti__count_down(thread, a->task, count);
    if (ready != NULL) {
        tutti__push_ready(thread, ready);
    }
}

/* Edge `i` has shown that the task is to be skipped: no more edges are added. */
static TUTTI_COLD void skip(struct tutti__thread *thread, struct attach *a)
{
    /* One that is failing at this moment may be faster; then its cause stands. */
    if (tutti__task_claim(a->task)) {
        struct tutti__wave wave;
        tutti__wave_begin(&wave, thread->sched, thread);
        tutti__wave_settle_claimed(&wave, a->task, TUTTI_ESKIPPED, a->cause);
        tutti__wave_end(&wave, false);
    }
    give_back(thread, a, a->count - a->shared);
}

/* Args: a->shared - edges that have been pushed already, the first ones. */
static TUTTI_NOINLINE void attach(struct tutti__thread *thread, struct attach *a)
{
    uint32_t last = a->count - 1;
    for (uint32_t i = a->shared; i < last; i++) {
        if (attach_one(a, i)) {
            a->shared++;
            continue;
        }
        a->settled++;
        if (is_skipped(a)) {
            skip(thread, a);
            return;
        }
    }
    /* The unit of the last edge is still there, so this does not make the task ready. */
    if (a->settled != 0) {
        give_back(thread, a, a->settled);
    }
    if (attach_one(a, last)) {
        return; /* from here on the task may run, and be freed */
    }
    if (is_skipped(a)) {
        a->count -= a->settled;
        skip(thread, a);
        return;
    }
    give_back(thread, a, 1);
}

/* ---- submit ------------------------------------------------------------------------------- */

/* tutti_task_desc up to `flags`; a program that was compiled with it leaves garbage behind them. */
struct desc_to_flags {
    size_t struct_size;
    tutti_task_fn fn;
    void *arg;
    size_t arg_bytes;
    void (*arg_drop)(void *arg);
    uint32_t flags;
};

/* Fill `full` from a desc of an older header. Returns: false if it is none. */
static TUTTI_COLD bool widen(tutti_task_desc *full, const tutti_task_desc *desc)
{
    size_t size = desc->struct_size;
    if (size < sizeof(struct desc_to_flags) || size > sizeof *full) {
        return false;
    }
    size_t known = offsetof(tutti_task_desc, priority);
    if (size >= offsetof(tutti_task_desc, scope)) {
        known = offsetof(tutti_task_desc, scope);
    }
    memset(full, 0, sizeof *full);
    memcpy(full, desc, known);
    full->struct_size = sizeof *full;
    return true;
}

/* Can anybody run a task with one of these flags? */
static TUTTI_COLD bool is_runnable(const struct tutti__sched *sched, uint32_t flags)
{
    bool has_pool = sched->worker_count != 0 || sched->env->one_thread;
    if ((flags & TUTTI_PIN_LOOP) != 0) {
        return sched->pinned.home != NULL &&
               (flags & (TUTTI_NO_LOOP | TUTTI_BLOCKING | TUTTI_NO_HELP)) == 0;
    }
    if ((flags & TUTTI_NO_HELP) != 0 && (flags & TUTTI_BLOCKING) == 0) {
        return has_pool;
    }
    return !sched->creator_loops || has_pool || (flags & TUTTI_BLOCKING) != 0;
}

static int check(const struct tutti__sched *sched, const tutti_task_desc *desc,
                 tutti_task *const *after, size_t after_count)
{
    if (desc->fn == NULL || desc->priority > TUTTI_PRIORITY_LOW ||
        (desc->flags & ~TUTTI__RECORD_API) != 0 || (desc->arg_bytes != 0 && desc->arg == NULL) ||
        desc->arg_bytes > TUTTI_ARG_BYTES_MAX || after_count > TUTTI_AFTER_MAX ||
        (after == NULL && after_count != 0)) {
        return TUTTI_EINVAL;
    }
    if (TUTTI_UNLIKELY((desc->flags & (TUTTI_PIN_LOOP | TUTTI_NO_LOOP | TUTTI_NO_HELP)) != 0) &&
        !is_runnable(sched, desc->flags)) {
        return TUTTI_EINVAL;
    }
    if (TUTTI_UNLIKELY(desc->scope != NULL) && tutti__scope_sched(desc->scope) != sched) {
        return TUTTI_EINVAL;
    }
    for (size_t i = 0; i < after_count; i++) {
        if (after[i] != NULL && tutti__sched_of(after[i]) != sched) {
            return TUTTI_EINVAL;
        }
    }
    return TUTTI_OK;
}

static int submit_inside(struct tutti__thread *thread, const tutti_task_desc *desc,
                         tutti_task *const *after, uint32_t count, tutti_task **out)
{
    struct attach a;
    a.after = after;
    a.count = count;
    uint32_t refs = out != NULL ? 2 : 1;
    if (TUTTI_UNLIKELY(desc->scope != NULL)) {
        int rc = make_member(thread, desc, &a, refs);
        if (rc != TUTTI_OK) {
            return rc;
        }
    } else if (TUTTI_UNLIKELY(make_record(thread, desc, &a, refs) == NULL)) {
        return TUTTI_ENOMEM;
    }
    tutti_task *task = a.task;
    if (out != NULL) {
        *out = task; /* now: later the task may be gone */
    }
    if (count == 0) {
        tutti__push_ready(thread, task);
        return TUTTI_OK;
    }
    a.settled = 0;
    a.shared = 0;
    a.cause = NULL;
    attach(thread, &a);
    return TUTTI_OK;
}

/* Any submit, from any thread. */
static TUTTI_NOINLINE int submit_any(struct tutti__sched *sched, const tutti_task_desc *desc,
                                     tutti_task *const *after, size_t after_count,
                                     tutti_task **out)
{
    tutti_task_desc full;
    if (TUTTI_UNLIKELY(desc == NULL)) {
        return TUTTI_EINVAL;
    }
    if (TUTTI_UNLIKELY(desc->struct_size != sizeof *desc)) {
        if (!widen(&full, desc)) {
            return TUTTI_EINVAL;
        }
        desc = &full;
    }
    int rc = check(sched, desc, after, after_count);
    if (TUTTI_UNLIKELY(rc != TUTTI_OK)) {
        return rc;
    }
    struct tutti__thread *thread = tutti__thread_enter(sched, TUTTI__THREAD_FOREIGN);
    if (TUTTI_UNLIKELY(thread == NULL)) {
        return TUTTI_ENOMEM;
    }
    rc = intake_enter(sched, thread);
    if (TUTTI_LIKELY(rc == TUTTI_OK)) {
        rc = submit_inside(thread, desc, after, (uint32_t)after_count, out);
    }
    intake_leave(thread);
    return rc;
}

/* ---- the short way ------------------------------------------------------------------------ */

/* Is it a task like most: a small argument, at most two edges, nothing special? If not, or if something
 * is wrong with it, the long way finds out. */
TUTTI_INLINE bool is_plain(const struct tutti__sched *sched, const tutti_task_desc *desc,
                           tutti_task *const *after, size_t count)
{
    if (desc == NULL || desc->struct_size != sizeof *desc || desc->fn == NULL || count > 2 ||
        ((desc->flags & ~(uint32_t)(TUTTI_DETACH | TUTTI_RUN_ON_SKIP)) | desc->priority) != 0 ||
        desc->arg_drop != NULL || desc->scope != NULL ||
        desc->arg_bytes > TUTTI__RECORD_SMALL - TUTTI__RECORD_ARG_OFFSET ||
        (desc->arg_bytes != 0 && desc->arg == NULL) || (count != 0 && after == NULL)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (after[i] == NULL || tutti__sched_of(after[i]) != sched) {
            return false;
        }
    }
    return true;
}

/* As make_record, for such a task. */
TUTTI_INLINE tutti_task *make_plain(struct tutti__thread *thread, const tutti_task_desc *desc,
                                    uint32_t edges, uint32_t refs)
{
    tutti_task *task = tutti__heap_alloc(&thread->heap, 0);
    if (TUTTI_UNLIKELY(task == NULL)) {
        return NULL;
    }
    uint32_t flags = desc->flags;
    if (desc->arg_bytes == 0) {
        task->arg = desc->arg;
    } else {
        flags |= TUTTI__RECORD_INLINE;
        copy_arg(tutti__record_at(task, tutti__record_arg_offset(0)), desc->arg, desc->arg_bytes);
    }
    if (thread->frame != NULL && (flags & TUTTI_DETACH) == 0) {
        flags |= adopt(thread->frame, task);
    }
    init_header(task, desc->fn, refs, flags);
    open_record(thread, task, edges, edges);
    return task;
}

static TUTTI_NOINLINE int attach_rest(struct tutti__thread *thread, tutti_task *task,
                                      tutti_task *const *after, uint32_t shared)
{
    struct attach a = { .task = task, .after = after };
    a.count = task->edge_count;
    a.shared = shared;
    attach(thread, &a);
    return TUTTI_OK;
}

/* Most often all of `after` are still to settle: then pushing is all. */
static TUTTI_NOINLINE int attach_plain(struct tutti__thread *thread, tutti_task *task,
                                       tutti_task *const *after, uint32_t count)
{
    struct tutti__edge *edges = task->u.start.edges;
    for (uint32_t i = 0; i < count; i++) {
        if (!tutti__edge_push(&after[i]->succ, &edges[i], 0)) {
            return attach_rest(thread, task, after, i); /* it is there: edge `i` is not counted down */
        }
    }
    return TUTTI_OK;
}

int tutti__sched_submit(struct tutti__sched *sched, const tutti_task_desc *desc,
                        tutti_task *const *after, size_t after_count, tutti_task **out)
{
    struct tutti__thread *thread = tutti__thread_here(sched);
    if (TUTTI_UNLIKELY(!is_plain(sched, desc, after, after_count) ||
                       !tutti__thread_is_pool(thread) || sched->has_task_hooks ||
                       TUTTI_LOAD(&sched->closed, seq_cst) != 0)) { /* as intake_enter */
        return submit_any(sched, desc, after, after_count, out);
    }
    tutti_task *task = make_plain(thread, desc, (uint32_t)after_count, out != NULL ? 2 : 1);
    if (TUTTI_UNLIKELY(task == NULL)) {
        return TUTTI_ENOMEM;
    }
    if (out != NULL) {
        *out = task; /* now: later the task may be gone */
    }
    if (after_count != 0) {
        return attach_plain(thread, task, after, (uint32_t)after_count);
    }
    tutti__push_ready(thread, task);
    return TUTTI_OK;
}

/* ---- tasks that others settle ------------------------------------------------------------- */

/* Make a task that no queue will ever hold, in the state that `pending` says. */
static int new_pending(struct tutti__sched *sched, tutti_task_fn fn, uint64_t pending,
                       tutti_task **out)
{
    struct tutti__thread *thread = tutti__thread_enter(sched, TUTTI__THREAD_FOREIGN);
    if (thread == NULL) {
        return TUTTI_ENOMEM;
    }
    int rc = intake_enter(sched, thread);
    if (rc == TUTTI_OK) {
        tutti_task *task = tutti__heap_alloc(&thread->heap, 0);
        if (task == NULL) {
            rc = TUTTI_ENOMEM;
        } else {
            init_header(task, fn, 2, fn == NULL ? TUTTI__RECORD_PROMISE : 0);
            open_record(thread, task, pending, 0);
            *out = task;
        }
    }
    intake_leave(thread);
    return rc;
}

int tutti__sched_promise_new(struct tutti__sched *sched, tutti_task **out)
{
    return new_pending(sched, NULL, 0, out);
}

/* Stands for a body that has returned; it is never called. */
static int suspended_body(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self;
    (void)arg;
    (void)result;
    return TUTTI_TASK_SUSPEND;
}

int tutti__sched_suspended_new(struct tutti__sched *sched, tutti_task **out)
{
    return new_pending(sched, suspended_body, TUTTI__PENDING_STARTED | TUTTI__PENDING_RETURNED, out);
}
