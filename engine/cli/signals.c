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
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* The process has one set of signals, so this is the program's, not an engine's. */
static struct {
    pthread_t thread;
    bool is_running;      /* [main thread] */
    atomic_bool must_end; /* main stores before it sends SIGUSR2; watch loads after sigwait */
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

static sigset_t watched_set(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGTSTP);
    sigaddset(&set, SIGUSR2); /* ours alone: ends the thread */
    return set;
}

void cli_signals_block(void)
{
    sigset_t set = watched_set();
    pthread_sigmask(SIG_BLOCK, &set, NULL);
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
    if (tutti_post(watcher.engine, deliver, arrival) != TUTTI_OK)
        cli_signals_die(number);
}

/* Wait for the next signal; after the first one no longer than the patience that is left for it.
 * Returns 0 when that is over. */
static int next_signal(const sigset_t *set, int count)
{
    static const struct timespec grace = { .tv_sec = GRACE_S };
    static const struct timespec answer = { .tv_sec = ANSWER_S };
    for (;;) {
        siginfo_t info;
        int number = count == 0 ? sigwaitinfo(set, &info)
                                : sigtimedwait(set, &info, count == 1 ? &grace : &answer);
        if (number > 0)
            return number;
        if (errno == EAGAIN)
            return 0;
    }
}

static void *watch(void *unused)
{
    (void)unused;
    sigset_t set = watched_set();
    int count = 0;
    int first = 0;
    for (;;) {
        int number = next_signal(&set, count);
        if (number == SIGUSR2 && atomic_load(&watcher.must_end))
            return NULL;
        if (number == SIGUSR2)
            continue;
        if (number == SIGTSTP) {
            post(number, count);
            continue;
        }
        count++;
        if (count > 2)
            cli_signals_die(first); /* nobody answers */
        first = first == 0 ? number : first;
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
    signal(number, SIG_DFL);
    sigemptyset(&set);
    sigaddset(&set, number);
    raise(number);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    _exit(128 + number); /* not reached unless the signal is ignored */
}
