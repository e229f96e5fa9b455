/* SPDX-License-Identifier: MIT */
/*
 * host.c - see host.h.
 *
 * Layer: cli. Thread: the main thread is the loop thread.
 */
#include "cli/host.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lualib.h>

#include "cli/execute.h"
#include "cli/options.h"
#include "cli/prompt.h"
#include "cli/say.h"
#include "cli/session.h"
#include "cli/signals.h"
#include "cli/view.h"
#include "tutti_lua.h"

enum { WORKERS_MAX = 256 }; /* that an engine takes */

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
    if (*end != '\0' || count == 0 || count > WORKERS_MAX) {
        fprintf(stderr, "tutti: TUTTI_WORKERS must be a number of threads from 1 to %d, got \"%s\"\n",
                WORKERS_MAX, text);
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

/* Stop as Ctrl-Z does by default, which is not at all where no shell could have us go on. */
static void stop_here(void)
{
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTSTP);
    (void)pthread_kill(pthread_self(), SIGTSTP);
    pthread_sigmask(SIG_UNBLOCK, &stop, NULL);
    pthread_sigmask(SIG_BLOCK, &stop, NULL);
}

/* Ctrl-Z: the children's groups, which the terminal does not know, stop and go on with us. */
static void stop_for_a_while(struct cli_host *host)
{
    (void)tutti_signal_processes(host->engine, SIGTSTP);
    cli_view_hold();
    cli_prompt_hold();
    stop_here();
    cli_prompt_release();
    cli_view_release();
    (void)tutti_signal_processes(host->engine, SIGCONT);
}

static void on_signal(void *user, int number, int count)
{
    struct cli_host *host = (struct cli_host *)user;
    if (number == SIGTSTP) {
        stop_for_a_while(host);
        return;
    }
    if (count > 1 || host->is_over) {
        (void)tutti_signal_processes(host->engine, SIGKILL);
        cli_signals_die(number);
    }
    host->signal = number;
    (void)tutti_lua_cancel(host->L, signal_reason(number));
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
    lua_pushstring(L, script->file != NULL ? script->file : script->chunk != NULL ? "-e" : script->program);
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

/* Open the state: its libraries, the module, what the command line asked for, what the
 * user sees. Says why not. */
static bool open_state(struct cli_host *host)
{
    const lua_CFunction steps[] = { prepare, NULL, cli_execute_attach, cli_session_fill, host->face->attach };
    lua_State *L = host->L;
    int rc = LUA_OK;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && rc == LUA_OK; i++) {
        if (steps[i] == NULL) {
            rc = tutti_lua_attach(L, host->engine) == TUTTI_OK ? LUA_OK : LUA_ERRMEM;
            continue;
        }
        lua_pushcfunction(L, steps[i]);
        lua_pushlightuserdata(L, (void *)(uintptr_t)host->script);
        rc = lua_pcall(L, 1, 0, 0);
    }
    if (rc != LUA_OK)
        fprintf(stderr, "tutti: opening the Lua state: %s\n",
                lua_isstring(L, -1) ? lua_tostring(L, -1) : "out of memory");
    return rc == LUA_OK;
}

static int run_state(struct cli_host *host, int (*run)(struct cli_host *host))
{
    if (!open_state(host))
        return CLI_FAILED;
    int status = run(host);
    host->is_over = true;
    return status;
}

int cli_host_run_loaded(struct cli_host *host, const char *name, int argc)
{
    int status = CLI_FAILED;
    host->face->start(host->engine, host->L);
    int rc = cli_signals_start(host->engine, on_signal, host);
    if (rc == TUTTI_OK)
        rc = tutti_lua_run(host->L, name, argc, &status);
    if (rc == TUTTI_OK)
        return status;
    fprintf(stderr, "tutti: running \"%s\": %s\n", name, tutti_status_text(rc));
    return CLI_FAILED;
}

bool cli_host_can_read(const char *file)
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

/* A standard stream that is closed would give its number to the next file that is opened. */
static void open_standard_streams(void)
{
    for (int fd = 0; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) == -1 && errno == EBADF)
            (void)open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY);
    }
}

/* Write out what is left in stdout. Returns: 0; an errno; or -1: a script did not look at an earlier write
 * that failed, and the reason is gone. */
static int flush_output(void)
{
    if (fflush(stdout) != 0)
        return errno;
    return ferror(stdout) == 0 ? 0 : -1;
}

static int output_status(int why)
{
    char line[200];
    if (why == 0)
        return CLI_GOOD;
    (void)snprintf(line, sizeof line, "writing the results: %s",
                   why > 0 ? strerror(why) : "not all of them could be written");
    cli_say(line);
    return CLI_FAILED;
}

int cli_host_end_output(void)
{
    return output_status(flush_output());
}

/* What the run comes to, when nothing of it is left. */
static int end(struct cli_host *host, int status)
{
    int why = flush_output(); /* may find that the pipe is broken */
    if (host->signal == 0 && cli_signals_pipe_broke())
        host->signal = SIGPIPE;
    if (host->signal != 0)
        cli_signals_die(host->signal);
    return status == CLI_GOOD ? output_status(why) : status;
}

int cli_host_run(const struct cli_script *script, const struct cli_face *face,
                 int (*run)(struct cli_host *host))
{
    struct cli_host host = { .script = script, .face = face };
    tutti_config config = { .struct_size = sizeof config, .loop = TUTTI_LOOP_CALLER };
    config.workers = wanted_workers();
    config.preempt = wanted_preempt();
    cli_say_as_events(script->options->progress == CLI_PROGRESS_JSON);
    open_standard_streams();
    raise_file_limit();
    cli_signals_block();
    face->open(script->options);
    int rc = tutti_engine_new(&host.engine, &config);
    if (rc != TUTTI_OK) {
        fprintf(stderr, "tutti: starting the engine: %s\n", tutti_status_text(rc));
        return CLI_FAILED;
    }
    int status = CLI_FAILED;
    host.L = tutti_lua_newstate();
    if (host.L != NULL) {
        status = run_state(&host, run);
        face->stop();
        lua_close(host.L);
    }
    cli_signals_stop();
    (void)tutti_engine_free(host.engine);
    return end(&host, status);
}
