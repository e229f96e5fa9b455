/* SPDX-License-Identifier: MIT */
/*
 * relacy_edges.cpp - the list of what comes after a task, alone and in a whole scheduler.
 *
 * Must hold: an edge is followed by the closer, or its pusher is told that the list is closed; never
 * both, never neither. Who is told sees what was written before the close. A task runs once, when all
 * before it have ended, and sees what they wrote.
 */
#include "engine.h"

/* Two pushers and a closer. */
struct list : model_test {
    enum { PUSHERS = 2, EACH = 2 };
    struct node {
        tutti__edge edge;
        TUTTI_SHARED(uint32_t) payload;
        TUTTI_SHARED(uint32_t) told; /* 1 by the closer, 2 by the push */
    };
    tutti__edge_head head;
    TUTTI_SHARED(int32_t) status;
    alignas(8) node nodes[PUSHERS][EACH];

    void push_some(unsigned pusher)
    {
        for (int i = 0; i < EACH; i++) {
            node *of = &nodes[pusher][i];
            TUTTI_SET(of->payload, 1);
            if (!tutti__edge_push(&head, &of->edge, TUTTI__EDGE_NOTICE)) {
                MUST(TUTTI_GET(status) == 7);
                MUST(TUTTI_GET(of->told) == 0);
                TUTTI_SET(of->told, 2);
            }
        }
    }

    void close()
    {
        TUTTI_SET(status, 7);
        tutti__link link = tutti__edge_close(&head);
        while (link != 0) {
            MUST(link != TUTTI__EDGE_CLOSED && tutti__link_kind(link) == TUTTI__EDGE_NOTICE);
            node *of = (node *)tutti__link_edge(link);
            link = TUTTI_GET(of->edge.next);
            MUST(TUTTI_GET(of->payload) == 1);
            MUST(TUTTI_GET(of->told) == 0);
            TUTTI_SET(of->told, 1);
        }
    }

    void thread(unsigned index) override
    {
        if (index < PUSHERS) {
            push_some(index);
        } else {
            close();
        }
    }

    void after() override
    {
        MUST(tutti__edge_is_closed(&head));
        for (auto &row : nodes) {
            for (node &of : row) {
                MUST(TUTTI_GET(of.told) != 0);
            }
        }
    }
};

/* Three count the edges of one task down: the last one, and nobody else, makes it ready. */
struct down : model_test {
    enum { EDGES = 3 };
    tutti_task task;
    TUTTI_SHARED(uint32_t) wrote[EDGES];
    TUTTI_SHARED(uint32_t) ready;

    void before() override
    {
        TUTTI_STORE(&task.pending, EDGES, relaxed);
        TUTTI_STORE(&task.refs, 2, relaxed);
    }

    void thread(unsigned index) override
    {
        TUTTI_SET(wrote[index], 1);
        if (tutti__count_down(NULL, &task, 1) != NULL) {
            MUST(TUTTI_GET(wrote[0]) == 1 && TUTTI_GET(wrote[1]) == 1 && TUTTI_GET(wrote[2]) == 1);
            TUTTI_SET(ready, TUTTI_GET(ready) + 1);
        }
    }

    void after() override { MUST(TUTTI_GET(ready) == 1); }
};

/* Two threads drop two handles each of a task that has ended. */
struct refs : model_engine {
    tutti_task *task;

    refs() : model_engine(1, 1) {}

    void prepare() override
    {
        MUST(tutti__sched_promise_new(sched, &task) == TUTTI_OK);
        MUST(tutti__promise_settle(task, TUTTI_OK, NULL) == TUTTI_OK);
        tutti__task_ref(task);
        tutti__task_ref(task);
        tutti__task_ref(task);
    }

    void drop_two()
    {
        tutti__task_unref(task);
        tutti__task_unref(task);
    }

    void create() override { drop_two(); }
    void other() override { drop_two(); }
};

/* Two tasks of the creator's end while it, and a thread of the host, submit what comes after both. */
struct graph : model_engine {
    enum { BEFORE = 2, AFTER = 2 };
    tutti_task *first[BEFORE];
    TUTTI_SHARED(uint32_t) wrote[BEFORE];
    TUTTI_SHARED(uint32_t) ran[AFTER];
    struct job {
        graph *test;
        unsigned number;
    } jobs[AFTER];

    graph() : model_engine(1, 1) {}

    static int body_first(tutti_task *, void *arg, tutti_value *)
    {
        TUTTI_SET(*(uint32_t *)arg, 1);
        return TUTTI_OK;
    }

    static int body_after(tutti_task *, void *arg, tutti_value *)
    {
        job *of = (job *)arg;
        MUST(TUTTI_GET(of->test->wrote[0]) == 1 && TUTTI_GET(of->test->wrote[1]) == 1);
        MUST(TUTTI_GET(of->test->ran[of->number]) == 0);
        TUTTI_SET(of->test->ran[of->number], 1);
        return TUTTI_OK;
    }

    void prepare() override
    {
        for (int i = 0; i < BEFORE; i++) {
            MUST(submit(body_first, &wrote[i], NULL, 0, &first[i]) == TUTTI_OK);
        }
    }

    void submit_after(unsigned number)
    {
        tutti_task *last;
        jobs[number] = { this, number };
        MUST(submit(body_after, &jobs[number], first, BEFORE, &last) == TUTTI_OK);
        MUST(tutti__task_wait(last, UINT64_MAX) == TUTTI_OK);
        MUST(tutti__task_result(last, NULL) == TUTTI_OK);
        tutti__task_unref(last);
    }

    TUTTI_ATOMIC(uint32_t) using_first = AFTER;

    void leave_first()
    {
        if (TUTTI_FETCH_SUB(&using_first, 1, acq_rel) == 1) {
            tutti__task_unref(first[0]);
            tutti__task_unref(first[1]);
            tutti__futex_wake(&using_first, 1);
        }
    }

    void create() override
    {
        submit_after(0);
        leave_first();
        wait_until(&using_first, 0); /* before the scheduler stops */
    }

    void other() override
    {
        submit_after(1);
        leave_first();
    }

    void look() override { MUST(TUTTI_GET(ran[0]) == 1 && TUTTI_GET(ran[1]) == 1); }
};

static const model_plant list_plants[] = {
    { "tutti__edge_push", "cas", "head", MODEL_FAILURE, rl::mo_relaxed },
    { "tutti__edge_push", "load", "head", MODEL_ORDER, rl::mo_relaxed },
    { "tutti__edge_push", "cas", "head", MODEL_ORDER, rl::mo_acquire },
    { "tutti__edge_push", "cas", "head", MODEL_TEAR, rl::mo_relaxed },
    { "tutti__edge_close", "exchange", "head", MODEL_ORDER, rl::mo_acquire },
    { "tutti__edge_close", "exchange", "head", MODEL_ORDER, rl::mo_release },
    { "tutti__edge_close", "exchange", "head", MODEL_TEAR, rl::mo_relaxed },
};

static const model_plant down_plants[] = {
    { "tutti__count_down", "sub", "pending", MODEL_ORDER, rl::mo_release },
    { "tutti__count_down", "sub", "pending", MODEL_ORDER, rl::mo_acquire },
    { "tutti__count_down", "sub", "pending", MODEL_TEAR, rl::mo_relaxed },
};

static const model_plant refs_plants[] = {
    { "tutti__task_drop", "sub", "refs", MODEL_TEAR, rl::mo_relaxed },
};

static const model_plant graph_plants[] = {
    { "tutti__edge_push", "cas", "head", MODEL_FAILURE, rl::mo_relaxed },
    { "tutti__count_down", "sub", "pending", MODEL_ORDER, rl::mo_acquire },
    { "tutti__count_down", "sub", "pending", MODEL_TEAR, rl::mo_relaxed },
    { "tutti__edge_close", "exchange", "head", MODEL_ORDER, rl::mo_acquire },
    { "announce", "or", "pending", MODEL_DROP, rl::mo_relaxed },
};

int main()
{
    model_engine_begin();
    MODEL_CHECK(MODEL_TEST(list, 3, 50000), list_plants);
    MODEL_CHECK(MODEL_TEST(down, 3, 50000), down_plants);
    MODEL_CHECK(MODEL_TEST(refs, 3, 5000), refs_plants);
    MODEL_CHECK(MODEL_TEST(graph, 3, 40000), graph_plants);
    return model_end();
}
