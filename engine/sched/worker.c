/* SPDX-License-Identifier: MIT */
/*
 * worker.c - where a thread gets its next task, and what it does when there is none.
 *
 * Layer: sched. Locks: those of idle and strict.
 * Invariant: a thread sleeps only after it has counted itself asleep and then found every queue that
 * it could take from empty (idle.h).
 */
#include <stddef.h>

#include "sched/core.h"

/* ---- finding ------------------------------------------------------------------------------ */

/* Put all that was injected into the own deque, and return the oldest. */
static tutti_task *take_injected(struct tutti__thread *thread)
{
    struct tutti__injector *injector = &thread->sched->injector;
    tutti_task *task = tutti__injector_take(injector);
    if (task == NULL) {
        return NULL;
    }
    tutti_task *older;
    bool pushed = false;
    while ((older = TUTTI_LOAD(&task->link, relaxed)) != NULL) { /* acquired with the head */
        __builtin_prefetch(older);
        if (!tutti__deque_push(&thread->deque, task)) {
            tutti__injector_push(injector, task);
        }
        pushed = true;
        task = older;
    }
    if (pushed) {
        tutti__idle_notify(&thread->sched->idle);
    }
    return task;
}

/* Take a share of what the creator offers into the own deque, and return the oldest. */
static tutti_task *take_fed(struct tutti__thread *thread)
{
    struct tutti__sched *sched = thread->sched;
    if (tutti__feed_is_empty(&sched->feed)) {
        return NULL;
    }
    void *items[TUTTI_FEED_TAKE];
    uint32_t count = tutti__feed_take(&sched->feed, items, TUTTI_FEED_TAKE, sched->worker_count + 1);
    for (uint32_t i = count; i-- > 1;) { /* the newest first, so that the oldest is taken first */
        __builtin_prefetch(items[i], 1);
        if (!tutti__deque_push(&thread->deque, items[i])) {
            tutti__injector_push(&sched->injector, items[i]);
        }
    }
    return count != 0 ? items[0] : NULL;
}

static uint32_t choose(struct tutti__thread *thread, uint32_t count)
{
    const struct tutti__env *env = thread->sched->env;
    if (env->choose != NULL) {
        return env->choose(env->user, count);
    }
    return (uint32_t)(tutti__rng_next(&thread->rng) >> 32) % count;
}

/* Deque number `i` of all: the workers', the creator's, the spares'. */
static struct tutti__thread *victim(struct tutti__sched *sched, uint32_t i)
{
    uint32_t workers = sched->worker_count;
    if (i < workers) {
        return sched->workers[i];
    }
    /* relaxed: the count that allows `i` was read with acquire. */
    return i == workers ? sched->creator : TUTTI_LOAD(&sched->spares.all[i - workers - 1], relaxed);
}

static uint32_t victim_count(struct tutti__sched *sched)
{
    /* acquire pairs with make_context in spare.c. Who has not seen a new spare yet passes by a deque
     * that has its own thread to empty it; before a sleep there is a fence. */
    return sched->worker_count + 1 + TUTTI_LOAD(&sched->spares.count, acquire);
}

static tutti_task *steal(struct tutti__thread *thread)
{
    struct tutti__sched *sched = thread->sched;
    uint32_t count = victim_count(sched);
    bool lost = true;
    while (lost) { /* somebody else was faster, so somebody made progress */
        lost = false;
        uint32_t at = choose(thread, count);
        for (uint32_t i = 0; i < count; i++, at = at + 1 == count ? 0 : at + 1) {
            struct tutti__thread *other = victim(sched, at);
            if (other == thread || tutti__deque_is_empty(&other->deque)) {
                continue;
            }
            tutti_task *task = tutti__deque_steal(&other->deque, &lost);
            if (task != NULL) {
                uint64_t steals = TUTTI_LOAD(&thread->counters.steals, relaxed);
                TUTTI_STORE(&thread->counters.steals, steals + 1, relaxed); /* a statistic */
                return task;
            }
        }
    }
    return NULL;
}

static tutti_task *take_strict(struct tutti__thread *thread)
{
    struct tutti__strict *strict = &thread->sched->strict;
    const struct tutti__env *env = thread->sched->env;
    if (!thread->takes_strict || tutti__strict_is_empty(strict)) {
        return NULL;
    }
    /* Their order is nobody's promise, so whoever makes the choices has it too. */
    uint32_t length = env->choose != NULL ? TUTTI_LOAD(&strict->length, relaxed) : 1;
    return tutti__strict_take(strict, length > 1 ? env->choose(env->user, length) : 0);
}

/* The oldest of the own deque, which its newest-first order may keep waiting for ever. */
static tutti_task *take_oldest(struct tutti__thread *thread)
{
    bool lost = false;
    return tutti__deque_steal(&thread->deque, &lost);
}

/* Args: levels - LEVELS_HIGH or _LOW. */
static tutti_task *take_level(struct tutti__thread *thread, uint32_t levels)
{
    struct tutti__sched *sched = thread->sched;
    uint32_t which = thread->takes_strict ? levels : levels & TUTTI__LEVELS_COMMON;
    /* relaxed: a hint; before a sleep it is asked again after a fence. */
    if (TUTTI_LIKELY((TUTTI_LOAD(&sched->raised, relaxed) & which) == 0)) {
        return NULL;
    }
    return tutti__level_take(&sched->levels, &sched->raised, which);
}

static tutti_task *take_low(struct tutti__thread *thread)
{
    return take_level(thread, TUTTI__LEVELS_LOW);
}

/* Now and then a thread looks elsewhere first: one that always has new work of its own must starve
 * neither others' tasks nor its own old ones. The queues in turn; more rarely what costs locality. */
static TUTTI_COLD tutti_task *find_fairly(struct tutti__thread *thread)
{
    static tutti_task *(*const queues[])(struct tutti__thread *thread) = { take_strict, take_injected,
                                                                           take_fed, take_low };
    enum { QUEUES = sizeof queues / sizeof queues[0], TURNS = 8 };
    uint32_t turn = thread->ticks / TUTTI_INJECTOR_EVERY % TURNS;
    if (turn >= TURNS - 2) {
        return turn == TURNS - 1 ? take_oldest(thread) : steal(thread);
    }
    tutti_task *task = NULL;
    for (uint32_t i = 0; task == NULL && i < QUEUES; i++) {
        task = queues[(turn + i) % QUEUES](thread);
    }
    return task;
}

static tutti_task *find_normal(struct tutti__thread *thread)
{
    tutti_task *task;
    if ((task = tutti__deque_take(&thread->deque)) != NULL || (task = take_strict(thread)) != NULL ||
        (task = take_injected(thread)) != NULL || (task = take_fed(thread)) != NULL) {
        return task;
    }
    return steal(thread);
}

tutti_task *tutti__find_above(struct tutti__thread *thread, int rank)
{
    tutti_task *task = rank < 1 ? take_level(thread, TUTTI__LEVELS_HIGH) : NULL;
    return task == NULL && rank < 0 ? find_normal(thread) : task;
}

tutti_task *tutti__find(struct tutti__thread *thread)
{
    tutti_task *task;
    if (TUTTI_UNLIKELY(++thread->ticks % TUTTI_INJECTOR_EVERY == 0) &&
        (task = find_fairly(thread)) != NULL) {
        return task;
    }
    if ((task = take_level(thread, TUTTI__LEVELS_HIGH)) != NULL ||
        (task = find_normal(thread)) != NULL) {
        return task;
    }
    return take_low(thread);
}

/* Is there anything that only workers may take? As any_common. */
static bool any_strict(const struct tutti__sched *sched)
{
    return !tutti__strict_is_empty(&sched->strict) ||
           (TUTTI_LOAD(&sched->raised, relaxed) & TUTTI__LEVELS_STRICT) != 0;
}

/* Is there anything that every thread that runs tasks could take? After a fence, as far as pushes go
 * that came before one. */
static bool any_common(struct tutti__sched *sched)
{
    if (TUTTI_LOAD(&sched->injector.head, relaxed) != NULL || !tutti__feed_is_empty(&sched->feed) ||
        (TUTTI_LOAD(&sched->raised, relaxed) & TUTTI__LEVELS_COMMON) != 0) {
        return true;
    }
    uint32_t count = victim_count(sched);
    for (uint32_t i = 0; i < count; i++) {
        if (!tutti__deque_is_empty(&victim(sched, i)->deque)) {
            return true;
        }
    }
    return false;
}

bool tutti__any_ready(struct tutti__sched *sched)
{
    return any_common(sched) || any_strict(sched);
}

bool tutti__sched_any_ready(struct tutti__sched *sched)
{
    return tutti__any_ready(sched);
}

/* Counted asleep: is there something to do after all? What this thread cannot take it hands on, for
 * the pusher may have seen it search and left it at that. */
static bool must_stay(struct tutti__thread *thread)
{
    struct tutti__sched *sched = thread->sched;
    if (any_common(sched)) {
        return true;
    }
    if (!any_strict(sched)) {
        return false;
    }
    if (!thread->takes_strict) {
        tutti__idle_wake_worker(&sched->idle);
        return false;
    }
    return true;
}

/* ---- searching and sleeping --------------------------------------------------------------- */

enum { LINGER_LOOKS = 8 };

/* Counted as a searcher: look for up to spin_ns. Returns: as tutti__find. */
static tutti_task *spin(struct tutti__thread *thread, const struct tutti__search *until)
{
    struct tutti__sched *sched = thread->sched;
    tutti_task *task = tutti__find(thread);
    /* relaxed: a hint. With more searchers than half the workers one more finds nothing sooner. */
    uint32_t searchers = TUTTI_LOAD(&sched->idle.word, relaxed) / TUTTI__IDLE_SEARCHING;
    if (task != NULL || sched->spin_ns == 0 || searchers > sched->worker_count / 2 + 1) {
        return task;
    }
    uint64_t end_ns = sched->env->now_ns(sched->env->user) + sched->spin_ns;
    do {
        tutti__relax();
        task = tutti__find(thread);
    } while (task == NULL && !until->is_over(thread, until->key) &&
             sched->env->now_ns(sched->env->user) < end_ns);
    return task;
}

/* Counted as a searcher, and again when it returns. Returns: false if the deadline has passed. */
static bool sleep_once(struct tutti__thread *thread, const struct tutti__search *until)
{
    struct tutti__idle *idle = &thread->sched->idle;
    bool in_time = true;
    tutti__batch_flush(&thread->batch);
    tutti__heap_collect(&thread->heap);
    tutti__thread_trim(thread);
    if (thread->home == &thread->own_home) {
        TUTTI_STORE(&thread->own_home.asleep, 1, relaxed); /* the fence below orders it: home.h */
    }
    tutti__idle_sleep_begin(idle, &thread->sleeper);
    if (!must_stay(thread) && !tutti__thread_must_trim(thread) && !until->is_over(thread, until->key)) {
        in_time = tutti__parker_wait(&thread->parker, until->deadline_ns);
    }
    tutti__idle_sleep_end(idle, &thread->sleeper);
    if (thread->home == &thread->own_home) {
        TUTTI_STORE(&thread->own_home.asleep, 0, relaxed); /* a late wake is only one too many */
    }
    return in_time;
}

tutti_task *tutti__search(struct tutti__thread *thread, const struct tutti__search *until)
{
    struct tutti__sched *sched = thread->sched;
    tutti_task *task = NULL;
    bool in_time = true;
    tutti__idle_search_begin(&sched->idle);
    tutti__idle_check(sched); /* it was perhaps this thread that settled the last task */
    while (in_time && !until->is_over(thread, until->key)) {
        task = spin(thread, until);
        if (task != NULL || until->is_over(thread, until->key)) {
            break;
        }
        in_time = sleep_once(thread, until);
    }
    if (tutti__idle_search_end(&sched->idle)) {
        bool more = tutti__any_ready(sched);
        if (!more) {
            TUTTI_FENCE_HEAVY(); /* counted out before, the look after: idle.h, second pair */
            more = tutti__any_ready(sched);
        }
        if (more) {
            tutti__idle_wake_one(&sched->idle);
        }
    }
    return task;
}

void tutti__idle_check(struct tutti__sched *sched)
{
    /* Settled before, the look after; who waits counts itself, then looks at the counters (wait.c). */
    TUTTI_FENCE(seq_cst);
    if (TUTTI_UNLIKELY(TUTTI_LOAD(&sched->idle_waiters, relaxed) != 0) &&
        tutti__sched_is_idle(sched)) {
        tutti__lot_wake(&sched->lot, sched);
        tutti__idle_tell(sched);
    }
    tutti__watch_check(sched);
}

/* ---- the worker's thread ------------------------------------------------------------------ */

static bool worker_is_over(struct tutti__thread *thread, const void *unused)
{
    (void)unused;
    if (thread->is_spare && tutti__spare_is_surplus(thread)) {
        return true;
    }
    /* relaxed: before a sleep there is a fence between (sleep_once), in a spin it is asked again. */
    return TUTTI_LOAD(&thread->own_home.inbox, relaxed) != NULL ||
           TUTTI_LOAD(&thread->sched->closed, relaxed) == 2;
}

/* Out of work, but perhaps only for a moment: look again a few times before that is made known. While
 * a creator submits faster than this thread polls, each look finds a handful, and neither the counts
 * of idle.h nor the line that the creator writes go back and forth for each task. */
static tutti_task *linger(struct tutti__thread *thread)
{
    tutti_task *task = NULL;
    int looks = thread->sched->spin_ns != 0 ? LINGER_LOOKS : 0;
    for (; task == NULL && looks > 0; looks--) {
        tutti__relax();
        task = tutti__find(thread);
    }
    return task;
}

static bool is_ending(const struct tutti__thread *thread)
{
    return TUTTI_LOAD(&thread->sched->closed, relaxed) == 2; /* as in worker_is_over */
}

/* Sleep outside of the pool until something comes home, there is a slot again, or the end. */
static void rest_once(struct tutti__thread *spare)
{
    struct tutti__home *home = &spare->own_home;
    struct tutti__idle *idle = &spare->sched->idle;
    tutti__batch_flush(&spare->batch);
    tutti__heap_collect(&spare->heap);
    tutti__thread_trim(spare);
    tutti__idle_check(spare->sched);
    tutti__idle_leave(idle); /* a walk over all records does not wait for this thread */
    TUTTI_STORE(&home->asleep, 1, relaxed);
    TUTTI_FENCE(seq_cst); /* asleep before, the look at the inbox after: home.h */
    if (TUTTI_LOAD(&home->inbox, relaxed) == NULL && TUTTI_LOAD(&spare->has_slot, relaxed) == 0 &&
        !is_ending(spare)) {
        tutti__parker_wait(&spare->parker, UINT64_MAX); /* a slot, a trim, the end come with a wake */
    }
    TUTTI_STORE(&home->asleep, 0, relaxed); /* a late wake is only one too many */
    tutti__idle_enter(idle);                /* but a walk holds it up */
}

/* A spare without a slot: serve the home, run nothing else. */
static void rest(struct tutti__thread *spare)
{
    struct tutti__home *home = &spare->own_home;
    TUTTI_FENCE_HEAVY(); /* it may have been woken for something that it leaves now: idle.h */
    if (tutti__any_ready(spare->sched)) {
        tutti__idle_wake_one(&spare->sched->idle);
    }
    /* relaxed: what the slot was given for is found in the queues. */
    while (TUTTI_LOAD(&spare->has_slot, relaxed) == 0 && !is_ending(spare)) {
        tutti__home_drain(home);
        if (home->pump == NULL || !home->pump(home->pump_user)) {
            rest_once(spare);
        }
    }
}

static void worker_loop(struct tutti__thread *thread)
{
    static const struct tutti__search until = { worker_is_over, NULL, UINT64_MAX };
    struct tutti__home *home = &thread->own_home;
    for (;;) {
        if (TUTTI_UNLIKELY(thread->is_spare) && tutti__spare_is_surplus(thread) &&
            !is_ending(thread) && tutti__spare_give_back(thread)) {
            rest(thread);
        }
        tutti__home_drain(home);
        bool more = home->pump != NULL && home->pump(home->pump_user);
        tutti_task *task = tutti__find(thread);
        if (task == NULL && !more && (task = linger(thread)) == NULL) {
            task = tutti__search(thread, &until);
        }
        if (task != NULL) {
            tutti__run(thread, task);
        } else if (!more && is_ending(thread) && TUTTI_LOAD(&home->inbox, relaxed) == NULL) {
            return;
        }
    }
}

static void wake_worker(struct tutti__home *home)
{
    char *thread = (char *)home - offsetof(struct tutti__thread, own_home);
    tutti__parker_wake(&((struct tutti__thread *)(void *)thread)->parker);
}

struct tutti__thread *tutti__worker_new(struct tutti__sched *sched)
{
    struct tutti__thread *worker = tutti__thread_new(sched, TUTTI__THREAD_WORKER);
    if (worker != NULL) {
        worker->parks = true;
        worker->own_home.wake = wake_worker;
        worker->home = &worker->own_home;
    }
    return worker;
}

void *tutti__worker_main(void *arg)
{
    struct tutti__thread *thread = arg;
    struct tutti__sched *sched = thread->sched;
    tutti__idle_enter(&sched->idle); /* waits until all workers are there */
    thread->stack_low = tutti__stack_below(tutti__thread_stack(sched->stack_bytes) / 4 * 3);
    TUTTI_ALWAYS(tutti__thread_bind(thread));
    if (sched->hooks != NULL && sched->hooks->worker_start != NULL) {
        sched->hooks->worker_start(sched->hooks->user, thread->index);
    }
    worker_loop(thread);
    if (sched->worker_stop != NULL && thread->slot != NULL) {
        sched->worker_stop(sched->user, thread->slot);
    }
    if (sched->hooks != NULL && sched->hooks->worker_stop != NULL) {
        sched->hooks->worker_stop(sched->hooks->user, thread->index);
    }
    tutti__batch_flush(&thread->batch);
    tutti__thread_unbind(sched);
    tutti__idle_leave(&sched->idle);
    return NULL;
}
