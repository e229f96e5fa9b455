/* SPDX-License-Identifier: MIT */
/*
 * scope.c - see scope.h. A scope is one C function on the stack of its task: it runs the body in a
 * protected call, joins the children, and raises or returns what came of it.
 *
 * Stack of that function: the record (to be closed), the message handler, then the body and its
 * arguments, later its results.
 *
 * Layer: lua. Thread: the state's home.
 * Invariant: a record of kind SCOPE is settled when its function returns, or abandoned.
 */
#include "lua/scope.h"

#include <string.h>

#include "lua/cleanup.h"
#include "lua/cycle.h"
#include "lua/door.h"
#include "lua/duration.h"
#include "lua/interrupt.h"
#include "lua/supervise.h"
#include "lua/waits.h"

enum { AT_SCOPE = 1, AT_HANDLER, AT_BODY };

/* ---- ended by something ------------------------------------------------------------------- */

/* Cancel the scope for this cause; the reason (a string or nil) is on top and popped. */
static void end_by(lua_State *L, struct tutti__record *record, enum tutti__scope_cause cause)
{
    struct tutti__scope *scope = tutti__scope_of(record);
    if (scope->cause == CAUSE_NONE)
        scope->cause = (uint8_t)cause;
    tutti__record_cancel(L, record);
}

void tutti__scope_child_failed(lua_State *L, struct tutti__record *record, int index)
{
    const struct tutti__record *child = (const struct tutti__record *)lua_touserdata(L, index);
    if (child->lua->closing || (record->flags & RECORD_CANCEL) != 0)
        return;
    tutti__record_push_name(L, (struct tutti__record *)lua_touserdata(L, index), index);
    lua_pushfstring(L, "task \"%s\" failed", lua_tostring(L, -1));
    lua_remove(L, -2);
    end_by(L, record, CAUSE_CHILD);
}

static void push_duration(lua_State *L, const struct tutti__scope *scope)
{
    lua_pushfstring(L, "%f s", (lua_Number)scope->duration_ns / 1e9);
}

static int expire(lua_State *L)
{
    struct tutti__record *record = (struct tutti__record *)lua_touserdata(L, 1);
    push_duration(L, tutti__scope_of(record));
    lua_pushfstring(L, "it took longer than %s", lua_tostring(L, -1));
    end_by(L, record, CAUSE_DEADLINE);
    return 0;
}

void tutti__scope_cut(lua_State *L, struct tutti__record *record)
{
    lua_pushliteral(L, "it was killed");
    end_by(L, record, CAUSE_DEADLINE);
}

void tutti__scope_expire(lua_State *L, struct tutti__lua *lua, uint64_t now_ns)
{
    if (lua->current == NULL)
        return;
    for (struct tutti__record *at = lua->current->scope; at != NULL; at = tutti__scope_of(at)->below) {
        uint64_t deadline_ns = tutti__scope_of(at)->deadline_ns;
        if (deadline_ns == 0 || deadline_ns > now_ns || (at->flags & RECORD_CANCEL) != 0)
            continue;
        lua_pushcfunction(L, expire);
        lua_pushlightuserdata(L, at);
        lua_call(L, 1, 0);
    }
}

/* ---- the deadline ------------------------------------------------------------------------- */

static void on_timer(struct tutti__timer *timer)
{
    struct tutti__scope *scope =
        (struct tutti__scope *)(void *)((char *)timer - offsetof(struct tutti__scope, timer));
    struct tutti__record *record = (struct tutti__record *)(void *)scope - 1;
    (void)tutti__door(record->lua, expire, record);
}

void tutti__scope_fire(lua_State *L, struct tutti__record *record, struct tutti__record *target)
{
    tutti__scope_of(record)->sleep = NULL;
    if (target->state != TUTTI_TASK_DONE)
        return; /* the engine ends */
    lua_pushcfunction(L, expire);
    lua_pushlightuserdata(L, record);
    lua_call(L, 1, 0);
}

/* A worker has no timers of its own: the scope awaits a sleep of the engine. */
static void start_sleep(lua_State *L, struct tutti__record *record, uint64_t delay_ns)
{
    tutti_task *task = NULL;
    int rc = tutti_sleep(record->lua->engine, delay_ns, &task);
    if (rc != TUTTI_OK)
        luaL_error(L, "the time limit of a scope: %s", tutti_status_text(rc));
    struct tutti__record *proxy = tutti__proxy_push(L, record->lua, task);
    tutti_task_unref(task);
    tutti__proxy_arm(L, proxy, -1);
    record->await.owner = record;
    tutti__waiter_link(&record->await, proxy);
    tutti__scope_of(record)->sleep = proxy;
    lua_pop(L, 1);
}

static void start_deadline(lua_State *L, struct tutti__record *record, double seconds)
{
    struct tutti__lua *lua = record->lua;
    struct tutti__scope *scope = tutti__scope_of(record);
    uint64_t now_ns = tutti__bridge_now_ns(lua->engine);
    scope->duration_ns = tutti__duration_ns(seconds);
    scope->deadline_ns = scope->duration_ns > UINT64_MAX - 1 - now_ns ? UINT64_MAX - 1
                                                                      : now_ns + scope->duration_ns;
    scope->timer.fn = on_timer;
    if (lua->is_worker)
        start_sleep(L, record, scope->duration_ns);
    else if (tutti__bridge_timer_start(lua->engine, &scope->timer, scope->deadline_ns) != TUTTI_OK)
        luaL_error(L, "not enough memory for a timer");
    tutti__interrupt_deadline(lua, scope->deadline_ns);
}

static void stop_deadline(struct tutti__record *record)
{
    struct tutti__scope *scope = tutti__scope_of(record);
    struct tutti__record *sleep = scope->sleep;
    if (scope->timer.slot != 0)
        tutti__bridge_timer_stop(record->lua->engine, &scope->timer);
    scope->sleep = NULL;
    scope->deadline_ns = 0;
    if (sleep == NULL)
        return;
    tutti__waiter_unlink(&record->await);
    (void)tutti_task_cancel(sleep->task);
}

/* ---- on and off the stack ----------------------------------------------------------------- */

static void open_scope(lua_State *L, struct tutti__record *record)
{
    struct tutti__lua *lua = record->lua;
    struct tutti__record *task = lua->current;
    struct tutti__record *owner = task->scope != NULL ? task->scope : task;
    tutti__record_hold(L, record, AT_SCOPE);
    tutti__record_adopt(owner, record);
    record->state = TUTTI_TASK_RUNNING;
    record->scope = task;
    tutti__scope_of(record)->below = task->scope;
    task->scope = record;
    if (tutti__scope_of(record)->is_shield) {
        tutti__cancel_refresh(task);
    } else if ((owner->flags & RECORD_CANCEL) != 0) {
        lua_pushliteral(L, "the task it is in has been cancelled");
        end_by(L, record, CAUSE_OUTER);
    }
}

/* Take it off the running stack, with what may still lie above it. */
static void leave_stack(struct tutti__record *record)
{
    struct tutti__record *task = record->scope;
    struct tutti__record *at = task == NULL ? NULL : task->scope;
    while (at != NULL && at != record)
        at = tutti__scope_of(at)->below;
    if (at == NULL)
        return; /* it is on the stack of a coroutine that does not run */
    task->scope = tutti__scope_of(record)->below;
    tutti__cancel_refresh(task);
}

/* Its children have ended. */
static void settle_scope(lua_State *L, struct tutti__record *record)
{
    stop_deadline(record);
    lua_pushnil(L);
    tutti__record_settle(L, record, TUTTI_TASK_DONE);
}

/* What the children of `record` (userdata at `index`) failed with is for its owner to answer. */
static void hand_on_failures(lua_State *L, struct tutti__record *record, int index)
{
    int base = lua_gettop(L);
    tutti__outcome_failures(L, record, index);
    for (lua_Integer i = 1; lua_istable(L, base + 1) && i <= (lua_Integer)lua_rawlen(L, base + 1); i++) {
        lua_rawgeti(L, base + 1, i);
        tutti__outcome_leave(L, record->parent);
    }
    lua_settop(L, base);
}

/* Its function may still be suspended in a coroutine, so its userdata can still be asked for. */
static void settle_abandoned(lua_State *L, struct tutti__record *record)
{
    tutti__record_push(L, record);
    hand_on_failures(L, record, lua_gettop(L));
    lua_rawgeti(L, LUA_REGISTRYINDEX, record->lua->ref_tasks);
    lua_insert(L, -2);
    lua_rawsetp(L, -2, record);
    lua_pop(L, 1);
    settle_scope(L, record);
}

void tutti__scope_push(lua_State *L, struct tutti__record *record)
{
    if (record->slot != 0) {
        tutti__record_push(L, record);
        return;
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, record->lua->ref_tasks);
    lua_rawgetp(L, -1, record);
    lua_remove(L, -2);
}

/* The stack the scope is on goes away: cancel it; it settles once its children have ended. */
static void abandon(lua_State *L, struct tutti__record *record, const char *reason)
{
    if (record->slot == 0 || tutti__record_is_settled(record) || tutti__scope_of(record)->is_abandoned)
        return; /* slot 0: not opened yet */
    tutti__scope_of(record)->is_abandoned = true;
    leave_stack(record);
    record->scope = NULL;
    lua_pushstring(L, reason);
    end_by(L, record, CAUSE_OUTER);
    record->flags |= RECORD_JOINING;
    tutti__scope_abandon_within(L, record);
    if (record->child_first == NULL)
        settle_abandoned(L, record);
}

void tutti__scope_abandon_within(lua_State *L, struct tutti__record *record)
{
    struct tutti__lua *lua = record->lua;
    bool telling = lua->telling;
    if (lua->parked_count == 0)
        return;
    lua->telling = true; /* the list must hold still */
    for (struct tutti__record *child = record->child_first; child != NULL; child = child->sibling_next) {
        if (child->kind == RECORD_SCOPE)
            abandon(L, child, "what the scope was opened in has ended");
    }
    lua->telling = telling;
    tutti__settle_tell(L, lua);
}

/* __close of the function's first slot: what is still open is left by coroutine.close, or by an error
 * in the function itself.   [-2, +0, m] */
static int l_close(lua_State *L)
{
    struct tutti__record *record = (struct tutti__record *)lua_touserdata(L, 1);
    if (!tutti__record_is_settled(record))
        tutti__cleanup_run_now(L, record, 1);
    abandon(L, record, "the coroutine it was in has been closed");
    return 0;
}

/* ---- the outcome -------------------------------------------------------------------------- */

static void push_own_cancel(lua_State *L)
{
    tutti__record_get_extra(L, AT_SCOPE, EXTRA_CANCEL);
}

/* Is the error at `index` a cancellation, of whatever? */
static bool is_cancellation(lua_State *L, int index)
{
    tutti__error_get(L, index, "kind");
    const char *kind = lua_tostring(L, -1);
    bool is = kind != NULL && strcmp(kind, "cancelled") == 0;
    lua_pop(L, 1);
    return is;
}

/* Push the body's error, or nil if it has none of its own. */
static void push_body_error(lua_State *L, const struct tutti__scope *scope)
{
    lua_getiuservalue(L, AT_SCOPE, UV_BODY);
    if (scope->has_failed && is_cancellation(L, lua_gettop(L))) {
        lua_pop(L, 1);
        lua_pushnil(L);
    }
}

/* Push the list of all that failed, the body included unless it came first; nil if nothing did. */
static void push_failed(lua_State *L, struct tutti__record *record, bool with_body)
{
    tutti__outcome_failures(L, record, AT_SCOPE);
    int list = lua_gettop(L);
    if (!with_body)
        return;
    push_body_error(L, tutti__scope_of(record));
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return;
    }
    if (lua_isnil(L, list)) {
        lua_newtable(L);
        lua_replace(L, list);
    }
    for (lua_Integer i = 1; i <= (lua_Integer)lua_rawlen(L, list); i++) {
        lua_rawgeti(L, list, i);
        bool listed = lua_rawequal(L, -1, list + 1);
        lua_pop(L, 1);
        if (listed) {
            lua_pop(L, 1);
            return;
        }
    }
    lua_rawseti(L, list, (lua_Integer)lua_rawlen(L, list) + 1);
}

/* Push the error of a deadline: where the body was, if it got that far. */
static void push_timeout(lua_State *L, struct tutti__record *record)
{
    push_duration(L, tutti__scope_of(record));
    tutti__record_push_name(L, record, AT_SCOPE);
    tutti__error_push(L, record->lua, "timeout", "%s did not end within its time limit of %s",
                      lua_tostring(L, -1), lua_tostring(L, -2));
    push_own_cancel(L);
    tutti__error_get(L, -1, "stack");
    tutti__error_set(L, -3, "stack");
    lua_pop(L, 1);
    lua_replace(L, -3);
    lua_pop(L, 1);
}

/* Push the error the scope ends with, without what is in its list; false if it ends well. */
static bool push_first_error(lua_State *L, struct tutti__record *record)
{
    switch (tutti__scope_of(record)->cause) {
    case CAUSE_BODY:
        lua_getiuservalue(L, AT_SCOPE, UV_BODY);
        return true;
    case CAUSE_DEADLINE:
        push_timeout(L, record);
        return true;
    case CAUSE_CANCEL:
        push_own_cancel(L);
        return true;
    case CAUSE_OUTER:
        if (!tutti__scope_of(record)->has_failed)
            push_own_cancel(L);
        else
            lua_getiuservalue(L, AT_SCOPE, UV_BODY);
        return true;
    default: /* CAUSE_CHILD, CAUSE_NONE: what is in the list is all */
        return false;
    }
}

/* Raise what came of the scope, or return to let the results stand. It is off the stack. */
static void raise_outcome(lua_State *L, struct tutti__record *record)
{
    struct tutti__scope *scope = tutti__scope_of(record);
    bool has_first = push_first_error(L, record);
    push_failed(L, record, scope->cause != CAUSE_BODY && scope->cause != CAUSE_OUTER);
    bool has_list = !lua_isnil(L, -1);
    if (!has_list)
        lua_pop(L, 1);
    else if (has_first)
        tutti__outcome_add(L);
    else
        tutti__outcome_group(L, record);
    settle_scope(L, record);
    if (has_first || has_list)
        lua_error(L);
}

/* Does a cancellation from outside pass through? Not if the body has an error of its own to tell. */
static bool passes_through(lua_State *L, const struct tutti__record *record)
{
    const struct tutti__scope *scope = tutti__scope_of(record);
    if (scope->is_shield || !tutti__cancel_is_due(record->lua))
        return false;
    if (!scope->has_failed)
        return true;
    lua_getiuservalue(L, AT_SCOPE, UV_BODY);
    bool is = is_cancellation(L, lua_gettop(L));
    lua_pop(L, 1);
    return is;
}

/* ---- the function ------------------------------------------------------------------------- */

/* What it was opened in has ended while its coroutine did not run: its outcome is nobody's any more. */
static int leave_abandoned(lua_State *L, struct tutti__record *record)
{
    leave_stack(record);
    push_own_cancel(L);
    return lua_error(L);
}

static int finish(lua_State *L, struct tutti__record *record)
{
    leave_stack(record);
    if (passes_through(L, record)) {
        hand_on_failures(L, record, AT_SCOPE);
        settle_scope(L, record);
        tutti__checkpoint(L, record->lua); /* raises */
    }
    raise_outcome(L, record);
    return lua_gettop(L) - AT_HANDLER;
}

static int join_continue(lua_State *L, int status, lua_KContext context);

/* What was deferred has run; the list of errors is on top. */
static int cleaned_up(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    struct tutti__record *record = (struct tutti__record *)lua_touserdata(L, AT_SCOPE);
    struct tutti__scope *scope = tutti__scope_of(record);
    if (tutti__cleanup_first_error(L, record, scope->has_failed)) {
        lua_setiuservalue(L, AT_SCOPE, UV_BODY);
        lua_settop(L, AT_HANDLER);
        scope->has_failed = true;
        if (scope->cause == CAUSE_NONE)
            scope->cause = CAUSE_BODY;
    }
    return finish(L, record);
}

static int clean_up(lua_State *L)
{
    lua_pushcfunction(L, tutti__cleanup_run);
    lua_pushvalue(L, AT_SCOPE);
    lua_pushboolean(L, 0); /* its children have ended */
    lua_callk(L, 2, 1, 0, cleaned_up);
    return cleaned_up(L, LUA_OK, 0);
}

/* Wait for the children, however often the wait is cancelled; they are cancelled then as well. */
static int join(lua_State *L, struct tutti__record *record)
{
    struct tutti__lua *lua = record->lua;
    if (tutti__scope_of(record)->is_abandoned)
        return leave_abandoned(L, record);
    if (record->child_first != NULL) {
        tutti__supervise_joined(record);
        tutti__scope_abandon_within(L, record);
        if (tutti__scope_of(record)->has_failed)
            tutti__cancel_children(L, record, "the scope it was started in failed");
        else if (tutti__cancel_is_due(lua))
            tutti__cancel_children(L, record, "the scope it was started in was cancelled");
        else if (tutti__record_may_end(record))
            tutti__cancel_background(L, record);
    }
    if (record->child_first == NULL)
        return (record->flags & RECORD_DEFER) != 0 ? clean_up(L) : finish(L, record);
    record->flags |= RECORD_JOINING;
    tutti__cycle_wait(L, lua->current);
    return tutti__wait(L, WAITS_FOR_JOIN, record, 0, join_continue);
}

static int join_continue(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    return join(L, (struct tutti__record *)lua_touserdata(L, AT_SCOPE));
}

void tutti__scope_joined(lua_State *L, struct tutti__record *record)
{
    record->flags &= ~(uint32_t)RECORD_JOINING;
    if (tutti__scope_of(record)->is_abandoned)
        settle_abandoned(L, record);
    else
        tutti__wait_end(record->scope);
}

/* The body has returned (its results are on the stack) or raised (its error is). */
static int body_ended(lua_State *L, int status, lua_KContext context)
{
    (void)context;
    struct tutti__record *record = (struct tutti__record *)lua_touserdata(L, AT_SCOPE);
    struct tutti__scope *scope = tutti__scope_of(record);
    if (status != LUA_OK && status != LUA_YIELD) {
        tutti__error_wrap(L, record->lua, record->scope); /* no handler runs when memory is out */
        bool live = tutti__cancel_is_live(L, record->lua, lua_gettop(L));
        if (scope->cause == CAUSE_NONE)
            scope->cause = live ? CAUSE_OUTER : CAUSE_BODY;
        scope->has_failed = true;
        lua_setiuservalue(L, AT_SCOPE, UV_BODY);
        lua_settop(L, AT_HANDLER);
    }
    return join(L, record);
}

static bool option_is_true(lua_State *L, const char *name)
{
    lua_getfield(L, 1, name);
    bool is = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return is;
}

/* Push a record for the scope that the options at index 1 describe; it is not open yet. */
static struct tutti__record *new_scope(lua_State *L, struct tutti__lua *lua)
{
    struct tutti__record *record = tutti__record_new(L, lua, RECORD_SCOPE, 0, false);
    struct tutti__scope *scope = tutti__scope_of(record);
    scope->is_collect = option_is_true(L, "collect");
    scope->is_shield = option_is_true(L, "shield");
    lua_getfield(L, 1, "limit");
    scope->limit = (uint32_t)lua_tointeger(L, -1);
    lua_getfield(L, 1, "name");
    tutti__record_set_name(L, -3);
    lua_pop(L, 1);
    tutti__record_note_place(L, record, 1);
    if (record->source == 0) { /* the function itself is the body of a task */
        record->source = lua->current->source;
        record->line = lua->current->line;
    }
    return record;
}

/**
 * core.scope(options, f, ...) -> results of f   [-n, +n, y]
 *
 * Run f([scope,] ...) with a scope of its own in the current task, join what it started, return or raise
 * what came of it. options: name, timeout (seconds), collect, limit, shield, plain (f does not get the
 * scope), all checked already.
 */
static int l_scope(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    if (lua->current == NULL)
        return tutti__usage(L, 1, "a scope needs a task to be in");
    tutti__wait_may(L, lua, "a scope");
    bool plain = option_is_true(L, "plain");
    struct tutti__record *record = new_scope(L, lua);
    lua_getfield(L, 1, "timeout");
    double seconds = luaL_optnumber(L, -1, -1);
    lua_pop(L, 1);
    lua_replace(L, AT_SCOPE);
    lua_toclose(L, AT_SCOPE);
    lua_pushcfunction(L, tutti__error_handler);
    lua_insert(L, AT_HANDLER);
    open_scope(L, record);
    if (tutti__scope_of(record)->is_shield && (lua->current->flags & RECORD_KILLED) != 0)
        seconds = 0;
    if (seconds >= 0)
        start_deadline(L, record, seconds);
    if (!plain) {
        lua_pushvalue(L, AT_SCOPE);
        lua_insert(L, AT_BODY + 1);
    }
    int count = lua_gettop(L) - AT_BODY;
    return body_ended(L, lua_pcallk(L, count, LUA_MULTRET, AT_HANDLER, 0, body_ended), 0);
}

/* ---- the handle --------------------------------------------------------------------------- */

static struct tutti__record *check_scope(lua_State *L, const char *what)
{
    struct tutti__record *record = (struct tutti__record *)luaL_testudata(L, 1, "tutti.scope");
    if (record == NULL)
        tutti__usage(L, 1, "s:%s: a scope was expected, got %s (methods are called with a colon)", what,
                     luaL_typename(L, 1));
    return record;
}

/* core.scope_start(scope, what, starter, ...) -> what starter(...) returns: what it starts belongs to the
 * scope   [-n, +n, v] */
static int l_scope_start(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    const char *what = lua_tostring(L, 2);
    struct tutti__record *record = check_scope(L, what);
    if (tutti__record_is_settled(record))
        return tutti__usage(L, 1, "s:%s: the scope has ended, so nothing can be started in it any more",
                            what);
    struct tutti__record *into = lua->into;
    lua->into = record;
    int status = lua_pcall(L, lua_gettop(L) - 3, LUA_MULTRET, 0);
    lua->into = into;
    return status == LUA_OK ? lua_gettop(L) - 2 : lua_error(L);
}

/* ---- limit -------------------------------------------------------------------------------- */

/* Do as many run as may? One that waits for its turn here does not count, nor does `asker`: it would wait
 * for itself. */
static bool is_full(const struct tutti__record *record, const struct tutti__record *asker)
{
    uint32_t limit = tutti__scope_of(record)->limit;
    uint32_t running = 0;
    if (limit == 0 || (record->flags & RECORD_CANCEL) != 0)
        return false;
    for (const struct tutti__record *at = record->child_first; at != NULL; at = at->sibling_next) {
        bool is_task = at->kind == RECORD_LOCAL || at->kind == RECORD_REMOTE;
        bool waits_here = at->waits_for == WAITS_FOR_TURN && at->await.target == record;
        if (is_task && at != asker && !waits_here && ++running >= limit)
            return true;
    }
    return false;
}

void tutti__scope_child_ended(lua_State *L, struct tutti__record *record)
{
    struct tutti__waiter *waiter = record->waiters_first;
    if (waiter == NULL || is_full(record, waiter->owner))
        return;
    tutti__waiter_unlink(waiter);
    tutti__waiter_fire(L, waiter, record);
}

static int turn_continue(lua_State *L, int status, lua_KContext context);

/* core.scope_turn(scope, what): wait until one more may run in the scope   [-2, +0, y] */
static int l_scope_turn(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    struct tutti__record *record = check_scope(L, lua_tostring(L, 2));
    if (tutti__record_is_settled(record) || !is_full(record, lua->current))
        return 0;
    struct tutti__record *me = tutti__wait_check(L, lua, "a start in a scope that is full");
    if (me == NULL)
        return tutti__usage(L, 1, "s:%s: the scope is full, and only a task can wait for its turn",
                            lua_tostring(L, 2));
    me->await.owner = me;
    tutti__waiter_link(&me->await, record);
    return tutti__wait(L, WAITS_FOR_TURN, NULL, 0, turn_continue);
}

static int turn_continue(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    tutti__checkpoint(L, tutti__lua_of(L));
    return l_scope_turn(L);
}

/* scope:cancel([reason])   [-2, +0, m] */
static int l_scope_cancel(lua_State *L)
{
    struct tutti__record *record = check_scope(L, "cancel");
    lua_settop(L, 2);
    if (!tutti__record_is_settled(record))
        end_by(L, record, CAUSE_CANCEL);
    return 0;
}

static int l_scope_tostring(lua_State *L)
{
    struct tutti__record *record = check_scope(L, "tostring");
    const char *state = tutti__record_is_settled(record)   ? "ended"
        : (record->flags & RECORD_CANCEL) != 0             ? "cancelled"
                                                           : "open";
    tutti__record_push_name(L, record, 1);
    lua_pushfstring(L, "scope \"%s\" (%s)", lua_tostring(L, -1), state);
    return 1;
}

/* core.cancelled() -> boolean, reason: would a checkpoint raise?   [-0, +2, -] */
static int l_cancelled(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    lua_pushboolean(L, tutti__cancel_is_due(lua));
    if (!lua_toboolean(L, -1))
        return 1;
    tutti__scope_push(L, tutti__cancel_source(lua->current));
    tutti__record_get_extra(L, -1, EXTRA_CANCEL);
    tutti__error_get(L, -1, "reason");
    lua_replace(L, -3);
    lua_pop(L, 1);
    return 2;
}

const luaL_Reg tutti__scope_functions[] = {
    { "scope", l_scope },
    { "scope_start", l_scope_start },
    { "scope_turn", l_scope_turn },
    { "cancelled", l_cancelled },
    { NULL, NULL },
};

const luaL_Reg tutti__scope_methods[] = {
    { "cancel", l_scope_cancel },
    { "__close", l_close },
    { "__tostring", l_scope_tostring },
    { NULL, NULL },
};
