/* SPDX-License-Identifier: MIT */
/*
 * tutti_lua.h - tutti for hosts with a lua_State.
 *
 * The library's Lua half is compiled in: no path has to be set.
 */
#ifndef TUTTI_LUA_H
#define TUTTI_LUA_H

#include <lua.h>

#include "tutti.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The module: `require "tutti"`. In a state without an engine it makes one with the calling thread as
 * its loop thread, which ends with the state. Raises on failure. */
TUTTI_API int luaopen_tutti(lua_State *L);

/* The C half that lua/tutti/init.lua asks for. */
TUTTI_API int luaopen_tutti_core(lua_State *L);

/**
 * As luaL_newstate, with an allocator of the state's own, which serves many small tasks faster than malloc
 * and with less memory. Close it with lua_close.
 * Returns: NULL - out of memory.
 */
TUTTI_API lua_State *tutti_lua_newstate(void);

/**
 * Tie a Lua state to an engine made with TUTTI_LOOP_CALLER and put the module into package.preload.
 * Thread:  the engine's creator, which becomes the state's only thread.
 * Returns: TUTTI_OK · TUTTI_EINVAL (the state has an engine already, or not the loop thread) ·
 *          TUTTI_ENOMEM. Close the state before the engine is freed.
 */
TUTTI_API int tutti_lua_attach(lua_State *L, tutti_engine *e);

/**
 * Run a chunk as a task named `name` and the loop until no task of the state is left, as `tutti run`
 * does. On top of the stack: the function and its `argc` arguments (popped). From then on `os.exit` of
 * this state cancels and joins every task before the run ends with that status.
 *
 * Thread:  the loop thread. Blocks: yes.
 * Args:    status - set to what `tutti run` would exit with: 0 · 1 · 3.
 * Returns: TUTTI_OK · TUTTI_EINVAL (no engine in this state) · TUTTI_ENOMEM.
 */
TUTTI_API int tutti_lua_run(lua_State *L, const char *name, int argc, int *status);

/**
 * Cancel every task of the state.
 * Thread: the loop thread. Args: reason - NULL or a text for the error object.
 */
TUTTI_API int tutti_lua_cancel(lua_State *L, const char *reason);

/**
 * End the tasks made by tutti.signal that await this signal, as a host that takes signals by itself (sigwait)
 * does. A host that does not has nothing to do: while such a task is pending the loop watches the signal.
 *
 * Thread:  any; not in a signal handler. The engine's states exist as long as the call lasts.
 * Returns: TUTTI_OK: there was one · TUTTI_EAGAIN: there was none, do as you would without tutti ·
 *          TUTTI_EINVAL.
 */
TUTTI_API int tutti_lua_signal(tutti_engine *e, int number);

/* ---- a prompt of the host's own ------------------------------------------------------------ */

/* What a text is that is written. */
enum tutti_repl_text {
    TUTTI_REPL_TEXT_VALUE = 0, /* what an expression gave */
    TUTTI_REPL_TEXT_ERROR,     /* why a line failed, with its traceback */
    TUTTI_REPL_TEXT_REPORT,    /* what went on without the prompt and has ended or failed */
    TUTTI_REPL_TEXT_PRINT,     /* print(...) of a line, with TUTTI_REPL_OWN_PRINT */
};

/* What became of a text that was fed. */
enum tutti_repl_outcome {
    TUTTI_REPL_INCOMPLETE = 0, /* nothing ran: feed it again, with more behind it */
    TUTTI_REPL_VALUES,         /* its function has returned; what it started may go on */
    TUTTI_REPL_ERROR,          /* it does not compile, raised, or was interrupted */
    TUTTI_REPL_RUNNING,        /* it ended in & and goes on; a report tells its end */
    TUTTI_REPL_COMMAND,        /* it was a command such as :tasks */
};

enum tutti_repl_flag {
    TUTTI_REPL_COLOR = 1,     /* write escape sequences for colours */
    TUTTI_REPL_OWN_PRINT = 2, /* what lines print is written here, not to stdout */
};

typedef struct tutti_repl tutti_repl;

/* Both functions run on the loop thread inside a task: they must not wait, nor raise Lua errors. They may
 * call all of tutti_repl_*, also _free of this prompt. */
typedef struct tutti_repl_config {
    size_t struct_size;
    const char *name; /* of its chunks in messages, `(name 3):1`; copied; NULL: "prompt" */
    /* Takes whole lines; `kind` is of enum tutti_repl_text. */
    void (*write)(void *user, const char *text, size_t size, int kind);
    /* Told once for each feed; `outcome` is of enum tutti_repl_outcome. May be NULL. */
    void (*done)(void *user, int outcome);
    void *user;
    int columns;    /* to wrap what is shown at; 0: 80 */
    uint32_t flags; /* of enum tutti_repl_flag */
} tutti_repl_config;

/**
 * Make a prompt: what `tutti repl` evaluates with, for a console in a game or behind a socket. Its locals,
 * `_` and numbers are its own; globals are the state's. A state may have any number of them.
 *
 * Thread:  the loop thread of the engine that L is attached to. Outside tasks, else it ends with that task.
 * Returns: TUTTI_OK · TUTTI_EINVAL (no engine in this state, another thread, a config without write) ·
 *          TUTTI_ENOMEM.
 */
TUTTI_API int tutti_repl_new(lua_State *L, const tutti_repl_config *config, tutti_repl **repl);

/**
 * Evaluate a line or chunk. It returns at once; the text runs as a task when the loop is run or polled
 * next, and `done` tells what became of it, never before this call has returned. While one text holds the
 * prompt, those fed after it wait their turn.
 *
 * Thread:  the loop thread. Args: text - copied; any bytes.
 * Returns: TUTTI_OK · TUTTI_EINVAL (another thread, or the Lua state has been closed) · TUTTI_ENOMEM.
 */
TUTTI_API int tutti_repl_feed(tutti_repl *repl, const char *text, size_t size);

/**
 * Ctrl-C: cancel the text that holds the prompt, with its children, or the next one if none has begun; never
 * what goes on in the background.
 * A text in a loop without end holds the loop thread: interrupt it from another thread by tutti_post_urgent
 * and a function that calls this, in an engine with TUTTI_PREEMPT_SIGNAL.
 *
 * Thread:  the loop thread.
 * Returns: TUTTI_OK · TUTTI_EAGAIN (nothing holds the prompt) · TUTTI_EINVAL · TUTTI_ENOMEM.
 */
TUTTI_API int tutti_repl_interrupt(tutti_repl *repl);

/* A candidate for the bytes [from, to) of the text; `user` is the config's. It may copy what it gets, and
 * call nothing of tutti. */
typedef void (*tutti_repl_candidate)(void *user, const char *text, size_t size, size_t from,
                                     size_t to);

/**
 * Tab: tell fn, before this returns, each candidate for what stands before byte `point` of a text, at most
 * 1,000: names, fields, methods, locals of this prompt, files in strings, commands, tasks. Runs no code of
 * the user's.
 *
 * Thread:  the loop thread. Args: text - as it would be fed; point - at most size.
 * Returns: TUTTI_OK (also without candidates) · TUTTI_EINVAL · TUTTI_ENOMEM.
 */
TUTTI_API int tutti_repl_complete(tutti_repl *repl, const char *text, size_t size, size_t point,
                                  tutti_repl_candidate fn);

/**
 * End a prompt. From now on neither `write` nor `done` is called; all that it runs, also in the background,
 * is cancelled and ends while the loop goes on. After lua_close this only frees memory.
 *
 * Thread:  the loop thread; also inside write and done.
 * Returns: TUTTI_OK · TUTTI_EINVAL (another thread: nothing has happened) · TUTTI_ENOMEM (freed, but what
 *          it ran goes on).
 */
TUTTI_API int tutti_repl_free(tutti_repl *repl);

#ifdef __cplusplus
}
#endif
#endif
