/* SPDX-License-Identifier: MIT */
/*
 * view.c - see view.h.
 *
 * Layer: cli. Locks: view.mu, a leaf; terminal.mu (view_terminal.c) is taken before it.
 * Invariant: while `is_asked` one post is on its way to the loop, and no other; the model is whole
 * whenever view.mu is free.
 */
#include "cli/view.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "cli/streams.h"
#include "cli/view_draw.h"
#include "cli/view_lua.h"
#include "cli/view_terminal.h"

/* Seconds from one paint to the next at least, and at most while something runs. */
#define PAINT_S (1.0 / 15)
#define IDLE_S 1.0
#define NEVER 1e300
/* A run that is over before that is not painted at all. */
#define QUIET_S 0.1

static struct {
    bool is_tty;    /* there are streams and a picture; set once */
    bool has_color; /* set once */
    int wake_fd;    /* eventfd; opened once, written by anybody */
    atomic_bool is_resized; /* stored by a signal handler before it wakes the painter, which loads it after */
    pthread_t thread;
    bool is_running;      /* [loop thread] */
    tutti_engine *engine; /* [loop thread], read by the painter, which starts after it was set */
    lua_State *L;         /* [loop thread] where the Lua half is asked; NULL: no more */

    pthread_mutex_t mu;
    bool must_end;          /* [mu] */
    bool is_asked;          /* [mu] */
    bool wants_paint;       /* [mu] what is on the screen is not what is known */
    double ask_at;          /* [mu] when the Lua half wants to be asked; NEVER: not at all */
    double asked_at;        /* [mu] */
    double painted_at;      /* [mu] */
    struct cli_model model; /* [mu] */
} view = { .wake_fd = -1, .mu = PTHREAD_MUTEX_INITIALIZER, .ask_at = NEVER };

double cli_view_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Also in a signal handler. */
static void wake(void)
{
    static const uint64_t one = 1;
    if (view.wake_fd >= 0)
        (void)!write(view.wake_fd, &one, sizeof one);
}

/* ---- the painter -------------------------------------------------------------------------- */

static int render(struct cli_text *text, int cols, int rows)
{
    struct cli_screen screen = { cols, rows, cli_view_clock(), view.has_color };
    pthread_mutex_lock(&view.mu);
    int count = cli_draw(text, &view.model, &screen);
    pthread_mutex_unlock(&view.mu);
    return count;
}

static double later(double a, double b)
{
    return a > b ? a : b;
}

/* [view.mu] When there is something to paint next; NEVER: not before somebody wakes us. */
static double paint_time(void)
{
    if (!view.is_tty || view.model.bar_count == 0)
        return NEVER;
    return view.painted_at + (view.wants_paint ? PAINT_S : IDLE_S);
}

/* [view.mu] When the Lua half is to be asked next. */
static double ask_time(void)
{
    return view.is_asked ? NEVER : later(view.ask_at, view.asked_at + PAINT_S);
}

/* [view.mu] Milliseconds for poll; -1: for ever. */
static int time_to_sleep(double now)
{
    double paint_at = paint_time();
    double ask_at = ask_time();
    double at = paint_at < ask_at ? paint_at : ask_at;
    if (at > now + 1e6)
        return -1;
    return at <= now ? 0 : (int)((at - now) * 1000) + 1;
}

static void on_ask(void *user)
{
    (void)user;
    pthread_mutex_lock(&view.mu);
    view.ask_at = NEVER;
    view.is_asked = false;
    pthread_mutex_unlock(&view.mu);
    if (view.L != NULL)
        cli_view_refresh(view.L);
}

/* Decide under the lock, act without it. */
static void step(double now)
{
    pthread_mutex_lock(&view.mu);
    if (atomic_exchange(&view.is_resized, false))
        view.wants_paint = true;
    bool asks = ask_time() <= now;
    bool paints = paint_time() <= now;
    if (asks) {
        view.is_asked = true;
        view.asked_at = now;
    }
    if (paints) {
        view.wants_paint = false;
        view.painted_at = now;
    }
    pthread_mutex_unlock(&view.mu);
    if (asks && tutti_post(view.engine, on_ask, NULL) != TUTTI_OK)
        asks = false; /* the engine ends, and so does what is shown */
    if (paints)
        cli_terminal_paint(render);
}

static void *paint(void *unused)
{
    (void)unused;
    for (;;) {
        uint64_t count;
        pthread_mutex_lock(&view.mu);
        bool must_end = view.must_end;
        int ms = time_to_sleep(cli_view_clock());
        pthread_mutex_unlock(&view.mu);
        if (must_end)
            return NULL;
        struct pollfd woken = { .fd = view.wake_fd, .events = POLLIN };
        if (poll(&woken, 1, ms) == 1)
            (void)!read(view.wake_fd, &count, sizeof count);
        step(cli_view_clock());
    }
}

/* All signals are taken elsewhere. */
static bool start_thread(void)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    view.is_running = pthread_create(&view.thread, NULL, paint, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return view.is_running;
}

/* ---- for the Lua half --------------------------------------------------------------------- */

void cli_view_touch(double delay)
{
    double now = cli_view_clock();
    pthread_mutex_lock(&view.mu);
    bool is_sooner = now + delay < view.ask_at;
    if (is_sooner)
        view.ask_at = now + delay;
    pthread_mutex_unlock(&view.mu);
    if (!view.is_running && view.engine != NULL && !start_thread())
        return; /* without a thread there is no view, and the run goes on */
    if (is_sooner)
        wake();
}

void cli_view_show(const struct cli_model *model)
{
    pthread_mutex_lock(&view.mu);
    bool begins = view.model.bar_count == 0;
    bool ends = model->bar_count == 0;
    view.model = *model;
    view.wants_paint = true;
    if (begins)
        view.painted_at = cli_view_clock() + QUIET_S - PAINT_S;
    pthread_mutex_unlock(&view.mu);
    if (ends && !begins && view.is_tty)
        cli_terminal_paint(render); /* which erases */
    else
        wake();
}

int cli_view_height(void)
{
    int cols = 0;
    int rows = 0;
    cli_terminal_size(&cols, &rows);
    return cli_draw_height(rows);
}

bool cli_view_is_on(void)
{
    return view.wake_fd >= 0;
}

/* ---- streams ------------------------------------------------------------------------------ */

static void paint_again(void)
{
    pthread_mutex_lock(&view.mu);
    view.wants_paint = true;
    pthread_mutex_unlock(&view.mu);
    wake();
}

static ssize_t write_above(void *cookie, const char *bytes, size_t size)
{
    (void)cookie;
    bool has_hidden = false;
    ssize_t n = cli_terminal_write(bytes, size, &has_hidden);
    if (has_hidden)
        paint_again();
    return n;
}

/* The names `stdout` and `stderr` are variables in glibc; Lua states, which are opened later, take them up.
 * With forced views (--progress=tty) both may be anything. */
static bool replace_streams(void)
{
    FILE *err = cli_stream_new(write_above, NULL, _IONBF);
    bool is_same = cli_stream_is_same(STDOUT_FILENO, STDERR_FILENO);
    FILE *out = is_same ? cli_stream_new(write_above, NULL, _IOLBF) : stdout;
    if (err == NULL || out == NULL)
        return false;
    stderr = err;
    stdout = out;
    return true;
}

/* ---- signals ------------------------------------------------------------------------------ */

static void on_resize(int number)
{
    (void)number;
    int saved = errno;
    atomic_store(&view.is_resized, true);
    wake();
    errno = saved;
}

static void take_signals(void)
{
    struct sigaction action = { .sa_handler = on_resize, .sa_flags = SA_RESTART };
    struct sigaction old;
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGWINCH, NULL, &old) == 0 && old.sa_handler == SIG_DFL)
        (void)sigaction(SIGWINCH, &action, NULL);
    cli_crash_call(cli_terminal_crash);
}

/* ---- life --------------------------------------------------------------------------------- */

void cli_view_open(const struct cli_options *options)
{
    view.has_color = options->has_color;
    if (options->progress != CLI_PROGRESS_TTY && options->progress != CLI_PROGRESS_PLAIN)
        return;
    view.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (view.wake_fd < 0 || options->progress == CLI_PROGRESS_PLAIN)
        return;
    cli_terminal_open(STDERR_FILENO);
    if (!replace_streams())
        return;
    view.is_tty = true;
    take_signals();
    (void)atexit(cli_view_end);
}

void cli_view_start(tutti_engine *engine, lua_State *L)
{
    if (view.wake_fd < 0)
        return;
    view.engine = engine;
    view.L = L;
}

void cli_view_stop(void)
{
    static const struct cli_model nothing = { .bar_count = 0 };
    view.L = NULL;
    if (!view.is_running)
        return;
    cli_view_show(&nothing);
    pthread_mutex_lock(&view.mu);
    view.must_end = true;
    pthread_mutex_unlock(&view.mu);
    wake();
    pthread_join(view.thread, NULL);
    view.is_running = false;
    view.engine = NULL;
}

void cli_view_hold(void)
{
    if (view.is_tty)
        cli_terminal_hold();
}

void cli_view_release(void)
{
    if (!view.is_tty)
        return;
    cli_terminal_release();
    paint_again();
}

void cli_view_end(void)
{
    if (view.is_tty)
        cli_terminal_end();
}
