/* SPDX-License-Identifier: MIT */
/*
 * test_catalogue_graph.c - bugs of dynamic graphs that other runtimes have had: predecessors that end
 * before, while and after an edge is made; references dropped at every odd moment; very many edges.
 */
#include "unit/test_catalogue.h"

static tutti_engine *e;

/* ---- when a predecessor ends ------------------------------------------------------------------ */

/* taskflow #700: an empty predecessor crashed. TBB #2079: one that ends while the edge is made. */
static void before_while_after(void)
{
    atomic_int ran = 0;
    struct gate gate;
    gate_init(&gate);
    tutti_task *ended = submit(e, body_count, &ran);
    OK(has_ended(ended), "one has ended");
    tutti_task *running = submit(e, body_gate, &gate);
    sem_take(&gate.begun);
    tutti_task *waiting = new_promise(e);
    tutti_task *all[] = { NULL, ended, running, waiting, NULL, ended, waiting };
    tutti_task *last = submit_after(e, body_count, &ran, all, 7);
    tutti_task *none = submit_after(e, body_count, &ran, (tutti_task *[2]){ NULL, NULL }, 2);
    EQ_INT(finish(none), TUTTI_OK, "after two empty ones it runs at once");
    EQ_INT(tutti_task_state(last), TUTTI_TASK_WAITING, "after one that has ended and two that have not");
    sem_post(&gate.open);
    OK(has_ended(running), "the running one ends after the edge was made");
    EQ_INT(tutti_task_state(last), TUTTI_TASK_WAITING, "one is still open");
    EQ_INT(tutti_promise_settle(waiting, TUTTI_OK, NULL), TUTTI_OK, "the promise, named twice, ends");
    EQ_INT(finish(last), TUTTI_OK, "then it runs");
    EQ_INT(ran, 3, "once");
    tutti_task_unref(waiting);
    tutti_task_unref(running);
    tutti_task_unref(ended);
    gate_deinit(&gate);
}

/* Each of `count` edges is the same: all units must be given, and none twice. */
static void duplicates(size_t count)
{
    tutti_task **all = calloc(count, sizeof(tutti_task *));
    tutti_task *one = new_promise(e);
    atomic_int ran = 0;
    for (size_t i = 0; i < count; i++) {
        all[i] = one;
    }
    tutti_task *open = submit_after(e, body_count, &ran, all, count);
    tutti_task *failed_too = submit_after(e, body_count, &ran, all, count);
    tutti_task_cancel(failed_too);
    tutti_promise_settle(one, TUTTI_OK, NULL);
    EQ_INT(finish(open), TUTTI_OK, "named very often, before it ends");
    EQ_INT(finish(failed_too), TUTTI_ECANCELED, "cancelled while it is named very often");
    EQ_INT(finish(submit_after(e, body_count, &ran, all, count)), TUTTI_OK, "and after it has ended");
    EQ_INT(ran, 2, "each ran once");
    tutti_task_unref(one);
    free(all);
}

/* One task after `count` others, of which each second has ended: 0, 1, 100,000. */
static void many(size_t count)
{
    tutti_task **all = calloc(count + 1, sizeof(tutti_task *));
    atomic_int ran = 0;
    for (size_t i = 0; i < count; i++) {
        all[i] = i % 2 == 0 ? submit(e, body_count, &ran) : new_promise(e);
    }
    tutti_task *last = submit_after(e, body_count, &ran, all, count);
    for (size_t i = 1; i < count; i += 2) {
        tutti_promise_settle(all[i], TUTTI_OK, NULL);
    }
    EQ_INT(finish(last), TUTTI_OK, "a task after very many");
    EQ_INT(ran, (int)((count + 1) / 2 + 1), "and all had ended before");
    for (size_t i = 0; i < count; i++) {
        tutti_task_unref(all[i]);
    }
    free(all);
}

/* reliability.md 9, row 49: edges to what has failed, been cancelled, been skipped. */
static void to_the_unsuccessful(void)
{
    atomic_int ran = 0;
    tutti_task *failed = submit(e, body_fail, NULL);
    OK(has_ended(failed), "one has failed");
    tutti_task *cancelled = new_promise(e);
    EQ_INT(tutti_task_cancel(cancelled), TUTTI_OK, "one is cancelled");
    tutti_task *skipped = submit_after(e, body_count, &ran, &failed, 1);
    EQ_INT(tutti_task_state(skipped), TUTTI_TASK_SKIPPED, "one is skipped");
    tutti_task *pending = new_promise(e);
    for (int i = 0; i < 3; i++) {
        tutti_task *bad = i == 0 ? failed : i == 1 ? cancelled : skipped;
        tutti_task *after[2] = { pending, bad };
        tutti_task *first[2] = { bad, pending };
        tutti_task *a = submit_after(e, body_count, &ran, after, 2);
        tutti_task *b = submit_after(e, body_count, &ran, first, 2);
        EQ_INT(tutti_task_state(a), TUTTI_TASK_SKIPPED, "skipped, though another is open");
        EQ_INT(tutti_task_state(b), TUTTI_TASK_SKIPPED, "in either order");
        EQ_PTR(tutti_task_cause(a), i == 1 ? cancelled : failed, "the cause is the root");
        tutti_task_unref(a);
        tutti_task_unref(b);
    }
    tutti_promise_settle(pending, TUTTI_OK, NULL); /* counts edges of tasks without any handle */
    EQ_INT(tutti_wait_idle(e), TUTTI_OK, "idle");
    EQ_INT(ran, 0, "none of them ran");
    tutti_task_unref(pending);
    tutti_task_unref(skipped);
    tutti_task_unref(cancelled);
    tutti_task_unref(failed);
}

/* ---- references ------------------------------------------------------------------------------- */

static tutti_task *_Atomic own_handle;
static sem_t handle_set;

static int body_drops_itself(tutti_task *self, void *arg, tutti_value *result)
{
    (void)arg;
    sem_take(&handle_set);
    tutti_task *mine = atomic_load(&own_handle);
    if (mine != self) {
        return TUTTI_EFAILED;
    }
    tutti_task_unref(mine); /* the last handle: the record must live until the body has returned */
    result->kind = TUTTI_OPAQUE;
    result->as.pointer = arg;
    result->more.drop = drop_count;
    return tutti_task_state(self) == TUTTI_TASK_RUNNING ? TUTTI_OK : TUTTI_EFAILED;
}

/* enkiTS #78, TBB #1834: touched after whoever it told may have freed it. */
static void last_reference(void)
{
    atomic_store(&dropped, 0);
    sem_init(&handle_set, 0, 0);
    for (int i = 0; i < 1000; i++) {
        atomic_store(&own_handle, submit(e, body_drops_itself, NULL));
        sem_post(&handle_set);
        tutti_wait_idle(e);
        atomic_store(&own_handle, NULL);
    }
    EQ_INT(dropped, 1000, "dropped inside its own body: each result is freed once");

    atomic_int ran = 0;
    for (int i = 0; i < 1000; i++) {
        tutti_task *promise = new_promise(e);
        tutti_task *after = submit_after(e, body_count, &ran, &promise, 1);
        if (i % 2 == 0) {
            tutti_task_unref(after); /* before it can run */
        }
        if (i % 4 < 2) {
            tutti_task_ref(promise);
            tutti_task_unref(promise);
            tutti_promise_settle(promise, TUTTI_OK, NULL);
            tutti_task_unref(promise);
        } else {
            tutti_promise_settle(promise, TUTTI_OK, NULL);
            tutti_task_unref(promise);
        }
        if (i % 2 != 0) {
            if (i % 3 == 0) {
                tutti_task_wait(after, HANG_NS);
            }
            tutti_task_unref(after);
        }
    }
    EQ_INT(tutti_wait_idle(e), TUTTI_OK, "idle");
    EQ_INT(ran, 1000, "handles dropped before, while and after it ends change nothing");
}

/* A failure that nobody can ask for: nothing is kept, nothing is lost, what comes after is skipped. */
static void errors_without_a_handle(void)
{
    atomic_int ran = 0;
    atomic_store(&dropped, 0);
    for (int i = 0; i < 1000; i++) {
        tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_fail, .arg_drop = drop_count };
        tutti_task *task = NULL;
        tutti_submit(e, &desc, NULL, 0, i % 2 == 0 ? NULL : &task);
        if (task != NULL) {
            desc = (tutti_task_desc){ .struct_size = sizeof desc, .fn = body_count, .arg = &ran };
            tutti_submit(e, &desc, &task, 1, NULL);
            tutti_task_unref(task);
        }
    }
    EQ_INT(tutti_wait_idle(e), TUTTI_OK, "idle");
    EQ_INT(dropped, 1000, "each argument was dropped");
    EQ_INT(ran, 0, "nothing ran after a failed task");
}

/* ---- submits from callbacks ------------------------------------------------------------------- */

static atomic_int from_callback;

static void drop_submits(void *arg)
{
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_count, .arg = &from_callback };
    if (tutti_submit(arg, &desc, NULL, 0, NULL) != TUTTI_OK) {
        FAIL("submit in a drop function");
    }
}

/* Settles the next promise of a long row from within the drop of the last one's result. */
static void drop_settles(void *arg)
{
    tutti_promise_settle(arg, TUTTI_OK, NULL);
    tutti_task_unref(arg);
}

/* HPX: a recursion of continuations. Drop functions run inside the completion of another task. */
static void submits_from_drops(void)
{
    enum { COUNT = 1000 };
    atomic_store(&from_callback, 0);
    for (int i = 0; i < COUNT; i++) {
        tutti_task *promise = new_promise(e);
        tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_empty, .arg = e,
                                 .arg_drop = drop_submits };
        tutti_submit(e, &desc, i % 2 == 0 ? NULL : &promise, i % 2 == 0 ? 0 : 1, NULL);
        tutti_value value = { .kind = TUTTI_OPAQUE, .as.pointer = e, .more.drop = drop_submits };
        tutti_promise_settle(promise, i % 3 == 0 ? TUTTI_EIO : TUTTI_OK, &value);
        tutti_task_unref(promise);
    }
    EQ_INT(tutti_wait_idle(e), TUTTI_OK, "idle");
    EQ_INT(from_callback, 2 * COUNT, "drops of arguments and results can submit");

    tutti_task *next = new_promise(e);
    tutti_task *end = next;
    tutti_task_ref(end);
    tutti_task_ref(end);
    for (int i = 0; i < SCALED(100000); i++) {
        tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_empty, .arg = next,
                                 .arg_drop = drop_settles };
        tutti_task *before = new_promise(e);
        tutti_submit(e, &desc, &before, 1, NULL);
        next = before;
        tutti_task_ref(next);
        tutti_task_unref(before);
    }
    tutti_promise_settle(next, TUTTI_OK, NULL);
    tutti_task_unref(next);
    tutti_task_unref(end);
    EQ_INT(finish(end), TUTTI_OK, "a long row of drops that settle the next promise");
}

/* ---- long chains ------------------------------------------------------------------------------ */

/* No recursion anywhere: created, cancelled at one end, freed in one order or the other. */
static void long_chain(size_t length, bool from_the_end)
{
    tutti_task **all = calloc(length, sizeof(tutti_task *));
    tutti_task *first = new_promise(e);
    atomic_int ran = 0;
    for (size_t i = 0; i < length; i++) {
        all[i] = submit_after(e, body_count, &ran, i == 0 ? &first : &all[i - 1], 1);
    }
    EQ_INT(tutti_task_cancel(all[0]), TUTTI_OK, "the first of a long chain is cancelled");
    size_t wrong = 0;
    for (size_t i = 1; i < length; i++) {
        wrong += tutti_task_state(all[i]) != TUTTI_TASK_SKIPPED || tutti_task_cause(all[i]) != all[0];
    }
    EQ_UINT(wrong, 0, "all others are skipped because of it");
    for (size_t i = 0; i < length; i++) {
        tutti_task_unref(all[from_the_end ? length - 1 - i : i]);
    }
    tutti_promise_settle(first, TUTTI_OK, NULL);
    tutti_task_unref(first);
    EQ_INT(tutti_wait_idle(e), TUTTI_OK, "idle");
    EQ_INT(ran, 0, "none ran");
    free(all);
}

/* Each one cancelled by itself, in the middle of the chain first. */
static void cancel_each(size_t length)
{
    tutti_task **all = calloc(length, sizeof(tutti_task *));
    tutti_task *first = new_promise(e);
    for (size_t i = 0; i < length; i++) {
        all[i] = submit_after(e, body_empty, NULL, i == 0 ? &first : &all[i - 1], 1);
    }
    size_t cancelled = 0;
    for (size_t i = 0; i < length; i++) {
        size_t at = (i + length / 2) % length;
        int rc = tutti_task_cancel(all[at]);
        cancelled += rc == TUTTI_OK;
        if (rc != (at == length / 2 || at == 0 ? TUTTI_OK : TUTTI_ESETTLED)) {
            FAIL("cancel of %zu: %d", at, rc);
            break;
        }
    }
    EQ_UINT(cancelled, 2, "whoever cancels what a chain has already skipped is told so");
    for (size_t i = 0; i < length; i++) {
        tutti_task_unref(all[i]);
    }
    tutti_task_cancel(first);
    tutti_task_unref(first);
    EQ_INT(tutti_wait_idle(e), TUTTI_OK, "idle");
    free(all);
}

int main(void)
{
    TAP_BEGIN();
    uint64_t live = tutti__alloc_live();
    for (uint32_t workers = 1; workers <= 3; workers += 2) {
        e = engine_make(workers, TUTTI_LOOP_OWN_THREAD);
        before_while_after();
        duplicates(1000);
        many(0);
        many(1);
        many(SCALED(100000));
        to_the_unsuccessful();
        last_reference();
        errors_without_a_handle();
        submits_from_drops();
        long_chain(workers == 1 ? SCALED(1000000) : SCALED(100000), workers == 1);
        cancel_each(SCALED(100000));
        EQ_INT(tutti_engine_free(e), TUTTI_OK, "freed");
    }
    EQ_UINT(tutti__alloc_live(), live, "nothing is left");
    return TAP_END();
}
