/* SPDX-License-Identifier: MIT */
/*
 * process_reap.c - how a process ended, and what it used.
 *
 * Layer: io. Locks: none. Thread: the loop's.
 * Invariant: wait4(-1) and its like, which would take a host's children, are used nowhere.
 */
#include <errno.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/limits.h"
#include "io/process_record.h"

/* The kernel counts pages in each CPU and adds up now and then: how far two looks at one peak may
 * differ. */
static const uint64_t rss_slack_bytes = 1024 * 1024;

/* As waitid, which glibc gives without the last argument that the system call has. */
static int wait_usage(const struct tutti__process *p, siginfo_t *info, struct rusage *usage)
{
    bool by_fd = p->spawn.pidfd >= 0;
    long rc = 0;
    do {
        rc = syscall(SYS_waitid, by_fd ? P_PIDFD : P_PID,
                     (pid_t)(by_fd ? p->spawn.pidfd : p->spawn.pid), info, WEXITED | WNOHANG, usage);
    } while (rc != 0 && errno == EINTR);
    return (int)rc;
}

static uint64_t timeval_ns(struct timeval t)
{
    return (uint64_t)t.tv_sec * TUTTI_NS_PER_S + (uint64_t)t.tv_usec * 1000;
}

static void note_usage(struct tutti__process *p, const struct rusage *usage)
{
    struct tutti__process_result *result = &p->box->result;
    uint64_t peak = (uint64_t)usage->ru_maxrss * 1024;
    result->cpu_user_ns = timeval_ns(usage->ru_utime);
    result->cpu_system_ns = timeval_ns(usage->ru_stime);
    /* A lower peak may be what the engine itself had; see own_rss_bytes. */
    bool is_its_own = peak > rss_slack_bytes && peak - rss_slack_bytes > p->spawn.own_rss_bytes;
    result->max_rss_bytes = is_its_own ? peak : 0;
}

void tutti__process_reap(struct tutti__process *p)
{
    struct tutti__process_result *result = &p->box->result;
    siginfo_t info = { .si_pid = 0 };
    struct rusage usage = { .ru_maxrss = 0 };
    int rc = wait_usage(p, &info, &usage);
    result->status_known = rc == 0 && info.si_pid != 0;
    if (!result->status_known) {
        return; /* the host ignores SIGCHLD, or has waited for every child itself */
    }
    note_usage(p, &usage);
    if (info.si_code == CLD_EXITED) {
        result->code = info.si_status;
    } else {
        result->signal = info.si_status;
        result->core_dumped = info.si_code == CLD_DUMPED;
    }
}
