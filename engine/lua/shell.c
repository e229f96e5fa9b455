/* SPDX-License-Identifier: MIT */
/*
 * shell.c - see shell.h.
 *
 * The C library's system() and popen() would not do: their children inherit the signals that are blocked in
 * the calling thread. In threads of the engine these are all, and in the program's loop those that a thread
 * of its own waits for; so neither Ctrl-C nor SIGTERM would reach such a command. (system() has this process
 * ignore a Ctrl-C meanwhile besides, which was meant for the script.)
 *
 * Layer: lua. Thread: the state's.
 * Invariant: a command begins with no signal blocked but Ctrl-Z where that is blocked here: nobody would
 * tell the user's shell that it has stopped, while this thread waits for it.
 */
#include "lua/shell.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lua.h>

extern char **environ;

/* What Lua's io library sees, and what the end needs. */
struct piped {
    luaL_Stream stream; /* first: a file handle is one */
    pid_t pid;
};

/* Threads of the engine block everything; such a command goes on with us after a Ctrl-Z. */
static void mask_of_child(sigset_t *mask)
{
    sigset_t here;
    sigemptyset(mask);
    (void)pthread_sigmask(SIG_SETMASK, NULL, &here);
    if (sigismember(&here, SIGTSTP) == 1 && sigismember(&here, SIGQUIT) == 0)
        sigaddset(mask, SIGTSTP);
}

/* `fd` becomes the command's `number`; -1: nothing does. Returns 0 or an errno. */
static int spawn_shell(pid_t *pid, const char *command, int fd, int number)
{
    const char *argv[] = { "sh", "-c", "--", command, NULL };
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t mask;
    int error = posix_spawnattr_init(&attributes);
    if (error != 0)
        return error;
    mask_of_child(&mask);
    (void)posix_spawnattr_setsigmask(&attributes, &mask);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    char *const *words = (char *const *)(uintptr_t)argv;
    error = posix_spawn_file_actions_init(&actions);
    if (error == 0) {
        if (fd >= 0)
            error = posix_spawn_file_actions_adddup2(&actions, fd, number);
        if (error == 0)
            error = posix_spawn(pid, "/bin/sh", &actions, &attributes, words, environ);
        (void)posix_spawn_file_actions_destroy(&actions);
    }
    (void)posix_spawnattr_destroy(&attributes);
    return error;
}

/* Returns: what wait() says of the shell; -1 with errno. */
static int wait_for(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return -1;
    }
    return status;
}

/* ---- os.execute --------------------------------------------------------------------------- */

/* os.execute([command]), as Lua's.   [-n, +3, e] */
static int l_execute(lua_State *L)
{
    const char *command = luaL_optstring(L, 1, NULL);
    pid_t pid = 0;
    if (command == NULL) {
        lua_pushboolean(L, access("/bin/sh", X_OK) == 0);
        return 1;
    }
    errno = spawn_shell(&pid, command, -1, -1);
    return luaL_execresult(L, errno == 0 ? wait_for(pid) : -1);
}

/* ---- io.popen ----------------------------------------------------------------------------- */

/* The `close` of such a handle; the io library calls it once.   [-n, +3, e] */
static int close_piped(lua_State *L)
{
    struct piped *piped = (struct piped *)luaL_checkudata(L, 1, LUA_FILEHANDLE);
    (void)fclose(piped->stream.f);
    errno = 0;
    return luaL_execresult(L, wait_for(piped->pid));
}

/* Start the command with its stdout, or its stdin, as a pipe. `mode`: "r" or "w". Returns 0 or an errno. */
static int open_piped(struct piped *piped, const char *command, const char *mode)
{
    int ends[2];
    int ours = *mode == 'r' ? 0 : 1;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return errno;
    FILE *file = fdopen(ends[ours], mode);
    int error = file == NULL ? errno : spawn_shell(&piped->pid, command, ends[1 - ours], 1 - ours);
    (void)close(ends[1 - ours]);
    if (error == 0) {
        piped->stream.f = file;
        piped->stream.closef = close_piped;
    } else if (file != NULL) {
        (void)fclose(file);
    } else {
        (void)close(ends[ours]);
    }
    return error;
}

/* io.popen(command [, mode]), as Lua's.   [-n, +n, e] */
static int l_popen(lua_State *L)
{
    const char *command = luaL_checkstring(L, 1);
    const char *mode = luaL_optstring(L, 2, "r");
    luaL_argcheck(L, (mode[0] == 'r' || mode[0] == 'w') && mode[1] == '\0', 2, "invalid mode");
    struct piped *piped = (struct piped *)lua_newuserdatauv(L, sizeof *piped, 0);
    piped->stream.closef = NULL; /* closed until it is open */
    luaL_setmetatable(L, LUA_FILEHANDLE);
    (void)fflush(NULL); /* what was written before comes before what the command writes */
    errno = open_piped(piped, command, mode);
    return errno == 0 ? 1 : luaL_fileresult(L, 0, command);
}

/* ---- where they stand --------------------------------------------------------------------- */

const luaL_Reg tutti__shell_functions[] = {
    { "execute", l_execute },
    { "popen", l_popen },
    { NULL, NULL },
};

static void replace(lua_State *L, const char *library, const luaL_Reg *function)
{
    if (lua_getglobal(L, library) == LUA_TTABLE) {
        lua_pushcfunction(L, function->func);
        lua_setfield(L, -2, function->name);
    }
    lua_pop(L, 1);
}

void tutti__shell_globals(lua_State *L)
{
    replace(L, "os", &tutti__shell_functions[0]);
    replace(L, "io", &tutti__shell_functions[1]);
}
