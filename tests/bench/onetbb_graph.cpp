/* SPDX-License-Identifier: MIT */
/*
 * onetbb_graph.cpp - the graphs on oneTBB: continue_node of the flow graph, as its manual advises.
 * Building the graph is part of the time (tutti's graph is built while it runs), taking it down is not.
 */
#include <oneapi/tbb/flow_graph.h>

#include <atomic>
#include <cstring>
#include <deque>
#include <vector>

#include "onetbb.hpp"

using namespace onetbb;
using tbb::flow::continue_msg;
using Node = tbb::flow::continue_node<continue_msg>;

namespace {

/* The time to build and run a graph. build(graph, nodes) ends with what sets it off. */
template <typename Build> uint64_t graph_timed(void *state, const Build &build)
{
    tbb::flow::graph *graph = nullptr; /* made in the arena, which it then belongs to */
    std::deque<Node> nodes;
    uint64_t ns = timed(state, [&] {
        graph = new tbb::flow::graph;
        build(*graph, nodes);
        graph->wait_for_all();
    });
    nodes.clear();
    delete graph;
    return ns;
}

uint64_t chain(void *state, uint64_t n, bool check)
{
    uint64_t at = 0;
    uint64_t ns = graph_timed(state, [&](tbb::flow::graph &graph, std::deque<Node> &nodes) {
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
    });
    return check ? at == n : ns;
}

uint64_t fan_in(void *state, uint64_t n, bool check)
{
    std::atomic<uint64_t> count{0};
    uint64_t seen = 0;
    uint64_t ns = graph_timed(state, [&](tbb::flow::graph &graph, std::deque<Node> &nodes) {
        nodes.emplace_back(graph, [&](const continue_msg &) { seen = count.load(); });
        for (uint64_t i = 1; i <= n; i++) {
            if (check) {
                nodes.emplace_back(graph, [&count](const continue_msg &) {
                    count.fetch_add(1, std::memory_order_relaxed);
                });
            } else {
                nodes.emplace_back(graph, [](const continue_msg &) {});
            }
            tbb::flow::make_edge(nodes[i], nodes[0]);
        }
        for (uint64_t i = 1; i <= n; i++) {
            nodes[i].try_put(continue_msg());
        }
    });
    return check ? seen == n : ns;
}

uint32_t grid[BENCH_SIDE_MAX + 1][BENCH_SIDE_MAX + 1];

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
    uint64_t ns = graph_timed(state, [&](tbb::flow::graph &graph, std::deque<Node> &nodes) {
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
    });
    return check ? grid_is_right(side) : ns;
}

uint64_t depth_after(const std::vector<uint64_t> &depth, bench_two after)
{
    uint64_t a = depth[after.first];
    uint64_t b = depth[after.second];
    return (a > b ? a : b) + 1;
}

bool depth_is_right(const std::vector<uint64_t> &depth)
{
    uint64_t row = 1;
    bool right = depth[0] == 1;
    for (uint64_t i = 1; i < depth.size(); i++) {
        right &= depth[i] == depth_after(depth, bench_dag_after(&row, i));
    }
    return right;
}

uint64_t random_dag(void *state, uint64_t n, bool check)
{
    std::vector<uint64_t> depth(check ? n : 0, 0);
    uint64_t ns = graph_timed(state, [&](tbb::flow::graph &graph, std::deque<Node> &nodes) {
        uint64_t row = 1;
        for (uint64_t i = 0; i < n; i++) {
            bench_two two = { 0, 0 };
            if (i > 0) {
                two = bench_dag_after(&row, i);
            }
            if (check) {
                nodes.emplace_back(graph, [&depth, i, two](const continue_msg &) {
                    depth[i] = i == 0 ? 1 : depth_after(depth, two);
                });
            } else {
                nodes.emplace_back(graph, [](const continue_msg &) {});
            }
            if (i > 0) {
                tbb::flow::make_edge(nodes[two.first], nodes.back());
            }
            if (two.second != two.first) {
                tbb::flow::make_edge(nodes[two.second], nodes.back());
            }
        }
        nodes[0].try_put(continue_msg());
    });
    return check ? depth_is_right(depth) : ns;
}

constexpr uint64_t MILLION = 1000000;

} // namespace

extern "C" const struct bench_case onetbb_graph[] = {
    { "chain", "onetbb", nullptr, 1, MILLION, start, chain, stop },
    { "chain", "onetbb", nullptr, 2, MILLION, start, chain, stop },
    { "fan_in", "onetbb", nullptr, 1, MILLION, start, fan_in, stop },
    { "fan_in", "onetbb", nullptr, 2, MILLION, start, fan_in, stop },
    { "wavefront", "onetbb", nullptr, 1, MILLION, start, wavefront, stop },
    { "wavefront", "onetbb", nullptr, 2, MILLION, start, wavefront, stop },
    { "wavefront", "onetbb", nullptr, 2, MILLION / 4, start, wavefront, stop },
    { "random_dag", "onetbb", nullptr, 1, MILLION, start, random_dag, stop },
    { "random_dag", "onetbb", nullptr, 2, MILLION, start, random_dag, stop },
    {},
};
