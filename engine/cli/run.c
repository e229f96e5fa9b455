/* SPDX-License-Identifier: MIT */
/*
 * run.c - `tutti run FILE` and `tutti -e CHUNK`.
 *
 * Layer: cli. Thread: the main thread is the loop thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lualib.h>

#include "cli/cli.h"
#include "cli/options.h"
#include "cli/session.h"
#include "cli/signals.h"
#include "cli/view.h"
#include "tutti_lua.h"

/* What ends with the script. */
struct run {
    tutti_engine *engine;
    lua_State *L;
    int signal;   /* the first that came, or 0 */
    bool is_over; /* the script has ended: a signal has nothing left to cancel */
};

const char *cli_lua_version(void)
{
    return LUA_RELEASE;
}

/* Scripts open many files and pipes; the soft limit is a leftover of select(). */
static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static uint32_t wanted_workers(void)
{
    const char *text = getenv("TUTTI_WORKERS");
    char *end = NULL;
    if (text == NULL || *text == '\0')
        return 0;
    unsigned long count = strtoul(text, &end, 10);
    if (*end != '\0' || count == 0 || count > 1024) {
        fprintf(stderr, "tutti: TUTTI_WORKERS must be a number of threads from 1 to 1024, got \"%s\"\n",
                text);
        exit(CLI_BAD_USAGE);
    }
    return (uint32_t)count;
}

/* A script that runs and runs can be interrupted, unless asked otherwise. */
static uint32_t wanted_preempt(void)
{
    static const char *const names[] = { "none", "hook", "signal" }; /* as enum tutti_preempt */
    const char *text = getenv("TUTTI_PREEMPT");
    if (text == NULL || *text == '\0')
        return TUTTI_PREEMPT_SIGNAL;
    for (uint32_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(text, names[i]) == 0)
            return i;
    }
    fprintf(stderr, "tutti: TUTTI_PREEMPT must be signal, hook or none, got \"%s\"\n", text);
    exit(CLI_BAD_USAGE);
}

/* ---- signals ------------------------------------------------------------------------------ */

static const char *signal_reason(int number)
{
    switch (number) {
    case SIGINT:
        return "interrupted (Ctrl-C)";
    case SIGTERM:
        return "terminated (SIGTERM)";
    case SIGPIPE:
        return "nobody reads the output any more";
    default:
        return "hung up (SIGHUP)";
    }
}

/* Ctrl-Z: the children's groups, which the terminal does not know, stop and go on with us. */
static void stop_for_a_while(struct run *run)
{
    (void)tutti_signal_processes(run->engine, SIGTSTP);
    cli_view_hold();
    (void)kill(getpid(), SIGSTOP);
    cli_view_release();
    (void)tutti_signal_processes(run->engine, SIGCONT);
}

static void on_signal(void *user, int number, int count)
{
    struct run *run = (struct run *)user;
    if (number == SIGTSTP) {
        stop_for_a_while(run);
        return;
    }
    if (count > 1 || run->is_over) {
        (void)tutti_signal_processes(run->engine, SIGKILL);
        cli_signals_die(number);
    }
    run->signal = number;
    (void)tutti_lua_cancel(run->L, signal_reason(number));
}

/* ---- the state ---------------------------------------------------------------------------- */

/* FILE's folder comes first on package.path. */
static void set_path(lua_State *L, const char *file)
{
    const char *slash = strrchr(file, '/');
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "path");
    const char *old = lua_tostring(L, -1);
    if (slash == NULL)
        lua_pushliteral(L, ".");
    else
        lua_pushlstring(L, file, slash == file ? 1 : (size_t)(slash - file));
    const char *folder = lua_tostring(L, -1);
    lua_pushfstring(L, "%s/?.lua;%s/?/init.lua;%s", folder, folder, old == NULL ? "" : old);
    lua_setfield(L, -4, "path");
    lua_pop(L, 3);
}

static void set_arg(lua_State *L, const struct cli_script *script)
{
    lua_createtable(L, script->word_count, 1);
    lua_pushstring(L, script->file != NULL ? script->file : "-e");
    lua_rawseti(L, -2, 0);
    for (int i = 0; i < script->word_count; i++) {
        lua_pushstring(L, script->words[i]);
        lua_rawseti(L, -2, i + 1);
    }
    lua_setglobal(L, "arg");
}

/* Open the libraries, set paths and `arg`, load the module. Protected. */
static int prepare(lua_State *L)
{
    const struct cli_script *script = (const struct cli_script *)lua_touserdata(L, 1);
    luaL_openlibs(L);
    if (script->file != NULL)
        set_path(L, script->file);
    set_arg(L, script);
    return 0;
}

/* Is there a file that can be read? Says why not. */
static bool can_read(const char *file)
{
    struct stat st;
    const char *why = NULL;
    if (stat(file, &st) != 0)
        why = strerror(errno);
    else if (S_ISDIR(st.st_mode))
        why = "it is a directory";
    else if (access(file, R_OK) != 0)
        why = strerror(errno);
    if (why != NULL)
        fprintf(stderr, "tutti: cannot run \"%s\": %s\n", file, why);
    return why == NULL;
}

static int load(lua_State *L, const struct cli_script *script)
{
    int rc = script->file != NULL ? luaL_loadfilex(L, script->file, "t")
                                  : luaL_loadbufferx(L, script->chunk, strlen(script->chunk), "=-e", "t");
    if (rc == LUA_OK)
        return CLI_GOOD;
    fprintf(stderr, "tutti: %s\n", lua_tostring(L, -1));
    return rc == LUA_ERRFILE ? CLI_BAD_USAGE : CLI_WRONG;
}

/* A script that is only asked what it would do is guarded before it runs. */
static bool prepare_program(lua_State *L, const struct cli_script *script)
{
    if (!script->is_plan && !script->options->wants_list)
        return true;
    lua_getglobal(L, "require");
    lua_pushliteral(L, "tutti.program");
    if (lua_pcall(L, 1, 1, 0) == LUA_OK) {
        lua_getfield(L, -1, "guard");
        lua_remove(L, -2);
        if (lua_pcall(L, 0, 0, 0) == LUA_OK)
            return true;
    }
    fprintf(stderr, "tutti: opening the Lua state: %s\n", lua_tostring(L, -1));
    return false;
}

/* ---- running ------------------------------------------------------------------------------ */

static int run_loaded(struct run *run, const struct cli_script *script)
{
    lua_State *L = run->L;
    const char *name = script->file == NULL ? "-e" : script->file;
    int status = CLI_FAILED;
    luaL_checkstack(L, script->word_count + 8, "too many words");
    for (int i = 0; i < script->word_count; i++)
        lua_pushstring(L, script->words[i]);
    int rc = tutti_lua_run(L, name, script->word_count, &status);
    if (rc != TUTTI_OK) {
        fprintf(stderr, "tutti: running \"%s\": %s\n", name, tutti_status_text(rc));
        return CLI_FAILED;
    }
    return status;
}

/* Open the state: its libraries, the module, what the command line asked for, the view. Says why not. */
static bool open_state(struct run *run, const struct cli_script *script)
{
    static const lua_CFunction steps[] = { prepare, NULL, cli_session_fill, cli_view_attach };
    lua_State *L = run->L;
    int rc = LUA_OK;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && rc == LUA_OK; i++) {
        if (steps[i] == NULL) {
            rc = tutti_lua_attach(L, run->engine) == TUTTI_OK ? LUA_OK : LUA_ERRMEM;
            continue;
        }
        lua_pushcfunction(L, steps[i]);
        lua_pushlightuserdata(L, (void *)(uintptr_t)script);
        rc = lua_pcall(L, 1, 0, 0);
    }
    if (rc != LUA_OK)
        fprintf(stderr, "tutti: opening the Lua state: %s\n",
                lua_isstring(L, -1) ? lua_tostring(L, -1) : "out of memory");
    return rc == LUA_OK;
}

static int run_state(struct run *run, const struct cli_script *script)
{
    lua_State *L = run->L;
    if (!open_state(run, script))
        return CLI_FAILED;
    int status = load(L, script);
    if (status != CLI_GOOD)
        return status;
    if (!prepare_program(L, script))
        return CLI_FAILED;
    cli_view_start(run->engine, L);
    status = cli_signals_start(run->engine, on_signal, run) == TUTTI_OK ? run_loaded(run, script)
                                                                        : CLI_FAILED;
    run->is_over = true;
    return status;
}

/* A standard stream that is closed would give its number to the next file that is opened. */
static void open_standard_streams(void)
{
    for (int fd = 0; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) == -1 && errno == EBADF)
            (void)open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY);
    }
}

int cli_run(const struct cli_script *script)
{
    struct run run = { NULL, NULL, 0, false };
    tutti_config config = { .struct_size = sizeof config, .loop = TUTTI_LOOP_CALLER };
    if (script->file != NULL && !can_read(script->file))
        return CLI_BAD_USAGE;
    config.workers = wanted_workers();
    config.preempt = wanted_preempt();
    open_standard_streams();
    raise_file_limit();
    cli_signals_block();
    cli_view_open(script->options);
    int rc = tutti_engine_new(&run.engine, &config);
    if (rc != TUTTI_OK) {
        fprintf(stderr, "tutti: starting the engine: %s\n", tutti_status_text(rc));
        return CLI_FAILED;
    }
    int status = CLI_FAILED;
    run.L = tutti_lua_newstate();
    if (run.L != NULL) {
        status = run_state(&run, script);
        cli_view_stop();
        lua_close(run.L);
    }
    cli_signals_stop();
    (void)tutti_engine_free(run.engine);
    bool is_written = fflush(stdout) == 0;
    if (run.signal == 0 && cli_signals_pipe_broke())
        run.signal = SIGPIPE;
    if (!is_written && status == CLI_GOOD && run.signal == 0) {
        fprintf(stderr, "tutti: writing the results: %s\n", strerror(errno));
        status = CLI_FAILED;
    }
    if (run.signal != 0)
        cli_signals_die(run.signal);
    return status;
}
