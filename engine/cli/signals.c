/* SPDX-License-Identifier: MIT */
/*
 * signals.c - see signals.h.
 *
 * No handler runs: the signals are blocked everywhere and one thread takes them by sigwait.
 *
 * Layer: cli. Thread: `watch` on its own; fn on the loop thread.
 */
#include "cli/signals.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
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

static sigset_t watched_set(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
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

static void *watch(void *unused)
{
    (void)unused;
    sigset_t set = watched_set();
    int count = 0;
    for (;;) {
        int number = 0;
        if (sigwait(&set, &number) != 0)
            continue;
        if (number == SIGUSR2) {
            if (atomic_load(&watcher.must_end))
                return NULL;
            continue;
        }
        count++;
        struct arrival *arrival = (struct arrival *)malloc(sizeof *arrival);
        if (arrival == NULL)
            cli_signals_die(number);
        arrival->number = number;
        arrival->count = count;
        if (tutti_post(watcher.engine, deliver, arrival) != TUTTI_OK)
            cli_signals_die(number);
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
