/* SPDX-License-Identifier: MIT */
/*
 * nudge.c - see nudge.h.
 *
 * Layer: sched. Locks: nudge.mu around the process's handler.
 * Invariant: the handler touches nothing but the states of its own thread, in which it interrupts
 * whatever runs; so it only reads what is written by one store, and calls what expects that.
 */
#include "sched/nudge.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "sched/watchdog.h"

/* Signals are the process's, so this is too. */
static struct {
    pthread_mutex_t mu;
    uint32_t users;       /* [mu] */
    struct sigaction old; /* [mu writes while there are no users] */
} nudge = { .mu = PTHREAD_MUTEX_INITIALIZER };

/* States of the calling thread. In the first bytes of a thread's memory, for what is made on demand may
 * not be asked for in a handler. */
static __attribute__((tls_model("initial-exec"))) _Thread_local struct tutti__watched *nudge_here;

/* Order for a handler of this very thread. */
static inline void compiler_fence(void)
{
    __asm__ __volatile__("" ::: "memory");
}

static void make_report(struct tutti__watched *w)
{
    /* acquire: the text is this thread's from now on; release: and the dog's again. */
    if (TUTTI_LOAD(&w->report, acquire) == TUTTI__REPORT_WANTED) {
        bool is_meant = w->describe(w, w->text, sizeof w->text);
        TUTTI_STORE(&w->report, is_meant ? TUTTI__REPORT_MADE : TUTTI__REPORT_REFUSED, release);
    }
}

static void pass_on_signal(int number, siginfo_t *info, void *context)
{
    if ((nudge.old.sa_flags & SA_SIGINFO) != 0) {
        nudge.old.sa_sigaction(number, info, context);
    } else if (nudge.old.sa_handler != SIG_DFL && nudge.old.sa_handler != SIG_IGN) {
        nudge.old.sa_handler(number);
    }
}

static void on_nudge(int number, siginfo_t *info, void *context)
{
    int saved = errno;
    for (struct tutti__watched *w = nudge_here; w != NULL; w = w->here_next) {
        make_report(w);
        /* relaxed: what is asked is found where it stands; a bit that is not seen yet comes again. */
        if ((TUTTI_LOAD(&w->asked, relaxed) & TUTTI__ASK_WISHES) != 0) {
            w->arm(w);
        }
    }
    if (info->si_code != SI_QUEUE || info->si_value.sival_ptr != (void *)&nudge) {
        pass_on_signal(number, info, context);
    }
    errno = saved;
}

static bool install_locked(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_nudge;
    action.sa_flags = SA_RESTART | SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    return sigaction(SIGURG, &action, &nudge.old) == 0;
}

/* Who has put a handler on top of ours since then keeps it. */
static void uninstall_locked(void)
{
    struct sigaction now;
    if (sigaction(SIGURG, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) != 0 &&
        now.sa_sigaction == on_nudge) {
        (void)sigaction(SIGURG, &nudge.old, NULL);
    }
}

bool tutti__nudge_enter(struct tutti__watched *w)
{
    pthread_mutex_lock(&nudge.mu);
    bool is_there = nudge.users != 0 || install_locked();
    nudge.users += is_there;
    pthread_mutex_unlock(&nudge.mu);
    if (!is_there) {
        return false;
    }
    w->pthread = pthread_self();
    w->here_next = nudge_here;
    compiler_fence(); /* whole before the handler of this thread sees it */
    nudge_here = w;
    sigset_t urgent;
    sigemptyset(&urgent);
    sigaddset(&urgent, SIGURG);
    pthread_sigmask(SIG_UNBLOCK, &urgent, NULL); /* engine's threads begin with all blocked */
    return true;
}

void tutti__nudge_unlink(struct tutti__watched *w)
{
    struct tutti__watched **at = &nudge_here;
    while (*at != NULL && *at != w) {
        at = &(*at)->here_next;
    }
    if (*at == w) {
        *at = w->here_next;
    }
    compiler_fence(); /* out before it is freed */
}

void tutti__nudge_leave(struct tutti__watched *w)
{
    tutti__nudge_unlink(w);
    pthread_mutex_lock(&nudge.mu);
    if (--nudge.users == 0) {
        uninstall_locked();
    }
    pthread_mutex_unlock(&nudge.mu);
}

void tutti__nudge_send(struct tutti__watched *w)
{
    union sigval value = { .sival_ptr = (void *)&nudge };
    (void)pthread_sigqueue(w->pthread, SIGURG, value); /* EAGAIN: too many signals; it comes again */
}
