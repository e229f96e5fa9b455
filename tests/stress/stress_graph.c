/* SPDX-License-Identifier: MIT */
/* stress_graph.c - large graphs: a long chain with handles kept, wide fans, a long wave of skips, edges
 * from three threads to one handle, last references dropped elsewhere. */
#include "stress/stress.h"

static struct tutti__sched *sched;
static atomic_int order_errors;

struct step {
    int *at;
    int number;
};

static int body_step(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    struct step *step = arg;
    if (*step->at != step->number) { /* plain: a race here is a lost happens-before, seen by TSan */
        atomic_fetch_add(&order_errors, 1);
    }
    *step->at = step->number + 1;
    return TUTTI_OK;
}

static void chain(int length)
{
    tutti_task **tasks = calloc((size_t)length, sizeof *tasks);
    int at = 0;
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_step,
                             .arg_bytes = sizeof(struct step) };
    for (int i = 0; i < length; i++) {
        struct step step = { &at, i };
        desc.arg = &step;
        tutti__sched_submit(sched, &desc, i > 0 ? &tasks[i - 1] : NULL, i > 0, &tasks[i]);
    }
    await(tasks[length - 1]);
    EQ_INT(at, length, "a long chain ran");
    EQ_INT(order_errors, 0, "in order");
    for (int i = 0; i < length; i++) {
        tutti__task_unref(tasks[i]);
    }
    free(tasks);
}

static void skips(int length)
{
    tutti_task *promise = promise_make(sched);
    tutti_task **tasks = calloc((size_t)length, sizeof *tasks);
    for (int i = 0; i < length; i++) {
        tasks[i] = spawn_after(sched, body_empty, NULL, i > 0 ? &tasks[i - 1] : &promise, 1);
    }
    tutti__promise_settle(promise, TUTTI_EFAILED, NULL);
    int skipped = 0;
    for (int i = 0; i < length; i++) {
        skipped += tutti__task_state(tasks[i]) == TUTTI_TASK_SKIPPED &&
                   tutti__task_cause(tasks[i]) == promise;
        tutti__task_unref(tasks[i]);
    }
    EQ_INT(skipped, length, "a long chain is skipped at once, without recursion");
    tutti__task_unref(promise);
    free(tasks);
}

static void fans(int width)
{
    atomic_int ran = 0;
    tutti_task *gate = promise_make(sched);
    tutti_task **tasks = calloc((size_t)width, sizeof *tasks);
    for (int i = 0; i < width; i++) {
        tasks[i] = spawn_after(sched, body_count, &ran, &gate, 1);
    }
    tutti_task *end = spawn_after(sched, body_count, &ran, tasks, (size_t)width);
    EQ_INT(ran, 0, "nothing runs before the gate opens");
    tutti__promise_settle(gate, TUTTI_OK, NULL);
    await(end);
    EQ_INT(ran, width + 1, "a wide fan out and in");
    for (int i = 0; i < width; i++) {
        tutti__task_unref(tasks[i]);
    }
    tutti__task_unref(end);
    tutti__task_unref(gate);
    free(tasks);
}

/* ---- three threads, one handle --------------------------------------------------------------- */

struct adder {
    tutti_task *after;
    int count;
    atomic_int *ran;
    tutti_task **tasks; /* dropped by another thread */
};

static void *add(void *arg)
{
    struct adder *a = arg;
    for (int i = 0; i < a->count; i++) {
        a->tasks[i] = spawn_after(sched, body_count, a->ran, &a->after, 1);
    }
    return NULL;
}

static void *drop(void *arg)
{
    struct adder *a = arg;
    for (int i = 0; i < a->count; i++) {
        tutti__task_wait(a->tasks[i], TUTTI_FOREVER);
        tutti__task_unref(a->tasks[i]);
    }
    return NULL;
}

static void three_threads(int count)
{
    atomic_int ran = 0;
    struct gate gate;
    gate_init(&gate);
    tutti_task *handle = spawn(sched, body_gate, &gate);
    struct adder adders[3];
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) {
        adders[i] = (struct adder){ handle, count, &ran, calloc((size_t)count, sizeof(tutti_task *)) };
        pthread_create(&threads[i], NULL, add, &adders[i]);
    }
    sem_take(&gate.begun);
    sem_post(&gate.open); /* it ends while they add */
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }
    for (int i = 0; i < 3; i++) {
        pthread_create(&threads[i], NULL, drop, &adders[(i + 1) % 3]); /* the wrong thread */
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }
    for (int i = 0; i < 3; i++) {
        free(adders[i].tasks);
    }
    EQ_INT(ran, 3 * count, "what three threads added after one handle ran");
    tutti__task_unref(handle);
    gate_deinit(&gate);
}

/* A task is seen to start before the last of many submits is made. */
static atomic_bool has_started;

static int body_started(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)arg, (void)result;
    atomic_store(&has_started, true);
    return TUTTI_OK;
}

static void starts_early(void)
{
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_started };
    uint64_t end_ns = tutti__clock_now_ns() + UINT64_C(20000000000); /* the machine may be busy */
    int before = 0;
    atomic_store(&has_started, false);
    while (!atomic_load_explicit(&has_started, memory_order_relaxed) && !stress_is_over(end_ns)) {
        tutti__sched_submit(sched, &desc, NULL, 0, NULL);
        if (++before % 1000 == 0) {
            sched_yield();
        }
    }
    OK(atomic_load(&has_started), "the first task started while %d were submitted", before);
    tutti__sched_wait_idle(sched);
}

/* Under a sanitizer or with yields everywhere a tenth of it says as much. */
#if defined(TUTTI_TSAN) || defined(TUTTI_HARD)
enum { LONG = 100000, WIDE = 10000 };
#else
enum { LONG = 1000000, WIDE = 100000 };
#endif

int main(void)
{
    TAP_BEGIN();
    for (uint32_t workers = 1; workers <= 4; workers += 3) {
        sched = sched_make(stress_workers(workers));
        chain((int)tap_rounds(workers == 1 ? LONG : LONG / 20));
        skips((int)tap_rounds(workers == 1 ? LONG : LONG / 20));
        fans((int)tap_rounds(WIDE));
        three_threads((int)tap_rounds(WIDE / 5));
        starts_early();
        tutti__sched_wait_idle(sched);
        tutti__sched_free(sched);
    }
    return TAP_END();
}
