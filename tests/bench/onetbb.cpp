/* SPDX-License-Identifier: MIT */
/*
 * onetbb.cpp - the same workloads on oneTBB: task_group for tasks that depend on nothing, the flow
 * graph's continue_node for the rest, as its manual advises. Building the graph is part of the time
 * (tutti's graph is built while it runs), taking it down is not.
 */
#include <oneapi/tbb/flow_graph.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include <atomic>
#include <cstring>
#include <deque>
#include <memory>
#include <vector>

#include "bench.h"

namespace tbb = oneapi::tbb;
using tbb::flow::continue_msg;
using tbb::flow::continue_node;

namespace {

struct State {
    tbb::global_control limit;
    tbb::task_arena arena;
    explicit State(unsigned threads)
        : limit(tbb::global_control::max_allowed_parallelism, threads), arena(static_cast<int>(threads))
    {
    }
};

void *start(unsigned threads)
{
    return new State(threads);
}

void stop(void *state)
{
    delete static_cast<State *>(state);
}

uint64_t independent(void *state, uint64_t n, bool check)
{
    std::atomic<uint64_t> count{0};
    uint64_t ns = 0;
    static_cast<State *>(state)->arena.execute([&] {
        tbb::task_group group;
        uint64_t begin = bench_now_ns();
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
        ns = bench_now_ns() - begin;
    });
    return check ? count.load() == n : ns;
}

using Node = continue_node<continue_msg>;

uint64_t chain(void *state, uint64_t n, bool check)
{
    uint64_t at = 0;
    uint64_t ns = 0;
    static_cast<State *>(state)->arena.execute([&] {
        tbb::flow::graph graph;
        std::deque<Node> nodes;
        uint64_t begin = bench_now_ns();
        for (uint64_t i = 0; i < n; i++) {
            if (check) {
                nodes.emplace_back(graph, [&at, i](const continue_msg &) { at += at == i; });
            } else {
                nodes.emplace_back(graph, [](const continue_msg &) {});
            }
            if (i > 0) {
                tbb::flow::make_edge(nodes[i - 1], nodes[i]);
            }
        }
        nodes[0].try_put(continue_msg());
        graph.wait_for_all();
        ns = bench_now_ns() - begin;
    });
    return check ? at == n : ns;
}

uint64_t fan_in(void *state, uint64_t n, bool check)
{
    std::atomic<uint64_t> count{0};
    uint64_t seen = 0;
    uint64_t ns = 0;
    static_cast<State *>(state)->arena.execute([&] {
        tbb::flow::graph graph;
        std::deque<Node> nodes;
        uint64_t begin = bench_now_ns();
        Node end(graph, [&](const continue_msg &) { seen = count.load(); });
        for (uint64_t i = 0; i < n; i++) {
            if (check) {
                nodes.emplace_back(graph, [&count](const continue_msg &) {
                    count.fetch_add(1, std::memory_order_relaxed);
                });
            } else {
                nodes.emplace_back(graph, [](const continue_msg &) {});
            }
            tbb::flow::make_edge(nodes[i], end);
        }
        for (uint64_t i = 0; i < n; i++) {
            nodes[i].try_put(continue_msg());
        }
        graph.wait_for_all();
        ns = bench_now_ns() - begin;
    });
    return check ? seen == n : ns;
}

constexpr uint64_t SIDE_MAX = 1000;
uint32_t grid[SIDE_MAX + 1][SIDE_MAX + 1];

bool grid_is_right(uint64_t side)
{
    std::vector<uint32_t> row(side + 1, 0);
    for (uint64_t i = 1; i <= side; i++) {
        for (uint64_t j = 1; j <= side; j++) {
            row[j] += row[j - 1] + 1;
            if (row[j] != grid[i][j]) {
                return false;
            }
        }
    }
    return true;
}

uint64_t wavefront(void *state, uint64_t n, bool check)
{
    uint64_t side = 1;
    while (side * side < n) {
        side++;
    }
    std::memset(grid, 0, sizeof grid);
    uint64_t ns = 0;
    static_cast<State *>(state)->arena.execute([&] {
        tbb::flow::graph graph;
        std::deque<Node> nodes;
        uint64_t begin = bench_now_ns();
        for (uint64_t i = 0; i < side; i++) {
            for (uint64_t j = 0; j < side; j++) {
                if (check) {
                    nodes.emplace_back(graph, [i, j](const continue_msg &) {
                        grid[i + 1][j + 1] = grid[i][j + 1] + grid[i + 1][j] + 1;
                    });
                } else {
                    nodes.emplace_back(graph, [](const continue_msg &) {});
                }
                if (i > 0) {
                    tbb::flow::make_edge(nodes[(i - 1) * side + j], nodes.back());
                }
                if (j > 0) {
                    tbb::flow::make_edge(nodes[i * side + j - 1], nodes.back());
                }
            }
        }
        nodes[0].try_put(continue_msg());
        graph.wait_for_all();
        ns = bench_now_ns() - begin;
    });
    return check ? grid_is_right(side) : ns;
}

void tree(tbb::task_group &group, std::atomic<uint64_t> *count, uint64_t depth)
{
    if (count != nullptr) {
        count->fetch_add(1, std::memory_order_relaxed);
    }
    if (depth > 0) {
        for (int i = 0; i < 2; i++) {
            group.run([&group, count, depth] { tree(group, count, depth - 1); });
        }
    }
}

uint64_t binary_tree(void *state, uint64_t n, bool check)
{
    std::atomic<uint64_t> count{0};
    uint64_t depth = 0;
    while ((UINT64_C(2) << depth) - 1 < n) {
        depth++;
    }
    uint64_t ns = 0;
    static_cast<State *>(state)->arena.execute([&] {
        tbb::task_group group;
        uint64_t begin = bench_now_ns();
        group.run([&] { tree(group, check ? &count : nullptr, depth); });
        group.wait();
        ns = bench_now_ns() - begin;
    });
    return check ? count.load() == n : ns;
}

constexpr uint64_t MILLION = 1000000;

} // namespace

extern "C" const struct bench_case bench_onetbb[] = {
    { "independent", "onetbb", 1, MILLION, start, independent, stop },
    { "independent", "onetbb", 2, MILLION, start, independent, stop },
    { "chain", "onetbb", 1, MILLION, start, chain, stop },
    { "chain", "onetbb", 2, MILLION, start, chain, stop },
    { "fan_in", "onetbb", 1, MILLION, start, fan_in, stop },
    { "fan_in", "onetbb", 2, MILLION, start, fan_in, stop },
    { "wavefront", "onetbb", 1, MILLION, start, wavefront, stop },
    { "wavefront", "onetbb", 2, MILLION, start, wavefront, stop },
    { "wavefront", "onetbb", 2, MILLION / 4, start, wavefront, stop },
    { "binary_tree", "onetbb", 1, (1 << 20) - 1, start, binary_tree, stop },
    { "binary_tree", "onetbb", 2, (1 << 20) - 1, start, binary_tree, stop },
};
extern "C" const unsigned bench_onetbb_count = sizeof bench_onetbb / sizeof bench_onetbb[0];
