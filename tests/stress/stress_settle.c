/* SPDX-License-Identifier: MIT */
/*
 * stress_settle.c - who settles it? Promise against cancel, settle against the return of the body that
 * suspends, cancel against start, hook against cancel. Each is won by exactly one.
 */
#include "stress/stress.h"

static struct tutti__sched *sched;
static struct start_line line = { .count = 2 };
static tutti_task *task; /* [main sets between rounds] */
static atomic_int other_won;
static atomic_bool over;
static int (*other_move)(tutti_task *task);

static void *other(void *arg)
{
    uint64_t rng = tap_seed() + (uintptr_t)arg;
    for (int round = 0;; round += 2) {
        start_together(&line, round);
        if (atomic_load(&over)) {
            return NULL;
        }
        random_pause(&rng);
        atomic_store(&other_won, other_move(task) == TUTTI_OK);
        start_together(&line, round + 1);
    }
}

/* Have `mine` and the other thread's move race until the time is over; `judge` looks at the outcome. */
static void race(const char *name, tutti_task *(*make)(void), int (*mine)(tutti_task *),
                 int (*theirs)(tutti_task *), bool (*judge)(bool i_won, bool other_won))
{
    uint64_t rng = tap_seed();
    uint64_t end_ns = stress_end_ns();
    pthread_t thread;
    atomic_store(&over, false);
    atomic_store(&line.arrived, 0);
    other_move = theirs;
    pthread_create(&thread, NULL, other, (void *)7);
    int wrong = 0;
    int wins[2] = { 0, 0 };
    for (int round = 0;; round += 2) {
        bool last = stress_is_over(end_ns);
        if (!last) {
            task = make();
        }
        atomic_store(&over, last);
        start_together(&line, round);
        if (last) {
            break;
        }
        random_pause(&rng);
        bool i_won = mine(task) == TUTTI_OK;
        start_together(&line, round + 1);
        await(task);
        wrong += !judge(i_won, atomic_load(&other_won));
        wins[0] += i_won;
        wins[1] += atomic_load(&other_won);
        tutti__task_unref(task);
    }
    pthread_join(thread, NULL);
    EQ_INT(wrong, 0, name);
    NOTE("%s: %d to %d", name, wins[0], wins[1]);
}

/* ---- promise against cancel ----------------------------------------------------------------- */

static tutti_task *make_promise(void)
{
    return promise_make(sched);
}

static int settle(tutti_task *t)
{
    tutti_value value = { .kind = TUTTI_OPAQUE, .more.drop = drop_count };
    return tutti__promise_settle(t, TUTTI_OK, &value);
}

static bool exactly_one(bool i_won, bool other_has)
{
    enum tutti_task_state state = tutti__task_state(task);
    return i_won != other_has && state == (i_won ? TUTTI_TASK_DONE : TUTTI_TASK_CANCELLED);
}

/* ---- settle against the body's return, cancel in between ------------------------------------- */

static tutti_task *_Atomic body_self;

static int body_suspend(tutti_task *self, void *arg, tutti_value *result)
{
    (void)arg, (void)result;
    atomic_store_explicit(&body_self, self, memory_order_release);
    uint64_t rng = (uintptr_t)self;
    random_pause(&rng);
    return TUTTI_TASK_SUSPEND;
}

static tutti_task *make_suspend(void)
{
    atomic_store(&body_self, NULL);
    return spawn(sched, body_suspend, NULL);
}

static int settle_when_begun(tutti_task *t)
{
    while (atomic_load_explicit(&body_self, memory_order_acquire) == NULL) {
        if (tutti__task_is_done(t)) {
            return TUTTI_ESETTLED; /* cancelled before it began */
        }
    }
    return settle(t);
}

static bool settled_or_early(bool i_won, bool cancelled_early)
{
    enum tutti_task_state state = tutti__task_state(task);
    return i_won != cancelled_early && state == (i_won ? TUTTI_TASK_DONE : TUTTI_TASK_CANCELLED);
}

/* ---- cancel against start -------------------------------------------------------------------- */

static atomic_int started;

static int body_start(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)arg, (void)result;
    atomic_store(&started, 1);
    return TUTTI_OK;
}

static tutti_task *make_start(void)
{
    atomic_store(&started, 0);
    return promise_make(sched);
}

static tutti_task *_Atomic victim;

static int start_it(tutti_task *gate)
{
    tutti_task *t = spawn_after(sched, body_start, NULL, &gate, 1);
    atomic_store(&victim, t);
    return tutti__promise_settle(gate, TUTTI_OK, NULL);
}

static int cancel_it(tutti_task *gate)
{
    (void)gate;
    tutti_task *t;
    while ((t = atomic_load(&victim)) == NULL) {
    }
    return tutti__task_cancel(t);
}

static bool cancelled_or_ran(bool i_won, bool cancelled)
{
    tutti_task *t = atomic_load(&victim);
    await(t);
    bool right = i_won && (atomic_load(&started) == 1) == !cancelled &&
                 (tutti__task_state(t) == TUTTI_TASK_CANCELLED) == cancelled;
    tutti__task_unref(t);
    atomic_store(&victim, NULL);
    return right;
}

/* ---- hook against cancel --------------------------------------------------------------------- */

static struct tutti__home hook_home;
static struct tutti__cancel_hook hook;
static int hook_fired;

static void on_hook(struct tutti__post *post)
{
    (void)post;
    hook_fired++;
}

static tutti_task *make_hooked(void)
{
    tutti_task *t = promise_make(sched);
    tutti__promise_start(t);
    hook = (struct tutti__cancel_hook){ .post = { .fn = on_hook }, .home = &hook_home };
    hook_fired = 0;
    return t;
}

/* Arm, pause, take back, settle. OK: the hook will not arrive. */
static int arm_and_take(tutti_task *t)
{
    uint64_t rng = (uintptr_t)t ^ tap_seed();
    bool back = !tutti__task_set_cancel_hook(t, &hook);
    if (!back) {
        random_pause(&rng);
        back = tutti__task_take_cancel_hook(t, &hook);
    }
    tutti__promise_settle(t, TUTTI_OK, NULL);
    return back ? TUTTI_OK : TUTTI_ECANCELED;
}

static bool hook_once(bool back, bool unused)
{
    (void)unused;
    tutti__home_drain(&hook_home);
    return hook_fired == (back ? 0 : 1);
}

/* Arm and leave it: if it was armed the cancel fires it, else never. */
static int arm_and_leave(tutti_task *t)
{
    bool armed = tutti__task_set_cancel_hook(t, &hook);
    while (!tutti__task_was_cancelled(t)) {
        sched_yield();
    }
    uint64_t until = tutti__clock_now_ns() + 5000000000u;
    while (armed && atomic_load(&hook_home.inbox) == NULL && tutti__clock_now_ns() < until) {
        sched_yield(); /* the canceller is about to post it */
    }
    tutti__home_drain(&hook_home);
    tutti__task_take_cancel_hook(t, &hook);
    tutti__promise_settle(t, TUTTI_OK, NULL);
    return armed ? TUTTI_OK : TUTTI_ECANCELED;
}

static bool fired_if_armed(bool armed, bool unused)
{
    (void)unused;
    return hook_fired == armed;
}

static void on_hook_wake(struct tutti__home *home)
{
    (void)home;
}

int main(void)
{
    TAP_BEGIN();
    sched = sched_make(stress_workers(1));
    hook_home.wake = on_hook_wake;
    race("promise against cancel", make_promise, settle, tutti__task_cancel, exactly_one);
    race("settle against the body's return", make_suspend, settle_when_begun, tutti__task_cancel,
         settled_or_early);
    race("start against cancel", make_start, start_it, cancel_it, cancelled_or_ran);
    race("hook against cancel", make_hooked, arm_and_take, tutti__task_cancel, hook_once);
    race("arming against cancel", make_hooked, arm_and_leave, tutti__task_cancel, fired_if_armed);
    tutti__sched_wait_idle(sched);
    tutti__sched_free(sched);
    return TAP_END();
}
