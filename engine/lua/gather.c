/* SPDX-License-Identifier: MIT */
/*
 * gather.c - all, settle, any, race, completed: records that wait for a list of others.
 *
 * Nothing is read from the members until the result is asked for, so telling runs no Lua code.
 *
 * Layer: lua. Thread: the state's home.
 * Invariant: deps[i] is linked in list[i + 1] exactly while the gather has not settled and that member
 * has not either.
 */
#include "lua/cycle.h"
#include "lua/waits.h"

#include <string.h>

enum gather { GATHER_ALL = 1, GATHER_SETTLE, GATHER_ANY, GATHER_RACE, GATHER_COMPLETED };

/* `gather` of the record: one of the above, with this bit when losers are cancelled. */
enum { GATHER_CANCELS = 0x10 };

static enum gather gather_kind(const struct tutti__record *record)
{
    return (enum gather)(record->gather & 0x0f);
}

bool tutti__gather_cancels(const struct tutti__record *record)
{
    return (record->gather & GATHER_CANCELS) != 0;
}

bool tutti__gather_needs_all(const struct tutti__record *record)
{
    return gather_kind(record) == GATHER_SETTLE; /* all ends with the first that fails */
}

/* Stop waiting for the members that are left; cancel them if that was asked for. */
static void let_go(lua_State *L, struct tutti__record *gather, bool cancel)
{
    struct tutti__deps *deps = tutti__record_deps(gather);
    struct tutti__lua *lua = gather->lua;
    bool telling = lua->telling;
    lua->telling = true; /* members must stay held until all have been looked at */
    for (uint32_t i = 0; i < deps->count; i++) {
        struct tutti__record *member = deps->list[i].target;
        if (member == NULL)
            continue;
        tutti__waiter_unlink(&deps->list[i]);
        if (cancel) {
            lua_pushnil(L);
            tutti__record_cancel(L, member);
        }
    }
    lua->telling = telling;
    tutti__settle_tell(L, lua);
}

static void settle_done(lua_State *L, struct tutti__record *gather)
{
    gather->flags |= RECORD_RESULT_LATER;
    lua_pushnil(L);
    tutti__record_settle(L, gather, TUTTI_TASK_DONE);
}

static void settle_with_error_of(lua_State *L, struct tutti__record *gather,
                                 struct tutti__record *member, int member_index)
{
    tutti__record_observe(member);
    if (member->state != TUTTI_TASK_FAILED)
        tutti__record_observe(gather); /* cancelled and skipped need no owner */
    tutti__record_push_error(L, member_index);
    tutti__record_settle(L, gather, TUTTI_TASK_FAILED);
}

/* Every member of an `any` has failed: one error with all of theirs. */
static void settle_all_failed(lua_State *L, struct tutti__record *gather)
{
    struct tutti__lua *lua = gather->lua;
    int base = lua_gettop(L);
    tutti__record_push(L, gather);
    tutti__record_get_extra(L, -1, EXTRA_LIST);
    lua_newtable(L);
    for (uint32_t i = 1; i <= tutti__record_deps(gather)->count; i++) {
        lua_rawgeti(L, -2, i);
        tutti__record_push_error(L, -1);
        lua_rawseti(L, -3, i);
        lua_pop(L, 1);
    }
    struct tutti__record *current = lua->current;
    lua->current = gather;
    tutti__error_push(L, lua, "group", "none of %d tasks succeeded", (int)tutti__record_deps(gather)->count);
    lua->current = current;
    lua_insert(L, -2);
    tutti__error_set(L, -2, "errors");
    lua_replace(L, base + 1);
    lua_settop(L, base + 1);
    tutti__record_settle(L, gather, TUTTI_TASK_FAILED);
}

/* ---- a member has settled ----------------------------------------------------------------- */

static void member_of_all(lua_State *L, struct tutti__record *gather, struct tutti__record *member,
                          int member_index)
{
    if (member->state != TUTTI_TASK_DONE) {
        let_go(L, gather, false);
        settle_with_error_of(L, gather, member, member_index);
    } else if (--tutti__record_deps(gather)->left == 0) {
        settle_done(L, gather);
    }
}

static void member_of_any(lua_State *L, struct tutti__record *gather, struct tutti__record *member,
                          uint32_t at)
{
    tutti__record_observe(member);
    if (member->state == TUTTI_TASK_DONE) {
        tutti__record_deps(gather)->winner = at;
        let_go(L, gather, tutti__gather_cancels(gather));
        settle_done(L, gather);
    } else if (--tutti__record_deps(gather)->left == 0) {
        settle_all_failed(L, gather);
    }
}

static void member_of_race(lua_State *L, struct tutti__record *gather, struct tutti__record *member,
                           int member_index, uint32_t at)
{
    tutti__record_deps(gather)->winner = at;
    let_go(L, gather, tutti__gather_cancels(gather));
    if (member->state == TUTTI_TASK_DONE)
        settle_done(L, gather);
    else
        settle_with_error_of(L, gather, member, member_index);
}

/* Those who wait for the next member are told although the gather itself goes on. */
static void wake_takers(lua_State *L, struct tutti__record *gather)
{
    while (gather->waiters_first != NULL) {
        struct tutti__waiter *waiter = gather->waiters_first;
        tutti__waiter_unlink(waiter);
        tutti__waiter_fire(L, waiter, gather);
    }
}

static void member_of_completed(lua_State *L, struct tutti__record *gather, int member_index)
{
    tutti__record_push(L, gather);
    lua_getiuservalue(L, -1, tutti__record_uv_args(gather));
    lua_pushvalue(L, member_index);
    lua_rawseti(L, -2, ++tutti__record_deps(gather)->collected);
    lua_pop(L, 2);
    tutti__record_deps(gather)->left--;
    wake_takers(L, gather);
}

static void member_settled(lua_State *L, struct tutti__record *gather, uint32_t at,
                           struct tutti__record *member, int member_index)
{
    switch (gather_kind(gather)) {
    case GATHER_ALL:
        member_of_all(L, gather, member, member_index);
        break;
    case GATHER_SETTLE:
        tutti__record_observe(member);
        if (--tutti__record_deps(gather)->left == 0)
            settle_done(L, gather);
        break;
    case GATHER_ANY:
        member_of_any(L, gather, member, at);
        break;
    case GATHER_RACE:
        member_of_race(L, gather, member, member_index, at);
        break;
    case GATHER_COMPLETED:
        member_of_completed(L, gather, member_index);
        break;
    }
}

void tutti__gather_fire(lua_State *L, struct tutti__waiter *waiter, struct tutti__record *target)
{
    struct tutti__record *gather = waiter->owner;
    uint32_t at = (uint32_t)(waiter - tutti__record_deps(gather)->list) + 1;
    if (tutti__record_is_settled(gather))
        return; /* decided while this telling went on */
    tutti__record_push(L, target);
    member_settled(L, gather, at, target, lua_gettop(L));
    lua_pop(L, 1);
}

/* ---- making one --------------------------------------------------------------------------- */

static bool wants_cancel(lua_State *L, int index, const char *name)
{
    if (lua_isnoneornil(L, index))
        return true;
    if (!lua_istable(L, index))
        tutti__usage(L, 1, "tutti.%s: the options must be a table such as { cancel = false }", name);
    bool cancel = true;
    for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING || strcmp(lua_tostring(L, -2), "cancel") != 0)
            tutti__usage(L, 1, "tutti.%s: unknown option \"%s\" (there is: cancel)", name,
                         luaL_tolstring(L, -2, NULL));
        if (!lua_isboolean(L, -1))
            tutti__usage(L, 1, "tutti.%s: option \"cancel\" must be a boolean, got %s", name,
                         luaL_typename(L, -1));
        cancel = lua_toboolean(L, -1);
    }
    return cancel;
}

/* Copy the list at index 1 to the top of the stack, checking each member; returns its length. */
static uint32_t copy_list(lua_State *L, struct tutti__lua *lua, const char *name)
{
    if (!lua_istable(L, 1))
        tutti__usage(L, 1, "tutti.%s: a list of tasks was expected, got %s", name, luaL_typename(L, 1));
    lua_Integer count = (lua_Integer)lua_rawlen(L, 1);
    for (lua_pushnil(L); lua_next(L, 1) != 0; lua_pop(L, 1)) {
        lua_Integer at = lua_isinteger(L, -2) ? lua_tointeger(L, -2) : 0;
        if (at < 1 || at > count)
            tutti__usage(L, 1, "tutti.%s: a list of tasks was expected, but it has the key \"%s\", which is "
                         "no position", name, luaL_tolstring(L, -2, NULL));
    }
    lua_createtable(L, (int)count, 0);
    for (lua_Integer i = 1; i <= count; i++) {
        lua_rawgeti(L, 1, i);
        struct tutti__record *member = tutti__record_test(L, lua, -1);
        if (member == NULL || (member->flags & RECORD_COLLECTED) != 0)
            tutti__usage(L, 1, "tutti.%s: element %d of the list is a %s, not a task", name, (int)i,
                         luaL_typename(L, -1));
        lua_rawseti(L, -2, i);
    }
    return (uint32_t)count;
}

/* Link every member that has not settled. The list is at `list`; the gather is held. */
static void link_pending(lua_State *L, struct tutti__record *gather, int list)
{
    struct tutti__deps *deps = tutti__record_deps(gather);
    for (uint32_t i = 0; i < deps->count; i++) {
        lua_rawgeti(L, list, i + 1);
        struct tutti__record *member = (struct tutti__record *)lua_touserdata(L, -1);
        if (!tutti__record_is_settled(member)) {
            deps->list[i].owner = gather;
            if (member->kind == RECORD_REMOTE)
                tutti__proxy_arm(L, member, -1);
            tutti__waiter_link(&deps->list[i], member);
        }
        lua_pop(L, 1);
    }
}

/* All that are pending are linked before the others are looked at, in the order of the list: one of those
 * may decide, and then the pending ones are let go. */
static void link_members(lua_State *L, struct tutti__record *gather, int list)
{
    const struct tutti__deps *deps = tutti__record_deps(gather);
    link_pending(L, gather, list);
    for (uint32_t i = 0; i < deps->count && !tutti__record_is_settled(gather); i++) {
        if (deps->list[i].target != NULL)
            continue;
        lua_rawgeti(L, list, i + 1);
        struct tutti__record *member = (struct tutti__record *)lua_touserdata(L, -1);
        member_settled(L, gather, i + 1, member, lua_gettop(L));
        lua_pop(L, 1);
    }
}

static struct tutti__record *new_gather(lua_State *L, enum gather kind, const char *name)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    lua_settop(L, 2);
    bool may_cancel = kind == GATHER_ANY || kind == GATHER_RACE || kind == GATHER_COMPLETED;
    bool cancels = may_cancel && wants_cancel(L, 2, name);
    if (!may_cancel && !lua_isnil(L, 2))
        tutti__usage(L, 1, "tutti.%s takes no options", name);
    uint32_t count = copy_list(L, lua, name);
    if (count == 0 && (kind == GATHER_ANY || kind == GATHER_RACE))
        tutti__usage(L, 1, "tutti.%s of an empty list could never settle", name);
    struct tutti__record *gather = tutti__record_new(L, lua, RECORD_GATHER, count, kind == GATHER_COMPLETED);
    gather->gather = (uint8_t)((unsigned)kind | (cancels ? (unsigned)GATHER_CANCELS : 0u));
    gather->state = TUTTI_TASK_WAITING;
    tutti__record_deps(gather)->left = count;
    lua_pushvalue(L, 3);
    tutti__record_set_extra(L, 4, EXTRA_LIST);
    lua_pushstring(L, name);
    tutti__record_set_name(L, 4);
    tutti__record_note_place(L, gather, 1);
    tutti__record_hold(L, gather, 4);
    return gather;
}

static int gather(lua_State *L, enum gather kind, const char *name)
{
    struct tutti__record *record = new_gather(L, kind, name);
    struct tutti__lua *lua = record->lua;
    tutti__record_adopt(tutti__owner(lua), record);
    bool telling = lua->telling;
    lua->telling = true;
    if (tutti__record_deps(record)->count == 0)
        settle_done(L, record);
    else
        link_members(L, record, 3);
    lua->telling = telling;
    tutti__settle_tell(L, lua);
    lua_settop(L, 4);
    return 1;
}

/* tutti.all(list) -> Task   [-1, +1, v] */
static int l_all(lua_State *L)
{
    return gather(L, GATHER_ALL, "all");
}

/* tutti.settle(list) -> Task   [-1, +1, v] */
static int l_settle(lua_State *L)
{
    return gather(L, GATHER_SETTLE, "settle");
}

/* tutti.any(list, [opts]) -> Task   [-2, +1, v] */
static int l_any(lua_State *L)
{
    return gather(L, GATHER_ANY, "any");
}

/* tutti.race(list, [opts]) -> Task   [-2, +1, v] */
static int l_race(lua_State *L)
{
    return gather(L, GATHER_RACE, "race");
}

/* ---- completed ---------------------------------------------------------------------------- */

struct tutti__record *tutti__gather_taken_from(const struct tutti__record *record)
{
    return record->waits_for == WAITS_FOR_MEMBER ? record->await.target : NULL;
}

static bool has_next(void *user)
{
    const struct tutti__record *gather = (const struct tutti__record *)user;
    const struct tutti__deps *deps = tutti__record_deps(gather);
    return deps->winner < deps->collected || deps->left == 0 || tutti__record_is_settled(gather);
}

static int next_continue(lua_State *L, int status, lua_KContext context);

/* The next member that has settled, or nil after the last. Stack: [1] the gather. */
static int next_completed(lua_State *L, struct tutti__record *gather)
{
    struct tutti__deps *deps = tutti__record_deps(gather);
    if (deps->winner < deps->collected) {
        lua_getiuservalue(L, 1, tutti__record_uv_args(gather));
        lua_rawgeti(L, -1, ++deps->winner);
        return 1;
    }
    if (deps->left == 0 || tutti__record_is_settled(gather)) {
        lua_pushnil(L);
        return 1;
    }
    struct tutti__record *me = tutti__wait_check(L, gather->lua, "tutti.completed");
    if (me == NULL) {
        if (!tutti__block_on(gather->lua, has_next, gather))
            return tutti__block_refused(L);
        return next_completed(L, gather);
    }
    tutti__waiter_link(&me->await, gather);
    tutti__cycle_wait(L, me);
    return tutti__wait(L, WAITS_FOR_MEMBER, NULL, 0, next_continue);
}

static int next_continue(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    tutti__checkpoint(L, tutti__lua_of(L));
    if (tutti__cycle_take_error(L, tutti__lua_of(L)))
        return lua_error(L);
    return next_completed(L, (struct tutti__record *)lua_touserdata(L, 1));
}

/* core.completed_new(list, [opts]) -> gather   [-2, +1, v] */
static int l_completed_new(lua_State *L)
{
    struct tutti__record *record = new_gather(L, GATHER_COMPLETED, "completed");
    lua_createtable(L, (int)tutti__record_deps(record)->count, 0);
    lua_setiuservalue(L, 4, tutti__record_uv_args(record));
    link_members(L, record, 3);
    lua_settop(L, 4);
    return 1;
}

/* core.completed_next(gather) -> Task | nil   [-1, +1, y] */
static int l_completed_next(lua_State *L)
{
    struct tutti__record *record = tutti__record_check(L, tutti__lua_of(L), 1);
    lua_settop(L, 1);
    return next_completed(L, record);
}

/* core.completed_close(gather): the loop was left   [-1, +0, m] */
static int l_completed_close(lua_State *L)
{
    struct tutti__record *record = tutti__record_check(L, tutti__lua_of(L), 1);
    if (tutti__record_is_settled(record))
        return 0;
    let_go(L, record, tutti__gather_cancels(record));
    struct tutti__deps *deps = tutti__record_deps(record);
    deps->collected = deps->winner; /* what was not taken is not handed out any more */
    lua_pushnil(L);
    tutti__record_settle(L, record, TUTTI_TASK_DONE);
    return 0;
}

/* ---- results ------------------------------------------------------------------------------ */

static void push_outcome(lua_State *L, struct tutti__record *member, int member_index)
{
    bool ok = member->state == TUTTI_TASK_DONE;
    lua_createtable(L, 0, 2);
    lua_pushboolean(L, ok);
    lua_setfield(L, -2, "ok");
    if (ok)
        tutti__record_push_results(L, member, member_index, true);
    else
        tutti__record_push_error(L, member_index);
    lua_setfield(L, -2, ok ? "value" : "error");
}

int tutti__gather_push_results(lua_State *L, struct tutti__record *gather, int index)
{
    tutti__record_get_extra(L, index, EXTRA_LIST);
    int list = lua_gettop(L);
    const struct tutti__deps *deps = tutti__record_deps(gather);
    if (deps->winner != 0) {
        lua_rawgeti(L, list, deps->winner);
        struct tutti__record *member = (struct tutti__record *)lua_touserdata(L, -1);
        int count = tutti__record_push_results(L, member, list + 1, false);
        lua_rotate(L, list, count);
        lua_pop(L, 2);
        return count;
    }
    bool whole = gather_kind(gather) == GATHER_SETTLE;
    lua_createtable(L, (int)deps->count, 0);
    for (uint32_t i = 1; i <= deps->count; i++) {
        lua_rawgeti(L, list, i);
        int at = lua_gettop(L);
        struct tutti__record *member = (struct tutti__record *)lua_touserdata(L, at);
        if (whole)
            push_outcome(L, member, at);
        else
            tutti__record_push_results(L, member, at, true);
        lua_rawseti(L, list + 1, i);
        lua_settop(L, list + 1);
    }
    lua_remove(L, list);
    return 1;
}

const luaL_Reg tutti__gather_functions[] = {
    { "all", l_all },
    { "settle", l_settle },
    { "any", l_any },
    { "race", l_race },
    { "completed_new", l_completed_new },
    { "completed_next", l_completed_next },
    { "completed_close", l_completed_close },
    { NULL, NULL },
};
