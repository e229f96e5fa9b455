/* SPDX-License-Identifier: MIT */
/*
 * spawn.c - see spawn.h.
 *
 * Layer: io. Locks: none.
 * Invariant: on every way out of a function, each descriptor is either owned by the caller or
 * closed.
 */
#include "io/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* The child's ends of its stdio; -1 = what this process has there. */
struct wiring {
    int fd[3];
};

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

/* ---- stdio -------------------------------------------------------------------------------- */

/* Move a new descriptor above 2. Returns it, or -1 with errno. */
static int above_stdio(int fd)
{
    if (fd < 0 || fd > 2) {
        return fd;
    }
    int up = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    int saved = errno;
    close(fd);
    errno = saved;
    return up;
}

/* Make a pipe whose ends block. Returns 0 or an errno. */
static int make_pipe(int *ours, int *theirs, bool child_reads)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return errno;
    }
    int mine = above_stdio(ends[child_reads ? 1 : 0]);
    int error = mine < 0 ? errno : 0;
    int its = above_stdio(ends[child_reads ? 0 : 1]);
    if (error == 0 && its < 0) {
        error = errno;
    }
    if (error != 0) {
        close_fd(&mine);
        close_fd(&its);
        return error;
    }
    *ours = mine;
    *theirs = its;
    return 0;
}

/* Make a pipe of which our own end does not block. Returns 0 or an errno. */
static int make_our_pipe(int *ours, int *theirs, bool child_reads)
{
    int error = make_pipe(ours, theirs, child_reads);
    return error == 0 && fcntl(*ours, F_SETFL, O_NONBLOCK) != 0 ? errno : error;
}

/* Returns 0 or an errno. */
static int open_file(int *fd, const char *path, int flags)
{
    int opened = above_stdio(open(path, flags | O_CLOEXEC, 0666));
    if (opened < 0) {
        return errno;
    }
    *fd = opened;
    return 0;
}

/* Write what the pipe takes at once, before anybody reads: the child then never waits for a small
 * input, and as its reading end is still open in this process, no SIGPIPE can come of it. */
static void feed_stdin(struct tutti__spawn *s)
{
    const char *data = s->spec->stdin_data;
    size_t length = s->spec->stdin_length;
    while (s->stdin_sent < length) {
        ssize_t n = write(s->stdin_fd, data + s->stdin_sent, length - s->stdin_sent);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return; /* full: the loop writes the rest */
        }
        s->stdin_sent += (size_t)n;
    }
    close_fd(&s->stdin_fd);
}

static int open_stdin(struct tutti__spawn *s, int *theirs)
{
    const struct tutti__process_spec *spec = s->spec;
    s->what = "stdin";
    switch (spec->stdin_kind) {
    case TUTTI__STDIN_INHERIT:
        return 0;
    case TUTTI__STDIN_FILE:
        return open_file(theirs, spec->stdin_path, O_RDONLY);
    case TUTTI__STDIN_PROCESS:
        *theirs = s->feed_fd;
        return 0;
    case TUTTI__STDIN_BYTES:
        break;
    }
    if (spec->stdin_length == 0) {
        return open_file(theirs, "/dev/null", O_RDONLY);
    }
    int error = make_our_pipe(&s->stdin_fd, theirs, true);
    if (error == 0) {
        feed_stdin(s);
    }
    return error;
}

/* Whether stderr goes to the very file that stdout goes to: then they share one open file, so that
 * neither writes over the other. */
static bool is_shared_file(const struct tutti__process_spec *spec)
{
    const struct tutti__process_out *out = spec->out;
    return out[0].kind == TUTTI__STDOUT_FILE && out[1].kind == TUTTI__STDOUT_FILE &&
           strcmp(out[0].path, out[1].path) == 0;
}

static int open_output(struct tutti__spawn *s, int which, int *theirs)
{
    const struct tutti__process_out *out = &s->spec->out[which];
    s->what = which == 0 ? "stdout" : "stderr";
    switch (out->kind) {
    case TUTTI__STDOUT_INHERIT:
        return 0;
    case TUTTI__STDOUT_NULL:
        return open_file(theirs, "/dev/null", O_WRONLY);
    case TUTTI__STDOUT_FILE:
        return open_file(theirs, out->path,
                         O_WRONLY | O_CREAT | (out->append ? O_APPEND : O_TRUNC));
    case TUTTI__STDOUT_PROCESS:
        return make_pipe(&s->pipe_fd, theirs, false);
    case TUTTI__STDOUT_CAPTURE:
    case TUTTI__STDOUT_STREAM:
        break;
    }
    return make_our_pipe(&s->out_fd[which], theirs, false);
}

static int open_stdio(struct tutti__spawn *s, struct wiring *w)
{
    int error = open_stdin(s, &w->fd[0]);
    if (error == 0) {
        error = open_output(s, 0, &w->fd[1]);
    }
    if (error == 0 && is_shared_file(s->spec)) {
        s->what = "stderr";
        w->fd[2] = fcntl(w->fd[1], F_DUPFD_CLOEXEC, 3);
        return w->fd[2] < 0 ? errno : 0;
    }
    return error == 0 ? open_output(s, 1, &w->fd[2]) : error;
}

/* ---- starting ----------------------------------------------------------------------------- */

/* Returns 0 or an errno. */
static int plan_actions(posix_spawn_file_actions_t *actions, const struct tutti__process_spec *spec,
                        const struct wiring *w)
{
    int error = 0;
    for (int i = 0; i < 3 && error == 0; i++) {
        if (w->fd[i] >= 0) {
            error = posix_spawn_file_actions_adddup2(actions, w->fd[i], i);
        } else if (fcntl(i, F_GETFD) != -1) {
            /* Onto itself: glibc then clears close-on-exec, which a host may have set. */
            error = posix_spawn_file_actions_adddup2(actions, i, i);
        }
    }
    if (error == 0) {
        error = posix_spawn_file_actions_addclosefrom_np(actions, 3);
    }
    if (error == 0 && spec->cwd != NULL) {
        error = posix_spawn_file_actions_addchdir_np(actions, spec->cwd);
    }
    return error;
}

/* Returns 0 or an errno. */
static int plan_attributes(posix_spawnattr_t *attributes, const struct tutti__process_spec *spec)
{
    short flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
    sigset_t all;
    sigset_t none;
    sigfillset(&all);
    sigemptyset(&none);
    /* A child that reads the terminal must stay in the terminal's group, or reading stops it. */
    if (spec->stdin_kind != TUTTI__STDIN_INHERIT) {
        flags |= POSIX_SPAWN_SETPGROUP;
    }
    int error = posix_spawnattr_setsigdefault(attributes, &all);
    if (error == 0) {
        error = posix_spawnattr_setsigmask(attributes, &none);
    }
    if (error == 0) {
        error = posix_spawnattr_setpgroup(attributes, 0);
    }
    return error == 0 ? posix_spawnattr_setflags(attributes, flags) : error;
}

/* posix_spawn takes char *const[] for historical reasons and changes nothing in it. */
static char *const *unconst(const char *const *list)
{
    union {
        const char *const *in;
        char *const *out;
    } u = { .in = list };
    return u.out;
}

/* A program that this process has just written may be open for writing in another child for a moment:
 * one that was started meanwhile and has not reached exec. Returns 0 or an errno. */
static int spawn_patiently(struct tutti__spawn *s, const char *path,
                           const posix_spawn_file_actions_t *actions,
                           const posix_spawnattr_t *attributes)
{
    int error = 0;
    pid_t pid = -1;
    for (long wait_ns = 1000000; wait_ns <= 32000000; wait_ns *= 2) {
        error = posix_spawn(&pid, path, actions, attributes, unconst(s->spec->argv),
                            unconst(s->spec->envp));
        if (error != ETXTBSY) {
            break;
        }
        struct timespec pause = { 0, wait_ns };
        nanosleep(&pause, NULL);
    }
    s->pid = pid;
    return error;
}

/* Returns 0 or an errno. */
static int launch(struct tutti__spawn *s, const char *path, const struct wiring *w)
{
    posix_spawn_file_actions_t actions;
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0) {
        return error;
    }
    posix_spawnattr_t attributes;
    error = posix_spawnattr_init(&attributes);
    if (error != 0) {
        goto out_actions;
    }
    error = plan_actions(&actions, s->spec, w);
    if (error == 0) {
        error = plan_attributes(&attributes, s->spec);
    }
    if (error == 0) {
        error = spawn_patiently(s, path, &actions, &attributes);
    }
    posix_spawnattr_destroy(&attributes);
out_actions:
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

/* Until exec the child has this process's memory, and the kernel counts the peak of that as the child's
 * own for ever. */
static uint64_t own_peak_bytes(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (uint64_t)usage.ru_maxrss * 1024 : UINT64_MAX;
}

/* A failed start does not say whether it was the folder; ask. */
static const char *blame(const struct tutti__process_spec *spec)
{
    return spec->cwd != NULL && access(spec->cwd, X_OK) != 0 ? "cwd" : "program";
}

/* Returns 0 or an errno; `s->what` names the step. */
static int start_at(struct tutti__spawn *s, const char *path)
{
    struct wiring w = { { -1, -1, -1 } };
    int error = open_stdio(s, &w);
    if (error == 0) {
        error = launch(s, path, &w);
        s->what = error != 0 ? blame(s->spec) : NULL;
    }
    if (error != 0 && w.fd[0] == s->feed_fd) {
        w.fd[0] = -1; /* for another try */
    }
    for (int i = 0; i < 3; i++) {
        close_fd(&w.fd[i]);
    }
    s->feed_fd = error == 0 ? -1 : s->feed_fd;
    return error;
}

/* For a message that somebody may read. */
static void add_hint(struct tutti__spawn *s)
{
    if (!s->spec->any_end && strcmp(s->what, "program") == 0) {
        s->hint = tutti__spawn_hint(s->spec, s->error);
    }
}

int tutti__spawn_start(struct tutti__spawn *s)
{
    char path[PATH_MAX];
    s->pid = -1;
    s->pidfd = s->stdin_fd = s->pipe_fd = s->out_fd[0] = s->out_fd[1] = -1;
    s->pidfd_error = 0;
    s->stdin_sent = 0;

    /* Before the files: a command that does not exist must not empty its output file. */
    s->error = tutti__spawn_find(s->spec, path);
    if (s->error != 0) {
        s->what = blame(s->spec);
        add_hint(s);
        return TUTTI_EIO;
    }
    s->error = start_at(s, path);
    if (s->error != 0) {
        close_fd(&s->stdin_fd);
        close_fd(&s->out_fd[0]);
        close_fd(&s->out_fd[1]);
        close_fd(&s->pipe_fd);
        add_hint(s);
        return TUTTI_EIO;
    }
    /* After the child's ends were closed, so that there is nearly always a number left. */
    s->pidfd = pidfd_open((pid_t)s->pid, 0);
    s->pidfd_error = s->pidfd < 0 ? errno : 0;
    s->own_rss_bytes = own_peak_bytes();
    return TUTTI_OK;
}

bool tutti__spawn_may_retry(int error)
{
    return error == EMFILE || error == ENFILE || error == EAGAIN || error == ENOMEM;
}
