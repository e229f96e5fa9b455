/* SPDX-License-Identifier: MIT */
/*
 * fs_call.c - see fs_call.h.
 *
 * Layer: lua. Thread: the state's home; `run` on an extra thread.
 */
#include "lua/fs_call.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
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
    if (call->stop_fd >= 0)
        close(call->stop_fd);
    free((void *)call->names);
    free(call->out.data);
    free(call->data_copy);
    free(call->path);
    free(call);
}

/* The box lets go of its call; one that is under way is freed by its post. */
static void release(struct tutti__fs_call **box)
{
    struct tutti__fs_call *call = *box;
    *box = NULL;
    if (call == NULL)
        return;
    if (call->in_flight)
        call->is_dropped = true;
    else
        call_free(call);
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
        tutti__usage(L, 1, "%s: the path has a byte 0 in it, which no file name can have: \"%s\\0...\"",
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
    call->stop_fd = -1;
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

/* ---- stopping ----------------------------------------------------------------------------- */

/* Values of call->stop besides 0 (nobody has asked) and stop_fd + 1 (wake it by that). */
enum { STOP_ASKED = -1 };

bool tutti__fs_is_stopped(struct tutti__fs_call *call)
{
    /* A hint to leave early: nothing that follows depends on what the asker has written. */
    return TUTTI_LOAD(&call->stop, relaxed) == STOP_ASKED;
}

/* Home asks, at most once. Partner: wait_ready, which offers its eventfd by the same word, so either
 * it sees the wish or we see the eventfd. The eventfd is closed at home too, never between. */
static void ask_to_stop(struct tutti__fs_call *call)
{
    /* acq_rel: pairs with wait_ready's CAS, whose eventfd must be open before we write to it. */
    int32_t old = TUTTI_EXCHANGE(&call->stop, STOP_ASKED, acq_rel);
    if (old > 0)
        (void)eventfd_write(old - 1, 1);
}

static int offer_stop_fd(struct tutti__fs_call *call)
{
    int32_t expected = 0;
    call->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (call->stop_fd < 0)
        return errno;
    /* acq_rel: see ask_to_stop. */
    return TUTTI_CAS_STRONG(&call->stop, &expected, call->stop_fd + 1, acq_rel, relaxed) ? 0 : ECANCELED;
}

/* Wait until call->fd is ready. Thread: extra. Returns: 0 · an errno; ECANCELED: asked to stop. */
static int wait_ready(struct tutti__fs_call *call)
{
    int error = call->stop_fd >= 0 ? 0 : offer_stop_fd(call);
    if (error != 0)
        return error;
    struct pollfd set[2] = { { .fd = call->fd, .events = call->events },
                             { .fd = call->stop_fd, .events = POLLIN } };
    while (poll(set, 2, -1) < 0) {
        if (errno != EINTR)
            return errno;
    }
    return set[1].revents != 0 ? ECANCELED : 0;
}

/* ---- on an extra thread -------------------------------------------------------------------- */

static void run(struct tutti__block_job *job)
{
    struct tutti__fs_call *call = (struct tutti__fs_call *)(void *)job;
    int error = job->cancelled || tutti__fs_is_stopped(call) ? ECANCELED : call->op->work(call);
    while (error == TUTTI__FS_WAIT) {
        error = wait_ready(call);
        if (error == 0)
            error = call->op->work(call);
    }
    call->error = error;
}

/* At home again. */
static void on_post(struct tutti__post *post)
{
    struct tutti__fs_call *call =
        (struct tutti__fs_call *)(void *)((char *)post - offsetof(struct tutti__fs_call, job.post));
    call->in_flight = false;
    if (call->is_dropped) {
        call_free(call);
    } else if (call->record != NULL) {
        struct tutti__record *record = call->record;
        call->record = NULL;
        tutti__wait_end(record);
    }
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
    if ((lua->current->flags & RECORD_CANCEL) != 0)
        release(box); /* now, not when the collector comes by */
    tutti__checkpoint(L, lua);
    return finish(L, box);
}

static void withdraw(struct tutti__record *record)
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
    call->job.work = run;
    call->job.post.fn = on_post;
    call->job.home = lua->home;
    call->in_flight = true;
    int rc = tutti__bridge_block(lua->engine, &call->job);
    if (rc != TUTTI_OK) {
        call->in_flight = false;
        luaL_error(L, "%s: %s", call->op->name, tutti_status_text(rc));
    }
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
    if (me == NULL)
        tutti__block_on(L, lua, at_once, NULL); /* raises where the loop cannot run: nothing is done yet */
    submit(L, lua, call);
    if (me == NULL) {
        tutti__block_on(L, lua, is_over, call);
        return finish(L, box);
    }
    call->record = me;
    return tutti__wait(L, withdraw, call, index, wait_continue);
}
