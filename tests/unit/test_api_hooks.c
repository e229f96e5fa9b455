/* SPDX-License-Identifier: MIT */
/* test_api_hooks.c - task_begin and task_end with names; descs of an older header. */
#include <stddef.h>

#include "base/limits.h"
#include "support/tap.h"
#include "tutti.h"

enum { LOG_MAX = 1000 };

struct event {
    char what; /* 'b' or 'e' */
    const char *name;
    int status;
    tutti_task *task;
};

static struct event events[LOG_MAX];
static atomic_int event_count;
static tutti_engine *engine;

static void add(struct event event)
{
    int i = atomic_fetch_add(&event_count, 1);
    if (i < LOG_MAX) {
        events[i] = event;
    }
}

static atomic_bool is_user_wrong;

static void on_begin(void *user, tutti_task *task, const char *name)
{
    add((struct event){ 'b', name, (int)tutti_task_state(task), task });
    if (user != &event_count) {
        atomic_store(&is_user_wrong, true);
    }
}

static void on_end(void *user, tutti_task *task, const char *name, int status)
{
    (void)user;
    tutti_task_ref(task); /* allowed */
    tutti_task_unref(task);
    add((struct event){ 'e', name, status, task });
}

static int body_ok(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    return (int)(intptr_t)arg;
}

static int body_copy(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self;
    *result = (tutti_value){ .kind = TUTTI_INT, .as.integer = *(int64_t *)arg };
    return TUTTI_OK;
}

static void settle_later(void *user)
{
    tutti_promise_settle(user, TUTTI_OK, NULL);
}

static int body_suspend(tutti_task *self, void *arg, tutti_value *result)
{
    (void)arg, (void)result;
    tutti_post(engine, settle_later, self);
    return TUTTI_TASK_SUSPEND;
}

static atomic_int dropped;

static void drop(void *arg)
{
    (void)arg;
    atomic_fetch_add(&dropped, 1);
}

static void begin(bool with_begin)
{
    tutti_hooks hooks = { .task_begin = with_begin ? on_begin : NULL, .task_end = on_end,
                          .user = &event_count };
    tutti_config config = { .struct_size = sizeof config, .workers = 1, .hooks = &hooks };
    REQUIRE(tutti_engine_new(&engine, &config) == TUTTI_OK, "an engine with hooks");
    memset(&hooks, 0x55, sizeof hooks); /* it has a copy */
    atomic_store(&event_count, 0);
}

static bool is_event(int at, char what, const char *name, int status)
{
    const struct event *event = &events[at];
    return event->what == what && event->status == status &&
           (name == NULL ? event->name == NULL
                         : event->name != NULL && strcmp(event->name, name) == 0);
}

/* A chain that is handed from one to the next on one worker, with and without names and arguments. */
static void chain(void)
{
    tutti_task *start = NULL;
    tutti_task *tasks[4];
    int64_t number = 99;
    atomic_store(&dropped, 0);
    tutti_promise_new(engine, &start);
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_ok, .name = "first" };
    tutti_submit(engine, &desc, &start, 1, &tasks[0]);
    desc = (tutti_task_desc){ .struct_size = sizeof desc, .fn = body_ok };
    tutti_submit(engine, &desc, &tasks[0], 1, &tasks[1]);
    desc = (tutti_task_desc){ .struct_size = sizeof desc, .fn = body_copy, .arg = &number,
                              .arg_bytes = sizeof number, .arg_drop = drop, .name = "third" };
    tutti_task *many[] = { tasks[0], tasks[1], start };
    tutti_submit(engine, &desc, many, 3, &tasks[2]);
    desc = (tutti_task_desc){ .struct_size = sizeof desc, .fn = body_ok, .name = "fourth",
                              .arg = (void *)(intptr_t)TUTTI_EIO };
    tutti_submit(engine, &desc, &tasks[2], 1, &tasks[3]);
    tutti_promise_settle(start, TUTTI_OK, NULL);
    tutti_wait_idle(engine);
    EQ_INT(atomic_load(&event_count), 8, "four bodies");
    OK(is_event(0, 'b', "first", TUTTI_TASK_RUNNING) && is_event(1, 'e', "first", TUTTI_OK) &&
           events[0].task == tasks[0],
       "the first with its name");
    OK(is_event(2, 'b', NULL, TUTTI_TASK_RUNNING) && is_event(3, 'e', NULL, TUTTI_OK),
       "the second has none");
    OK(is_event(4, 'b', "third", TUTTI_TASK_RUNNING) && is_event(5, 'e', "third", TUTTI_OK),
       "the third has a name, a copied argument and three edges");
    OK(is_event(6, 'b', "fourth", TUTTI_TASK_RUNNING) && is_event(7, 'e', "fourth", TUTTI_EIO),
       "the fourth with its status");
    const tutti_value *value = NULL;
    EQ_INT(tutti_task_result(tasks[2], &value), TUTTI_OK, "the third's result");
    EQ_INT(value->as.integer, 99, "is its argument");
    EQ_INT(atomic_load(&dropped), 1, "which was dropped once");
    for (int i = 0; i < 4; i++) {
        tutti_task_unref(tasks[i]);
    }
    tutti_task_unref(start);
}

static void others(void)
{
    tutti_task *promise = NULL;
    tutti_task *task = NULL;
    atomic_store(&event_count, 0);
    tutti_promise_new(engine, &promise);
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_ok, .name = "never" };
    tutti_submit(engine, &desc, &promise, 1, &task);
    tutti_promise_settle(promise, TUTTI_EIO, NULL);
    EQ_INT(atomic_load(&event_count), 0, "neither promises nor skipped tasks have events");
    tutti_task_unref(promise);
    tutti_task_unref(task);
    desc = (tutti_task_desc){ .struct_size = sizeof desc, .fn = body_suspend, .name = "later" };
    tutti_submit(engine, &desc, NULL, 0, &task);
    EQ_INT(tutti_task_wait(task, TUTTI_FOREVER), TUTTI_OK, "a suspended task");
    EQ_INT(atomic_load(&event_count), 2, "has them around its body");
    OK(is_event(0, 'b', "later", TUTTI_TASK_RUNNING) && is_event(1, 'e', "later", TUTTI_TASK_SUSPEND),
       "with what the body returned");
    tutti_task_unref(task);
    tutti_wait_idle(engine);
}

/* Names, arguments of all sizes and any number of edges in one record. */
static void layouts(void)
{
    static char bytes[6000];
    static tutti_task *after[40];
    int wrong = 0;
    int64_t number = 5;
    tutti_promise_new(engine, &after[0]);
    for (int i = 1; i < 40; i++) {
        tutti_task_ref(after[i] = after[0]);
    }
    atomic_store(&dropped, 0);
    memcpy(bytes, &number, sizeof number);
    for (size_t size = sizeof number; size < sizeof bytes; size = size * 3 / 2) {
        for (size_t edges = 0; edges < 40; edges += 13) {
            tutti_task *task = NULL;
            tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_copy, .arg = bytes,
                                     .arg_bytes = size, .arg_drop = drop, .name = "layout" };
            if (tutti_submit(engine, &desc, after, edges, &task) != TUTTI_OK) {
                wrong++;
                continue;
            }
            wrong += edges != 0 && tutti_task_is_done(task) ? 1 : 0;
            tutti_promise_settle(after[0], TUTTI_OK, NULL);
            tutti_task_wait(task, TUTTI_FOREVER);
            const tutti_value *value = NULL;
            wrong += tutti_task_result(task, &value) != TUTTI_OK || value->as.integer != 5 ? 1 : 0;
            tutti_task_unref(task);
            tutti_task *fresh = NULL;
            tutti_promise_new(engine, &fresh);
            for (int i = 0; i < 40; i++) {
                tutti_task_unref(after[i]);
                tutti_task_ref(after[i] = fresh);
            }
            tutti_task_unref(fresh);
        }
    }
    EQ_INT(wrong, 0, "names, arguments and edges beside each other");
    tutti_promise_settle(after[0], TUTTI_OK, NULL);
    for (int i = 0; i < 40; i++) {
        tutti_task_unref(after[i]);
    }
    tutti_wait_idle(engine);
}

/* ---- older descs -------------------------------------------------------------------------- */

/* As tutti.h had it before `priority`. */
struct old_desc {
    size_t struct_size;
    tutti_task_fn fn;
    void *arg;
    size_t arg_bytes;
    void (*arg_drop)(void *arg);
    uint32_t flags;
};

static int submit_size(size_t size)
{
    union {
        char bytes[sizeof(tutti_task_desc) + 64];
        struct old_desc desc;
    } u;
    memset(&u, 0xa5, sizeof u); /* what is behind the old struct is anything */
    u.desc = (struct old_desc){ .struct_size = size, .fn = body_ok };
    memset(u.bytes + offsetof(struct old_desc, flags) + sizeof(uint32_t), 0xa5,
           sizeof u - offsetof(struct old_desc, flags) - sizeof(uint32_t));
    return tutti_submit(engine, (const tutti_task_desc *)(const void *)&u, NULL, 0, NULL);
}

static void older(void)
{
    EQ_INT(submit_size(sizeof(struct old_desc)), TUTTI_OK,
           "the desc of an older header, with garbage behind its last field");
    EQ_INT(submit_size(offsetof(struct old_desc, flags)), TUTTI_EINVAL, "a smaller one is none");
    EQ_INT(submit_size(0), TUTTI_EINVAL, "nor is an empty one");
    EQ_INT(submit_size(sizeof(tutti_task_desc) + 8), TUTTI_EINVAL, "a larger one is not known");
    tutti_wait_idle(engine);
}

int main(void)
{
    TAP_BEGIN();
    begin(true);
    chain();
    others();
    layouts();
    older();
    OK(!is_user_wrong, "the hooks got their user pointer");
    EQ_INT(tutti_engine_free(engine), TUTTI_OK, "freed");
    begin(false);
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_ok, .name = "only" };
    tutti_submit(engine, &desc, NULL, 0, NULL);
    tutti_wait_idle(engine);
    EQ_INT(atomic_load(&event_count), 1, "one hook alone");
    OK(is_event(0, 'e', "only", TUTTI_OK), "with the name");
    EQ_INT(tutti_engine_free(engine), TUTTI_OK, "freed");
    return TAP_END();
}
