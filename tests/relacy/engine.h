/* SPDX-License-Identifier: MIT */
/*
 * engine.h - the whole scheduler in the model: every file of engine/sched, as one unit.
 *
 * tutti__thread_start starts nothing: it notes what a simulated thread is to run (model_work), and
 * pthread_join waits for that.
 *
 * Layer: tests only. Locks: none.
 */
#ifndef TUTTI_TESTS_RELACY_ENGINE_H
#define TUTTI_TESTS_RELACY_ENGINE_H

#include <pthread.h>

#include "base/value.h"
#include "harness.h"

/* ---- threads ------------------------------------------------------------------------------ */

struct model_worker {
    void *(*fn)(void *);
    void *arg;
    TUTTI_ATOMIC(uint32_t) ended;
};

inline model_worker model_workers[MODEL_THREADS];
inline uint32_t model_worker_count;

size_t tutti__thread_stack(size_t stack_bytes)
{
    return stack_bytes + 0x10000; /* of a fiber, on which no body waits */
}

int tutti__thread_start(pthread_t *out, const struct tutti__thread_desc *desc)
{
    model_worker *worker = &model_workers[++model_worker_count]; /* 0 is the creator */
    worker->fn = desc->fn;
    worker->arg = desc->arg;
    worker->ended = 0;
    *out = (pthread_t)worker;
    return 0;
}

/* What simulated thread `index` does if it is a worker. */
inline void model_work(unsigned index)
{
    model_worker *worker = &model_workers[index];
    worker->fn(worker->arg);
    TUTTI_STORE(&worker->ended, 1, release);
    tutti__futex_wake(&worker->ended, 1);
}

inline int model_join(pthread_t thread, void **)
{
    model_worker *worker = (model_worker *)thread;
    while (TUTTI_LOAD(&worker->ended, acquire) == 0) {
        tutti__futex_wait(&worker->ended, 0, UINT64_MAX);
    }
    return 0;
}

#define pthread_join model_join

uint32_t tutti__cpu_count(void)
{
    return 2;
}

bool tutti__fence_is_asymmetric;

void tutti__fence_init(void)
{
}

void tutti__fence_heavy(void)
{
}

/* Values of these tests own nothing. */
void tutti__value_free(tutti_value *value)
{
    memset(value, 0, sizeof *value);
}

/* ---- the engine --------------------------------------------------------------------------- */

#include "base/env.c"
#include "base/fork.c"
#include "base/parker.c"
#include "sched_files.h" /* made by CMake: the list of engine/sched/CMakeLists.txt */

/* A scheduler with `workers` workers. Thread 0 is its creator, 1.. the workers, then threads of the host.
 * create() runs on the creator, other() on the host's threads; the creator stops the scheduler after its
 * create(), whatever the others do, and frees it when they have returned. */
struct model_engine : model_test {
    struct tutti__sched *sched;
    unsigned workers;
    unsigned others;
    TUTTI_ATOMIC(uint32_t) others_left;

    model_engine(unsigned worker_count, unsigned other_count)
        : workers(worker_count), others(other_count), others_left(other_count)
    {
    }

    virtual void prepare() {} /* before all, as the creator */
    virtual void create() = 0;
    virtual void other() {}
    virtual void look() {} /* when all is over */

    void before() override
    {
        struct tutti__sched_config config = {};
        config.workers = workers;
        config.seed = 1 + rl::rand(100);
        model_worker_count = 0;
        int here = model_thread;
        model_become(0); /* the creator's thread-local variables */
        MUST(tutti__sched_new(&sched, &config) == TUTTI_OK);
        MUST(model_worker_count == workers);
        prepare();
        model_become(here);
    }

    void thread(unsigned index) override
    {
        if (index == 0) {
            create();
            MUST(tutti__sched_stop(sched, UINT64_MAX) == TUTTI_OK);
            wait_until(&others_left, 0);
            tutti__sched_free(sched);
        } else if (index <= workers) {
            model_work(index);
        } else {
            other();
            signal_one_less(&others_left);
            on_thread_exit(NULL);
        }
    }

    void after() override
    {
        MUST(model_blocks_live() == 0);
        look();
    }

    /* Not the engine's: a way to wait that runs no tasks and wakes nobody. */
    static void wait_until(TUTTI_ATOMIC(uint32_t) *word, uint32_t wanted)
    {
        for (uint32_t now; (now = TUTTI_LOAD(word, acquire)) != wanted;) {
            tutti__futex_wait(word, now, UINT64_MAX);
        }
    }

    static void signal_one_less(TUTTI_ATOMIC(uint32_t) *word)
    {
        TUTTI_FETCH_SUB(word, 1, acq_rel);
        tutti__futex_wake(word, UINT32_MAX);
    }

    /* Submit `fn(arg)` after some others. */
    int submit(tutti_task_fn fn, void *arg, tutti_task *const *after, size_t count, tutti_task **out)
    {
        tutti_task_desc desc = {};
        desc.struct_size = sizeof desc;
        desc.fn = fn;
        desc.arg = arg;
        return tutti__sched_submit(sched, &desc, after, count, out);
    }
};

/* Call first in main. */
inline void model_engine_begin()
{
    model_thread_local(&active);
    model_thread_local(&claims);
}

#endif
