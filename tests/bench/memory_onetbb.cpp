/* SPDX-License-Identifier: MIT */
/*
 * memory_onetbb.cpp - flow graph nodes that wait for two others, with a capture of 32 bytes.
 */
#include <oneapi/tbb/flow_graph.h>
#include <oneapi/tbb/global_control.h>

#include <array>
#include <atomic>
#include <deque>

#include "memory.h"

namespace tbb = oneapi::tbb;
using tbb::flow::continue_msg;
using Node = tbb::flow::continue_node<continue_msg>;

void memory_onetbb_two(struct memory_result *out)
{
    tbb::global_control limit(tbb::global_control::max_allowed_parallelism, 2);
    static std::atomic<uint64_t> count{0};
    std::array<uint64_t, MEMORY_CAPTURE_BYTES / sizeof(uint64_t)> capture{ 1, 0, 0, 0 };
    tbb::flow::graph graph;
    Node first(graph, [](const continue_msg &) {});
    Node second(graph, [](const continue_msg &) {});
    first.try_put(continue_msg());
    graph.wait_for_all();
    std::deque<Node> nodes;
    int64_t begin = memory_resident_bytes();
    for (uint64_t i = 0; i < MEMORY_WAITING; i++) {
        nodes.emplace_back(graph, [capture](const continue_msg &) { count.fetch_add(capture[0]); });
        tbb::flow::make_edge(first, nodes.back());
        tbb::flow::make_edge(second, nodes.back());
    }
    out->waiting_bytes = memory_resident_bytes() - begin;
    first.try_put(continue_msg());
    second.try_put(continue_msg());
    graph.wait_for_all();
    out->right = count.load() == MEMORY_WAITING;
}
