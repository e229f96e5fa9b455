/* SPDX-License-Identifier: MIT */
/*
 * harness.h - run a protocol in the model: as it is, and with each of its planted bugs.
 *
 * A round is one execution, chosen at random: which thread goes on, and which of the values it may see
 * a load returns. TUTTI_SEED gives the first round, so a failure's number replays it; TUTTI_ROUNDS the
 * number of rounds.
 *
 * Layer: tests only. Locks: none.
 * Invariant: a plant counts as found only if the accesses it names were met and a round failed.
 */
#ifndef TUTTI_TESTS_RELACY_HARNESS_H
#define TUTTI_TESTS_RELACY_HARNESS_H

#include "base.h"

/* One round of a protocol. Made anew for each; all memory of it is zero at first. */
struct model_test {
    virtual ~model_test() {}
    virtual void before() {} /* alone, seen by all */
    virtual void thread(unsigned index) = 0;
    virtual void after() {} /* alone, sees all */
};

/* A kind of test. */
struct model_kind_of_test {
    const char *name;
    unsigned threads; /* 2, 3 or 4 */
    size_t bytes;
    model_test *(*make)(void *memory);
    uint64_t rounds; /* with plants, at most so many for each */
};

template <typename Test> model_test *model_make(void *memory)
{
    return ::new (memory) Test();
}

#define MODEL_TEST(test, threads, rounds)                                                          \
    (model_kind_of_test{ #test, (threads), sizeof(test), model_make<test>, (rounds) })

/* Fail the round. */
#define MUST(cond)                                                                                 \
    ((cond) ? (void)0 : model_fail(rl::test_result_user_assert_failed, #cond, RL_INFO))

/* Run `test` as it is, then with each of the plants, and print the outcomes as TAP. */
void model_check(const model_kind_of_test &test, const model_plant *plants, size_t count);

#define MODEL_CHECK(test, plants) model_check((test), (plants), sizeof(plants) / sizeof *(plants))

/* Print the plan. Returns: main's exit status. */
int model_end();

#endif
