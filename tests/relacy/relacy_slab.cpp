/* SPDX-License-Identifier: MIT */
/*
 * relacy_slab.cpp - memory that one thread allocates and two others free: the remote lists of the slabs and
 * the owner's list of slabs that have one.
 *
 * Must hold: an object is in use once at a time, who gets it sees that its last user is done with it, and
 * in the end the owner has all of them back.
 */
#include "harness.h"

#include "sched/slab.h"

#include "sched/slab.c"

enum { CLASS = 6, FREERS = 2, EACH = 5 }; /* seven objects of 8 KiB are a slab */

struct object {
    tutti__free_object free; /* the slab's */
    TUTTI_SHARED(uint32_t) in_use;
};

struct slab : model_test {
    tutti__store store;
    tutti__heap heap;
    TUTTI_ATOMIC(object *) mail[FREERS][EACH];

    void before() override
    {
        tutti__store_init(&store, NULL);
        tutti__heap_init(&heap, &store);
    }

    object *take()
    {
        object *of = (object *)tutti__heap_alloc(&heap, CLASS);
        MUST(of != NULL && TUTTI_GET(of->in_use) == 0);
        TUTTI_SET(of->in_use, 1);
        return of;
    }

    void own()
    {
        for (int i = 0; i < EACH; i++) {
            for (int freer = 0; freer < FREERS; freer++) {
                TUTTI_STORE(&mail[freer][i], take(), release);
            }
            if (rl::rand(2) != 0) {
                tutti__heap_collect(&heap);
            }
        }
    }

    void free_some(unsigned freer)
    {
        tutti__batch batch = {};
        for (int i = 0; i < EACH; i++) {
            object *of = TUTTI_LOAD(&mail[freer][i], acquire);
            if (of == NULL) {
                rl::ctx().yield(1, RL_INFO);
                i--;
                continue;
            }
            MUST(TUTTI_GET(of->in_use) == 1);
            TUTTI_SET(of->in_use, 0);
            tutti__batch_free(&batch, tutti__slab_of(of), of);
        }
        tutti__batch_flush(&batch);
    }

    void thread(unsigned index) override
    {
        if (index == 0) {
            own();
        } else {
            free_some(index - 1);
        }
    }

    void after() override
    {
        tutti__heap_collect(&heap);
        MUST(heap.current[CLASS]->used == 0 && heap.partial[CLASS] == NULL);
        MUST(TUTTI_LOAD(&heap.remote_slabs, relaxed) == NULL);
        tutti__store_deinit(&store);
        MUST(model_blocks_live() == 0);
    }
};

static const model_plant plants[] = {
    { "tutti__slab_free_remote", "cas", "slab->remote", MODEL_ORDER, rl::mo_relaxed },
    { "tutti__slab_free_remote", "cas", "slab->remote", MODEL_TEAR, rl::mo_relaxed },
    { "tutti__slab_free_remote", "cas", "remote_slabs", MODEL_ORDER, rl::mo_relaxed },
    { "tutti__slab_free_remote", "cas", "remote_slabs", MODEL_TEAR, rl::mo_relaxed },
    { "tutti__heap_collect", "exchange", "remote_slabs", MODEL_ORDER, rl::mo_relaxed },
    { "tutti__heap_collect", "exchange", "remote_slabs", MODEL_TEAR, rl::mo_relaxed },
    { "tutti__heap_collect", "exchange", "slab->remote", MODEL_ORDER, rl::mo_relaxed },
    { "tutti__heap_collect", "exchange", "slab->remote", MODEL_ORDER, rl::mo_acquire },
    { "tutti__heap_collect", "exchange", "slab->remote", MODEL_TEAR, rl::mo_relaxed },
};

int main()
{
    MODEL_CHECK(MODEL_TEST(slab, 3, 20000), plants);
    return model_end();
}
