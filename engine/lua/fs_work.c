/* SPDX-License-Identifier: MIT */
/*
 * fs_work.c - reading and writing files.
 *
 * A write of a regular file is a new file beside it that takes its place with rename, so whoever
 * reads sees the old bytes or the new ones, and a write that fails or is cancelled leaves the old
 * file as it was. There is no fsync: what a power cut leaves is up to the file system. What is not
 * a regular file (a FIFO, a device) is written in place; a FIFO that nobody reads is an error,
 * ENXIO.
 *
 * Layer: lua. Thread: any. Locks: none.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lua/fs_call.h"

/* Bytes between two looks at whether the call has been cancelled. */
static const size_t piece_bytes = (size_t)4 << 20;
static const size_t chunk_bytes = (size_t)64 << 10;

/* O_NONBLOCK keeps open() of a FIFO or a terminal from waiting; regular files do not know it. */
static const int open_flags = O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

/* ---- reading ------------------------------------------------------------------------------ */

static int open_to_read(struct tutti__fs_call *call)
{
    if (call->fd >= 0)
        return 0;
    call->fd = open(call->path, O_RDONLY | open_flags);
    if (call->fd < 0 || fstat(call->fd, &call->st) != 0)
        return errno;
    return S_ISDIR(call->st.st_mode) ? EISDIR : 0;
}

static int wait_for(struct tutti__fs_call *call, short events)
{
    call->events = events;
    return TUTTI__FS_WAIT;
}

/* Read up to `most` bytes into the room behind out.length. Sets *is_end at the end of the file. */
static int read_piece(struct tutti__fs_call *call, size_t most, bool *is_end)
{
    if (tutti__fs_is_stopped(call))
        return ECANCELED;
    ssize_t n = read(call->fd, call->out.data + call->out.length, most);
    if (n > 0)
        call->out.length += (size_t)n;
    else if (n < 0 && errno == EAGAIN)
        return wait_for(call, POLLIN);
    else if (n < 0 && errno != EINTR)
        return errno;
    *is_end = n == 0;
    return 0;
}

/* A FIFO that no writer has opened yet reads as if it were at its end, so ask poll before each
 * read: it waits for the first writer. True: the descriptor must be asked first. */
static bool must_ask(struct tutti__fs_call *call)
{
    if (!S_ISFIFO(call->st.st_mode))
        return false;
    struct pollfd set = { .fd = call->fd, .events = POLLIN };
    return poll(&set, 1, 0) == 0;
}

/* Make room for the next piece: at first for the whole file, as far as its size is known (that of a
 * file in /proc is not), and for one byte more, so that its end is seen without growing. */
static int make_room(struct tutti__fs_call *call)
{
    struct tutti__fs_bytes *out = &call->out;
    if (out->length < out->capacity)
        return 0;
    bool has_size = out->length == 0 && S_ISREG(call->st.st_mode) && call->st.st_size > 0;
    return tutti__fs_reserve(out, has_size ? (size_t)call->st.st_size + 1 : chunk_bytes);
}

int tutti__fs_work_read(struct tutti__fs_call *call)
{
    int error = open_to_read(call);
    bool is_end = false;
    while (error == 0 && !is_end) {
        if (must_ask(call))
            return wait_for(call, POLLIN);
        error = make_room(call);
        size_t room = call->out.capacity - call->out.length;
        if (error == 0)
            error = read_piece(call, room < piece_bytes ? room : piece_bytes, &is_end);
    }
    return error;
}

int tutti__fs_work_open(struct tutti__fs_call *call)
{
    return open_to_read(call);
}

/* The next piece of a file that is open; nothing at its end. */
int tutti__fs_work_next(struct tutti__fs_call *call)
{
    bool is_end = false;
    if (call->st.st_mode == 0 && fstat(call->fd, &call->st) != 0)
        return errno;
    int error = tutti__fs_reserve(&call->out, chunk_bytes);
    while (error == 0 && !is_end && call->out.length == 0) {
        if (must_ask(call))
            return wait_for(call, POLLIN);
        error = read_piece(call, chunk_bytes, &is_end);
    }
    return error;
}

/* ---- writing ------------------------------------------------------------------------------ */

/* Write without a SIGPIPE reaching the host: blocked in this thread meanwhile, and the one that
 * this write caused is taken away again. Returns as write. */
static ssize_t write_quietly(int fd, const char *data, size_t length)
{
    static const struct timespec at_once = { 0, 0 };
    sigset_t only_pipe;
    sigset_t before;
    sigset_t pending;
    sigemptyset(&only_pipe);
    sigaddset(&only_pipe, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &only_pipe, &before);
    ssize_t n = write(fd, data, length);
    int error = errno;
    if (n < 0 && error == EPIPE && sigismember(&pending, SIGPIPE) == 0)
        (void)sigtimedwait(&only_pipe, NULL, &at_once);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return n;
}

/* Write what is left of the data, at most `most` bytes with each system call. */
static int write_rest(struct tutti__fs_call *call, size_t most)
{
    while (call->done < call->length) {
        if (tutti__fs_is_stopped(call))
            return ECANCELED;
        size_t left = call->length - call->done;
        ssize_t n = write_quietly(call->fd, call->data + call->done, left < most ? left : most);
        if (n >= 0)
            call->done += (size_t)n;
        else if (errno == EAGAIN)
            return wait_for(call, POLLOUT);
        else if (errno != EINTR)
            return errno;
    }
    return 0;
}

static int close_written(struct tutti__fs_call *call)
{
    int fd = call->fd;
    call->fd = -1;
    /* Some file systems tell of a full disk only here. EINTR: it is closed all the same. */
    return close(fd) != 0 && errno != EINTR ? errno : 0;
}

static int write_in_place(struct tutti__fs_call *call, int flags)
{
    if (call->fd < 0)
        call->fd = open(call->path, O_WRONLY | flags | open_flags, 0666);
    if (call->fd < 0)
        return errno;
    int error = write_rest(call, SIZE_MAX); /* in one piece, as far as the kernel takes it */
    return error == 0 ? close_written(call) : error;
}

int tutti__fs_work_append(struct tutti__fs_call *call)
{
    return write_in_place(call, O_APPEND | O_CREAT);
}

/* ---- writing anew ------------------------------------------------------------------------- */

/* Links in /proc and /dev/fd name what a process has open, not a place where a file can be put. */
static bool is_magic(const char *path)
{
    return strncmp(path, "/proc/", 6) == 0 || strncmp(path, "/dev/", 5) == 0;
}

/* Length of the folder in `path`, its last slash included. */
static size_t folder_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? 0 : (size_t)(slash - path) + 1;
}

/* Where the links of call->path end, so that a write goes through a link instead of replacing it.
 * The file itself may be missing. Memory: *out is owned. Returns: 0 or an errno. */
static int follow_links(const char *path, char **out)
{
    char target[PATH_MAX];
    char *at = strdup(path);
    for (int links = 0; at != NULL; links++) {
        ssize_t length = is_magic(at) ? -1 : readlink(at, target, sizeof target - 1);
        if (length < 0) {
            *out = at;
            return 0;
        }
        target[length] = '\0';
        char *next = NULL;
        if (links == 40) {
            free(at);
            return ELOOP;
        }
        int folder = target[0] == '/' ? 0 : (int)folder_length(at);
        if (asprintf(&next, "%.*s%s", folder, at, target) < 0)
            next = NULL;
        free(at);
        at = next;
    }
    return ENOMEM;
}

/* Open a new file in the folder of `path`; its name goes to *temp, which the caller frees. */
static int open_beside(struct tutti__fs_call *call, const char *path, char **temp)
{
    static TUTTI_ATOMIC(uint32_t) serial;
    for (;;) {
        /* relaxed: it only has to be another number each time; O_EXCL decides. */
        uint32_t number = TUTTI_FETCH_ADD(&serial, 1u, relaxed);
        if (asprintf(temp, "%.*s.tutti-%ld-%u", (int)folder_length(path), path, (long)getpid(),
                     number) < 0) {
            *temp = NULL;
            return ENOMEM;
        }
        call->fd = open(*temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (call->fd >= 0)
            return 0;
        int error = errno;
        free(*temp);
        *temp = NULL;
        if (error != EEXIST)
            return error;
    }
}

/* Give the new file what the old one had, before there is anything in it. */
static int keep_mode(int fd, const struct stat *old)
{
    struct stat now;
    mode_t mode = old->st_mode & 07777;
    if (fstat(fd, &now) != 0)
        return errno;
    bool is_mine = now.st_uid == old->st_uid && now.st_gid == old->st_gid;
    if (!is_mine && fchown(fd, old->st_uid, old->st_gid) != 0)
        mode &= 0777; /* somebody else's: it stays ours, and runs as nobody else */
    return fchmod(fd, mode) != 0 ? errno : 0;
}

/* `old` is NULL when there is no file yet. */
static int replace(struct tutti__fs_call *call, const char *path, const struct stat *old)
{
    char *temp = NULL;
    int error = open_beside(call, path, &temp);
    if (error != 0)
        return error;
    if (old != NULL)
        error = keep_mode(call->fd, old);
    if (error == 0)
        error = write_rest(call, piece_bytes);
    if (error == 0)
        error = close_written(call);
    if (error == 0 && rename(temp, path) != 0)
        error = errno;
    if (error != 0) {
        tutti__fs_close_fd(call);
        unlink(temp);
    }
    free(temp);
    return error;
}

int tutti__fs_work_write(struct tutti__fs_call *call)
{
    struct stat old;
    bool exists = call->fd >= 0 || stat(call->path, &old) == 0;
    if (!exists && errno != ENOENT)
        return errno;
    if (call->fd >= 0 || (exists && (!S_ISREG(old.st_mode) || is_magic(call->path))))
        return write_in_place(call, O_TRUNC); /* a folder refuses that: EISDIR */
    char *path = NULL;
    int error = follow_links(call->path, &path);
    if (error == 0)
        error = replace(call, path, exists ? &old : NULL);
    free(path);
    return error;
}
