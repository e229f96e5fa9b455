/* SPDX-License-Identifier: MIT */
/*
 * stress_wake.c - one submit, or one post, to a pool that sleeps or is about to: each must run.
 *
 * Reproduces: a wake lost between "nothing found" and sleeping (native.md 5.2, missed wake-up).
 */
#include "stress/stress.h"

static struct tutti__sched *sched;
static sem_t done;

static int body_post(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)arg, (void)result;
    sem_post(&done);
    return TUTTI_OK;
}

static int submits(uint32_t flags, uint32_t priority, uint64_t *rng)
{
    uint64_t end_ns = stress_end_ns();
    int count = 0;
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_post, .flags = flags,
                             .priority = priority };
    while (count == 0 || !stress_is_over(end_ns)) {
        random_gap(rng);
        tutti__sched_submit(sched, &desc, NULL, 0, NULL);
        REQUIRE(done_in_time(&done) || (FAIL("a task was not run"), false), "submit %d", count);
        count++;
    }
    return count;
}

static void *foreign(void *arg)
{
    uint64_t rng = tap_seed() + 99;
    *(int *)arg = submits(0, TUTTI_PRIORITY_NORMAL, &rng);
    return NULL;
}

/* ---- homes -------------------------------------------------------------------------------- */

static struct tutti__home *_Atomic worker_home;

static int body_home(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)arg, (void)result;
    atomic_store(&worker_home, tutti__thread_home(tutti__thread_here(sched)));
    return TUTTI_OK;
}

static void on_post(struct tutti__post *post)
{
    (void)post;
    sem_post(&done);
}

static int posts(uint64_t *rng)
{
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_home, .flags = TUTTI_NO_HELP };
    tutti__sched_submit(sched, &desc, NULL, 0, NULL);
    tutti__sched_wait_idle(sched);
    struct tutti__post post = { .fn = on_post };
    uint64_t end_ns = stress_end_ns();
    int count = 0;
    while (count == 0 || !stress_is_over(end_ns)) {
        random_gap(rng);
        tutti__home_post(atomic_load(&worker_home), &post);
        REQUIRE(done_in_time(&done) || (FAIL("a post did not arrive"), false), "post %d", count);
        count++;
    }
    return count;
}

/* ---- idle --------------------------------------------------------------------------------- */

static void *wait_idle(void *arg)
{
    uint64_t end_ns = stress_end_ns();
    while (*(int *)arg == 0 || !stress_is_over(end_ns)) {
        tutti_task *t = spawn(sched, body_post, NULL);
        *(int *)arg += tutti__sched_wait_idle(sched) == TUTTI_OK && tutti__task_is_done(t);
        done_in_time(&done);
        tutti__task_unref(t);
    }
    return NULL;
}

int main(void)
{
    TAP_BEGIN();
    sem_init(&done, 0, 0);
    uint64_t rng = tap_seed();
    for (uint32_t workers = 1; workers <= 3; workers += 2) {
        sched = sched_make(stress_workers(workers));
        OK(submits(0, TUTTI_PRIORITY_NORMAL, &rng) > 0, "each submit by the creator ran");
        OK(submits(TUTTI_NO_HELP, TUTTI_PRIORITY_NORMAL, &rng) > 0, "each strict one ran");
        OK(submits(0, TUTTI_PRIORITY_HIGH, &rng) > 0, "each high one ran");
        OK(submits(TUTTI_NO_HELP, TUTTI_PRIORITY_LOW, &rng) > 0, "each low and strict one ran");
        int count = 0;
        pthread_t thread;
        pthread_create(&thread, NULL, foreign, &count);
        pthread_join(thread, NULL);
        OK(count > 0, "each submit by a foreign thread ran");
        OK(posts(&rng) > 0, "each post to a sleeping worker arrived");
        int idle[2] = { 0, 0 };
        pthread_t threads[2];
        for (int i = 0; i < 2; i++) {
            pthread_create(&threads[i], NULL, wait_idle, &idle[i]);
        }
        for (int i = 0; i < 2; i++) {
            pthread_join(threads[i], NULL);
            OK(idle[i] > 0, "waits for idle ended, with the task done");
        }
        tutti__sched_free(sched);
    }
    return TAP_END();
}
