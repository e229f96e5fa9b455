/* SPDX-License-Identifier: MIT */
/* test_blocking.c - extra threads: jobs, posts, blocking tasks, many at once, the end. */
#include "base/limits.h"
#include "unit/test_sched.h"

static struct tutti__sched *sched;

struct job {
    struct tutti__block_job base;
    atomic_int *count;
    struct gate *gate;
    bool was_cancelled;
    bool posted;
};

static void job_work(struct tutti__block_job *base)
{
    struct job *job = (struct job *)base;
    job->was_cancelled = base->cancelled;
    if (job->gate != NULL && !base->cancelled) {
        sem_post(&job->gate->begun);
        sem_take(&job->gate->open);
    }
    atomic_fetch_add(job->count, 1);
}

static void job_posted(struct tutti__post *post)
{
    struct job *job = (struct job *)((char *)post - offsetof(struct job, base.post));
    job->posted = true;
}

static sem_t home_woken;

static void home_wake(struct tutti__home *home)
{
    (void)home;
    sem_post(&home_woken);
}

static void jobs_with_posts(void)
{
    enum { JOBS = 20 };
    static struct tutti__home home = { .wake = home_wake }; /* read by its posters after their posts */
    struct job jobs[JOBS];
    atomic_int count = 0;
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (struct job){ .base = { .work = job_work, .post = { .fn = job_posted },
                                          .home = &home },
                                .count = &count };
        EQ_INT(tutti__blocking_submit(sched, &jobs[i].base), TUTTI_OK, "a job");
    }
    int posted = 0;
    while (posted < JOBS) {
        atomic_store(&home.asleep, 1);
        atomic_thread_fence(memory_order_seq_cst);
        if (atomic_load(&home.inbox) == NULL) {
            sem_take(&home_woken);
        }
        atomic_store(&home.asleep, 0);
        tutti__home_drain(&home);
        posted = 0;
        for (int i = 0; i < JOBS; i++) {
            posted += jobs[i].posted;
        }
    }
    EQ_INT(count, JOBS, "each job was done and its post has come");
}

/* More than there are workers, all at once: each gets a thread. */
static void many_block(struct gate *gate, tutti_task **tasks, int count)
{
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_gate, .arg = gate,
                             .flags = TUTTI_BLOCKING };
    for (int i = 0; i < count; i++) {
        REQUIRE(tutti__sched_submit(sched, &desc, NULL, 0, &tasks[i]) == TUTTI_OK, "submit");
    }
    for (int i = 0; i < count; i++) {
        sem_take(&gate->begun);
    }
}

static void tasks_block(void)
{
    enum { TASKS = 30 };
    struct gate gate;
    gate_init(&gate);
    tutti_task *tasks[TASKS];
    many_block(&gate, tasks, TASKS);
    atomic_int count = 0;
    tutti_task *after = spawn_after(sched, body_count, &count, tasks, TASKS);
    tutti_task *plain = spawn(sched, body_count, &count);
    EQ_INT(await(plain), TUTTI_OK, "blocked tasks do not hold up a worker");
    EQ_INT(count, 1, "it ran, the one that comes after them did not");
    for (int i = 0; i < TASKS; i++) {
        sem_post(&gate.open);
    }
    EQ_INT(await(after), TUTTI_OK, "and then it does");
    for (int i = 0; i < TASKS; i++) {
        tutti__task_unref(tasks[i]);
    }
    tutti__task_unref(after);
    tutti__task_unref(plain);
    gate_deinit(&gate);
}

struct release {
    struct gate *gate;
    int count;
};

static void *release_later(void *arg)
{
    struct release *r = arg;
    /* The stopper closes the intake first; then let the running ones end. */
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_empty };
    while (tutti__sched_submit(sched, &desc, NULL, 0, NULL) == TUTTI_OK) {
    }
    for (int i = 0; i < r->count; i++) {
        sem_post(&r->gate->open);
    }
    return NULL;
}

static void stop_with_queue(void)
{
    enum { RUN = (int)TUTTI_BLOCKING_THREADS_MAX, QUEUED = 10 };
    struct gate gate;
    gate_init(&gate);
    static struct job jobs[RUN + QUEUED];
    atomic_int count = 0;
    for (int i = 0; i < RUN + QUEUED; i++) {
        jobs[i] = (struct job){ .base = { .work = job_work }, .count = &count, .gate = &gate };
        if (tutti__blocking_submit(sched, &jobs[i].base) != TUTTI_OK) {
            FAIL("job %d", i);
        }
    }
    for (int i = 0; i < RUN; i++) {
        sem_take(&gate.begun);
    }
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_empty, .flags = TUTTI_BLOCKING };
    tutti_task *queued = NULL;
    tutti__sched_submit(sched, &desc, NULL, 0, &queued);
    struct release release = { &gate, RUN + QUEUED }; /* a queued one may begin before the stop */
    pthread_t thread;
    pthread_create(&thread, NULL, release_later, &release);
    tutti__sched_stop(sched, UINT64_MAX);
    pthread_join(thread, NULL);
    int cancelled = 0;
    for (int i = 0; i < RUN + QUEUED; i++) {
        cancelled += jobs[i].was_cancelled;
    }
    EQ_INT(count, RUN + QUEUED, "every job's work was called");
    OK(cancelled <= QUEUED, "%d of them cancelled, none of those that ran", cancelled);
    EQ_INT(tutti__task_state(queued), TUTTI_TASK_CANCELLED, "a task in the queue is cancelled");
    EQ_INT(tutti__blocking_submit(sched, &jobs[0].base), TUTTI_ESTOPPED, "no job any more");
    tutti__task_unref(queued);
    gate_deinit(&gate);
}

int main(void)
{
    TAP_BEGIN();
    sem_init(&home_woken, 0, 0);
    sched = sched_make(1);
    jobs_with_posts();
    tasks_block();
    stop_with_queue();
    tutti__sched_free(sched);
    return TAP_END();
}
