/* SPDX-License-Identifier: MIT */
/*
 * run.c - bodies as coroutines: started when they first run, resumed flat from the pump.
 *
 * The body runs inside a protected call of the coroutine's own, so that the traceback is taken before
 * the stack is unwound and <close> variables can await. Coroutines that ended well are used again: the
 * one that a body began in last, which most bodies end in without having waited, stays at hand
 * (lua->hand), others go to a pool.
 *
 * Layer: lua. Thread: the state's home.
 * Invariant: lua->current is the record whose coroutine runs, NULL while none does. A coroutine of a body
 * is kept by lua->ref_hand, or by the stack of who runs it, until it first waits; then by UV_BODY.
 */
#include "lua/cleanup.h"
#include "lua/coroutine.h"
#include "lua/graph.h"
#include "lua/interrupt.h"
#include "lua/pool.h"
#include "lua/start.h"
#include "lua/stuck.h"
#include "lua/trace.h"

enum { POOL_MAX = 1024 };

/* Stack of a body's coroutine: the record, the message handler, then what the body works on. */
enum { BODY_RECORD = 1, BODY_HANDLER, BODY_FUNCTION };

/* The record of the task whose own coroutine L is. */
static struct tutti__record *record_of(lua_State *L)
{
    return *(struct tutti__record **)lua_getextraspace(L);
}

/* What the body deferred has run; the list of errors is on top of its results or its error. */
static int body_cleaned_up(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    struct tutti__record *record = record_of(L);
    if (tutti__cleanup_first_error(L, record, (record->flags & RECORD_RAISED) != 0))
        record->flags |= RECORD_RAISED;
    return (record->flags & RECORD_RAISED) != 0 ? 1 : lua_gettop(L) - BODY_HANDLER;
}

/* Put below the results of the script of `tutti run` what the Lua half wants to do with them (a graph is
 * run). Once; false: nothing. */
static bool push_script_returned(lua_State *L, const struct tutti__record *record)
{
    if ((record->flags & RECORD_SCRIPT) == 0)
        return false;
    tutti__lua_helper(L, record->lua, "script_returned");
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return false;
    }
    lua_insert(L, BODY_HANDLER + 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, record->lua->ref_helpers);
    lua_pushnil(L);
    lua_setfield(L, -2, "script_returned");
    lua_pop(L, 1);
    return true;
}

static int body_continue(lua_State *L, int status, lua_KContext context);

static int body_done(lua_State *L, int status)
{
    struct tutti__record *record = record_of(L);
    bool failed = status != LUA_OK && status != LUA_YIELD;
    if (failed)
        record->flags |= RECORD_RAISED;
    else if (push_script_returned(L, record))
        return body_done(L, lua_pcallk(L, lua_gettop(L) - BODY_HANDLER - 1, 0, BODY_HANDLER, 0,
                                       body_continue));
    if ((record->flags & RECORD_DEFER) != 0) {
        lua_pushcfunction(L, tutti__cleanup_run);
        lua_pushvalue(L, BODY_RECORD);
        lua_pushboolean(L, failed);
        lua_callk(L, 2, 1, 0, body_cleaned_up);
        return body_cleaned_up(L, LUA_OK, 0);
    }
    return failed ? 1 : lua_gettop(L) - BODY_HANDLER;
}

static int body_continue(lua_State *L, int status, lua_KContext context)
{
    (void)context;
    return body_done(L, status);
}

static int push_dependencies(lua_State *L, struct tutti__record *record)
{
    int count = (int)tutti__record_deps_count(record);
    luaL_checkstack(L, count + LUA_MINSTACK, "too many tasks to come after");
    for (int i = 1; i <= count; i++) {
        tutti__start_push_after(L, record, BODY_RECORD, (uint32_t)i);
        if ((record->flags & RECORD_RUN_ON_SKIP) != 0)
            continue;
        struct tutti__record *target = (struct tutti__record *)lua_touserdata(L, -1);
        tutti__record_push_results(L, target, -1, true);
        lua_remove(L, -2);
    }
    tutti__start_drop_after(L, record, BODY_RECORD);
    return count;
}

static int push_own_arguments(lua_State *L, struct tutti__record *record)
{
    int count = (int)record->args_count;
    if (count == 0)
        return 0;
    lua_getiuservalue(L, BODY_RECORD, tutti__record_uv_args(record));
    lua_pushnil(L);
    lua_setiuservalue(L, BODY_RECORD, tutti__record_uv_args(record));
    if (count == 1)
        return 1;
    int table = lua_gettop(L);
    luaL_checkstack(L, count, "too many arguments");
    for (int i = 1; i <= count; i++)
        lua_rawgeti(L, table, i);
    lua_remove(L, table);
    return count;
}

static int body_main(lua_State *L)
{
    struct tutti__record *record = record_of(L);
    lua_pushcfunction(L, tutti__error_handler);
    int count = 0;
    if ((record->flags & RECORD_EXPORT_HOME) != 0) {
        count = tutti__pool_push_call(L, record);
    } else {
        lua_getiuservalue(L, BODY_RECORD, UV_BODY);
        if ((record->flags & RECORD_AFTER) != 0)
            count += push_dependencies(L, record);
        count += push_own_arguments(L, record);
    }
    tutti__stuck_note_name(L, record, BODY_RECORD);
    int status = lua_pcallk(L, count, LUA_MULTRET, BODY_HANDLER, 0, body_continue);
    return body_done(L, status);
}

/* ---- coroutines --------------------------------------------------------------------------- */

/* A coroutine for a body that begins. It may be left on L's stack: then a body further up the stack has
 * the one at hand. */
static lua_State *take_coroutine(lua_State *L, struct tutti__lua *lua)
{
    if (lua->is_hand_free) {
        lua->is_hand_free = false;
        return lua->hand;
    }
    if (lua->pool_count > 0) {
        lua->pool_count--;
        lua_xmove(lua->idle, L, 1);
    } else {
        lua_newthread(L);
    }
    lua_State *co = lua_tothread(L, -1);
    if (lua->hand == NULL) {
        lua_rawseti(L, LUA_REGISTRYINDEX, lua->ref_hand);
        lua->hand = co;
    }
    return co;
}

/* Its body has ended well, and its stack is empty. */
static void give_coroutine(struct tutti__lua *lua, lua_State *co)
{
    *(void **)lua_getextraspace(co) = NULL;
    if (co == lua->hand) {
        lua->is_hand_free = true;
        return;
    }
    if (lua->pool_count >= POOL_MAX || !lua_checkstack(lua->idle, 1))
        return;
    lua->pool_count++;
    lua_pushthread(co);
    lua_xmove(co, lua->idle, 1);
}

/* It belongs to its body from now on, or nobody can use it again. */
static void lose_coroutine(struct tutti__lua *lua, const lua_State *co)
{
    if (co == lua->hand)
        lua->hand = NULL; /* the next one takes its place in the registry */
}

/* ---- ends --------------------------------------------------------------------------------- */

/* Move the results from the coroutine to L as one value and note their number. */
static void collect_results(lua_State *L, struct tutti__record *record, lua_State *co, int count)
{
    record->result_count = (uint32_t)count;
    if (count == 0) {
        lua_pushnil(L);
        return;
    }
    if (count == 1) {
        lua_xmove(co, L, 1);
        return;
    }
    lua_createtable(L, count, 0);
    for (int i = count; i >= 1; i--) {
        lua_xmove(co, L, 1);
        lua_rawseti(L, -2, i);
    }
}

/* A cancellation that was asked for before the body ended counts, though it has not been heard of. */
static void hear_cancels(struct tutti__lua *lua)
{
    if (TUTTI_LOAD(&lua->home->urgent, relaxed) != NULL) /* a hint; the exchange decides */
        tutti__home_take_urgent(lua->home);
}

/* The userdata of the record is at `index`, the slots table below it. */
static void ended(lua_State *L, struct tutti__record *record, int count, int index)
{
    lua_State *co = record->co;
    if ((record->flags & RECORD_RAISED) == 0) {
        collect_results(L, record, co, count);
        give_coroutine(record->lua, co);
        tutti__record_returned(L, record, index);
        return;
    }
    lua_xmove(co, L, 1);
    tutti__error_wrap(L, record->lua, record); /* no handler runs when memory is out */
    lua_settop(co, 0);
    give_coroutine(record->lua, co);
    tutti__record_raised(L, record, index);
}

/* An error outside the body's own protected call: its arguments could not be read, or no memory. */
static void broke(lua_State *L, struct tutti__record *record, lua_State *co)
{
    lose_coroutine(record->lua, co);
    lua_xmove(co, L, 1);
    tutti__error_wrap(L, record->lua, record);
    tutti__record_body_ended(L, record, true);
}

/* The body yielded to us without waiting for anything of ours: it can never be resumed rightly. */
static void yielded_astray(lua_State *L, struct tutti__record *record, lua_State *co)
{
    lose_coroutine(record->lua, co);
    luaL_traceback(L, co, NULL, 0);
    lua_resetthread(co);
    record->lua->current = record;
    tutti__error_push(L, record->lua, "usage",
                      "coroutine.yield was called in a task outside any coroutine of its own: "
                      "use tutti.checkpoint() to let others run, or await what it waits for");
    record->lua->current = NULL;
    lua_insert(L, -2);
    tutti__error_set(L, -2, "stack");
    tutti__record_body_ended(L, record, true);
}

/* The body waits for the first time: its record keeps the coroutine in the function's place. */
static void first_wait(lua_State *L, struct tutti__record *record, lua_State *co, int index)
{
    lose_coroutine(record->lua, co);
    lua_pushthread(co);
    lua_xmove(co, L, 1);
    lua_setiuservalue(L, index, UV_BODY);
}

/* ---- the one door ------------------------------------------------------------------------- */

/* The userdata of the record is at `index`. */
static lua_State *start(lua_State *L, struct tutti__record *record, int index)
{
    lua_State *co = take_coroutine(L, record->lua);
    *(void **)lua_getextraspace(co) = record;
    tutti__interrupt_prepare(record->lua, co);
    record->co = co;
    record->flags |= RECORD_STARTED;
    lua_pushcfunction(co, body_main);
    lua_pushvalue(L, index);
    lua_xmove(L, co, 1);
    if (tutti__trace_is_on(record->lua))
        tutti__trace_task_begins(L, record);
    return co;
}

/* Let the coroutine run; as lua_resume. */
static int turn(lua_State *L, struct tutti__record *record, lua_State *co, int *count)
{
    struct tutti__lua *lua = record->lua;
    lua->current = record;
    record->state = TUTTI_TASK_RUNNING;
    uint64_t began_ns = tutti__trace_is_on(lua) ? tutti__bridge_now_ns(lua->engine) : 0;
    lua_State *previous = tutti__interrupt_enter(lua, co);
    int status = lua_resume(co, L, *count, count);
    tutti__interrupt_leave(lua, previous);
    lua->current = NULL;
    if (began_ns != 0)
        tutti__trace_ran(L, record, began_ns);
    if (status != LUA_YIELD)
        hear_cancels(lua);
    return status;
}

void tutti__run_record(lua_State *L, struct tutti__record *record)
{
    lua_State *co = record->co;
    bool begins = co == NULL;
    int count = begins ? 1 : 0;
    if ((record->flags & RECORD_LENT) != 0 && !tutti__graph_take_back(L, record))
        return;
    int index = begins ? tutti__record_push_slots(L, record) : 0;
    if (begins)
        co = start(L, record, index);
    int status = turn(L, record, co, &count);
    if (status == LUA_OK) {
        ended(L, record, count, begins ? index : tutti__record_push_slots(L, record));
    } else if (status != LUA_YIELD) {
        broke(L, record, co);
    } else if (!tutti__task_waits(record)) {
        yielded_astray(L, record, co);
    } else {
        if (count > 0)
            lua_pop(co, count);
        record->state = TUTTI_TASK_SUSPENDED;
        if (begins)
            first_wait(L, record, co, index);
    }
}
