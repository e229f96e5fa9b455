/* SPDX-License-Identifier: MIT */
/*
 * prompt_history.c - see prompt_history.h.
 *
 * Layer: cli. Locks: the file's own (flock), so that no entry is written to a file that has been
 * replaced.
 */
#include "cli/prompt_history.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- where -------------------------------------------------------------------------------- */

/* Make what is missing of the folders before the last slash. */
static bool make_folders(char *path)
{
    for (char *at = strchr(path + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
        *at = '\0';
        bool is_there = mkdir(path, 0700) == 0 || errno == EEXIST;
        *at = '/';
        if (!is_there)
            return false;
    }
    return true;
}

bool cli_history_path(char *path, size_t capacity)
{
    const char *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    int size = -1;
    if (state != NULL && *state == '/') /* relative ones are to be ignored, says the convention */
        size = snprintf(path, capacity, "%s/tutti/history", state);
    else if (home != NULL && *home == '/')
        size = snprintf(path, capacity, "%s/.local/state/tutti/history", home);
    return size > 0 && (size_t)size < capacity && make_folders(path);
}

/* ---- one at a time ------------------------------------------------------------------------ */

static bool is_the_file(int fd, const char *path)
{
    struct stat mine, there;
    return fstat(fd, &mine) == 0 && stat(path, &there) == 0 && mine.st_ino == there.st_ino
        && mine.st_dev == there.st_dev;
}

/* Open the file and lock it: the one that has the name at that moment. Returns -1 with errno. */
static int open_locked(const char *path)
{
    for (;;) {
        int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0)
            return -1;
        while (flock(fd, LOCK_EX) != 0) {
            if (errno != EINTR) {
                (void)close(fd);
                return -1;
            }
        }
        if (is_the_file(fd, path))
            return fd;
        (void)close(fd); /* it was cut and replaced while we waited */
    }
}

/* ---- entries as lines ----------------------------------------------------------------------- */

static size_t encode(char *to, const char *entry)
{
    char *at = to;
    for (; *entry != '\0'; entry++) {
        if (*entry == '\n' || *entry == '\\')
            *at++ = '\\';
        *at++ = *entry;
        if (*entry == '\n')
            at[-1] = 'n';
    }
    *at++ = '\n';
    return (size_t)(at - to);
}

/* In place. */
static void decode(char *line)
{
    char *to = line;
    for (const char *at = line; *at != '\0'; at++) {
        bool is_escape = *at == '\\' && at[1] != '\0';
        at += is_escape;
        *to++ = is_escape && *at == 'n' ? '\n' : *at;
    }
    *to = '\0';
}

/* Does the file end in the middle of an entry? */
static bool is_torn(int fd)
{
    char last = '\n';
    off_t size = lseek(fd, 0, SEEK_END);
    return size > 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n';
}

bool cli_history_append(const char *path, const char *entry)
{
    char *line = (char *)malloc(2 * strlen(entry) + 2);
    int fd = line == NULL ? -1 : open_locked(path);
    if (fd < 0) {
        free(line);
        return false;
    }
    line[0] = '\n';
    size_t size = encode(line + 1, entry);
    size_t from = is_torn(fd) ? 0 : 1;
    ssize_t n = write(fd, line + from, size + 1 - from);
    int error = errno;
    (void)close(fd);
    free(line);
    errno = error;
    return n == (ssize_t)(size + 1 - from);
}

/* ---- reading ------------------------------------------------------------------------------ */

/* The whole file, with a zero at the end, or NULL. */
static char *read_all(int fd, size_t *size)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return NULL;
    char *bytes = (char *)malloc((size_t)st.st_size + 1);
    if (bytes == NULL)
        return NULL;
    *size = 0;
    while (*size < (size_t)st.st_size) {
        ssize_t n = pread(fd, bytes + *size, (size_t)st.st_size - *size, (off_t)*size);
        if (n <= 0)
            break;
        *size += (size_t)n;
    }
    bytes[*size] = '\0';
    return bytes;
}

static size_t count_lines(const char *bytes, size_t size)
{
    size_t count = 0;
    for (size_t i = 0; i < size; i++)
        count += bytes[i] == '\n';
    return count;
}

/* What is behind the first `count` lines. */
static char *skip_lines(char *bytes, size_t count)
{
    for (; count > 0; count--)
        bytes = strchr(bytes, '\n') + 1;
    return bytes;
}

/* Put a shorter file in the place of this one, which is locked. If that fails it is cut another
   time. */
static void replace(const char *path, const char *bytes)
{
    char name[4096];
    int length = snprintf(name, sizeof name, "%s.new", path);
    if (length < 0 || (size_t)length >= sizeof name)
        return;
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    size_t size = strlen(bytes);
    bool is_whole = write(fd, bytes, size) == (ssize_t)size;
    if (close(fd) != 0 || !is_whole || rename(name, path) != 0)
        (void)unlink(name);
}

static void add_all(char *bytes, void (*add)(const char *entry))
{
    char *rest = bytes;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        decode(line);
        if (*line != '\0')
            add(line);
    }
}

void cli_history_load(const char *path, void (*add)(const char *entry))
{
    size_t size = 0;
    int fd = open_locked(path);
    char *bytes = fd < 0 ? NULL : read_all(fd, &size);
    if (bytes != NULL) {
        size_t count = count_lines(bytes, size);
        char *newest = count > CLI_HISTORY_MAX ? skip_lines(bytes, count - CLI_HISTORY_MAX) : bytes;
        if (count > CLI_HISTORY_MAX + CLI_HISTORY_MAX / 2)
            replace(path, newest);
        add_all(newest, add);
        free(bytes);
    }
    if (fd >= 0)
        (void)close(fd);
}
