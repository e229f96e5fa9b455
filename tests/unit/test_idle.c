/* SPDX-License-Identifier: MIT */
/* test_idle.c - parker, lot, sleepers, homes, the strict queue and the injector, each alone. */
#include <time.h>

#include "base/clock.h"
#include "sched/core.h"
#include "unit/test_sched.h"

static void *wake_later(void *arg)
{
    nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
    tutti__parker_wake(arg);
    return NULL;
}

static void parker(void)
{
    struct tutti__parker p = { 0 };
    OK(!tutti__parker_wait(&p, 0), "a deadline that has passed");
    tutti__parker_wake(&p);
    OK(tutti__parker_wait(&p, 0), "a stored wake is taken, whatever the deadline");
    OK(!tutti__parker_wait(&p, tutti__clock_now_ns() + 1000000), "once");
    tutti__parker_wake(&p);
    tutti__parker_wake(&p);
    OK(tutti__parker_wait(&p, UINT64_MAX), "two wakes");
    OK(!tutti__parker_wait(&p, 0), "are one");
    tutti__parker_wake(&p);
    tutti__parker_clear(&p);
    OK(!tutti__parker_wait(&p, 0), "cleared");
    pthread_t thread;
    pthread_create(&thread, NULL, wake_later, &p);
    OK(tutti__parker_wait(&p, UINT64_MAX), "a sleeper is woken");
    pthread_join(thread, NULL);
    OK(tutti__clock_after(5, 6) == 11 && tutti__clock_after(5, UINT64_MAX) == UINT64_MAX &&
           tutti__clock_after(UINT64_MAX - 1, 2) == UINT64_MAX,
       "for ever is for ever");
}

static void lot(void)
{
    struct tutti__lot l = { .waiters = NULL };
    tutti__mutex_init(&l.mu);
    enum { WAITERS = 40 };
    static struct tutti__parker parkers[WAITERS];
    static struct tutti__waiter waiters[WAITERS];
    int a = 0;
    int b = 0;
    for (int i = 0; i < WAITERS; i++) {
        waiters[i].key = i % 2 != 0 ? &a : &b;
        waiters[i].parker = &parkers[i];
        tutti__lot_add(&l, &waiters[i]);
    }
    tutti__lot_remove(&l, &waiters[1]);
    tutti__lot_remove(&l, &waiters[1]); /* twice is once */
    tutti__lot_wake(&l, &a);
    int woken = 0;
    bool right = true;
    for (int i = 0; i < WAITERS; i++) {
        bool was = tutti__parker_wait(&parkers[i], 0);
        woken += was;
        right &= !was || (i % 2 != 0 && i != 1);
    }
    EQ_INT(woken, WAITERS / 2 - 1, "all that wait for the key are woken");
    OK(right, "and nobody else");
    tutti__lot_wake(&l, &b);
    EQ_PTR(l.waiters, NULL, "nobody is left");
    tutti__mutex_deinit(&l.mu);
}

static void sleepers(void)
{
    struct tutti__idle idle;
    struct tutti__parker parkers[2] = { { 0 }, { 0 } };
    struct tutti__sleeper s[2] = { { .parker = &parkers[0] }, { .parker = &parkers[1] } };
    tutti__idle_init(&idle);
    for (int i = 0; i < 2; i++) {
        tutti__idle_enter(&idle);
        tutti__idle_search_begin(&idle);
    }
    tutti__idle_notify(&idle);
    OK(!tutti__parker_wait(&parkers[0], 0), "nobody sleeps, nobody is woken");
    tutti__idle_sleep_begin(&idle, &s[0]);
    tutti__idle_notify(&idle);
    OK(!tutti__parker_wait(&parkers[0], 0), "while one searches nobody is woken");
    tutti__idle_sleep_begin(&idle, &s[1]);
    tutti__idle_freeze(&idle, UINT64_MAX); /* returns at once: all sleep */
    tutti__idle_notify(&idle);
    OK(!tutti__parker_wait(&parkers[0], 0) && !tutti__parker_wait(&parkers[1], 0),
       "while frozen nobody is woken");
    tutti__idle_thaw(&idle);
    OK(tutti__parker_wait(&parkers[0], 0) && tutti__parker_wait(&parkers[1], 0), "thaw wakes all");
    tutti__idle_notify(&idle);
    OK(tutti__parker_wait(&parkers[1], 0), "the one that fell asleep last is woken");
    OK(!tutti__parker_wait(&parkers[0], 0), "and only that one");
    tutti__idle_notify(&idle);
    OK(!tutti__parker_wait(&parkers[0], 0), "it searches: no other is woken");
    tutti__idle_sleep_end(&idle, &s[1]);
    OK(tutti__idle_search_end(&idle), "it was the last searcher");
    tutti__idle_notify(&idle);
    OK(tutti__parker_wait(&parkers[0], 0), "now the next one is woken");
    tutti__idle_sleep_end(&idle, &s[0]);
    tutti__idle_search_end(&idle);
    EQ_UINT(TUTTI_LOAD(&idle.word, relaxed), 0, "the counts are balanced");
    EQ_UINT(tutti__idle_wakes(&idle), 2, "two were woken");
    tutti__idle_leave(&idle);
    tutti__idle_leave(&idle);
    EQ_UINT(idle.awake, 0, "nobody takes part");
    tutti__idle_deinit(&idle);
}

/* ---- homes -------------------------------------------------------------------------------- */

struct numbered {
    struct tutti__post post;
    int number;
    struct tutti__home *again; /* post it once more */
};

static int sequence[16];
static int sequence_count;
static int home_wakes;

static void on_post(struct tutti__post *post)
{
    struct numbered *n = (struct numbered *)post;
    sequence[sequence_count++] = n->number;
    if (n->again != NULL) {
        struct tutti__home *home = n->again;
        n->again = NULL;
        tutti__home_post(home, post);
    }
}

static void on_wake(struct tutti__home *home)
{
    (void)home;
    home_wakes++;
}

static void homes(void)
{
    struct tutti__home home = { .wake = on_wake };
    struct numbered posts[4];
    OK(!tutti__home_drain(&home), "an empty inbox");
    for (int i = 0; i < 4; i++) {
        posts[i] = (struct numbered){ .post = { .fn = on_post }, .number = i };
        tutti__home_post(&home, &posts[i].post);
    }
    posts[1].again = &home;
    EQ_INT(home_wakes, 0, "a home that is awake is not woken");
    OK(tutti__home_drain(&home), "drained");
    OK(sequence_count == 4 && sequence[0] == 0 && sequence[3] == 3, "in the order of posting");
    OK(tutti__home_drain(&home) && sequence_count == 5, "what a post posted comes in the next round");
    atomic_store(&home.asleep, 1);
    tutti__home_post(&home, &posts[0].post);
    tutti__home_post(&home, &posts[2].post);
    EQ_INT(home_wakes, 1, "a sleeping home is woken once");
    tutti__home_drain(&home);
}

/* ---- queues ------------------------------------------------------------------------------- */

static void queues(void)
{
    static struct tutti_task tasks[3];
    struct tutti__strict strict = { .length = 0 };
    tutti__mutex_init(&strict.mu);
    EQ_PTR(tutti__strict_take(&strict, 0), NULL, "an empty strict queue");
    for (int i = 0; i < 3; i++) {
        tutti__strict_push(&strict, &tasks[i]);
    }
    EQ_PTR(tutti__strict_take(&strict, 0), &tasks[0], "first in");
    tutti__strict_push(&strict, &tasks[0]);
    EQ_PTR(tutti__strict_take(&strict, 0), &tasks[1], "first out");
    EQ_PTR(tutti__strict_take(&strict, 0), &tasks[2], "first out");
    EQ_PTR(tutti__strict_take(&strict, 0), &tasks[0], "first out");
    OK(tutti__strict_is_empty(&strict), "empty");
    tutti__mutex_deinit(&strict.mu);
    struct tutti__injector injector = { .head = NULL };
    EQ_PTR(tutti__injector_take(&injector), NULL, "an empty injector");
    tutti__injector_push(&injector, &tasks[0]);
    tutti__injector_push(&injector, &tasks[1]);
    tutti_task *all = tutti__injector_take(&injector);
    EQ_PTR(all, &tasks[1], "the newest");
    EQ_PTR(TUTTI_LOAD(&all->link, relaxed), &tasks[0], "and behind it the older");
    EQ_PTR(tutti__injector_take(&injector), NULL, "it was taken whole");
}

/* ---- contexts ----------------------------------------------------------------------------- */

static void *submit_one(void *arg)
{
    struct tutti__sched *sched = arg;
    struct tutti__thread *before = tutti__thread_here(sched);
    tutti_task *task = spawn(sched, body_empty, NULL);
    struct tutti__thread *here = tutti__thread_here(sched);
    tutti__task_unref(task);
    return before == NULL ? here : NULL;
}

static void contexts(void)
{
    struct tutti__sched *sched = sched_make(1);
    struct tutti__sched *other = sched_make(1);
    struct tutti__thread *mine = tutti__thread_here(sched);
    OK(mine != NULL && tutti__thread_here(other) != NULL && tutti__thread_here(other) != mine,
       "a creator has a context in each of its schedulers");
    EQ_PTR(tutti__thread_here(sched), mine, "and finds the right one");
    EQ_PTR(tutti__thread_home(mine), NULL, "a creator has no home");
    EQ_PTR(*tutti__thread_slot(mine), NULL, "an empty slot");
    EQ_PTR(tutti__thread_running(mine), NULL, "and is in no body");
    void *first = NULL;
    void *second = NULL;
    pthread_t thread;
    pthread_create(&thread, NULL, submit_one, sched);
    pthread_join(thread, &first);
    pthread_create(&thread, NULL, submit_one, sched);
    pthread_join(thread, &second);
    OK(first != NULL && first != mine, "a foreign thread gets a context with its first submit");
    EQ_PTR(second, first, "which the next one takes over");
    tutti__sched_free(other);
    EQ_PTR(tutti__thread_here(sched), mine, "still found when another engine has gone");
    tutti__sched_free(sched);
}

int main(void)
{
    TAP_BEGIN();
    parker();
    lot();
    sleepers();
    homes();
    queues();
    contexts();
    return TAP_END();
}
