/* SPDX-License-Identifier: MIT */
/*
 * scope.c - members of scopes: counted, found, cancelled together. See scope.h.
 *
 * A member's failure cancels the others on the thread that settled it, but not where it is found:
 * the scope joins a list in the thread's outermost wave, and that wave cancels the members when all
 * else is done. So a failure that fails a member of another scope, and so on, does not recurse.
 *
 * Layer: sched. Locks: sched.mu (the list of scopes); scope.mu, shard.mu: leaves.
 * Invariant: `is_cancelled` is set before a canceller has any shard's lock, and a member joins a list
 * only if it reads 0 under that lock. So each member is refused or found.
 */
#include "base/alloc.h"
#include "sched/core.h"
#include "sched/scope.h"

struct shard {
    _Alignas(TUTTI_CACHE_LINE) struct tutti__mutex mu;
    struct tutti__member *fresh; /* [mu] newest first */
    struct tutti__member *seen;  /* [mu] a canceller has been told of these */
};

struct tutti_scope {
    struct tutti_task anchor;    /* the members' parent; only flags and pending mean anything */
    struct tutti__sched *sched;  /* [const] */
    uint32_t flags;              /* [const] enum tutti_scope_flags */
    TUTTI_ATOMIC(uint32_t) is_cancelled; /* [mu writes] no submits until the next outcome */
    struct tutti__mutex mu;
    struct tutti__scope_gate *gate; /* [mu] NULL: nobody waits */
    tutti_task *failed;             /* [mu] the first since the last outcome; a reference, or NULL */
    TUTTI_ATOMIC(size_t) failures;  /* [mu writes] since the last outcome */
    tutti_scope *next_failing;      /* [the wave it is listed in] */
    tutti_scope *next;              /* [sched.mu] */
    tutti_scope **at;               /* [sched.mu] */
    _Alignas(TUTTI_CACHE_LINE) TUTTI_ATOMIC(uint64_t) live; /* [any] */
    struct shard shards[TUTTI_SCOPE_SHARDS];
};

static tutti_scope *scope_of(const tutti_task *member)
{
    return (tutti_scope *)(void *)member->parent; /* the anchor comes first */
}

static tutti_task *task_of(struct tutti__member *member)
{
    size_t offset = TUTTI__RECORD_ARG_OFFSET + offsetof(struct tutti__extra, member);
    return (tutti_task *)(void *)((char *)member - offset);
}

/* ---- the lists ---------------------------------------------------------------------------- */

static void insert(struct tutti__member **list, struct tutti__member *member)
{
    member->next = *list;
    member->at = list;
    if (member->next != NULL) {
        member->next->at = &member->next;
    }
    *list = member;
}

static void take_out(struct tutti__member *member)
{
    *member->at = member->next;
    if (member->next != NULL) {
        member->next->at = member->at;
    }
}

static uint32_t shard_index(const struct tutti__thread *thread)
{
    uint64_t spread = (uintptr_t)thread * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(spread >> 32) % TUTTI_SCOPE_SHARDS;
}

bool tutti__scope_link(struct tutti__thread *thread, tutti_task *task)
{
    tutti_scope *scope = scope_of(task);
    struct tutti__extra *extra = tutti__record_extra(task);
    extra->shard = shard_index(thread);
    struct shard *shard = &scope->shards[extra->shard];
    tutti__mutex_lock(&shard->mu);
    /* relaxed: see the invariant; the lock orders it. */
    bool open = TUTTI_LOAD(&scope->is_cancelled, relaxed) == 0;
    if (open) {
        insert(&shard->fresh, &extra->member);
    }
    tutti__mutex_unlock(&shard->mu);
    return open;
}

/* Take a member that has settled out of its list. */
static void unlink_member(tutti_scope *scope, tutti_task *task)
{
    struct tutti__extra *extra = tutti__record_extra(task);
    struct shard *shard = &scope->shards[extra->shard];
    tutti__mutex_lock(&shard->mu);
    take_out(&extra->member);
    tutti__mutex_unlock(&shard->mu);
}

/* Take a reference on a member that has not been looked at. Returns: NULL when there is none. */
static tutti_task *look_at_next(struct shard *shard)
{
    tutti_task *task = NULL;
    tutti__mutex_lock(&shard->mu);
    struct tutti__member *member = shard->fresh;
    if (member != NULL) {
        take_out(member);
        insert(&shard->seen, member); /* it is taken out of there when it settles */
        task = task_of(member);
        tutti__task_ref(task);
    }
    tutti__mutex_unlock(&shard->mu);
    return task;
}

/* ---- counting ----------------------------------------------------------------------------- */

int tutti__scope_enter(tutti_scope *scope)
{
    /* relaxed: a hint; tutti__scope_link decides. */
    if (TUTTI_LOAD(&scope->is_cancelled, relaxed) != 0) {
        return TUTTI_ECANCELED;
    }
    TUTTI_FETCH_ADD(&scope->live, 1, relaxed); /* the caller has a right to the scope */
    return TUTTI_OK;
}

/* The scope is empty: give the outcome and begin anew. */
static void give_outcome_locked(tutti_scope *scope, struct tutti__scope_gate *gate)
    TUTTI_REQUIRES(scope->mu)
{
    bool cancelled = TUTTI_LOAD(&scope->is_cancelled, relaxed) != 0; /* written under mu */
    gate->failed = scope->failed;
    gate->rc = gate->failed != NULL ? TUTTI_EFAILED : cancelled ? TUTTI_ECANCELED : TUTTI_OK;
    gate->is_open = true;
    scope->failed = NULL;
    TUTTI_STORE(&scope->failures, 0, relaxed);
    if (cancelled) {
        TUTTI_FETCH_AND(&scope->anchor.pending, ~TUTTI__PENDING_CANCEL, relaxed);
        TUTTI_FETCH_SUB(&scope->sched->cancels, 1, relaxed); /* a hint: cancel.c */
        TUTTI_STORE(&scope->is_cancelled, 0, relaxed);
    }
}

void tutti__scope_leave(tutti_scope *scope)
{
    uint64_t live = TUTTI_LOAD(&scope->live, relaxed); /* the exchange decides */
    while (live > 1) {
        /* release: what the member did comes before the outcome. */
        if (TUTTI_CAS_WEAK(&scope->live, &live, live - 1, acq_rel, relaxed)) {
            return; /* the scope may be gone from here on */
        }
    }
    tutti_task *waiting = NULL;
    tutti__mutex_lock(&scope->mu);
    /* acq_rel: what all members did comes before the outcome. */
    if (TUTTI_FETCH_SUB(&scope->live, 1, acq_rel) == 1 && scope->gate != NULL) {
        waiting = scope->gate->task;
        tutti__task_ref(waiting); /* the waiter may be gone as soon as the lock is free */
        give_outcome_locked(scope, scope->gate);
        scope->gate = NULL;
    }
    tutti__mutex_unlock(&scope->mu);
    if (waiting != NULL) {
        tutti__promise_settle(waiting, TUTTI_OK, NULL);
        tutti__task_unref(waiting);
    }
}

/* ---- waiting ------------------------------------------------------------------------------ */

int tutti__scope_ask(tutti_scope *scope, struct tutti__scope_gate *gate)
{
    int rc = TUTTI_EPENDING;
    tutti__mutex_lock(&scope->mu);
    if (scope->gate != NULL) {
        rc = TUTTI_EINVAL;
    } else if (TUTTI_LOAD(&scope->live, acquire) == 0) { /* pairs with the release of who left */
        give_outcome_locked(scope, gate);
        rc = TUTTI_OK;
    } else if (gate->task != NULL) {
        scope->gate = gate; /* who takes `live` to 0 does it under this lock, so later */
    }
    tutti__mutex_unlock(&scope->mu);
    return rc;
}

void tutti__scope_withdraw(tutti_scope *scope, struct tutti__scope_gate *gate)
{
    tutti__mutex_lock(&scope->mu);
    if (scope->gate == gate) {
        scope->gate = NULL;
    }
    tutti__mutex_unlock(&scope->mu);
}

bool tutti__scope_is_inside(const tutti_scope *scope)
{
    struct tutti__thread *here = tutti__thread_here(scope->sched);
    const tutti_task *task = here != NULL ? tutti__thread_running(here) : NULL;
    for (; task != NULL; task = tutti__record_parent(task)) {
        if (task == &scope->anchor) {
            return true;
        }
    }
    return false;
}

/* ---- cancelling --------------------------------------------------------------------------- */

/* Returns: false: it had been. */
static bool set_cancelled_locked(tutti_scope *scope) TUTTI_REQUIRES(scope->mu)
{
    if (TUTTI_LOAD(&scope->is_cancelled, relaxed) != 0) {
        return false;
    }
    TUTTI_STORE(&scope->is_cancelled, 1, relaxed); /* see the invariant */
    TUTTI_FETCH_ADD(&scope->sched->cancels, 1, relaxed); /* before CANCEL is seen */
    TUTTI_FETCH_OR(&scope->anchor.pending, TUTTI__PENDING_CANCEL, relaxed);
    return true;
}

/* Cancel each member, once. Thread: counted into `live`. */
static void cancel_members(tutti_scope *scope)
{
    for (uint32_t i = 0; i < TUTTI_SCOPE_SHARDS; i++) {
        tutti_task *task;
        while ((task = look_at_next(&scope->shards[i])) != NULL) {
            tutti__task_cancel(task);
            tutti__task_unref(task);
        }
    }
}

void tutti__scope_cancel(tutti_scope *scope)
{
    TUTTI_FETCH_ADD(&scope->live, 1, relaxed); /* no outcome before this is done */
    tutti__mutex_lock(&scope->mu);
    (void)set_cancelled_locked(scope);
    tutti__mutex_unlock(&scope->mu);
    cancel_members(scope);
    tutti__scope_leave(scope);
}

/* ---- members that settle ------------------------------------------------------------------ */

/* Note a failure. Returns: the others are to be cancelled because of it. */
static bool note_failure(tutti_scope *scope, tutti_task *task)
{
    tutti__mutex_lock(&scope->mu);
    TUTTI_STORE(&scope->failures, TUTTI_LOAD(&scope->failures, relaxed) + 1, relaxed);
    if (scope->failed == NULL) {
        tutti__task_ref(task);
        scope->failed = task;
    }
    bool fails = (scope->flags & TUTTI_SCOPE_COLLECT) == 0 && set_cancelled_locked(scope);
    tutti__mutex_unlock(&scope->mu);
    return fails;
}

static struct tutti__wave *outermost(struct tutti__wave *wave)
{
    struct tutti__wave *last = wave;
    for (struct tutti__wave *w = wave->outer; w != NULL; w = w->outer) {
        last = w->sched == wave->sched ? w : last;
    }
    return last;
}

void tutti__scope_tell(struct tutti__wave *wave, tutti_task *task)
{
    tutti_scope *scope = scope_of(task);
    int status = TUTTI_GET(task->status);
    bool failed = status != TUTTI_OK && status != TUTTI_ECANCELED && status != TUTTI_ESKIPPED;
    bool fails = failed && note_failure(scope, task);
    unlink_member(scope, task);
    tutti__task_drop(wave->thread, task); /* the list's */
    if (fails) { /* this member's place in `live` is kept until the others have been cancelled */
        struct tutti__wave *outer = outermost(wave);
        scope->next_failing = outer->scopes;
        outer->scopes = scope;
    } else {
        tutti__scope_leave(scope);
    }
}

void tutti__scopes_fail(struct tutti__wave *wave)
{
    while (wave->scopes != NULL) {
        tutti_scope *scope = wave->scopes;
        wave->scopes = scope->next_failing;
        cancel_members(scope);
        tutti__scope_leave(scope);
    }
}

/* ---- scopes ------------------------------------------------------------------------------- */

int tutti__scope_new(struct tutti__sched *sched, uint32_t flags, tutti_scope **out)
{
    if (TUTTI_LOAD(&sched->closed, relaxed) != 0) { /* a hint: it could not have members */
        return TUTTI_ESTOPPED;
    }
    tutti_scope *scope = tutti__memory_zero(sched->memory, TUTTI_CACHE_LINE, sizeof *scope);
    if (scope == NULL) {
        return TUTTI_ENOMEM;
    }
    scope->sched = sched;
    scope->flags = flags;
    tutti__mutex_init(&scope->mu);
    for (uint32_t i = 0; i < TUTTI_SCOPE_SHARDS; i++) {
        tutti__mutex_init(&scope->shards[i].mu);
    }
    tutti__mutex_lock(&sched->mu);
    scope->next = sched->scopes;
    scope->at = &sched->scopes;
    if (scope->next != NULL) {
        scope->next->at = &scope->next;
    }
    sched->scopes = scope;
    tutti__mutex_unlock(&sched->mu);
    *out = scope;
    return TUTTI_OK;
}

static void dealloc_scope(tutti_scope *scope)
{
    if (scope->failed != NULL) {
        tutti__task_unref(scope->failed);
    }
    for (uint32_t i = 0; i < TUTTI_SCOPE_SHARDS; i++) {
        tutti__mutex_deinit(&scope->shards[i].mu);
    }
    tutti__mutex_deinit(&scope->mu);
    tutti__memory_free(scope->sched->memory, scope, sizeof *scope);
}

int tutti__scope_free(tutti_scope *scope)
{
    struct tutti__sched *sched = scope->sched;
    tutti__mutex_lock(&scope->mu); /* the last to leave may be on its way out: see the header */
    bool empty = TUTTI_LOAD(&scope->live, acquire) == 0;
    bool cancelled = TUTTI_LOAD(&scope->is_cancelled, relaxed) != 0;
    tutti__mutex_unlock(&scope->mu);
    if (!empty) {
        return TUTTI_EPENDING;
    }
    if (cancelled) {
        TUTTI_FETCH_SUB(&sched->cancels, 1, relaxed);
    }
    tutti__mutex_lock(&sched->mu);
    *scope->at = scope->next;
    if (scope->next != NULL) {
        scope->next->at = scope->at;
    }
    tutti__mutex_unlock(&sched->mu);
    dealloc_scope(scope);
    return TUTTI_OK;
}

void tutti__scopes_free_all(struct tutti__sched *sched)
{
    while (sched->scopes != NULL) {
        tutti_scope *scope = sched->scopes;
        sched->scopes = scope->next;
        dealloc_scope(scope);
    }
}

struct tutti__sched *tutti__scope_sched(const tutti_scope *scope)
{
    return scope->sched;
}

tutti_task *tutti__scope_anchor(tutti_scope *scope)
{
    return &scope->anchor;
}

size_t tutti__scope_count(const tutti_scope *scope)
{
    return (size_t)TUTTI_LOAD(&scope->live, relaxed); /* a snapshot, as below */
}

size_t tutti__scope_failures(const tutti_scope *scope)
{
    return TUTTI_LOAD(&scope->failures, relaxed);
}
