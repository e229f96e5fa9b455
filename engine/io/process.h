/* SPDX-License-Identifier: MIT */
/*
 * process.h - child processes as tasks.
 *
 * A process is started by posix_spawn on an extra thread and watched on the loop thread through a
 * pidfd; its output is always drained. See design 2.3 and 7.9.
 *
 * Layer: io.
 */
#ifndef TUTTI_IO_PROCESS_H
#define TUTTI_IO_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tutti.h"

#define TUTTI__PIPELINE_MAX 64 /* processes in one pipeline */
#define TUTTI__TAG_PROCESS 0x70726f63u /* tutti_value.tag of a process result */

enum tutti__stdin_kind {
    TUTTI__STDIN_BYTES = 0,
    TUTTI__STDIN_FILE,
    TUTTI__STDIN_INHERIT,
    TUTTI__STDIN_PROCESS, /* what the process `feeder` writes to stdout */
};

enum tutti__stdout_kind {
    TUTTI__STDOUT_CAPTURE = 0,
    TUTTI__STDOUT_INHERIT,
    TUTTI__STDOUT_NULL,
    TUTTI__STDOUT_FILE,
    TUTTI__STDOUT_PROCESS, /* stdout only, of a feeder: to the process that it feeds */
    TUTTI__STDOUT_STREAM, /* each chunk is handed to `chunk` and, for messages, kept in the tail */
};

struct tutti__process_out {
    enum tutti__stdout_kind kind;
    const char *path; /* FILE */
    bool append;      /* FILE */
    /* STREAM: called on the loop thread with each piece as it was read, then once with length 0 at
     * the end of the stream. `data` is borrowed. Returns: false to get no more until
     * tutti__processes_resume or the end of the process. */
    bool (*chunk)(void *user, const char *data, size_t length);
    void *user;
};

struct tutti__process_spec {
    const char *const *argv;  /* argv[0] is searched in the PATH of the child's environment */
    const char *const *envp;  /* NULL: the environment of this process, as it is at the start */
    const char *cwd;          /* NULL: inherited */
    enum tutti__stdin_kind stdin_kind;
    const void *stdin_data;   /* BYTES */
    size_t stdin_length;
    const char *stdin_path;   /* FILE */
    const struct tutti__process_spec *feeder; /* PROCESS; its out[0] is of that kind */
    struct tutti__process_out out[2]; /* stdout, stderr */
    uint64_t capture_bytes;   /* kept of each captured stream */
    uint64_t timeout_ns;      /* TUTTI_FOREVER = none; counts from the start of the process */
    uint64_t grace_ns;        /* between TERM and KILL of its process group */
    const char *label;        /* what messages call it, or NULL; cut off in the result */
    bool any_end;             /* for the layers above: whatever it ends with is well */
};

/* What the task's value points to (TUTTI_OPAQUE with TUTTI__TAG_PROCESS), whether it is done or
 * not. */
struct tutti__process_result {
    int start_errno;          /* not 0: it could not be started; the rest is empty */
    const char *start_what;   /* then: "program", "cwd", "stdin", "stdout" or "stderr"; static. With a
                                 feeder that could not be started: "feeder" */
    char *start_hint;         /* or NULL: what to look at */
    int code;                 /* exit status, or -1 */
    int signal;               /* that ended it, or 0 */
    bool core_dumped;
    bool status_known;        /* false: the host ignores SIGCHLD, code and signal are unknown */
    int64_t pid;
    uint64_t elapsed_ns;
    /* Of the process and of those of its descendants that were waited for; with status_known. */
    uint64_t cpu_user_ns;
    uint64_t cpu_system_ns;
    uint64_t max_rss_bytes;   /* the most memory one of them had; 0: no more than the engine's own */
    bool timed_out;
    bool was_stopped;         /* a feeder, for the sake of the whole pipeline */
    bool leaked;              /* it ended, but something it left behind holds a stream open */
    struct {
        char *data;           /* the first capture_bytes */
        size_t length;
        bool truncated;
        char *tail;           /* the last bytes, at most 16 KiB, for messages */
        size_t tail_length;
    } out[2];
    struct tutti__process_result *feeder; /* or NULL; lives as long as this */
    /* Of the spec, for who has no more than the task: */
    char label[80];
    bool any_end;
    uint64_t timeout_ns;
};

/* Everything about the processes of one engine. Thread: the loop's, unless said otherwise. */
struct tutti__processes;
struct tutti__sched;
struct tutti__loop;

/* Memory: returns owned; borrows `sched` and `loop`. Returns: TUTTI_OK · TUTTI_ENOMEM. */
int tutti__processes_new(struct tutti__processes **out, struct tutti__sched *sched,
                         struct tutti__loop *loop);

/* Thread: any, once `gone` (below) was called, or if none was ever started. */
void tutti__processes_free(struct tutti__processes *all);

/* Send a signal to the group of each child that runs, or has left members behind. */
void tutti__processes_signal(struct tutti__processes *all, int signal);

/* Kill the process of `task` with its group, now, if it still runs: cancelled, and with no grace left. */
void tutti__processes_kill(struct tutti__processes *all, const tutti_task *task);

/* Read on what a chunk function of the process of `task`, or of one that feeds it, wanted no more of. */
void tutti__processes_resume(struct tutti__processes *all, const tutti_task *task);

/**
 * Cancel all processes and let no new one start.
 * Calls:   gone(user), once, when none is left; perhaps within this call.
 */
void tutti__processes_stop(struct tutti__processes *all, void (*gone)(void *user), void *user);

/**
 * Start a process (for the layers above: tutti__bridge_process).
 *
 * The task is done (TUTTI_OK) when the process has ended, whatever its status: what a non-zero
 * status means is decided above. It fails with TUTTI_EIO when it cannot be started (start_errno
 * says why) and with TUTTI_ETIMEDOUT when timeout_ns passed. Cancelling it sends TERM to the
 * process group, KILL after grace_ns, and the task settles as cancelled once the process is gone
 * and reaped; cancelled before it was started, it never starts. The value is there in each of these
 * cases.
 *
 * A process has ended when it has exited and its captured and streamed output is at its end, or 200
 * ms after it has exited (`leaked`). One that was stopped by a cancel or a timeout has ended only
 * when no member of its group is left; what ignores TERM is killed after grace_ns.
 *
 * One with a feeder is a pipeline, a single task: the feeder starts first, the kernel's pipe between the
 * two is all that joins them. It is done when all of them have ended; `timeout_ns` is each one's own; a
 * stop of one stops those that feed it, a cancel all. A feeder whose reader ends first gets SIGPIPE from
 * its next write, as in a shell. When a feeder cannot be started, its reader is not started either.
 *
 * Out of fds or processes (EMFILE, ENFILE, EAGAIN, ENOMEM), a start waits for a running child to
 * end; with none running it fails.
 *
 * Thread:  any. Memory: copies the whole spec; `*out` is owned.
 * Returns: TUTTI_OK · TUTTI_EINVAL (no argv[0], a file without path, a stream without function, a feeder
 *          that writes elsewhere, more than TUTTI__PIPELINE_MAX) ·
 *          TUTTI_ENOMEM · TUTTI_ESTOPPED.
 */
int tutti__process_start(struct tutti__processes *all, const struct tutti__process_spec *spec,
                         tutti_task **out);

#endif
