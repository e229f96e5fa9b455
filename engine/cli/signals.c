/* SPDX-License-Identifier: MIT */
/*
 * signals.c - see signals.h.
 *
 * No handler runs: the signals are blocked everywhere and one thread takes them by sigwait.
 *
 * Layer: cli. Thread: `watch` on its own; fn on the loop thread.
 */
#include "cli/signals.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cli/prompt.h"
#include "cli/say.h"
#include "cli/view.h"
#include "tutti_lua.h"

/* The process has one set of signals, so this is the program's, not an engine's. */
static struct {
    pthread_t thread;
    bool is_running;      /* [main thread] */
    atomic_bool must_end;   /* main stores before it sends SIGUSR2; watch loads after sigwait */
    atomic_bool pipe_broke; /* as must_end, stored by the handler */
    atomic_bool pipe_seen;  /* the handler has told the watcher; the main thread loads at the end */
    tutti_engine *engine;
    void (*fn)(void *user, int number, int count);
    void *user;
} watcher;

/* One signal on its way to the loop. */
struct arrival {
    int number;
    int count;
};

/* How long the first signal's cancellation may take, and how long a loop that is stuck in a script may
 * take to answer the second. */
enum { GRACE_S = 10, ANSWER_S = 1 };

/* What the watcher waits for. Signals that were ignored when the program began stay ignored (nohup, a
 * background job of a shell without job control). Filled once, by cli_signals_block. */
static sigset_t watched;

static void watch_unless_ignored(int number)
{
    struct sigaction old;
    if (sigaction(number, NULL, &old) == 0 && old.sa_handler == SIG_IGN)
        return;
    sigaddset(&watched, number);
}

/* Does nobody read stdout or stderr any more? A socket or pipe of the script's own that breaks raises SIGPIPE
 * as well, and is an error for whoever writes to it. Safe in a handler. */
static bool is_output_broken(void)
{
    struct pollfd outputs[] = { { .fd = STDOUT_FILENO }, { .fd = STDERR_FILENO } };
    return poll(outputs, sizeof outputs / sizeof outputs[0], 0) > 0
        && ((outputs[0].revents | outputs[1].revents) & (POLLERR | POLLHUP)) != 0;
}

/* A write to a pipe that nobody reads any more, on any thread: the watcher ends the script. */
static void on_broken_pipe(int number)
{
    (void)number;
    int saved = errno;
    /* Once: a loop of writes must not keep the watcher busy. */
    if (is_output_broken() && !atomic_exchange(&watcher.pipe_seen, true)) {
        atomic_store(&watcher.pipe_broke, true);
        (void)kill(getpid(), SIGUSR2);
    }
    errno = saved;
}

void cli_signals_block(void)
{
    struct sigaction pipe_action;
    sigemptyset(&watched);
    watch_unless_ignored(SIGINT);
    watch_unless_ignored(SIGTERM);
    watch_unless_ignored(SIGHUP);
    watch_unless_ignored(SIGTSTP);
    sigaddset(&watched, SIGUSR2); /* ours alone: the thread is to end, or a pipe broke */
    pthread_sigmask(SIG_BLOCK, &watched, NULL);
    if (sigaction(SIGPIPE, NULL, &pipe_action) != 0 || pipe_action.sa_handler == SIG_IGN)
        return;
    pipe_action.sa_handler = on_broken_pipe;
    pipe_action.sa_flags = SA_RESTART;
    sigemptyset(&pipe_action.sa_mask);
    (void)sigaction(SIGPIPE, &pipe_action, NULL);
}

bool cli_signals_pipe_broke(void)
{
    return atomic_load(&watcher.pipe_seen);
}

static void deliver(void *user)
{
    struct arrival *arrival = (struct arrival *)user;
    watcher.fn(watcher.user, arrival->number, arrival->count);
    free(arrival);
}

static void post(int number, int count)
{
    struct arrival *arrival = (struct arrival *)malloc(sizeof *arrival);
    if (arrival == NULL)
        cli_signals_die(number);
    arrival->number = number;
    arrival->count = count;
    if (tutti_post_urgent(watcher.engine, deliver, arrival) != TUTTI_OK)
        cli_signals_die(number);
}

/* Wait for the next signal; after the first one no longer than the patience that is left for it.
 * Returns 0 when that is over. */
static int next_signal(int first, int count)
{
    static const struct timespec grace = { .tv_sec = GRACE_S };
    static const struct timespec answer = { .tv_sec = ANSWER_S };
    const struct timespec *patience = count == 1 && first != SIGPIPE ? &grace : &answer;
    for (;;) {
        siginfo_t info;
        int number = count == 0 ? sigwaitinfo(&watched, &info)
                                : sigtimedwait(&watched, &info, patience);
        if (number == SIGUSR2 && atomic_load(&watcher.must_end))
            return number;
        if (number == SIGUSR2 && atomic_exchange(&watcher.pipe_broke, false) && count == 0)
            return SIGPIPE;
        if (number > 0 && number != SIGUSR2)
            return number;
        if (number < 0 && errno == EAGAIN)
            return 0;
    }
}

/* Lock stderr if a short line would go out soon. A pager may have stopped reading, with another thread in the
 * middle of a write; the signal must not wait for that. */
static bool try_lock_stderr(void)
{
    static const struct timespec moment = { .tv_nsec = 5000000 };
    for (int tries = 0; tries < 20; tries++) {
        struct pollfd out = { .fd = STDERR_FILENO, .events = POLLOUT };
        if (poll(&out, 1, 0) == 1 && (out.revents & POLLOUT) != 0 && ftrylockfile(stderr) == 0)
            return true;
        (void)nanosleep(&moment, NULL);
    }
    return false;
}

/* Said here and not by the loop, which may be busy in a script. */
static void say(int number, int count)
{
    const char *what = number == SIGINT ? "interrupted (Ctrl-C)"
        : number == SIGTERM ? "terminated (SIGTERM)" : "hung up (SIGHUP)";
    if (number == SIGPIPE || !try_lock_stderr())
        return; /* nobody reads the output any more: what ends by that ends in silence */
    char line[100];
    (void)snprintf(line, sizeof line, count == 1 ? "%s: stopping, for up to 10 s; once more kills"
                                                 : "%s: killed", what);
    cli_say(line);
    funlockfile(stderr);
}

/* Does a task of the script await it? The first Ctrl-C only: the second is for whoever sits there. */
static bool is_scripts(int number)
{
    static bool had_interrupt;
    if ((number != SIGINT && number != SIGTERM && number != SIGHUP) || (number == SIGINT && had_interrupt))
        return false;
    if (tutti_lua_signal(watcher.engine, number) != TUTTI_OK)
        return false;
    had_interrupt = had_interrupt || number == SIGINT;
    return true;
}

static void *watch(void *unused)
{
    (void)unused;
    int count = 0;
    int first = 0;
    for (;;) {
        int number = next_signal(first, count);
        if (number == SIGUSR2)
            return NULL;
        if (number == SIGTSTP) {
            post(number, count);
            continue;
        }
        if (count == 0 && (is_scripts(number) || (number == SIGINT && cli_prompt_interrupt())))
            continue;
        count++;
        if (count > 2)
            cli_signals_die(first); /* nobody answers */
        first = first == 0 ? number : first;
        say(first, count);
        post(first, count);
    }
}

int cli_signals_start(tutti_engine *engine, void (*fn)(void *user, int number, int count), void *user)
{
    watcher.engine = engine;
    watcher.fn = fn;
    watcher.user = user;
    atomic_store(&watcher.must_end, false);
    watcher.is_running = pthread_create(&watcher.thread, NULL, watch, NULL) == 0;
    return watcher.is_running ? TUTTI_OK : TUTTI_EAGAIN;
}

void cli_signals_stop(void)
{
    if (!watcher.is_running)
        return;
    atomic_store(&watcher.must_end, true);
    pthread_kill(watcher.thread, SIGUSR2);
    pthread_join(watcher.thread, NULL);
    watcher.is_running = false;
}

void cli_signals_die(int number)
{
    sigset_t set;
    cli_view_end();
    cli_prompt_end();
    signal(number, SIG_DFL);
    sigemptyset(&set);
    sigaddset(&set, number);
    raise(number);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    _exit(128 + number); /* not reached unless the signal is ignored */
}
