/* SPDX-License-Identifier: MIT */
/*
 * proxy.c - REMOTE records: what stands in this state for a task of the engine.
 *
 * A proxy has at most one edge into the engine (its watch), armed when somebody first waits or when the
 * task belongs to a parent here. The edge ends in a post to this state's home.
 *
 * Layer: lua. Thread: the state's home.
 * Invariant: a proxy holds one reference on its task until its handle is collected.
 */
#include "lua/proxy.h"

#include <stdlib.h>
#include <string.h>

#include "lua/cancellation.h"
#include "lua/door.h"
#include "lua/process.h"
#include "lua/worker.h"

/* The edge into the engine. Apart from the record, since it may outlive it: a state can be closed while
 * the post is on its way. */
struct tutti__edge_home {
    struct tutti__watch watch;
    struct tutti__record *record; /* [home] NULL: the state is gone */
};

struct tutti__record *tutti__proxy_new(lua_State *L, struct tutti__lua *lua)
{
    struct tutti__record *record = tutti__record_new(L, lua, RECORD_REMOTE, 0, false);
    record->state = TUTTI_TASK_WAITING;
    return record;
}

void tutti__proxy_bind(lua_State *L, struct tutti__record *record, int index, tutti_task *task)
{
    index = lua_absindex(L, index);
    record->task = task;
    lua_rawgeti(L, LUA_REGISTRYINDEX, record->lua->ref_tasks);
    lua_pushvalue(L, index);
    lua_rawsetp(L, -2, task);
    lua_pop(L, 1);
    if ((record->flags & RECORD_ADOPTED) != 0)
        tutti__shared_give_to_root(L, record, index);
}

struct tutti__record *tutti__proxy_push(lua_State *L, struct tutti__lua *lua, tutti_task *task)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, lua->ref_tasks);
    lua_rawgetp(L, -1, task);
    lua_remove(L, -2);
    if (!lua_isnil(L, -1))
        return (struct tutti__record *)lua_touserdata(L, -1);
    lua_pop(L, 1);
    struct tutti__record *record = tutti__proxy_new(L, lua);
    tutti_task_ref(task);
    tutti__proxy_bind(L, record, -1, task);
    return record;
}

/* ---- arming ------------------------------------------------------------------------------- */

static int arrived(lua_State *L)
{
    struct tutti__record *record = (struct tutti__record *)lua_touserdata(L, 1);
    record->flags &= ~(uint32_t)RECORD_ARMED;
    if (tutti__record_is_settled(record))
        tutti__record_release(L, record);
    else
        tutti__proxy_settle(L, record);
    return 0;
}

static void on_post(struct tutti__post *post)
{
    struct tutti__edge_home *edge =
        (struct tutti__edge_home *)(void *)((char *)post - offsetof(struct tutti__watch, post));
    struct tutti__record *record = edge->record;
    if (record == NULL) {
        free(edge);
        return;
    }
    tutti__spares_give(&record->lua->edges, edge, record->lua->has_ended);
    record->edge = NULL;
    (void)tutti__door(record->lua, arrived, record);
}

void tutti__proxy_arm(lua_State *L, struct tutti__record *record, int index)
{
    if ((record->flags & RECORD_ARMED) != 0 || tutti__record_is_settled(record))
        return;
    tutti__record_hold(L, record, index);
    struct tutti__edge_home *edge =
        (struct tutti__edge_home *)tutti__spares_take(&record->lua->edges, sizeof *edge);
    if (edge == NULL) {
        luaL_error(L, "not enough memory to wait for a task");
        return;
    }
    edge->record = record;
    edge->watch.post.fn = on_post;
    edge->watch.home = record->lua->home;
    record->edge = edge;
    record->flags |= RECORD_ARMED;
    if (tutti__bridge_watch(record->task, &edge->watch))
        return;
    /* It has settled already: the same way in, one round later, so that order does not depend on it. */
    tutti__home_post(edge->watch.home, &edge->watch.post);
}

void tutti__proxy_forget(struct tutti__record *record)
{
    if (record->kind != RECORD_REMOTE)
        return;
    if (record->edge != NULL)
        record->edge->record = NULL;
    record->edge = NULL;
    record->flags &= ~(uint32_t)RECORD_ARMED;
}

void tutti__proxy_abandon(struct tutti__record *record)
{
    struct tutti__record *proxy = (struct tutti__record *)record->op;
    tutti__waiter_unlink(&record->await);
    (void)tutti_task_cancel(proxy->task);
}

/* ---- outcomes ----------------------------------------------------------------------------- */

static int decode_buffer(lua_State *L)
{
    struct tutti__buffer *buffer = (struct tutti__buffer *)lua_touserdata(L, 1);
    struct tutti__decode_opts opts = { .ops = &tutti__lua_value_ops, .env_index = 0 };
    lua_settop(L, 0);
    return tutti__value_decode(L, buffer, &opts);
}

int tutti__proxy_push_value(lua_State *L, const tutti_value *value)
{
    switch (value->kind) {
    case TUTTI_BOOL:
        lua_pushboolean(L, value->as.boolean);
        return 1;
    case TUTTI_INT:
        lua_pushinteger(L, value->as.integer);
        return 1;
    case TUTTI_DOUBLE:
        lua_pushnumber(L, value->as.number);
        return 1;
    case TUTTI_BYTES:
        lua_pushlstring(L, (const char *)value->as.pointer, value->more.length);
        return 1;
    case TUTTI_OPAQUE:
        if (value->tag == TUTTI__TAG_LUA) {
            int base = lua_gettop(L);
            lua_pushcfunction(L, decode_buffer);
            lua_pushlightuserdata(L, value->as.pointer);
            lua_call(L, 1, LUA_MULTRET);
            return lua_gettop(L) - base;
        }
        if (value->tag == TUTTI__TAG_PROCESS)
            return tutti__process_push_result(L, (const struct tutti__process_result *)value->as.pointer);
        lua_pushlightuserdata(L, value->as.pointer);
        return 1;
    default:
        return 0;
    }
}

int tutti__proxy_push_results(lua_State *L, struct tutti__lua *lua, tutti_task *task, bool only_first)
{
    const tutti_value *value = NULL;
    if (task == NULL)
        return luaL_error(L, "the Lua state is being closed: results cannot be read any more");
    (void)lua;
    if (tutti_task_result(task, &value) != TUTTI_OK || value == NULL)
        return 0;
    int base = lua_gettop(L);
    int count = tutti__proxy_push_value(L, value);
    if (!only_first)
        return count;
    lua_settop(L, base + 1);
    return 1;
}

/* Stack: the value a failed task left. Make an error object of it. */
static void push_failure(lua_State *L, struct tutti__record *record, int status,
                         const tutti_value *value)
{
    struct tutti__lua *lua = record->lua;
    int base = lua_gettop(L);
    struct tutti__record *current = lua->current;
    if (value->kind == TUTTI_OPAQUE && value->tag == TUTTI__TAG_LUA) {
        tutti__lua_helper(L, lua, "received_error");
        tutti__proxy_push_value(L, value);
        lua_settop(L, base + 2);
        tutti__record_push(L, record);
        tutti__record_push_place(L, record);
        lua_remove(L, -2);
        lua_call(L, 2, 1);
        return;
    }
    lua->current = record;
    tutti__proxy_push_value(L, value);
    lua_settop(L, base + 1);
    const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : tutti_status_text(status);
    tutti__error_push(L, lua, status == TUTTI_ETIMEDOUT ? "timeout" : "error", "%s", text);
    lua_pushvalue(L, base + 1);
    tutti__error_set(L, -2, "value");
    lua->current = current;
    lua_replace(L, base + 1);
    lua_settop(L, base + 1);
}

static int status_of(tutti_task *task, const tutti_value **value)
{
    static const tutti_value nothing = { .kind = TUTTI_NIL };
    int status = tutti_task_result(task, value);
    if (*value == NULL)
        *value = &nothing;
    return status;
}

static void settle_skipped(lua_State *L, struct tutti__record *record)
{
    struct tutti__lua *lua = record->lua;
    tutti_task *cause = tutti_task_cause(record->task);
    const tutti_value *value = NULL;
    int base = lua_gettop(L);
    if (cause != NULL && cause != record->task) {
        struct tutti__record *root = tutti__proxy_push(L, lua, cause);
        tutti__record_hold(L, root, -1);
        if (!tutti__record_is_settled(root))
            tutti__proxy_settle(L, root);
        if (root->state == TUTTI_TASK_DONE) { /* done here, but its result could not cross */
            int status = status_of(cause, &value);
            push_failure(L, root, status, value);
        } else {
            tutti__record_push_error(L, base + 1);
        }
        tutti__record_release(L, root);
    } else {
        tutti__error_push(L, lua, "cancelled", "cancelled");
    }
    lua_replace(L, base + 1);
    lua_settop(L, base + 1);
    tutti__record_skip(L, record);
}

/* Stack of a protected call: [1] the record, [2] the value that its task left. */
static int push_received(lua_State *L)
{
    push_failure(L, (struct tutti__record *)lua_touserdata(L, 1), TUTTI_ECANCELED,
                 (const tutti_value *)lua_touserdata(L, 2));
    return 1;
}

/* Push the error with which its home has ended it, which has the reason. Returns false if there is none that
 * can be read here: nothing is pushed. */
static bool push_error_of_home(lua_State *L, struct tutti__record *record, const tutti_value *value)
{
    if (value == NULL || value->kind != TUTTI_OPAQUE || value->tag != TUTTI__TAG_LUA)
        return false;
    lua_pushcfunction(L, push_received);
    lua_pushlightuserdata(L, record);
    lua_pushlightuserdata(L, (void *)(uintptr_t)value);
    if (lua_pcall(L, 2, 1, 0) == LUA_OK)
        return true;
    lua_pop(L, 1);
    return false;
}

/* Who has cancelled it here gets what was said here. */
static void settle_cancelled(lua_State *L, struct tutti__record *record, int index, const tutti_value *value)
{
    tutti__record_get_extra(L, index, EXTRA_CANCEL);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        if (!push_error_of_home(L, record, value))
            tutti__cancellation_push(L, record, NULL);
    }
    tutti__record_settle(L, record, TUTTI_TASK_CANCELLED);
}

static void settle_done(lua_State *L, struct tutti__record *record)
{
    record->flags |= RECORD_RESULT_LATER;
    lua_pushnil(L);
    tutti__record_settle(L, record, TUTTI_TASK_DONE);
}

/* Done, as most are, with a result that nobody looks at now: nothing can be wrong with it. */
static bool is_plainly_done(const struct tutti__record *record)
{
    const tutti_value *value = NULL;
    return tutti_task_result(record->task, &value) == TUTTI_OK
        && (value == NULL || value->kind != TUTTI_OPAQUE || value->tag != TUTTI__TAG_PROCESS);
}

/* Stack of a protected call: [1] the record as light userdata. */
static int settle_protected(lua_State *L)
{
    struct tutti__record *record = (struct tutti__record *)lua_touserdata(L, 1);
    const tutti_value *value = NULL;
    int status = tutti_task_result(record->task, &value);
    tutti__record_push(L, record);
    int index = lua_gettop(L);
    if (status == TUTTI_ESKIPPED) {
        settle_skipped(L, record);
    } else if (status == TUTTI_ECANCELED && !tutti__process_has_failed(L, record, index)) {
        settle_cancelled(L, record, index, value);
    } else if (value != NULL && value->kind == TUTTI_OPAQUE && value->tag == TUTTI__TAG_PROCESS) {
        tutti__process_outcome(L, record, index, status, value);
    } else if (status == TUTTI_OK) {
        settle_done(L, record);
    } else {
        push_failure(L, record, status, value);
        tutti__record_settle(L, record, TUTTI_TASK_FAILED);
    }
    return 0;
}

void tutti__proxy_settle(lua_State *L, struct tutti__record *record)
{
    if (is_plainly_done(record)) {
        settle_done(L, record);
        return;
    }
    lua_pushcfunction(L, settle_protected);
    lua_pushlightuserdata(L, record);
    if (lua_pcall(L, 1, 0, 0) == LUA_OK)
        return;
    if (tutti__record_is_settled(record)) {
        lua_pop(L, 1);
        return;
    }
    tutti__error_wrap(L, record->lua, record); /* its error could not be read: say so instead */
    tutti__record_settle(L, record, TUTTI_TASK_FAILED);
}

/* ---- the finaliser ------------------------------------------------------------------------ */

/* Runs when nobody in this state can name the task any more. [-1, +0, -] */
int tutti__proxy_collect(lua_State *L)
{
    struct tutti__record *record = (struct tutti__record *)lua_touserdata(L, 1);
    if (record->slot != 0)
        tutti__lua_end(record->lua); /* only the end of the state collects what is pending */
    tutti_task *task = record->task;
    record->task = NULL;
    record->flags |= RECORD_COLLECTED;
    if (task != NULL)
        tutti_task_unref(task);
    return 0;
}
