/* SPDX-License-Identifier: MIT */
/*
 * fs_tree.c - removing, of whole trees too.
 *
 *     top (opened by path) -> d1 -> d2 ...     down by openat(name), up by openat("..")
 *
 * A tree may be deeper than there are descriptors, and somebody may put a link in the place of a
 * folder meanwhile. So at most two folders are open at a time, each step down refuses a link, and
 * each step up has to arrive at the very folder it came from (device and inode), or the call stops.
 *
 * Layer: lua. Thread: any. Locks: none.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lua/fs_call.h"

/* A folder on the way from the top to where we are. */
struct step {
    dev_t dev;
    ino_t ino;
    char *name; /* in the folder above; of the top: NULL */
};

struct tree {
    struct tutti__fs_call *call;
    struct step *steps;
    size_t depth;
    size_t capacity;
    int fd; /* the deepest step, open */
};

/* ---- steps -------------------------------------------------------------------------------- */

/* Go into `fd`, which takes the place of tree->fd. */
static int push_step(struct tree *tree, int fd, const char *name)
{
    struct stat st;
    char *copy = name == NULL ? NULL : strdup(name);
    int error = fstat(fd, &st) != 0 ? errno : name != NULL && copy == NULL ? ENOMEM : 0;
    if (error == 0 && tree->depth == tree->capacity) {
        size_t capacity = tree->capacity == 0 ? 16 : tree->capacity * 2;
        struct step *steps = (struct step *)realloc(tree->steps, capacity * sizeof *steps);
        error = steps == NULL ? ENOMEM : 0;
        tree->steps = steps == NULL ? tree->steps : steps;
        tree->capacity = steps == NULL ? tree->capacity : capacity;
    }
    if (error != 0) {
        free(copy);
        close(fd);
        return error;
    }
    tree->steps[tree->depth++] = (struct step){ st.st_dev, st.st_ino, copy };
    if (tree->fd >= 0)
        close(tree->fd);
    tree->fd = fd;
    return 0;
}

static int go_down(struct tree *tree, const char *name)
{
    int fd = openat(tree->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? errno : push_step(tree, fd, name);
}

/* Leave the deepest folder, which is empty, and remove it from the one above. */
static int go_up(struct tree *tree)
{
    struct stat st;
    struct step *left = &tree->steps[tree->depth - 1];
    const struct step *above = left - 1;
    int fd = openat(tree->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    close(tree->fd);
    tree->fd = fd;
    tree->depth--;
    int error = fstat(fd, &st) != 0 ? errno : 0;
    if (error == 0 && (st.st_dev != above->dev || st.st_ino != above->ino))
        error = EBUSY; /* it has been moved elsewhere: nothing there is ours to remove */
    if (error == 0 && unlinkat(fd, left->name, AT_REMOVEDIR) != 0 && errno != ENOENT)
        error = errno;
    free(left->name);
    return error;
}

/* ---- one folder --------------------------------------------------------------------------- */

static bool is_self_or_parent(const char *name)
{
    return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

/* Remove an entry. Returns: 0 · an errno; ENOTEMPTY: a folder to go into. */
static int remove_entry(struct tree *tree, const struct dirent *entry)
{
    bool may_be_folder = entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN;
    if (!may_be_folder || unlinkat(tree->fd, entry->d_name, AT_REMOVEDIR) != 0) {
        int error = may_be_folder ? errno : ENOTDIR;
        if (error == EEXIST)
            error = ENOTEMPTY;
        if (error != ENOTDIR)
            return error == ENOENT ? 0 : error;
        if (unlinkat(tree->fd, entry->d_name, 0) != 0 && errno != ENOENT)
            return errno == EISDIR ? ENOTEMPTY : errno;
    }
    return 0;
}

/* Remove what is in the deepest folder until there is one to go into: then its name is *down. */
static int empty_folder(struct tree *tree, char **down)
{
    int copy = openat(tree->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    if (dir == NULL) {
        int error = errno;
        if (copy >= 0)
            close(copy);
        return error;
    }
    int error = 0;
    const struct dirent *entry = NULL;
    errno = 0;
    while (error == 0 && (entry = readdir(dir)) != NULL) {
        if (!is_self_or_parent(entry->d_name))
            error = tutti__fs_is_stopped(tree->call) ? ECANCELED : remove_entry(tree, entry);
        if (error == ENOTEMPTY) {
            *down = strdup(entry->d_name);
            error = *down == NULL ? ENOMEM : 0;
            break;
        }
        errno = 0;
    }
    if (error == 0 && entry == NULL)
        error = errno; /* of readdir: 0 at the end */
    closedir(dir);
    return error;
}

/* ---- the whole ---------------------------------------------------------------------------- */

/* Empty the top folder. */
static int remove_below(struct tree *tree)
{
    for (;;) {
        char *down = NULL;
        int error = empty_folder(tree, &down);
        if (error == 0 && down != NULL)
            error = go_down(tree, down);
        else if (error == 0 && tree->depth > 1)
            error = go_up(tree);
        else if (error == 0)
            return 0;
        free(down);
        if (error != 0)
            return error;
    }
}

static int remove_tree(struct tutti__fs_call *call)
{
    struct tree tree = { .call = call, .fd = -1 };
    int fd = open(call->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int error = fd < 0 ? errno : push_step(&tree, fd, NULL);
    if (error == 0)
        error = remove_below(&tree);
    for (size_t i = 0; i < tree.depth; i++)
        free(tree.steps[i].name);
    free(tree.steps);
    if (tree.fd >= 0)
        close(tree.fd);
    if (error == 0 && rmdir(call->path) != 0)
        error = errno;
    return error;
}

int tutti__fs_work_remove(struct tutti__fs_call *call)
{
    struct stat st;
    if (lstat(call->path, &st) != 0)
        return errno;
    if (!S_ISDIR(st.st_mode))
        return unlink(call->path) != 0 ? errno : 0;
    if (rmdir(call->path) == 0)
        return 0;
    bool has_more = errno == ENOTEMPTY || errno == EEXIST;
    return has_more && call->flag ? remove_tree(call) : errno;
}
