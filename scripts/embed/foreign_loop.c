/* SPDX-License-Identifier: MIT */
/*
 * foreign_loop.c - tutti inside a loop that is the host's own, here epoll with a timer of the host's.
 *
 * The loop watches one descriptor of tutti's and sleeps no longer than tutti allows. Whatever ended the
 * sleep, tutti_poll then does what is due, for at most 2 ms: timers, ends of child processes, tasks that
 * are pinned to this thread. Three things that end elsewhere come back here by tutti_task_then with
 * TUTTI_PIN_LOOP, so none of the callbacks needs a lock.
 *
 *   cc -O2 scripts/embed/foreign_loop.c $(pkg-config --cflags --libs tutti-static) -o foreign_loop
 *   ./foreign_loop
 *
 * expect: a promise, settled by a thread that tutti has never seen: 42
 * expect: a sleep of 30 ms, never early: true
 * expect: a child process: exit status 3, output "hello"
 * expect: all on the loop's thread: true
 * expect: the host's own timer kept ticking: true
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <tutti.h>

#define MS UINT64_C(1000000)

struct host {
    tutti_engine *engine;
    pthread_t thread; /* of the loop */
    int epoll, tutti, timer;
    int pending; /* what has not come back yet [loop] */
    bool all_here;
    uint64_t ticks, started_ns, slept_ns;
    int64_t promised;
    int exit_code;
    char output[16];
};

static void must(int rc, const char *what)
{
    if (rc < 0) {
        fprintf(stderr, "foreign_loop: %s: %s\n", what, tutti_status_text(rc));
        exit(1);
    }
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 * MS + (uint64_t)t.tv_nsec;
}

/* ---- what comes back to the loop ------------------------------------------------------------ */

static struct host *arrive(void *user)
{
    struct host *host = user;
    host->pending--;
    host->all_here = host->all_here && pthread_equal(pthread_self(), host->thread);
    return host;
}

static int on_promise(tutti_task *self, tutti_task *done, void *user, tutti_value *result)
{
    const tutti_value *value = NULL;
    (void)self, (void)result;
    struct host *host = arrive(user);
    if (tutti_task_result(done, &value) == TUTTI_OK)
        host->promised = value->as.integer;
    return TUTTI_OK;
}

static int on_sleep(tutti_task *self, tutti_task *done, void *user, tutti_value *result)
{
    (void)self, (void)done, (void)result;
    struct host *host = arrive(user);
    host->slept_ns = now_ns() - host->started_ns;
    return TUTTI_OK;
}

static int on_child(tutti_task *self, tutti_task *done, void *user, tutti_value *result)
{
    tutti_exec_outcome outcome = { .struct_size = sizeof outcome };
    (void)self, (void)result;
    struct host *host = arrive(user);
    if (tutti_exec_result(done, &outcome) == TUTTI_OK) {
        host->exit_code = outcome.code;
        snprintf(host->output, sizeof host->output, "%.*s", (int)outcome.out.length, outcome.out.data);
    }
    return TUTTI_OK;
}

/* ---- what is started ------------------------------------------------------------------------ */

static void *foreign_main(void *arg)
{
    tutti_value value = { .kind = TUTTI_INT, .as.integer = 42 };
    nanosleep(&(struct timespec){ .tv_nsec = 10 * (long)MS }, NULL);
    (void)tutti_promise_settle(arg, TUTTI_OK, &value);
    tutti_task_unref(arg);
    return NULL;
}

/* Have fn called on the loop's thread when the task has ended; takes the handle. */
static void expect(struct host *host, tutti_task *task, tutti_then_fn fn)
{
    must(tutti_task_then(task, fn, host, TUTTI_PIN_LOOP, NULL), "then");
    host->pending++;
    tutti_task_unref(task);
}

static void start(struct host *host, pthread_t *foreign)
{
    static const char *const argv[] = { "sh", "-c", "printf hello; exit 3", NULL };
    tutti_exec_desc child = { .struct_size = sizeof child, .argv = argv };
    tutti_task *promise, *sleep, *process;

    must(tutti_promise_new(host->engine, &promise), "promise");
    tutti_task_ref(promise); /* the thread's */
    if (pthread_create(foreign, NULL, foreign_main, promise) != 0)
        exit(1);
    expect(host, promise, on_promise);

    host->started_ns = now_ns();
    must(tutti_sleep(host->engine, 30 * MS, &sleep), "sleep");
    expect(host, sleep, on_sleep);

    must(tutti_exec(host->engine, &child, &process), "exec");
    expect(host, process, on_child);
}

/* ---- the loop ------------------------------------------------------------------------------- */

static void watch(struct host *host, int fd)
{
    struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
    if (fd < 0 || epoll_ctl(host->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        perror("foreign_loop: epoll");
        exit(1);
    }
}

/* Rounded up: a sleep that ends a little early would only be followed by a shorter one. */
static int to_ms(uint64_t ns)
{
    uint64_t ms = ns / MS + (ns % MS != 0);
    return ns == TUTTI_FOREVER ? -1 : ms > 60000 ? 60000 : (int)ms;
}

static void run_once(struct host *host)
{
    struct epoll_event events[8];
    uint64_t sleep_ns, times;
    must(tutti_backend_timeout(host->engine, &sleep_ns), "timeout"); /* right before the sleep */
    int count = epoll_wait(host->epoll, events, 8, to_ms(sleep_ns));
    for (int i = 0; i < count; i++)
        if (events[i].data.fd == host->timer && read(host->timer, &times, sizeof times) > 0)
            host->ticks += times;
    int rc = tutti_poll(host->engine, 2 * MS);
    if (rc != TUTTI_EAGAIN) /* then the next timeout is 0 */
        must(rc, "poll");
}

static void host_open(struct host *host)
{
    static const struct itimerspec every_ms = { { 0, (long)MS }, { 0, (long)MS } };
    tutti_config config = { .struct_size = sizeof config, .loop = TUTTI_LOOP_CALLER, .workers = 1 };
    must(tutti_engine_new(&host->engine, &config), "engine");
    host->thread = pthread_self();
    host->epoll = epoll_create1(EPOLL_CLOEXEC);
    host->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    host->tutti = tutti_backend_fd(host->engine);
    watch(host, host->timer);
    watch(host, host->tutti);
    timerfd_settime(host->timer, 0, &every_ms, NULL);
}

int main(void)
{
    struct host host = { .all_here = true };
    pthread_t foreign;
    host_open(&host);
    start(&host, &foreign);
    while (host.pending > 0)
        run_once(&host);
    pthread_join(foreign, NULL);
    must(tutti_engine_free(host.engine), "free");
    close(host.timer);
    close(host.epoll);

    printf("a promise, settled by a thread that tutti has never seen: %" PRId64 "\n", host.promised);
    printf("a sleep of 30 ms, never early: %s\n", host.slept_ns >= 30 * MS ? "true" : "false");
    printf("a child process: exit status %d, output \"%s\"\n", host.exit_code, host.output);
    printf("all on the loop's thread: %s\n", host.all_here ? "true" : "false");
    printf("the host's own timer kept ticking: %s\n", host.ticks >= 10 ? "true" : "false");
    return 0;
}
