/* SPDX-License-Identifier: MIT */
/*
 * prompt.c - see prompt.h.
 *
 * Layer: cli. Locks: prompt.mu, a leaf.
 * Invariant: only the terminal thread reads fd 0 and changes the terminal's settings, and only
 * while `has_terminal`; but for the end of the process, which no line survives.
 */
#include "cli/prompt.h"

#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "cli/prompt_editor.h"
#include "cli/prompt_history.h"
#include "cli/prompt_lua.h"
#include "cli/prompt_readline.h"
#include "cli/prompt_tab.h"
#include "cli/prompt_text.h"
#include "cli/streams.h"

/* Seconds from one redrawing of the line to the next at least. */
#define DRAW_S (1.0 / 30)

enum { ABOVE_BYTES = 256 * 1024 + 2, PATH_BYTES = 4096 };

/* Of the history, on its way to the thread. */
struct entry {
    struct entry *next;
    char text[];
};

static struct {
    const struct cli_editor *editor; /* set once; NULL: there is no terminal */
    int fd;                          /* the terminal's, for output; set once */
    int wake_fd;                     /* eventfd; set once, written by anybody */
    struct termios found;            /* set once: the terminal as it was found */
    atomic_bool is_resized; /* a signal handler stores, then wakes the thread, which loads after */
    atomic_bool is_changed; /* the settings are not as found: the thread stores, a handler loads */
    pthread_t thread;
    bool is_running;      /* [loop thread] */
    tutti_engine *engine; /* [loop thread], read by the thread, which starts after it was set */
    lua_State *L;         /* [loop thread] NULL: no more */

    pthread_mutex_t mu;
    pthread_cond_t given_back; /* [mu] has_terminal became false */
    bool must_end;             /* [mu] */
    bool has_interrupt;        /* [mu] Ctrl-C is the prompt's */
    bool must_drop;            /* [mu] Ctrl-C from elsewhere */
    bool wants_line;           /* [mu] */
    char shown[64];            /* [mu] the prompt of that line */
    int held;                  /* [mu] how many keep the terminal */
    struct entry *entries;     /* [mu] of the history, newest first */
    bool has_terminal;         /* [mu; the thread stores] a line is edited, and not put away */

    bool is_editing;  /* [thread] there is a line, perhaps put away */
    double drawn_at;  /* [thread] */
    char history[PATH_BYTES]; /* [thread] the file; "": none */
} prompt = { .wake_fd = -1,
             .mu = PTHREAD_MUTEX_INITIALIZER,
             .given_back = PTHREAD_COND_INITIALIZER };

static char above_bytes[ABOVE_BYTES]; /* [thread] */

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Also in a signal handler. */
static void wake(void)
{
    static const uint64_t one = 1;
    if (prompt.wake_fd >= 0)
        (void)!write(prompt.wake_fd, &one, sizeof one);
}

/* ---- to the loop -------------------------------------------------------------------------- */

/* What came of a line, on its way. */
struct arrival {
    const char *kind;
    char *text; /* owned; or NULL */
};

static void on_arrival(void *user)
{
    struct arrival *arrival = (struct arrival *)user;
    if (prompt.L != NULL)
        cli_prompt_deliver(prompt.L, arrival->kind, arrival->text);
    free(arrival->text);
    free(arrival);
}

static void hand_over(const char *kind, char *text)
{
    struct arrival *arrival = (struct arrival *)malloc(sizeof *arrival);
    if (arrival != NULL)
        *arrival = (struct arrival){ kind, text };
    if (arrival != NULL && tutti_post(prompt.engine, on_arrival, arrival) == TUTTI_OK)
        return;
    free(text); /* the engine ends */
    free(arrival);
}

static void on_cancel(void *unused)
{
    (void)unused;
    (void)fputc('\n', stdout); /* the terminal has shown ^C */
    (void)fflush(stdout);
    if (prompt.L != NULL)
        cli_prompt_cancel(prompt.L);
}

static void on_tell(void *unused)
{
    (void)unused;
    if (prompt.L != NULL)
        cli_prompt_tell(prompt.L);
}

/* The first also in the middle of a script; the second behind a line that is on its way. */
static bool post_interrupt(void)
{
    return tutti_post_urgent(prompt.engine, on_cancel, NULL) == TUTTI_OK
        && tutti_post(prompt.engine, on_tell, NULL) == TUTTI_OK;
}

/* ---- the terminal thread ------------------------------------------------------------------ */

/* [prompt.mu] */
static void set_has_terminal(bool has)
{
    prompt.has_terminal = has;
    if (!has)
        pthread_cond_broadcast(&prompt.given_back);
}

/* Returns whether Ctrl-C came for a line that is over by now. */
static bool lose_terminal(void)
{
    pthread_mutex_lock(&prompt.mu);
    bool was_late = prompt.must_drop;
    prompt.must_drop = false;
    set_has_terminal(false);
    pthread_mutex_unlock(&prompt.mu);
    return was_late;
}

/* Text is as free as before, and so are the terminal's settings. */
static void release_text(void)
{
    atomic_store(&prompt.is_changed, false);
    if (prompt.editor->above != NULL)
        cli_prompt_text_release();
}

/* The line is over. It is on its way to the loop before a Ctrl-C that comes later can be. */
static void end_line(const char *kind, char *text)
{
    prompt.is_editing = false;
    release_text();
    hand_over(kind, text);
    if (lose_terminal())
        (void)post_interrupt();
}

static void read_keys(void)
{
    char *text = NULL;
    switch (prompt.editor->read(&text)) {
    case CLI_EDIT_LINE:
        end_line("line", text);
        break;
    case CLI_EDIT_CUT:
        end_line("line", text);
        (void)post_interrupt();
        break;
    case CLI_EDIT_INTERRUPT:
        end_line("interrupt", text);
        break;
    case CLI_EDIT_END:
        end_line("end", NULL);
        break;
    case CLI_EDIT_SUSPEND:
        (void)kill(0, SIGTSTP); /* as the terminal does when it sees the key itself */
        break;
    default:
        break;
    }
}

/* Put text above the line. Returns milliseconds for poll: when to come again; -1: when woken. */
static int draw_text(void)
{
    int wait_ms = -1;
    if (prompt.editor->above == NULL)
        return -1;
    double left = prompt.drawn_at + DRAW_S - now_s();
    if (left > 0)
        return (int)(left * 1000) + 1;
    size_t size = cli_prompt_text_take(above_bytes, sizeof above_bytes, &wait_ms);
    if (size == 0)
        return wait_ms;
    prompt.editor->above(above_bytes, size);
    prompt.drawn_at = now_s();
    return (int)(DRAW_S * 1000) + 1;
}

static void write_entry(struct entry *entry)
{
    if (entry == NULL)
        return;
    write_entry(entry->next); /* the older one first; there are one or two */
    prompt.editor->remember(entry->text);
    if (prompt.history[0] != '\0')
        (void)cli_history_append(prompt.history, entry->text);
    free(entry);
}

static void write_entries(void)
{
    pthread_mutex_lock(&prompt.mu);
    struct entry *entries = prompt.entries;
    prompt.entries = NULL;
    pthread_mutex_unlock(&prompt.mu);
    write_entry(entries);
}

static void load_history(void)
{
    if (prompt.editor->remember == NULL)
        return;
    if (cli_history_path(prompt.history, sizeof prompt.history))
        cli_history_load(prompt.history, prompt.editor->remember);
    else
        prompt.history[0] = '\0';
}

/* What the others want: decided under the lock, done without it. */
enum wish { WISH_NONE, WISH_END, WISH_PAUSE, WISH_RESUME, WISH_BEGIN, WISH_DROP };

static enum wish next_wish(char *shown)
{
    enum wish wish = WISH_NONE;
    pthread_mutex_lock(&prompt.mu);
    if (prompt.must_end) {
        wish = WISH_END;
    } else if (prompt.has_terminal) {
        wish = prompt.held > 0 ? WISH_PAUSE : prompt.must_drop ? WISH_DROP : WISH_NONE;
    } else if (prompt.held == 0 && (prompt.is_editing || prompt.wants_line)) {
        wish = prompt.is_editing ? WISH_RESUME : WISH_BEGIN;
        memcpy(shown, prompt.shown, sizeof prompt.shown);
        prompt.wants_line = false;
        prompt.has_terminal = true;
    }
    if (wish == WISH_DROP || wish == WISH_BEGIN)
        prompt.must_drop = false;
    pthread_mutex_unlock(&prompt.mu);
    return wish;
}

static void take_terminal(void)
{
    if (prompt.editor->above != NULL)
        cli_prompt_text_keep();
    atomic_store(&prompt.is_changed, prompt.editor->above != NULL);
}

/* Returns false at the end. */
static bool do_wish(enum wish wish, const char *shown)
{
    switch (wish) {
    case WISH_END:
        return false;
    case WISH_PAUSE:
        prompt.editor->pause();
        release_text();
        (void)lose_terminal();
        break;
    case WISH_RESUME:
        take_terminal();
        prompt.editor->resume();
        break;
    case WISH_BEGIN:
        take_terminal();
        prompt.is_editing = true;
        prompt.editor->begin(shown);
        break;
    case WISH_DROP:
        end_line("interrupt", prompt.editor->drop() ? strdup("typed") : NULL);
        break;
    default:
        break;
    }
    return true;
}

static void wait_and_read(bool has_terminal)
{
    uint64_t count;
    struct pollfd fds[] = { { .fd = prompt.wake_fd, .events = POLLIN },
                            { .fd = STDIN_FILENO, .events = POLLIN } };
    int ms = has_terminal ? draw_text() : -1;
    bool is_ready = has_terminal && prompt.editor->is_ready != NULL && prompt.editor->is_ready();
    int count_ready = poll(fds, has_terminal ? 2 : 1, is_ready ? 0 : ms);
    if (count_ready > 0 && (fds[0].revents & POLLIN) != 0)
        (void)!read(prompt.wake_fd, &count, sizeof count);
    if (is_ready || (count_ready > 0 && has_terminal && fds[1].revents != 0))
        read_keys();
}

bool cli_prompt_wait_key(void)
{
    for (;;) {
        uint64_t count;
        struct pollfd fds[] = { { .fd = prompt.wake_fd, .events = POLLIN },
                                { .fd = STDIN_FILENO, .events = POLLIN } };
        pthread_mutex_lock(&prompt.mu);
        bool must_end = prompt.must_end;
        pthread_mutex_unlock(&prompt.mu);
        if (must_end)
            return false;
        if (poll(fds, 2, -1) > 0 && fds[1].revents != 0)
            return true;
        /* Nothing is lost by that: the thread looks at all wishes before it waits. */
        (void)!read(prompt.wake_fd, &count, sizeof count);
    }
}

/* [thread] Nobody else stores it. */
static bool has_terminal(void)
{
    pthread_mutex_lock(&prompt.mu);
    bool has = prompt.has_terminal;
    pthread_mutex_unlock(&prompt.mu);
    return has;
}

static void *edit(void *unused)
{
    (void)unused;
    char shown[sizeof prompt.shown] = "";
    load_history();
    for (;;) {
        write_entries();
        enum wish wish = next_wish(shown);
        if (!do_wish(wish, shown))
            break;
        if (wish != WISH_NONE)
            continue;
        if (atomic_exchange(&prompt.is_resized, false) && prompt.editor->resize != NULL)
            prompt.editor->resize();
        wait_and_read(has_terminal());
    }
    if (has_terminal()) {
        (void)prompt.editor->drop();
        release_text();
        (void)lose_terminal();
    }
    write_entries();
    return NULL;
}

/* All signals are taken elsewhere. */
static bool start_thread(void)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    prompt.is_running = pthread_create(&prompt.thread, NULL, edit, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return prompt.is_running;
}

/* ---- for the Lua half --------------------------------------------------------------------- */

bool cli_prompt_is_on(void)
{
    return prompt.editor != NULL;
}

void cli_prompt_read(const char *shown)
{
    size_t size = strnlen(shown, sizeof prompt.shown - 1);
    fflush(stdout); /* what a line has written without an end */
    pthread_mutex_lock(&prompt.mu);
    memcpy(prompt.shown, shown, size);
    prompt.shown[size] = '\0';
    prompt.wants_line = true;
    pthread_mutex_unlock(&prompt.mu);
    wake();
}

void cli_prompt_remember(const char *text)
{
    size_t size = strlen(text) + 1;
    struct entry *entry = (struct entry *)malloc(sizeof *entry + size);
    if (entry == NULL || prompt.editor->remember == NULL) {
        free(entry);
        return;
    }
    memcpy(entry->text, text, size);
    pthread_mutex_lock(&prompt.mu);
    entry->next = prompt.entries;
    prompt.entries = entry;
    pthread_mutex_unlock(&prompt.mu);
    wake();
}

void cli_prompt_leave(void)
{
    pthread_mutex_lock(&prompt.mu);
    prompt.has_interrupt = false;
    pthread_mutex_unlock(&prompt.mu);
}

/* ---- for everybody ------------------------------------------------------------------------ */

bool cli_prompt_interrupt(void)
{
    pthread_mutex_lock(&prompt.mu);
    bool is_ours = prompt.has_interrupt;
    bool is_typed = is_ours && prompt.has_terminal;
    if (is_typed)
        prompt.must_drop = true;
    pthread_mutex_unlock(&prompt.mu);
    if (is_typed)
        wake();
    return is_typed || (is_ours && post_interrupt());
}

void cli_prompt_hold(void)
{
    if (prompt.editor == NULL)
        return;
    pthread_mutex_lock(&prompt.mu);
    prompt.held++;
    wake();
    while (prompt.has_terminal)
        pthread_cond_wait(&prompt.given_back, &prompt.mu);
    pthread_mutex_unlock(&prompt.mu);
}

void cli_prompt_release(void)
{
    if (prompt.editor == NULL)
        return;
    pthread_mutex_lock(&prompt.mu);
    prompt.held--;
    pthread_mutex_unlock(&prompt.mu);
    wake();
}

/* ---- life --------------------------------------------------------------------------------- */

static const int lanes[CLI_LANES] = { CLI_LANE_OUT, CLI_LANE_ERR };

static ssize_t write_lane(void *cookie, const char *bytes, size_t size)
{
    return cli_prompt_text_put((enum cli_lane)*(const int *)cookie, bytes, size);
}

/* The names `stdout` and `stderr` are variables in glibc; Lua states, which are opened later, take
 * them up. Of the two those are replaced that are the terminal. */
static bool replace_streams(void)
{
    FILE *out = stdout;
    FILE *err = stderr;
    if (cli_stream_is_same(STDIN_FILENO, STDOUT_FILENO))
        out = cli_stream_new(write_lane, (void *)(uintptr_t)&lanes[CLI_LANE_OUT], _IOLBF);
    if (cli_stream_is_same(STDIN_FILENO, STDERR_FILENO))
        err = cli_stream_new(write_lane, (void *)(uintptr_t)&lanes[CLI_LANE_ERR], _IONBF);
    if (out == NULL || err == NULL)
        return false;
    stdout = out;
    stderr = err;
    return true;
}

static void on_resize(int number)
{
    (void)number;
    int saved = errno;
    atomic_store(&prompt.is_resized, true);
    wake();
    errno = saved;
}

static void take_resizes(void)
{
    struct sigaction action = { .sa_handler = on_resize, .sa_flags = SA_RESTART };
    sigemptyset(&action.sa_mask);
    (void)sigaction(SIGWINCH, &action, NULL);
}

/* Also in a signal handler. Bracketed paste is the editor's. */
static void give_back(void)
{
    static const char end[] = "\033[?2004l\r\n";
    if (!atomic_exchange(&prompt.is_changed, false))
        return;
    (void)tcsetattr(STDIN_FILENO, TCSANOW, &prompt.found);
    (void)!write(prompt.fd, end, sizeof end - 1);
}

/* Does the terminal understand what moves the cursor? */
static bool can_edit(void)
{
    const char *term = getenv("TERM");
    return term != NULL && *term != '\0' && strcmp(term, "dumb") != 0;
}

/* The editor counts characters as the locale says. Where nothing says, text is UTF-8. */
static void set_locale(void)
{
    if (setlocale(LC_CTYPE, "") == NULL || strcmp(setlocale(LC_CTYPE, NULL), "C") == 0)
        (void)setlocale(LC_CTYPE, "C.UTF-8");
}

void cli_prompt_open(const struct cli_options *options)
{
    prompt.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    prompt.fd = STDIN_FILENO;
    if (prompt.wake_fd < 0 || tcgetattr(STDIN_FILENO, &prompt.found) != 0)
        return;
    if (cli_stream_is_same(STDIN_FILENO, STDOUT_FILENO))
        prompt.fd = STDOUT_FILENO;
    else if (cli_stream_is_same(STDIN_FILENO, STDERR_FILENO))
        prompt.fd = STDERR_FILENO;
    cli_prompt_text_open(prompt.fd, wake);
    if (!replace_streams())
        return;
    if (!options->is_plain_prompt && can_edit()) {
        set_locale();
        prompt.editor = cli_editor_readline_open(prompt.fd);
    }
    if (prompt.editor == NULL)
        prompt.editor = &cli_editor_plain;
    take_resizes();
    cli_crash_call(give_back);
}

void cli_prompt_start(tutti_engine *engine, lua_State *L)
{
    if (prompt.editor == NULL)
        return;
    prompt.engine = engine;
    prompt.L = L;
    prompt.has_interrupt = true;
    cli_tab_start(engine, L);
    if (!start_thread())
        prompt.editor = NULL;
}

void cli_prompt_stop(void)
{
    cli_prompt_leave();
    prompt.L = NULL;
    cli_tab_start(NULL, NULL);
    if (!prompt.is_running)
        return;
    pthread_mutex_lock(&prompt.mu);
    prompt.must_end = true;
    pthread_mutex_unlock(&prompt.mu);
    wake();
    pthread_join(prompt.thread, NULL);
    prompt.is_running = false;
}

void cli_prompt_end(void)
{
    give_back();
}
