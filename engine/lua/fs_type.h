/* SPDX-License-Identifier: MIT */
/*
 * fs_type.h - types of files: one list for the letters of `list` and the names that scripts see.
 *
 * Layer: lua.
 */
#ifndef TUTTI_LUA_FS_TYPE_H
#define TUTTI_LUA_FS_TYPE_H

#include <sys/stat.h>

#define TUTTI__FS_TYPES(X)                                                                         \
    X(S_IFREG, 'f', "file")                                                                        \
    X(S_IFDIR, 'd', "directory")                                                                   \
    X(S_IFLNK, 'l', "link")                                                                        \
    X(S_IFIFO, 'p', "fifo")                                                                        \
    X(S_IFSOCK, 's', "socket")                                                                     \
    X(S_IFCHR, 'c', "char")                                                                        \
    X(S_IFBLK, 'b', "block")

/* Letter of a st_mode; '?' for none of them. Thread: any. */
static inline char tutti__fs_type_letter(mode_t mode)
{
    switch (mode & S_IFMT) {
#define X(bits, letter, name)                                                                      \
    case bits:                                                                                     \
        return letter;
        TUTTI__FS_TYPES(X)
#undef X
    default:
        return '?';
    }
}

/* Name of a letter. Thread: any. Returns: static. */
static inline const char *tutti__fs_type_name(char type)
{
    switch (type) {
#define X(bits, letter, name)                                                                      \
    case letter:                                                                                   \
        return name;
        TUTTI__FS_TYPES(X)
#undef X
    default:
        return "unknown";
    }
}

#endif
