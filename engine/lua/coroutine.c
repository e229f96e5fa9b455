/* SPDX-License-Identifier: MIT */
/*
 * coroutine.c - see coroutine.h. What a coroutine does that is not about tasks is Lua's own, word for
 * word; the body stands in a protected call, so that its <close> variables may await when it is
 * cancelled.
 *
 * Layer: lua. Thread: the state's home.
 * Invariant: while a coroutine does not run, the scopes open in it are off its task's stack, and its top
 * one is in the table of parked ones.
 */
#include "lua/coroutine.h"

#include "lua/interrupt.h"
#include "lua/scope.h"

/* ---- scopes of a coroutine that does not run ---------------------------------------------- */

/* Push the table coroutine (weak) -> its innermost open scope. */
static void push_parked(lua_State *L, struct tutti__lua *lua)
{
    tutti__lua_weak_table(L, lua, "parked");
}

static void push_thread(lua_State *L, lua_State *co)
{
    lua_pushthread(co);
    lua_xmove(co, L, 1);
}

/* `co` no longer runs: what was opened in it leaves the task's stack, down to `outer`. */
static void park(lua_State *L, struct tutti__record *task, lua_State *co, struct tutti__record *outer)
{
    struct tutti__record *top = task->scope;
    struct tutti__record *bottom = top;
    while (bottom != NULL && tutti__scope_of(bottom)->below != outer)
        bottom = tutti__scope_of(bottom)->below;
    if (bottom == NULL)
        return;
    tutti__scope_of(bottom)->below = NULL;
    task->scope = outer;
    tutti__cancel_refresh(task);
    push_parked(L, task->lua);
    push_thread(L, co);
    tutti__scope_push(L, top);
    lua_rawset(L, -3);
    lua_pop(L, 1);
    task->lua->parked_count++;
}

/* Push the scope parked for `co` and forget it, or push nil. */
static void take_parked(lua_State *L, struct tutti__lua *lua, lua_State *co)
{
    push_parked(L, lua);
    push_thread(L, co);
    lua_rawget(L, -2);
    if (!lua_isnil(L, -1)) {
        push_thread(L, co);
        lua_pushnil(L);
        lua_rawset(L, -4);
        lua->parked_count--;
    }
    lua_remove(L, -2);
}

/* `co` is about to run: what was opened in it lies on the task's stack again. */
static void unpark(lua_State *L, struct tutti__lua *lua, lua_State *co)
{
    struct tutti__record *task = lua->current;
    take_parked(L, lua, co);
    struct tutti__record *top = (struct tutti__record *)lua_touserdata(L, -1);
    lua_pop(L, 1); /* the function it belongs to, on the stack of `co`, keeps it */
    if (top == NULL)
        return;
    struct tutti__record *bottom = top;
    for (;; bottom = tutti__scope_of(bottom)->below) {
        if (tutti__scope_of(bottom)->is_abandoned)
            bottom->scope = task;
        else if (tutti__scope_of(bottom)->deadline_ns != 0)
            tutti__interrupt_deadline(lua, tutti__scope_of(bottom)->deadline_ns);
        if (tutti__scope_of(bottom)->below == NULL)
            break;
    }
    tutti__scope_of(bottom)->below = task->scope;
    task->scope = top;
    tutti__cancel_refresh(task);
}

/* A scope is on the stack of one task: another cannot run the coroutine it is open in. */
static void check_parked(lua_State *L, struct tutti__lua *lua, lua_State *co)
{
    push_parked(L, lua);
    push_thread(L, co);
    lua_rawget(L, -2);
    const struct tutti__record *top = (const struct tutti__record *)lua_touserdata(L, -1);
    lua_pop(L, 2);
    if (top != NULL && top->scope != lua->current && !tutti__scope_of(top)->is_abandoned)
        tutti__usage(L, 1, "this coroutine is inside a scope that another task has opened: only that "
                           "task can resume it");
}

/* ---- status ------------------------------------------------------------------------------- */

enum { STATUS_RUNNING, STATUS_DEAD, STATUS_SUSPENDED, STATUS_NORMAL };

static const char *const status_names[] = { "running", "dead", "suspended", "normal" };

static int status_of(lua_State *L, lua_State *co)
{
    lua_Debug ar;
    if (L == co)
        return STATUS_RUNNING;
    switch (lua_status(co)) {
    case LUA_YIELD:
        return tutti__coroutine_resumer(co) != NULL ? STATUS_NORMAL : STATUS_SUSPENDED;
    case LUA_OK:
        if (lua_getstack(co, 0, &ar))
            return STATUS_NORMAL;
        return lua_gettop(co) == 0 ? STATUS_DEAD : STATUS_SUSPENDED;
    default:
        return STATUS_DEAD;
    }
}

static lua_State *check_coroutine(lua_State *L)
{
    lua_State *co = lua_tothread(L, 1);
    luaL_argexpected(L, co != NULL, 1, "coroutine");
    return co;
}

/* ---- resume ------------------------------------------------------------------------------- */

/* It has yielded, returned or raised: `count` values, or -1 and the error, are moved to L. */
static int take_values(lua_State *L, lua_State *co, int status, int count)
{
    if (status != LUA_OK && status != LUA_YIELD) {
        lua_xmove(co, L, 1);
        return -1;
    }
    if (!lua_checkstack(L, count + 1)) {
        lua_pop(co, count);
        lua_pushliteral(L, "too many results to resume");
        return -1;
    }
    lua_xmove(co, L, count);
    return count;
}

/**
 * Run `co` with `nargs` values from its stack until it yields or ends, however often the task waits
 * meanwhile: then this function does not return, and `k` is called with `outer` when it goes on.
 * Returns: as take_values.
 */
static int run(lua_State *L, lua_State *co, int nargs, struct tutti__record *outer, lua_KFunction k)
{
    struct tutti__lua *lua = tutti__lua_find(L);
    int count = 0;
    *(lua_State **)lua_getextraspace(co) = L;
    lua_State *previous = tutti__interrupt_enter(lua, co);
    int status = lua_resume(co, L, nargs, &count);
    tutti__interrupt_leave(lua, previous);
    struct tutti__record *task = lua->current;
    if (status == LUA_YIELD && task != NULL && tutti__task_waits(task)) {
        lua_pop(co, count);
        return lua_yieldk(L, 0, (lua_KContext)outer, k);
    }
    *(lua_State **)lua_getextraspace(co) = NULL;
    if (task != NULL && task->scope != outer)
        park(L, task, co, outer);
    return take_values(L, co, status, count);
}

/* Move the `nargs` values on top to `co` and run it. */
static int start(lua_State *L, lua_State *co, int nargs, lua_KFunction k)
{
    struct tutti__lua *lua = tutti__lua_find(L);
    if (tutti__coroutine_resumer(co) != NULL) {
        lua_pushliteral(L, "cannot resume non-suspended coroutine");
        return -1;
    }
    if (!lua_checkstack(co, nargs)) {
        lua_pushliteral(L, "too many arguments to resume");
        return -1;
    }
    struct tutti__record *outer = lua->current == NULL ? NULL : lua->current->scope;
    if (lua->parked_count > 0 && lua->current != NULL) {
        check_parked(L, lua, co);
        unpark(L, lua, co);
    }
    /* Not started yet: the function that `body` runs is its first argument. */
    bool is_first = lua_status(co) == LUA_OK && tutti__coroutine_is_body(co, 1);
    lua_xmove(L, co, nargs);
    return run(L, co, is_first ? nargs + 1 : nargs, outer, k);
}

/* ---- resume and wrap ---------------------------------------------------------------------- */

static int resume_continue(lua_State *L, int status, lua_KContext context);
static int wrap_continue(lua_State *L, int status, lua_KContext context);

static int resumed(lua_State *L, int count)
{
    if (count < 0)
        tutti__protect_pass(L);
    lua_pushboolean(L, count >= 0);
    lua_insert(L, count < 0 ? -2 : -count - 1);
    return count < 0 ? 2 : count + 1;
}

static int resume_continue(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    lua_State *co = lua_tothread(L, 1);
    return resumed(L, run(L, co, 0, (struct tutti__record *)context, resume_continue));
}

/* coroutine.resume(co, ...) -> true, values... | false, error   [-n, +n, y] */
static int l_resume(lua_State *L)
{
    lua_State *co = check_coroutine(L);
    return resumed(L, start(L, co, lua_gettop(L) - 1, resume_continue));
}

/* An error in a wrapped coroutine closes it, gets the place of the call, and goes on. */
static int wrapped(lua_State *L, lua_State *co, int count)
{
    if (count >= 0)
        return count;
    int status = lua_status(co);
    if (status != LUA_OK && status != LUA_YIELD) {
        lua_pop(L, 1);
        status = lua_resetthread(co);
        lua_xmove(co, L, 1);
    }
    if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
        luaL_where(L, 1);
        lua_insert(L, -2);
        lua_concat(L, 2);
    }
    return lua_error(L);
}

static int wrap_continue(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    lua_State *co = lua_tothread(L, lua_upvalueindex(1));
    return wrapped(L, co, run(L, co, 0, (struct tutti__record *)context, wrap_continue));
}

static int call_wrapped(lua_State *L)
{
    lua_State *co = lua_tothread(L, lua_upvalueindex(1));
    return wrapped(L, co, start(L, co, lua_gettop(L), wrap_continue));
}

/* ---- create ------------------------------------------------------------------------------- */

static int body_done(lua_State *L, int status, lua_KContext context)
{
    (void)context;
    if (status == LUA_OK || status == LUA_YIELD)
        return lua_gettop(L) - 1;
    return lua_error(L);
}

/* The body of a script's coroutine: [1] the function, then its arguments. */
static int body(lua_State *L)
{
    lua_pushcfunction(L, tutti__protect_death);
    lua_insert(L, 1);
    return body_done(L, lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 1, 0, body_done), 0);
}

/* coroutine.create(f) -> thread   [-1, +1, m] */
static int l_create(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_State *co = lua_newthread(L);
    lua_pushcfunction(co, body);
    lua_pushvalue(L, 1);
    lua_xmove(L, co, 1);
    return 1;
}

/* coroutine.wrap(f) -> function   [-1, +1, m] */
static int l_wrap(lua_State *L)
{
    l_create(L);
    lua_pushcclosure(L, call_wrapped, 1);
    return 1;
}

bool tutti__coroutine_is_body(lua_State *L, int index)
{
    return lua_tocfunction(L, index) == body;
}

/* ---- the others --------------------------------------------------------------------------- */

/* coroutine.yield(...): in a task, but outside any coroutine of the script, nobody could resume it.
   [-n, +n, y] */
static int l_yield(lua_State *L)
{
    const struct tutti__lua *lua = tutti__lua_find(L);
    if (lua->current != NULL && L == lua->current->co)
        return tutti__usage(L, 1, "attempt to yield from outside a coroutine: this is the task itself (use "
                                  "tutti.checkpoint() to let others run, or await what it waits for)");
    return lua_yield(L, lua_gettop(L));
}

/* coroutine.status(co) -> string   [-1, +1, e] */
static int l_status(lua_State *L)
{
    lua_pushstring(L, status_names[status_of(L, check_coroutine(L))]);
    return 1;
}

/* coroutine.isyieldable([co]) -> boolean   [-1, +1, e] */
static int l_isyieldable(lua_State *L)
{
    const struct tutti__lua *lua = tutti__lua_find(L);
    lua_State *co = lua_isnone(L, 1) ? L : check_coroutine(L);
    bool is_task = lua->current != NULL && co == lua->current->co;
    lua_pushboolean(L, !is_task && lua_isyieldable(co));
    return 1;
}

/* coroutine.running() -> thread, boolean   [-0, +2, e] */
static int l_running(lua_State *L)
{
    lua_pushboolean(L, lua_pushthread(L));
    return 2;
}

/* coroutine.close(co) -> true | false, error   [-1, +2, e] */
static int l_close(lua_State *L)
{
    lua_State *co = check_coroutine(L);
    struct tutti__lua *lua = tutti__lua_find(L);
    int status = status_of(L, co);
    if (status != STATUS_DEAD && status != STATUS_SUSPENDED)
        return luaL_error(L, "cannot close a %s coroutine", status_names[status]);
    if (lua->parked_count > 0) {
        take_parked(L, lua, co); /* its scopes are abandoned by their functions' <close> slots */
        lua_pop(L, 1);
    }
    if (lua_resetthread(co) == LUA_OK) {
        lua_pushboolean(L, 1);
        return 1;
    }
    lua_pushboolean(L, 0);
    lua_xmove(co, L, 1);
    tutti__protect_pass(L);
    return 2;
}

static const luaL_Reg functions[] = {
    { "create", l_create },   { "wrap", l_wrap },       { "resume", l_resume },
    { "yield", l_yield },     { "status", l_status },   { "isyieldable", l_isyieldable },
    { "running", l_running }, { "close", l_close },     { NULL, NULL },
};

void tutti__coroutine_functions(lua_State *L)
{
    luaL_setfuncs(L, functions, 0);
}
