/* SPDX-License-Identifier: MIT */
/*
 * test_value_threads.c - one buffer, decoded by several threads at once; the last one frees it.
 */
#include "test_value.h"

#include <pthread.h>

enum { THREADS = 4, TIMES = 300 };

static struct tutti__buffer *shared;

struct reader {
    pthread_t thread;
    struct test_pair pair; /* `from` is not used */
    int wrong;
};

static void *read_shared(void *user)
{
    struct reader *r = user;
    for (int i = 0; i < TIMES; i++) {
        struct tutti__buffer *mine = tutti__buffer_ref(shared);
        r->wrong += !test_decode(&r->pair, mine) ||
                    !test_run(r->pair.to, "local f, t = ... assert(f() == 2 and t[1] == t)", 0);
        tutti__buffer_unref(mine);
    }
    tutti__buffer_unref(shared); /* this thread's own */
    return NULL;
}

int main(void)
{
    static struct reader readers[THREADS];
    struct test_pair p;
    TAP_BEGIN();
    test_open(&p);
    shared = test_encode(&p, "local n, t = 1, {} t[1] = t return function() n = n + 1 return n end, t");
    REQUIRE(shared != NULL, "encoded");
    for (int i = 0; i < THREADS; i++) {
        test_open(&readers[i].pair);
        tutti__buffer_ref(shared);
    }
    tutti__buffer_unref(shared);
    test_close(&p); /* the sender is gone: prototypes live on in the buffer */
    for (int i = 0; i < THREADS; i++) {
        REQUIRE(pthread_create(&readers[i].thread, NULL, read_shared, &readers[i]) == 0, "a thread");
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(readers[i].thread, NULL);
        EQ_INT(readers[i].wrong, 0, "each decode was right");
        test_close(&readers[i].pair);
    }
    EQ_UINT(tutti__alloc_live(), 0, "nothing is left");
    return TAP_END();
}
