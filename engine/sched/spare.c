/* SPDX-License-Identifier: MIT */
/*
 * spare.c - see spare.h.
 *
 * Layer: sched. Locks: spares.mu, a leaf: no thread is started under it.
 */
#include "sched/spare.h"

#include <stdio.h>

#include "sched/core.h"

void tutti__spares_init(struct tutti__spares *spares)
{
    tutti__mutex_init(&spares->mu);
}

void tutti__spares_set(struct tutti__spares *spares, uint32_t slots)
{
    spares->wanted = slots != 0 ? slots : 1;
    spares->active = spares->wanted;
}

void tutti__spares_deinit(struct tutti__spares *spares)
{
    tutti__mutex_deinit(&spares->mu);
}

static void count_surplus_locked(struct tutti__spares *spares) TUTTI_REQUIRES(spares->mu)
{
    uint32_t surplus = spares->active > spares->wanted ? spares->active - spares->wanted : 0;
    /* relaxed: a hint; a spare that acts on it looks again under mu. One that is asleep is told. */
    TUTTI_STORE(&spares->surplus, surplus, relaxed);
}

/* ---- making ------------------------------------------------------------------------------- */

/* A context without a thread. Returns: NULL: out of memory, or there are too many. */
static struct tutti__thread *make_context(struct tutti__sched *sched)
{
    struct tutti__spares *spares = &sched->spares;
    struct tutti__thread *spare = tutti__worker_new(sched);
    if (spare == NULL) {
        return NULL;
    }
    spare->is_spare = true;
    tutti__mutex_lock(&spares->mu);
    uint32_t count = TUTTI_LOAD(&spares->count, relaxed); /* written under mu only */
    if (count < TUTTI_SPARES_MAX) {
        spare->index = sched->worker_count + count;
        /* release: who reads the new count finds a whole context there. */
        TUTTI_STORE(&spares->all[count], spare, relaxed);
        TUTTI_STORE(&spares->count, count + 1, release);
    } else {
        spare = NULL; /* freed with the scheduler, like every context */
    }
    tutti__mutex_unlock(&spares->mu);
    return spare;
}

static struct tutti__thread *blank_context(struct tutti__sched *sched)
{
    struct tutti__spares *spares = &sched->spares;
    tutti__mutex_lock(&spares->mu);
    struct tutti__thread *spare = spares->blank;
    if (spare != NULL) {
        spares->blank = spare->spare_next;
    }
    bool is_full = TUTTI_LOAD(&spares->count, relaxed) == TUTTI_SPARES_MAX;
    tutti__mutex_unlock(&spares->mu);
    return spare != NULL || is_full ? spare : make_context(sched);
}

/* Start one more, with a slot. Returns: false: there is no memory, no thread, or too many. */
static bool start_one(struct tutti__sched *sched)
{
    struct tutti__spares *spares = &sched->spares;
    struct tutti__thread *spare = blank_context(sched);
    if (spare == NULL) {
        return false;
    }
    char name[16];
    snprintf(name, sizeof name, "tutti-s%u", (unsigned)(spare->index - sched->worker_count) % 10000);
    TUTTI_STORE(&spare->has_slot, 1, relaxed); /* its thread is not there yet */
    struct tutti__thread_desc desc = { name, sched->stack_bytes, tutti__worker_main, spare };
    bool is_started = tutti__thread_start(&spare->pthread, &desc) == TUTTI_OK;
    tutti__mutex_lock(&spares->mu);
    if (is_started) {
        spare->is_started = true;
    } else {
        spare->spare_next = spares->blank;
        spares->blank = spare;
    }
    tutti__mutex_unlock(&spares->mu);
    return is_started;
}

/* ---- lending ------------------------------------------------------------------------------ */

/* If there are too many, tell one that sleeps, perhaps. Whoever is told and then takes itself out of the
 * number for another reason calls this again, so that no surplus is forgotten. */
static void tell_spare_locked(struct tutti__spares *spares) TUTTI_REQUIRES(spares->mu)
{
    if (spares->active <= spares->wanted) {
        return;
    }
    uint32_t count = TUTTI_LOAD(&spares->count, relaxed); /* written under mu only */
    for (uint32_t i = 0; i < count; i++) {
        struct tutti__thread *spare = TUTTI_LOAD(&spares->all[i], relaxed);
        /* acq_rel: if it has been told already and has not looked since, it will see this surplus. */
        if (TUTTI_LOAD(&spare->has_slot, relaxed) != 0 &&
            TUTTI_EXCHANGE(&spare->is_told, 1, acq_rel) == 0) {
            tutti__parker_wake(&spare->parker);
            return;
        }
    }
}

/* Let somebody that is there already have the slot. */
static bool pass_on(struct tutti__spares *spares)
{
    struct tutti__thread *spare = NULL;
    tutti__mutex_lock(&spares->mu);
    bool is_passed = spares->active > spares->wanted;
    if (is_passed) {
        spares->active--; /* one of those that were too many stays */
        count_surplus_locked(spares);
        tell_spare_locked(spares);
    } else if ((spare = spares->resting) != NULL) {
        spares->resting = spare->spare_next;
        TUTTI_STORE(&spare->has_slot, 1, relaxed); /* the wake below orders it */
        is_passed = true;
    }
    tutti__mutex_unlock(&spares->mu);
    if (spare != NULL) {
        tutti__parker_wake(&spare->parker);
    }
    return is_passed;
}

static int lend(struct tutti__sched *sched)
{
    struct tutti__spares *spares = &sched->spares;
    if (pass_on(spares) || start_one(sched)) {
        return TUTTI_OK;
    }
    int rc = TUTTI_EAGAIN;
    tutti__mutex_lock(&spares->mu);
    if (spares->active > 1) {
        spares->active--; /* fewer threads for a while, but what is ready will be run */
        rc = TUTTI_OK;
    }
    tutti__mutex_unlock(&spares->mu);
    return rc;
}

static void take_back(struct tutti__sched *sched)
{
    struct tutti__spares *spares = &sched->spares;
    tutti__mutex_lock(&spares->mu);
    spares->active++;
    count_surplus_locked(spares);
    tell_spare_locked(spares);
    tutti__mutex_unlock(&spares->mu);
}

/* Without workers the creator's place is the one slot. */
static bool has_slot(const struct tutti__thread *thread)
{
    return thread->kind == TUTTI__THREAD_WORKER ||
           (thread->kind == TUTTI__THREAD_CREATOR && thread->sched->worker_count == 0);
}

int tutti__slot_lend(struct tutti__thread *thread)
{
    if (thread->kind == TUTTI__THREAD_BLOCKING) {
        return tutti__blocking_lend(thread->sched);
    }
    if (!has_slot(thread)) {
        return TUTTI_OK;
    }
    /* relaxed: before it counts, so that from then on nobody tells this one, who would not hear it. */
    TUTTI_STORE(&thread->has_slot, 0, relaxed);
    int rc = lend(thread->sched);
    if (rc != TUTTI_OK) {
        TUTTI_STORE(&thread->has_slot, 1, relaxed);
    }
    return rc;
}

bool tutti__slot_replace(struct tutti__thread *thread)
{
    return thread->kind == TUTTI__THREAD_WORKER && tutti__slot_lend(thread) == TUTTI_OK;
}

void tutti__slot_take(struct tutti__thread *thread)
{
    if (thread->kind == TUTTI__THREAD_BLOCKING) {
        tutti__blocking_take(thread->sched);
    } else if (has_slot(thread)) {
        TUTTI_STORE(&thread->has_slot, 1, relaxed);
        take_back(thread->sched);
    }
}

/* ---- giving back -------------------------------------------------------------------------- */

bool tutti__spare_is_surplus(struct tutti__thread *spare)
{
    if (TUTTI_LOAD(&spare->is_told, relaxed) != 0) {
        TUTTI_EXCHANGE(&spare->is_told, 0, acq_rel); /* pairs with tell_spare_locked */
    }
    return TUTTI_LOAD(&spare->sched->spares.surplus, relaxed) != 0;
}

bool tutti__spare_give_back(struct tutti__thread *spare)
{
    struct tutti__spares *spares = &spare->sched->spares;
    tutti__mutex_lock(&spares->mu);
    bool is_surplus = spares->active > spares->wanted;
    if (is_surplus) {
        spares->active--;
        count_surplus_locked(spares);
        TUTTI_STORE(&spare->has_slot, 0, relaxed); /* who gives it one wakes it */
        spare->spare_next = spares->resting;
        spares->resting = spare;
        tell_spare_locked(spares);
    }
    tutti__mutex_unlock(&spares->mu);
    return is_surplus;
}

/* ---- the end ------------------------------------------------------------------------------ */

void tutti__spares_wake(struct tutti__sched *sched)
{
    struct tutti__spares *spares = &sched->spares;
    uint32_t count = TUTTI_LOAD(&spares->count, acquire); /* pairs with make_context */
    for (uint32_t i = 0; i < count; i++) {
        tutti__parker_wake(&TUTTI_LOAD(&spares->all[i], relaxed)->parker);
    }
}

void tutti__spares_join(struct tutti__sched *sched)
{
    struct tutti__spares *spares = &sched->spares;
    uint32_t count = TUTTI_LOAD(&spares->count, acquire); /* pairs with make_context */
    for (uint32_t i = 0; i < count; i++) {
        struct tutti__thread *spare = TUTTI_LOAD(&spares->all[i], relaxed);
        tutti__mutex_lock(&spares->mu);
        bool is_started = spare->is_started;
        spare->is_started = false;
        tutti__mutex_unlock(&spares->mu);
        if (is_started) {
            pthread_join(spare->pthread, NULL);
        }
    }
}

uint32_t tutti__spares_standing(struct tutti__sched *sched)
{
    struct tutti__spares *spares = &sched->spares;
    uint32_t standing = 0;
    tutti__mutex_lock(&spares->mu);
    uint32_t count = TUTTI_LOAD(&spares->count, relaxed); /* written under mu only */
    for (uint32_t i = 0; i < count; i++) {
        standing += TUTTI_LOAD(&spares->all[i], relaxed)->is_started;
    }
    for (struct tutti__thread *spare = spares->resting; spare != NULL; spare = spare->spare_next) {
        standing--;
    }
    tutti__mutex_unlock(&spares->mu);
    return standing;
}
