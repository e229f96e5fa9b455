/* SPDX-License-Identifier: MIT */
/*
 * process.c - the life of a process, from the call to the settled task. See process_record.h.
 *
 *   any thread: record, promise -- post --> loop: queue --> extra thread: spawn -- post --> loop:
 *   watch pidfd readable --> drain the streams --> [group gone] --> [streams at their end] -->
 *   reap, settle
 *
 * Layer: io. Locks: none.
 * Invariant: a process is reaped exactly once, in `finish`, after which nothing signals its pid.
 */
#include "io/process.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/limits.h"
#include "io/process_record.h"

/* How long an exited process may leave a stream open before it is called leaked. */
static const uint64_t patience_ns = 200 * TUTTI_NS_PER_MS;

/* ---- watchers ------------------------------------------------------------------------------- */

static void tell_if_gone(struct tutti__processes *all)
{
    if (all->record_count == 0 && all->gone != NULL) {
        void (*gone)(void *user) = all->gone;
        all->gone = NULL; /* a record that comes home late is settled, but not told about again */
        gone(all->gone_user);
    }
}

static void free_if_over(struct tutti__process *p)
{
    struct tutti__processes *all = p->all;
    if (p->phase != TUTTI__PROCESS_SETTLED || p->handles_open > 0 || p->is_hook_away) {
        return;
    }
    tutti__process_record_free(p);
    all->record_count--;
    tell_if_gone(all);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct tutti__process *p = ((struct tutti__watcher *)(void *)handle)->process;
    p->handles_open--;
    free_if_over(p);
}

int tutti__watcher_start(struct tutti__watcher *w, int fd, int events, uv_poll_cb on_event)
{
    int rc = uv_poll_init(tutti__loop_uv(w->process->all->loop), &w->poll, fd);
    if (rc != 0) {
        close(fd);
        return -rc;
    }
    w->fd = fd;
    w->is_open = true;
    w->process->handles_open++;
    rc = uv_poll_start(&w->poll, events, on_event);
    TUTTI_ASSERT(rc == 0);
    return -rc;
}

void tutti__watcher_stop(struct tutti__watcher *w)
{
    if (!w->is_open) {
        return;
    }
    w->is_open = false;
    uv_close((uv_handle_t *)&w->poll, on_handle_closed);
    close(w->fd); /* libuv has taken it out of its epoll set by now */
    w->fd = -1;
}

/* ---- the end -------------------------------------------------------------------------------- */

static void set_timer(struct tutti__process *p, uint64_t deadline_ns)
{
    /* It is armed since the arrival, so moving it cannot fail. */
    int rc = tutti__loop_timer_start(p->all->loop, &p->timer, deadline_ns);
    TUTTI_ASSERT(rc == TUTTI_OK);
    (void)rc;
}

static void set_timer_after(struct tutti__process *p, uint64_t span_ns)
{
    set_timer(p, tutti__clock_after(tutti__loop_now_ns(p->all->loop), span_ns));
}

static void fill_output(struct tutti__process *p)
{
    static char empty[1];
    struct tutti__process_box *box = p->box;
    for (int i = 0; i < 2; i++) {
        struct tutti__capture *capture = &box->capture[i];
        *capture = p->capture[i];
        p->capture[i] = (struct tutti__capture){ .head = NULL };
        size_t tail_length = 0;
        const char *tail = tutti__capture_tail(capture, &tail_length);
        char *memory = capture->recent != NULL ? capture->recent : capture->head;
        box->result.out[i].data = capture->head != NULL ? capture->head : empty;
        box->result.out[i].length = capture->length;
        box->result.out[i].truncated = capture->truncated;
        box->result.out[i].tail = tail != NULL ? memory + (tail - memory) : empty;
        box->result.out[i].tail_length = tail_length;
    }
}

static int end_status(const struct tutti__process *p)
{
    switch (p->end) {
    case TUTTI__END_CANCEL:
        return TUTTI_ECANCELED;
    case TUTTI__END_TIMEOUT:
        return TUTTI_ETIMEDOUT;
    case TUTTI__END_ERROR:
        return TUTTI_EIO;
    case TUTTI__END_ITSELF:
        break;
    }
    return TUTTI_OK;
}

static void unlink_record(struct tutti__process *p)
{
    struct tutti__processes *all = p->all;
    if (p->previous == NULL) {
        all->first = p->next;
    } else {
        p->previous->next = p->next;
    }
    if (p->next != NULL) {
        p->next->previous = p->previous;
    }
}

static void unlink_scan(struct tutti__process *p)
{
    struct tutti__process **at = &p->all->scan_first;
    while (p->is_queued_for_scan && *at != p) {
        at = &(*at)->scan_next;
    }
    if (p->is_queued_for_scan) {
        *at = p->scan_next;
        p->is_queued_for_scan = false;
    }
}

static void settle_task(struct tutti__process *p, struct tutti__process_box *box)
{
    if (p->is_hook_armed && !tutti__task_take_cancel_hook(p->task, &p->hook)) {
        p->is_hook_away = true;
    }
    tutti_value value = tutti__process_box_value(box);
    /* ESETTLED: the engine stopped before the record came home, so nothing had started. */
    (void)tutti__promise_settle(p->task, end_status(p), &value);
    tutti__process_opened(p);
}

/* Stop what feeds `p`, which may settle by that. */
static void stop_feeder(struct tutti__process *p)
{
    struct tutti__process *feeder = p->feeder;
    if (feeder == NULL) {
        return;
    }
    if (feeder->phase != TUTTI__PROCESS_ENDED && feeder->phase != TUTTI__PROCESS_REAPED) {
        feeder->box->result.was_stopped = true;
    }
    tutti__process_stop(feeder, TUTTI__END_CANCEL);
}

static void close_ends(struct tutti__process *p)
{
    int *ends[] = { &p->spawn.feed_fd, &p->spawn.pipe_fd };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        if (*ends[i] >= 0) {
            close(*ends[i]);
            *ends[i] = -1;
        }
    }
}

void tutti__process_settle(struct tutti__process *p)
{
    tutti__loop_timer_stop(p->all->loop, &p->timer);
    unlink_scan(p);
    close_ends(p);
    if (p->feeder != NULL) {
        p->phase = TUTTI__PROCESS_REAPED;
        if (p->end != TUTTI__END_ITSELF) {
            stop_feeder(p);
        }
        return;
    }
    p->phase = TUTTI__PROCESS_SETTLED;
    unlink_record(p);
    fill_output(p);
    struct tutti__process_box *box = p->box;
    p->box = NULL;
    if (p->reader != NULL) {
        tutti__process_fed(p, box);
    } else {
        settle_task(p, box);
    }
    tutti__task_unref(p->task);
    free_if_over(p);
}

/* The process is gone for good: reap it, give everything back, settle. */
static void finish(struct tutti__process *p)
{
    struct tutti__processes *all = p->all;
    tutti__process_reap(p);
    p->box->result.pid = p->spawn.pid;
    p->box->result.elapsed_ns = p->ended_ns - p->started_ns;
    tutti__process_stdio_close(p);
    tutti__watcher_stop(&p->member_watch);
    tutti__watcher_stop(&p->exit_watch);
    tutti__process_settle(p);
    tutti__process_gave_back(all);
}

void tutti__process_await_streams(struct tutti__process *p)
{
    if (tutti__process_stdio_is_open(p)) {
        set_timer_after(p, patience_ns);
    } else {
        finish(p);
    }
}

/* ---- stopping ------------------------------------------------------------------------------- */

/* It has exited, or is being stopped when it had exited already. */
static void go_on_after_exit(struct tutti__process *p)
{
    if (p->end != TUTTI__END_ITSELF && tutti__process_has_group(p) && !p->is_killed) {
        tutti__process_scan_group(p);
    } else {
        tutti__process_await_streams(p);
    }
}

static void kill_now(struct tutti__process *p)
{
    tutti__process_signal(p, SIGKILL);
    p->is_killed = true;
    set_timer(p, TUTTI_FOREVER);
    if (p->phase == TUTTI__PROCESS_ENDED) {
        p->is_following = false;
        tutti__watcher_stop(&p->member_watch);
        tutti__process_await_streams(p);
    }
}

static void stop_running(struct tutti__process *p)
{
    tutti__process_signal(p, SIGTERM);
    tutti__process_signal(p, SIGCONT); /* one that was stopped would never see the TERM */
    set_timer_after(p, p->spec.grace_ns);
    if (p->phase == TUTTI__PROCESS_ENDED) {
        go_on_after_exit(p);
    }
}

void tutti__process_stop(struct tutti__process *p, enum tutti__process_end why)
{
    if (p->end != TUTTI__END_ITSELF) {
        return;
    }
    p->end = why;
    switch (p->phase) {
    case TUTTI__PROCESS_QUEUED:
        tutti__process_unqueue(p);
        tutti__process_settle(p);
        break;
    case TUTTI__PROCESS_FED:
        tutti__process_settle(p);
        break;
    case TUTTI__PROCESS_STARTING: /* seen when it has started */
    case TUTTI__PROCESS_REAPED:
        stop_feeder(p);
        break;
    case TUTTI__PROCESS_RUNNING:
    case TUTTI__PROCESS_ENDED:
        stop_feeder(p);
        stop_running(p);
        break;
    case TUTTI__PROCESS_SETTLED:
        break;
    }
}

/* One of the task that runs and has not been killed, or NULL. */
static struct tutti__process *find_running(struct tutti__processes *all, const tutti_task *task)
{
    struct tutti__process *p = all->first;
    while (p != NULL && (p->task != task || p->is_killed ||
                         (p->phase != TUTTI__PROCESS_RUNNING && p->phase != TUTTI__PROCESS_ENDED))) {
        p = p->next;
    }
    return p;
}

void tutti__processes_kill(struct tutti__processes *all, const tutti_task *task)
{
    struct tutti__process *p = all->first;
    while (p != NULL && (p->task != task || p->reader != NULL))
        p = p->next;
    if (p == NULL)
        return; /* it has ended, or its record is still on its way: then it will not start */
    for (struct tutti__process *at = p; at != NULL; at = at->feeder)
        at->spec.grace_ns = 0; /* of one that is just being started; only this thread reads it */
    tutti__process_stop(p, TUTTI__END_CANCEL); /* one that has not may be gone after that */
    while ((p = find_running(all, task)) != NULL)
        kill_now(p);
}

void tutti__processes_resume(struct tutti__processes *all, const tutti_task *task)
{
    for (struct tutti__process *p = all->first; p != NULL; p = p->next) {
        if (p->task == task)
            tutti__process_stdio_resume(p);
    }
}

static void on_timer(struct tutti__timer *timer)
{
    struct tutti__process *p = TUTTI__PROCESS_OF(timer, timer);
    set_timer(p, TUTTI_FOREVER); /* keeps its place */
    if (p->phase == TUTTI__PROCESS_RUNNING && p->end == TUTTI__END_ITSELF) {
        p->box->result.timed_out = true;
        tutti__process_stop(p, TUTTI__END_TIMEOUT);
    } else if (p->phase == TUTTI__PROCESS_RUNNING || p->is_following) {
        kill_now(p);
    } else if (p->phase == TUTTI__PROCESS_ENDED) {
        p->box->result.leaked = true;
        finish(p);
    }
}

static void on_hook(struct tutti__post *post)
{
    struct tutti__process *p = TUTTI__PROCESS_OF(post, hook.post);
    p->is_hook_armed = false;
    p->is_hook_away = false;
    if (p->phase == TUTTI__PROCESS_SETTLED) {
        free_if_over(p);
    } else {
        tutti__process_stop(p, TUTTI__END_CANCEL);
    }
}

/* ---- running -------------------------------------------------------------------------------- */

static void on_exit_seen(struct tutti__process *p)
{
    p->phase = TUTTI__PROCESS_ENDED;
    p->ended_ns = tutti__loop_now_ns(p->all->loop);
    if (p->end == TUTTI__END_ITSELF) {
        set_timer(p, TUTTI_FOREVER); /* no timeout any more */
    }
    tutti__watcher_stop(&p->in_watch);
    tutti__process_stdio_resume(p);
    tutti__process_stdio_drain(p);
    go_on_after_exit(p);
}

static void on_pidfd(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    struct tutti__process *p = ((struct tutti__watcher *)(void *)poll)->process;
    uv_poll_stop(poll); /* the descriptor stays for waitid */
    on_exit_seen(p);
}

/* Without a pidfd an extra thread waits; it leaves the reaping to the loop. Thread: an extra
 * one. */
static void wait_work(struct tutti__block_job *job)
{
    struct tutti__process *p = TUTTI__PROCESS_OF(job, wait_job);
    siginfo_t info;
    while (waitid(P_PID, (id_t)p->spawn.pid, &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
        /* again */
    }
}

static void on_waited(struct tutti__post *post)
{
    on_exit_seen(TUTTI__PROCESS_OF(post, wait_job.post));
}

/* Returns 0 or an errno. */
static int watch_exit(struct tutti__process *p)
{
    if (p->spawn.pidfd >= 0) {
        return tutti__watcher_start(&p->exit_watch, p->spawn.pidfd, UV_READABLE, on_pidfd);
    }
    return p->spawn.pidfd_error;
}

/* For lack of a descriptor. Thread: the loop's. */
static void wait_on_thread(struct tutti__process *p)
{
    p->spawn.pidfd = -1;
    p->wait_job = (struct tutti__block_job){
        .work = wait_work,
        .post.fn = on_waited,
        .home = tutti__loop_home(p->all->loop),
    };
    if (tutti__blocking_submit(p->all->sched, &p->wait_job) != TUTTI_OK) {
        /* Neither a descriptor nor a thread: end it, so that waiting here is short. */
        tutti__process_signal(p, SIGKILL);
        wait_work(&p->wait_job);
        tutti__home_post(p->wait_job.home, &p->wait_job.post);
    }
}

void tutti__process_begin(struct tutti__process *p)
{
    p->phase = TUTTI__PROCESS_RUNNING;
    set_timer(p, tutti__clock_after(p->started_ns, p->spec.timeout_ns));
    int error = tutti__process_stdio_begin(p);
    if (watch_exit(p) != 0) {
        wait_on_thread(p);
    }
    if (error != 0) {
        p->box->result.start_errno = error;
        p->box->result.start_what = "stdout";
        p->end = TUTTI__END_ERROR;
        kill_now(p);
    } else if (p->end == TUTTI__END_CANCEL) { /* cancelled while it was started */
        p->end = TUTTI__END_ITSELF;
        tutti__process_stop(p, TUTTI__END_CANCEL);
    }
}

/* ---- the call ------------------------------------------------------------------------------- */

static void link_record(struct tutti__process *p)
{
    struct tutti__processes *all = p->all;
    p->next = all->first;
    if (all->first != NULL) {
        all->first->previous = p;
    }
    all->first = p;
    all->record_count++;
}

/* Thread: the loop's. The record comes home, with those that feed it. */
static void on_arrival(struct tutti__post *post)
{
    struct tutti__process *p = TUTTI__PROCESS_OF(post, arrival);
    struct tutti__processes *all = p->all;
    int rc = TUTTI_OK;
    for (struct tutti__process *at = p; at != NULL; at = at->feeder) {
        link_record(at);
        rc = rc == TUTTI_OK ? tutti__loop_timer_start(all->loop, &at->timer, TUTTI_FOREVER) : rc;
    }
    p->hook.home = tutti__loop_home(all->loop);
    p->is_hook_armed = tutti__task_set_cancel_hook(p->task, &p->hook);
    if (!p->is_hook_armed || all->is_stopping) {
        p->end = TUTTI__END_CANCEL;
        tutti__process_settle(p);
        return;
    }
    if (rc != TUTTI_OK) {
        p->box->result.start_errno = ENOMEM;
        p->box->result.start_what = "program";
        p->end = TUTTI__END_ERROR;
        tutti__process_settle(p);
        return;
    }
    tutti__process_start_soon(tutti__process_source(p));
}

static bool is_loop_thread(const struct tutti__processes *all)
{
    struct tutti__thread *here = tutti__thread_here(all->sched);
    return here != NULL && tutti__thread_home(here) == tutti__loop_home(all->loop);
}

static void set_up(struct tutti__process *p, struct tutti__processes *all)
{
    p->all = all;
    p->arrival.fn = on_arrival;
    p->hook.post.fn = on_hook;
    p->timer.fn = on_timer;
    p->exit_watch.process = p->member_watch.process = p->in_watch.process = p;
    p->out_watch[0].process = p->out_watch[1].process = p;
}

/* Make the task and what feeds `p`. Returns: TUTTI_OK, or why neither is there. */
static int make_pipeline(struct tutti__processes *all, struct tutti__process *p,
                         const struct tutti__process_spec *spec)
{
    int rc = tutti__sched_suspended_new(all->sched, &p->task);
    if (rc != TUTTI_OK) {
        return rc;
    }
    rc = tutti__process_feeders_new(p, spec);
    if (rc != TUTTI_OK) {
        tutti__process_feeders_free(p);
        (void)tutti__promise_settle(p->task, rc, NULL);
        tutti__task_unref(p->task);
    }
    return rc;
}

int tutti__process_start(struct tutti__processes *all, const struct tutti__process_spec *spec,
                         tutti_task **out)
{
    struct tutti__process *p = NULL;
    int rc = spec->out[0].kind == TUTTI__STDOUT_PROCESS
                 ? TUTTI_EINVAL
                 : tutti__process_record_new(&p, spec, tutti__loop_memory(all->loop));
    if (rc != TUTTI_OK) {
        return rc;
    }
    rc = make_pipeline(all, p, spec);
    if (rc != TUTTI_OK) {
        tutti__process_record_free(p);
        return rc;
    }
    for (struct tutti__process *at = p; at != NULL; at = at->feeder) {
        set_up(at, all);
    }
    tutti_task *task = p->task;
    tutti__task_ref(task); /* one for the record, one for the caller */
    if (is_loop_thread(all)) {
        on_arrival(&p->arrival);
    } else {
        tutti__home_post(tutti__loop_home(all->loop), &p->arrival);
    }
    *out = task;
    return TUTTI_OK;
}

/* ---- all of them ---------------------------------------------------------------------------- */

int tutti__processes_new(struct tutti__processes **out, struct tutti__sched *sched,
                         struct tutti__loop *loop)
{
    const tutti_allocator *memory = tutti__loop_memory(loop);
    struct tutti__processes *all = tutti__memory_zero(memory, TUTTI__ALIGN_ANY, sizeof *all);
    if (all == NULL) {
        return TUTTI_ENOMEM;
    }
    all->sched = sched;
    all->loop = loop;
    all->scan_post.fn = tutti__process_on_scan;
    all->buffer = tutti__memory_alloc(memory, TUTTI__ALIGN_ANY, TUTTI__PROCESS_BUFFER_BYTES);
    if (all->buffer == NULL) {
        tutti__memory_free(memory, all, sizeof *all);
        return TUTTI_ENOMEM;
    }
    *out = all;
    return TUTTI_OK;
}

void tutti__processes_free(struct tutti__processes *all)
{
    TUTTI_ASSERT(all->record_count == 0);
    const tutti_allocator *memory = tutti__loop_memory(all->loop);
    tutti__memory_free(memory, all->buffer, TUTTI__PROCESS_BUFFER_BYTES);
    tutti__memory_free(memory, all, sizeof *all);
}

void tutti__processes_stop(struct tutti__processes *all, void (*gone)(void *user), void *user)
{
    all->is_stopping = true;
    struct tutti__process *next = NULL;
    for (struct tutti__process *p = all->first; p != NULL; p = next) {
        next = p->next; /* feeders stand before their reader */
        if (p->reader == NULL) {
            tutti__process_stop(p, TUTTI__END_CANCEL);
        }
    }
    all->gone = gone;
    all->gone_user = user;
    tell_if_gone(all);
}
