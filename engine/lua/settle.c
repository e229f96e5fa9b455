/* SPDX-License-Identifier: MIT */
/*
 * settle.c - how a record ends: the body's outcome, the implicit join, the owner of a failure, and the
 * telling of everybody who waits.
 *
 * Layer: lua. Thread: the state's home.
 * Invariant: a record settles once; telling is iterative (a chain of a million needs no stack).
 */
#include "lua/cleanup.h"
#include "lua/cycle.h"
#include "lua/graph.h"
#include "lua/scope.h"
#include "lua/start.h"

#include <string.h>

#include "lua/supervise.h"
#include "lua/trace.h"

/* ---- telling ------------------------------------------------------------------------------ */

static void leave_parent(struct tutti__record *record)
{
    if (record->sibling_prev != NULL)
        record->sibling_prev->sibling_next = record->sibling_next;
    else
        record->parent->child_first = record->sibling_next;
    if (record->sibling_next != NULL)
        record->sibling_next->sibling_prev = record->sibling_prev;
    record->sibling_next = NULL;
    record->sibling_prev = NULL;
    record->parent = NULL;
}

/* A failure with nobody waiting is said at once, in one line; whose child it was tells who says it. The
 * record is at `index`. */
static void report(lua_State *L, struct tutti__record *parent, struct tutti__record *record, int index)
{
    struct tutti__lua *lua = record->lua;
    if ((record->flags & RECORD_SCRIPT) != 0)
        return; /* the program reports it whole */
    tutti__lua_helper(L, lua, "report");
    if (!lua_isfunction(L, -1)) {
        lua_pop(L, 1);
        return;
    }
    lua_pushvalue(L, index);
    tutti__record_push_error(L, index);
    if (parent->kind == RECORD_ROOT)
        lua_pushnil(L);
    else
        tutti__scope_push(L, parent);
    if (lua_pcall(L, 3, 0, 0) != LUA_OK)
        lua_pop(L, 1);
}

/* The parent keeps the handle: at its end it fails for those that still nobody has awaited. A scope that
 * ends with its first failure awaits all of them, and ends now. */
static void own_failure(lua_State *L, struct tutti__record *parent, struct tutti__record *record,
                        int index)
{
    bool strict = record->kind != RECORD_GATHER && tutti__scope_is_strict(parent);
    if (!strict) {
        if (tutti__record_is_observed(record))
            return;
        report(L, parent, record, index);
    }
    lua_pushvalue(L, index);
    tutti__outcome_leave(L, parent);
    if (strict)
        tutti__scope_child_failed(L, parent, index);
}

static void join_end(lua_State *L, struct tutti__record *record);

static void tell_parent(lua_State *L, struct tutti__record *record, int index)
{
    struct tutti__record *parent = record->parent;
    if (parent == NULL)
        return;
    leave_parent(record);
    if ((parent->flags & RECORD_RUNS_GRAPH) != 0)
        tutti__graph_ended(L, parent, record, index);
    else if ((parent->flags & RECORD_SUPERVISES) != 0)
        tutti__supervise_ended(L, parent, record, index);
    if (record->state == TUTTI_TASK_FAILED && (record->flags & RECORD_ADOPTED) == 0)
        own_failure(L, parent, record, index);
    if (parent->kind == RECORD_SCOPE)
        tutti__scope_child_ended(L, parent);
    if ((parent->flags & RECORD_JOINING) == 0)
        return;
    if (parent->child_first == NULL && parent->kind != RECORD_ROOT)
        join_end(L, parent);
    else if (tutti__record_may_end(parent))
        tutti__cancel_background(L, parent);
}

/* Its userdata is at `index`, the slots table below it. */
static void tell(lua_State *L, struct tutti__record *record, int index)
{
    if (tutti__trace_is_on(record->lua))
        tutti__trace_task_ends(L, record, index);
    while (record->waiters_first != NULL) {
        struct tutti__waiter *waiter = record->waiters_first;
        tutti__waiter_unlink(waiter);
        tutti__waiter_fire(L, waiter, record);
    }
    if (record->kind != RECORD_REMOTE && record->task != NULL)
        tutti__export_settle(L, record, index);
    tell_parent(L, record, index);
    record->flags &= ~(uint32_t)RECORD_QUEUED;
    tutti__record_release_from(L, record, index - 1);
}

void tutti__settle_tell(lua_State *L, struct tutti__lua *lua)
{
    if (lua->telling)
        return;
    luaL_checkstack(L, TUTTI__RUN_STACK, "to settle tasks");
    int top = lua_gettop(L);
    lua->telling = true;
    while (lua->settled_first != NULL) {
        struct tutti__record *record = lua->settled_first;
        lua->settled_first = record->ready_next;
        if (lua->settled_first == NULL)
            lua->settled_last = NULL;
        tell(L, record, tutti__record_push_slots(L, record));
        lua_settop(L, top);
    }
    lua->telling = false;
}

/* Pop the outcome into UV_BODY, in the place of the coroutine, and let go of the arguments. */
static void store_outcome(lua_State *L, struct tutti__record *record)
{
    tutti__record_push(L, record);
    lua_insert(L, -2);
    lua_setiuservalue(L, -2, UV_BODY);
    lua_pushnil(L);
    lua_setiuservalue(L, -2, tutti__record_uv_args(record));
    tutti__start_drop_after(L, record, lua_gettop(L));
    lua_pop(L, 1);
}

void tutti__record_settle(lua_State *L, struct tutti__record *record, enum tutti_task_state state)
{
    struct tutti__lua *lua = record->lua;
    if (record->kind == RECORD_REMOTE && (record->flags & RECORD_RESULT_LATER) != 0)
        lua_pop(L, 1); /* it holds nothing yet, and nothing to let go of */
    else
        store_outcome(L, record);
    record->state = (uint8_t)state;
    record->waits_for = WAITS_FOR_NOTHING;
    record->flags |= RECORD_QUEUED;
    if ((record->flags & RECORD_IN_READY) != 0)
        tutti__ready_remove(lua, record);
    record->ready_next = NULL;
    if (lua->settled_last != NULL)
        lua->settled_last->ready_next = record;
    else
        lua->settled_first = record;
    lua->settled_last = record;
    tutti__settle_tell(L, lua);
}

/* ---- the outcome -------------------------------------------------------------------------- */

static bool is_own_cancellation(lua_State *L, int index, int error)
{
    tutti__record_get_extra(L, index, EXTRA_CANCEL);
    bool same = lua_rawequal(L, -1, error);
    lua_pop(L, 1);
    return same;
}

/* The children have ended; the record's UV_BODY has what the body gave. Its userdata is at `index`. */
static void settle_outcome(lua_State *L, struct tutti__record *record, int index)
{
    bool failed = (record->flags & RECORD_BODY_FAILED) != 0;
    bool cancelled = (record->flags & RECORD_CANCEL) != 0;
    lua_getiuservalue(L, index, UV_BODY);
    int outcome = lua_gettop(L);
    if (cancelled && (!failed || is_own_cancellation(L, index, outcome))) {
        lua_pop(L, 1);
        tutti__record_get_extra(L, index, EXTRA_CANCEL);
        tutti__outcome_failures(L, record, index);
        if (lua_isnil(L, -1))
            lua_pop(L, 1);
        else
            tutti__error_set(L, -2, "errors");
        tutti__record_settle(L, record, TUTTI_TASK_CANCELLED);
        return;
    }
    tutti__outcome_failures(L, record, index);
    bool children_failed = !lua_isnil(L, -1);
    if (!children_failed) {
        lua_pop(L, 1);
    } else if (failed) {
        tutti__outcome_add(L);
    } else {
        tutti__outcome_group(L, record);
        lua_remove(L, outcome);
    }
    tutti__record_settle(L, record,
                         failed || children_failed ? TUTTI_TASK_FAILED : TUTTI_TASK_DONE);
}

static void join_end(lua_State *L, struct tutti__record *record)
{
    if (record->kind == RECORD_SCOPE) {
        tutti__scope_joined(L, record);
        return;
    }
    if (record->co != NULL) { /* still in its coroutine, which goes on */
        tutti__cleanup_joined(record);
        return;
    }
    tutti__record_push(L, record);
    int index = lua_gettop(L);
    record->flags &= ~(uint32_t)RECORD_JOINING;
    settle_outcome(L, record, index);
    lua_settop(L, index - 1);
}

void tutti__record_body_ended(lua_State *L, struct tutti__record *record, bool failed)
{
    store_outcome(L, record);
    record->co = NULL;
    record->state = TUTTI_TASK_SUSPENDED;
    record->flags |= RECORD_JOINING | (failed ? (uint32_t)RECORD_BODY_FAILED : 0u);
    if (record->child_first == NULL) {
        join_end(L, record);
        return;
    }
    tutti__cycle_wait(L, record);
    tutti__scope_abandon_within(L, record);
    tutti__supervise_joined(record);
    if (failed || (record->flags & RECORD_CANCEL) != 0)
        tutti__cancel_children(L, record, failed ? "the task that started it failed" : NULL);
    else if (tutti__record_may_end(record))
        tutti__cancel_background(L, record);
}

/* Is the outcome of the body that of the task, to be told now? */
static bool ends_at_once(const struct tutti__record *record)
{
    const uint32_t special = RECORD_ANSWERS | RECORD_AFTER | RECORD_IN_READY;
    return record->child_first == NULL && (record->flags & special) == 0 && !record->lua->telling;
}

/* Such a task has ended; its outcome is on top of the stack. */
static void end_at_once(lua_State *L, struct tutti__record *record, int index, enum tutti_task_state state)
{
    struct tutti__lua *lua = record->lua;
    record->co = NULL;
    lua_setiuservalue(L, index, UV_BODY);
    record->state = (uint8_t)state;
    record->flags |= RECORD_QUEUED;
    lua->telling = true;
    tell(L, record, index);
    lua->telling = false;
    if (lua->settled_first != NULL)
        tutti__settle_tell(L, lua);
}

void tutti__record_returned(lua_State *L, struct tutti__record *record, int index)
{
    if ((record->flags & RECORD_CANCEL) == 0 && ends_at_once(record))
        end_at_once(L, record, index, TUTTI_TASK_DONE);
    else
        tutti__record_body_ended(L, record, false);
}

void tutti__record_raised(lua_State *L, struct tutti__record *record, int index)
{
    if ((record->flags & RECORD_CANCEL) != 0 && ends_at_once(record)
        && is_own_cancellation(L, index, lua_gettop(L)))
        end_at_once(L, record, index, TUTTI_TASK_CANCELLED);
    else
        tutti__record_body_ended(L, record, true);
}

/* ---- skipped ------------------------------------------------------------------------------ */

void tutti__record_skip(lua_State *L, struct tutti__record *record)
{
    struct tutti__lua *lua = record->lua;
    struct tutti__record *current = lua->current;
    int cause = lua_gettop(L);
    /* What was skipped itself hands the root failure on. */
    tutti__error_get(L, cause, "kind");
    const char *kind = lua_tostring(L, -1);
    if (kind != NULL && strcmp(kind, "skipped") == 0) {
        tutti__error_get(L, cause, "cause");
        if (!lua_isnil(L, -1))
            lua_replace(L, cause);
    }
    lua_settop(L, cause);
    tutti__error_get(L, cause, "task");
    tutti__error_get(L, cause, "message");
    lua->current = record;
    const char *task = lua_tostring(L, -2);
    tutti__error_push(L, lua, "skipped", "skipped, because task \"%s\" did not succeed: %s",
                      task == NULL ? "?" : task, luaL_tolstring(L, -1, NULL));
    lua->current = current;
    lua_pushvalue(L, cause);
    tutti__error_set(L, -2, "cause");
    lua_replace(L, cause);
    lua_settop(L, cause);
    tutti__record_settle(L, record, TUTTI_TASK_SKIPPED);
}

/* ---- reading ------------------------------------------------------------------------------ */

void tutti__record_push_error(lua_State *L, int index)
{
    lua_getiuservalue(L, index, UV_BODY);
}

static int push_later(lua_State *L, struct tutti__record *record, int index)
{
    int base = lua_gettop(L);
    int count = record->kind == RECORD_GATHER
        ? tutti__gather_push_results(L, record, index)
        : tutti__proxy_push_results(L, record->lua, record->task, false);
    if (count == 1) {
        lua_pushvalue(L, -1);
    } else {
        lua_createtable(L, count, 0);
        for (int i = 1; i <= count; i++) {
            lua_pushvalue(L, base + i);
            lua_rawseti(L, -2, i);
        }
    }
    lua_setiuservalue(L, index, UV_BODY);
    lua_settop(L, base);
    record->result_count = (uint32_t)count;
    record->flags &= ~(uint32_t)RECORD_RESULT_LATER;
    return count;
}

int tutti__record_push_results(lua_State *L, struct tutti__record *record, int index, bool only_first)
{
    index = lua_absindex(L, index);
    if ((record->flags & RECORD_RESULT_LATER) != 0)
        push_later(L, record, index);
    int count = (int)record->result_count;
    if (count <= 1) {
        if (count == 0 && !only_first)
            return 0;
        lua_getiuservalue(L, index, UV_BODY); /* nil when there is none */
        return 1;
    }
    lua_getiuservalue(L, index, UV_BODY);
    int table = lua_gettop(L);
    int wanted = only_first ? 1 : count;
    luaL_checkstack(L, wanted + 1, "too many results");
    for (int i = 1; i <= wanted; i++)
        lua_rawgeti(L, table, i);
    lua_remove(L, table);
    return wanted;
}
