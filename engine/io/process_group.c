/* SPDX-License-Identifier: MIT */
/*
 * process_group.c - signals to a process and its group, and who is left of the group.
 *
 * When a stopped process has exited, others of its group may still be cleaning up after the TERM.
 * The kernel tells nobody when a group becomes empty, so the members are looked up in /proc, once
 * for all that exited in the same round, and one of them is followed through a pidfd; when it ends,
 * look again.
 *
 * Layer: io. Locks: none. Thread: the loop's.
 * Invariant: see process_record.h: the leader is unreaped, so its id is not used again.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "io/process_record.h"

/* Is it still ours to reap? A host that ignores SIGCHLD, or waits for any child, may have let its
 * id go. */
static bool is_unreaped(const struct tutti__process *p)
{
    siginfo_t info;
    return waitid(P_PID, (id_t)p->spawn.pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

void tutti__process_signal(struct tutti__process *p, int signal)
{
    TUTTI_ASSERT(p->phase == TUTTI__PROCESS_RUNNING || p->phase == TUTTI__PROCESS_ENDED);
    if (!is_unreaped(p)) {
        return;
    }
    pid_t pid = (pid_t)p->spawn.pid;
    /* ESRCH, EPERM: nothing more can be done. */
    (void)kill(tutti__process_has_group(p) ? -pid : pid, signal);
}

void tutti__processes_signal(struct tutti__processes *all, int signal)
{
    for (struct tutti__process *p = all->first; p != NULL; p = p->next) {
        if (p->phase == TUTTI__PROCESS_RUNNING || p->phase == TUTTI__PROCESS_ENDED)
            tutti__process_signal(p, signal);
    }
}

/* ---- looking for members -------------------------------------------------------------------- */

/* The group of the process whose stat file this is; 0 for a dead one. */
static pid_t parse_group(const char *stat)
{
    /* pid (name) state parent group ...; the name may hold anything, also brackets. */
    const char *after_name = strrchr(stat, ')');
    char state = 0;
    int parent = 0;
    int group = 0;
    if (after_name == NULL || sscanf(after_name + 1, " %c %d %d", &state, &parent, &group) != 3) {
        return 0;
    }
    return state == 'Z' || state == 'X' ? 0 : (pid_t)group;
}

static pid_t read_group(int proc, const char *name)
{
    char path[64];
    char stat[512];
    int n = snprintf(path, sizeof path, "%s/stat", name);
    if (n < 0 || (size_t)n >= sizeof path) {
        return 0;
    }
    int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return 0; /* gone */
    }
    ssize_t length = read(fd, stat, sizeof stat - 1);
    close(fd);
    if (length <= 0) {
        return 0;
    }
    stat[length] = '\0';
    return parse_group(stat);
}


static void on_member_end(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    struct tutti__process *p = ((struct tutti__watcher *)(void *)poll)->process;
    tutti__watcher_stop(&p->member_watch);
    tutti__process_scan_group(p);
}

/* `member` is of p's group: wait for its end, or for the grace to be over. */
static void follow(struct tutti__process *p, pid_t member)
{
    p->is_following = true;
    int fd = pidfd_open(member, 0);
    if (fd < 0) {
        if (errno == ESRCH) {
            tutti__process_scan_group(p); /* it ended in this moment */
        }
        return; /* no descriptor left: the grace decides */
    }
    (void)tutti__watcher_start(&p->member_watch, fd, UV_READABLE, on_member_end);
}

/* Find the one whose group `group` is and follow `member` of it. */
static void match(struct tutti__process **list, pid_t group, pid_t member)
{
    for (struct tutti__process **at = list; *at != NULL; at = &(*at)->scan_next) {
        struct tutti__process *p = *at;
        if (p->spawn.pid == group) {
            *at = p->scan_next;
            p->scan_next = NULL;
            follow(p, member);
            return;
        }
    }
}

/* Follow a member of each that has one, taking it off the list. */
static void walk_proc(struct tutti__process **list)
{
    DIR *proc = opendir("/proc");
    if (proc == NULL) {
        return;
    }
    for (struct dirent *entry = readdir(proc); entry != NULL && *list != NULL;
         entry = readdir(proc)) {
        if (isdigit((unsigned char)entry->d_name[0])) {
            pid_t group = read_group(dirfd(proc), entry->d_name);
            if (group != 0) {
                match(list, group, (pid_t)strtol(entry->d_name, NULL, 10));
            }
        }
    }
    closedir(proc);
}

void tutti__process_on_scan(struct tutti__post *post)
{
    struct tutti__processes *all =
        (struct tutti__processes *)(void *)((char *)post -
                                            offsetof(struct tutti__processes, scan_post));
    struct tutti__process *list = NULL;
    all->is_scan_posted = false;
    while (all->scan_first != NULL) {
        struct tutti__process *p = all->scan_first;
        all->scan_first = p->scan_next;
        p->is_queued_for_scan = false;
        p->scan_next = NULL;
        /* The grace may have run out meanwhile. */
        if (p->phase == TUTTI__PROCESS_ENDED && !p->is_killed) {
            p->scan_next = list;
            list = p;
        }
    }
    walk_proc(&list);
    while (list != NULL) {
        struct tutti__process *p = list;
        list = p->scan_next;
        p->scan_next = NULL;
        p->is_following = false;
        /* For one that a member started while the walk was past it. */
        tutti__process_signal(p, SIGKILL);
        p->is_killed = true;
        tutti__process_await_streams(p);
    }
}

void tutti__process_scan_group(struct tutti__process *p)
{
    struct tutti__processes *all = p->all;
    if (p->is_queued_for_scan) {
        return;
    }
    p->is_queued_for_scan = true;
    p->is_following = true; /* until it is known */
    p->scan_next = all->scan_first;
    all->scan_first = p;
    if (!all->is_scan_posted) {
        all->is_scan_posted = true;
        tutti__home_post(tutti__loop_home(all->loop), &all->scan_post);
    }
}
