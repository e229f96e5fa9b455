/* SPDX-License-Identifier: MIT */
/*
 * start.c - tasks of this state: made, tied to what they come after, given to an owner.
 *
 * Options are checked by lua/tutti/options.lua, which calls core.start; tutti.spawn(f, ...) without
 * options comes straight here.
 *
 * Layer: lua. Thread: the state's home.
 */
#include "lua/start.h"

#include <stdlib.h>
#include <string.h>

#include "lua/pool.h"
#include "lua/worker.h"
#include "lua/waits.h"

/* ---- owner and place ---------------------------------------------------------------------- */

/* A task that a pool task detaches belongs to the engine's root, which lives in the loop state; its
 * functions go on being sent from the environment of the pool task. */
static void detach_on_worker(lua_State *L, struct tutti__record *record, int index)
{
    struct tutti__lua *lua = record->lua;
    tutti__pool_push_env(L, lua->current);
    if (lua_istable(L, -1))
        tutti__record_set_extra(L, index, EXTRA_ENV);
    else
        lua_pop(L, 1);
    record->flags |= RECORD_ADOPTED;
}

/* A prompt hears of what its lines have detached, although the root owns it. */
static void note_starter(lua_State *L, struct tutti__lua *lua, int index)
{
    luaL_checkstack(L, 4, "to detach a task");
    tutti__lua_helper(L, lua, "note_starter");
    lua_pushvalue(L, index);
    lua_call(L, 1, 0);
}

void tutti__start_own(lua_State *L, struct tutti__record *record, int index, bool detach)
{
    struct tutti__lua *lua = record->lua;
    struct tutti__record *parent = detach ? lua->root : tutti__owner(lua);
    tutti__record_hold(L, record, index);
    tutti__record_adopt(parent, record);
    if (detach && lua->is_worker)
        detach_on_worker(L, record, lua_absindex(L, index));
    else if (detach && lua->has_prompts)
        note_starter(L, lua, lua_absindex(L, index));
    if ((record->flags & RECORD_QUIET) == 0)
        lua->made++;
}

/* A task started by one that has been cancelled is cancelled as well, before it runs. */
bool tutti__start_is_late(lua_State *L, struct tutti__record *record)
{
    struct tutti__record *parent = record->parent;
    if (parent == NULL || (parent->flags & RECORD_CANCEL) == 0)
        return false;
    lua_pushliteral(L, "the task that started it has been cancelled");
    tutti__record_cancel(L, record);
    return true;
}

int tutti__start_submit(tutti_engine *engine, const tutti_task_desc *desc, tutti_task *const *after,
                        size_t count, tutti_task **out)
{
    if (count == 0)
        return tutti_submit(engine, desc, NULL, 0, out);
    tutti_task **copy = (tutti_task **)malloc(count * sizeof *copy);
    if (copy == NULL)
        return TUTTI_ENOMEM;
    memcpy((void *)copy, (const void *)after, count * sizeof *copy);
    int rc = tutti_submit(engine, desc, copy, count, out);
    free((void *)copy);
    return rc;
}

/* ---- dependencies ------------------------------------------------------------------------- */

void tutti__start_fire(lua_State *L, struct tutti__record *record, struct tutti__record *target)
{
    if (tutti__record_is_settled(record))
        return;
    bool run_on_skip = (record->flags & RECORD_RUN_ON_SKIP) != 0;
    if (run_on_skip)
        tutti__record_observe(target);
    if (run_on_skip || target->state == TUTTI_TASK_DONE) {
        if (--tutti__record_deps(record)->left > 0)
            return;
        record->state = TUTTI_TASK_READY;
        tutti__ready_push(record->lua, record);
        return;
    }
    tutti__record_unlink_deps(record);
    tutti__record_push(L, target);
    tutti__record_push_error(L, -1);
    lua_remove(L, -2);
    tutti__record_skip(L, record);
}

void tutti__start_keep_after(lua_State *L, struct tutti__record *record, int index, int list)
{
    if (tutti__record_deps_count(record) == 0)
        return;
    record->flags |= RECORD_AFTER;
    if (tutti__record_deps_count(record) > TUTTI__AFTER_FEW) {
        lua_pushvalue(L, list);
        tutti__record_set_extra(L, index, EXTRA_AFTER);
        return;
    }
    for (uint32_t i = 1; i <= tutti__record_deps_count(record); i++) {
        lua_rawgeti(L, list, i);
        lua_setiuservalue(L, index, UV_COUNT + (int)i);
    }
}

void tutti__start_push_after(lua_State *L, const struct tutti__record *record, int index, uint32_t i)
{
    if (tutti__record_deps_count(record) <= TUTTI__AFTER_FEW) {
        lua_getiuservalue(L, index, UV_COUNT + (int)i);
        return;
    }
    tutti__record_get_extra(L, index, EXTRA_AFTER);
    lua_rawgeti(L, -1, i);
    lua_remove(L, -2);
}

/* A chain would otherwise keep all that ever was in it. */
void tutti__start_drop_after(lua_State *L, struct tutti__record *record, int index)
{
    if ((record->flags & RECORD_AFTER) == 0)
        return;
    record->flags &= ~(uint32_t)RECORD_AFTER;
    if (tutti__record_deps_count(record) > TUTTI__AFTER_FEW) {
        lua_pushnil(L);
        tutti__record_set_extra(L, index, EXTRA_AFTER);
        return;
    }
    for (uint32_t i = 1; i <= tutti__record_deps_count(record); i++) {
        lua_pushnil(L);
        lua_setiuservalue(L, index, UV_COUNT + (int)i);
    }
}

/* Link to what has not settled. Leaves the error of the first that did not succeed on the stack and
 * returns true if there is one. */
static bool link_dependencies(lua_State *L, struct tutti__record *record, int index)
{
    struct tutti__deps *deps = tutti__record_deps(record);
    bool run_on_skip = (record->flags & RECORD_RUN_ON_SKIP) != 0;
    for (uint32_t i = 0; i < deps->count; i++) {
        tutti__start_push_after(L, record, index, i + 1);
        struct tutti__record *target = (struct tutti__record *)lua_touserdata(L, -1);
        if (!tutti__record_is_settled(target)) {
            if (target->kind == RECORD_REMOTE)
                tutti__proxy_arm(L, target, -1);
            deps->list[i].owner = record;
            tutti__waiter_link(&deps->list[i], target);
            deps->left++;
        } else if (run_on_skip) {
            tutti__record_observe(target);
        } else if (target->state != TUTTI_TASK_DONE) {
            tutti__record_unlink_deps(record);
            tutti__record_push_error(L, -1);
            lua_remove(L, -2);
            return true;
        }
        lua_pop(L, 1);
    }
    return false;
}

/* Make it ready, or tie it to what it comes after. Its userdata is at `index`. */
static void tie(lua_State *L, struct tutti__record *record, int index)
{
    if (tutti__start_is_late(L, record))
        return;
    if (tutti__record_deps_count(record) > 0) {
        int top = lua_gettop(L);
        bool skipped = link_dependencies(L, record, index);
        if (skipped)
            tutti__record_skip(L, record);
        lua_settop(L, top);
        if (skipped || tutti__record_deps(record)->left > 0)
            return;
    }
    record->state = TUTTI_TASK_READY;
    tutti__ready_push(record->lua, record);
}

/* ---- arguments ---------------------------------------------------------------------------- */

void tutti__start_arguments(lua_State *L, struct tutti__record *record, int index, int first)
{
    int count = lua_gettop(L) - first + 1;
    if (count <= 0)
        return;
    record->args_count = (uint32_t)count;
    if (count > 1) {
        lua_createtable(L, count, 0);
        lua_insert(L, first);
        for (int i = count; i >= 1; i--)
            lua_rawseti(L, first, i);
    }
    lua_setiuservalue(L, index, tutti__record_uv_args(record));
}

/* ---- the fast form ------------------------------------------------------------------------ */

/* Let the Lua half read the options, or say what is wrong with them. */
static int start_by_helper(lua_State *L, struct tutti__lua *lua, const char *helper)
{
    tutti__lua_helper(L, lua, helper);
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, 1);
    return 1;
}

/* Stack: as tutti__options_read leaves it, but that the arguments are all that follows. */
static int start_read(lua_State *L, struct tutti__lua *lua, const struct tutti__options *options)
{
    if (options->on_pool)
        return tutti__pool_start_read(L, lua, options);
    bool has_args = lua_gettop(L) > OPTION_SLOTS_MAX_;
    struct tutti__record *record = tutti__record_new(L, lua, RECORD_LOCAL, options->after_count, has_args);
    lua_insert(L, 1);
    record->priority = options->priority;
    if (options->run_on_skip)
        record->flags |= RECORD_RUN_ON_SKIP;
    if (!lua_isnil(L, 1 + OPTION_NAME)) {
        lua_pushvalue(L, 1 + OPTION_NAME);
        tutti__record_set_name(L, 1);
    }
    lua_pushvalue(L, 1 + OPTION_FUNCTION);
    lua_setiuservalue(L, 1, UV_BODY);
    tutti__start_keep_after(L, record, 1, 1 + OPTION_AFTER);
    tutti__start_arguments(L, record, 1, 1 + OPTION_SLOTS_MAX_ + 1);
    tutti__record_note_place(L, record, 1);
    tutti__start_own(L, record, 1, options->detach);
    if ((record->flags & RECORD_ADOPTED) != 0)
        tutti__shared_give_to_root(L, record, 1);
    tie(L, record, 1);
    lua_settop(L, 1);
    return 1;
}

/* The options are in [1], the function and its arguments follow; `on` and `args` are not for these. */
bool tutti__start_read_call(lua_State *L, struct tutti__lua *lua, struct tutti__options *options)
{
    if (!lua_isfunction(L, 2) || !tutti__options_read(L, lua, options))
        return false;
    if (lua_isnil(L, OPTION_ARGS) && lua_isnil(L, OPTION_FUNCTION) && !options->on_pool) {
        lua_copy(L, OPTION_SLOTS_MAX_ + 2, OPTION_FUNCTION);
        lua_rotate(L, OPTION_SLOTS_MAX_ + 1, -2);
        lua_pop(L, 2);
        return true;
    }
    lua_rotate(L, 1, -OPTION_SLOTS_MAX_);
    lua_pop(L, OPTION_SLOTS_MAX_);
    return false;
}

/* tutti.spawn([opts,] f, ...) -> Task   [-n, +1, v] */
static int l_spawn(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    if (lua_type(L, 1) != LUA_TFUNCTION) {
        struct tutti__options options;
        if (tutti__start_read_call(L, lua, &options))
            return start_read(L, lua, &options);
        return start_by_helper(L, lua, "spawn_with_options");
    }
    struct tutti__record *record = tutti__record_new(L, lua, RECORD_LOCAL, 0, lua_gettop(L) > 1);
    lua_insert(L, 1); /* record, f, arguments */
    tutti__start_arguments(L, record, 1, 3);
    lua_setiuservalue(L, 1, UV_BODY);
    tutti__record_note_place(L, record, 1);
    tutti__start_own(L, record, 1, false);
    tie(L, record, 1);
    return 1;
}

/* ---- the full form ------------------------------------------------------------------------ */

static bool field_is_true(lua_State *L, int index, const char *name)
{
    lua_getfield(L, index, name);
    bool is = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return is;
}

static lua_Integer field_integer(lua_State *L, int index, const char *name, lua_Integer missing)
{
    lua_getfield(L, index, name);
    lua_Integer value = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : missing;
    lua_pop(L, 1);
    return value;
}

void tutti__start_options(lua_State *L, struct tutti__record *record, int index, int options)
{
    record->priority = (uint8_t)field_integer(L, options, "priority", TUTTI__PRIORITY_NORMAL);
    if (field_is_true(L, options, "run_on_skip"))
        record->flags |= RECORD_RUN_ON_SKIP;
    if (field_is_true(L, options, "quiet"))
        record->flags |= RECORD_QUIET;
    if (field_is_true(L, options, "background"))
        record->flags |= RECORD_BACKGROUND;
    lua_getfield(L, options, "name");
    tutti__record_set_name(L, index);
    if (field_is_true(L, options, "no_place")) /* no line of a script stands for its start */
        return;
    const struct tutti__record *owner = record->lua->current;
    if (owner != NULL && field_is_true(L, options, "same_place")) { /* a part of what that was started for */
        record->source = owner->source;
        record->line = owner->line;
        return;
    }
    tutti__record_note_place(L, record, (int)field_integer(L, options, "level", 1));
}

uint32_t tutti__start_after_count(lua_State *L, int options)
{
    lua_getfield(L, options, "after");
    uint32_t count = lua_istable(L, -1) ? (uint32_t)lua_rawlen(L, -1) : 0;
    lua_pop(L, 1);
    return count;
}

/**
 * core.start(options, f, ...) -> Task   [-n, +1, m]
 *
 * A task of this state. options: name, after (a list of tasks, copied by the caller), run_on_skip,
 * detach, priority (0 high .. 2 low), level (of the caller to note), all checked already.
 */
static int l_start(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    uint32_t deps = tutti__start_after_count(L, 1);
    bool detach = field_is_true(L, 1, "detach");
    struct tutti__record *record = tutti__record_new(L, lua, RECORD_LOCAL, deps, lua_gettop(L) > 2);
    lua_insert(L, 1); /* record, options, f, arguments */
    tutti__start_options(L, record, 1, 2);
    lua_getfield(L, 2, "after");
    tutti__start_keep_after(L, record, 1, lua_gettop(L));
    lua_pop(L, 1);
    lua_pushvalue(L, 3);
    lua_setiuservalue(L, 1, UV_BODY);
    tutti__start_arguments(L, record, 1, 4);
    tutti__start_own(L, record, 1, detach);
    if ((record->flags & RECORD_ADOPTED) != 0)
        tutti__shared_give_to_root(L, record, 1);
    tie(L, record, 1);
    lua_settop(L, 1);
    return 1;
}

/* How many arguments are in the table in slot ARGS; -1: that is for Lua to find out. */
static int count_arguments(lua_State *L)
{
    enum { MOST = 1000 };
    if (lua_isnil(L, OPTION_ARGS))
        return 0;
    if (lua_getmetatable(L, OPTION_ARGS)) {
        lua_pop(L, 1);
        return -1;
    }
    lua_getfield(L, OPTION_ARGS, "n");
    bool is_given = !lua_isnil(L, -1);
    bool is_plain = !is_given || lua_isinteger(L, -1);
    lua_Integer count = is_given ? lua_tointeger(L, -1) : (lua_Integer)lua_rawlen(L, OPTION_ARGS);
    lua_pop(L, 1);
    return is_plain && count >= 0 && count <= MOST ? (int)count : -1;
}

/* tutti.task{ f, after = {t1, t2}, on = "loop" | "pool", args = {...}, ... } -> Task   [-1, +1, v] */
static int l_task(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    struct tutti__options options;
    lua_settop(L, 1);
    if (!tutti__options_read(L, lua, &options))
        return start_by_helper(L, lua, "task_with_options");
    int count = lua_isnil(L, OPTION_FUNCTION) ? -1 : count_arguments(L);
    if (count < 0) {
        lua_rotate(L, 1, 1);
        lua_settop(L, 1);
        return start_by_helper(L, lua, "task_with_options");
    }
    lua_settop(L, OPTION_SLOTS_MAX_);
    luaL_checkstack(L, count + LUA_MINSTACK, "too many arguments");
    for (int i = 1; i <= count; i++)
        lua_rawgeti(L, OPTION_ARGS, i);
    return start_read(L, lua, &options);
}

/* core.note_starters(): from now on there are prompts   [-0, +0, -] */
static int l_note_starters(lua_State *L)
{
    tutti__lua_of(L)->has_prompts = true;
    return 0;
}

const luaL_Reg tutti__start_functions[] = {
    { "note_starters", l_note_starters },
    { "task", l_task },
    { "spawn", l_spawn },
    { "start", l_start },
    { NULL, NULL },
};
