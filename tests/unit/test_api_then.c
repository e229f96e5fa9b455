/* SPDX-License-Identifier: MIT */
/* test_api_then.c - tutti_task_then and tutti_task_error. */
#include "base/limits.h"
#include "support/tap.h"
#include "tutti.h"

static tutti_engine *engine;

static int body_value(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self;
    *result = (tutti_value){ .kind = TUTTI_INT, .as.integer = 20 };
    return (int)(intptr_t)arg;
}

static tutti_task *submit(tutti_task_fn fn, int status, tutti_task *after)
{
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = fn, .arg = (void *)(intptr_t)status };
    tutti_task *task = NULL;
    REQUIRE(tutti_submit(engine, &desc, &after, after != NULL ? 1 : 0, &task) == TUTTI_OK, "submit");
    return task;
}

static int64_t number(const tutti_value *value)
{
    return value->kind == TUTTI_INT ? value->as.integer : -1;
}

/* What has become of `done`; the user's number is added to its value. */
static int add(tutti_task *self, tutti_task *done, void *user, tutti_value *result)
{
    const tutti_value *value = NULL;
    int status = tutti_task_result(done, &value);
    OK(tutti_task_state(self) == TUTTI_TASK_RUNNING, "then: a task of its own");
    *result = (tutti_value){ .kind = TUTTI_INT,
                             .as.integer = status * 1000 + number(value) + (intptr_t)user };
    return TUTTI_OK;
}

static int fail(tutti_task *self, tutti_task *done, void *user, tutti_value *result)
{
    (void)self, (void)done, (void)user;
    *result = (tutti_value){ .kind = TUTTI_INT, .as.integer = 5 };
    return TUTTI_EIO;
}

static int64_t then_result(tutti_task *t)
{
    tutti_task *next = NULL;
    const tutti_value *value = NULL;
    EQ_INT(tutti_task_then(t, add, (void *)1, 0, &next), TUTTI_OK, "then");
    tutti_task_unref(t); /* fn may look at it all the same */
    EQ_INT(tutti_task_wait(next, 20 * TUTTI_NS_PER_S), TUTTI_OK, "settles");
    EQ_INT(tutti_task_result(next, &value), TUTTI_OK, "with the outcome of fn");
    int64_t got = number(value);
    tutti_task_unref(next);
    return got;
}

static void outcomes(void)
{
    EQ_INT(then_result(submit(body_value, TUTTI_OK, NULL)), 21, "after one that is done");
    EQ_INT(then_result(submit(body_value, TUTTI_EIO, NULL)), TUTTI_EIO * 1000 + 21,
           "after one that failed");
    tutti_task *promise = NULL;
    tutti_promise_new(engine, &promise);
    tutti_task *cancelled = submit(body_value, TUTTI_OK, promise);
    tutti_task_cancel(cancelled);
    EQ_INT(then_result(cancelled), TUTTI_ECANCELED * 1000, "after one that was cancelled");
    tutti_task *skipped = submit(body_value, TUTTI_OK, promise);
    tutti_promise_settle(promise, TUTTI_EIO, NULL);
    EQ_INT(then_result(skipped), TUTTI_ESKIPPED * 1000, "after one that was skipped");
    EQ_INT(then_result(promise), TUTTI_EIO * 1000, "after a promise");
}

/* A failure of fn is the new task's; without a handle nobody looks, and that is allowed. */
static void chained(void)
{
    tutti_task *first = submit(body_value, TUTTI_OK, NULL);
    tutti_task *second = NULL;
    tutti_task *third = NULL;
    const tutti_value *value = NULL;
    tutti_task_then(first, fail, NULL, TUTTI_NO_LOOP | TUTTI_DETACH, &second);
    tutti_task_then(second, add, (void *)2, TUTTI_PIN_LOOP, &third);
    tutti_task_then(third, fail, NULL, TUTTI_BLOCKING, NULL);
    tutti_task_wait(third, 20 * TUTTI_NS_PER_S);
    EQ_INT(tutti_task_result(second, &value), TUTTI_EIO, "then fails as fn says");
    EQ_INT(number(value), 5, "with its error");
    EQ_INT(tutti_task_result(third, &value), TUTTI_OK, "and can be followed");
    EQ_INT(number(value), TUTTI_EIO * 1000 + 7, "by one that sees that");
    EQ_INT(tutti_wait_idle(engine), TUTTI_OK, "the last one has no handle");
    tutti_task_unref(first);
    tutti_task_unref(second);
    tutti_task_unref(third);
}

static void refused(void)
{
    tutti_task *t = submit(body_value, TUTTI_OK, NULL);
    EQ_INT(tutti_task_then(NULL, add, NULL, 0, NULL), TUTTI_EINVAL, "then: no task");
    EQ_INT(tutti_task_then(t, NULL, NULL, 0, NULL), TUTTI_EINVAL, "no function");
    EQ_INT(tutti_task_then(t, add, NULL, TUTTI_RUN_ON_SKIP, NULL), TUTTI_EINVAL, "another flag");
    EQ_INT(tutti_task_then(t, add, NULL, TUTTI_PIN_LOOP | TUTTI_BLOCKING, NULL), TUTTI_EINVAL,
           "flags that exclude each other");
    tutti_task_unref(t);
    tutti_wait_idle(engine);
}

static void errors(void)
{
    const tutti_value *value = NULL;
    tutti_task *promise = NULL;
    tutti_promise_new(engine, &promise);
    EQ_INT(tutti_task_error(promise, &value), TUTTI_EPENDING, "error: not settled yet");
    tutti_task *skipped = submit(body_value, TUTTI_OK, promise);
    tutti_task *last = submit(body_value, TUTTI_OK, skipped);
    tutti_value error = { .kind = TUTTI_INT, .as.integer = 33 };
    tutti_promise_settle(promise, TUTTI_EIO, &error);
    EQ_INT(tutti_task_error(promise, &value), TUTTI_EIO, "error: its own");
    EQ_INT(number(value), 33, "with the value");
    EQ_INT(tutti_task_error(last, &value), TUTTI_EIO, "error: of the cause");
    EQ_INT(number(value), 33, "with its value");
    EQ_INT(tutti_task_error(last, NULL), TUTTI_EIO, "error: the value is not asked for");
    tutti_task *good = submit(body_value, TUTTI_OK, NULL);
    tutti_task_wait(good, TUTTI_FOREVER);
    EQ_INT(tutti_task_error(good, &value), TUTTI_OK, "error: none");
    EQ_INT(value->kind, TUTTI_NIL, "and not the result");
    tutti_task *other = NULL;
    tutti_promise_new(engine, &other);
    tutti_task_cancel(other);
    EQ_INT(tutti_task_error(other, &value), TUTTI_ECANCELED, "error: cancelled");
    tutti_task_unref(promise);
    tutti_task_unref(skipped);
    tutti_task_unref(last);
    tutti_task_unref(good);
    tutti_task_unref(other);
}

int main(void)
{
    TAP_BEGIN();
    tutti_config config = { .struct_size = sizeof config, .workers = 2 };
    REQUIRE(tutti_engine_new(&engine, &config) == TUTTI_OK, "an engine");
    outcomes();
    chained();
    refused();
    errors();
    EQ_INT(tutti_engine_free(engine), TUTTI_OK, "freed");
    return TAP_END();
}
