/* SPDX-License-Identifier: MIT */
/*
 * session.c - see session.h and lua/tutti/session.lua, which names the fields.
 *
 * Layer: cli. Thread: the loop's, before the script runs.
 */
#include "cli/session.h"

#include <lauxlib.h>
#include <unistd.h>

#include "cli/options.h"

/* As enum cli_progress, without `auto`, and enum cli_plan. */
static const char *const progress_names[] = {"plain", "tty", "plain", "json", "none"};
static const char *const plan_names[] = {NULL, "text", "json", "dot", "mermaid"};

static void set_bool(lua_State *L, const char *name, bool value)
{
    lua_pushboolean(L, value);
    lua_setfield(L, -2, name);
}

static void set_int(lua_State *L, const char *name, int value)
{
    lua_pushinteger(L, value);
    lua_setfield(L, -2, name);
}

/* NULL leaves the field alone. */
static void set_text(lua_State *L, const char *name, const char *value)
{
    if (value == NULL)
        return;
    lua_pushstring(L, value);
    lua_setfield(L, -2, name);
}

static void set_list(lua_State *L, const char *name, const char *const *list, int count)
{
    lua_createtable(L, count, 0);
    for (int i = 0; i < count; i++) {
        lua_pushstring(L, list[i]);
        lua_rawseti(L, -2, i + 1);
    }
    lua_setfield(L, -2, name);
}

/* Each --arg, those behind FILE last: a script that asks for tutti.args wants both. */
static void set_args(lua_State *L, const struct cli_words *early, const struct cli_words *late)
{
    set_list(L, "args", early->list, early->count);
    lua_getfield(L, -1, "args");
    for (int i = 0; i < late->count; i++) {
        lua_pushstring(L, late->list[i]);
        lua_rawseti(L, -2, early->count + i + 1);
    }
    lua_pop(L, 1);
    set_int(L, "early_args", early->count);
}

static void set_jobs(lua_State *L, int jobs)
{
    if (jobs > 0)
        set_int(L, "jobs", jobs);
}

static void set_options(lua_State *L, const struct cli_options *options)
{
    set_text(L, "progress", progress_names[options->progress]);
    set_text(L, "plan", plan_names[options->plan]);
    set_bool(L, "color", options->has_color);
    set_bool(L, "color_out", options->has_color_out);
    set_bool(L, "quiet", options->is_quiet);
    set_bool(L, "list", options->wants_list);
    set_int(L, "verbose", options->verbose);
    set_jobs(L, options->jobs);
}

static void set_late(lua_State *L, const struct cli_options *late)
{
    lua_createtable(L, 0, 5);
    set_bool(L, "list", late->wants_list);
    set_text(L, "plan", plan_names[late->plan]);
    set_text(L, "problem", late->problem[0] == '\0' ? NULL : late->problem);
    set_jobs(L, late->jobs);
    set_list(L, "words", late->words.list, late->words.count);
    lua_setfield(L, -2, "late");
}

/* width() -> columns of the terminal that stderr is, or nil   [-0, +1, -] */
static int l_width(lua_State *L)
{
    int columns = cli_terminal_columns(STDERR_FILENO);
    if (columns == 0)
        return 0;
    lua_pushinteger(L, columns);
    return 1;
}

/* From the first line on all that is said is an event, not only once a run has begun. */
static void require_events(lua_State *L)
{
    lua_getglobal(L, "require");
    lua_pushliteral(L, "tutti.progress.events");
    lua_call(L, 1, 0);
}

int cli_session_fill(lua_State *L)
{
    const struct cli_script *script = (const struct cli_script *)lua_touserdata(L, 1);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "tutti.session");
    lua_call(L, 1, 1);
    set_bool(L, "is_program", true);
    set_text(L, "file", script->file);
    lua_pushfstring(L, "%s %s", script->program,
                    script->is_repl ? "repl" : script->file == NULL ? "-e" : "run");
    lua_setfield(L, -2, "command");
    set_list(L, "words", (const char *const *)script->words, script->word_count);
    set_options(L, script->options);
    set_bool(L, "help", script->late->wants_help);
    set_args(L, &script->options->args, &script->late->args);
    set_late(L, script->late);
    if (script->options->progress == CLI_PROGRESS_JSON)
        require_events(L);
    if (script->options->columns > 0)
        set_int(L, "columns", script->options->columns);
    lua_pushcfunction(L, l_width);
    lua_setfield(L, -2, "width");
    return 0;
}
