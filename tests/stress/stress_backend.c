/* SPDX-License-Identifier: MIT */
/*
 * stress_backend.c - a host with an epoll loop of its own: posts and settles of foreign threads with gaps of
 * random length, timers and child processes. Nothing is lost, and nothing spins.
 *
 * Reproduces: a wake lost between the host's last poll and its sleep (native.md 5.2, "single post to a
 * sleeping loop"), and a descriptor that stays readable (a busy loop).
 */
#include <sys/epoll.h>
#include <unistd.h>

#include "stress/stress.h"
#include "tutti.h"

enum { THREADS = 2, HANG_MS = 30000, TASKS = 64, SETTLE_EVERY = 16 };

static tutti_engine *engine;
static int epoll_fd;
static unsigned long turns;  /* of the host's loop */
static unsigned long sleeps; /* of these: it slept */

/* ---- the host's loop ------------------------------------------------------------------------- */

static void host_begin(void)
{
    tutti_config config = { .struct_size = sizeof config, .workers = 2, .loop = TUTTI_LOOP_CALLER };
    struct epoll_event event = { .events = EPOLLIN };
    REQUIRE(tutti_engine_new(&engine, &config) == TUTTI_OK, "an engine");
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    event.data.fd = tutti_backend_fd(engine);
    REQUIRE(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, event.data.fd, &event) == 0, "its descriptor is watched");
}

static void host_end(void)
{
    close(epoll_fd);
    EQ_INT(tutti_engine_free(engine), TUTTI_OK, "freed");
}

/* Poll, then sleep as told unless that is over. Returns: false: over, or it slept for HANG_MS although
 * nobody told it to. */
static bool host_turn(bool (*is_over)(void))
{
    struct epoll_event event;
    uint64_t timeout_ns = 0;
    int rc = tutti_poll(engine, 1000000);
    turns++;
    if (is_over()) {
        return false;
    }
    if (rc == TUTTI_EAGAIN) {
        return true;
    }
    tutti_backend_timeout(engine, &timeout_ns);
    if (timeout_ns == 0) {
        return true;
    }
    sleeps++;
    uint64_t ms = timeout_ns / 1000000 + (timeout_ns % 1000000 != 0 ? 1 : 0);
    bool is_told = ms < HANG_MS;
    int count = epoll_wait(epoll_fd, &event, 1, is_told ? (int)ms : HANG_MS);
    return count != 0 || is_told;
}

/* Turn until that is over. Returns: false: it would never be. */
static bool host_run(bool (*is_over)(void))
{
    turns = sleeps = 0;
    while (host_turn(is_over)) {
    }
    return is_over();
}

/* ---- foreign threads ------------------------------------------------------------------------- */

struct foreign {
    pthread_t thread;
    uint64_t rng;
    unsigned long count;
    unsigned long arrived; /* [host] */
    unsigned long renewed; /* [host] promises made */
    bool in_order;         /* [host] */
    tutti_task *promise;   /* [in turn] that it settles next; NULL at first */
    sem_t ready;           /* the host has made a promise */
};

struct message {
    struct foreign *from;
    unsigned long number;
};

static void on_message(void *user)
{
    struct message *message = user;
    struct foreign *f = message->from;
    f->in_order = f->in_order && f->arrived == message->number;
    f->arrived++;
    free(message);
}

static void gap(uint64_t *rng)
{
    uint64_t r = tap_random(rng);
    if (r % 64 == 0) {
        usleep((useconds_t)(r / 64 % 300)); /* long enough for the host to fall asleep */
    } else {
        random_pause(rng);
    }
}

static void *post_and_settle(void *arg)
{
    struct foreign *f = arg;
    for (unsigned long i = 0; i < f->count; i++) {
        gap(&f->rng);
        if (i % SETTLE_EVERY == 0) {
            sem_take(&f->ready);
            tutti_promise_settle(f->promise, TUTTI_OK, NULL);
        }
        struct message *message = malloc(sizeof *message);
        *message = (struct message){ f, i };
        if (tutti_post(engine, on_message, message) != TUTTI_OK) {
            FAIL("post %lu", i);
        }
    }
    return NULL;
}

static struct foreign all[THREADS];

static int body_post_home(tutti_task *self, void *arg, tutti_value *result);

/* Give `f` a promise to settle, and have a task come after it that asks for the next one. */
static void renew(void *user)
{
    struct foreign *f = user;
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = body_post_home, .arg = f };
    tutti_task_unref(f->promise);
    if (tutti_promise_new(engine, &f->promise) != TUTTI_OK ||
        tutti_submit(engine, &desc, &f->promise, 1, NULL) != TUTTI_OK) {
        FAIL("a promise and what comes after it");
    }
    f->renewed++;
    sem_post(&f->ready);
}

static int body_post_home(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self, (void)result;
    return tutti_post(engine, renew, arg);
}

/* The first promise, and one more for each that was settled: the post that asks for the last one may come
 * after all messages, and must not find the promise given back. */
static unsigned long promises_of(const struct foreign *f)
{
    return 1 + (f->count + SETTLE_EVERY - 1) / SETTLE_EVERY;
}

static bool all_have_arrived(void)
{
    for (int i = 0; i < THREADS; i++) {
        if (all[i].arrived < all[i].count || all[i].renewed < promises_of(&all[i])) {
            return false;
        }
    }
    return true;
}

static void test_foreign(void)
{
    unsigned long count = tap_rounds(50000);
    host_begin();
    for (int i = 0; i < THREADS; i++) {
        all[i] = (struct foreign){ .rng = tap_seed() + (uint64_t)i, .count = count, .in_order = true };
        sem_init(&all[i].ready, 0, 0);
        renew(&all[i]);
        pthread_create(&all[i].thread, NULL, post_and_settle, &all[i]);
    }
    REQUIRE(host_run(all_have_arrived), "every post and settle woke the host");
    for (int i = 0; i < THREADS; i++) {
        pthread_join(all[i].thread, NULL);
        EQ_UINT(all[i].arrived, count, "all arrived");
        OK(all[i].in_order, "in the order of their thread");
        tutti_task_cancel(all[i].promise);
        tutti_task_unref(all[i].promise);
    }
    NOTE("%lu posts, %lu turns, %lu sleeps", THREADS * count, turns, sleeps);
    OK(turns <= 4 * THREADS * count, "no turn without a reason");
    host_end();
}

/* ---- timers and processes -------------------------------------------------------------------- */

static tutti_task *tasks[TASKS];

static bool all_have_ended(void)
{
    for (int i = 0; i < TASKS; i++) {
        if (tasks[i] != NULL && !tutti_task_is_done(tasks[i])) {
            return false;
        }
    }
    return true;
}

static void drop_tasks(void)
{
    for (int i = 0; i < TASKS; i++) {
        tutti_task_unref(tasks[i]);
        tasks[i] = NULL;
    }
}

static void test_sleeps(void)
{
    uint64_t rng = tap_seed();
    host_begin();
    for (int i = 0; i < TASKS; i++) {
        tutti_sleep(engine, tap_random(&rng) % 200000000, &tasks[i]);
    }
    OK(host_run(all_have_ended), "each timer ended a sleep");
    NOTE("%d timers, %lu turns", TASKS, turns);
    OK(turns <= 6 * TASKS, "and nothing turned in between");
    drop_tasks();
    host_end();
}

static void test_processes(void)
{
    enum { CHILDREN = 12 };
    static const char *const argv[] = { "/bin/sh", "-c", "echo out; sleep 0.05; echo err >&2", NULL };
    tutti_exec_desc desc = { .struct_size = sizeof desc, .argv = argv };
    bool right = true;
    host_begin();
    for (int i = 0; i < CHILDREN; i++) {
        right = right && tutti_exec(engine, &desc, &tasks[i]) == TUTTI_OK;
    }
    REQUIRE(right, "%d children", CHILDREN);
    OK(host_run(all_have_ended), "every child's end woke the host");
    NOTE("%d children, %lu turns", CHILDREN, turns);
    OK(turns <= 40 * CHILDREN, "and nothing turned in between");
    for (int i = 0; i < CHILDREN; i++) {
        tutti_exec_outcome out = { .struct_size = sizeof out };
        right = right && tutti_exec_result(tasks[i], &out) == TUTTI_OK && out.code == 0 &&
                out.out.length == 4 && out.err.length == 4;
    }
    OK(right, "with all they said");
    drop_tasks();
    host_end();
}

int main(void)
{
    TAP_BEGIN();
    test_foreign();
    test_sleeps();
    test_processes();
    return TAP_END();
}
