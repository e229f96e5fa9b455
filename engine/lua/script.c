/* SPDX-License-Identifier: MIT */
/*
 * script.c - runs a chunk as a task and waits until nothing is left: what `tutti run` does.
 *
 * Layer: lua. Thread: the loop's.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lua/graph.h"
#include "lua/coroutine.h"
#include "lua/door.h"
#include "lua/interrupt.h"
#include "lua/module.h"
#include "lua/start.h"
#include "lua/worker.h"
#include "lua/world.h"
#include "tutti_lua.h"

/* Exit statuses (design 3). */
enum { EXIT_GOOD = 0, EXIT_FAILED = 1, EXIT_WRONG = 3 };

/* Stack: [1] the record's userdata. Make a task of the function and arguments above it. */
static struct tutti__record *start_script(lua_State *L, struct tutti__lua *lua, const char *name)
{
    struct tutti__record *record = tutti__record_new(L, lua, RECORD_LOCAL, 0, lua_gettop(L) > 1);
    lua_insert(L, 1);
    lua_pushstring(L, name);
    tutti__record_set_name(L, 1);
    record->flags |= RECORD_SCRIPT | RECORD_QUIET;
    lua_pushvalue(L, 2);
    lua_setiuservalue(L, 1, UV_BODY);
    tutti__start_arguments(L, record, 1, 3);
    tutti__start_own(L, record, 1, false);
    record->state = TUTTI_TASK_READY;
    tutti__ready_push(lua, record);
    lua_settop(L, 1);
    return record;
}

static bool is_over(void *user)
{
    const struct tutti__lua *lua = (const struct tutti__lua *)user;
    return lua->root->child_first == NULL && tutti__ready_is_empty(lua);
}

/* The Lua half reports; script_report(err, made) returns the exit status. */
static int report_script(lua_State *L, struct tutti__lua *lua, struct tutti__record *record)
{
    if (record->state == TUTTI_TASK_DONE)
        return EXIT_GOOD;
    lua_getglobal(L, "require"); /* a script that needs no tutti has not loaded it */
    lua_pushliteral(L, "tutti");
    lua_call(L, 1, 0);
    tutti__lua_helper(L, lua, "script_report");
    tutti__record_push_error(L, 1);
    lua_pushinteger(L, (lua_Integer)lua->made);
    lua_call(L, 2, 1);
    return (int)luaL_optinteger(L, -1, EXIT_FAILED);
}

/* Failures of detached tasks have been said when they happened; they decide the status only. */
static bool root_has_failures(lua_State *L, struct tutti__lua *lua)
{
    tutti__record_push(L, lua->root);
    tutti__record_get_extra(L, -1, EXTRA_FAILED);
    bool has = false;
    for (lua_Integer i = 1; lua_istable(L, -1) && i <= (lua_Integer)lua_rawlen(L, -1); i++) {
        lua_rawgeti(L, -1, i);
        const struct tutti__record *record = (const struct tutti__record *)lua_touserdata(L, -1);
        if ((record->flags & RECORD_SCRIPT) == 0 && !tutti__record_is_observed(record))
            has = true;
        lua_pop(L, 1);
    }
    lua_pop(L, 2);
    return has;
}

/* ---- print -------------------------------------------------------------------------------- */

/* What nobody reads any more ends the program, as it ends others; elsewhere it is an error to be seen. */
static int refuse_print(lua_State *L, int number)
{
    struct tutti__lua *lua = tutti__lua_find(L);
    if (number == EPIPE && lua != NULL && tutti__shared_is_program(lua->engine)) {
        (void)kill(getpid(), SIGPIPE);
        if (!lua->is_worker)
            tutti__cancel_children(L, lua->root, "nobody reads the output any more");
        tutti__checkpoint(L, lua);
    }
    return luaL_error(L, "print: %s", strerror(number));
}

/* print(...): one write for the whole line, so that lines of several threads are not torn.   [-n, +0, e] */
int tutti__print(lua_State *L)
{
    int count = lua_gettop(L);
    luaL_Buffer line;
    luaL_buffinit(L, &line);
    for (int i = 1; i <= count; i++) {
        if (i > 1)
            luaL_addchar(&line, '\t');
        luaL_tolstring(L, i, NULL);
        luaL_addvalue(&line);
    }
    luaL_addchar(&line, '\n');
    luaL_pushresult(&line);
    size_t length = 0;
    const char *text = lua_tolstring(L, -1, &length);
    if (fwrite(text, 1, length, stdout) == length && fflush(stdout) == 0)
        return 0;
    return refuse_print(L, errno);
}

/* ---- os.exit ------------------------------------------------------------------------------ */

static int exit_code(lua_State *L)
{
    if (lua_isnoneornil(L, 1) || lua_isboolean(L, 1))
        return lua_isboolean(L, 1) && !lua_toboolean(L, 1) ? EXIT_FAILED : EXIT_GOOD;
    return (int)luaL_checkinteger(L, 1);
}

/* os.exit([code]) in a script: stop starting, cancel, join, then exit with the code.   [-1, +0, y] */
static int l_exit(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_of(L);
    int code = exit_code(L);
    if (!lua->exiting)
        lua->exit_code = code;
    lua->exiting = true;
    tutti__cancel_children(L, lua->root, "os.exit");
    tutti__checkpoint(L, lua);
    return 0;
}

static void replace_globals(lua_State *L, struct tutti__lua *lua)
{
    static const luaL_Reg functions[] = { { "exit", l_exit }, { NULL, NULL } };
    if (lua_getglobal(L, "os") == LUA_TTABLE)
        tutti__lua_functions(L, lua, functions);
    lua_pop(L, 1);
    lua_pushcfunction(L, tutti__print);
    lua_setglobal(L, "print");
    tutti__interrupt_replace_sethook(L, lua);
    tutti__protect_globals(L, lua);
}

/* ---- running ------------------------------------------------------------------------------ */

struct running {
    const char *name;
    int status;
};

static int run_script(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_find(L);
    struct running *running = (struct running *)lua_touserdata(L, 1);
    lua_remove(L, 1);
    replace_globals(L, lua);
    tutti__shared_set_program(lua->engine);
    struct tutti__record *record = start_script(L, lua, running->name);
    lua->root->flags |= RECORD_JOINING; /* it waits for whatever is left */
    if (tutti__bridge_run_until(lua->engine, is_over, lua) != TUTTI_OK)
        return luaL_error(L, "the loop of this engine cannot be run here");
    if (lua->exiting) {
        running->status = lua->exit_code;
        return 0;
    }
    running->status = report_script(L, lua, record);
    bool has_failures = tutti__graph_say_unread(L, lua) || root_has_failures(L, lua);
    if (running->status == EXIT_GOOD && has_failures)
        running->status = EXIT_FAILED;
    return 0;
}

int tutti_lua_run(lua_State *L, const char *name, int argc, int *status)
{
    struct running running = { name, EXIT_FAILED };
    if (L == NULL || status == NULL || tutti__lua_find(L) == NULL)
        return TUTTI_EINVAL;
    lua_pushcfunction(L, run_script);
    lua_insert(L, -argc - 2);
    lua_pushlightuserdata(L, &running);
    lua_insert(L, -argc - 2);
    if (lua_pcall(L, argc + 2, 0, 0) != LUA_OK) {
        lua_writestringerror("tutti: %s\n", luaL_tolstring(L, -1, NULL));
        lua_pop(L, 2);
        return TUTTI_ENOMEM;
    }
    *status = running.status;
    return TUTTI_OK;
}

static int cancel_all(lua_State *L)
{
    struct tutti__lua *lua = tutti__lua_find(L);
    tutti__cancel_children(L, tutti__testing_outer_root(lua), (const char *)lua_touserdata(L, 1));
    return 0;
}

int tutti_lua_cancel(lua_State *L, const char *reason)
{
    struct tutti__lua *lua = L == NULL ? NULL : tutti__lua_find(L);
    if (lua == NULL)
        return TUTTI_EINVAL;
    return tutti__door(lua, cancel_all, (void *)(uintptr_t)reason) ? TUTTI_OK : TUTTI_ENOMEM;
}
