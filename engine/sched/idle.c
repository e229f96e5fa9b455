/* SPDX-License-Identifier: MIT */
/*
 * idle.c - the list of sleepers. See idle.h.
 *
 * Layer: sched. Locks: idle.mu.
 */
#include "sched/idle.h"

#include <stddef.h>
#include <string.h>

#include "base/assert.h"

void tutti__idle_init(struct tutti__idle *idle)
{
    memset(idle, 0, sizeof *idle);
    tutti__mutex_init(&idle->mu);
    tutti__cond_init(&idle->changed);
}

void tutti__idle_deinit(struct tutti__idle *idle)
{
    tutti__cond_deinit(&idle->changed);
    tutti__mutex_deinit(&idle->mu);
}

static void list_locked(struct tutti__idle *idle, struct tutti__sleeper *sleeper)
    TUTTI_REQUIRES(idle->mu)
{
    TUTTI_ASSERT(!sleeper->listed);
    struct tutti__sleeper **at = &idle->sleepers;
    sleeper->listed = true;
    sleeper->prev = NULL;
    while (sleeper->helps && *at != NULL) { /* to the end; helpers are few */
        sleeper->prev = *at;
        at = &(*at)->next;
    }
    sleeper->next = *at;
    if (sleeper->next != NULL) {
        sleeper->next->prev = sleeper;
    }
    *at = sleeper;
    idle->awake--;
}

static void unlist_locked(struct tutti__idle *idle, struct tutti__sleeper *sleeper)
    TUTTI_REQUIRES(idle->mu)
{
    TUTTI_ASSERT(sleeper->listed);
    sleeper->listed = false;
    if (sleeper->prev != NULL) {
        sleeper->prev->next = sleeper->next;
    } else {
        idle->sleepers = sleeper->next;
    }
    if (sleeper->next != NULL) {
        sleeper->next->prev = sleeper->prev;
    }
    idle->awake++;
    /* From asleep to searching, in one step. */
    TUTTI_FETCH_ADD(&idle->word, TUTTI__IDLE_SEARCHING - 1, seq_cst);
}

static void wait_thaw_locked(struct tutti__idle *idle) TUTTI_REQUIRES(idle->mu)
{
    while (idle->frozen) {
        tutti__cond_wait(&idle->changed, &idle->mu, UINT64_MAX);
    }
}

void tutti__idle_enter(struct tutti__idle *idle)
{
    tutti__mutex_lock(&idle->mu);
    wait_thaw_locked(idle);
    idle->awake++;
    tutti__mutex_unlock(&idle->mu);
}

void tutti__idle_leave(struct tutti__idle *idle)
{
    tutti__mutex_lock(&idle->mu);
    idle->awake--;
    tutti__cond_broadcast(&idle->changed);
    tutti__mutex_unlock(&idle->mu);
}

static void wake_first(struct tutti__idle *idle, bool helpers)
{
    struct tutti__parker *parker = NULL;
    struct tutti__post *post = NULL;
    struct tutti__home *home = NULL;
    tutti__mutex_lock(&idle->mu);
    /* Look again: several may have come here at once, and one woken thread is enough for all. */
    uint32_t word = TUTTI_LOAD(&idle->word, relaxed);
    if (idle->sleepers != NULL && word < TUTTI__IDLE_SEARCHING && !idle->frozen &&
        (helpers || !idle->sleepers->helps)) {
        post = idle->sleepers->post;
        home = idle->sleepers->home;
        parker = idle->sleepers->parker;
        unlist_locked(idle, idle->sleepers);
        idle->wakes++;
    }
    tutti__mutex_unlock(&idle->mu);
    if (post != NULL) {
        tutti__home_post(home, post);
    } else if (parker != NULL) {
        tutti__parker_wake(parker);
    }
}

void tutti__idle_wake_one(struct tutti__idle *idle)
{
    wake_first(idle, true);
}

void tutti__idle_wake_worker(struct tutti__idle *idle)
{
    wake_first(idle, false);
}

void tutti__idle_sleep_begin(struct tutti__idle *idle, struct tutti__sleeper *sleeper)
{
    tutti__mutex_lock(&idle->mu);
    list_locked(idle, sleeper);
    /* From searching to asleep, in one step: no pusher sees neither. */
    TUTTI_FETCH_SUB(&idle->word, TUTTI__IDLE_SEARCHING - 1, seq_cst);
    if (idle->awake == 0) {
        tutti__cond_broadcast(&idle->changed);
    }
    tutti__mutex_unlock(&idle->mu);
    TUTTI_FENCE_HEAVY(); /* first pair: counted asleep before, the look at the queues after */
}

bool tutti__idle_sleep_end(struct tutti__idle *idle, struct tutti__sleeper *sleeper)
{
    tutti__mutex_lock(&idle->mu);
    wait_thaw_locked(idle);
    bool was_listed = sleeper->listed;
    if (was_listed) {
        unlist_locked(idle, sleeper); /* woken by something else than tutti__idle_wake_one */
    }
    tutti__mutex_unlock(&idle->mu);
    return was_listed;
}

void tutti__idle_wake_all(struct tutti__idle *idle)
{
    tutti__mutex_lock(&idle->mu);
    for (struct tutti__sleeper *s = idle->sleepers; s != NULL; s = s->next) {
        tutti__parker_wake(s->parker); /* under the lock, so that none is gone meanwhile */
    }
    tutti__mutex_unlock(&idle->mu);
}

bool tutti__idle_freeze(struct tutti__idle *idle, uint64_t deadline_ns)
{
    bool in_time = true;
    tutti__mutex_lock(&idle->mu);
    while (idle->awake != 0 && in_time) {
        in_time = tutti__cond_wait(&idle->changed, &idle->mu, deadline_ns);
    }
    bool all_sleep = idle->awake == 0;
    idle->frozen = all_sleep;
    tutti__mutex_unlock(&idle->mu);
    return all_sleep;
}

void tutti__idle_thaw(struct tutti__idle *idle)
{
    tutti__mutex_lock(&idle->mu);
    idle->frozen = false;
    for (struct tutti__sleeper *s = idle->sleepers; s != NULL; s = s->next) {
        tutti__parker_wake(s->parker); /* under the lock, so that none is gone meanwhile */
    }
    tutti__cond_broadcast(&idle->changed);
    tutti__mutex_unlock(&idle->mu);
}

uint64_t tutti__idle_wakes(struct tutti__idle *idle)
{
    tutti__mutex_lock(&idle->mu);
    uint64_t wakes = idle->wakes;
    tutti__mutex_unlock(&idle->mu);
    return wakes;
}
