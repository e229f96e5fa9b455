/* SPDX-License-Identifier: MIT */
/*
 * testing.c - chance from the engine's table, and tutti.testing: a function run as the root of a world of
 * its own, on one thread, with a virtual clock and a seed.
 *
 *   put the outer world aside -> f and what it starts, until nothing is left or nothing can go on ->
 *   cancel the rest -> read what handles need -> free the engine -> put the outer world back
 *
 * Policy (what is raised) is lua/tutti/testing.lua's.
 *
 * Layer: lua. Thread: the state's home.
 * Invariant: however core.testing ends, the outer world is back when it has.
 */
#include <string.h>

#include "lua/door.h"
#include "lua/module.h"
#include "lua/start.h"
#include "lua/worker.h"
#include "lua/world.h"

/* ---- chance ------------------------------------------------------------------------------- */

double tutti__random(struct tutti__lua *lua)
{
    return (double)(tutti__bridge_random(lua->engine, &lua->random) >> 11) * 0x1p-53;
}

/* core.random() -> float in [0, 1)   [-0, +1, -] */
static int l_random(lua_State *L)
{
    lua_pushnumber(L, tutti__random(tutti__lua_of(L)));
    return 1;
}

/* core.is_testing() -> boolean: inside tutti.testing   [-0, +1, -] */
static int l_is_testing(lua_State *L)
{
    lua_pushboolean(L, tutti__lua_of(L)->testing != NULL);
    return 1;
}

/* ---- one test ----------------------------------------------------------------------------- */

struct tutti__testing {
    struct tutti__lua aside; /* the outer world */
    struct tutti__lua *lua;
    tutti_engine *engine;
    bool is_inside;          /* the outer world is aside */
    bool is_told;            /* whoever waits for the test was cancelled, and so is the test */
};

static bool has_tasks(const struct tutti__lua *lua)
{
    return lua->root->child_first != NULL || !tutti__ready_is_empty(lua);
}

/* A protected call's: [1] the test. */
static int cancel_test(lua_State *L)
{
    struct tutti__testing *test = (struct tutti__testing *)lua_touserdata(L, 1);
    tutti__cancel_children(L, test->lua->root, "the task that began the test was cancelled");
    return 0;
}

struct tutti__record *tutti__testing_outer_root(const struct tutti__lua *lua)
{
    return lua->testing == NULL ? lua->root : lua->testing->aside.root;
}

void tutti__testing_hear(struct tutti__lua *lua)
{
    struct tutti__testing *test = lua->testing;
    if (test == NULL || test->is_told)
        return;
    /* relaxed: a hint; the exchange decides. */
    if (TUTTI_LOAD(&test->aside.home->urgent, relaxed) != NULL)
        tutti__home_take_urgent(test->aside.home);
    if (!tutti__cancel_is_due(&test->aside))
        return;
    test->is_told = true;
    (void)tutti__door(lua, cancel_test, test);
}

/* Nothing is left, or what is left can never go on. */
static bool has_ended(void *user)
{
    const struct tutti__testing *test = (const struct tutti__testing *)user;
    tutti__testing_hear(test->lua);
    bool is_stuck = tutti__bridge_take_stuck(test->engine);
    return !has_tasks(test->lua) || (is_stuck && tutti__ready_is_empty(test->lua));
}

/* No post is on its way any more. */
static bool has_calmed(void *user)
{
    const struct tutti__testing *test = (const struct tutti__testing *)user;
    struct tutti__left left;
    bool is_stuck = tutti__bridge_take_stuck(test->engine);
    for (uint32_t slot = 1; slot <= test->lua->slots_used && !is_stuck; slot++) {
        const struct tutti__record *record = test->lua->slots[slot];
        if (record != NULL && (record->flags & RECORD_ARMED) != 0)
            return false;
    }
    tutti__bridge_left(test->engine, &left);
    return is_stuck || !left.has_posts;
}

static void run_until(struct tutti__testing *test, bool (*until)(void *user))
{
    (void)tutti__bridge_run_until(test->engine, until, test);
}

/* ---- in ----------------------------------------------------------------------------------- */

/* Stack: [1] options, [2] f, its arguments ..., the test on top, which is closed by tutti__testing_leave. */
static void enter(lua_State *L, struct tutti__testing *test, uint64_t seed)
{
    struct tutti__lua *lua = test->lua;
    bool is_program = tutti__shared_is_program(lua->engine);
    int rc = tutti__bridge_solo_new(&test->engine, seed, lua->engine);
    if (rc != TUTTI_OK)
        luaL_error(L, "tutti.testing: making its engine: %s", tutti_status_text(rc));
    tutti__world_put_aside(L, lua, &test->aside);
    test->is_inside = true;
    tutti__world_open(L, lua, test->engine);
    lua->testing = test;
    tutti__shared_note_paths(L, lua);
    if (is_program)
        tutti__shared_set_program(test->engine);
}

/* Push the task of f; the arguments are those behind it, up to `last`. */
static struct tutti__record *start(lua_State *L, struct tutti__testing *test, int last)
{
    struct tutti__record *record = tutti__record_new(L, test->lua, RECORD_LOCAL, 0, last >= 3);
    int index = lua_gettop(L);
    lua_getfield(L, 1, "name");
    tutti__record_set_name(L, index);
    lua_pushvalue(L, 2);
    lua_setiuservalue(L, index, UV_BODY);
    for (int i = 3; i <= last; i++)
        lua_pushvalue(L, i);
    tutti__start_arguments(L, record, index, index + 1);
    lua_settop(L, index);
    record->flags |= RECORD_OBSERVED | RECORD_QUIET;
    tutti__record_note_place(L, record, 2); /* core.testing, tutti.testing, its caller */
    tutti__start_own(L, record, index, false);
    record->state = TUTTI_TASK_READY;
    tutti__ready_push(test->lua, record);
    return record;
}

/* ---- what waits for ever ------------------------------------------------------------------ */

/* Push where a suspended coroutine stands: "recv at FILE:LINE", or "" when no Lua line is to be found. */
static void push_line(lua_State *L, lua_State *co)
{
    lua_Debug ar;
    const char *name = NULL;
    for (int level = 0; lua_getstack(co, level, &ar); level++) {
        lua_getinfo(co, "Sln", &ar);
        if (level == 0)
            name = ar.name;
        if (ar.currentline > 0 && strncmp(ar.source, "@tutti/", strlen("@tutti/")) != 0) {
            lua_pushfstring(L, "%s%sat %s:%d", name == NULL ? "" : name, name == NULL ? "" : " ",
                            ar.short_src, ar.currentline);
            return;
        }
    }
    lua_pushliteral(L, "");
}

/* Push for which task it waits: "task \"x\"", or "" when it is something else. */
static void push_target(lua_State *L, const struct tutti__record *record)
{
    struct tutti__record *target = tutti__await_target(record);
    const struct tutti__deps *deps = tutti__record_deps(record);
    for (uint32_t i = 0; i < tutti__record_deps_count(record) && target == NULL; i++)
        target = deps->list[i].target;
    if (target == NULL) {
        lua_pushliteral(L, "");
        return;
    }
    tutti__record_push(L, target);
    tutti__record_push_name(L, target, -1);
    lua_pushfstring(L, "task \"%s\"%s", lua_tostring(L, -1),
                    target->lua == record->lua ? "" : ", which is outside and stands still meanwhile");
    lua_replace(L, -3);
    lua_pop(L, 1);
}

/* Push what the record waits for, in words. */
static void push_wait(lua_State *L, struct tutti__record *record)
{
    int base = lua_gettop(L);
    tutti__record_push(L, record);
    tutti__record_push_name(L, record, -1);
    push_target(L, record);
    if (record->co != NULL)
        push_line(L, record->co);
    else
        lua_pushliteral(L, "");
    const char *target = lua_tostring(L, base + 3);
    const char *line = lua_tostring(L, base + 4);
    if ((record->flags & RECORD_JOINING) != 0)
        target = "its children";
    lua_pushfstring(L, "task \"%s\" waits%s%s%s%s", lua_tostring(L, base + 2), *line == '\0' ? "" : " in ",
                    line, *target == '\0' ? "" : " for ", target);
    lua_replace(L, base + 1);
    lua_settop(L, base + 1);
}

/* Push a list of them: of the tasks of this state. */
static void push_waits(lua_State *L, const struct tutti__lua *lua)
{
    lua_Integer count = 0;
    lua_newtable(L);
    for (uint32_t slot = 1; slot <= lua->slots_used; slot++) {
        struct tutti__record *record = lua->slots[slot];
        if (record == NULL || record->kind != RECORD_LOCAL || tutti__record_is_settled(record))
            continue;
        push_wait(L, record);
        lua_rawseti(L, -2, ++count);
    }
}

/* ---- out ---------------------------------------------------------------------------------- */

static void cancel_rest(lua_State *L, struct tutti__testing *test, const char *reason)
{
    if (!has_tasks(test->lua))
        return;
    tutti__cancel_children(L, test->lua->root, reason);
    run_until(test, has_ended);
}

/* A task that would not end although it was cancelled: nobody will run it again. */
static void abandon(lua_State *L, struct tutti__record *record)
{
    tutti__wait_withdraw(record);
    record->co = NULL;
    tutti__error_push(L, record->lua, "cancelled", "cancelled: it had not ended when its test did");
    tutti__record_settle(L, record, TUTTI_TASK_CANCELLED);
}

/* Every task has ended, so nothing of it may be left: a check of tutti itself. */
static void check_left(lua_State *L, struct tutti__testing *test)
{
    struct tutti__left left;
    tutti__bridge_left(test->engine, &left);
    if (left.timers != 0 || left.has_handles)
        luaL_error(L, "tutti.testing: its tasks have ended, but left behind %d timers and %s",
                   (int)left.timers, left.has_handles ? "a process or descriptor" : "no descriptor");
}

static int close_world(lua_State *L)
{
    struct tutti__testing *test = (struct tutti__testing *)lua_touserdata(L, 1);
    struct tutti__lua *lua = test->lua;
    cancel_rest(L, test, "tutti.testing has ended");
    for (uint32_t slot = 1; slot <= lua->slots_used; slot++) {
        struct tutti__record *record = lua->slots[slot];
        if (record != NULL && record->kind != RECORD_ROOT && !tutti__record_is_settled(record))
            abandon(L, record);
    }
    tutti__worker_close(test->engine);
    run_until(test, has_calmed);
    tutti__lua_forget(lua);
    tutti__world_release(L, lua, &test->aside);
    check_left(L, test);
    return 0;
}

/* Free the engine, if nobody has a handle on a task of it any more. */
static void free_engine(lua_State *L, struct tutti__testing *test)
{
    if (test->engine == NULL)
        return;
    if (tutti__bridge_has_handles(test->engine))
        lua_gc(L, LUA_GCCOLLECT); /* what is dead but not finalised yet */
    if (tutti__bridge_has_handles(test->engine) || tutti_engine_free(test->engine) != TUTTI_OK) {
        lua_rawsetp(L, LUA_REGISTRYINDEX, test); /* with the state, then */
        return;
    }
    test->engine = NULL;
    lua_pop(L, 1);
}

/* __close and __gc of a test.   [-0, +0, m] */
static int leave(lua_State *L)
{
    struct tutti__testing *test = (struct tutti__testing *)lua_touserdata(L, 1);
    bool is_well = true;
    if (test->is_inside) {
        test->is_inside = false;
        if (test->lua->root != NULL) {
            lua_pushcfunction(L, close_world);
            lua_pushlightuserdata(L, test);
            is_well = lua_pcall(L, 1, 0, 0) == LUA_OK;
        }
        tutti__world_close(L, test->lua);
        tutti__world_put_back(L, test->lua, &test->aside);
    }
    lua_pushvalue(L, 1);
    free_engine(L, test);
    return is_well ? 0 : lua_error(L);
}

/* ---- core.testing ------------------------------------------------------------------------- */

static struct tutti__testing *push_test(lua_State *L, struct tutti__lua *lua)
{
    struct tutti__testing *test =
        (struct tutti__testing *)lua_newuserdatauv(L, sizeof *test, 0);
    memset(test, 0, sizeof *test);
    test->lua = lua;
    if (luaL_newmetatable(L, "tutti.test")) {
        lua_pushcfunction(L, leave);
        lua_setfield(L, -2, "__close");
        lua_pushcfunction(L, leave);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    lua_toclose(L, -1);
    return test;
}

/* Push the waits (or nil) that ended it, the failures that nobody owns, whether f succeeded, and its results
 * or its error. */
static int run(lua_State *L, struct tutti__testing *test, int last)
{
    struct tutti__record *record = start(L, test, last);
    int index = lua_gettop(L);
    run_until(test, has_ended);
    /* An error of f's own says more than that others then wait for ever. */
    if (has_tasks(test->lua) && record->state <= TUTTI_TASK_DONE)
        push_waits(L, test->lua);
    else
        lua_pushnil(L);
    cancel_rest(L, test, "nothing in tutti.testing can go on");
    tutti__root_take_failures(L, test->lua);
    lua_pushboolean(L, record->state == TUTTI_TASK_DONE);
    if (record->state != TUTTI_TASK_DONE) {
        tutti__record_push_error(L, index);
        return 4;
    }
    return 3 + tutti__record_push_results(L, record, index, false);
}

/**
 * core.testing(options, f, ...) -> waits | nil, failed tasks, ok, results... | error   [-n, +m, e]
 *
 * options: seed (an integer), name; checked already.
 */
static int l_testing(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    int last = lua_gettop(L);
    lua_getfield(L, 1, "seed");
    uint64_t seed = (uint64_t)lua_tointeger(L, -1);
    lua_pop(L, 1);
    struct tutti__testing *test = push_test(L, lua);
    int slot = lua_gettop(L);
    enter(L, test, seed);
    int count = run(L, test, last);
    bool is_told = test->is_told;
    lua_closeslot(L, slot);
    if (is_told)
        tutti__checkpoint(L, lua);
    if (lua->exiting) { /* os.exit in it was about the program */
        tutti__cancel_children(L, lua->root, "os.exit");
        tutti__checkpoint(L, lua);
    }
    return count;
}

const luaL_Reg tutti__testing_functions[] = {
    { "random", l_random },
    { "is_testing", l_is_testing },
    { "testing", l_testing },
    { NULL, NULL },
};
