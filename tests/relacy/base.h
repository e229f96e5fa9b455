/* SPDX-License-Identifier: MIT */
/*
 * base.h - what the engine's room base/ offers, made of Relacy: memory, locks, sleeping.
 *
 * Nothing here orders memory more than the real one must: a futex compares and sleeps in one step, and
 * that is all; a lock hands over what was done under it. Sleeps end for no reason now and then.
 *
 * Layer: tests only. Locks: none.
 */
#ifndef TUTTI_TESTS_RELACY_BASE_H
#define TUTTI_TESTS_RELACY_BASE_H

#include <stddef.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/futex.h"
#include "base/thread.h"
#include "model.h"

inline void tutti__assert_failed(const char *condition, const char *file, int line)
{
    model_fail(rl::test_result_user_assert_failed, condition,
               rl::debug_info("", file, (unsigned)line));
}

/* ---- memory ------------------------------------------------------------------------------- */

/* Freed blocks stay until the end of the round, so that a late access is noticed. */
struct model_block {
    char *memory;
    void *base; /* of the C library */
    size_t bytes;
    bool freed;
};

inline model_block model_blocks[64];
inline uint32_t model_block_count;

inline void *model_block_new(size_t align, size_t bytes, int fill)
{
    if (model_block_count == sizeof model_blocks / sizeof *model_blocks) {
        abort(); /* the test is too large */
    }
    model_block *block = &model_blocks[model_block_count++];
    block->base = (malloc)(bytes + align);
    block->memory = (char *)(((uintptr_t)block->base + align - 1) & ~(uintptr_t)(align - 1));
    block->bytes = bytes;
    block->freed = false;
    memset(block->memory, fill, bytes);
    return block->memory;
}

inline void model_block_free(void *memory)
{
    if (memory == NULL) {
        return;
    }
    model_block *block = model_blocks;
    while (block < model_blocks + model_block_count && block->memory != memory) {
        block++;
    }
    if (block == model_blocks + model_block_count || block->freed) {
        model_fail(rl::test_result_double_free, "not allocated", RL_INFO);
    }
    block->freed = true;
    for (uint32_t i = 0; i < model_used_count; i++) {
        model_cell *cell = &model_cells[model_used[i]];
        if (cell->address - (uintptr_t)memory < block->bytes) {
            /* Everybody must be done with it, and that must be known here: as if it were written. */
            if (cell->kind == MODEL_VAR) {
                ((rl::var<uint64_t> *)cell->object)->store(0, RL_INFO);
            }
            model_cell_clear(cell);
        }
    }
    memset(memory, MODEL_GONE, block->bytes);
}

inline uint32_t model_blocks_live()
{
    uint32_t live = 0;
    for (uint32_t i = 0; i < model_block_count; i++) {
        live += !model_blocks[i].freed;
    }
    return live;
}

inline void model_blocks_forget()
{
    for (uint32_t i = 0; i < model_block_count; i++) {
        (free)(model_blocks[i].base);
    }
    model_block_count = 0;
}

inline void *tutti__alloc(size_t bytes)
{
    return model_block_new(64, bytes, MODEL_FRESH);
}

inline void *tutti__alloc_zero(size_t count, size_t bytes)
{
    return model_block_new(64, count * bytes, 0);
}

inline void *tutti__alloc_aligned(size_t align, size_t bytes)
{
    return model_block_new(align, bytes, 0);
}

inline void tutti__free(void *ptr)
{
    model_block_free(ptr);
}

inline void *tutti__pages_new(size_t align, size_t bytes)
{
    return model_block_new(align, bytes, 0);
}

inline void tutti__pages_free(void *pages, size_t)
{
    model_block_free(pages);
}

inline void tutti__pages_prefer_huge(void *, size_t)
{
}

inline void tutti__pages_discard(void *pages, size_t bytes)
{
    memset(pages, 0, bytes);
}

/* ---- locks -------------------------------------------------------------------------------- */

inline rl::generic_mutex_data *model_mutex(struct tutti__mutex *mutex)
{
    model_cell *cell = model_cell_at(mutex);
    if (cell->kind != MODEL_MUTEX) {
        if (cell->kind != MODEL_EMPTY) {
            model_cell_clear(cell);
        }
        *(rl::generic_mutex_data **)cell->object = rl::ctx().mutex_ctor(false, false, false, false);
        cell->kind = MODEL_MUTEX;
    }
    return *(rl::generic_mutex_data **)cell->object;
}

inline void tutti__mutex_init(struct tutti__mutex *mutex)
{
    memset(mutex, 0, sizeof *mutex);
}

inline void tutti__mutex_deinit(struct tutti__mutex *mutex)
{
    model_cell_clear(model_cell_at(mutex));
}

inline void tutti__mutex_lock(struct tutti__mutex *mutex)
{
    model_mutex(mutex)->lock_exclusive(false, RL_INFO);
}

inline void tutti__mutex_unlock(struct tutti__mutex *mutex)
{
    model_mutex(mutex)->unlock_exclusive(RL_INFO);
}

inline rl::condvar_data *model_cond(struct tutti__cond *cond)
{
    model_cell *cell = model_cell_at(cond);
    if (cell->kind != MODEL_COND) {
        if (cell->kind != MODEL_EMPTY) {
            model_cell_clear(cell);
        }
        *(rl::condvar_data **)cell->object = rl::ctx().condvar_ctor(true);
        cell->kind = MODEL_COND;
    }
    return *(rl::condvar_data **)cell->object;
}

inline void tutti__cond_init(struct tutti__cond *cond)
{
    memset(cond, 0, sizeof *cond);
}

inline void tutti__cond_deinit(struct tutti__cond *cond)
{
    model_cell_clear(model_cell_at(cond));
}

inline void tutti__cond_signal(struct tutti__cond *cond)
{
    model_cond(cond)->notify_one(RL_INFO);
}

inline void tutti__cond_broadcast(struct tutti__cond *cond)
{
    model_cond(cond)->notify_all(RL_INFO);
}

struct model_lock : rl::mutex_wrapper {
    rl::generic_mutex_data *mutex;

    void lock(rl::debug_info_param info) const override { mutex->lock_exclusive(false, info); }
    void unlock(rl::debug_info_param info) const override { mutex->unlock_exclusive(info); }
};

inline bool tutti__cond_wait(struct tutti__cond *cond, struct tutti__mutex *mutex, uint64_t deadline_ns)
{
    model_lock lock;
    lock.mutex = model_mutex(mutex);
    bool timed = deadline_ns != UINT64_MAX;
    return model_cond(cond)->wait(lock, timed, RL_INFO) != rl::sema_wakeup_reason_timeout;
}

/* ---- sleeping ----------------------------------------------------------------------------- */

struct model_sleep {
    const void *word;
    int thread;
};

inline model_sleep model_sleeps[8];
inline uint32_t model_sleep_count;

inline void model_sleep_remove(uint32_t i)
{
    model_sleeps[i] = model_sleeps[--model_sleep_count];
}

inline bool tutti__futex_wait(TUTTI_ATOMIC(uint32_t) *word, uint32_t expected, uint64_t deadline_ns)
{
    rl::context &c = rl::ctx();
    c.sched();
    auto *atomic = model_find(word, false, RL_INFO);
    if (atomic->value_ != expected) { /* the kernel looks under its own lock: at the newest */
        return true;
    }
    int self = c.threadx_->index_;
    model_sleeps[model_sleep_count++] = { word, self };
    rl::unpark_reason reason =
        c.park_current_thread(deadline_ns != UINT64_MAX, true, false, RL_INFO);
    for (uint32_t i = 0; reason != rl::unpark_reason_normal && i < model_sleep_count; i++) {
        if (model_sleeps[i].thread == self) {
            model_sleep_remove(i);
        }
    }
    return reason != rl::unpark_reason_timeout;
}

inline void tutti__futex_wake(TUTTI_ATOMIC(uint32_t) *word, uint32_t count)
{
    rl::context &c = rl::ctx();
    c.sched();
    for (uint32_t i = 0; count > 0 && i < model_sleep_count;) {
        if (model_sleeps[i].word != word) {
            i++;
            continue;
        }
        int thread = model_sleeps[i].thread;
        model_sleep_remove(i);
        c.unpark_thread(thread, false, RL_INFO);
        count--;
    }
}

inline uint64_t tutti__clock_now_ns(void)
{
    return 0; /* deadlines pass when Relacy says so, not by the clock */
}

#endif
