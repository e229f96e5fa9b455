/* SPDX-License-Identifier: MIT */
/*
 * spawn.h - start one child process: find the program, open its stdio, posix_spawn, pidfd.
 *
 * This is the part of a process that may block, so it runs on an extra thread; process.c does the
 * rest on the loop. posix_spawn shares the address space with the child until it execs, so its cost
 * does not grow with the heap.
 *
 * Layer: io. Locks: none. No libuv.
 * Invariant: every descriptor made here is close-on-exec and above 2, so that wiring one never
 * overwrites another, even in a host that has closed its own stdio.
 */
#ifndef TUTTI_IO_SPAWN_H
#define TUTTI_IO_SPAWN_H

#include <stdbool.h>
#include <stdint.h>

#include "io/process.h"

/* What to start, and what came of it. The `env->process_start` of base/env.h gets one of these. */
struct tutti__spawn {
    const struct tutti__process_spec *spec; /* envp is not NULL */
    int64_t pid;
    int pidfd;         /* -1: none could be opened; pidfd_error says why */
    int pidfd_error;
    uint64_t own_rss_bytes; /* the most memory this process had, when the child had reached exec */
    int stdin_fd;      /* our end while bytes are left to be written, non-blocking; or -1 */
    size_t stdin_sent; /* of spec->stdin_data */
    int feed_fd;       /* given: its stdin, closed here when it has started; else -1 */
    int pipe_fd;       /* the reading end of its stdout, for the process that it feeds; or -1 */
    int out_fd[2];     /* our ends of captured and streamed output, non-blocking; or -1 */
    int error;         /* of a failure: an errno. ENOENT: no such program; EACCES: there is one that
                          may not be executed */
    const char *what;  /* of a failure: "program", "cwd", "stdin", "stdout" or "stderr" */
    char *hint;        /* of a failure: what to look at, or NULL; owned, tutti__free */
};

/**
 * Start the process that `s->spec` describes.
 *
 * Thread:  any, but see Blocks.
 * Blocks:  io: until the child has reached exec; for as long as opening a FIFO takes.
 * Memory:  the caller owns the descriptors in `s` after success and must reap the child.
 * Returns: TUTTI_OK · TUTTI_EIO: s->error and s->what say why; nothing runs and nothing is open.
 */
int tutti__spawn_start(struct tutti__spawn *s);

/* Whether an `error` of tutti__spawn_start may go away when a running child ends. */
bool tutti__spawn_may_retry(int error);

/* ---- spawn_path.c --------------------------------------------------------------------------- */

/* Write the path to execute to found[PATH_MAX]. Returns 0 or an errno. */
int tutti__spawn_find(const struct tutti__process_spec *spec, char *found);

/* The folders where it is searched, "a:b", from the child's environment. */
const char *tutti__spawn_search_path(const struct tutti__process_spec *spec);

/* ---- spawn_hint.c --------------------------------------------------------------------------- */

/* What may help against the `error` of starting the program. Blocks: io. Returns: owned text, or NULL. */
char *tutti__spawn_hint(const struct tutti__process_spec *spec, int error);

#endif
