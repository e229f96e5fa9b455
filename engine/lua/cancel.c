/* SPDX-License-Identifier: MIT */
/*
 * cancel.c - cancellation: flows down, level-triggered.
 *
 * What has not started settles at once; a suspended task is made ready and raises in its wait; one that
 * runs raises at its next checkpoint; an engine task is told through its own cancel.
 *
 * Layer: lua. Thread: the state's home.
 * Invariant: no record is settled twice; telling is held back while records are on the work list.
 */
#include "lua/cancellation.h"
#include "lua/cycle.h"
#include "lua/interrupt.h"
#include "lua/scope.h"

#include <stdlib.h>
#include <string.h>

/* Records still to be cancelled. Their slots hold them: telling is deferred meanwhile. */
struct work {
    struct tutti__record **items;
    size_t count;
    size_t size;
};

static void work_add(lua_State *L, struct work *work, struct tutti__record *record)
{
    if (work->count == work->size) {
        size_t size = work->size == 0 ? 64 : work->size * 2;
        struct tutti__record **items =
            (struct tutti__record **)realloc((void *)work->items, size * sizeof *items);
        if (items == NULL) {
            free((void *)work->items);
            luaL_error(L, "not enough memory to cancel %d tasks", (int)size);
            return;
        }
        work->items = items;
        work->size = size;
    }
    work->items[work->count++] = record;
}

static void work_add_children(lua_State *L, struct work *work, struct tutti__record *record)
{
    for (struct tutti__record *child = record->child_first; child != NULL; child = child->sibling_next) {
        if (child->kind != RECORD_SCOPE || !tutti__scope_of(child)->is_shield)
            work_add(L, work, child); /* what is below a shield waits for the shield's end */
    }
}

static void settle_cancelled(lua_State *L, struct tutti__record *record, int index)
{
    tutti__record_unlink_deps(record);
    tutti__record_get_extra(L, index, EXTRA_CANCEL);
    tutti__record_settle(L, record, TUTTI_TASK_CANCELLED);
}

static void cancel_gather(lua_State *L, struct work *work, struct tutti__record *record, int index)
{
    if (tutti__gather_cancels(record)) {
        struct tutti__deps *deps = tutti__record_deps(record);
        for (uint32_t i = 0; i < deps->count; i++) {
            if (deps->list[i].target != NULL)
                work_add(L, work, deps->list[i].target);
        }
    }
    settle_cancelled(L, record, index);
}

/* The engine's task is told why, for its home and all who await it elsewhere. */
static int cancel_task(tutti_task *task, const char *reason)
{
    char *copy = reason == NULL ? NULL : strdup(reason); /* without memory: the same with no reason */
    int rc = tutti__task_cancel_for(task, &copy);
    free(copy);
    return rc;
}

static void cancel_remote(lua_State *L, struct tutti__record *record, int index, const char *reason)
{
    tutti__wait_withdraw(record); /* it is in a list of its own kind: see signal.c */
    if (record->task == NULL || cancel_task(record->task, reason) == TUTTI_OK)
        settle_cancelled(L, record, index);
    /* Otherwise it has started (its end will arrive), or its end is on its way already. */
}

/* What the task's checkpoints raise may have changed: if it waits, it goes on to raise it. Otherwise it
 * runs, is ready, or joins its children, which are being cancelled. */
static void wake(struct tutti__record *task)
{
    tutti__cancel_refresh(task);
    if ((task->flags & RECORD_LIVE) == 0 || task->waits_for == WAITS_FOR_NOTHING)
        return;
    tutti__wait_withdraw(task);
    task->op = NULL;
    tutti__ready_push(task->lua, task);
}

static void cancel_local(lua_State *L, struct tutti__record *record, int index)
{
    if ((record->flags & RECORD_STARTED) == 0)
        settle_cancelled(L, record, index);
    else
        wake(record);
}

static void cancel_scope(struct tutti__record *record)
{
    struct tutti__scope *scope = tutti__scope_of(record);
    if (scope->cause == CAUSE_NONE)
        scope->cause = CAUSE_OUTER;
    if (!scope->is_abandoned)
        wake(record->scope);
}

static void cancel_one(lua_State *L, struct work *work, struct tutti__record *record,
                       const char *reason)
{
    if (tutti__record_is_settled(record) || (record->flags & RECORD_CANCEL) != 0)
        return;
    record->flags |= RECORD_CANCEL;
    tutti__cycle_taken_back(record->lua);
    work_add_children(L, work, record);
    tutti__record_push(L, record);
    int index = lua_gettop(L);
    tutti__cancellation_push(L, record, reason);
    tutti__record_set_extra(L, index, EXTRA_CANCEL);
    if (record->kind == RECORD_GATHER)
        cancel_gather(L, work, record, index);
    else if (record->kind == RECORD_REMOTE)
        cancel_remote(L, record, index, reason);
    else if (record->kind == RECORD_LOCAL)
        cancel_local(L, record, index);
    else if (record->kind == RECORD_SCOPE)
        cancel_scope(record);
    lua_settop(L, index - 1);
}

static void cancel_all(lua_State *L, struct tutti__lua *lua, struct work *work, const char *reason)
{
    bool telling = lua->telling;
    luaL_checkstack(L, 32, "to cancel tasks");
    lua->telling = true;
    while (work->count > 0)
        cancel_one(L, work, work->items[--work->count], reason);
    lua->telling = telling;
    free((void *)work->items);
    tutti__settle_tell(L, lua);
}

void tutti__record_cancel(lua_State *L, struct tutti__record *record)
{
    struct work work = { NULL, 0, 0 };
    const char *reason = lua_isnoneornil(L, -1) ? NULL : luaL_tolstring(L, -1, NULL);
    int base = lua_gettop(L) - (reason == NULL ? 1 : 2);
    work_add(L, &work, record);
    cancel_all(L, record->lua, &work, reason);
    lua_settop(L, base);
}

void tutti__cancel_children(lua_State *L, struct tutti__record *record, const char *reason)
{
    struct work work = { NULL, 0, 0 };
    work_add_children(L, &work, record);
    cancel_all(L, record->lua, &work, reason);
}

void tutti__cancel_background(lua_State *L, struct tutti__record *record)
{
    tutti__cancel_children(L, record, "nothing but tutti.every and tutti.signal was left");
}

/* ---- what is live ------------------------------------------------------------------------- */

/* The outermost cancelled record on the task's stack, as far as no shield lies below it; or NULL. */
struct tutti__record *tutti__cancel_source(struct tutti__record *task)
{
    struct tutti__record *source = NULL;
    for (struct tutti__record *at = task->scope; at != NULL; at = tutti__scope_of(at)->below) {
        if ((at->flags & RECORD_CANCEL) != 0)
            source = at;
        if (tutti__scope_of(at)->is_shield)
            return source;
    }
    return (task->flags & RECORD_CANCEL) != 0 ? task : source;
}

void tutti__cancel_refresh(struct tutti__record *task)
{
    bool was_live = (task->flags & RECORD_LIVE) != 0;
    if (tutti__cancel_source(task) == NULL) {
        task->flags &= ~(uint32_t)RECORD_LIVE;
        return;
    }
    task->flags |= RECORD_LIVE;
    if (!was_live && task == task->lua->current)
        tutti__interrupt_live(task->lua);
}

static bool is_of(lua_State *L, struct tutti__record *record, int error)
{
    if ((record->flags & RECORD_CANCEL) == 0)
        return false;
    tutti__scope_push(L, record);
    tutti__record_get_extra(L, -1, EXTRA_CANCEL);
    bool is = lua_rawequal(L, -1, error);
    lua_pop(L, 2);
    return is;
}

bool tutti__cancel_is_live(lua_State *L, const struct tutti__lua *lua, int index)
{
    struct tutti__record *task = lua->current;
    if (!tutti__cancel_is_due(lua) || lua_type(L, index) != LUA_TUSERDATA)
        return false;
    index = lua_absindex(L, index);
    luaL_checkstack(L, 4, "to look at an error");
    for (struct tutti__record *at = task->scope; at != NULL; at = tutti__scope_of(at)->below) {
        if (is_of(L, at, index))
            return true;
        if (tutti__scope_of(at)->is_shield)
            return false;
    }
    return is_of(L, task, index);
}

void tutti__checkpoint(lua_State *L, struct tutti__lua *lua)
{
    if (!tutti__cancel_is_due(lua))
        return;
    struct tutti__record *source = tutti__cancel_source(lua->current);
    tutti__scope_push(L, source);
    tutti__record_get_extra(L, -1, EXTRA_CANCEL);
    tutti__interrupt_raised(lua, source);
    lua_error(L);
}
