/* SPDX-License-Identifier: MIT */
/*
 * onetbb_range.cpp - oneTBB's parallel_for over a blocked_range, its partitioner left to it.
 */
#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/parallel_for.h>

#include <cstdlib>

#include "bench_range.h"
#include "onetbb.hpp"

using namespace onetbb;

namespace {

uint64_t over(void *state, uint64_t n, bool check, bool is_heavy)
{
    uint64_t *out = range_new(n);
    auto work = is_heavy ? range_heavy : range_light;
    uint64_t ns = timed(state, [&] {
        for (int i = 0; i < RANGE_CALLS; i++) {
            tbb::parallel_for(tbb::blocked_range<size_t>(0, n), [&](const auto &part) {
                work(out, part.begin(), part.end());
            });
        }
    }) / RANGE_CALLS;
    bool right = !check || range_is_right(out, n, is_heavy);
    std::free(out);
    return check ? right : ns;
}

uint64_t light(void *state, uint64_t n, bool check)
{
    return over(state, n, check, false);
}

uint64_t heavy(void *state, uint64_t n, bool check)
{
    return over(state, n, check, true);
}

} // namespace

extern "C" const struct bench_case onetbb_range[] = {
    { "parallel_for", "onetbb", "light", 1, RANGE_LENGTH, start, light, stop },
    { "parallel_for", "onetbb", "light", 2, RANGE_LENGTH, start, light, stop },
    { "parallel_for", "onetbb", "heavy", 1, RANGE_LENGTH, start, heavy, stop },
    { "parallel_for", "onetbb", "heavy", 2, RANGE_LENGTH, start, heavy, stop },
    {},
};
