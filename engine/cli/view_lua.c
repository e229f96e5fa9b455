/* SPDX-License-Identifier: MIT */
/*
 * view_lua.c - what the Lua half may do with the view: the table session.view.
 *
 *     listen(f)             f() is called when it is time to look
 *     touch([delay])        something has changed, or will have in `delay` seconds: call f()
 *     height()              how many rows the view has
 *     bar(name, total, done, failed, skipped, running, elapsed, remaining)
 *     row(name, note, age)
 *     show(bars, rows)      what has been given by bar and row since the last show is what runs now;
 *                           so many more bars and rows there are
 *     hold() release()      something else has the terminal meanwhile
 *
 * Layer: cli. Thread: the loop's.
 */
#include "cli/view_lua.h"

#include <lauxlib.h>
#include <stdio.h>

#include "cli/view.h"

static struct cli_model staged; /* [loop thread] */
static const char refresh_key = 0;
static const char thread_key = 0;

static void copy_text(lua_State *L, int at, char *to, size_t capacity)
{
    size_t size = 0;
    const char *text = luaL_optlstring(L, at, "", &size);
    cli_text_copy(to, capacity, text, size);
}

static int l_listen(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &refresh_key);
    return 0;
}

static int l_touch(lua_State *L)
{
    cli_view_touch(luaL_optnumber(L, 1, 0));
    return 0;
}

static int l_height(lua_State *L)
{
    lua_pushinteger(L, cli_view_height());
    return 1;
}

static int l_bar(lua_State *L)
{
    if (staged.bar_count == CLI_VIEW_BARS)
        return 0;
    struct cli_bar *bar = &staged.bars[staged.bar_count];
    copy_text(L, 1, bar->name, sizeof bar->name);
    bar->total = (long)luaL_checkinteger(L, 2);
    bar->done = (long)luaL_checkinteger(L, 3);
    bar->failed = (long)luaL_checkinteger(L, 4);
    bar->skipped = (long)luaL_checkinteger(L, 5);
    bar->running = (long)luaL_checkinteger(L, 6);
    bar->elapsed = luaL_checknumber(L, 7);
    bar->remaining = luaL_optnumber(L, 8, -1);
    staged.bar_count++;
    return 0;
}

static int l_row(lua_State *L)
{
    if (staged.row_count == CLI_VIEW_ROWS)
        return 0;
    struct cli_row *row = &staged.rows[staged.row_count];
    copy_text(L, 1, row->name, sizeof row->name);
    copy_text(L, 2, row->note, sizeof row->note);
    row->age = luaL_checknumber(L, 3);
    staged.row_count++;
    return 0;
}

static int l_show(lua_State *L)
{
    staged.more_bars = (long)luaL_optinteger(L, 1, 0);
    staged.more_rows = (long)luaL_optinteger(L, 2, 0);
    staged.at = cli_view_clock();
    cli_view_show(&staged);
    staged.bar_count = 0;
    staged.row_count = 0;
    return 0;
}

static int l_hold(lua_State *L)
{
    (void)L;
    cli_view_hold();
    return 0;
}

static int l_release(lua_State *L)
{
    (void)L;
    cli_view_release();
    return 0;
}

int cli_view_attach(lua_State *L)
{
    static const luaL_Reg functions[] = {
        { "listen", l_listen }, { "touch", l_touch }, { "height", l_height }, { "bar", l_bar },
        { "row", l_row },       { "show", l_show },   { "hold", l_hold },     { "release", l_release },
        { NULL, NULL },
    };
    if (!cli_view_is_on())
        return 0;
    lua_getglobal(L, "require");
    lua_pushliteral(L, "tutti.session");
    lua_call(L, 1, 1);
    luaL_newlib(L, functions);
    lua_setfield(L, -2, "view");
    (void)lua_newthread(L); /* a post must not touch the stack of what runs the loop */
    lua_rawsetp(L, LUA_REGISTRYINDEX, &thread_key);
    return 0;
}

void cli_view_refresh(lua_State *main)
{
    lua_rawgetp(main, LUA_REGISTRYINDEX, &thread_key);
    lua_State *L = lua_tothread(main, -1);
    lua_pop(main, 1);
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &refresh_key) != LUA_TFUNCTION) {
        lua_pop(L, 1);
        return;
    }
    if (lua_pcall(L, 0, 0, 0) == LUA_OK)
        return;
    fprintf(stderr, "tutti: the live view failed and is left out from now on: %s\n",
            luaL_tolstring(L, -1, NULL));
    lua_pop(L, 2);
    lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &refresh_key);
    staged = (struct cli_model){ .bar_count = 0 };
    cli_view_show(&staged);
}
