/* SPDX-License-Identifier: MIT */
/*
 * limits.h - every fixed number of the engine, and why it is what it is.
 *
 * A TUTTI_HARD build makes them tiny, so that rare paths (growth, overflow, parking) are common.
 *
 * Layer: base. Locks: none.
 */
#ifndef TUTTI_BASE_LIMITS_H
#define TUTTI_BASE_LIMITS_H

#include <stddef.h>
#include <stdint.h>

#define TUTTI_CACHE_LINE 64

/* More workers than this are refused; the steal loop looks at each of them. */
#define TUTTI_WORKERS_MAX 256u

/* Dependencies of one task: the count shares a word with flags, and the record must fit in memory. */
#define TUTTI_AFTER_MAX 0x40000000u

/* Bytes at `arg` that are copied into a task. */
#define TUTTI_ARG_BYTES_MAX 0x40000000u

/* Extra threads for what blocks: disks and process starts do not get faster with more. */
#define TUTTI_BLOCKING_THREADS_MAX 64u

/* Threads that stand in for waiting ones; each waits, or may run something. */
#define TUTTI_SPARES_MAX 1024u

#define TUTTI_NS_PER_US UINT64_C(1000)
#define TUTTI_NS_PER_MS UINT64_C(1000000)
#define TUTTI_NS_PER_S UINT64_C(1000000000)

#ifdef TUTTI_HARD
/* First ring of a deque; must be a power of two. */
#define TUTTI_DEQUE_FIRST 2u
/* Slabs that are taken from the system at once: the first time, and later. */
#define TUTTI_REGION_SLABS_FIRST 2u
#define TUTTI_REGION_SLABS 4u
/* Successors that run one after the other before the thread looks at anything else. */
#define TUTTI_DIRECT_RUN_MAX 2u
/* Every so many tasks a worker looks at the injector first. */
#define TUTTI_INJECTOR_EVERY 3u
/* Remote frees that are handed over together. */
#define TUTTI_REMOTE_BATCH 2u
/* Pinned tasks that run in one go of the loop; how long such a go takes at most, but for the last task;
 * every so many the lowest priority goes first. */
#define TUTTI_PINNED_BATCH 2u
#define TUTTI_PINNED_NS (100 * TUTTI_NS_PER_US)
#define TUTTI_PINNED_FAIR 3u
/* Lists in which a scope keeps its members, by submitting thread. */
#define TUTTI_SCOPE_SHARDS 2u
/* Tasks that a thread takes at once from those that the creator has submitted. */
#define TUTTI_FEED_TAKE 2u
/* How long a worker without work looks around before it sleeps. */
#define TUTTI_SPIN_NS UINT64_C(0)
/* An extra thread without work ends after this time. */
#define TUTTI_BLOCKING_IDLE_NS (20 * TUTTI_NS_PER_MS)
#else
#define TUTTI_DEQUE_FIRST 256u
#define TUTTI_REGION_SLABS_FIRST 16u
#define TUTTI_REGION_SLABS 64u /* two huge pages */
#define TUTTI_DIRECT_RUN_MAX 64u
#define TUTTI_INJECTOR_EVERY 61u
#define TUTTI_REMOTE_BATCH 32u
#define TUTTI_PINNED_BATCH 64u
#define TUTTI_PINNED_NS (100 * TUTTI_NS_PER_US)
#define TUTTI_PINNED_FAIR 16u
#define TUTTI_SCOPE_SHARDS 4u
#define TUTTI_FEED_TAKE 32u
#define TUTTI_SPIN_NS (20 * TUTTI_NS_PER_US)
#define TUTTI_BLOCKING_IDLE_NS (5 * TUTTI_NS_PER_S)
#endif

#endif
