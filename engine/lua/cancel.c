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
#include "lua/state.h"

#include <stdlib.h>

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
    for (struct tutti__record *child = record->child_first; child != NULL; child = child->sibling_next)
        work_add(L, work, child);
}

/* Make the record's own error object; its userdata is at `index`. */
static void note_cancelled(lua_State *L, struct tutti__record *record, int index, const char *reason)
{
    struct tutti__lua *lua = record->lua;
    struct tutti__record *current = lua->current;
    lua->current = record;
    if (reason != NULL)
        tutti__error_push(L, lua, "cancelled", "cancelled: %s", reason);
    else
        tutti__error_push(L, lua, "cancelled", "cancelled");
    lua->current = current;
    if (reason != NULL) {
        lua_pushstring(L, reason);
        tutti__error_set(L, -2, "reason");
    }
    tutti__record_set_extra(L, index, EXTRA_CANCEL);
}

static void settle_cancelled(lua_State *L, struct tutti__record *record, int index)
{
    struct tutti__waiter *deps = tutti__record_deps(record);
    for (uint32_t i = 0; i < record->deps_count; i++)
        tutti__waiter_unlink(&deps[i]);
    tutti__record_get_extra(L, index, EXTRA_CANCEL);
    tutti__record_settle(L, record, TUTTI_TASK_CANCELLED);
}

static void cancel_gather(lua_State *L, struct work *work, struct tutti__record *record, int index)
{
    if (tutti__gather_cancels(record)) {
        struct tutti__waiter *deps = tutti__record_deps(record);
        for (uint32_t i = 0; i < record->deps_count; i++) {
            if (deps[i].target != NULL)
                work_add(L, work, deps[i].target);
        }
    }
    settle_cancelled(L, record, index);
}

static void cancel_remote(lua_State *L, struct tutti__record *record, int index)
{
    if (record->task == NULL || tutti_task_cancel(record->task) == TUTTI_OK)
        settle_cancelled(L, record, index);
    /* Otherwise it has started (its end will arrive), or its end is on its way already. */
}

static void cancel_local(lua_State *L, struct tutti__record *record, int index)
{
    if ((record->flags & RECORD_STARTED) == 0) {
        settle_cancelled(L, record, index);
    } else if (record->withdraw != NULL) {
        void (*withdraw)(struct tutti__record *) = record->withdraw;
        record->withdraw = NULL;
        withdraw(record);
        record->op = NULL;
        tutti__ready_push(record->lua, record);
    }
    /* Otherwise it runs, is ready, or joins its children, which are being cancelled. */
}

static void cancel_one(lua_State *L, struct work *work, struct tutti__record *record,
                       const char *reason)
{
    if (tutti__record_is_settled(record) || (record->flags & RECORD_CANCEL) != 0)
        return;
    record->flags |= RECORD_CANCEL;
    work_add_children(L, work, record);
    tutti__record_push(L, record);
    int index = lua_gettop(L);
    note_cancelled(L, record, index, reason);
    if (record->kind == RECORD_GATHER)
        cancel_gather(L, work, record, index);
    else if (record->kind == RECORD_REMOTE)
        cancel_remote(L, record, index);
    else if (record->kind == RECORD_LOCAL)
        cancel_local(L, record, index);
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

bool tutti__cancel_is_due(const struct tutti__lua *lua)
{
    return lua->current != NULL && (lua->current->flags & RECORD_CANCEL) != 0;
}

void tutti__checkpoint(lua_State *L, struct tutti__lua *lua)
{
    struct tutti__record *record = lua->current;
    if (record == NULL || (record->flags & RECORD_CANCEL) == 0)
        return;
    tutti__record_push(L, record);
    tutti__record_get_extra(L, -1, EXTRA_CANCEL);
    lua_error(L);
}
