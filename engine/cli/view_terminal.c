/* SPDX-License-Identifier: MIT */
/*
 * view_terminal.c - see view_terminal.h.
 *
 * Layer: cli. Locks: terminal.mu, held during writes; taken before that of view.c.
 * Invariant: the cursor stands at the end of the text; the block, if shown, lies below and right of
 * it.
 */
#include "cli/view_terminal.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* A column that is not known stays so up to the next beginning of a line. */
enum { UNKNOWN = -1 };

enum { ROWS_BYTES = 64 * 1024, FRAME_BYTES = ROWS_BYTES + 8 * 1024, END_MS = 200 };

/* Where in an escape sequence the text stands. */
enum scan { SCAN_PLAIN, SCAN_ESCAPE, SCAN_CSI, SCAN_STRING };

static struct {
    pthread_mutex_t mu;
    int fd;
    int held;           /* [mu] how many keep the block away */
    bool is_over;       /* [mu] no block any more */
    bool is_line_open;  /* [mu] something stands on the cursor's row */
    int column;         /* [mu] of the cursor, counted on from row to row since the newline */
    int width;          /* [mu] the farthest column that the line has reached */
    int cols;           /* [mu] the terminal's width when that was counted */
    char last[32];      /* [mu] the last character, with marks that combine with it */
    size_t last_size;   /* [mu] */
    int last_cells;     /* [mu] */
    enum scan scan;     /* [mu] */
    atomic_bool is_shown; /* stored under mu; a signal handler loads it, order does not matter */
} terminal = { .mu = PTHREAD_MUTEX_INITIALIZER, .fd = -1, .cols = 80 };

static char rows_bytes[ROWS_BYTES];   /* [terminal.mu] */
static char frame_bytes[FRAME_BYTES]; /* [terminal.mu] */

void cli_terminal_open(int fd)
{
    terminal.fd = fd;
}

static int number_of(const char *name, int otherwise)
{
    const char *text = getenv(name);
    long number = text == NULL ? 0 : strtol(text, NULL, 10);
    return number > 0 && number < 10000 ? (int)number : otherwise;
}

void cli_terminal_size(int *cols, int *rows)
{
    struct winsize size = { 0 };
    (void)ioctl(terminal.fd, TIOCGWINSZ, &size);
    *cols = size.ws_col > 0 ? size.ws_col : number_of("COLUMNS", 80);
    *rows = size.ws_row > 0 ? size.ws_row : number_of("LINES", 24);
}

/* ---- writing ------------------------------------------------------------------------------ */

/* Write all of it. A terminal that somebody made non-blocking is waited for. Returns false when it is
 * gone. */
static bool write_all(struct iovec *parts, int count)
{
    while (count > 0) {
        ssize_t n = writev(terminal.fd, parts, count);
        if (n < 0 && errno == EAGAIN) {
            struct pollfd ready = { .fd = terminal.fd, .events = POLLOUT };
            (void)poll(&ready, 1, -1);
        }
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            return false;
        for (; count > 0 && n >= (ssize_t)parts->iov_len; parts++, count--)
            n -= (ssize_t)parts->iov_len;
        if (count > 0 && n > 0) {
            parts->iov_base = (char *)parts->iov_base + n;
            parts->iov_len -= (size_t)n;
        }
    }
    return true;
}

/* After a row that is full the cursor hangs at its end: it goes to the next row with the next character, not
 * with this one. */
static bool is_hanging(void)
{
    return terminal.is_line_open && terminal.column > 0 && terminal.column % terminal.cols == 0;
}

/* What cursor movements undo: the last character once more, at its place, makes the cursor hang again. */
static void hang_again(struct cli_text *frame)
{
    cli_text_addf(frame, "\033[%dG", terminal.cols - terminal.last_cells + 1);
    cli_text_add(frame, terminal.last, terminal.last_size);
}

/* Is something of the text right of the cursor, as after "10%\r"? */
static bool is_amid_line(void)
{
    return terminal.column < terminal.width || terminal.column == UNKNOWN;
}

/* Not by ED at the row itself: tmux takes that, in the corner of the screen, for the wish to keep what is
 * cleared. */
static const char clear_from_row[] = "\r\033[K\0337\033[B\033[J\0338";

/* What erases the block. What people type behind an open line stands left of the cursor, and stays; if they
 * have typed Enter the cursor stands in the block. */
static void add_eraser(struct cli_text *frame)
{
    if (!terminal.is_line_open)
        cli_text_addf(frame, "%s", clear_from_row);
    else if (is_amid_line() || is_hanging())
        cli_text_addf(frame, "\0337\r\n\033[J\0338");
    else
        cli_text_addf(frame, "\033[J");
    if (is_hanging())
        hang_again(frame);
}

/* [terminal.mu] */
static void erase(void)
{
    struct cli_text frame = { frame_bytes, 0, sizeof frame_bytes };
    if (!atomic_exchange(&terminal.is_shown, false))
        return;
    add_eraser(&frame);
    struct iovec part = { .iov_base = frame.bytes, .iov_len = frame.size };
    (void)write_all(&part, 1);
}

static void follow_control(char byte)
{
    terminal.scan = byte == 0x1B ? SCAN_ESCAPE : SCAN_PLAIN;
    if (byte == '\n')
        terminal.is_line_open = false;
    if (byte == '\n')
        terminal.width = 0;
    if (byte == '\n' || byte == '\r')
        terminal.column = 0;
    else if (byte == '\t' || byte == '\b' || byte == '\v' || byte == '\f')
        terminal.column = UNKNOWN;
}

/* Returns the character's bytes. One of two cells does not begin in the last column. */
static size_t follow_character(const char *bytes, size_t size)
{
    size_t used = 1;
    int cells = cli_text_cells(bytes, size, &used);
    terminal.is_line_open = true;
    if (cells > 0) {
        terminal.last_size = 0;
        terminal.last_cells = cells;
    }
    if (used <= sizeof terminal.last - terminal.last_size) {
        memcpy(terminal.last + terminal.last_size, bytes, used);
        terminal.last_size += used;
    }
    if (terminal.column == UNKNOWN)
        return used;
    terminal.column += cells == 2 && terminal.column % terminal.cols == terminal.cols - 1;
    terminal.column += cells;
    terminal.width = terminal.width > terminal.column ? terminal.width : terminal.column;
    return used;
}

/* Within an escape sequence. Those that colour take no room; of others it is not known where they leave
 * the cursor. */
static void follow_sequence(char byte)
{
    switch (terminal.scan) {
    case SCAN_ESCAPE:
        terminal.scan = byte == '[' ? SCAN_CSI : byte == ']' || byte == 'P' ? SCAN_STRING : SCAN_PLAIN;
        if (terminal.scan == SCAN_PLAIN && byte != '\\')
            terminal.column = UNKNOWN;
        break;
    case SCAN_CSI:
        if (byte < 0x40 || byte > 0x7E)
            break;
        terminal.scan = SCAN_PLAIN;
        if (byte != 'm' && byte != 'K')
            terminal.column = UNKNOWN;
        break;
    default: /* a string ends with BEL or ESC \ */
        terminal.scan = byte == 0x07 ? SCAN_PLAIN : byte == 0x1B ? SCAN_ESCAPE : SCAN_STRING;
        break;
    }
}

/* Follow one character of text, which begins with `bytes`: does something stand on the cursor's row, and
 * where is the cursor? Returns its bytes. */
static size_t follow(const char *bytes, size_t size)
{
    unsigned char byte = (unsigned char)*bytes;
    if (terminal.scan == SCAN_PLAIN && byte >= 0x20 && byte != 0x7F)
        return follow_character(bytes, size);
    if (terminal.scan == SCAN_PLAIN)
        follow_control(*bytes);
    else
        follow_sequence(*bytes);
    return 1;
}

/* What stands before the last newline does not matter. */
static void follow_all(const char *bytes, size_t size)
{
    const char *newline = (const char *)memrchr(bytes, '\n', size);
    const char *end = bytes + size;
    int rows = 0;
    if (newline != NULL)
        terminal.scan = SCAN_PLAIN;
    if (newline != end - 1)
        cli_terminal_size(&terminal.cols, &rows);
    for (const char *at = newline == NULL ? bytes : newline; at < end;)
        at += follow(at, (size_t)(end - at));
}

ssize_t cli_terminal_write(const char *bytes, size_t size, bool *has_hidden)
{
    pthread_mutex_lock(&terminal.mu);
    *has_hidden = atomic_exchange(&terminal.is_shown, false);
    struct cli_text frame = { frame_bytes, 0, sizeof frame_bytes };
    if (*has_hidden)
        add_eraser(&frame);
    struct iovec parts[2] = { { .iov_base = frame.bytes, .iov_len = frame.size },
                              { .iov_base = (void *)(uintptr_t)bytes, .iov_len = size } };
    bool is_written = write_all(parts, 2);
    int error = errno;
    if (is_written)
        follow_all(bytes, size);
    pthread_mutex_unlock(&terminal.mu);
    errno = error;
    return is_written ? (ssize_t)size : 0;
}

/* ---- the block ---------------------------------------------------------------------------- */

/* In the background of a shell the terminal is somebody else's. */
static bool is_foreground(void)
{
    pid_t group = tcgetpgrp(terminal.fd);
    return group == -1 || group == getpgrp();
}

/* The rows, from the cursor on, and the cursor back where it was. The rows below are made first (IND
 * keeps the column), so that nothing scrolls between saving the cursor and going back to it. Each row
 * clears what it does not cover and the last one all below, so that nothing flickers. */
static void compose(struct cli_text *frame, const struct cli_text *rows, int count)
{
    int below = count - 1 + (terminal.is_line_open ? 1 : 0);
    cli_text_addf(frame, "\033[?2026h%s", terminal.is_line_open ? "" : "\r");
    for (int i = 0; i < below; i++)
        cli_text_add(frame, "\033D", 2);
    if (below > 0)
        cli_text_addf(frame, "\033[%dA", below);
    cli_text_addf(frame, "\0337\033[?7l\033[0m%s", terminal.is_line_open ? "\r\n" : "");
    const char *at = rows->bytes;
    const char *end = at;
    for (int i = 0; i < count; i++, at = end + 1) {
        end = (const char *)memchr(at, '\n', (size_t)(rows->bytes + rows->size - at));
        if (end == NULL)
            break;
        cli_text_add(frame, at, (size_t)(end - at));
        cli_text_addf(frame, "%s", i + 1 < count ? "\033[K\r\n" : "\033[J");
    }
    cli_text_addf(frame, "\033[?7h\0338");
    if (is_hanging())
        hang_again(frame);
    cli_text_addf(frame, "\033[?2026l");
}

/* [terminal.mu] */
static void paint(cli_render *render)
{
    struct cli_text rows = { rows_bytes, 0, sizeof rows_bytes };
    struct cli_text frame = { frame_bytes, 0, sizeof frame_bytes };
    int cols = 0;
    int lines = 0;
    cli_terminal_size(&cols, &lines);
    int count = render(&rows, cols, lines);
    if (count == 0) {
        erase();
        return;
    }
    compose(&frame, &rows, count);
    struct iovec part = { .iov_base = frame.bytes, .iov_len = frame.size };
    atomic_store(&terminal.is_shown, true); /* before, for a crash in the middle of it */
    (void)write_all(&part, 1);
}

void cli_terminal_paint(cli_render *render)
{
    pthread_mutex_lock(&terminal.mu);
    if (terminal.held == 0 && !terminal.is_over && is_foreground())
        paint(render);
    pthread_mutex_unlock(&terminal.mu);
}

void cli_terminal_hold(void)
{
    pthread_mutex_lock(&terminal.mu);
    terminal.held++;
    erase();
    pthread_mutex_unlock(&terminal.mu);
}

void cli_terminal_release(void)
{
    pthread_mutex_lock(&terminal.mu);
    terminal.held--;
    pthread_mutex_unlock(&terminal.mu);
}

/* ---- the end ------------------------------------------------------------------------------ */

static bool can_write(void)
{
    struct pollfd ready = { .fd = terminal.fd, .events = POLLOUT };
    return poll(&ready, 1, END_MS) == 1;
}

void cli_terminal_end(void)
{
    struct timespec until; /* of the calendar's clock: ThreadSanitizer does not see pthread_mutex_clocklock */
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += (long)END_MS * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    if (pthread_mutex_timedlock(&terminal.mu, &until) != 0)
        return; /* a terminal that takes nothing (Ctrl-S): nothing can be erased on it */
    terminal.is_over = true;
    if (atomic_load(&terminal.is_shown) && can_write())
        erase();
    pthread_mutex_unlock(&terminal.mu);
}

void cli_terminal_crash(void)
{
    if (atomic_exchange(&terminal.is_shown, false))
        (void)!write(terminal.fd, clear_from_row, sizeof clear_from_row - 1);
}
