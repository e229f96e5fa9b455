/* SPDX-License-Identifier: MIT */
/*
 * process_stdio.c - the streams of a process: read until their end, fed until it has enough.
 *
 * Layer: io. Locks: none. Thread: the loop's.
 * Invariant: a stream that is streamed gets exactly one chunk of length 0, its last.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "io/process_record.h"

/* Reads of one stream at a time: a child that never stops writing must not keep the loop. */
static const int reads_max = 16;

/* ---- output --------------------------------------------------------------------------------- */

static void end_stream(struct tutti__process *p, int which)
{
    const struct tutti__process_out *out = &p->spec.out[which];
    tutti__watcher_stop(&p->out_watch[which]);
    if (out->kind == TUTTI__STDOUT_STREAM) {
        (void)out->chunk(out->user, "", 0);
    }
}

/* Returns: whether more is wanted. */
static bool take_bytes(struct tutti__process *p, int which, size_t length)
{
    const struct tutti__process_out *out = &p->spec.out[which];
    tutti__capture_add(&p->capture[which], p->all->buffer, length);
    return out->kind != TUTTI__STDOUT_STREAM || out->chunk(out->user, p->all->buffer, length);
}

/* The pipe fills, and the process waits. One that has exited has no more than what is in the pipe. */
static bool hold(struct tutti__process *p, int which)
{
    if (p->phase != TUTTI__PROCESS_RUNNING) {
        return false;
    }
    p->is_held[which] = true;
    uv_poll_stop(&p->out_watch[which].poll);
    return true;
}

static void read_stream(struct tutti__process *p, int which)
{
    for (int i = 0; i < reads_max; i++) {
        ssize_t n = read(p->out_watch[which].fd, p->all->buffer, TUTTI__PROCESS_BUFFER_BYTES);
        if (n > 0) {
            if (!take_bytes(p, which, (size_t)n) && hold(p, which)) {
                return;
            }
        } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            end_stream(p, which);
            return;
        } else if (errno == EAGAIN) {
            return;
        }
    }
}

static void on_output(uv_poll_t *poll, int status, int events)
{
    (void)status; /* an error shows in the read as well */
    (void)events;
    struct tutti__watcher *w = (struct tutti__watcher *)(void *)poll;
    struct tutti__process *p = w->process;
    read_stream(p, w == &p->out_watch[1] ? 1 : 0);
    if (p->phase == TUTTI__PROCESS_ENDED && !p->is_following && !tutti__process_stdio_is_open(p)) {
        tutti__process_await_streams(p);
    }
}

/* ---- input ---------------------------------------------------------------------------------- */

/* Write without a SIGPIPE reaching the host: block it in this thread and take the one that the
 * write caused, but not one that was pending before. Returns as write. */
static ssize_t write_quietly(int fd, const char *data, size_t length)
{
    sigset_t pipe_set;
    sigset_t old_mask;
    sigset_t pending;
    sigemptyset(&pipe_set);
    sigaddset(&pipe_set, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe_set, &old_mask);
    ssize_t n = write(fd, data, length);
    int saved = errno;
    if (n < 0 && saved == EPIPE && !sigismember(&pending, SIGPIPE)) {
        static const struct timespec at_once = { 0, 0 };
        while (sigtimedwait(&pipe_set, NULL, &at_once) < 0 && errno == EINTR) {
            /* again */
        }
    }
    pthread_sigmask(SIG_SETMASK, &old_mask, NULL);
    errno = saved;
    return n;
}

static void on_input(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    struct tutti__process *p = ((struct tutti__watcher *)(void *)poll)->process;
    const char *data = p->spec.stdin_data;
    while (p->stdin_sent < p->spec.stdin_length) {
        ssize_t n = write_quietly(p->in_watch.fd, data + p->stdin_sent,
                                  p->spec.stdin_length - p->stdin_sent);
        if (n < 0 && errno == EAGAIN) {
            return;
        }
        if (n < 0 && errno != EINTR) {
            break; /* EPIPE: it has read what it wanted */
        }
        p->stdin_sent += n > 0 ? (size_t)n : 0;
    }
    tutti__watcher_stop(&p->in_watch);
}

/* ---- both ----------------------------------------------------------------------------------- */

int tutti__process_stdio_begin(struct tutti__process *p)
{
    int error = 0;
    for (int i = 0; i < 2; i++) {
        p->capture[i].limit = p->spec.capture_bytes;
        p->capture[i].is_tail_only = p->spec.out[i].kind == TUTTI__STDOUT_STREAM;
        if (p->spawn.out_fd[i] >= 0) {
            int refused =
                tutti__watcher_start(&p->out_watch[i], p->spawn.out_fd[i], UV_READABLE, on_output);
            error = error == 0 ? refused : error;
        }
    }
    if (p->spawn.stdin_fd >= 0) {
        p->stdin_sent = p->spawn.stdin_sent;
        int refused =
            tutti__watcher_start(&p->in_watch, p->spawn.stdin_fd, UV_WRITABLE, on_input);
        error = error == 0 ? refused : error;
    }
    return error;
}

bool tutti__process_stdio_is_open(const struct tutti__process *p)
{
    return p->out_watch[0].is_open || p->out_watch[1].is_open;
}

void tutti__process_stdio_resume(struct tutti__process *p)
{
    for (int i = 0; i < 2; i++) {
        if (p->is_held[i] && p->out_watch[i].is_open) {
            int rc = uv_poll_start(&p->out_watch[i].poll, UV_READABLE, on_output);
            TUTTI_ASSERT(rc == 0);
            (void)rc;
        }
        p->is_held[i] = false;
    }
}

void tutti__process_stdio_drain(struct tutti__process *p)
{
    for (int i = 0; i < 2; i++) {
        if (p->out_watch[i].is_open) {
            read_stream(p, i);
        }
    }
}

void tutti__process_stdio_close(struct tutti__process *p)
{
    tutti__watcher_stop(&p->in_watch);
    for (int i = 0; i < 2; i++) {
        if (p->out_watch[i].is_open) {
            end_stream(p, i);
        }
    }
}
