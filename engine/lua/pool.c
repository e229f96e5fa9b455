/* SPDX-License-Identifier: MIT */
/*
 * pool.c - Lua functions as tasks of the pool: sent as bytes, run as a coroutine of a worker's state.
 *
 *     home state                       engine                     worker's state
 *     proxy (REMOTE) --- submit ---> task, body = pool_run ---> record (LOCAL), coroutine
 *          ^                              |                          | ends or suspends
 *          +------ watch, post -----------+ <--- promise_settle -----+
 *
 * Layer: lua.
 * Invariant: the outcome of a pool task leaves its worker only through tutti_promise_settle.
 */
#include "lua/pool.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "lua/door.h"
#include "lua/proxy.h"
#include "lua/start.h"
#include "lua/task_note.h"
#include "lua/worker.h"

/* What travels in the engine's task. Made in the home state, read by one worker, dropped anywhere. */
struct job {
    struct tutti__buffer *call; /* the function and its arguments */
    tutti_task **after;         /* references on what it comes after, for their results */
    struct tutti__task_note **notes; /* with run_on_skip: the same with their names, for the handles */
    size_t after_count;
    bool run_on_skip;
    uint8_t priority;  /* as in struct tutti__record */
    uint8_t functions; /* so many first values of the call are its own; what it comes after follows them */
    tutti_engine *engine;
    struct tutti__pool_name *name; /* a reference */
};

/* The name that a task has on its worker. Tasks that are started in one place share it. */
struct tutti__pool_name {
    TUTTI_ATOMIC(uint32_t) refs; /* [any] as tutti__buffer.refs */
    char text[];
};

static void name_unref(struct tutti__pool_name *name)
{
    /* acq_rel: every thread's last read comes before the last one's free. */
    if (name != NULL && TUTTI_FETCH_SUB(&name->refs, 1, acq_rel) == 1)
        free(name);
}

static struct tutti__pool_name *name_ref(struct tutti__pool_name *name)
{
    TUTTI_FETCH_ADD(&name->refs, 1, relaxed); /* the caller holds a reference */
    return name;
}

static void job_drop(void *arg)
{
    struct job *job = (struct job *)arg;
    for (size_t i = 0; i < job->after_count; i++)
        tutti_task_unref(job->after[i]);
    for (size_t i = 0; job->notes != NULL && i < job->after_count; i++) {
        if (job->notes[i] != NULL)
            tutti__task_note_unref(job->notes[i]);
    }
    free((void *)job->after);
    free((void *)job->notes);
    if (job->call != NULL)
        tutti__buffer_unref(job->call);
    name_unref(job->name);
}

/* ---- outcomes in bytes -------------------------------------------------------------------- */

/* One plain value needs no buffer; C tasks that come after can read it too. */
static bool encode_plain(lua_State *L, int index, tutti_value *value)
{
    switch (lua_type(L, index)) {
    case LUA_TNIL:
        return false; /* one nil is not the same as no value */
    case LUA_TBOOLEAN:
        value->kind = TUTTI_BOOL;
        value->as.boolean = lua_toboolean(L, index);
        return true;
    case LUA_TNUMBER:
        value->kind = lua_isinteger(L, index) ? TUTTI_INT : TUTTI_DOUBLE;
        if (value->kind == TUTTI_INT)
            value->as.integer = lua_tointeger(L, index);
        else
            value->as.number = lua_tonumber(L, index);
        return true;
    default:
        return false;
    }
}

static void drop_buffer(void *pointer)
{
    tutti__buffer_unref((struct tutti__buffer *)pointer);
}

void tutti__pool_push_env(lua_State *L, struct tutti__record *record)
{
    bool may_have = record != NULL && record->lua->is_worker; /* elsewhere no task has one */
    for (; may_have && record != NULL && record->kind != RECORD_ROOT; record = record->parent) {
        if (record->slot == 0)
            continue;
        tutti__record_push(L, record);
        tutti__record_get_extra(L, -1, EXTRA_ENV);
        lua_remove(L, -2);
        if (lua_istable(L, -1))
            return;
        lua_pop(L, 1);
    }
    lua_pushnil(L);
}

/* Why something cannot cross. */
struct refusal {
    char text[512];
};

/* Encode the values from `first` to the top into *value. */
static bool encode_values(lua_State *L, struct tutti__record *record, int first, tutti_value *value,
                          struct refusal *why)
{
    struct tutti__buffer *buffer = NULL;
    int count = lua_gettop(L) - first + 1;
    tutti__pool_push_env(L, record);
    struct tutti__encode_opts opts = { .ops = &tutti__lua_value_ops, .label = "result",
                                       .library = "tutti" };
    opts.env_index = lua_istable(L, -1) ? lua_gettop(L) : 0;
    int rc = tutti__value_encode(L, first, count, &opts, &buffer, why->text, sizeof why->text);
    lua_pop(L, 1);
    if (rc != TUTTI__VALUE_OK)
        return false;
    tutti__export_loosen(buffer, record->task);
    value->kind = TUTTI_OPAQUE;
    value->tag = TUTTI__TAG_LUA;
    value->as.pointer = buffer;
    value->more.drop = drop_buffer;
    return true;
}

/* The error object is on top of the stack, and popped: encode it. One that is too large or too deep
 * goes without its values and with fewer of its errors. */
static void encode_error(lua_State *L, struct tutti__record *record, tutti_value *value)
{
    struct refusal why;
    int error = lua_gettop(L);
    if (!encode_values(L, record, error, value, &why)) {
        tutti__lua_helper(L, record->lua, "shorten_error");
        lua_pushvalue(L, error);
        lua_call(L, 1, 1);
        (void)encode_values(L, record, error + 1, value, &why);
    }
    lua_settop(L, error - 1);
}

static int encode_results(lua_State *L, struct tutti__record *record, int index, tutti_value *value)
{
    struct refusal why;
    int base = lua_gettop(L);
    int count = tutti__record_push_results(L, record, index, false);
    if (count == 1 && encode_plain(L, base + 1, value)) {
        lua_settop(L, base);
        return TUTTI_OK;
    }
    if (count == 0) {
        lua_settop(L, base);
        return TUTTI_OK; /* nil is what no result reads as */
    }
    bool sent = encode_values(L, record, base + 1, value, &why);
    lua_settop(L, base);
    if (sent)
        return TUTTI_OK;
    struct tutti__record *current = record->lua->current;
    record->lua->current = record;
    tutti__error_push(L, record->lua, "transfer",
                      "the result of task \"%s\" cannot cross to another Lua state: %s",
                      (tutti__record_push_name(L, record, index), lua_tostring(L, -1)), why.text);
    record->lua->current = current;
    encode_error(L, record, value);
    lua_settop(L, base);
    return TUTTI_EFAILED;
}

int tutti__pool_encode_outcome(lua_State *L, struct tutti__record *record, int index,
                               tutti_value *value)
{
    tutti__pool_unlisten(record);
    if (record->state == TUTTI_TASK_DONE)
        return encode_results(L, record, index, value);
    tutti__record_push_error(L, index);
    encode_error(L, record, value);
    return record->state == TUTTI_TASK_CANCELLED ? TUTTI_ECANCELED : TUTTI_EFAILED;
}

/* ---- cancelled by others ------------------------------------------------------------------ */

/* Lives from listen until it is taken back, or until its post has run. */
struct tutti__listener {
    struct tutti__cancel_hook hook;
    struct tutti__record *record; /* NULL: it has settled meanwhile */
    const char *label;            /* of the record */
    char *reason;                 /* [the canceller, then home] NULL: it gave none */
};

/* The signal handler of stuck.c may look at any moment: while LISTENS is set, `listener` is one or NULL;
 * while it is not, `label` is a text or NULL. */
static void put_listener(struct tutti__record *record, struct tutti__listener *listener)
{
    listener->label = record->label;
    record->label = NULL;
    atomic_signal_fence(memory_order_seq_cst);
    record->flags |= RECORD_LISTENS;
    atomic_signal_fence(memory_order_seq_cst);
    record->listener = listener;
}

static struct tutti__listener *take_listener(struct tutti__record *record)
{
    struct tutti__listener *listener = record->listener;
    record->listener = NULL;
    atomic_signal_fence(memory_order_seq_cst);
    record->flags &= ~(uint32_t)RECORD_LISTENS;
    atomic_signal_fence(memory_order_seq_cst);
    record->label = listener->label;
    return listener;
}

void tutti__pool_set_label(struct tutti__record *record, const char *label)
{
    if ((record->flags & RECORD_LISTENS) != 0)
        record->listener->label = label;
    else
        record->label = label;
}

const char *tutti__pool_label(const struct tutti__record *record)
{
    if ((record->flags & RECORD_LISTENS) == 0)
        return record->label;
    return record->listener == NULL ? NULL : record->listener->label;
}

static int cancel_listened(lua_State *L)
{
    const struct tutti__listener *listener = (const struct tutti__listener *)lua_touserdata(L, 1);
    lua_pushstring(L, listener->reason); /* NULL makes a nil */
    tutti__record_cancel(L, listener->record);
    return 0;
}

/* Args: lua - of its record; NULL: that has settled before, and its state may have ended meanwhile. */
static void free_listener(struct tutti__listener *listener, struct tutti__lua *lua)
{
    free(listener->reason);
    if (lua != NULL)
        tutti__spares_give(&lua->listeners, listener, lua->has_ended);
    else
        free(listener);
}

static void on_cancel(struct tutti__post *post)
{
    struct tutti__listener *listener =
        (struct tutti__listener *)(void *)((char *)post - offsetof(struct tutti__cancel_hook, post));
    struct tutti__lua *lua = listener->record == NULL ? NULL : listener->record->lua;
    if (lua != NULL) {
        (void)take_listener(listener->record);
        (void)tutti__door(lua, cancel_listened, listener);
    }
    free_listener(listener, lua);
}

void tutti__pool_listen(struct tutti__record *record)
{
    struct tutti__listener *listener =
        (struct tutti__listener *)tutti__spares_take(&record->lua->listeners, sizeof *listener);
    if (listener == NULL)
        return; /* it can then not be cancelled from another state; everything else holds */
    listener->record = record;
    listener->hook.home = record->lua->home;
    listener->hook.post.fn = on_cancel;
    listener->hook.reason = &listener->reason;
    put_listener(record, listener);
    if (!tutti__task_set_cancel_hook(record->task, &listener->hook))
        tutti__home_post_urgent(listener->hook.home, &listener->hook.post);
}

void tutti__pool_unlisten(struct tutti__record *record)
{
    if ((record->flags & RECORD_LISTENS) == 0)
        return;
    struct tutti__listener *listener = take_listener(record);
    if (tutti__task_take_cancel_hook(record->task, &listener->hook))
        free_listener(listener, record->lua);
    else
        listener->record = NULL; /* the post is on its way and frees it */
}

/* ---- on the worker ------------------------------------------------------------------------ */

struct call {
    struct tutti__lua *lua;
    struct job *job;
    tutti_task *self;
};

static int push_results_of(lua_State *L, struct tutti__lua *lua, const struct job *job)
{
    luaL_checkstack(L, (int)job->after_count + LUA_MINSTACK, "too many tasks to come after");
    for (size_t i = 0; i < job->after_count; i++) {
        if (job->run_on_skip)
            tutti__task_note_push(L, lua, job->notes[i]);
        else
            tutti__proxy_push_results(L, lua, job->after[i], true);
    }
    return (int)job->after_count;
}

/* Make the _ENV of the task whose record is at 1; who names no globals needs none. */
static void push_env(lua_State *L, bool is_wanted)
{
    if (!is_wanted) {
        lua_pushnil(L);
        return;
    }
    lua_createtable(L, 0, 4);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "_G");
    luaL_setmetatable(L, "tutti.env");
    lua_pushvalue(L, -1);
    tutti__record_set_extra(L, 1, EXTRA_ENV);
}

int tutti__pool_push_call(lua_State *L, struct tutti__record *record)
{
    struct job *job = (struct job *)record->op;
    record->op = NULL;
    push_env(L, job->call->has_globals);
    int env = lua_gettop(L);
    struct tutti__decode_opts opts = { .ops = &tutti__lua_value_ops, .env_index = env };
    int count = tutti__value_decode(L, job->call, &opts) - 1;
    int results = 0;
    if (job->after_count > 0) {
        results = push_results_of(L, record->lua, job);
        lua_rotate(L, env + 1 + job->functions, results);
    }
    lua_remove(L, env);
    return count + results;
}

static int begin(lua_State *L)
{
    struct call *call = (struct call *)lua_touserdata(L, 1);
    struct tutti__lua *lua = call->lua;
    struct tutti__record *record = tutti__record_new(L, lua, RECORD_LOCAL, 0, false);
    lua_pushstring(L, call->job->name->text);
    tutti__record_set_name(L, 2);
    record->flags |= RECORD_EXPORT_HOME | RECORD_OBSERVED | RECORD_QUIET;
    record->op = call->job;
    record->priority = call->job->priority;
    tutti_task_ref(call->self);
    record->task = call->self;
    tutti__record_hold(L, record, 2);
    tutti__record_adopt(lua->root, record);
    tutti__pool_listen(record);
    luaL_checkstack(L, TUTTI__RUN_STACK, "to run a task");
    tutti__run_record(L, record);
    return 0;
}

/* The body of the engine's task. It always ends by promise_settle, here or later. */
static int pool_run(tutti_task *self, void *arg, tutti_value *result)
{
    struct call call = { NULL, (struct job *)arg, self };
    call.lua = tutti__worker_lua(call.job->engine);
    if (call.lua == NULL) {
        static const char text[] = "not enough memory for a Lua state on a worker";
        (void)tutti_value_bytes(result, text, sizeof text - 1);
        return TUTTI_ENOMEM;
    }
    if (tutti__door(call.lua, begin, &call))
        return TUTTI_TASK_SUSPEND;
    static const char text[] = "not enough memory to start a task on a worker";
    (void)tutti_value_bytes(result, text, sizeof text - 1);
    return TUTTI_ENOMEM;
}

/* ---- in the home state -------------------------------------------------------------------- */

/* A reference on the name of the record at `index`; NULL: no memory. */
static struct tutti__pool_name *take_name(lua_State *L, struct tutti__record *record, int index)
{
    struct tutti__lua *lua = record->lua;
    bool is_place = (record->flags & RECORD_NAMED) == 0 && record->source != 0;
    if (is_place && lua->place_name != NULL && lua->place_source == record->source
        && lua->place_line == record->line)
        return name_ref(lua->place_name);
    size_t length = 0;
    tutti__record_push_name(L, record, index);
    const char *text = lua_tolstring(L, -1, &length);
    struct tutti__pool_name *name = (struct tutti__pool_name *)malloc(sizeof *name + length + 1);
    if (name != NULL) {
        atomic_init(&name->refs, 1); /* nobody else knows it yet */
        memcpy(name->text, text, length + 1);
    }
    lua_pop(L, 1);
    if (name == NULL || !is_place)
        return name;
    name_unref(lua->place_name);
    lua->place_name = name_ref(name);
    lua->place_source = record->source;
    lua->place_line = record->line;
    return name;
}

void tutti__pool_close(struct tutti__lua *lua)
{
    name_unref(lua->place_name);
    lua->place_name = NULL;
}

static struct job new_job(lua_State *L, struct tutti__record *record, int index)
{
    struct job job = { .engine = record->lua->engine, .name = take_name(L, record, index),
                       .run_on_skip = (record->flags & RECORD_RUN_ON_SKIP) != 0,
                       .priority = record->priority };
    if (job.name == NULL)
        luaL_error(L, "not enough memory for a task");
    return job;
}

/* Give the job references on what it comes after, the list at `list`. Returns false when out of memory. */
static bool take_after(lua_State *L, struct job *job, int list, uint32_t count)
{
    if (count == 0)
        return true;
    job->after = (tutti_task **)calloc(count, sizeof *job->after);
    if (job->run_on_skip)
        job->notes = (struct tutti__task_note **)calloc(count, sizeof *job->notes);
    if (job->after == NULL || (job->run_on_skip && job->notes == NULL))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        lua_rawgeti(L, list, i + 1);
        struct tutti__record *target = (struct tutti__record *)lua_touserdata(L, -1);
        tutti_task *task = tutti__export(L, target, -1);
        if (job->run_on_skip)
            tutti__record_observe(target);
        if (task == NULL)
            return false;
        tutti_task_ref(task);
        job->after[job->after_count++] = task;
        if (job->run_on_skip)
            job->notes[i] = tutti__task_note(L, target, -1, task);
        if (job->run_on_skip && job->notes[i] == NULL)
            return false;
        lua_pop(L, 1);
    }
    return true;
}

/* Encode function and arguments (first .. top) or raise kind `transfer` at the caller's line. The first
 * `functions` values are no arguments to whoever reads the message. */
static struct tutti__buffer *encode_call(lua_State *L, struct tutti__lua *lua, int first, int functions,
                                         int level)
{
    struct refusal why;
    struct tutti__buffer *buffer = NULL;
    int count = lua_gettop(L) - first + 1;
    tutti__pool_push_env(L, lua->current);
    struct tutti__encode_opts opts = { .ops = &tutti__lua_value_ops, .label = "argument",
                                       .function_count = functions, .library = "tutti" };
    opts.env_index = lua_istable(L, -1) ? lua_gettop(L) : 0;
    int rc = tutti__value_encode(L, first, count, &opts, &buffer, why.text, sizeof why.text);
    lua_pop(L, 1);
    if (rc == TUTTI__VALUE_OK)
        return buffer;
    luaL_where(L, level);
    tutti__error_push(L, lua, "transfer", "%scannot send this to another Lua state: %s",
                      lua_tostring(L, -1), why.text);
    lua_error(L);
    return NULL;
}

static int submit(lua_State *L, struct tutti__record *record, int index, struct job *job)
{
    static const uint32_t PRIORITY[TUTTI__PRIORITIES] = {
        TUTTI_PRIORITY_HIGH, TUTTI_PRIORITY_NORMAL, TUTTI_PRIORITY_LOW
    };
    tutti_task *task = NULL;
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = pool_run, .arg = job,
                             .arg_bytes = sizeof *job, .arg_drop = job_drop,
                             .flags = TUTTI_DETACH | TUTTI_NO_HELP,
                             .priority = PRIORITY[job->priority] };
    if (job->run_on_skip)
        desc.flags |= TUTTI_RUN_ON_SKIP;
    int rc = tutti__start_submit(record->lua->engine, &desc, job->after, job->after_count, &task);
    if (rc != TUTTI_OK) {
        job_drop(job);
        return rc;
    }
    tutti__proxy_bind(L, record, index, task);
    tutti__proxy_arm(L, record, index);
    return TUTTI_OK;
}

void tutti__pool_check_call(lua_State *L, struct tutti__lua *lua, int first, int level)
{
    tutti__buffer_unref(encode_call(L, lua, first, 1, level));
}

/* How a pool task is started. */
struct starting {
    bool detach;
    int level;     /* whose line an error names */
    int functions; /* so many first values are the call's own: the function, and what may stand before it */
};

/* Stack: [1] proxy, [2] what it comes after, a list or nil, [3] f, then its arguments. */
static int start_parallel(lua_State *L, struct tutti__record *record, struct starting starting)
{
    struct tutti__lua *lua = record->lua;
    struct tutti__buffer *buffer = encode_call(L, lua, 3, starting.functions, starting.level);
    struct job job = new_job(L, record, 1); /* on an error the buffer is all that leaks */
    job.call = buffer;
    job.functions = (uint8_t)starting.functions;
    uint32_t count = lua_istable(L, 2) ? (uint32_t)lua_rawlen(L, 2) : 0;
    if (!take_after(L, &job, 2, count)) {
        job_drop(&job);
        return luaL_error(L, "not enough memory for a task");
    }
    tutti__start_own(L, record, 1, starting.detach);
    if (tutti__start_is_late(L, record)) {
        job_drop(&job);
    } else {
        int rc = submit(L, record, 1, &job);
        if (rc != TUTTI_OK) {
            tutti__error_push(L, lua, "error", "starting a pool task: %s", tutti_status_text(rc));
            tutti__record_settle(L, record, TUTTI_TASK_FAILED);
        }
    }
    lua_settop(L, 1);
    return 1;
}

int tutti__pool_start_read(lua_State *L, struct tutti__lua *lua, const struct tutti__options *options)
{
    struct tutti__record *record = tutti__proxy_new(L, lua);
    lua_insert(L, 1);
    record->priority = options->priority;
    if (options->run_on_skip)
        record->flags |= RECORD_RUN_ON_SKIP;
    lua_pushvalue(L, 1 + OPTION_NAME);
    tutti__record_set_name(L, 1);
    tutti__record_note_place(L, record, 1);
    lua_remove(L, 1 + OPTION_ARGS);
    lua_remove(L, 1 + OPTION_NAME);
    return start_parallel(L, record, (struct starting){ options->detach, 1, 1 });
}

/* tutti.parallel([opts,] f, ...) -> Task   [-n, +1, v] */
static int l_parallel(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    if (lua_type(L, 1) != LUA_TFUNCTION) {
        struct tutti__options options;
        if (tutti__start_read_call(L, lua, &options))
            return tutti__pool_start_read(L, lua, &options);
        tutti__lua_helper(L, lua, "parallel_with_options");
        lua_insert(L, 1);
        lua_call(L, lua_gettop(L) - 1, 1);
        return 1;
    }
    struct tutti__record *record = tutti__proxy_new(L, lua);
    lua_insert(L, 1);
    lua_pushnil(L);
    lua_insert(L, 2);
    tutti__record_note_place(L, record, 1);
    return start_parallel(L, record, (struct starting){ false, 1, 1 });
}

/* core.start_parallel(options, f, ...) -> Task   [-n, +1, v]; options as for core.start, and `functions`:
 * so many values, f being the last of them, are no arguments; what it comes after follows them */
static int l_start_parallel(lua_State *L)
{
    struct tutti__record *record = tutti__proxy_new(L, tutti__lua_of(L));
    lua_insert(L, 1);
    tutti__start_options(L, record, 1, 2);
    struct starting starting;
    lua_getfield(L, 2, "detach");
    starting.detach = lua_toboolean(L, -1);
    lua_getfield(L, 2, "level");
    starting.level = (int)luaL_optinteger(L, -1, 1);
    lua_getfield(L, 2, "functions");
    starting.functions = (int)luaL_optinteger(L, -1, 1);
    lua_pop(L, 3);
    lua_getfield(L, 2, "after");
    lua_replace(L, 2);
    return start_parallel(L, record, starting);
}

const luaL_Reg tutti__pool_functions[] = {
    { "parallel", l_parallel },
    { "start_parallel", l_start_parallel },
    { NULL, NULL },
};
