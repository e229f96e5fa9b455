/* SPDX-License-Identifier: MIT */
/*
 * thread.h - mutex, condition and threads, with clang's thread-safety annotations.
 *
 * Layer: base; the one file of it that knows pthreads.
 */
#ifndef TUTTI_BASE_THREAD_H
#define TUTTI_BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__clang__)
#define TUTTI_CAPABILITY(name) __attribute__((capability(name)))
#define TUTTI_ACQUIRE(...) __attribute__((acquire_capability(__VA_ARGS__)))
#define TUTTI_RELEASE(...) __attribute__((release_capability(__VA_ARGS__)))
#define TUTTI_REQUIRES(...) __attribute__((requires_capability(__VA_ARGS__)))
#define TUTTI_NO_THREAD_ANALYSIS __attribute__((no_thread_safety_analysis))
#else
#define TUTTI_CAPABILITY(name)
#define TUTTI_ACQUIRE(...)
#define TUTTI_RELEASE(...)
#define TUTTI_REQUIRES(...)
#define TUTTI_NO_THREAD_ANALYSIS
#endif

struct TUTTI_CAPABILITY("mutex") tutti__mutex {
    pthread_mutex_t mu;
};

void tutti__mutex_init(struct tutti__mutex *mutex);
void tutti__mutex_deinit(struct tutti__mutex *mutex);
void tutti__mutex_lock(struct tutti__mutex *mutex) TUTTI_ACQUIRE(*mutex);
void tutti__mutex_unlock(struct tutti__mutex *mutex) TUTTI_RELEASE(*mutex);

struct tutti__cond {
    pthread_cond_t cond; /* on CLOCK_MONOTONIC */
};

void tutti__cond_init(struct tutti__cond *cond);
void tutti__cond_deinit(struct tutti__cond *cond);
void tutti__cond_signal(struct tutti__cond *cond);
void tutti__cond_broadcast(struct tutti__cond *cond);

/* Wait with `mutex` held. Args: deadline_ns - UINT64_MAX = no limit. Returns: false when it passed. */
bool tutti__cond_wait(struct tutti__cond *cond, struct tutti__mutex *mutex, uint64_t deadline_ns)
    TUTTI_REQUIRES(*mutex);

/* How large a stack of `stack_bytes` (0 = 1 MiB) really is: a sanitizer's frames need 8 MiB. */
size_t tutti__thread_stack(size_t stack_bytes);

struct tutti__thread_desc {
    const char *name;   /* at most 15 bytes, for debuggers */
    size_t stack_bytes; /* see tutti__thread_stack */
    void *(*fn)(void *arg);
    void *arg;
};

/**
 * Start a thread with all signals blocked but those that faults raise, so that the host's handlers
 * stay on the host's threads.
 *
 * Returns: TUTTI_OK · TUTTI_EAGAIN (the system has no thread to give).
 */
int tutti__thread_start(pthread_t *out, const struct tutti__thread_desc *desc);

/**
 * Make the `nth` start of a thread from now on fail, and all that come after it, until this is called
 * with 0. Debug builds only; elsewhere it does nothing and returns false. Thread: one test at a time.
 */
bool tutti__thread_fail_from(uint32_t nth);

/* Number of CPUs that this process may use: affinity mask, and the cgroup's quota rounded up; >= 1. */
uint32_t tutti__cpu_count(void);

#endif
