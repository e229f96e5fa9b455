/* SPDX-License-Identifier: MIT */
/*
 * spawn_hint.c - why a program could not be started, in words that say what to look at.
 *
 * Layer: io. Locks: none. Thread: any; it reads folders and the beginning of the file, so it runs where
 * the start has failed, on an extra thread.
 * Invariant: a hint is only given for what was looked at and found; without memory there is none.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "io/spawn.h"

enum {
    HINT_BYTES = 512,
    NAME_LENGTH_MAX = 64, /* longer names are not compared */
    WORD_BYTES_MAX = 128 * 1024, /* MAX_ARG_STRLEN of the kernel */
};

__attribute__((format(printf, 1, 2))) static char *hint_text(const char *format, ...)
{
    char *text = tutti__alloc(HINT_BYTES);
    if (text != NULL) {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(text, HINT_BYTES, format, args);
        va_end(args);
    }
    return text;
}

/* ---- names that look alike ------------------------------------------------------------------ */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How many letters must be added, left out, changed or exchanged with their neighbour. */
static size_t distance(const char *a, const char *b)
{
    size_t rows[3][NAME_LENGTH_MAX + 1];
    size_t width = strlen(b);
    for (size_t j = 0; j <= width; j++) {
        rows[0][j] = j;
    }
    size_t i = 1;
    for (; a[i - 1] != '\0'; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i + 2) % 3];
        const size_t *two_above = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= width; j++) {
            size_t changed = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            row[j] = least(changed, least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = least(row[j], two_above[j - 2] + 1);
            }
        }
    }
    return rows[(i - 1) % 3][width];
}

/* The best name so far. */
struct nearest {
    const char *wanted;
    size_t distance; /* of `name`; at first the first that is too far away */
    char name[NAME_LENGTH_MAX + 1];
};

static struct nearest nearest_to(const char *wanted)
{
    size_t length = strlen(wanted);
    bool is_short = length < 6;
    struct nearest n = { .wanted = wanted, .distance = length < 3 ? 0 : is_short ? 2 : 3 };
    if (length > NAME_LENGTH_MAX) {
        n.distance = 0;
    }
    return n;
}

static void look_at(struct nearest *n, DIR *folder, const char *name)
{
    size_t length = strlen(name);
    size_t wanted = strlen(n->wanted);
    if (length > NAME_LENGTH_MAX || length + n->distance <= wanted ||
        wanted + n->distance <= length || faccessat(dirfd(folder), name, X_OK, AT_EACCESS) != 0) {
        return;
    }
    size_t d = distance(n->wanted, name);
    if (d < n->distance || (d == n->distance && n->name[0] != '\0' && strcmp(name, n->name) < 0)) {
        n->distance = d;
        memcpy(n->name, name, length + 1);
    }
}

static void look_into(struct nearest *n, const char *path)
{
    DIR *folder = n->distance > 0 ? opendir(path) : NULL;
    if (folder == NULL) {
        return;
    }
    for (struct dirent *e = readdir(folder); e != NULL; e = readdir(folder)) {
        if (e->d_name[0] != '.') {
            look_at(n, folder, e->d_name);
        }
    }
    closedir(folder);
}

/* ---- no such file --------------------------------------------------------------------------- */

/* Where `path` lies for the child, seen from here: written to out[PATH_MAX]. Returns: whether it fits. */
static bool path_from_here(const struct tutti__process_spec *spec, const char *path, char *out)
{
    bool is_moved = path[0] != '/' && spec->cwd != NULL;
    int n = snprintf(out, PATH_MAX, "%s%s%s", is_moved ? spec->cwd : "", is_moved ? "/" : "", path);
    return n >= 0 && n < PATH_MAX;
}

/* The file is there, so what it asks for is not. */
static char *missing_interpreter(const char *path)
{
    char line[256];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, line, sizeof line - 1) : -1;
    if (fd >= 0) {
        close(fd);
    }
    if (n < 3) {
        return NULL;
    }
    line[n] = '\0';
    if (line[0] != '#' || line[1] != '!') {
        return hint_text("the program is there, but not the loader that it asks for: it was made for "
                         "another system");
    }
    char *name = line + 2 + strspn(line + 2, " \t");
    size_t length = strcspn(name, " \t\r\n");
    if (name[length] == '\r') {
        return hint_text("its first line ends with a carriage return: save it with Unix line ends");
    }
    return hint_text("its first line asks for \"%.*s\", which is not there", (int)length, name);
}

static char *near_path(const char *name, char *from_here)
{
    char *slash = strrchr(from_here, '/');
    struct nearest n = nearest_to(slash + 1);
    int folder_length = (int)(strrchr(name, '/') - name);
    slash[0] = '\0';
    look_into(&n, from_here[0] == '\0' ? "/" : from_here);
    return n.name[0] == '\0' ? NULL
                             : hint_text("did you mean \"%.*s/%s\"?", folder_length, name, n.name);
}

static char *near_program(const struct tutti__process_spec *spec)
{
    struct nearest n = nearest_to(spec->argv[0]);
    const char *folder = tutti__spawn_search_path(spec);
    while (folder != NULL) {
        const char *end = strchrnul(folder, ':');
        char path[PATH_MAX];
        char from_here[PATH_MAX];
        int length = snprintf(path, sizeof path, "%.*s", (int)(end - folder), end > folder ? folder : ".");
        if (length > 0 && length < PATH_MAX && path_from_here(spec, path, from_here)) {
            look_into(&n, from_here);
        }
        folder = *end == ':' ? end + 1 : NULL;
    }
    return n.name[0] == '\0' ? NULL : hint_text("did you mean \"%s\"?", n.name);
}

static char *not_found(const struct tutti__process_spec *spec)
{
    const char *name = spec->argv[0];
    char from_here[PATH_MAX];
    if (strchr(name, '/') == NULL) {
        return near_program(spec);
    }
    if (!path_from_here(spec, name, from_here)) {
        return NULL;
    }
    return access(from_here, F_OK) == 0 ? missing_interpreter(from_here) : near_path(name, from_here);
}

/* ---- other errors --------------------------------------------------------------------------- */

static char *not_permitted(const struct tutti__process_spec *spec)
{
    char from_here[PATH_MAX];
    struct stat st;
    if (strchr(spec->argv[0], '/') == NULL || !path_from_here(spec, spec->argv[0], from_here) ||
        stat(from_here, &st) != 0) {
        return NULL;
    }
    if (S_ISDIR(st.st_mode)) {
        return hint_text("it is a folder");
    }
    return faccessat(AT_FDCWD, from_here, X_OK, AT_EACCESS) == 0
               ? NULL
               : hint_text("it is not executable: chmod +x");
}

/* What the words of a list take in the new process; *longest is the longest of them. */
static size_t list_bytes(const char *const *list, size_t *longest)
{
    size_t bytes = sizeof *list;
    for (size_t i = 0; list[i] != NULL; i++) {
        size_t length = strlen(list[i]) + 1;
        *longest = length > *longest ? length : *longest;
        bytes += length + sizeof *list;
    }
    return bytes;
}

static char *too_big(const struct tutti__process_spec *spec)
{
    size_t longest = 0;
    size_t words = list_bytes(spec->argv, &longest);
    size_t variables = list_bytes(spec->envp, &longest);
    if (longest > WORD_BYTES_MAX) {
        return hint_text("one word or variable has %zu bytes, and %d is the most: pass it by stdin or a "
                         "file", longest - 1, WORD_BYTES_MAX - 1);
    }
    return hint_text("its words take %zu bytes and its environment %zu, and %ld is the most for both: pass "
                     "them by stdin or a file", words, variables, sysconf(_SC_ARG_MAX));
}

char *tutti__spawn_hint(const struct tutti__process_spec *spec, int error)
{
    switch (error) {
    case ENOENT:
        return not_found(spec);
    case EACCES:
        return not_permitted(spec);
    case ENOEXEC:
        return hint_text("it is no program of this system; a script needs a first line such as #!/bin/sh");
    case E2BIG:
        return too_big(spec);
    case ETXTBSY:
        return hint_text("somebody still has it open for writing");
    default:
        return NULL;
    }
}
