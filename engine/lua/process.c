/* SPDX-License-Identifier: MIT */
/*
 * process.c - see process.h. What options mean is decided in lua/tutti/process.lua; here they are
 * turned into a tutti__process_spec, and a result into a table.
 *
 * Layer: lua. Thread: the state's home; chunks of streams come on the loop thread and are posted.
 */
#include "lua/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lua/door.h"
#include "lua/duration.h"
#include "lua/proxy.h"
#include "lua/start.h"

/* ---- streams ------------------------------------------------------------------------------ */

/* A stream that is handed to a Lua function; lives until its end has been delivered at home. */
struct stream {
    struct tutti__lua *lua;
    struct tutti__home *home;
    int ref; /* registry: the function that takes pieces, made by the Lua half */
    tutti_task *task; /* a reference; only used at home, so that it may be set when the task is there */
    /* Bytes on their way home. Both sides add relaxed: it is only a count, and what follows from it, to hold
     * the stream and to read on, is done on the loop thread, in the order of its posts. */
    TUTTI_ATOMIC(size_t) unread;
};

/* With so many bytes on their way to a busy worker its process must wait, until so few are left. */
static const size_t unread_max = (size_t)1 << 20;
static const size_t unread_few = (size_t)256 << 10;

/* One piece on its way home. */
struct piece {
    struct tutti__post post;
    struct stream *stream;
    size_t length; /* 0: the end */
    char data[];
};

static int deliver(lua_State *L)
{
    struct piece *piece = (struct piece *)lua_touserdata(L, 1);
    struct stream *stream = piece->stream;
    lua_rawgeti(L, LUA_REGISTRYINDEX, stream->ref);
    if (piece->length > 0) {
        lua_pushlstring(L, piece->data, piece->length);
    } else {
        lua_pushnil(L);
        luaL_unref(L, LUA_REGISTRYINDEX, stream->ref);
    }
    lua_call(L, 1, 0);
    return 0;
}

static void free_stream(struct stream *stream)
{
    if (stream->task != NULL)
        tutti_task_unref(stream->task);
    free(stream);
}

/* Pieces of `length` bytes have been taken: the process may go on when few are left. */
static void note_read(struct stream *stream, size_t length)
{
    if (!stream->lua->is_worker)
        return;
    size_t before = TUTTI_FETCH_SUB(&stream->unread, length, relaxed);
    bool is_crossed = before >= unread_few && before - length < unread_few;
    if (is_crossed && tutti__bridge_process_resume(stream->lua->engine, stream->task) == TUTTI_ENOMEM)
        (void)tutti_task_cancel(stream->task); /* better than to wait for ever */
}

static void on_piece(struct tutti__post *post)
{
    struct piece *piece = (struct piece *)(void *)((char *)post - offsetof(struct piece, post));
    struct stream *stream = piece->stream;
    (void)tutti__door(stream->lua, deliver, piece);
    if (piece->length == 0)
        free_stream(stream);
    else
        note_read(stream, piece->length);
    free(piece);
}

/* On the loop thread. */
static bool on_chunk(void *user, const char *data, size_t length)
{
    struct stream *stream = (struct stream *)user;
    struct piece *piece = (struct piece *)malloc(sizeof *piece + length);
    if (piece == NULL)
        return true; /* this piece is lost; the kept tail still has it */
    piece->post.fn = on_piece;
    piece->stream = stream;
    piece->length = length;
    memcpy(piece->data, data, length);
    /* The loop's own state takes its pieces before the loop reads again. Read before the post: the end
     * may be taken, and the stream freed, as soon as it is there. */
    bool is_busy = stream->lua->is_worker && length > 0 &&
                   TUTTI_FETCH_ADD(&stream->unread, length, relaxed) + length >= unread_max;
    tutti__home_post(stream->home, &piece->post);
    return !is_busy;
}

static struct stream *new_stream(lua_State *L, struct tutti__lua *lua)
{
    struct stream *stream = (struct stream *)calloc(1, sizeof *stream);
    if (stream == NULL) {
        luaL_error(L, "not enough memory to start a process");
        return NULL;
    }
    stream->lua = lua;
    stream->home = lua->home;
    stream->ref = luaL_ref(L, LUA_REGISTRYINDEX);
    return stream;
}

/* ---- from a table ------------------------------------------------------------------------- */

/* Strings of the list at the top of the stack as a NULL-terminated vector, which stays on the stack
 * as a userdata in its place; the list itself must be reachable elsewhere. */
static const char **push_vector(lua_State *L)
{
    int list = lua_gettop(L);
    lua_Integer count = (lua_Integer)lua_rawlen(L, list);
    const char **vector =
        (const char **)lua_newuserdatauv(L, ((size_t)count + 1) * sizeof *vector, 0);
    for (lua_Integer i = 1; i <= count; i++) {
        lua_rawgeti(L, list, i);
        vector[i - 1] = lua_tostring(L, -1);
        lua_pop(L, 1);
    }
    vector[count] = NULL;
    lua_replace(L, list);
    return vector;
}

static const char *field_string(lua_State *L, int table, const char *name)
{
    lua_getfield(L, table, name);
    const char *text = lua_tostring(L, -1);
    lua_pop(L, 1); /* the table keeps it */
    return text;
}

static uint64_t field_ns(lua_State *L, int table, const char *name, uint64_t missing)
{
    lua_getfield(L, table, name);
    uint64_t ns = lua_isnil(L, -1) ? missing : tutti__duration_ns(lua_tonumber(L, -1));
    lua_pop(L, 1);
    return ns;
}

static void read_stdin(lua_State *L, int table, struct tutti__process_spec *spec)
{
    spec->stdin_path = field_string(L, table, "stdin_path");
    lua_getfield(L, table, "stdin_inherit");
    bool inherit = lua_toboolean(L, -1);
    lua_getfield(L, table, "stdin_data");
    size_t length = 0;
    spec->stdin_data = lua_tolstring(L, -1, &length);
    spec->stdin_length = length;
    lua_pop(L, 2);
    spec->stdin_kind = inherit ? TUTTI__STDIN_INHERIT
        : spec->stdin_path != NULL ? TUTTI__STDIN_FILE : TUTTI__STDIN_BYTES;
}

static void read_output(lua_State *L, int table, const char *const names[3],
                        struct tutti__process_out *out, struct tutti__lua *lua)
{
    const char *kind = field_string(L, table, names[0]);
    out->path = field_string(L, table, names[1]);
    if (strcmp(kind, "inherit") == 0) {
        out->kind = TUTTI__STDOUT_INHERIT;
    } else if (strcmp(kind, "null") == 0) {
        out->kind = TUTTI__STDOUT_NULL;
    } else if (strcmp(kind, "file") == 0 || strcmp(kind, "append") == 0) {
        out->kind = TUTTI__STDOUT_FILE;
        out->append = kind[0] == 'a';
    } else if (strcmp(kind, "stream") == 0) {
        out->kind = TUTTI__STDOUT_STREAM;
        out->chunk = on_chunk;
        lua_getfield(L, table, names[2]);
        out->user = new_stream(L, lua);
    } else {
        out->kind = TUTTI__STDOUT_CAPTURE;
    }
}

static void drop_streams(lua_State *L, const struct tutti__process_spec *spec)
{
    for (; spec != NULL; spec = spec->feeder) {
        for (int i = 0; i < 2; i++) {
            struct stream *stream = (struct stream *)spec->out[i].user;
            if (stream == NULL)
                continue;
            luaL_unref(L, LUA_REGISTRYINDEX, stream->ref);
            free_stream(stream);
        }
    }
}

/* The streams know whose they are. */
static void bind_streams(const struct tutti__process_spec *spec, tutti_task *task)
{
    for (; spec != NULL; spec = spec->feeder) {
        for (int i = 0; i < 2; i++) {
            struct stream *stream = (struct stream *)spec->out[i].user;
            if (stream == NULL || !stream->lua->is_worker)
                continue; /* one of the loop's own may be gone by now */
            tutti_task_ref(task);
            stream->task = task;
        }
    }
}

/* Of one process, without what feeds it. Leaves userdata on the stack, which the spec points into. */
static void read_one(lua_State *L, int table, struct tutti__process_spec *spec,
                     struct tutti__lua *lua)
{
    static const char *const out_names[2][3] = { { "stdout", "stdout_path", "stdout_take" },
                                                 { "stderr", "stderr_path", "stderr_take" } };
    memset(spec, 0, sizeof *spec);
    lua_getfield(L, table, "argv");
    spec->argv = push_vector(L);
    if (lua_getfield(L, table, "envp") == LUA_TTABLE)
        spec->envp = push_vector(L);
    spec->cwd = field_string(L, table, "cwd");
    spec->label = field_string(L, table, "label");
    lua_getfield(L, table, "check");
    spec->any_end = lua_isboolean(L, -1) && !lua_toboolean(L, -1);
    lua_pop(L, 1);
    lua_getfield(L, table, "capture");
    spec->capture_bytes = (uint64_t)lua_tointeger(L, -1);
    lua_pop(L, 1);
    spec->timeout_ns = field_ns(L, table, "timeout", TUTTI_FOREVER);
    spec->grace_ns = field_ns(L, table, "grace", UINT64_C(5000000000));
    read_stdin(L, table, spec);
    for (int i = 0; i < 2; i++)
        read_output(L, table, out_names[i], &spec->out[i], lua);
}

/* With what feeds it: `feeder` in the table. Leaves userdata on the stack, which the specs are and point
 * into. */
static void read_spec(lua_State *L, int table, struct tutti__process_spec *spec,
                      struct tutti__lua *lua)
{
    read_one(L, table, spec, lua);
    while (lua_getfield(L, table, "feeder") == LUA_TTABLE) {
        struct tutti__process_spec *feeder = NULL;
        luaL_checkstack(L, 8, "too many programs feed one another");
        table = lua_gettop(L);
        feeder = (struct tutti__process_spec *)lua_newuserdatauv(L, sizeof *feeder, 0);
        read_one(L, table, feeder, lua);
        feeder->out[0] = (struct tutti__process_out){ .kind = TUTTI__STDOUT_PROCESS };
        spec->stdin_kind = TUTTI__STDIN_PROCESS;
        spec->feeder = feeder;
        spec = feeder;
    }
}

/**
 * core.exec(spec, options) -> Task   [-2, +1, v]
 *
 * spec: argv, envp (list of "K=V" or nil), cwd, stdin_*, stdout, stderr, capture, timeout, grace,
 * all checked by the Lua half; it is kept for the messages. options: as for core.start.
 */
static int l_exec(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    struct tutti__process_spec spec;
    tutti_task *task = NULL;
    lua_settop(L, 2);
    struct tutti__record *record = tutti__proxy_new(L, lua);
    tutti__start_options(L, record, 3, 2);
    lua_pushvalue(L, 1);
    tutti__record_set_extra(L, 3, EXTRA_LIST);
    lua_getfield(L, 2, "detach");
    tutti__start_own(L, record, 3, lua_toboolean(L, -1));
    if (tutti__start_is_late(L, record)) {
        lua_settop(L, 3);
        return 1;
    }
    read_spec(L, 1, &spec, lua);
    int rc = tutti__bridge_process(lua->engine, &spec, &task);
    if (rc == TUTTI_OK) {
        bind_streams(&spec, task);
        tutti__proxy_bind(L, record, 3, task);
        tutti__proxy_arm(L, record, 3);
    } else {
        drop_streams(L, &spec);
        tutti__error_push(L, lua, "error", "starting a process: %s", tutti_status_text(rc));
        tutti__record_settle(L, record, TUTTI_TASK_FAILED);
    }
    lua_settop(L, 3);
    return 1;
}

/* Stop the process of a task whose output function failed; the task then fails with that error,
 * which the Lua half has put into the spec. core.exec_stop(task)   [-1, +0, v] */
static int l_exec_stop(lua_State *L)
{
    struct tutti__record *record = tutti__record_check(L, tutti__lua_of(L), 1);
    if (record->task != NULL && !tutti__record_is_settled(record))
        (void)tutti_task_cancel(record->task);
    return 0;
}

/* core.environ() -> list of "K=V", as the environment is now   [-0, +1, m] */
static int l_environ(lua_State *L)
{
    lua_newtable(L);
    for (lua_Integer i = 0; environ != NULL && environ[i] != NULL; i++) {
        lua_pushstring(L, environ[i]);
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

/* ---- results ------------------------------------------------------------------------------ */

/* The name of a signal, "SIGTERM"; real-time ones have numbers: "SIG40". */
static void push_signal(lua_State *L, int number)
{
    const char *name = sigabbrev_np(number);
    if (name != NULL)
        lua_pushfstring(L, "SIG%s", name);
    else
        lua_pushfstring(L, "SIG%d", number);
}

/* Into the table on top. */
static void push_usage(lua_State *L, const struct tutti__process_result *result)
{
    lua_pushnumber(L, (lua_Number)result->cpu_user_ns * 1e-9);
    lua_setfield(L, -2, "cpu_user");
    lua_pushnumber(L, (lua_Number)result->cpu_system_ns * 1e-9);
    lua_setfield(L, -2, "cpu_system");
    if (result->max_rss_bytes > 0) {
        lua_pushinteger(L, (lua_Integer)result->max_rss_bytes);
        lua_setfield(L, -2, "max_rss");
    }
}

int tutti__process_push_result(lua_State *L, const struct tutti__process_result *result)
{
    static const char *const names[2] = { "stdout", "stderr" };
    luaL_checkstack(L, 4, "too many programs feed one another");
    lua_createtable(L, 0, 14);
    if (result->start_errno == 0 && result->status_known && result->signal == 0) {
        lua_pushinteger(L, result->code);
        lua_setfield(L, -2, "code");
    }
    if (result->signal != 0) {
        push_signal(L, result->signal);
        lua_setfield(L, -2, "signal");
    }
    if (result->start_errno != 0) {
        lua_pushstring(L, strerrorname_np(result->start_errno));
        lua_setfield(L, -2, "errno");
    }
    for (int i = 0; i < 2; i++) {
        const char *data = result->out[i].data;
        lua_pushlstring(L, data == NULL ? "" : data, result->out[i].length);
        lua_setfield(L, -2, names[i]);
    }
    lua_pushnumber(L, (lua_Number)result->elapsed_ns * 1e-9);
    lua_setfield(L, -2, "elapsed");
    if (result->status_known)
        push_usage(L, result);
    if (result->pid > 0) {
        lua_pushinteger(L, result->pid);
        lua_setfield(L, -2, "pid");
    }
    lua_pushboolean(L, result->out[0].truncated || result->out[1].truncated);
    lua_setfield(L, -2, "truncated");
    lua_pushboolean(L, result->leaked);
    lua_setfield(L, -2, "leaked");
    if (result->feeder != NULL) {
        (void)tutti__process_push_result(L, result->feeder);
        lua_setfield(L, -2, "from");
    }
    return 1;
}

/* Push a table of what is in no field of the result: why it did not start, its timeout, the end of
 * its stderr. */
static void push_how(lua_State *L, const struct tutti__process_result *result, int status)
{
    const char *tail = result->out[1].tail;
    luaL_checkstack(L, 4, "too many programs feed one another");
    lua_createtable(L, 0, 8);
    if (result->start_errno != 0) {
        lua_pushstring(L, strerrordesc_np(result->start_errno));
        lua_setfield(L, -2, "start_text");
        lua_pushstring(L, result->start_what == NULL ? "program" : result->start_what);
        lua_setfield(L, -2, "start_what");
        lua_pushstring(L, result->start_hint);
        lua_setfield(L, -2, "start_hint");
    }
    lua_pushboolean(L, result->timed_out || status == TUTTI_ETIMEDOUT);
    lua_setfield(L, -2, "timed_out");
    lua_pushboolean(L, result->core_dumped);
    lua_setfield(L, -2, "core_dumped");
    if (tail != NULL)
        lua_pushlstring(L, tail, result->out[1].tail_length);
    else
        lua_pushlstring(L, result->out[1].data == NULL ? "" : result->out[1].data,
                        result->out[1].length);
    lua_setfield(L, -2, "tail");
    lua_pushboolean(L, result->was_stopped);
    lua_setfield(L, -2, "was_stopped");
    if (result->feeder != NULL) {
        push_how(L, result->feeder, TUTTI_OK);
        lua_setfield(L, -2, "from");
    }
}

/* Push the function of the Lua half that says what an end means. A state that has got the task's
 * handle from another one may not have loaded it yet. */
static void push_process_end(lua_State *L, struct tutti__lua *lua)
{
    tutti__lua_helper(L, lua, "process_end");
    if (!lua_isnil(L, -1))
        return;
    lua_pop(L, 1);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "tutti.process");
    lua_call(L, 1, 0);
    tutti__lua_helper(L, lua, "process_end");
}

bool tutti__process_has_failed(lua_State *L, const struct tutti__record *record, int index)
{
    int base = lua_gettop(L);
    if ((record->flags & RECORD_CANCEL) != 0)
        return false;
    tutti__record_get_extra(L, index, EXTRA_LIST);
    bool has = lua_istable(L, -1) && lua_getfield(L, -1, "failure") != LUA_TNIL;
    lua_settop(L, base);
    return has;
}

static void push_spec_of(lua_State *L, const struct tutti__process_result *result)
{
    luaL_checkstack(L, 4, "too many programs feed one another");
    lua_createtable(L, 0, 4);
    lua_pushstring(L, result->label);
    lua_setfield(L, -2, "label");
    lua_pushboolean(L, !result->any_end);
    lua_setfield(L, -2, "check");
    if (result->timeout_ns != TUTTI_FOREVER) {
        lua_pushnumber(L, (lua_Number)result->timeout_ns * 1e-9);
        lua_setfield(L, -2, "timeout");
    }
    if (result->feeder != NULL) {
        push_spec_of(L, result->feeder);
        lua_setfield(L, -2, "feeder");
    }
}

/* Push what the state that started the process has kept of its spec; elsewhere what the result says. */
static void push_spec(lua_State *L, int index, const struct tutti__process_result *result)
{
    tutti__record_get_extra(L, index, EXTRA_LIST);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        push_spec_of(L, result);
    }
}

/* The error on top rose in no frame, unless a function of the script's did raise it: who awaits it is told as
 * that.   [-0, +0, m] */
static void say_nowhere(lua_State *L)
{
    tutti__error_get(L, -1, "stack");
    bool is_nowhere = lua_isnil(L, -1);
    lua_pop(L, 1);
    if (!is_nowhere)
        return;
    lua_pushliteral(L, "");
    tutti__error_set(L, -2, "stack");
}

/* process_end(spec, result, how) returns nil when it is well, or an error object. */
void tutti__process_outcome(lua_State *L, struct tutti__record *record, int index, int status,
                           const tutti_value *value)
{
    const struct tutti__process_result *result =
        (const struct tutti__process_result *)value->as.pointer;
    struct tutti__lua *lua = record->lua;
    struct tutti__record *current = lua->current;
    tutti__process_push_result(L, result);
    int table = lua_gettop(L);
    push_process_end(L, lua);
    push_spec(L, index, result);
    lua_pushvalue(L, table);
    push_how(L, result, status);
    lua->current = record; /* the error says which task it is of */
    int rc = lua_pcall(L, 3, 1, 0);
    lua->current = current;
    if (rc != LUA_OK)
        lua_error(L);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        record->result_count = 1;
        tutti__record_settle(L, record, TUTTI_TASK_DONE);
        return;
    }
    if (record->source != 0) {
        tutti__record_push_place(L, record);
        tutti__error_set(L, -2, "started");
        say_nowhere(L);
    }
    lua_replace(L, table);
    tutti__record_settle(L, record, TUTTI_TASK_FAILED);
}

/* core.is_stream_taken("stdout" | "stderr") -> boolean: has the program put a stream of its own in the place
 * of the one that programs inherit?   [-0, +1, v] */
static int l_is_stream_taken(lua_State *L)
{
    static const char *const names[] = { "stdout", "stderr", NULL };
    FILE *stream = luaL_checkoption(L, 1, NULL, names) == 0 ? stdout : stderr;
    lua_pushboolean(L, fileno(stream) < 0);
    return 1;
}

const luaL_Reg tutti__process_functions[] = {
    { "exec", l_exec },
    { "exec_stop", l_exec_stop },
    { "environ", l_environ },
    { "is_stream_taken", l_is_stream_taken },
    { NULL, NULL },
};
