/* SPDX-License-Identifier: MIT */
/*
 * fs_list.c - folders: what is in them, making them; and what is known of a file.
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
#include "lua/fs_type.h"

/* ---- list --------------------------------------------------------------------------------- */

/* Entries between two looks at whether the call has been cancelled. */
enum { LOOK_EVERY = 1024 };

/* Some file systems do not say the type with the name. */
static char type_of_entry(int dir, const struct dirent *entry)
{
    struct stat st;
    if (entry->d_type != DT_UNKNOWN)
        return tutti__fs_type_letter((mode_t)DTTOIF(entry->d_type));
    if (fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return tutti__fs_type_letter(0);
    return tutti__fs_type_letter(st.st_mode);
}

static bool is_self_or_parent(const char *name)
{
    return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

/* Add "<letter><name>\0" to out. */
static int add_entry(struct tutti__fs_call *call, int dir, const struct dirent *entry)
{
    size_t length = strlen(entry->d_name) + 1;
    int error = tutti__fs_reserve(&call->out, length + 1);
    if (error != 0)
        return error;
    call->out.data[call->out.length] = type_of_entry(dir, entry);
    memcpy(call->out.data + call->out.length + 1, entry->d_name, length);
    call->out.length += length + 1;
    call->names_count++;
    return 0;
}

static int read_entries(struct tutti__fs_call *call, DIR *dir)
{
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (entry == NULL)
            return errno;
        if (is_self_or_parent(entry->d_name))
            continue;
        int error = add_entry(call, dirfd(dir), entry);
        if (error != 0)
            return error;
        if (call->names_count % LOOK_EVERY == 0 && tutti__fs_is_stopped(call))
            return ECANCELED;
    }
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a + 1, *(char *const *)b + 1);
}

/* By bytes: the order does not depend on anybody's language. */
static int sort_names(struct tutti__fs_call *call)
{
    if (call->names_count == 0)
        return 0;
    call->names = (char **)malloc(call->names_count * sizeof *call->names);
    if (call->names == NULL)
        return ENOMEM;
    char *at = call->out.data;
    for (size_t i = 0; i < call->names_count; i++) {
        call->names[i] = at;
        at += strlen(at) + 1;
    }
    qsort((void *)call->names, call->names_count, sizeof *call->names, compare);
    return 0;
}

int tutti__fs_work_list(struct tutti__fs_call *call)
{
    DIR *dir = opendir(call->path);
    if (dir == NULL)
        return errno;
    int error = read_entries(call, dir);
    closedir(dir);
    return error != 0 ? error : sort_names(call);
}

/* ---- stat --------------------------------------------------------------------------------- */

int tutti__fs_work_stat(struct tutti__fs_call *call)
{
    return stat(call->path, &call->st) != 0 ? errno : 0;
}

int tutti__fs_work_lstat(struct tutti__fs_call *call)
{
    return lstat(call->path, &call->st) != 0 ? errno : 0;
}

/* ---- mkdir -------------------------------------------------------------------------------- */

/* Make a folder that may be there already. */
static int make_missing(const char *path)
{
    struct stat st;
    if (mkdir(path, 0777) == 0)
        return 0;
    int error = errno;
    /* Above the first folder that may be written, mkdir says EROFS or EACCES of what is there. */
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? 0 : error;
}

/* The same for a folder above the one that is asked for: a file in its place is ENOTDIR there. */
static int make_above(const char *path)
{
    int error = make_missing(path);
    return error == EEXIST ? ENOTDIR : error;
}

int tutti__fs_work_mkdir(struct tutti__fs_call *call)
{
    if (!call->flag)
        return mkdir(call->path, 0777) != 0 ? errno : 0;
    for (char *at = call->path; *at != '\0'; at++) {
        bool is_border = *at == '/' && at > call->path && at[1] != '\0' && at[-1] != '/';
        if (!is_border)
            continue;
        *at = '\0'; /* the call's own copy */
        int error = make_above(call->path);
        *at = '/';
        if (error != 0)
            return error;
    }
    return make_missing(call->path);
}
