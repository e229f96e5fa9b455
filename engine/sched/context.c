/* SPDX-License-Identifier: MIT */
/*
 * context.c - what one thread has in one engine, and how it is found.
 *
 * A thread keeps a list of claims, one for each engine it takes part in. A claim names its engine by a
 * number that is never used again, so one that has outlived its engine matches nothing. The claim is
 * the only thing that thread and engine share after one of the two has gone:
 *
 *   NEW -> OWNED    its thread has taken it
 *   OWNED -> IDLE   the thread has ended; another thread may take the context over
 *   any   -> DEAD   the engine has been freed; if it was OWNED its thread frees the claim later
 *
 * Layer: sched. Locks: none.
 * Invariant: a claim is freed by the thread if it finds it DEAD, and by the engine if it was not OWNED.
 */
#include <string.h>

#include "base/alloc.h"
#include "sched/core.h"

enum claim_state { CLAIM_NEW = 0, CLAIM_IDLE, CLAIM_OWNED, CLAIM_DEAD };

struct tutti__claim {
    struct tutti__claim *next;    /* [its thread] */
    uint64_t sched_id;            /* [const] */
    struct tutti__thread *thread; /* [const] */
    TUTTI_ATOMIC(uint32_t) state; /* [any] see above */
};

/* initial-exec: one instruction to read it, also in a library that is loaded later. */
static _Thread_local struct tutti__claim *claims __attribute__((tls_model("initial-exec")));

static pthread_key_t exit_key;
static bool exit_key_made;

static void on_thread_exit(void *unused)
{
    (void)unused;
    struct tutti__claim *claim = claims;
    claims = NULL;
    while (claim != NULL) {
        struct tutti__claim *next = claim->next; /* IDLE lets another thread write it */
        uint32_t state = CLAIM_OWNED;
        /* release: who takes the context over sees it as it was left. acquire, when it has failed, is
         * not needed: a DEAD claim is freed, nothing in it is read. */
        if (!TUTTI_CAS_STRONG(&claim->state, &state, CLAIM_IDLE, release, relaxed)) {
            tutti__free(claim);
        }
        claim = next;
    }
}

static void make_exit_key(void)
{
    exit_key_made = pthread_key_create(&exit_key, on_thread_exit) == 0;
}

/* Free claims of engines that are gone. */
static void prune(void)
{
    for (struct tutti__claim **at = &claims; *at != NULL;) {
        struct tutti__claim *claim = *at;
        if (TUTTI_LOAD(&claim->state, acquire) == CLAIM_DEAD) {
            *at = claim->next;
            tutti__free(claim);
        } else {
            at = &claim->next;
        }
    }
}

/* Put a claim that this thread owns into its list. Returns: false: the thread's end would go unseen. */
static bool link_claim(struct tutti__claim *claim)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_exit_key);
    if (!exit_key_made || pthread_setspecific(exit_key, &claims) != 0) {
        return false;
    }
    prune();
    claim->next = claims;
    claims = claim;
    return true;
}

struct tutti__thread *tutti__thread_here(struct tutti__sched *sched)
{
    struct tutti__claim *first = claims;
    if (TUTTI_LIKELY(first != NULL && first->sched_id == sched->id)) {
        return first->thread;
    }
    for (struct tutti__claim **at = &claims; *at != NULL; at = &(*at)->next) {
        struct tutti__claim *claim = *at;
        if (claim->sched_id == sched->id) {
            *at = claim->next; /* to the front: who asked once will ask again */
            claim->next = claims;
            claims = claim;
            return claim->thread;
        }
    }
    return NULL;
}

struct tutti__thread *tutti__thread_new(struct tutti__sched *sched, enum tutti__thread_kind kind)
{
    struct tutti__thread *thread =
        tutti__memory_zero(sched->memory, TUTTI_CACHE_LINE, sizeof *thread);
    struct tutti__claim *claim = tutti__alloc_zero(1, sizeof *claim);
    if (thread == NULL || claim == NULL) {
        goto out_free;
    }
    thread->sched = sched;
    thread->kind = kind;
    thread->takes_strict = kind == TUTTI__THREAD_WORKER ||
                           (kind == TUTTI__THREAD_CREATOR && sched->env->one_thread);
    if (tutti__thread_has_deque(thread) && !tutti__deque_init_in(&thread->deque, sched->memory)) {
        goto out_free;
    }
    tutti__heap_init(&thread->heap, &sched->store);
    thread->sleeper.parker = &thread->parker;
    thread->sleeper.helps = kind != TUTTI__THREAD_WORKER;
    thread->claim = claim;
    claim->sched_id = sched->id;
    claim->thread = thread;
    tutti__mutex_lock(&sched->mu);
    thread->rng = tutti__rng_next(&sched->rng);
    thread->next = TUTTI_LOAD(&sched->threads, relaxed); /* written under mu only */
    /* release pairs with the acquire of those that sum the counters without mu. */
    TUTTI_STORE(&sched->threads, thread, release);
    tutti__mutex_unlock(&sched->mu);
    return thread;

out_free:
    tutti__free(claim);
    tutti__memory_free(sched->memory, thread, sizeof *thread);
    return NULL;
}

void tutti__thread_free(struct tutti__thread *thread)
{
    if (tutti__thread_has_deque(thread)) {
        tutti__deque_deinit(&thread->deque);
    }
    /* acq_rel: an IDLE claim was last written by its thread; an OWNED one is left to it. */
    if (TUTTI_EXCHANGE(&thread->claim->state, CLAIM_DEAD, acq_rel) != CLAIM_OWNED) {
        tutti__free(thread->claim);
    }
    tutti__memory_free(thread->sched->memory, thread, sizeof *thread);
}

bool tutti__thread_bind(struct tutti__thread *thread)
{
    /* relaxed: this thread alone knows the context, or has taken it by tutti__thread_enter. */
    TUTTI_STORE(&thread->claim->state, CLAIM_OWNED, relaxed);
    if (!link_claim(thread->claim)) {
        TUTTI_STORE(&thread->claim->state, CLAIM_IDLE, relaxed);
        return false;
    }
    return true;
}

void tutti__thread_unbind(struct tutti__sched *sched)
{
    for (struct tutti__claim **at = &claims; *at != NULL; at = &(*at)->next) {
        struct tutti__claim *claim = *at;
        if (claim->sched_id == sched->id) {
            *at = claim->next;
            /* release: see on_thread_exit. */
            TUTTI_STORE(&claim->state, CLAIM_IDLE, release);
            return;
        }
    }
}

/* Take over the context of a thread that has ended. */
static struct tutti__thread *adopt_idle(struct tutti__sched *sched, enum tutti__thread_kind kind)
{
    struct tutti__thread *thread = TUTTI_LOAD(&sched->threads, acquire);
    for (; thread != NULL; thread = thread->next) {
        uint32_t idle = CLAIM_IDLE;
        /* acquire pairs with the release of the thread that left it. */
        if (thread->kind == kind &&
            TUTTI_CAS_STRONG(&thread->claim->state, &idle, CLAIM_OWNED, acquire, relaxed)) {
            return thread;
        }
    }
    return NULL;
}

void tutti__thread_each_idle(struct tutti__sched *sched, void (*fn)(struct tutti__thread *thread))
{
    struct tutti__thread *thread = TUTTI_LOAD(&sched->threads, acquire); /* as in adopt_idle */
    for (; thread != NULL; thread = thread->next) {
        uint32_t idle = CLAIM_IDLE;
        /* acquire and release: as if this were one more thread that took it over and has ended. */
        if (TUTTI_CAS_STRONG(&thread->claim->state, &idle, CLAIM_OWNED, acquire, relaxed)) {
            fn(thread);
            TUTTI_STORE(&thread->claim->state, CLAIM_IDLE, release);
        }
    }
}

struct tutti__thread *tutti__thread_enter(struct tutti__sched *sched, enum tutti__thread_kind kind)
{
    struct tutti__thread *thread = tutti__thread_here(sched);
    if (TUTTI_LIKELY(thread != NULL)) {
        return thread;
    }
    thread = adopt_idle(sched, kind);
    if (thread == NULL) {
        thread = tutti__thread_new(sched, kind);
    }
    if (thread != NULL && !tutti__thread_bind(thread)) {
        return NULL; /* stays in the engine's list, idle, for the next one */
    }
    return thread;
}

/* ---- small questions ---------------------------------------------------------------------- */

bool tutti__thread_is_worker(const struct tutti__thread *thread)
{
    return thread->kind == TUTTI__THREAD_WORKER;
}

struct tutti__home *tutti__thread_home(struct tutti__thread *thread)
{
    return thread->home;
}

void **tutti__thread_slot(struct tutti__thread *thread)
{
    return &thread->slot;
}

tutti_task *tutti__thread_running(struct tutti__thread *thread)
{
    return thread->frame != NULL ? thread->frame->task : NULL;
}
