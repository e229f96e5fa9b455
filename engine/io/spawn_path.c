/* SPDX-License-Identifier: MIT */
/*
 * spawn_path.c - finding the program to start, as execvp would in the child.
 *
 * Layer: io. Locks: none. Thread: any; it asks the file system.
 * Invariant: nothing is opened.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/spawn.h"

static const char path_default[] = "/bin:/usr/bin"; /* what execvp takes when there is no PATH */

const char *tutti__spawn_search_path(const struct tutti__process_spec *spec)
{
    for (const char *const *entry = spec->envp; *entry != NULL; entry++) {
        if (strncmp(*entry, "PATH=", 5) == 0) {
            return *entry + 5;
        }
    }
    return path_default;
}

/* May the child execute `path`? A relative one is meant from its own folder. Returns 0 or an
 * errno. */
static int check_executable(const char *path, const char *cwd)
{
    char from_here[PATH_MAX];
    if (path[0] != '/' && cwd != NULL) {
        int n = snprintf(from_here, sizeof from_here, "%s/%s", cwd, path);
        if (n < 0 || (size_t)n >= sizeof from_here) {
            return ENAMETOOLONG;
        }
        path = from_here;
    }
    struct stat st;
    if (stat(path, &st) != 0) {
        return errno;
    }
    if (!S_ISREG(st.st_mode)) {
        return EACCES; /* exec says the same of a folder */
    }
    return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

int tutti__spawn_find(const struct tutti__process_spec *spec, char *found)
{
    const char *name = spec->argv[0];
    if (strchr(name, '/') != NULL) {
        int n = snprintf(found, PATH_MAX, "%s", name);
        return n >= 0 && n < PATH_MAX ? 0 : ENAMETOOLONG;
    }
    int error = ENOENT;
    const char *folder = tutti__spawn_search_path(spec);
    while (name[0] != '\0' && folder != NULL) {
        const char *end = strchrnul(folder, ':');
        int length = (int)(end - folder);
        /* An empty entry is the current folder. */
        int n = length == 0 ? snprintf(found, PATH_MAX, "./%s", name)
                            : snprintf(found, PATH_MAX, "%.*s/%s", length, folder, name);
        int refused = n >= 0 && n < PATH_MAX ? check_executable(found, spec->cwd) : ENAMETOOLONG;
        if (refused == 0) {
            return 0;
        }
        if (refused == EACCES) {
            error = EACCES; /* worth more than "not found" elsewhere */
        }
        folder = *end == ':' ? end + 1 : NULL;
    }
    return error;
}
