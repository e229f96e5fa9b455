/* SPDX-License-Identifier: MIT */
/*
 * stress_catalogue_loop.c - a single post, settle or timer to a loop that sleeps or is about to, with a
 * random gap before each; posts while the engine ends.
 *
 * Reproduces: libuv PR #349 and Go #45867 (a wake-up lost in the store buffer), Julia #63173 (a timer
 * armed by a worker), libuv #2226, #3879, #4584 (a send to an async handle that is being closed).
 */
#include "base/alloc.h"
#include "base/limits.h"
#include "stress/stress.h"

enum { THREADS = 2 };

static tutti_engine *e;
static sem_t done;

static tutti_engine *engine_make(uint32_t loop)
{
    tutti_config config = { .struct_size = sizeof config, .workers = stress_workers(1), .loop = loop };
    tutti_engine *made = NULL;
    REQUIRE(tutti_engine_new(&made, &config) == TUTTI_OK, "an engine");
    return made;
}

/* ---- one at a time ---------------------------------------------------------------------------- */

static void on_post(void *user)
{
    sem_post(user);
}

static atomic_int posting; /* threads that need the loop still */

/* One post after the other; each must run before the next is sent. */
static void *single_posts(void *arg)
{
    uint64_t rng = tap_seed() + (uintptr_t)arg;
    uint64_t end_ns = stress_end_ns();
    unsigned long rounds = tap_rounds(0);
    sem_t own;
    sem_init(&own, 0, 0);
    unsigned long count = 0;
    for (; rounds != 0 ? count < rounds : count == 0 || !stress_is_over(end_ns); count++) {
        random_gap(&rng);
        if (tutti_post(e, on_post, &own) != TUTTI_OK || !done_in_time(&own)) {
            FAIL("post %lu has not run", count);
            break;
        }
    }
    sem_destroy(&own);
    atomic_fetch_sub(&posting, 1);
    return (void *)(uintptr_t)count;
}

/* A foreign thread settles what the creator waits for; with the caller's loop that wait is the loop. */
static tutti_task *_Atomic promise;

static void *single_settles(void *arg)
{
    uint64_t rng = tap_seed() + (uintptr_t)arg;
    for (;;) {
        sem_wait(&done);
        tutti_task *task = atomic_load(&promise);
        if (task == NULL) {
            return NULL;
        }
        random_gap(&rng);
        tutti_promise_settle(task, TUTTI_OK, NULL);
        tutti_task_unref(task);
    }
}

static unsigned long settles(void)
{
    uint64_t end_ns = stress_end_ns();
    unsigned long rounds = tap_rounds(0);
    unsigned long count = 0;
    pthread_t thread;
    pthread_create(&thread, NULL, single_settles, (void *)21);
    for (; rounds != 0 ? count < rounds : count == 0 || !stress_is_over(end_ns); count++) {
        tutti_task *task = NULL;
        tutti_promise_new(e, &task);
        tutti_task_ref(task);
        atomic_store(&promise, task);
        sem_post(&done);
        int rc = tutti_task_wait(task, 30 * TUTTI_NS_PER_S);
        tutti_task_unref(task);
        if (rc != TUTTI_OK) {
            FAIL("settle %lu was not heard of: %d", count, rc);
            break;
        }
    }
    atomic_store(&promise, NULL);
    sem_post(&done);
    pthread_join(thread, NULL);
    return count;
}

/* ---- timers ----------------------------------------------------------------------------------- */

static int body_arms(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    tutti_task *sleep = NULL;
    int rc = tutti_sleep(e, (uintptr_t)arg % 50000, &sleep);
    atomic_store(&promise, sleep);
    return rc;
}

/* A worker arms the only timer of a loop that is parked, or about to be. */
static unsigned long timers(uint64_t *rng)
{
    uint64_t end_ns = stress_end_ns();
    unsigned long count = 0;
    for (; count == 0 || !stress_is_over(end_ns); count++) {
        tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_arms,
                                 .arg = (void *)(uintptr_t)tap_random(rng), .flags = TUTTI_NO_HELP };
        tutti_task *armer = NULL;
        random_gap(rng);
        tutti_submit(e, &desc, NULL, 0, &armer);
        int rc = tutti_task_wait(armer, 30 * TUTTI_NS_PER_S);
        tutti_task_unref(armer);
        if (rc == TUTTI_OK) {
            rc = tutti_task_wait(atomic_load(&promise), 30 * TUTTI_NS_PER_S);
            tutti_task_unref(atomic_load(&promise));
        }
        if (rc != TUTTI_OK) {
            FAIL("timer %lu has not fired: %d", count, rc);
            break;
        }
    }
    return count;
}

static void one_at_a_time(uint32_t loop)
{
    e = engine_make(loop);
    uint64_t rng = tap_seed();
    OK(settles() > 0, "each settle was heard of");
    OK(timers(&rng) > 0, "each timer of a worker fired");
    pthread_t threads[THREADS];
    atomic_store(&posting, THREADS);
    for (uintptr_t i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, single_posts, (void *)(i + 31));
    }
    if (loop == TUTTI_LOOP_CALLER) { /* somebody has to run it */
        tutti_task *sleep = NULL;
        while (atomic_load(&posting) > 0) {
            tutti_sleep(e, TUTTI_NS_PER_S / 50, &sleep);
            tutti_task_wait(sleep, TUTTI_FOREVER);
            tutti_task_unref(sleep);
        }
    }
    for (int i = 0; i < THREADS; i++) {
        void *count = NULL;
        pthread_join(threads[i], &count);
        OK((uintptr_t)count > 0, "each post of thread %d ran: %lu", i, (unsigned long)(uintptr_t)count);
    }
    EQ_INT(tutti_engine_free(e), TUTTI_OK, "freed");
}

/* ---- against the end -------------------------------------------------------------------------- */

static atomic_long accepted;
static atomic_long ran;
static atomic_int posters;

static void on_counted(void *user)
{
    (void)user;
    atomic_fetch_add_explicit(&ran, 1, memory_order_relaxed);
}

/* Posts from tasks: they may go on until the workers have been joined. */
static int body_posts(tutti_task *self, void *arg, tutti_value *result)
{
    (void)arg, (void)result;
    atomic_fetch_add(&posters, 1);
    int rc = TUTTI_OK;
    for (int i = 0; i < 100000 && rc == TUTTI_OK; i++) {
        if (i % 64 == 0 && tutti_task_is_cancelled(self)) {
            i = 100000 - 64; /* some more, while the engine ends */
        }
        rc = tutti_post(e, on_counted, NULL);
        atomic_fetch_add_explicit(&accepted, rc == TUTTI_OK ? 1 : 0, memory_order_relaxed);
    }
    return rc == TUTTI_ESTOPPED ? TUTTI_OK : rc;
}

/* A post that was accepted runs, whatever comes in between. */
static void against_the_end(uint32_t loop)
{
    uint64_t end_ns = stress_end_ns();
    uint64_t rng = tap_seed();
    int rounds = 0;
    atomic_store(&accepted, 0);
    atomic_store(&ran, 0);
    for (; rounds == 0 || !stress_is_over(end_ns); rounds++) {
        e = engine_make(loop);
        atomic_store(&posters, 0);
        tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_posts, .flags = TUTTI_BLOCKING };
        tutti_submit(e, &desc, NULL, 0, NULL);
        desc.flags = TUTTI_NO_HELP;
        tutti_submit(e, &desc, NULL, 0, NULL);
        while (atomic_load(&posters) < 2) {
            sched_yield();
        }
        random_gap(&rng);
        tutti_engine_free(e);
    }
    EQ_INT(atomic_load(&ran), atomic_load(&accepted), "each post that was accepted ran");
    OK(rounds > 0, "%d engines, %ld posts", rounds, atomic_load(&ran));
}

int main(void)
{
    TAP_BEGIN();
    sem_init(&done, 0, 0);
    uint64_t live = tutti__alloc_live();
    for (uint32_t loop = TUTTI_LOOP_OWN_THREAD; loop <= TUTTI_LOOP_CALLER; loop++) {
        one_at_a_time(loop);
        against_the_end(loop);
    }
    EQ_UINT(tutti__alloc_live(), live, "nothing is left");
    return TAP_END();
}
