/* SPDX-License-Identifier: MIT */
/*
 * await.c - how a task suspends: await, sleep, checkpoint, and the one way in and out of a wait.
 *
 * Layer: lua. Thread: the state's home.
 * Invariant: a suspended record either waits for something (see waits.h) or stands in the ready queue.
 */
#include "lua/cycle.h"

#include "lua/duration.h"
#include "lua/require.h"
#include "lua/waits.h"

/* ---- waiting ------------------------------------------------------------------------------ */

int tutti__wait(lua_State *L, enum tutti__waits_for what, void *op, lua_KContext context,
                lua_KFunction k)
{
    tutti__wait_begin(tutti__lua_find(L)->current, what, op);
    return lua_yieldk(L, 0, context, k);
}

void tutti__wait_begin(struct tutti__record *record, enum tutti__waits_for what, void *op)
{
    record->waits_for = (unsigned)what & 31u;
    record->op = op;
    record->flags &= ~(uint32_t)RECORD_CIRCLE; /* of a wait before, whose cancellation came first */
}

void tutti__wait_end(struct tutti__record *record)
{
    record->waits_for = WAITS_FOR_NOTHING; /* `op` stays: it tells the continuation that it was served */
    tutti__ready_push(record->lua, record);
}

struct tutti__record *tutti__wait_check(lua_State *L, struct tutti__lua *lua, const char *what)
{
    if (lua->current == NULL)
        return NULL;
    tutti__wait_may(L, lua, what);
    tutti__checkpoint(L, lua);
    return lua->current;
}

bool tutti__block_on(struct tutti__lua *lua, bool (*done)(void *user), void *user)
{
    return !lua->closing && tutti__bridge_run_until(lua->engine, done, user) == TUTTI_OK;
}

int tutti__block_refused(lua_State *L)
{
    if (tutti__lua_of(L)->closing)
        return tutti__usage(L, 1, "the Lua state is being closed: nothing can be awaited any more");
    return tutti__usage(L, 1, "nothing can be awaited here: this is a callback of the loop itself (a raw "
                              "luv callback, a finaliser); start a task with tutti.spawn instead");
}

/* ---- await -------------------------------------------------------------------------------- */

static int results(lua_State *L, struct tutti__record *target, bool is_protected)
{
    tutti__record_observe(target);
    if (target->state != TUTTI_TASK_DONE) {
        if (is_protected)
            lua_pushboolean(L, 0);
        tutti__record_push_error(L, 1);
        return is_protected ? 2 : lua_error(L);
    }
    if (is_protected)
        lua_pushboolean(L, 1);
    return tutti__record_push_results(L, target, 1, false) + (is_protected ? 1 : 0);
}

static int await_continue(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    struct tutti__record *target = (struct tutti__record *)lua_touserdata(L, 1);
    tutti__checkpoint(L, tutti__lua_of(L));
    if (tutti__cycle_take_error(L, tutti__lua_of(L))) {
        if (context == 0)
            return lua_error(L);
        lua_pushboolean(L, 0);
        lua_insert(L, -2);
        return 2;
    }
    return results(L, target, context != 0);
}

struct tutti__record *tutti__await_target(const struct tutti__record *record)
{
    if (record->waits_for == WAITS_FOR_TASK || record->waits_for == WAITS_FOR_LOAD)
        return record->await.target;
    return tutti__gather_taken_from(record);
}

void tutti__await_fire(struct tutti__record *record, struct tutti__record *target)
{
    if (record->waits_for == WAITS_FOR_TASK || record->waits_for == WAITS_FOR_ENGINE_SLEEP)
        tutti__record_observe(target);
    tutti__wait_end(record);
}

static bool target_is_settled(void *user)
{
    return tutti__record_is_settled((const struct tutti__record *)user);
}

static void refuse_cycle(lua_State *L, struct tutti__record *me, struct tutti__record *target)
{
    struct tutti__lua *lua = me->lua;
    int base = lua_gettop(L);
    lua_newtable(L);
    int path = lua_gettop(L);
    lua_Integer count = 0;
    luaL_Buffer text;
    luaL_buffinit(L, &text);
    for (struct tutti__record *at = me;; at = at->parent) {
        tutti__record_push(L, at);
        tutti__record_push_name(L, at, -1);
        lua_pushvalue(L, -1);
        lua_rawseti(L, path, ++count);
        lua_remove(L, -2);
        luaL_addvalue(&text);
        if (at == target)
            break;
        luaL_addstring(&text, " -> ");
    }
    luaL_pushresult(&text);
    tutti__error_push(L, lua, "cycle",
                      "await can never end: the task awaited is this task or started it (%s)",
                      lua_tostring(L, -1));
    lua_pushvalue(L, path);
    tutti__error_set(L, -2, "path");
    lua_replace(L, base + 1);
    lua_settop(L, base + 1);
    lua_error(L);
}

static int await_record(lua_State *L, bool is_protected)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    struct tutti__record *target = tutti__record_check(L, lua, 1);
    if (lua_gettop(L) > 1)
        lua_settop(L, 1);
    struct tutti__record *me = tutti__wait_check(L, lua, is_protected ? "pawait" : "await");
    if (tutti__record_is_settled(target))
        return results(L, target, is_protected);
    if (target->kind == RECORD_REMOTE)
        tutti__proxy_arm(L, target, 1);
    if (me == NULL) {
        tutti__record_observe(target); /* the caller of the loop is the one who waits */
        if (!tutti__block_on(lua, target_is_settled, target))
            return tutti__block_refused(L);
        return results(L, target, is_protected);
    }
    for (struct tutti__record *at = me; at != NULL; at = at->parent) {
        /* The body of a pool task may hold a handle on itself that came from elsewhere. */
        if (at == target || (at->task != NULL && at->task == target->task))
            refuse_cycle(L, me, at);
    }
    if (target->parent == NULL && target->kind == RECORD_REMOTE)
        tutti__record_observe(target); /* its owner, elsewhere, must know before it fails */
    tutti__waiter_link(&me->await, target);
    tutti__cycle_wait(L, me);
    tutti__wait_begin(me, WAITS_FOR_TASK, NULL);
    return lua_yieldk(L, 0, is_protected, await_continue);
}

/* task:await() -> results...   [-1, +n, y] */
static int l_await(lua_State *L)
{
    return await_record(L, false);
}

/* task:pawait() -> true, results... | false, err   [-1, +n, y] */
static int l_pawait(lua_State *L)
{
    return await_record(L, true);
}

/* ---- sleep -------------------------------------------------------------------------------- */

/* A sleep of the loop state: its home is the loop thread, so the timer heap is at hand. The timer lies in
 * the record, in the place of the wait that a task does not have meanwhile. */
static void nap_clear(struct tutti__record *record)
{
    record->await = (struct tutti__waiter){ .owner = record };
}

static void nap_over(struct tutti__timer *timer)
{
    struct tutti__record *record =
        (struct tutti__record *)(void *)((char *)timer - offsetof(struct tutti__record, nap));
    nap_clear(record);
    tutti__wait_end(record);
}

void tutti__nap_withdraw(struct tutti__record *record)
{
    tutti__bridge_timer_stop(record->lua->engine, &record->nap);
    nap_clear(record);
}

bool tutti__sleep_deadline(const struct tutti__record *record, uint64_t *deadline_ns)
{
    if (record->waits_for != WAITS_FOR_SLEEP)
        return false;
    *deadline_ns = record->nap.deadline_ns;
    return true;
}

/* A sleep outside any task. */
struct pause {
    struct tutti__timer timer;
    bool over;
};

static void pause_over(struct tutti__timer *timer)
{
    ((struct pause *)(void *)((char *)timer - offsetof(struct pause, timer)))->over = true;
}

static bool pause_is_over(void *user)
{
    return ((const struct pause *)user)->over;
}

static int nap_continue(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    tutti__checkpoint(L, tutti__lua_of(L));
    return 0;
}

static int nap_outside(lua_State *L, struct tutti__lua *lua, uint64_t deadline_ns)
{
    struct pause pause = { .over = false };
    pause.timer.fn = pause_over;
    if (tutti__bridge_timer_start(lua->engine, &pause.timer, deadline_ns) != TUTTI_OK)
        return luaL_error(L, "not enough memory for a timer");
    if (tutti__block_on(lua, pause_is_over, &pause))
        return 0;
    tutti__bridge_timer_stop(lua->engine, &pause.timer); /* it lies in this frame */
    return tutti__block_refused(L);
}

/* A worker has no timers of its own: it awaits the engine's task. */
static int nap_on_worker(lua_State *L, struct tutti__lua *lua, uint64_t delay_ns)
{
    tutti_task *task = NULL;
    int rc = tutti_sleep(lua->engine, delay_ns, &task);
    if (rc != TUTTI_OK)
        return luaL_error(L, "sleep: %s", tutti_status_text(rc));
    lua_settop(L, 0);
    struct tutti__record *proxy = tutti__proxy_push(L, lua, task);
    tutti_task_unref(task);
    tutti__proxy_arm(L, proxy, 1);
    struct tutti__record *me = lua->current;
    tutti__waiter_link(&me->await, proxy);
    tutti__wait_begin(me, WAITS_FOR_ENGINE_SLEEP, proxy);
    return lua_yieldk(L, 0, 0, nap_continue);
}

/* tutti.sleep(duration)   [-1, +0, y] */
static int l_sleep(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    uint64_t delay_ns = tutti__duration_check(L, 1, "tutti.sleep");
    struct tutti__record *me = tutti__wait_check(L, lua, "tutti.sleep");
    if (lua->is_worker && me != NULL)
        return nap_on_worker(L, lua, delay_ns);
    uint64_t now_ns = tutti__bridge_now_ns(lua->engine);
    uint64_t deadline_ns = delay_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + delay_ns;
    if (me == NULL)
        return nap_outside(L, lua, deadline_ns);
    me->nap = (struct tutti__timer){ .fn = nap_over };
    if (tutti__bridge_timer_start(lua->engine, &me->nap, deadline_ns) != TUTTI_OK) {
        nap_clear(me);
        return luaL_error(L, "not enough memory for a timer");
    }
    tutti__wait_begin(me, WAITS_FOR_SLEEP, NULL);
    return lua_yieldk(L, 0, 0, nap_continue);
}

/* ---- checkpoint --------------------------------------------------------------------------- */

static bool one_round(void *user)
{
    bool *asked = (bool *)user;
    bool was = *asked;
    *asked = true;
    return was;
}

/* tutti.checkpoint()   [-0, +0, y] */
static int l_checkpoint(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    struct tutti__record *me = tutti__wait_check(L, lua, "tutti.checkpoint");
    if (me == NULL) {
        bool asked = false; /* one round, which does not sleep */
        return tutti__block_on(lua, one_round, &asked) ? 0 : tutti__block_refused(L);
    }
    tutti__ready_push(lua, me);
    return lua_yieldk(L, 0, 0, nap_continue);
}

/* tutti.now() -> monotonic seconds   [-0, +1, -] */
static int l_now(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)tutti__bridge_now_ns(tutti__lua_of(L)->engine) / 1e9);
    return 1;
}

const luaL_Reg tutti__await_functions[] = {
    { "sleep", l_sleep },
    { "checkpoint", l_checkpoint },
    { "now", l_now },
    { NULL, NULL },
};

const luaL_Reg tutti__await_methods[] = {
    { "await", l_await },
    { "pawait", l_pawait },
    { NULL, NULL },
};
