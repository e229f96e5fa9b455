/* SPDX-License-Identifier: MIT */
/* test_priority.c - high, normal and low: what is taken first, and that nothing starves. */
#include "base/limits.h"
#include "sched/core.h"
#include "unit/test_sched.h"

enum { EACH = 40, LEVELS = 3 };

static struct tutti__sched *sched;

static tutti_task *submit(tutti_task_fn fn, void *arg, uint32_t flags, uint32_t priority)
{
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = fn, .arg = arg, .flags = flags,
                             .priority = priority };
    tutti_task *task = NULL;
    return tutti__sched_submit(sched, &desc, NULL, 0, &task) == TUTTI_OK ? task : NULL;
}

static void forget(tutti_task *task)
{
    tutti__task_unref(task);
}

/* ---- order -------------------------------------------------------------------------------- */

static int ran[LEVELS * EACH]; /* numbers of the tasks, as they ran: on the one worker */
static atomic_int ran_count;

static int body_note(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    int at = atomic_load(&ran_count);
    ran[at] = (int)(intptr_t)arg;
    atomic_store(&ran_count, at + 1); /* after it, so that who has seen the number may look */
    return TUTTI_OK;
}

/* Number i is of this priority; the higher the earlier it should run. */
static const uint32_t PRIORITY[LEVELS] = { TUTTI_PRIORITY_LOW, TUTTI_PRIORITY_NORMAL,
                                           TUTTI_PRIORITY_HIGH };

static void *submit_all(void *flags)
{
    for (int i = 0; i < LEVELS * EACH; i++) {
        forget(submit(body_note, (void *)(intptr_t)i, *(uint32_t *)flags, PRIORITY[i % LEVELS]));
    }
    return NULL;
}

/* How many ran although one of a higher priority was still waiting. */
static int count_early(void)
{
    int early = 0;
    int left[LEVELS] = { EACH, EACH, EACH };
    for (int at = 0; at < LEVELS * EACH; at++) {
        int level = ran[at] % LEVELS;
        bool higher = false;
        for (int i = level + 1; i < LEVELS; i++) {
            higher = higher || left[i] != 0;
        }
        early += higher ? 1 : 0;
        left[level]--;
    }
    return early;
}

static bool is_in_order(int level)
{
    int last = -1;
    for (int at = 0; at < LEVELS * EACH; at++) {
        if (ran[at] % LEVELS == level) {
            if (ran[at] < last) {
                return false;
            }
            last = ran[at];
        }
    }
    return true;
}

static void order(uint32_t flags, bool foreign, const char *what)
{
    struct gate gate;
    gate_init(&gate);
    atomic_store(&ran_count, 0);
    tutti_task *hold = submit(body_gate, &gate, TUTTI_NO_HELP, TUTTI_PRIORITY_NORMAL);
    sem_take(&gate.begun); /* the only worker is busy */
    if (foreign) {
        pthread_t thread;
        pthread_create(&thread, NULL, submit_all, &flags);
        pthread_join(thread, NULL);
    } else {
        submit_all(&flags);
    }
    sem_post(&gate.open);
    while (atomic_load(&ran_count) != LEVELS * EACH) { /* this thread must not help */
        sched_yield();
    }
    tutti__sched_wait_idle(sched); /* all have begun, so this cannot help; now all have ended */
    /* Now and then a thread looks at another place first. */
    int allowed = LEVELS * EACH / (int)TUTTI_INJECTOR_EVERY + 2;
    OK(count_early() <= allowed, "%s: high before normal before low (%d of at most %d early)", what,
       count_early(), allowed);
    OK(is_in_order(0) && is_in_order(2), "%s: high and low first in, first out", what);
    if ((flags & TUTTI_NO_HELP) != 0) {
        OK(is_in_order(1), "%s: and so are normal ones that only workers run", what);
    }
    forget(hold);
    gate_deinit(&gate);
}

/* ---- successors --------------------------------------------------------------------------- */

enum { CHAIN = 20, AT = 10 };

static uint32_t urgent; /* priority of what the middle of the chain submits */

static int body_link(tutti_task *self, void *arg, tutti_value *result)
{
    (void)body_note(self, arg, result);
    if ((intptr_t)arg == AT) {
        tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_note,
                                 .arg = (void *)(intptr_t)100, .priority = urgent,
                                 .flags = TUTTI_DETACH };
        tutti__sched_submit(sched, &desc, NULL, 0, NULL);
    }
    return TUTTI_OK;
}

/* A chain that runs from hand to hand lets what is more urgent go first. */
static void chain(uint32_t of_chain, uint32_t of_other, const char *what)
{
    tutti_task *start = promise_make(sched);
    tutti_task *last = start;
    tutti__task_ref(last);
    atomic_store(&ran_count, 0);
    urgent = of_other;
    for (int i = 0; i < CHAIN; i++) {
        tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_link,
                                 .arg = (void *)(intptr_t)i, .priority = of_chain };
        tutti_task *task = NULL;
        tutti__sched_submit(sched, &desc, &last, 1, &task);
        tutti__task_unref(last);
        last = task;
    }
    tutti__promise_settle(start, TUTTI_OK, NULL);
    while (atomic_load(&ran_count) != CHAIN + 1) {
        sched_yield();
    }
    tutti__sched_wait_idle(sched); /* all have begun; now all have ended */
    int at = 0;
    while (ran[at] != 100) {
        at++;
    }
    /* A turn of fairness may have given the chain's next link a place before it. */
    OK(at == AT + 1 || (at == AT + 2 && TUTTI_DIRECT_RUN_MAX < CHAIN), "%s (at %d)", what, at);
    tutti__task_unref(start);
    tutti__task_unref(last);
}

static void handed_over(void)
{
    atomic_store(&ran_count, 0);
    tutti_task *start = promise_make(sched);
    for (int i = 0; i < LEVELS * EACH; i++) {
        tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_note,
                                 .arg = (void *)(intptr_t)i, .priority = PRIORITY[i % LEVELS] };
        tutti__sched_submit(sched, &desc, &start, 1, NULL);
    }
    struct gate gate;
    gate_init(&gate);
    tutti_task *hold = submit(body_gate, &gate, TUTTI_NO_HELP, TUTTI_PRIORITY_NORMAL);
    sem_take(&gate.begun);
    tutti__promise_settle(start, TUTTI_OK, NULL);
    sem_post(&gate.open);
    while (atomic_load(&ran_count) != LEVELS * EACH) {
        sched_yield();
    }
    tutti__sched_wait_idle(sched); /* all have begun; now all have ended */
    int allowed = LEVELS * EACH / (int)TUTTI_INJECTOR_EVERY + 2;
    OK(count_early() <= allowed, "successors of one task: %d of at most %d early", count_early(),
       allowed);
    forget(hold);
    tutti__task_unref(start);
    gate_deinit(&gate);
}

/* ---- fairness ----------------------------------------------------------------------------- */

static atomic_bool flooding;

struct flood {
    uint32_t flags;
    uint32_t priority;
};

static int body_flood(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    struct flood *flood = arg;
    if (atomic_load(&flooding)) {
        tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_flood, .arg = arg,
                                 .flags = flood->flags | TUTTI_DETACH,
                                 .priority = flood->priority };
        tutti__sched_submit(sched, &desc, NULL, 0, NULL);
    }
    return TUTTI_OK;
}

/* Does a task of this kind run while the only worker always finds one of that kind? */
static void starve(struct flood flood, struct flood other, const char *what)
{
    atomic_store(&flooding, true);
    atomic_int count = 0;
    for (int i = 0; i < 4; i++) {
        forget(submit(body_flood, &flood, flood.flags, flood.priority));
    }
    tutti_task *task = submit(body_count, &count, other.flags, other.priority);
    uint64_t end_ns = tutti__env_default()->now_ns(NULL) + 20 * TUTTI_NS_PER_S;
    while (atomic_load(&count) == 0 && tutti__env_default()->now_ns(NULL) < end_ns) {
        sched_yield();
    }
    EQ_INT(atomic_load(&count), 1, what);
    atomic_store(&flooding, false);
    tutti__sched_wait_idle(sched);
    forget(task);
}

static void fairness(void)
{
    struct flood high = { 0, TUTTI_PRIORITY_HIGH }, normal = { 0, TUTTI_PRIORITY_NORMAL };
    struct flood low = { 0, TUTTI_PRIORITY_LOW }, strict = { TUTTI_NO_HELP, 0 };
    struct flood low_strict = { TUTTI_NO_HELP, TUTTI_PRIORITY_LOW };
    starve(normal, low, "low runs among normal ones");
    starve(high, low, "low runs among high ones");
    starve(high, normal, "normal runs among high ones");
    starve(high, low_strict, "low for workers runs among high ones");
    starve(strict, normal, "what the creator feeds runs among those for workers");
    starve(strict, low, "low runs among those for workers");
}

/* ---- who ---------------------------------------------------------------------------------- */

static void strict_levels(uint32_t priority)
{
    struct gate gate;
    atomic_int count = 0;
    gate_init(&gate);
    tutti_task *hold = submit(body_gate, &gate, TUTTI_NO_HELP, TUTTI_PRIORITY_NORMAL);
    sem_take(&gate.begun);
    tutti_task *task = submit(body_count, &count, TUTTI_NO_HELP, priority);
    EQ_INT(tutti__task_wait(task, 5 * TUTTI_NS_PER_MS), TUTTI_ETIMEDOUT,
           "a helper does not take what only workers may run");
    EQ_INT(atomic_load(&count), 0, "it has not run");
    tutti_task *any = submit(body_count, &count, 0, priority);
    EQ_INT(await(any), TUTTI_OK, "but another of that priority");
    sem_post(&gate.open);
    EQ_INT(await(task), TUTTI_OK, "the worker does");
    EQ_INT(await(hold), TUTTI_OK, "and ends");
    forget(any);
    forget(task);
    forget(hold);
    gate_deinit(&gate);
}

static void refused(void)
{
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_empty, .priority = 3 };
    EQ_INT(tutti__sched_submit(sched, &desc, NULL, 0, NULL), TUTTI_EINVAL, "an unknown priority");
}

/* Many, and then the end: what is queued settles as cancelled. */
static void stopped(void)
{
    enum { MANY = 1000 };
    static tutti_task *tasks[MANY];
    struct gate gate;
    atomic_int count = 0;
    gate_init(&gate);
    tutti_task *hold = submit(body_gate, &gate, TUTTI_NO_HELP, TUTTI_PRIORITY_NORMAL);
    sem_take(&gate.begun);
    for (int i = 0; i < MANY; i++) {
        uint32_t flags = i % 2 == 0 ? TUTTI_NO_HELP : 0;
        tasks[i] = submit(body_count, &count, flags,
                          i % 4 < 2 ? TUTTI_PRIORITY_HIGH : TUTTI_PRIORITY_LOW);
    }
    tutti__sched_close(sched);
    sem_post(&gate.open);
    tutti__sched_stop(sched, UINT64_MAX);
    int done = 0;
    for (int i = 0; i < MANY; i++) {
        done += tutti__task_is_done(tasks[i]) ? 1 : 0;
        forget(tasks[i]);
    }
    EQ_INT(done, MANY, "all have settled when the scheduler has stopped");
    EQ_INT(atomic_load(&count), 0, "and none has run");
    forget(hold);
    gate_deinit(&gate);
}

int main(void)
{
    TAP_BEGIN();
    sched = sched_make(1);
    order(0, false, "from the creator");
    order(0, true, "from a foreign thread");
    order(TUTTI_NO_HELP, false, "for workers");
    chain(TUTTI_PRIORITY_NORMAL, TUTTI_PRIORITY_HIGH, "a normal chain lets a high one go first");
    chain(TUTTI_PRIORITY_LOW, TUTTI_PRIORITY_NORMAL, "a low chain lets a normal one go first");
    chain(TUTTI_PRIORITY_LOW, TUTTI_PRIORITY_HIGH, "a low chain lets a high one go first");
    handed_over();
    fairness();
    strict_levels(TUTTI_PRIORITY_HIGH);
    strict_levels(TUTTI_PRIORITY_LOW);
    refused();
    stopped();
    tutti__sched_free(sched);
    return TAP_END();
}
