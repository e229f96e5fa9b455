/* SPDX-License-Identifier: MIT */
/*
 * run.c - bodies as coroutines: started when they first run, resumed flat from the pump.
 *
 * The body runs inside a protected call of the coroutine's own, so that the traceback is taken before
 * the stack is unwound and <close> variables can await. Coroutines that ended well go back to a pool.
 *
 * Layer: lua. Thread: the state's home.
 * Invariant: lua->current is the record whose coroutine runs, NULL while none does.
 */
#include "lua/cleanup.h"
#include "lua/coroutine.h"
#include "lua/graph.h"
#include "lua/interrupt.h"
#include "lua/start.h"
#include "lua/stuck.h"
#include "lua/trace.h"

enum { POOL_MAX = 1024 };

/* Stack of a body's coroutine: the record, the message handler, then what the body works on. */
enum { BODY_RECORD = 1, BODY_HANDLER, BODY_FUNCTION };

/* What the body deferred has run; the list of errors is on top of its results or its error. */
static int body_cleaned_up(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    struct tutti__record *record = (struct tutti__record *)lua_touserdata(L, BODY_RECORD);
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
    struct tutti__record *record = (struct tutti__record *)lua_touserdata(L, BODY_RECORD);
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
    int count = (int)record->deps_count;
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
    lua_getiuservalue(L, BODY_RECORD, UV_ARGS);
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
    struct tutti__record *record = (struct tutti__record *)lua_touserdata(L, BODY_RECORD);
    lua_pushcfunction(L, tutti__error_handler);
    int count = 0;
    if (record->start != NULL) {
        count = record->start(L, record); /* pushes the function and its arguments */
    } else {
        lua_getiuservalue(L, BODY_RECORD, UV_BODY);
        if ((record->flags & RECORD_AFTER) != 0)
            count += push_dependencies(L, record);
        count += push_own_arguments(L, record);
    }
    tutti__stuck_note_name(L, record, BODY_RECORD);
    lua_pushnil(L);
    lua_setiuservalue(L, BODY_RECORD, UV_BODY);
    lua_pushthread(L);
    lua_setiuservalue(L, BODY_RECORD, UV_ARGS);
    int status = lua_pcallk(L, count, LUA_MULTRET, BODY_HANDLER, 0, body_continue);
    return body_done(L, status);
}

/* ---- coroutines --------------------------------------------------------------------------- */

static lua_State *take_coroutine(lua_State *L, struct tutti__lua *lua)
{
    if (lua->pool_count == 0)
        return lua_newthread(L);
    lua->pool_count--;
    lua_xmove(lua->idle, L, 1);
    return lua_tothread(L, -1);
}

/* The coroutine is on top of the stack and is popped. */
static void give_coroutine(lua_State *L, struct tutti__lua *lua, lua_State *co)
{
    if (lua->pool_count >= POOL_MAX || !lua_checkstack(lua->idle, 1)) {
        lua_pop(L, 1);
        return;
    }
    lua_settop(co, 0);
    *(void **)lua_getextraspace(co) = NULL;
    lua->pool_count++;
    lua_xmove(L, lua->idle, 1);
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

/* The coroutine is on top of L's stack. */
static void ended(lua_State *L, struct tutti__record *record, lua_State *co, int count)
{
    bool failed = (record->flags & RECORD_RAISED) != 0;
    if (failed) {
        lua_xmove(co, L, 1);
        tutti__error_wrap(L, record->lua, record); /* no handler runs when memory is out */
    } else {
        collect_results(L, record, co, count);
    }
    lua_insert(L, -2);
    give_coroutine(L, record->lua, co);
    tutti__record_body_ended(L, record, failed);
}

/* An error outside the body's own protected call: its arguments could not be read, or no memory. */
static void broke(lua_State *L, struct tutti__record *record, lua_State *co)
{
    lua_xmove(co, L, 1);
    tutti__error_wrap(L, record->lua, record);
    tutti__record_body_ended(L, record, true);
}

/* The body yielded to us without waiting for anything of ours: it can never be resumed rightly. */
static void yielded_astray(lua_State *L, struct tutti__record *record, lua_State *co)
{
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

/* ---- the one door ------------------------------------------------------------------------- */

static lua_State *start(lua_State *L, struct tutti__record *record)
{
    lua_State *co = take_coroutine(L, record->lua);
    *(void **)lua_getextraspace(co) = record;
    tutti__interrupt_prepare(record->lua, co);
    record->co = co;
    record->flags |= RECORD_STARTED;
    lua_pushcfunction(co, body_main);
    tutti__record_push(L, record);
    lua_xmove(L, co, 1);
    return co;
}

void tutti__run_record(lua_State *L, struct tutti__record *record)
{
    struct tutti__lua *lua = record->lua;
    lua_State *co = record->co;
    int count = 0;
    if ((record->flags & RECORD_LENT) != 0 && !tutti__graph_take_back(L, record))
        return;
    if (co == NULL) {
        co = start(L, record);
        count = 1;
        if (tutti__trace_is_on(lua))
            tutti__trace_task_begins(L, record);
    } else {
        lua_pushthread(co);
        lua_xmove(co, L, 1); /* keeps it alive while it runs */
    }
    lua->current = record;
    record->state = TUTTI_TASK_RUNNING;
    uint64_t began_ns = tutti__trace_is_on(lua) ? tutti__bridge_now_ns(lua->engine) : 0;
    lua_State *previous = tutti__interrupt_enter(lua, co);
    int status = lua_resume(co, L, count, &count);
    tutti__interrupt_leave(lua, previous);
    lua->current = NULL;
    if (began_ns != 0)
        tutti__trace_ran(L, record, began_ns);
    if (status != LUA_YIELD)
        hear_cancels(lua);
    if (status == LUA_OK) {
        ended(L, record, co, count);
    } else if (status != LUA_YIELD) {
        broke(L, record, co);
    } else if (!tutti__task_waits(record)) {
        yielded_astray(L, record, co);
    } else {
        lua_pop(co, count);
        record->state = TUTTI_TASK_SUSPENDED;
        lua_pop(L, 1);
    }
}
