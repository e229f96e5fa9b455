/* SPDX-License-Identifier: MIT */
/*
 * execute.c - see execute.h.
 *
 * The C library's system() would not do: its child inherits the signals that are blocked here, so that Ctrl-C
 * does not reach it, and meanwhile it has this process ignore a Ctrl-C that was meant for the script.
 *
 * Layer: cli. Thread: the loop's.
 * Invariant: view and prompt are put away for exactly as long as the command runs.
 */
#include "cli/execute.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lauxlib.h>

#include "cli/prompt.h"
#include "cli/view.h"

extern char **environ;

/* Ctrl-Z stays blocked, as nobody would tell the shell that the command has stopped. */
static int spawn_shell(pid_t *pid, const char *command)
{
    const char *argv[] = { "sh", "-c", "--", command, NULL };
    posix_spawnattr_t attributes;
    sigset_t blocked;
    int error = posix_spawnattr_init(&attributes);
    if (error != 0)
        return error;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTSTP);
    (void)posix_spawnattr_setsigmask(&attributes, &blocked);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    error = posix_spawn(pid, "/bin/sh", NULL, &attributes, (char *const *)(uintptr_t)argv, environ);
    (void)posix_spawnattr_destroy(&attributes);
    return error;
}

/* Returns: what wait() says of the shell; -1 with errno. */
static int run_command(const char *command)
{
    pid_t pid = 0;
    int status = 0;
    errno = spawn_shell(&pid, command);
    if (errno != 0)
        return -1;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return -1;
    }
    return status;
}

/* os.execute([command]), as Lua's.   [-n, +3, e] */
static int l_execute(lua_State *L)
{
    const char *command = luaL_optstring(L, 1, NULL);
    if (command == NULL) {
        lua_pushboolean(L, access("/bin/sh", X_OK) == 0);
        return 1;
    }
    cli_view_hold();
    cli_prompt_hold();
    int status = run_command(command);
    int error = errno;
    cli_prompt_release();
    cli_view_release();
    errno = error;
    return luaL_execresult(L, status);
}

int cli_execute_attach(lua_State *L)
{
    lua_getglobal(L, "os");
    lua_pushcfunction(L, l_execute);
    lua_setfield(L, -2, "execute");
    lua_pop(L, 1);
    return 0;
}
