/* SPDX-License-Identifier: MIT */
/* test_io_timer.c - the timer heap: order, moving, stopping, firing from within a fire. */
#include <stddef.h>

#include "base/alloc.h"
#include "io/timer.h"
#include "support/tap.h"
#include "tutti.h"

enum { MANY = 100000 };

struct probe {
    struct tutti__timer timer; /* first: the callback gets it */
    uint64_t number;
};

static struct tutti__timers timers;
static uint64_t fired[MANY];
static size_t fired_count;

static void note(struct tutti__timer *timer)
{
    fired[fired_count++] = ((struct probe *)(void *)timer)->number;
}

static void start(struct probe *p, uint64_t number, uint64_t deadline_ns)
{
    p->number = number;
    p->timer.fn = p->timer.fn != NULL ? p->timer.fn : note;
    if (tutti__timers_start(&timers, &p->timer, deadline_ns) != TUTTI_OK) {
        FAIL("timer %d could not be armed", (int)number);
    }
}

static void test_order(void)
{
    struct probe p[5] = { { .number = 0 } };
    static const uint64_t deadlines[5] = { 30, 10, 20, 10, 30 };
    EQ_UINT(tutti__timers_next_ns(&timers), TUTTI_FOREVER, "an empty heap has no deadline");
    for (size_t i = 0; i < 5; i++) {
        start(&p[i], i, deadlines[i]);
    }
    EQ_UINT(tutti__timers_next_ns(&timers), 10, "the earliest deadline is first");
    fired_count = 0;
    OK(!tutti__timers_fire(&timers, 9), "nothing fires before its deadline");
    OK(tutti__timers_fire(&timers, 10), "at the deadline it fires");
    EQ_UINT(fired_count, 2, "both that are due have fired");
    OK(fired[0] == 1 && fired[1] == 3, "equal deadlines fire in the order of arming");
    EQ_UINT(p[1].timer.slot, 0, "a fired timer is disarmed");
    tutti__timers_start(&timers, &p[0].timer, 30); /* again: now armed after number 4 */
    OK(tutti__timers_fire(&timers, 100), "the rest fires");
    OK(fired_count == 5 && fired[2] == 2 && fired[3] == 4 && fired[4] == 0,
       "a timer that was moved counts as armed last");
    EQ_UINT(timers.count, 0, "the heap is empty");
}

static uint64_t rearm_to_ns;

static void rearm(struct tutti__timer *timer)
{
    note(timer);
    tutti__timers_start(&timers, timer, rearm_to_ns);
}

static void test_rearm_from_within(void)
{
    struct probe again = { .timer.fn = rearm };
    struct probe other = { .number = 0 };
    start(&again, 1, 5);
    start(&other, 2, 50);
    rearm_to_ns = 0; /* long past: sorts before everything */
    fired_count = 0;
    tutti__timers_fire(&timers, 50);
    OK(fired_count == 2 && fired[0] == 1 && fired[1] == 2,
       "one that arms itself for the past fires once a call and keeps nobody waiting");
    EQ_UINT(again.timer.deadline_ns, 0, "its own deadline is as it was asked for");
    tutti__timers_fire(&timers, 51);
    EQ_UINT(fired_count, 3, "it fires again in the next call");
    tutti__timers_stop(&timers, &again.timer);
    tutti__timers_stop(&timers, &again.timer);
    EQ_UINT(timers.count, 0, "stopping twice is harmless");
}

static struct probe victim;

static void stop_victim(struct tutti__timer *timer)
{
    note(timer);
    tutti__timers_stop(&timers, &victim.timer);
}

static void test_stop_from_within(void)
{
    struct probe killer = { .timer.fn = stop_victim };
    start(&killer, 1, 5);
    start(&victim, 2, 5);
    fired_count = 0;
    tutti__timers_fire(&timers, 10);
    OK(fired_count == 1 && fired[0] == 1, "one that is due can be stopped by an earlier one");
}

static void test_many(void)
{
    static struct probe p[MANY];
    uint64_t state = tap_seed();
    for (size_t i = 0; i < MANY; i++) {
        start(&p[i], i, tap_random(&state) % 1000);
    }
    for (size_t i = 0; i < MANY; i += 2) {
        tutti__timers_stop(&timers, &p[i].timer);
    }
    for (size_t i = 1; i < MANY; i += 10) {
        start(&p[i], i, tap_random(&state) % 1000);
    }
    EQ_UINT(timers.count, MANY / 2, "half of the timers are armed");
    fired_count = 0;
    for (uint64_t now = 0; now < 1000; now += 100) {
        tutti__timers_fire(&timers, now);
        OK(tutti__timers_next_ns(&timers) > now, "nothing due is left at %d", (int)now);
    }
    tutti__timers_fire(&timers, 1000);
    EQ_UINT(fired_count, MANY / 2, "each armed timer has fired once");
    size_t wrong = 0;
    for (size_t i = 1; i < fired_count; i++) {
        const struct tutti__timer *a = &p[fired[i - 1]].timer;
        const struct tutti__timer *b = &p[fired[i]].timer;
        bool in_order = a->deadline_ns != b->deadline_ns ? a->deadline_ns < b->deadline_ns
                                                         : a->order < b->order;
        wrong += in_order ? 0 : 1;
    }
    EQ_UINT(wrong, 0, "all in order of deadline, then of arming");
}

static void test_out_of_memory(void)
{
    struct tutti__timers empty = { .heap = NULL };
    struct probe p = { .timer.fn = note };
    if (!tutti__alloc_fail_nth(1)) {
        NOTE("no failing allocations in this build");
        return;
    }
    EQ_INT(tutti__timers_start(&empty, &p.timer, 1), TUTTI_ENOMEM, "out of memory is told");
    EQ_UINT(p.timer.slot, 0, "and nothing is armed");
    EQ_INT(tutti__timers_start(&empty, &p.timer, 1), TUTTI_OK, "the next try succeeds");
    tutti__timers_deinit(&empty);
    EQ_UINT(p.timer.slot, 0, "deinit disarms what is left");
}

int main(void)
{
    TAP_BEGIN();
    test_order();
    test_rearm_from_within();
    test_stop_from_within();
    test_many();
    tutti__timers_deinit(&timers);
    test_out_of_memory();
    return TAP_END();
}
