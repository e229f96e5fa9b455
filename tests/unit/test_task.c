/* SPDX-License-Identifier: MIT */
/* test_task.c - submit: arguments, dependencies, results, states, references, misuse. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/value.h"
#include "sched/record.h"
#include "unit/test_sched.h"

struct big {
    char bytes[300];
};

static int body_big(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self;
    const struct big *big = arg;
    bool right = (uintptr_t)arg % _Alignof(max_align_t) == 0;
    for (size_t i = 0; i < sizeof big->bytes; i++) {
        right &= big->bytes[i] == (char)i;
    }
    *result = (tutti_value){ .kind = TUTTI_BOOL, .as.boolean = right };
    return TUTTI_OK;
}

static void arguments(struct tutti__sched *sched)
{
    struct big big;
    for (size_t i = 0; i < sizeof big.bytes; i++) {
        big.bytes[i] = (char)i;
    }
    tutti_task *preds[5];
    for (int i = 0; i < 5; i++) {
        preds[i] = spawn(sched, body_empty, NULL);
    }
    for (size_t count = 0; count <= 5; count++) {
        for (int drop = 0; drop < 2; drop++) {
            tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_big, .arg = &big,
                                     .arg_bytes = sizeof big,
                                     .arg_drop = drop ? drop_count : NULL };
            tutti_task *task = NULL;
            atomic_store(&dropped, 0);
            EQ_INT(tutti__sched_submit(sched, &desc, preds, count, &task), TUTTI_OK, "submit");
            await(task);
            const tutti_value *value = NULL;
            EQ_INT(tutti__task_result(task, &value), TUTTI_OK, "done");
            OK(value->kind == TUTTI_BOOL && value->as.boolean,
               "the copied argument is whole and aligned, %zu edges, drop %d", count, drop);
            EQ_INT(atomic_load(&dropped), drop, "and dropped once");
            tutti__task_unref(task);
        }
    }
    for (int i = 0; i < 5; i++) {
        tutti__task_unref(preds[i]);
    }
}

static int body_one(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)arg;
    *result = (tutti_value){ .kind = TUTTI_INT, .as.integer = 1 };
    return TUTTI_OK;
}

static size_t record_size(struct tutti__sched *sched, size_t after_count, size_t arg_bytes, bool drop)
{
    static char arg[256];
    static tutti_task *after[4]; /* NULL entries take their edge as well */
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_one, .arg = arg,
                             .arg_bytes = arg_bytes, .arg_drop = drop ? drop_count : NULL };
    tutti_task *task = NULL;
    REQUIRE(tutti__sched_submit(sched, &desc, after, after_count, &task) == TUTTI_OK, "submit");
    size_t bytes = (size_t)tutti__slab_of(task)->object_units * TUTTI__SLAB_UNIT;
    await(task);
    tutti__task_unref(task);
    return bytes;
}

static void record_sizes(struct tutti__sched *sched)
{
    EQ_UINT(record_size(sched, 2, 32, true), 128, "two edges, 32 bytes and a drop function are 128 bytes");
    EQ_UINT(record_size(sched, 0, 0, false), 128, "so is the least");
    EQ_UINT(record_size(sched, 3, 32, false), 256, "a third edge needs more");
    EQ_UINT(record_size(sched, 2, 33, false), 256, "so does a longer argument");
}

/* Records of each size class, and beyond them, find the way from their edges back to themselves. */
static void many_edges(struct tutti__sched *sched)
{
    static const size_t counts[] = { 4, 20, 100, 400, 490, 520, 1000, 4000, 70000 };
    tutti_task **after = calloc(70000, sizeof *after);
    for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++) {
        tutti_task *promise = NULL;
        tutti_task *task = NULL;
        REQUIRE(tutti__sched_promise_new(sched, &promise) == TUTTI_OK, "promise");
        for (size_t i = 0; i < counts[k]; i++) {
            after[i] = promise;
        }
        tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_one };
        REQUIRE(tutti__sched_submit(sched, &desc, after, counts[k], &task) == TUTTI_OK, "submit");
        OK(!tutti__task_is_done(task), "%zu edges: waits", counts[k]);
        EQ_INT(tutti__promise_settle(promise, TUTTI_OK, NULL), TUTTI_OK, "settle");
        await(task);
        EQ_INT(tutti__task_result(task, NULL), TUTTI_OK, "and runs");
        tutti__task_unref(promise);
        tutti__task_unref(task);
    }
    free(after);
}

static int body_sum(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self;
    tutti_task **preds = arg;
    int64_t sum = 0;
    for (int i = 0; preds[i] != NULL; i++) {
        const tutti_value *value = NULL;
        if (tutti__task_result(preds[i], &value) == TUTTI_OK) {
            sum += value->as.integer;
        }
    }
    *result = (tutti_value){ .kind = TUTTI_INT, .as.integer = sum };
    return TUTTI_OK;
}


static void dependencies(struct tutti__sched *sched)
{
    static tutti_task *preds[1001];
    static tutti_task *doubled[1004];
    for (size_t count = 0; count <= 1000; count = count < 4 ? count + 1 : count * 7) {
        memset(preds, 0, sizeof preds);
        for (size_t i = 0; i < count; i++) {
            preds[i] = spawn(sched, body_one, NULL);
        }
        memcpy(doubled, preds, count * sizeof preds[0]);
        size_t more = 0;
        doubled[count + more++] = NULL; /* ignored */
        doubled[count + more++] = preds[0];
        doubled[count + more++] = preds[count / 2]; /* twice */
        tutti_task *sum = spawn_after(sched, body_sum, preds, doubled, count + more);
        EQ_INT(await(sum), TUTTI_OK, "wait");
        const tutti_value *value = NULL;
        tutti__task_result(sum, &value);
        EQ_INT(value->as.integer, (intmax_t)count, "all predecessors had ended");
        tutti__task_unref(sum);
        for (size_t i = 0; i < count; i++) {
            tutti__task_unref(preds[i]);
        }
    }
}

static void states(struct tutti__sched *sched)
{
    struct gate gate;
    gate_init(&gate);
    tutti_task *running = spawn(sched, body_gate, &gate);
    tutti_task *waiting = spawn_after(sched, body_empty, NULL, &running, 1);
    sem_take(&gate.begun);
    EQ_INT(tutti__task_state(running), TUTTI_TASK_RUNNING, "running");
    EQ_INT(tutti__task_state(waiting), TUTTI_TASK_WAITING, "waiting");
    OK(!tutti__task_is_done(waiting), "not done");
    EQ_INT(tutti__task_result(waiting, NULL), TUTTI_EPENDING, "no result yet");
    EQ_PTR(tutti__task_cause(waiting), NULL, "no cause yet");
    sem_post(&gate.open);
    await(waiting);
    EQ_INT(tutti__task_state(running), TUTTI_TASK_DONE, "done");
    EQ_INT(tutti__task_state(waiting), TUTTI_TASK_DONE, "done");
    EQ_PTR(tutti__task_cause(waiting), NULL, "no cause");
    EQ_PTR(tutti__sched_of(waiting), sched, "a task knows its scheduler");
    tutti__task_unref(running);
    tutti__task_unref(waiting);
    gate_deinit(&gate);

    tutti_task *failed = spawn(sched, body_fail, NULL);
    await(failed);
    const tutti_value *value = NULL;
    EQ_INT(tutti__task_result(failed, &value), TUTTI_EIO, "its own status");
    EQ_INT(value->as.integer, 42, "its error");
    EQ_INT(tutti__task_state(failed), TUTTI_TASK_FAILED, "failed");
    EQ_PTR(tutti__task_cause(failed), failed, "is its own cause");
    tutti__task_ref(failed);
    tutti__task_unref(failed);
    tutti__task_unref(failed);
}

static int body_return(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    return *(int *)arg;
}

static void statuses(struct tutti__sched *sched)
{
    static int returned[] = { 0, TUTTI_ECANCELED, 7, TUTTI_ESKIPPED, -99 };
    static const int want[] = { 0, TUTTI_ECANCELED, TUTTI_EFAILED, TUTTI_EFAILED, -99 };
    for (int i = 0; i < 5; i++) {
        tutti_task *task = spawn(sched, body_return, &returned[i]);
        await(task);
        EQ_INT(tutti__task_result(task, NULL), want[i], "the status of what a body returns");
        tutti__task_unref(task);
    }
}

static void drop_bytes(struct tutti__sched *sched)
{
    tutti_task *promise = promise_make(sched);
    tutti_value value;
    REQUIRE(tutti__value_bytes(&value, "hello", 5) == TUTTI_OK, "bytes");
    EQ_INT(tutti__promise_settle(promise, TUTTI_OK, &value), TUTTI_OK, "settle with bytes");
    EQ_INT(value.kind, TUTTI_NIL, "taken");
    const tutti_value *seen = NULL;
    tutti__task_result(promise, &seen);
    OK(seen->kind == TUTTI_BYTES && seen->more.length == 5 && memcmp(seen->as.pointer, "hello", 5) == 0,
       "the bytes arrive");
    tutti__task_unref(promise); /* frees them: the leak check says so */
}

static void misuse(struct tutti__sched *sched)
{
    struct tutti__sched *other = sched_make(1);
    tutti_task *foreign = promise_make(other);
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_empty };
    tutti_task_desc bad = desc;
    EQ_INT(tutti__sched_submit(sched, NULL, NULL, 0, NULL), TUTTI_EINVAL, "no description");
    bad.struct_size = 8;
    EQ_INT(tutti__sched_submit(sched, &bad, NULL, 0, NULL), TUTTI_EINVAL, "struct_size");
    bad = desc;
    bad.fn = NULL;
    EQ_INT(tutti__sched_submit(sched, &bad, NULL, 0, NULL), TUTTI_EINVAL, "no function");
    bad = desc;
    bad.flags = 1u << 20;
    EQ_INT(tutti__sched_submit(sched, &bad, NULL, 0, NULL), TUTTI_EINVAL, "unknown flag");
    bad = desc;
    bad.arg_bytes = 4;
    EQ_INT(tutti__sched_submit(sched, &bad, NULL, 0, NULL), TUTTI_EINVAL, "bytes of nothing");
    EQ_INT(tutti__sched_submit(sched, &desc, NULL, 1, NULL), TUTTI_EINVAL, "no list");
    EQ_INT(tutti__sched_submit(sched, &desc, &foreign, 1, NULL), TUTTI_EINVAL,
           "a task of another engine");
    EQ_INT(tutti__promise_settle(foreign, 3, NULL), TUTTI_EINVAL, "a positive status");
    tutti__promise_settle(foreign, TUTTI_OK, NULL);
    tutti__task_unref(foreign);
    tutti__sched_free(other);
}

static void no_memory(struct tutti__sched *sched)
{
    if (!tutti__alloc_fail_nth(0)) {
        return;
    }
    static char arg[20000];
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_empty, .arg = arg,
                             .arg_bytes = sizeof arg, .arg_drop = drop_count };
    atomic_store(&dropped, 0);
    tutti__alloc_fail_nth(1);
    EQ_INT(tutti__sched_submit(sched, &desc, NULL, 0, NULL), TUTTI_ENOMEM, "no memory for a large task");
    EQ_INT(atomic_load(&dropped), 0, "the argument is not taken");
    EQ_INT(tutti__sched_submit(sched, &desc, NULL, 0, NULL), TUTTI_OK, "then there is");
    tutti__sched_wait_idle(sched);
    EQ_INT(atomic_load(&dropped), 1, "and it is");
}

int main(void)
{
    TAP_BEGIN();
    struct tutti__sched *sched = sched_make(2);
    arguments(sched);
    record_sizes(sched);
    many_edges(sched);
    dependencies(sched);
    states(sched);
    statuses(sched);
    drop_bytes(sched);
    misuse(sched);
    no_memory(sched);
    EQ_INT(tutti__sched_wait_idle(sched), TUTTI_OK, "idle");
    tutti_stats stats = { .struct_size = sizeof stats };
    tutti__sched_stats(sched, &stats);
    EQ_UINT(stats.submitted, stats.settled, "as many settled as were submitted");
    OK(stats.submitted > 200 && stats.slab_bytes > 0, "and they were counted");
    tutti__sched_free(sched);
    EQ_UINT(tutti__alloc_live(), 0, "nothing is left");
    return TAP_END();
}
