/* SPDX-License-Identifier: MIT */
/*
 * run.c - `tutti run FILE`, `tutti plan FILE` and `tutti -e CHUNK`.
 *
 * Layer: cli. Thread: the main thread is the loop thread.
 */
#include <stdio.h>
#include <string.h>

#include <lauxlib.h>

#include "cli/cli.h"
#include "cli/host.h"
#include "cli/options.h"
#include "cli/view.h"

const char *cli_lua_version(void)
{
    return LUA_RELEASE;
}

/* Say "tutti: MESSAGE" as the Lua half does: with --progress=json it is an event.   [-1, +0, -] */
static void say_message(lua_State *L)
{
    lua_getglobal(L, "require");
    lua_pushliteral(L, "tutti.say");
    if (lua_pcall(L, 1, 1, 0) == LUA_OK) {
        lua_pushfstring(L, "tutti: %s\n", lua_tostring(L, -2));
        if (lua_pcall(L, 1, 0, 0) == LUA_OK)
            return (void)lua_settop(L, -2);
    }
    fprintf(stderr, "tutti: %s\n", lua_tostring(L, -1));
    lua_pop(L, 2);
}

static int load(lua_State *L, const struct cli_script *script)
{
    int rc = script->file != NULL ? luaL_loadfilex(L, script->file, "t")
                                  : luaL_loadbufferx(L, script->chunk, strlen(script->chunk), "=-e", "t");
    if (rc == LUA_OK)
        return CLI_GOOD;
    say_message(L);
    return rc == LUA_ERRFILE ? CLI_BAD_USAGE : CLI_WRONG;
}

/* A script that is only asked what it would do is guarded before it runs, and one that is given arguments is
 * looked at in the end: has it asked for them? */
static bool prepare_program(lua_State *L, const struct cli_script *script)
{
    bool is_guarded = script->is_plan || script->options->wants_list;
    if (!is_guarded && script->options->args.count == 0)
        return true;
    lua_getglobal(L, "require");
    lua_pushliteral(L, "tutti.program");
    if (lua_pcall(L, 1, 1, 0) == LUA_OK) {
        lua_getfield(L, -1, is_guarded ? "guard" : "watch");
        lua_remove(L, -2);
        if (lua_pcall(L, 0, 0, 0) == LUA_OK)
            return true;
    }
    fprintf(stderr, "tutti: opening the Lua state: %s\n", lua_tostring(L, -1));
    return false;
}

static int run_script(struct cli_host *host)
{
    const struct cli_script *script = host->script;
    lua_State *L = host->L;
    int status = load(L, script);
    if (status != CLI_GOOD)
        return status;
    if (!prepare_program(L, script))
        return CLI_FAILED;
    luaL_checkstack(L, script->word_count + 8, "too many words");
    for (int i = 0; i < script->word_count; i++)
        lua_pushstring(L, script->words[i]);
    return cli_host_run_loaded(host, script->file == NULL ? "-e" : script->file, script->word_count);
}

int cli_run(const struct cli_script *script)
{
    static const struct cli_face view = { cli_view_open, cli_view_attach, cli_view_start, cli_view_stop };
    if (script->file != NULL && !cli_host_can_read(script->file))
        return CLI_BAD_USAGE;
    return cli_host_run(script, &view, run_script);
}
