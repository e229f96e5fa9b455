/* SPDX-License-Identifier: MIT */
/*
 * watchdog.c - see watchdog.h.
 *
 * Layer: sched. Thread: its own, but for add, remove, stop and alert. Locks: dog.mu.
 */
#include "sched/watchdog.h"

#include <stdio.h>

#include "base/limits.h"
#include "sched/core.h"
#include "sched/nudge.h"

/* How long what is asked may take before the thread is nudged, nudged again, and said to be stuck; and
 * how long a turn may be while others wait. */
#define PATIENCE_NS (2 * TUTTI_NS_PER_MS)
#define PAUSE_MAX_NS (64 * TUTTI_NS_PER_MS)
#define STUCK_NS TUTTI_NS_PER_S
#define TURN_NS (10 * TUTTI_NS_PER_MS)
#define TICK_NS (5 * TUTTI_NS_PER_MS)

static uint64_t watch_now_ns(const struct tutti__watchdog *dog)
{
    return dog->sched->env->now_ns(dog->sched->env->user);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* ---- wishes ------------------------------------------------------------------------------- */

/* All loads here are relaxed: what they find is looked at again before the dog sleeps, behind a heavy
 * fence, and what follows from them is only that a thread looks for itself. */

static bool wants_slice(struct tutti__watched *w, uint64_t now_ns, uint64_t *next_ns)
{
    if (!w->is_sliced || (TUTTI_LOAD(&w->home->inbox, relaxed) == NULL &&
                          TUTTI_LOAD(&w->has_others, relaxed) == 0)) {
        w->slice_ns = 0;
        return false;
    }
    if (w->slice_ns == 0) {
        w->slice_ns = now_ns + TURN_NS;
    }
    if (now_ns < w->slice_ns) {
        *next_ns = earlier(*next_ns, w->slice_ns);
        return false;
    }
    return true;
}

static uint32_t wishes_of(struct tutti__watched *w, uint64_t now_ns, uint64_t *next_ns)
{
    bool is_busy = (TUTTI_LOAD(&w->turn, relaxed) & 1) != 0;
    uint32_t wishes = TUTTI_LOAD(&w->asked, relaxed) & TUTTI__ASK_WISHES;
    uint64_t deadline_ns = is_busy ? TUTTI_LOAD(&w->deadline_ns, relaxed) : 0;
    if (TUTTI_LOAD(&w->home->urgent, relaxed) != NULL) {
        wishes |= TUTTI__ASK_POSTS;
    }
    if (deadline_ns != 0 && now_ns >= deadline_ns) {
        wishes |= TUTTI__ASK_DEADLINE;
    } else if (deadline_ns != 0) {
        *next_ns = earlier(*next_ns, deadline_ns);
    }
    if (wants_slice(w, now_ns, next_ns)) {
        wishes |= TUTTI__ASK_SLICE;
    }
    return wishes;
}

/* ---- stuck in C --------------------------------------------------------------------------- */

static void report(struct tutti__watched *w, const char *text)
{
    bool is_replaced = tutti__slot_replace(w->thread);
    if (is_replaced) {
        TUTTI_FETCH_OR(&w->asked, TUTTI__ASK_TAKE_BACK, relaxed); /* its own slot, its own turn */
    }
    fprintf(stderr, "tutti: %s was to end 1 s ago, by a cancellation or its time limit, but is in C code, or "
                    "in a coroutine that tutti did not resume, and cannot be interrupted there%s\n",
            text, is_replaced ? "; another thread stands in for its worker" : "");
}

/* A wish has been there for long enough. Returns: when to look again. */
static uint64_t look_if_stuck(struct tutti__watched *w, uint64_t now_ns)
{
    switch (TUTTI_LOAD(&w->report, acquire)) { /* pairs with the handler's release */
    case TUTTI__REPORT_NONE:
        TUTTI_STORE(&w->report, TUTTI__REPORT_WANTED, release); /* the nudge that follows is for it */
        w->nudge_ns = now_ns;
        break;
    case TUTTI__REPORT_WANTED: /* it blocks signals, or is asked by a permanent hook only */
        if (now_ns - w->serious_ns > STUCK_NS + PAUSE_MAX_NS * 2) {
            w->is_reported = true;
            report(w, "a Lua state");
        }
        break;
    case TUTTI__REPORT_MADE:
        w->is_reported = true;
        report(w, w->text);
        break;
    default:
        w->is_reported = true; /* what runs there is none of those that are to end */
        break;
    }
    return now_ns + PATIENCE_NS;
}

/* ---- looking ------------------------------------------------------------------------------ */

static void begin_wish(struct tutti__watched *w, uint32_t turn, uint32_t taken, uint64_t now_ns)
{
    w->seen_turn = turn;
    w->seen_taken = taken;
    w->wish_ns = now_ns;
    w->nudge_ns = now_ns + PATIENCE_NS;
    w->pause_ns = PATIENCE_NS;
    w->serious_ns = 0;
    w->is_reported = false;
    TUTTI_STORE(&w->report, TUTTI__REPORT_NONE, relaxed);
}

static uint64_t nudge_if_due(struct tutti__watchdog *dog, struct tutti__watched *w, uint64_t now_ns)
{
    if (now_ns < w->nudge_ns) {
        return w->nudge_ns;
    }
    if (dog->preempt == TUTTI_PREEMPT_SIGNAL) {
        tutti__nudge_send(w);
    }
    w->pause_ns = earlier(w->pause_ns * 2, PAUSE_MAX_NS);
    w->nudge_ns = now_ns + w->pause_ns;
    return w->nudge_ns;
}

/* Returns: when to look again; UINT64_MAX: when something new happens. */
static uint64_t look(struct tutti__watchdog *dog, struct tutti__watched *w, uint64_t now_ns)
{
    uint32_t turn = TUTTI_LOAD(&w->turn, relaxed);
    uint32_t taken = TUTTI_LOAD(&w->taken, relaxed);
    uint64_t next_ns = UINT64_MAX;
    bool is_new = w->wish_ns == 0 || w->seen_turn != turn || w->seen_taken != taken;
    if (w->seen_turn != turn) {
        w->slice_ns = 0;
    }
    uint32_t wishes = wishes_of(w, now_ns, &next_ns);
    if (is_new) {
        begin_wish(w, turn, taken, now_ns);
    }
    if (wishes == 0) {
        w->wish_ns = 0;
        return next_ns;
    }
    if (now_ns < w->wish_ns + PATIENCE_NS) { /* it may look by itself; and what it has just stored shows */
        return earlier(next_ns, w->wish_ns + PATIENCE_NS);
    }
    TUTTI_FETCH_OR(&w->asked, wishes, relaxed); /* the state looks at it when a turn begins */
    if ((turn & 1) == 0) {
        w->wish_ns = 0;
        return UINT64_MAX;
    }
    bool is_serious = (wishes & (TUTTI__ASK_POSTS | TUTTI__ASK_DEADLINE)) != 0;
    if (!is_serious || w->serious_ns == 0) {
        w->serious_ns = is_serious ? now_ns : 0; /* that others wait for the turn may be older */
    }
    if (is_serious && !w->is_reported && now_ns >= w->serious_ns + STUCK_NS) {
        next_ns = earlier(next_ns, look_if_stuck(w, now_ns));
    }
    return earlier(next_ns, nudge_if_due(dog, w, now_ns));
}

static uint64_t look_at_all(struct tutti__watchdog *dog)
{
    uint64_t next_ns = UINT64_MAX;
    tutti__mutex_lock(&dog->mu);
    uint64_t now_ns = watch_now_ns(dog);
    for (struct tutti__watched *w = dog->first; w != NULL; w = w->next) {
        next_ns = earlier(next_ns, look(dog, w, now_ns));
    }
    tutti__mutex_unlock(&dog->mu);
    return next_ns;
}

/* Everything is looked at soon anyhow: nobody needs to alert. */
static bool is_soon(const struct tutti__watchdog *dog, uint64_t next_ns)
{
    uint64_t now_ns = watch_now_ns(dog);
    return next_ns <= now_ns || next_ns - now_ns <= TURN_NS;
}

/* Returns: until when to sleep. */
static uint64_t look_around(struct tutti__watchdog *dog)
{
    uint64_t next_ns = look_at_all(dog);
    while (!is_soon(dog, next_ns)) {
        /* See tutti__watchdog_alert_by: stored, fenced, and looked at once more. */
        TUTTI_STORE(&dog->wake_ns, next_ns, relaxed);
        TUTTI_FENCE_HEAVY();
        uint64_t again_ns = look_at_all(dog);
        if (again_ns >= next_ns) {
            return next_ns;
        }
        next_ns = again_ns;
    }
    TUTTI_STORE(&dog->wake_ns, 0, relaxed); /* nobody misses an alert by that: it will look */
    return earlier(next_ns, watch_now_ns(dog) + TICK_NS);
}

static void *watchdog_main(void *arg)
{
    struct tutti__watchdog *dog = arg;
    while (TUTTI_LOAD(&dog->must_end, relaxed) == 0) { /* ordered by the wake of the parker */
        tutti__parker_wait(&dog->parker, look_around(dog));
    }
    return NULL;
}

/* ---- life --------------------------------------------------------------------------------- */

void tutti__watchdog_init(struct tutti__watchdog *dog, struct tutti__sched *sched, uint32_t preempt)
{
    tutti__mutex_init(&dog->mu);
    dog->sched = sched;
    dog->preempt = preempt;
    TUTTI_STORE(&dog->wake_ns, UINT64_MAX, relaxed); /* no other thread is there yet */
}

static bool start_locked(struct tutti__watchdog *dog) TUTTI_REQUIRES(dog->mu)
{
    if (!dog->is_started) {
        struct tutti__thread_desc desc = { "tutti-dog", 0, watchdog_main, dog };
        dog->is_started = tutti__thread_start(&dog->pthread, &desc) == TUTTI_OK;
    }
    return dog->is_started;
}

bool tutti__watchdog_add(struct tutti__watchdog *dog, struct tutti__watched *w)
{
    struct tutti__thread *thread = tutti__thread_here(dog->sched);
    if (dog->preempt == TUTTI_PREEMPT_NONE || thread == NULL || thread->home == NULL ||
        !tutti__nudge_enter(w)) {
        return false;
    }
    w->home = thread->home;
    w->thread = thread;
    tutti__mutex_lock(&dog->mu);
    bool is_started = start_locked(dog);
    if (is_started) {
        w->dog = dog;
        w->next = dog->first;
        dog->first = w;
    }
    tutti__mutex_unlock(&dog->mu);
    if (!is_started) {
        tutti__nudge_leave(w);
        return false;
    }
    tutti__home_watch(w->home, dog, w->is_sliced ? TUTTI__WATCH_ALL : TUTTI__WATCH_URGENT);
    return true;
}

void tutti__watchdog_remove(struct tutti__watched *w)
{
    struct tutti__watchdog *dog = w->dog;
    if (dog == NULL) {
        return;
    }
    tutti__mutex_lock(&dog->mu);
    struct tutti__watched **at = &dog->first;
    while (*at != w) {
        at = &(*at)->next;
    }
    *at = w->next;
    w->dog = NULL;
    tutti__mutex_unlock(&dog->mu);
    tutti__home_watch(w->home, dog, TUTTI__WATCH_NONE);
    tutti__watchdog_take_back(w);
    tutti__nudge_leave(w);
}

void tutti__watchdog_stop(struct tutti__watchdog *dog)
{
    tutti__mutex_lock(&dog->mu);
    bool is_started = dog->is_started;
    dog->is_started = false;
    tutti__mutex_unlock(&dog->mu);
    if (is_started) {
        TUTTI_STORE(&dog->must_end, 1, relaxed); /* the wake orders it */
        tutti__parker_wake(&dog->parker);
        pthread_join(dog->pthread, NULL);
    }
    tutti__mutex_deinit(&dog->mu);
}

void tutti__watchdog_alert(struct tutti__watchdog *dog)
{
    tutti__parker_wake(&dog->parker);
}

void tutti__watchdog_on_post(struct tutti__home *home)
{
    struct tutti__watchdog *dog = home->dog;
    /* relaxed: the fence of the post comes before. 0: it will look by itself. */
    if (TUTTI_LOAD(&dog->wake_ns, relaxed) != 0) {
        tutti__watchdog_alert(dog);
    }
}

void tutti__watchdog_take_back(struct tutti__watched *w)
{
    /* relaxed: the bit is this thread's to clear; its slot was lent by then. */
    uint32_t old = TUTTI_FETCH_AND(&w->asked, ~(uint32_t)TUTTI__ASK_TAKE_BACK, relaxed);
    if ((old & TUTTI__ASK_TAKE_BACK) != 0) {
        tutti__slot_take(w->thread);
    }
}
