/* SPDX-License-Identifier: MIT */
/*
 * proc.h - what a test asks /proc about its own process.
 *
 * Layer: tests only; includes nothing of tutti.
 */
#ifndef TUTTI_TESTS_SUPPORT_PROC_H
#define TUTTI_TESTS_SUPPORT_PROC_H

#include <dirent.h>
#include <stddef.h>
#include <unistd.h>

/* The entries of a folder whose names do not begin with a dot. */
static inline size_t proc_count(const char *folder)
{
    size_t count = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *e = dir == NULL ? NULL : readdir(dir); e != NULL; e = readdir(dir))
        count += e->d_name[0] != '.' ? 1 : 0;
    if (dir != NULL)
        closedir(dir);
    return count;
}

static inline size_t proc_descriptors(void)
{
    return proc_count("/proc/self/fd");
}

/* The threads of this process. The kernel wakes who joins a thread a moment before it takes the thread off
 * its list: wait, up to ten seconds, for the list to shrink to `wanted`, and let one that stays be seen. */
static inline size_t proc_threads(size_t wanted)
{
    enum { TRIES = 1000 };
    size_t count = proc_count("/proc/self/task");
    for (int i = 0; i < TRIES && count > wanted; i++) {
        usleep(10000);
        count = proc_count("/proc/self/task");
    }
    return count;
}

#endif
