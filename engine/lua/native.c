/* SPDX-License-Identifier: MIT */
/*
 * native.c - see native.h.
 *
 * Layer: lua. Thread: the state's home; native_run on a worker.
 */
#include "lua/native.h"

#include <stdlib.h>
#include <string.h>

#include "lua/proxy.h"
#include "lua/start.h"

/* A call on its way to the pool. */
struct native {
    tutti_native_fn fn;
    void *user;
    tutti_task **after;
    size_t after_count;
    size_t argc;
    tutti_value args[]; /* what it comes after is read into the first after_count of these */
};

static void native_drop(void *arg)
{
    struct native *native = (struct native *)arg;
    for (size_t i = 0; i < native->after_count; i++)
        tutti_task_unref(native->after[i]);
    for (size_t i = native->after_count; i < native->argc; i++)
        tutti_value_free(&native->args[i]);
    free((void *)native->after);
    free(native);
}

static int native_run(tutti_task *self, void *arg, tutti_value *result)
{
    struct native *native = (struct native *)arg;
    for (size_t i = 0; i < native->after_count; i++) {
        const tutti_value *value = NULL;
        (void)tutti_task_result(native->after[i], &value);
        if (value != NULL)
            native->args[i] = *value; /* borrowed: the task it comes after keeps it */
    }
    return native->fn(self, native->user, native->args, native->argc, result);
}

/* A plain Lua value as the engine's; refuses everything else, naming the argument. */
static void read_argument(lua_State *L, int index, int number, tutti_value *out)
{
    size_t length = 0;
    switch (lua_type(L, index)) {
    case LUA_TNIL:
        return;
    case LUA_TBOOLEAN:
        out->kind = TUTTI_BOOL;
        out->as.boolean = lua_toboolean(L, index);
        return;
    case LUA_TNUMBER:
        out->kind = lua_isinteger(L, index) ? TUTTI_INT : TUTTI_DOUBLE;
        if (out->kind == TUTTI_INT)
            out->as.integer = lua_tointeger(L, index);
        else
            out->as.number = lua_tonumber(L, index);
        return;
    case LUA_TSTRING: {
        const char *text = lua_tolstring(L, index, &length);
        if (tutti_value_bytes(out, text, length) == TUTTI_OK)
            return;
        luaL_error(L, "not enough memory for argument %d", number);
        return;
    }
    default:
        luaL_where(L, 1);
        tutti__error_push(L, tutti__lua_find(L), "transfer",
                          "%sa native function takes nil, booleans, numbers and strings: argument %d "
                          "is a %s",
                          lua_tostring(L, -1), number, luaL_typename(L, index));
        lua_error(L);
    }
}

/* A userdata that owns the call until it has been submitted, so that an error on the way frees it. */
static int drop_box(lua_State *L)
{
    struct native **box = (struct native **)lua_touserdata(L, 1);
    if (*box != NULL)
        native_drop(*box);
    *box = NULL;
    return 0;
}

static struct native **push_box(lua_State *L, struct native *native)
{
    struct native **box = (struct native **)lua_newuserdatauv(L, sizeof *box, 0);
    *box = native;
    if (luaL_newmetatable(L, "tutti.native_box")) {
        lua_pushcfunction(L, drop_box);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    return box;
}

static void read_after(lua_State *L, struct native *native, int options, uint32_t count)
{
    if (count == 0)
        return;
    native->after = (tutti_task **)calloc(count, sizeof *native->after);
    lua_getfield(L, options, "after");
    for (uint32_t i = 0; i < count; i++) {
        lua_rawgeti(L, -1, i + 1);
        struct tutti__record *target = (struct tutti__record *)lua_touserdata(L, -1);
        tutti_task *task = native->after == NULL ? NULL : tutti__export(L, target, -1);
        if (task == NULL)
            luaL_error(L, "not enough memory for a task");
        tutti_task_ref(task);
        native->after[native->after_count++] = task;
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

static void submit(lua_State *L, struct tutti__record *record, int index, struct native **box)
{
    static const uint32_t PRIORITY[TUTTI__PRIORITIES] = {
        TUTTI_PRIORITY_HIGH, TUTTI_PRIORITY_NORMAL, TUTTI_PRIORITY_LOW
    };
    tutti_task *task = NULL;
    struct native *native = *box;
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = native_run, .arg = native,
                             .arg_drop = native_drop, .flags = TUTTI_DETACH,
                             .priority = PRIORITY[record->priority] };
    if ((record->flags & RECORD_RUN_ON_SKIP) != 0)
        desc.flags |= TUTTI_RUN_ON_SKIP;
    int rc = tutti__start_submit(record->lua->engine, &desc, native->after, native->after_count, &task);
    if (rc == TUTTI_OK) {
        *box = NULL; /* the engine's now */
        tutti__proxy_bind(L, record, index, task);
        tutti__proxy_arm(L, record, index);
        return;
    }
    tutti__error_push(L, record->lua, "error", "starting a native task: %s", tutti_status_text(rc));
    tutti__record_settle(L, record, TUTTI_TASK_FAILED);
}

/* core.start_native(options, name, ...) -> Task   [-n, +1, v]; options as for core.start */
static int l_start_native(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    int argc = lua_gettop(L) - 2;
    uint32_t after = tutti__start_after_count(L, 1);
    tutti_native_fn fn = NULL;
    void *user = NULL;
    if (!tutti__bridge_native(lua->engine, luaL_checkstring(L, 2), &fn, &user))
        return tutti__usage(L, 2, "tutti.native: the host has registered no function \"%s\"",
                            lua_tostring(L, 2));
    size_t count = (size_t)argc + after;
    struct native *native =
        (struct native *)calloc(1, sizeof *native + count * sizeof(tutti_value));
    if (native == NULL)
        return luaL_error(L, "not enough memory for a task");
    struct native **box = push_box(L, native);
    native->fn = fn;
    native->user = user;
    native->argc = count;
    read_after(L, native, 1, after);
    for (int i = 0; i < argc; i++)
        read_argument(L, 3 + i, i + 1, &native->args[after + (uint32_t)i]);
    struct tutti__record *record = tutti__proxy_new(L, lua);
    int index = lua_gettop(L);
    tutti__start_options(L, record, index, 1);
    lua_getfield(L, 1, "detach");
    tutti__start_own(L, record, index, lua_toboolean(L, -1));
    if (!tutti__start_is_late(L, record))
        submit(L, record, index, box);
    lua_settop(L, index);
    return 1;
}

const luaL_Reg tutti__native_functions[] = {
    { "start_native", l_start_native },
    { NULL, NULL },
};
