/* SPDX-License-Identifier: MIT */
/*
 * prompt_text.c - see prompt_text.h.
 *
 *     put(lane) --> lane: a line up to its end --> kept: lines in order --> take()
 *
 * Layer: cli. Locks: text.mu, a leaf, held during writes that go straight through.
 * Invariant: while nothing is kept back (`keeps` is false) `kept` and the lanes are empty.
 */
#include "cli/prompt_text.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* How long a line waits for its end. */
#define PATIENCE_S 0.1
#define NEVER 1e300

enum { LANE_BYTES = 64 * 1024, KEPT_BYTES = 256 * 1024 };

struct lane {
    char bytes[LANE_BYTES];
    size_t size;
    double touched_at;
};

static struct {
    int fd;             /* set once */
    void (*wake)(void); /* set once */

    pthread_mutex_t mu;
    pthread_cond_t has_room; /* [mu] */
    bool keeps;              /* [mu] */
    bool is_line_open;       /* [mu] what went straight through last was no whole line */
    char kept[KEPT_BYTES];   /* [mu] lines; the last without a newline if it is too long */
    size_t kept_size;        /* [mu] */
    double kept_at;          /* [mu] when something came in last */
    struct lane lanes[CLI_LANES]; /* [mu] */
} text = { .fd = -1, .mu = PTHREAD_MUTEX_INITIALIZER, .has_room = PTHREAD_COND_INITIALIZER };

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void cli_prompt_text_open(int fd, void (*wake)(void))
{
    text.fd = fd;
    text.wake = wake;
}

/* ---- straight through --------------------------------------------------------------------- */

/* A terminal that somebody made non-blocking is waited for. Returns false when it is gone. */
static bool write_all(const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = write(text.fd, bytes, size);
        if (n < 0 && errno == EAGAIN) {
            struct pollfd ready = { .fd = text.fd, .events = POLLOUT };
            (void)poll(&ready, 1, -1);
        }
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            return false;
        if (n > 0) {
            bytes += n;
            size -= (size_t)n;
        }
    }
    return true;
}

/* [text.mu] */
static bool write_through(const char *bytes, size_t size)
{
    if (size > 0)
        text.is_line_open = bytes[size - 1] != '\n';
    return write_all(bytes, size);
}

void cli_prompt_text_write(const char *bytes, size_t size)
{
    (void)write_all(bytes, size);
}

/* ---- keeping ------------------------------------------------------------------------------ */

/* [text.mu] Wait for room for so many bytes. Returns false if text goes straight through by now. */
static bool wait_for_room(size_t size)
{
    while (text.keeps && KEPT_BYTES - text.kept_size < size)
        pthread_cond_wait(&text.has_room, &text.mu);
    return text.keeps;
}

/* [text.mu] */
static void move(const char *bytes, size_t size)
{
    memcpy(text.kept + text.kept_size, bytes, size);
    text.kept_size += size;
}

/* [text.mu] One piece: at most a line, and at most LANE_BYTES. Returns false if nothing was done,
 * as text goes straight through by now. */
static bool keep_piece(struct lane *lane, const char *bytes, size_t size)
{
    bool is_whole = bytes[size - 1] == '\n';
    if (is_whole || lane->size + size > LANE_BYTES) {
        if (!wait_for_room(LANE_BYTES + size))
            return false;
        move(lane->bytes, lane->size);
        lane->size = 0;
    }
    if (is_whole) {
        move(bytes, size);
    } else {
        memcpy(lane->bytes + lane->size, bytes, size);
        lane->size += size;
    }
    lane->touched_at = text.kept_at = now_s();
    return true;
}

/* The first line of it, or as much as fits into a lane. */
static size_t piece_of(const char *bytes, size_t size)
{
    const char *newline = (const char *)memchr(bytes, '\n', size);
    size_t piece = newline == NULL ? size : (size_t)(newline - bytes) + 1;
    return piece > LANE_BYTES ? LANE_BYTES : piece;
}

/* [text.mu] */
static bool has_nothing(void)
{
    return text.kept_size == 0 && text.lanes[CLI_LANE_OUT].size == 0
        && text.lanes[CLI_LANE_ERR].size == 0;
}

ssize_t cli_prompt_text_put(enum cli_lane lane, const char *bytes, size_t size)
{
    size_t done = 0;
    bool wakes = false;
    bool is_written = true;
    pthread_mutex_lock(&text.mu);
    while (done < size && text.keeps) {
        size_t piece = piece_of(bytes + done, size - done);
        if (has_nothing())
            wakes = true;
        if (wakes && KEPT_BYTES - text.kept_size < LANE_BYTES + piece)
            text.wake(); /* we are going to wait for it */
        if (keep_piece(&text.lanes[lane], bytes + done, piece))
            done += piece;
    }
    if (done < size)
        is_written = write_through(bytes + done, size - done);
    int error = errno;
    pthread_mutex_unlock(&text.mu);
    if (wakes)
        text.wake();
    errno = error;
    return is_written ? (ssize_t)size : 0;
}

/* ---- for the terminal thread ---------------------------------------------------------------- */

void cli_prompt_text_keep(void)
{
    pthread_mutex_lock(&text.mu);
    if (text.is_line_open && !text.keeps)
        (void)write_through("\n", 1);
    text.keeps = true;
    pthread_mutex_unlock(&text.mu);
}

void cli_prompt_text_release(void)
{
    pthread_mutex_lock(&text.mu);
    text.keeps = false;
    (void)write_through(text.kept, text.kept_size);
    text.kept_size = 0;
    for (int i = 0; i < CLI_LANES; i++) {
        (void)write_through(text.lanes[i].bytes, text.lanes[i].size);
        text.lanes[i].size = 0;
    }
    pthread_cond_broadcast(&text.has_room);
    pthread_mutex_unlock(&text.mu);
}

/* [text.mu] Lines that have waited for their end get one. Returns when the next one has: NEVER if
   none waits. */

static double end_old_lines(double now)
{
    double next = NEVER;
    for (int i = 0; i < CLI_LANES; i++) {
        struct lane *lane = &text.lanes[i];
        if (lane->size == 0)
            continue;
        double at = lane->touched_at + PATIENCE_S;
        if (at <= now && KEPT_BYTES - text.kept_size > lane->size) {
            move(lane->bytes, lane->size);
            move("\n", 1);
            lane->size = 0;
        } else if (at < next) {
            next = at;
        }
    }
    return next;
}

/* [text.mu] How much of `kept` can be taken, at most `limit`. */
static size_t ready_size(size_t limit, double now, double *next)
{
    size_t size = text.kept_size < limit ? text.kept_size : limit;
    const char *newline = (const char *)memrchr(text.kept, '\n', size);
    if (newline != NULL)
        return (size_t)(newline - text.kept) + 1;
    double at = text.kept_at + PATIENCE_S;
    if (size == 0 || size == limit || at <= now)
        return size;
    *next = at < *next ? at : *next;
    return 0;
}

size_t cli_prompt_text_take(char *bytes, size_t capacity, int *wait_ms)
{
    double now = now_s();
    pthread_mutex_lock(&text.mu);
    double next = end_old_lines(now);
    size_t size = ready_size(capacity - 1, now, &next);
    memcpy(bytes, text.kept, size);
    text.kept_size -= size;
    memmove(text.kept, text.kept + size, text.kept_size);
    if (size > 0 && bytes[size - 1] != '\n')
        bytes[size++] = '\n';
    pthread_cond_broadcast(&text.has_room);
    pthread_mutex_unlock(&text.mu);
    *wait_ms = next == NEVER ? -1 : next <= now ? 0 : (int)((next - now) * 1000) + 1;
    return size;
}
