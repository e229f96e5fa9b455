/* SPDX-License-Identifier: MIT */
/*
 * fs_call.c - see fs_call.h.
 *
 * Layer: lua. Thread: the state's home; `run` on an extra thread.
 */
#include "lua/fs_call.h"

#include "lua/fs.h"
#include "lua/waits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- life --------------------------------------------------------------------------------- */

static const char *const box_name = "tutti.fs_call";

void tutti__fs_close_fd(struct tutti__fs_call *call)
{
    if (call->fd >= 0)
        close(call->fd);
    call->fd = -1;
}

static void call_free(struct tutti__fs_call *call)
{
    tutti__fs_close_fd(call);
    free((void *)call->names);
    free(call->out.data);
    free(call->data_copy);
    free(call->path);
    free(call);
}

/* The task is cancelled, or nobody is left to hear of the outcome: no more work than has begun. */
static void ask_to_stop(struct tutti__fs_call *call)
{
    /* relaxed: see tutti__fs_is_stopped. Set once; home alone writes it. */
    if (TUTTI_LOAD(&call->stop, relaxed) != 0)
        return;
    TUTTI_STORE(&call->stop, 1u, relaxed);
    if (call->is_waiting)
        tutti__bridge_fd_stop(&call->wait);
}

/* The box lets go of its call; one that is under way is freed at its end. */
static void release(struct tutti__fs_call **box)
{
    struct tutti__fs_call *call = *box;
    *box = NULL;
    if (call == NULL)
        return;
    if (!call->in_flight) {
        call_free(call);
        return;
    }
    call->is_dropped = true;
    ask_to_stop(call);
}

static int collect_box(lua_State *L)
{
    release((struct tutti__fs_call **)lua_touserdata(L, 1));
    return 0;
}

static void push_box(lua_State *L)
{
    struct tutti__fs_call **box = (struct tutti__fs_call **)lua_newuserdatauv(L, sizeof(void *), 0);
    *box = NULL;
    if (luaL_newmetatable(L, box_name)) {
        lua_pushcfunction(L, collect_box);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
}

static const char *check_path(lua_State *L, const struct tutti__fs_op *op, int index)
{
    if (lua_type(L, index) != LUA_TSTRING)
        tutti__usage(L, 1, "%s: a path (a string) was expected, got %s", op->name,
                     luaL_typename(L, index));
    size_t length = 0;
    const char *path = lua_tolstring(L, index, &length);
    if (strlen(path) != length)
        tutti__usage(L, 1,
                     "%s: the path has a byte 0 in it, which no file name can have: \"%s\\0...\"",
                     op->name, path);
    return path;
}

struct tutti__fs_call *tutti__fs_new(lua_State *L, const struct tutti__fs_op *op, int index)
{
    const char *path = check_path(L, op, index);
    push_box(L);
    struct tutti__fs_call **box = (struct tutti__fs_call **)lua_touserdata(L, -1);
    struct tutti__fs_call *call = (struct tutti__fs_call *)calloc(1, sizeof *call);
    char *copy = strdup(path);
    if (call == NULL || copy == NULL) {
        free(call);
        free(copy);
        luaL_error(L, "not enough memory for %s", op->name);
        return NULL;
    }
    call->op = op;
    call->path = copy;
    call->fd = -1;
    *box = call;
    return call;
}

int tutti__fs_reserve(struct tutti__fs_bytes *out, size_t more)
{
    size_t needed = out->length + more;
    if (needed < more)
        return ENOMEM;
    if (needed <= out->capacity)
        return 0;
    size_t capacity = out->capacity < 4096 ? 4096 : out->capacity;
    while (capacity < needed)
        capacity = capacity > SIZE_MAX / 2 ? needed : capacity * 2;
    if (out->length == 0 && needed > 4096)
        capacity = needed; /* the first guess is the file's size: take it as it is */
    char *data = (char *)realloc(out->data, capacity);
    if (data == NULL)
        return ENOMEM;
    out->data = data;
    out->capacity = capacity;
    return 0;
}

bool tutti__fs_is_stopped(struct tutti__fs_call *call)
{
    /* relaxed: a hint to leave early; nothing that follows depends on what the asker wrote. */
    return TUTTI_LOAD(&call->stop, relaxed) != 0;
}

#define CALL_OF(ptr, member)                                                                       \
    ((struct tutti__fs_call *)(void *)((char *)(ptr) - offsetof(struct tutti__fs_call, member)))

/* ---- under way ---------------------------------------------------------------------------- */

/* On an extra thread. */
static void run(struct tutti__block_job *job)
{
    struct tutti__fs_call *call = (struct tutti__fs_call *)(void *)job;
    bool is_late = job->cancelled || tutti__fs_is_stopped(call);
    call->error = is_late ? ECANCELED : call->op->work(call);
}

/* At home: it is over. */
static void arrive(struct tutti__fs_call *call)
{
    call->in_flight = false;
    if (call->is_dropped) {
        call_free(call);
    } else if (call->record != NULL) {
        struct tutti__record *record = call->record;
        call->record = NULL;
        tutti__wait_end(record);
    }
}

static void start_wait(struct tutti__fs_call *call);

/* At home: work has been done. */
static void on_worked(struct tutti__post *post)
{
    struct tutti__fs_call *call = CALL_OF(post, job.post);
    if (call->error == TUTTI__FS_WAIT && tutti__fs_is_stopped(call))
        call->error = ECANCELED;
    if (call->error == TUTTI__FS_WAIT)
        start_wait(call);
    else
        arrive(call);
}

/* Have `work` called. Returns a status; on an error nothing is under way. */
static int start_work(struct tutti__fs_call *call)
{
    call->job.work = run;
    call->job.post.fn = on_worked;
    return tutti__bridge_block(call->engine, &call->job);
}

/* At home: the descriptor is ready, or the wait was stopped. */
static void on_ready(struct tutti__post *post)
{
    struct tutti__fs_call *call = CALL_OF(post, wait.over);
    call->is_waiting = false;
    call->error = tutti__fs_is_stopped(call) ? ECANCELED : call->wait.error;
    if (call->error == 0 && start_work(call) == TUTTI_OK)
        return;
    if (call->error == 0)
        call->error = ECANCELED; /* the engine is being stopped */
    arrive(call);
}

static void start_wait(struct tutti__fs_call *call)
{
    call->is_waiting = true;
    call->wait.fd = call->fd;
    call->wait.events = call->events;
    call->wait.home = call->job.home;
    call->wait.over.fn = on_ready;
    tutti__bridge_fd_wait(call->engine, &call->wait);
}

/* ---- the task waits ------------------------------------------------------------------------ */

/* Raise the error of a call that failed. */
static int raise(lua_State *L, struct tutti__fs_call **box)
{
    struct tutti__fs_call *call = *box;
    const char *code = strerrorname_np(call->error);
    const char *text = strerrordesc_np(call->error);
    tutti__error_push(L, tutti__lua_of(L), "io", "%s \"%s\": %s", call->op->name, call->path,
                      text == NULL ? "unknown error" : text);
    lua_pushstring(L, code == NULL ? "UNKNOWN" : code);
    tutti__error_set(L, -2, "code");
    lua_pushstring(L, call->path);
    tutti__error_set(L, -2, "path");
    release(box);
    return lua_error(L);
}

static int finish(lua_State *L, struct tutti__fs_call **box)
{
    if ((*box)->error != 0)
        return raise(L, box);
    int count = (*box)->op->push(L, *box); /* if this raises, the box frees the call */
    release(box);
    return count;
}

static int wait_continue(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    struct tutti__lua *lua = tutti__lua_of(L);
    struct tutti__fs_call **box = (struct tutti__fs_call **)lua_touserdata(L, (int)context);
    if (tutti__cancel_is_due(lua))
        release(box); /* now, not when the collector comes by */
    tutti__checkpoint(L, lua);
    return finish(L, box);
}

void tutti__fs_withdraw(struct tutti__record *record)
{
    struct tutti__fs_call *call = (struct tutti__fs_call *)record->op;
    call->record = NULL;
    ask_to_stop(call);
}

static bool is_over(void *user)
{
    return !((const struct tutti__fs_call *)user)->in_flight;
}

static bool at_once(void *user)
{
    (void)user;
    return true;
}

/* Send the call on its way: to an extra thread, or to wait for its descriptor. */
static void submit(lua_State *L, struct tutti__lua *lua, struct tutti__fs_call *call)
{
    if (call->data != NULL && call->data_copy == NULL) {
        /* The string may be collected while a cancelled call is still at work. */
        call->data_copy = (char *)malloc(call->length + 1);
        if (call->data_copy == NULL)
            luaL_error(L, "%s: not enough memory for a copy of the data", call->op->name);
        memcpy(call->data_copy, call->data, call->length);
        call->data = call->data_copy;
    }
    call->engine = lua->engine;
    call->job.home = lua->home;
    int rc = TUTTI_OK;
    if (call->error == TUTTI__FS_WAIT)
        start_wait(call);
    else
        rc = start_work(call);
    if (rc != TUTTI_OK)
        luaL_error(L, "%s: %s", call->op->name, tutti_status_text(rc));
    call->in_flight = true; /* its post runs at this home, so not before we are back there */
}

int tutti__fs_perform(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    int index = lua_gettop(L);
    struct tutti__fs_call **box = (struct tutti__fs_call **)lua_touserdata(L, index);
    struct tutti__fs_call *call = *box;
    if (lua->is_worker) {
        tutti__checkpoint(L, lua);
        call->error = call->op->work(call);
        if (call->error != TUTTI__FS_WAIT)
            return finish(L, box);
    }
    struct tutti__record *me = tutti__wait_check(L, lua, call->op->name);
    if (me == NULL && !tutti__block_on(lua, at_once, NULL))
        return tutti__block_refused(L);
    submit(L, lua, call);
    if (me == NULL) {
        (void)tutti__block_on(lua, is_over, call); /* it could run a moment ago */
        return finish(L, box);
    }
    call->record = me;
    return tutti__wait(L, WAITS_FOR_FS, call, index, wait_continue);
}
