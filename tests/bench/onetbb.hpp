/* SPDX-License-Identifier: MIT */
/*
 * onetbb.hpp - what the workloads on oneTBB share: an arena of so many threads, the caller counted, and a
 * limit for the whole process, as its manual advises.
 */
#pragma once

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>

#include "bench.h"

namespace onetbb {

namespace tbb = oneapi::tbb;

struct State {
    tbb::global_control limit;
    tbb::task_arena arena;
    explicit State(unsigned threads)
        : limit(tbb::global_control::max_allowed_parallelism, threads), arena(static_cast<int>(threads))
    {
    }
};

inline void *start(unsigned threads)
{
    return new State(threads);
}

inline void stop(void *state)
{
    delete static_cast<State *>(state);
}

/* The time of body(), which runs in the arena. */
template <typename Body> uint64_t timed(void *state, const Body &body)
{
    uint64_t ns = 0;
    static_cast<State *>(state)->arena.execute([&] {
        uint64_t begin = bench_now_ns();
        body();
        ns = bench_now_ns() - begin;
    });
    return ns;
}

} // namespace onetbb
