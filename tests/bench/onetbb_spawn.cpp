/* SPDX-License-Identifier: MIT */
/*
 * onetbb_spawn.cpp - tasks that come after nothing, on oneTBB: task_group, as its manual advises.
 */
#include <oneapi/tbb/task_group.h>

#include <atomic>

#include "onetbb.hpp"

using namespace onetbb;

namespace {

uint64_t independent(void *state, uint64_t n, bool check)
{
    std::atomic<uint64_t> count{0};
    uint64_t ns = timed(state, [&] {
        tbb::task_group group;
        if (check) {
            for (uint64_t i = 0; i < n; i++) {
                group.run([&count] { count.fetch_add(1, std::memory_order_relaxed); });
            }
        } else {
            for (uint64_t i = 0; i < n; i++) {
                group.run([] {});
            }
        }
        group.wait();
    });
    return check ? count.load() == n : ns;
}

uint64_t depth_of(uint64_t n)
{
    uint64_t depth = 0;
    while ((UINT64_C(2) << depth) - 1 < n) {
        depth++;
    }
    return depth;
}

/* One group for the whole tree: no node knows when its children have ended. */
void flat(tbb::task_group &group, std::atomic<uint64_t> *count, uint64_t depth)
{
    if (count != nullptr) {
        count->fetch_add(1, std::memory_order_relaxed);
    }
    if (depth > 0) {
        for (int i = 0; i < 2; i++) {
            group.run([&group, count, depth] { flat(group, count, depth - 1); });
        }
    }
}

uint64_t tree_flat(void *state, uint64_t n, bool check)
{
    std::atomic<uint64_t> count{0};
    uint64_t depth = depth_of(n);
    uint64_t ns = timed(state, [&] {
        tbb::task_group group;
        group.run([&] { flat(group, check ? &count : nullptr, depth); });
        group.wait();
    });
    return check ? count.load() == n : ns;
}

/* A group for each node, which waits for its children: as in the manual, and as tutti's implicit join. */
void nested(std::atomic<uint64_t> *count, uint64_t depth)
{
    if (count != nullptr) {
        count->fetch_add(1, std::memory_order_relaxed);
    }
    if (depth > 0) {
        tbb::task_group group;
        for (int i = 0; i < 2; i++) {
            group.run([count, depth] { nested(count, depth - 1); });
        }
        group.wait();
    }
}

uint64_t tree_nested(void *state, uint64_t n, bool check)
{
    std::atomic<uint64_t> count{0};
    uint64_t depth = depth_of(n);
    uint64_t ns = timed(state, [&] {
        tbb::task_group group;
        group.run([&] { nested(check ? &count : nullptr, depth); });
        group.wait();
    });
    return check ? count.load() == n : ns;
}

/* Fork and join as in the manual: one half in a task, the other inline, then wait. */
int64_t fib(int argument)
{
    if (argument < 2) {
        return argument;
    }
    int64_t left = 0;
    tbb::task_group group;
    group.run([&left, argument] { left = fib(argument - 1); });
    int64_t right = fib(argument - 2);
    group.wait();
    return left + right;
}

constexpr int FIB_ARGUMENT = 30;
constexpr int64_t FIB_RESULT = 832040;
constexpr uint64_t FIB_TASKS = 1346269; /* calls with an argument above 1, and the first call */

uint64_t fib_round(void *state, uint64_t, bool check)
{
    int64_t out = 0;
    uint64_t ns = timed(state, [&] {
        tbb::task_group group;
        group.run([&out] { out = fib(FIB_ARGUMENT); });
        group.wait();
    });
    bool right = out == FIB_RESULT;
    return check ? right : right ? ns : 0;
}

/* The nearest there is: a group whose tasks stand in the queue, cancelled as a whole. On one thread, so
 * that none has begun. */
uint64_t cancel_group(void *state, uint64_t n, bool check)
{
    std::atomic<uint64_t> count{0};
    uint64_t ns = 0;
    timed(state, [&] {
        tbb::task_group group;
        for (uint64_t i = 0; i < n; i++) {
            group.run([&count] { count.fetch_add(1, std::memory_order_relaxed); });
        }
        uint64_t begin = bench_now_ns();
        group.cancel();
        group.wait();
        ns = bench_now_ns() - begin;
    });
    return check ? count.load() == 0 : ns;
}

constexpr uint64_t MILLION = 1000000;
constexpr uint64_t TREE = (1 << 20) - 1;

} // namespace

extern "C" const struct bench_case onetbb_spawn[] = {
    { "independent", "onetbb", nullptr, 1, MILLION, start, independent, stop },
    { "independent", "onetbb", nullptr, 2, MILLION, start, independent, stop },
    { "binary_tree", "onetbb", "nested", 1, TREE, start, tree_nested, stop },
    { "binary_tree", "onetbb", "nested", 2, TREE, start, tree_nested, stop },
    { "binary_tree", "onetbb", "flat", 1, TREE, start, tree_flat, stop },
    { "binary_tree", "onetbb", "flat", 2, TREE, start, tree_flat, stop },
    { "fib", "onetbb", nullptr, 1, FIB_TASKS, start, fib_round, stop },
    { "fib", "onetbb", nullptr, 2, FIB_TASKS, start, fib_round, stop },
    { "cancel", "onetbb", "group", 1, MILLION / 10, start, cancel_group, stop },
    {},
};
