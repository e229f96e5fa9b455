/* SPDX-License-Identifier: MIT */
/*
 * thread.c - see thread.h.
 *
 * Layer: base.
 */
#include "base/thread.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "base/assert.h"
#include "base/atomic.h"
#include "base/limits.h"
#include "tutti.h"

enum { STACK_DEFAULT = 1 << 20, STACK_SANITIZED = 8 << 20 };

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define STACK_MIN STACK_SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STACK_MIN STACK_SANITIZED
#endif
#ifndef STACK_MIN
#define STACK_MIN 0x10000
#endif

void tutti__mutex_init(struct tutti__mutex *mutex)
{
    TUTTI_ALWAYS(pthread_mutex_init(&mutex->mu, NULL) == 0);
}

void tutti__mutex_deinit(struct tutti__mutex *mutex)
{
    pthread_mutex_destroy(&mutex->mu);
}

void tutti__mutex_lock(struct tutti__mutex *mutex) TUTTI_NO_THREAD_ANALYSIS
{
    TUTTI_ALWAYS(pthread_mutex_lock(&mutex->mu) == 0);
}

void tutti__mutex_unlock(struct tutti__mutex *mutex) TUTTI_NO_THREAD_ANALYSIS
{
    TUTTI_ALWAYS(pthread_mutex_unlock(&mutex->mu) == 0);
}

void tutti__cond_init(struct tutti__cond *cond)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    TUTTI_ALWAYS(pthread_cond_init(&cond->cond, &attr) == 0);
    pthread_condattr_destroy(&attr);
}

void tutti__cond_deinit(struct tutti__cond *cond)
{
    pthread_cond_destroy(&cond->cond);
}

void tutti__cond_signal(struct tutti__cond *cond)
{
    pthread_cond_signal(&cond->cond);
}

void tutti__cond_broadcast(struct tutti__cond *cond)
{
    pthread_cond_broadcast(&cond->cond);
}

bool tutti__cond_wait(struct tutti__cond *cond, struct tutti__mutex *mutex, uint64_t deadline_ns)
{
    if (deadline_ns == UINT64_MAX) {
        pthread_cond_wait(&cond->cond, &mutex->mu);
        return true;
    }
    struct timespec until = {
        .tv_sec = (time_t)(deadline_ns / TUTTI_NS_PER_S),
        .tv_nsec = (long)(deadline_ns % TUTTI_NS_PER_S),
    };
    return pthread_cond_timedwait(&cond->cond, &mutex->mu, &until) == 0;
}

/* All signals but those a fault raises in the thread itself. */
static void block_signals(sigset_t *old)
{
    static const int faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP };
    sigset_t all;
    sigfillset(&all);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        sigdelset(&all, faults[i]);
    }
    pthread_sigmask(SIG_SETMASK, &all, old);
}

#ifdef TUTTI_DEBUG

/* Starts that still succeed, + 1; 0: all do. Relaxed: a number that nothing else hangs on. */
static TUTTI_ATOMIC(uint32_t) starts_left;

static bool start_must_fail(void)
{
    uint32_t left = TUTTI_LOAD(&starts_left, relaxed);
    while (left > 1) {
        if (TUTTI_CAS_WEAK(&starts_left, &left, left - 1, relaxed, relaxed)) {
            return false;
        }
    }
    return left == 1;
}

bool tutti__thread_fail_from(uint32_t nth)
{
    TUTTI_STORE(&starts_left, nth, relaxed);
    return true;
}

#else

static bool start_must_fail(void)
{
    return false;
}

bool tutti__thread_fail_from(uint32_t nth)
{
    (void)nth;
    return false;
}

#endif

size_t tutti__thread_stack(size_t stack_bytes)
{
    size_t bytes = stack_bytes != 0 ? stack_bytes : STACK_DEFAULT;
    bytes = bytes < STACK_MIN ? STACK_MIN : bytes;
    return (bytes + 0xffff) & ~(size_t)0xffff; /* a multiple of every page size */
}

int tutti__thread_start(pthread_t *out, const struct tutti__thread_desc *desc)
{
    pthread_attr_t attr;
    if (start_must_fail() || pthread_attr_init(&attr) != 0) {
        return TUTTI_EAGAIN;
    }
    int rc = pthread_attr_setstacksize(&attr, tutti__thread_stack(desc->stack_bytes));
    if (rc == 0) {
        sigset_t old;
        block_signals(&old); /* inherited: the thread is never seen with the host's mask */
        rc = pthread_create(out, &attr, desc->fn, desc->arg);
        pthread_sigmask(SIG_SETMASK, &old, NULL);
    }
    pthread_attr_destroy(&attr);
    if (rc != 0) {
        return TUTTI_EAGAIN;
    }
    pthread_setname_np(*out, desc->name);
    return TUTTI_OK;
}

/* CPUs that the quota of the cgroup (version 2) at `path` pays for; 0 = no quota. */
static uint32_t quota_of(const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return 0;
    }
    unsigned long long quota = 0;
    unsigned long long period = 0;
    int found = fscanf(file, "%llu %llu", &quota, &period); /* "max 100000" gives 0 */
    fclose(file);
    if (found != 2 || period == 0) {
        return 0;
    }
    unsigned long long cpus = (quota + period - 1) / period;
    return cpus == 0 ? 1 : cpus > TUTTI_WORKERS_MAX ? TUTTI_WORKERS_MAX : (uint32_t)cpus;
}

/* The smallest quota from this process's cgroup up to the root. */
static uint32_t cgroup_cpus(void)
{
    char group[1024] = "";
    FILE *file = fopen("/proc/self/cgroup", "re");
    if (file != NULL) {
        char line[1024];
        while (fgets(line, sizeof line, file) != NULL) {
            if (sscanf(line, "0::%1023[^\n]", group) == 1) {
                break;
            }
        }
        fclose(file);
    }
    uint32_t best = 0;
    for (size_t end = 0; group[end] != '\0' || end == 0; end++) {
        bool at_edge = end == 0 || group[end] == '/' || group[end + 1] == '\0';
        if (!at_edge) {
            continue;
        }
        size_t length = group[end] == '/' ? end : end + 1;
        char path[1200];
        snprintf(path, sizeof path, "/sys/fs/cgroup%.*s/cpu.max", (int)(end == 0 ? 0 : length), group);
        uint32_t cpus = quota_of(path);
        if (cpus != 0 && (best == 0 || cpus < best)) {
            best = cpus;
        }
        if (group[end] == '\0') {
            break;
        }
    }
    return best;
}

/* CPUs in the affinity mask; a machine may have more than fit a fixed cpu_set_t. */
static uint32_t affinity_cpus(void)
{
    for (int cpus = 1024; cpus <= (1 << 18); cpus *= 2) {
        cpu_set_t *set = CPU_ALLOC((size_t)cpus);
        if (set == NULL) {
            return 1;
        }
        size_t bytes = CPU_ALLOC_SIZE((size_t)cpus);
        int count = sched_getaffinity(0, bytes, set) == 0 ? CPU_COUNT_S(bytes, set) : 0;
        CPU_FREE(set);
        if (count > 0) {
            return (uint32_t)count;
        }
    }
    return 1;
}

uint32_t tutti__cpu_count(void)
{
    uint32_t usable = affinity_cpus();
    uint32_t paid = cgroup_cpus();
    return paid != 0 && paid < usable ? paid : usable;
}
