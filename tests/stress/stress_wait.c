/* SPDX-License-Identifier: MIT */
/* stress_wait.c - bodies that wait, for their families and for strangers, while others cancel them, settle
 * what they wait for, or stop the engine; spares come and go. */
#include "sched/core.h"
#include "stress/stress.h"

static struct tutti__sched *sched;

/* ---- families ------------------------------------------------------------------------------- */

struct family {
    uint64_t rng;
    uint32_t depth;
    bool may_fail; /* somebody cancels it */
};

static atomic_int wrong;

static int body_family(tutti_task *self, void *arg, tutti_value *result);

static tutti_task *make_member(uint64_t *rng, const struct family *f, tutti_task *after)
{
    struct family below = { .rng = tap_random(rng), .depth = f->depth - 1, .may_fail = f->may_fail };
    uint64_t r = tap_random(rng);
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_family, .arg = &below,
                             .arg_bytes = sizeof below };
    desc.flags |= r % 8 == 0 ? TUTTI_DETACH : 0;
    desc.flags |= r % 32 == 1 ? TUTTI_BLOCKING : 0;
    desc.flags |= r % 16 == 2 && tutti__sched_workers(sched) != 0 ? TUTTI_NO_HELP : 0;
    desc.priority = r % 64 == 3 ? TUTTI_PRIORITY_HIGH : r % 64 == 4 ? TUTTI_PRIORITY_LOW : 0;
    tutti_task *task = NULL;
    int rc = tutti__sched_submit(sched, &desc, &after, after != NULL, &task);
    if (rc != TUTTI_OK && rc != TUTTI_ESTOPPED) {
        atomic_fetch_add(&wrong, 1);
    }
    return task;
}

/* Makes up to three children, some after each other, and waits for them in any order, or not at all. */
static int body_family(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    struct family *f = arg;
    tutti_task *made[3] = { NULL };
    int count = f->depth == 0 ? 0 : (int)(tap_random(&f->rng) % 4);
    for (int i = 0; i < count; i++) {
        made[i] = make_member(&f->rng, f, i != 0 && tap_random(&f->rng) % 3 == 0 ? made[i - 1] : NULL);
    }
    for (int i = 0; i < count; i++) {
        tutti_task *task = made[tap_random(&f->rng) % (uint64_t)count];
        if (task == NULL || tap_random(&f->rng) % 8 == 0) {
            continue;
        }
        uint64_t timeout_ns = tap_random(&f->rng) % 8 == 0 ? 1000 : TUTTI_FOREVER;
        int rc = tutti__task_wait(task, timeout_ns);
        bool is_right = rc == TUTTI_OK || (rc == TUTTI_ETIMEDOUT && timeout_ns != TUTTI_FOREVER) ||
                        (rc == TUTTI_ECANCELED && f->may_fail);
        if (!is_right || (rc == TUTTI_OK && !tutti__task_is_done(task))) {
            atomic_fetch_add(&wrong, 1);
        }
    }
    for (int i = 0; i < count; i++) {
        if (made[i] != NULL) {
            tutti__task_unref(made[i]);
        }
    }
    return TUTTI_OK;
}

static bool spares_rest(void)
{
    uint64_t end_ns = tutti__clock_now_ns() + 20 * UINT64_C(1000000000);
    while (tutti__spares_standing(sched) != 0) {
        if (tutti__clock_now_ns() > end_ns) {
            return false;
        }
        sched_yield();
    }
    return true;
}

static void families(uint32_t workers)
{
    uint64_t rng = tap_seed();
    uint64_t end_ns = stress_end_ns();
    int rounds = 0;
    bool rest = true;
    sched = sched_make(workers);
    for (; !stress_is_over(end_ns); rounds++) {
        struct family f = { .depth = 6 };
        tutti_task *tops[8];
        for (int i = 0; i < 8; i++) {
            tops[i] = make_member(&rng, &f, NULL);
        }
        for (int i = 0; i < 8; i++) {
            if (await(tops[i]) != TUTTI_OK) {
                atomic_fetch_add(&wrong, 1);
            }
            tutti__task_unref(tops[i]);
        }
        tutti__sched_wait_idle(sched);
        rest = rest && spares_rest();
    }
    EQ_INT(atomic_load(&wrong), 0, "families wait for each other");
    OK(rest, "and their spares rest afterwards");
    NOTE("%d rounds with %u workers", rounds, (unsigned)workers);
    tutti__sched_free(sched);
}

/* ---- strangers that are cancelled ------------------------------------------------------------- */

enum { CROWD = 12 };

struct pair {
    tutti_task *task;
    tutti_task *promise;
    atomic_int rc;
};

static struct pair pairs[CROWD];
static struct start_line line;
static atomic_bool over;

static int body_wait(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    struct pair *pair = arg;
    atomic_store(&pair->rc, tutti__task_wait(pair->promise, TUTTI_FOREVER));
    return TUTTI_OK;
}

/* A parent that waits for a child that waits. */
static int body_above(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    tutti_task *child = spawn(sched, body_wait, arg);
    int rc = child == NULL ? TUTTI_OK : await(child);
    if (child != NULL) {
        tutti__task_unref(child);
    }
    return rc == TUTTI_OK || rc == TUTTI_ECANCELED ? TUTTI_OK : rc;
}

static void *canceller(void *unused)
{
    (void)unused;
    uint64_t rng = tap_seed() ^ 1;
    for (int round = 0;; round += 2) {
        start_together(&line, round);
        if (atomic_load(&over)) {
            return NULL;
        }
        for (int i = 0; i < CROWD; i++) {
            random_pause(&rng);
            if (tap_random(&rng) % 2 == 0) {
                tutti__task_cancel(pairs[i].task);
            }
        }
        start_together(&line, round + 1);
    }
}

static void *settler(void *unused)
{
    (void)unused;
    uint64_t rng = tap_seed() ^ 2;
    for (int round = 0;; round += 2) {
        start_together(&line, round);
        if (atomic_load(&over)) {
            return NULL;
        }
        for (int i = 0; i < CROWD; i++) {
            random_pause(&rng);
            tutti__promise_settle(pairs[i].promise, TUTTI_OK, NULL);
        }
        start_together(&line, round + 1);
    }
}

static bool round_is_good(void)
{
    bool good = true;
    for (int i = 0; i < CROWD; i++) {
        good = good && await(pairs[i].task) == TUTTI_OK;
        int rc = atomic_load(&pairs[i].rc);
        bool is_run = rc != 99;
        good = good && (!is_run || rc == TUTTI_OK || rc == TUTTI_ECANCELED);
        tutti__task_unref(pairs[i].task);
        tutti__task_unref(pairs[i].promise);
    }
    return good;
}

static void cancels(uint32_t workers)
{
    uint64_t rng = tap_seed();
    uint64_t end_ns = stress_end_ns();
    pthread_t threads[2];
    int good = 0;
    int round = 0;
    sched = sched_make(workers);
    line.count = 3;
    atomic_store(&line.arrived, 0);
    atomic_store(&over, false);
    pthread_create(&threads[0], NULL, canceller, NULL);
    pthread_create(&threads[1], NULL, settler, NULL);
    for (; !stress_is_over(end_ns); round++) {
        for (int i = 0; i < CROWD; i++) {
            tutti_task_desc desc = { .struct_size = sizeof desc, .arg = &pairs[i] };
            desc.fn = tap_random(&rng) % 2 == 0 ? body_wait : body_above;
            desc.flags = tap_random(&rng) % 4 == 0 ? TUTTI_BLOCKING : 0;
            pairs[i].promise = promise_make(sched);
            atomic_store(&pairs[i].rc, 99);
            REQUIRE(tutti__sched_submit(sched, &desc, NULL, 0, &pairs[i].task) == TUTTI_OK, "submit");
        }
        start_together(&line, 2 * round);
        start_together(&line, 2 * round + 1);
        good += round_is_good();
    }
    atomic_store(&over, true);
    start_together(&line, 2 * round);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    EQ_INT(good, round, "waits that are cancelled and ended at the same time");
    tutti__sched_free(sched);
}

/* ---- the end, in the middle ------------------------------------------------------------------- */

static void ends(void)
{
    uint64_t rng = tap_seed();
    uint64_t end_ns = stress_end_ns();
    int good = 0;
    int rounds = 0;
    for (; !stress_is_over(end_ns); rounds++) {
        sched = sched_make((uint32_t)(tap_random(&rng) % 3) + 1);
        struct family f = { .depth = 5, .may_fail = true };
        struct pair pair = { .promise = promise_make(sched) };
        tutti_task *waiters[4];
        for (int i = 0; i < 4; i++) {
            tutti__task_unref(make_member(&rng, &f, NULL));
            waiters[i] = spawn(sched, i % 2 == 0 ? body_wait : body_above, &pair);
        }
        random_pause(&rng);
        if (tap_random(&rng) % 2 == 0) {
            sched_yield();
        }
        uint64_t deadline_ns = tutti__clock_now_ns() + 60 * UINT64_C(1000000000);
        good += tutti__sched_stop(sched, deadline_ns) == TUTTI_OK;
        for (int i = 0; i < 4; i++) {
            good -= !tutti__task_is_done(waiters[i]);
            tutti__task_unref(waiters[i]);
        }
        tutti__task_unref(pair.promise);
        tutti__sched_free(sched);
    }
    EQ_INT(good, rounds, "engines that end while bodies wait");
    EQ_INT(atomic_load(&wrong), 0, "and no wait says something wrong");
}

int main(void)
{
    TAP_BEGIN();
    families(stress_workers(1));
    families(stress_workers(2));
    families(0);
    cancels(stress_workers(1));
    cancels(stress_workers(2));
    ends();
    return TAP_END();
}
