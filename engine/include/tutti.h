/* SPDX-License-Identifier: MIT */
/*
 * tutti.h - run graphs of tasks on a pool of threads and an event loop.
 *
 * An engine is one scheduler, one worker pool and one libuv loop. Several may live in one process;
 * nothing is global. A task is one execution of a function and at the same time the future of its
 * result: it can name any number of tasks it comes after, from any thread, while the graph runs.
 *
 * Every function that can fail returns TUTTI_OK or a negative status; results go through pointers
 * and are written only on success. Times are nanoseconds of the monotonic clock.
 *
 * Tags below: Thread (who may call; default any thread), Blocks (default never), Memory (default:
 * borrows its arguments), Returns (on any error nothing has changed), Calls (user callbacks).
 */
#ifndef TUTTI_H
#define TUTTI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define TUTTI_API __attribute__((visibility("default")))
#else
#define TUTTI_API
#endif

#define TUTTI_VERSION "0.1.0"
#define TUTTI_FOREVER UINT64_MAX

/* For tutti_config.workers: no pool at all; the creator runs the tasks while it waits or polls. */
#define TUTTI_NO_WORKERS UINT32_MAX
/* For tutti_config.workers: one fewer than usable CPUs, at least one: for a host whose own thread works
 * as well, such as a game that calls tutti_poll in each frame. */
#define TUTTI_FRAME_WORKERS (UINT32_MAX - 1)

/* One list of the status codes: number, name, text. */
#define TUTTI_STATUS_LIST(X)                                                                       \
    X(0, OK, "success")                                                                            \
    X(-1, ENOMEM, "out of memory")                                                                 \
    X(-2, EINVAL, "invalid argument")                                                              \
    X(-3, EFAILED, "the task failed")                                                              \
    X(-4, ECANCELED, "cancelled")                                                                  \
    X(-5, ESKIPPED, "a task it comes after did not succeed")                                       \
    X(-6, ETIMEDOUT, "the deadline passed")                                                        \
    X(-7, EAGAIN, "out of a resource for now; try again later")                                    \
    X(-8, ESTOPPED, "the engine is shutting down")                                                 \
    X(-9, ENOLOOP, "no thread runs the loop of this engine")                                       \
    X(-10, EDEADLK, "waiting here could never end")                                                \
    X(-11, EPENDING, "the task has not settled yet")                                               \
    X(-12, ESETTLED, "the task has settled already")                                               \
    X(-13, EFORKED, "the engine belongs to the parent of this forked process")                     \
    X(-14, EIO, "an operating system call failed")                                                 \
    X(-15, ENOENT, "no such name")                                                                 \
    X(-16, ENOTSUP, "not supported by this build or system")

enum tutti_status {
#define X(number, name, text) TUTTI_##name = number,
    TUTTI_STATUS_LIST(X)
#undef X
};

/* Text of a status code; "unknown status" for any other number. Never NULL, static. */
TUTTI_API const char *tutti_status_text(int status);

typedef struct tutti_engine tutti_engine;
typedef struct tutti_task tutti_task;

/* ---- values ------------------------------------------------------------------------------- */

enum tutti_value_kind {
    TUTTI_NIL = 0,
    TUTTI_BOOL,
    TUTTI_INT,
    TUTTI_DOUBLE,
    TUTTI_BYTES,  /* as.pointer[more.length], owned, freed with the value */
    TUTTI_OPAQUE, /* as.pointer, more.drop called once when the value is freed (may be NULL) */
};

/* The one form of results and arguments. All zero is nil. */
typedef struct tutti_value {
    uint32_t kind; /* enum tutti_value_kind */
    uint32_t tag;  /* OPAQUE: who made it, 0 = the host; tells readers whether they know the type */
    union {
        bool boolean;
        int64_t integer;
        double number;
        void *pointer;
    } as;
    union {
        size_t length;
        void (*drop)(void *pointer);
    } more;
} tutti_value;

/**
 * Make a value that owns a copy of `length` bytes.
 * Returns: TUTTI_OK, or TUTTI_ENOMEM (`*out` is unchanged).
 */
TUTTI_API int tutti_value_bytes(tutti_value *out, const void *data, size_t length);

/* Free what `v` owns and make it nil. Calls: the drop function of an opaque value. */
TUTTI_API void tutti_value_free(tutti_value *v);

/* ---- engine ------------------------------------------------------------------------------- */

enum tutti_loop_mode {
    TUTTI_LOOP_OWN_THREAD = 0, /* the engine starts a thread for its loop */
    TUTTI_LOOP_CALLER,         /* the creating thread is the loop thread; it calls tutti_run */
};

/* How Lua that reaches no checkpoint is interrupted. With SIGNAL a thread of the engine's sends SIGURG to
 * a thread that runs Lua and does not hear of a cancellation. Its handler is the process's: the first
 * Lua state that is so watched installs it and the last puts back what was there; a signal that did not
 * come from tutti is passed on to that. SIGURG is unblocked in threads that run Lua. */
enum tutti_preempt {
    TUTTI_PREEMPT_NONE = 0, /* not at all */
    TUTTI_PREEMPT_HOOK,     /* by a permanent count hook, in pool tasks only: slow */
    TUTTI_PREEMPT_SIGNAL,   /* by a signal to the thread that runs it */
};

/* Where the memory of tasks, queues and threads of one engine comes from. What values hold, what Lua and
 * libuv allocate and what outlives the engine (a line for each thread that used it) is not asked here.
 * Both functions may be called on any thread at any time and must not call tutti. */
typedef struct tutti_allocator {
    /* `align` is a power of two up to 64 KiB. Not zeroed. Returns NULL when out of memory. */
    void *(*alloc)(void *user, size_t align, size_t bytes);
    void (*free)(void *user, void *pointer, size_t bytes);
    void *user;
} tutti_allocator;

/* What profilers and tracers are told; each may be NULL. They run on the thread that they are about,
 * must not block and must not call tutti except for tutti_task_state, _ref and _unref. A name is the
 * desc's, NULL for a task without one. */
typedef struct tutti_hooks {
    void (*worker_start)(void *user, uint32_t worker);
    void (*worker_stop)(void *user, uint32_t worker);
    /* A body begins / has returned with `status`. Early settled tasks have neither. */
    void (*task_begin)(void *user, tutti_task *task, const char *name);
    void (*task_end)(void *user, tutti_task *task, const char *name, int status);
    void *user;
} tutti_hooks;

typedef struct tutti_config {
    size_t struct_size; /* sizeof(tutti_config) */
    uint32_t workers;   /* pool threads; 0 = one per usable CPU (affinity mask, cgroup quota) */
    uint32_t loop;      /* enum tutti_loop_mode */
    uint64_t seed;      /* of the steal order; 0 = from the clock */
    uint32_t preempt;   /* enum tutti_preempt; the default in a library is none */
    uint32_t reserved;  /* 0 */
    size_t stack_bytes; /* of each thread of the engine; 0 = 1 MiB; at least 64 KiB */
    uint64_t grace_ns;  /* how long tutti_engine_free waits for running bodies; 0 = 10 s */
    const tutti_allocator *allocator; /* copied; NULL = the C library's */
    const tutti_hooks *hooks;         /* copied; NULL = none */
} tutti_config;

/**
 * Make an engine; its threads run when this returns. The calling thread becomes its creator.
 *
 * The engine installs no signal handler (but see tutti_preempt), leaves SIGCHLD as it is and writes to no
 * stream (but says on stderr which Lua task is stuck in C code, with preempt). In a child
 * process made by fork every call on the parent's engine returns TUTTI_EFORKED (or does nothing, if it
 * returns no status); an engine of its own works there.
 *
 * Args:    cfg - NULL or all zero behind struct_size = defaults. A struct_size of an older header is
 *          understood: what it lacks is zero.
 * Memory:  copies `cfg` and what it points to; returns owned (tutti_engine_free).
 * Returns: TUTTI_OK · TUTTI_EINVAL · TUTTI_ENOMEM · TUTTI_EAGAIN (no thread could be started; with at
 *          least one worker the engine starts with fewer).
 */
TUTTI_API int tutti_engine_new(tutti_engine **out, const tutti_config *cfg);

/**
 * Stop the engine: what has not started settles as cancelled, what runs sees that it is cancelled and
 * is waited for, threads are joined, memory is freed. Task and scope handles must have been released
 * before.
 *
 * Child processes get TERM, what is left of them KILL after their grace. With TUTTI_LOOP_CALLER a
 * running task must not wait for something that only the loop could do.
 *
 * Thread:  the creator, outside tasks and callbacks of the loop.
 * Blocks:  yes, until the running tasks have returned, at most config.grace_ns.
 * Returns: TUTTI_OK · TUTTI_EINVAL (another thread) · TUTTI_EDEADLK (from a task or a callback of the
 *          loop; nothing has changed) · TUTTI_ETIMEDOUT (a body has not returned: the engine takes no
 *          more tasks and is not freed; call again) · TUTTI_EFORKED.
 */
TUTTI_API int tutti_engine_free(tutti_engine *e);

/* Number of worker threads that run. */
TUTTI_API uint32_t tutti_engine_workers(const tutti_engine *e);

/* ---- tasks -------------------------------------------------------------------------------- */

enum tutti_task_state {
    TUTTI_TASK_WAITING = 0, /* for what it comes after */
    TUTTI_TASK_READY,
    TUTTI_TASK_RUNNING,
    TUTTI_TASK_SUSPENDED, /* joining its children, or its body returned TUTTI_TASK_SUSPEND */
    TUTTI_TASK_DONE,
    TUTTI_TASK_FAILED,
    TUTTI_TASK_CANCELLED,
    TUTTI_TASK_SKIPPED,
};

/**
 * Body of a task. `arg` is as described in the desc. Fill `*result` (nil at entry).
 *
 * Returns: TUTTI_OK - done · TUTTI_ECANCELED - cancelled · TUTTI_TASK_SUSPEND - the body has arranged
 *          for tutti_promise_settle(self, ...) to be called later, from any thread, and `self` stays
 *          valid until then; `*result` is ignored · any other value - failed, `*result` is the error.
 */
typedef int (*tutti_task_fn)(tutti_task *self, void *arg, tutti_value *result);
#define TUTTI_TASK_SUSPEND 1

enum tutti_task_flags {
    TUTTI_DETACH = 1u << 0,      /* not a child of the running task: nobody joins it */
    TUTTI_RUN_ON_SKIP = 1u << 1, /* run when all of `after` have settled, however they ended */
    TUTTI_NO_HELP = 1u << 2,     /* only pool workers run it, never a thread that helps in a wait */
    TUTTI_BLOCKING = 1u << 3,    /* may block in the system: runs on an extra thread */
    TUTTI_PIN_LOOP = 1u << 4,    /* only the loop thread runs it, in a round of the loop */
    TUTTI_NO_LOOP = 1u << 5,     /* the loop thread never runs it, whatever it waits for */
};

/* Which ready task a thread takes first. Best effort: a thread looks at the higher ones first wherever
 * it looks, and now and then at the lower ones, so that nothing starves. */
enum tutti_priority {
    TUTTI_PRIORITY_NORMAL = 0,
    TUTTI_PRIORITY_HIGH,
    TUTTI_PRIORITY_LOW,
};

typedef struct tutti_scope tutti_scope;

typedef struct tutti_task_desc {
    size_t struct_size;
    tutti_task_fn fn;
    void *arg;                   /* arg_bytes = 0: handed to fn as it is */
    size_t arg_bytes;            /* > 0: so many bytes at `arg` are copied into the task and fn gets
                                    the copy (aligned for any type) */
    void (*arg_drop)(void *arg); /* called once when the argument is not needed any more, whether
                                    the task ran or not; may be NULL */
    uint32_t flags;              /* enum tutti_task_flags */
    uint32_t priority;           /* enum tutti_priority */
    const char *name;            /* static; handed to the hooks; NULL: none */
    tutti_scope *scope;          /* the task belongs to it; NULL: to the running task, if any */
} tutti_task_desc;

/**
 * Submit a task that runs when every task in `after` is done.
 *
 * A task submitted from inside a running task is its child: the parent does not settle before it has
 * (implicit join), unless TUTTI_DETACH. If one of `after` does not succeed the task becomes skipped at
 * that moment, without running and without waiting for the others (see TUTTI_RUN_ON_SKIP).
 *
 * Args:    after[after_count] - any number, duplicates and settled ones allowed, NULL entries are
 *          ignored; out - NULL: no handle is made.
 * Memory:  copies `desc`; takes the argument (arg_drop) on success; `*out` is owned (tutti_task_unref).
 * Returns: TUTTI_OK · TUTTI_EINVAL (no fn, an unknown flag or flags that exclude each other, a task or
 *          scope of another engine, nobody could run it) · TUTTI_ENOMEM · TUTTI_ESTOPPED ·
 *          TUTTI_ECANCELED (its scope has been cancelled) · TUTTI_EFORKED.
 * Order:   everything before the submit, and everything in the bodies of `after`, happens before fn.
 */
TUTTI_API int tutti_submit(tutti_engine *e, const tutti_task_desc *desc, tutti_task *const *after,
                           size_t after_count, tutti_task **out);

/* Take / drop a reference; NULL: nothing. The last one may be dropped on any thread. */
TUTTI_API void tutti_task_ref(tutti_task *t);
TUTTI_API void tutti_task_unref(tutti_task *t);

TUTTI_API enum tutti_task_state tutti_task_state(const tutti_task *t);
TUTTI_API bool tutti_task_is_done(const tutti_task *t);

/**
 * Cancel: a task that has not started settles as cancelled before this returns; of one that has, only
 * the flag is set, which its body may ask for with tutti_task_is_cancelled.
 *
 * Returns: TUTTI_OK - it is settled now and this call did it · TUTTI_EPENDING - it has started ·
 *          TUTTI_ESETTLED - it had settled before, or another thread is settling it in this moment.
 */
TUTTI_API int tutti_task_cancel(tutti_task *t);

/* Has it been cancelled? Inside its own body this is also true when one of the running tasks it is a
 * child of was cancelled, and while the engine stops. */
TUTTI_API bool tutti_task_is_cancelled(const tutti_task *t);

/**
 * Wait until `t` has settled.
 *
 * The creator's thread runs ready tasks meanwhile; with TUTTI_LOOP_CALLER it runs the loop as well. A
 * task body that waits runs tasks that it (or a task it made) has made, nothing else, so no body is
 * held up by a stranger on its stack; when there is none left it sleeps, and if it was on a worker a
 * spare thread takes that worker's place until it goes on. A task that the loop's thread has taken while
 * it waits runs the loop meanwhile, so that it may wait for timers as on any other thread.
 *
 * Thread:  any.
 * Blocks:  yes, at most timeout_ns (TUTTI_FOREVER = no limit, 0 = poll).
 * Returns: TUTTI_OK - settled · TUTTI_ETIMEDOUT · TUTTI_ECANCELED (the calling task was cancelled,
 *          meanwhile or before) · TUTTI_EDEADLK (for itself or a task it is a child of; or in a
 *          callback of the loop, a TUTTI_PIN_LOOP task, or a function that drops a value) ·
 *          TUTTI_ENOLOOP (TUTTI_LOOP_CALLER, on another thread, when the loop has never been run) ·
 *          TUTTI_EAGAIN (in a task: the system gives no thread to take the last worker's place) ·
 *          TUTTI_ENOMEM · TUTTI_EFORKED.
 */
TUTTI_API int tutti_task_wait(tutti_task *t, uint64_t timeout_ns);

/**
 * Look at the outcome.
 *
 * Args:    value - NULL or set to the result, or to the error of a failed task.
 * Memory:  *value is borrowed, valid while the caller holds its reference.
 * Returns: TUTTI_OK · TUTTI_EFAILED (or the body's own status) · TUTTI_ECANCELED · TUTTI_ESKIPPED ·
 *          TUTTI_EPENDING.
 */
TUTTI_API int tutti_task_result(const tutti_task *t, const tutti_value **value);

/**
 * The task whose failure or cancellation came first on the way to a skipped task; `t` itself if it
 * failed or was cancelled; NULL otherwise.
 * Memory:  borrowed, valid while the caller holds its reference on `t`.
 */
TUTTI_API tutti_task *tutti_task_cause(const tutti_task *t);

/**
 * The error of a task that has not succeeded: its own, or that of the cause of a skipped one.
 * Memory:  *value is borrowed, valid while the caller holds its reference on `t`.
 * Returns: what the body of that task returned, or TUTTI_ECANCELED; TUTTI_OK: there is no error;
 *          TUTTI_EPENDING.
 */
TUTTI_API int tutti_task_error(const tutti_task *t, const tutti_value **value);

/**
 * Have fn called as a task of its own once `t` has settled, however it ended.
 *
 * Args:    fn - `done` is `t`; what it returns and stores becomes the outcome of the new task;
 *          flags - any of TUTTI_DETACH, NO_HELP, BLOCKING, PIN_LOOP, NO_LOOP; out - may be NULL.
 * Memory:  `t` is kept until fn has returned; `*out` is owned.
 * Returns: as tutti_submit.
 */
typedef int (*tutti_then_fn)(tutti_task *self, tutti_task *done, void *user, tutti_value *result);
TUTTI_API int tutti_task_then(tutti_task *t, tutti_then_fn fn, void *user, uint32_t flags,
                              tutti_task **out);

/* Block until no task of the engine is waiting, ready, running or suspended. Thread: any, outside tasks.
 * Returns: TUTTI_OK · TUTTI_EDEADLK (in a task or a callback of the loop) · TUTTI_EFORKED. */
TUTTI_API int tutti_wait_idle(tutti_engine *e);

/**
 * Run tasks, any that are ready, until pred(user) is true; sleep while there are none. `pred` is asked
 * after each task, after each round of the loop (TUTTI_LOOP_CALLER) and whenever a task has settled
 * while this thread slept.
 *
 * Thread:  the creator, outside tasks. Blocks: yes, until pred is true.
 * Returns: TUTTI_OK · TUTTI_EINVAL (another thread) · TUTTI_EDEADLK (in a task or a callback of the
 *          loop) · TUTTI_EFORKED.
 */
TUTTI_API int tutti_run_until(tutti_engine *e, bool (*pred)(void *user), void *user);

/* ---- scopes ------------------------------------------------------------------------------- */

enum tutti_scope_flags {
    TUTTI_SCOPE_COLLECT = 1u << 0, /* a failure leaves the others alone; default: it cancels them */
};

/**
 * Make a scope: an owner for tasks that are submitted with desc.scope, from any thread. It can be used
 * again and again, such as once a frame.
 *
 * Memory:  `*out` is owned (tutti_scope_free).
 * Returns: TUTTI_OK · TUTTI_EINVAL · TUTTI_ENOMEM · TUTTI_ESTOPPED · TUTTI_EFORKED.
 */
TUTTI_API int tutti_scope_new(tutti_engine *e, uint32_t flags, tutti_scope **out);

/**
 * Free an empty scope. Thread: any; nobody else uses it any more.
 * Returns: TUTTI_OK · TUTTI_EINVAL · TUTTI_EPENDING (it has members that have not settled: cancel and
 *          wait first; nothing has changed).
 */
TUTTI_API int tutti_scope_free(tutti_scope *s);

/**
 * Cancel all members: those that have not started settle before this returns, those that run see it
 * (tutti_task_is_cancelled), and so do their children. Submits into it are refused with
 * TUTTI_ECANCELED until tutti_scope_wait has given the outcome.
 * Returns: TUTTI_OK · TUTTI_EINVAL.
 */
TUTTI_API int tutti_scope_cancel(tutti_scope *s);

/**
 * Wait until every member has settled, then give the outcome since the last time and begin anew. A
 * member that was skipped or cancelled is not a failure. The outcome is that of the moment in which the
 * last member settled: what is submitted after it belongs to the next one.
 *
 * Thread:  any, as tutti_task_wait; one at a time. Blocks: yes, at most timeout_ns.
 * Args:    failed - NULL, or set to the first member that failed (a reference of the caller's), NULL
 *          if none.
 * Returns: TUTTI_OK · TUTTI_EFAILED (a member failed) · TUTTI_ECANCELED (the scope was cancelled, and
 *          none failed) · TUTTI_ETIMEDOUT · TUTTI_EINVAL (another thread waits) · TUTTI_ESTOPPED (the
 *          engine ends before the last member) · as tutti_task_wait (EDEADLK also in a member).
 */
TUTTI_API int tutti_scope_wait(tutti_scope *s, uint64_t timeout_ns, tutti_task **failed);

/* Members that have not settled / that have failed since the last outcome. Thread: any; a snapshot. */
TUTTI_API size_t tutti_scope_count(const tutti_scope *s);
TUTTI_API size_t tutti_scope_failures(const tutti_scope *s);

/* ---- ranges ------------------------------------------------------------------------------- */

typedef struct tutti_range {
    size_t begin; /* the first index */
    size_t end;   /* one behind the last */
    size_t grain; /* indexes that are handed out together; 0 = chosen by length and threads */
} tutti_range;

/* Do the indexes begin..end-1. Returns: TUTTI_OK, or a negative status: no more chunks are begun. */
typedef int (*tutti_range_fn)(void *user, size_t begin, size_t end);

/**
 * Call fn for chunks that together make up the range, each index once, on this thread and on workers.
 *
 * Thread:  any, also in tasks and callbacks of the loop: the caller does what nobody else has begun, and
 *          waits only for chunks that others are in the middle of.
 * Blocks:  yes, until all chunks that were begun have ended.
 * Returns: TUTTI_OK · the first status that fn returned · TUTTI_EINVAL · TUTTI_ECANCELED (the calling
 *          task has been cancelled; some chunks were left out) · TUTTI_EFORKED.
 * Order:   everything before the call happens before each fn, and each fn before the return.
 */
TUTTI_API int tutti_parallel_for(tutti_engine *e, const tutti_range *range, tutti_range_fn fn,
                                 void *user);

typedef struct tutti_reduce_desc {
    size_t struct_size;
    tutti_range range;
    size_t value_bytes;   /* of one partial result, up to 1 MiB; aligned for any type */
    const void *identity; /* value_bytes; each partial result begins as a copy of it */
    /* Add the indexes begin..end-1 to `value`. */
    int (*fold)(void *user, void *value, size_t begin, size_t end);
    /* Add `right`, the result of indexes behind those of `left`, to `left`. */
    void (*join)(void *user, void *left, const void *right);
    void *user;
} tutti_reduce_desc;

/**
 * Fold a range in chunks and join the partial results in the order of their indexes, so that with the
 * same grain the result is the same each time, also for floating point.
 *
 * Args:    out - value_bytes; written only on success.
 * Thread, Blocks, Order: as tutti_parallel_for. Returns: as there, and TUTTI_ENOMEM.
 */
TUTTI_API int tutti_parallel_reduce(tutti_engine *e, const tutti_reduce_desc *desc, void *out);

/* ---- promises and the loop ---------------------------------------------------------------- */

/**
 * Make a task that foreign code settles.
 * Memory:  `*out` is owned; the engine holds a reference of its own until it is settled.
 */
TUTTI_API int tutti_promise_new(tutti_engine *e, tutti_task **out);

/**
 * Settle a promise, or a task whose body returned TUTTI_TASK_SUSPEND. From any thread, also one the
 * engine has never seen.
 *
 * Args:    status - TUTTI_OK, TUTTI_ECANCELED, or any other negative number: failed with that status;
 *          value - the result or the error; NULL = nil.
 * Memory:  takes *value whatever the outcome; it is nil afterwards.
 * Returns: TUTTI_OK · TUTTI_ESETTLED (somebody was first, or it was cancelled).
 * Order:   everything before this call happens before every wait's return and every successor.
 */
TUTTI_API int tutti_promise_settle(tutti_task *t, int status, tutti_value *value);

/**
 * Run fn(user) on the loop thread, soon, in the order of the calls of one thread.
 * Returns: TUTTI_OK · TUTTI_ENOMEM · TUTTI_ESTOPPED.
 */
TUTTI_API int tutti_post(tutti_engine *e, void (*fn)(void *user), void *user);

/**
 * As tutti_post, but ahead of what was posted otherwise, and (with TUTTI_PREEMPT_SIGNAL) also in the
 * middle of a Lua script that keeps the loop thread busy. There `fn` may cancel tasks (tutti_task_cancel,
 * tutti_lua_cancel) and signal processes; it must not run Lua code nor wait.
 */
TUTTI_API int tutti_post_urgent(tutti_engine *e, void (*fn)(void *user), void *user);

/**
 * Make a task that is done after `delay_ns`; cancelling it takes the timer out of the loop.
 */
TUTTI_API int tutti_sleep(tutti_engine *e, uint64_t delay_ns, tutti_task **out);

/**
 * Send a signal to the process group of every child process that runs: KILL when a program ends at once,
 * TSTP and CONT when it is stopped and goes on. The tasks settle when the processes have ended.
 * Thread:  the loop's. Returns: TUTTI_OK · TUTTI_EINVAL.
 */
TUTTI_API int tutti_signal_processes(tutti_engine *e, int signal);

/**
 * With TUTTI_LOOP_CALLER: run the loop until nothing is pending: no task is waiting, ready, running or
 * suspended, nothing is posted, no timer is armed and no libuv handle is active.
 *
 * Thread:  the creator, outside tasks. Blocks: yes.
 * Returns: TUTTI_OK · TUTTI_EINVAL (another thread, or the engine runs its loop itself) · TUTTI_EDEADLK
 *          (from a task body or a callback of the loop).
 */
TUTTI_API int tutti_run(tutti_engine *e);

/**
 * With TUTTI_LOOP_CALLER: do what the loop's thread has to do now (posts, timers, sockets, ready Lua,
 * TUTTI_PIN_LOOP tasks), for at most about budget_ns, and never sleep. A step that has begun is not cut
 * short: the call is late by the rest of one. Without workers it runs the pool's tasks as well.
 *
 * Thread:  the creator, outside tasks. Args: budget_ns - 0: one round.
 * Returns: TUTTI_OK (nothing more is ready) · TUTTI_EAGAIN (the budget is used up, more is ready) ·
 *          TUTTI_EINVAL · TUTTI_EDEADLK · TUTTI_EFORKED.
 */
TUTTI_API int tutti_poll(tutti_engine *e, uint64_t budget_ns);

/**
 * With TUTTI_LOOP_CALLER, for a host with a loop of its own: a descriptor to watch for reading (do
 * nothing else with it), and how long that loop may sleep. Ask for the timeout right before each sleep;
 * afterwards call tutti_poll, whatever ended the sleep.
 *
 * Thread:  the creator, outside tasks.
 * Args:    timeout_ns - set to 0 (do not sleep: call tutti_poll) up to TUTTI_FOREVER.
 * Returns: backend_fd - the descriptor, or -1. backend_timeout - TUTTI_OK · TUTTI_EINVAL · TUTTI_EDEADLK ·
 *          TUTTI_EFORKED.
 */
TUTTI_API int tutti_backend_fd(tutti_engine *e);
TUTTI_API int tutti_backend_timeout(tutti_engine *e, uint64_t *timeout_ns);

/* ---- processes ---------------------------------------------------------------------------- */

enum tutti_stdin_kind { TUTTI_STDIN_BYTES = 0, TUTTI_STDIN_FILE, TUTTI_STDIN_INHERIT };

enum tutti_stdout_kind {
    TUTTI_STDOUT_CAPTURE = 0, /* the first capture_bytes are kept, the rest is read and dropped */
    TUTTI_STDOUT_INHERIT,
    TUTTI_STDOUT_NULL,
    TUTTI_STDOUT_FILE,
};

typedef struct tutti_exec_output {
    uint32_t kind;    /* enum tutti_stdout_kind */
    bool append;      /* FILE: to its end */
    const char *path; /* FILE */
} tutti_exec_output;

typedef struct tutti_exec_desc {
    size_t struct_size;
    const char *const *argv; /* ends with NULL; argv[0] is searched in the PATH of the child */
    const char *const *env;  /* ends with NULL: "K=V" sets, "K" removes; NULL: as this process's */
    const char *cwd;         /* NULL: this process's */
    uint32_t stdin_kind;     /* enum tutti_stdin_kind */
    uint32_t flags;          /* 0 */
    const void *stdin_data;  /* BYTES; NULL with stdin_bytes = 0: empty */
    size_t stdin_bytes;
    const char *stdin_path;  /* FILE */
    tutti_exec_output out;
    tutti_exec_output err;
    uint64_t capture_bytes;  /* of each stream; 0 = 1 MiB */
    uint64_t timeout_ns;     /* 0 = none; counts from the start of the process */
    uint64_t grace_ns;       /* between TERM and KILL of its process group; 0 = 5 s */
} tutti_exec_desc;

/**
 * Start a program; the task is done when it has ended, whatever its exit status. It fails with
 * TUTTI_EIO when the program cannot be started, with TUTTI_ETIMEDOUT after timeout_ns. Cancelling it
 * sends TERM to the program's process group, KILL after grace_ns; then it settles as cancelled.
 *
 * Memory:  copies `desc` and all it points to; `*out` is owned.
 * Returns: TUTTI_OK · TUTTI_EINVAL · TUTTI_ENOMEM · TUTTI_ESTOPPED · TUTTI_EFORKED.
 */
TUTTI_API int tutti_exec(tutti_engine *e, const tutti_exec_desc *desc, tutti_task **out);

typedef struct tutti_exec_output_bytes {
    const char *data; /* not ended by a NUL */
    size_t length;
    bool truncated; /* there was more than capture_bytes */
} tutti_exec_output_bytes;

typedef struct tutti_exec_outcome {
    size_t struct_size;
    int start_errno;        /* not 0: it could not be started; the rest is empty */
    const char *start_what; /* then: "program", "cwd", "stdin", "stdout" or "stderr"; static */
    int code;               /* exit status; -1: ended by a signal, or unknown */
    int signal;             /* that ended it, or 0 */
    bool status_known;      /* false: the host ignores SIGCHLD */
    bool leaked;            /* it ended, but something it left behind holds a stream open */
    int64_t pid;
    uint64_t elapsed_ns;
    tutti_exec_output_bytes out;
    tutti_exec_output_bytes err;
    uint64_t cpu_user_ns;   /* of it and of those of its descendants that were waited for */
    uint64_t cpu_system_ns;
    uint64_t max_rss_bytes; /* the most memory one of them had; 0: no more than this process, which cannot
                             * be told from it */
} tutti_exec_outcome;

/**
 * Read the result of a task made by tutti_exec (also in Lua, by tutti.exec).
 * Args:    out - struct_size is set by the caller; one of an older header is understood.
 * Memory:  the bytes are borrowed, valid while the caller holds its reference on `t`.
 * Returns: the status of the task, as tutti_task_result; then *out is filled unless TUTTI_EPENDING ·
 *          TUTTI_EINVAL (not such a task: *out is unchanged).
 */
TUTTI_API int tutti_exec_result(const tutti_task *t, tutti_exec_outcome *out);

/* ---- named functions ---------------------------------------------------------------------- */

/**
 * Register a C function that Lua starts with tutti.native(name, ...).
 * It gets its arguments as `args[argc]` (borrowed) and fills `*result`.
 * Memory:  copies `name`. Returns: TUTTI_OK · TUTTI_EINVAL (name taken or empty) · TUTTI_ENOMEM.
 */
typedef int (*tutti_native_fn)(tutti_task *self, void *user, const tutti_value *args, size_t argc,
                               tutti_value *result);
TUTTI_API int tutti_register(tutti_engine *e, const char *name, tutti_native_fn fn, void *user);

/* ---- numbers ------------------------------------------------------------------------------ */

typedef struct tutti_stats {
    size_t struct_size;
    uint64_t submitted;  /* tasks and promises, since the start */
    uint64_t settled;    /* of these */
    uint64_t steals;     /* tasks taken from another thread's deque */
    uint64_t wakes;      /* sleeping workers woken */
    uint64_t slab_bytes; /* memory held for task records */
    uint32_t workers;    /* threads of the pool */
    uint32_t spares;     /* threads that stand in for workers that wait */
    uint32_t blocking;   /* extra threads of TUTTI_BLOCKING tasks and of the engine */
    uint32_t reserved;
} tutti_stats;

/* Fill *out (struct_size set by the caller). The numbers are read one after the other, not at once. */
TUTTI_API int tutti_get_stats(tutti_engine *e, tutti_stats *out);

/**
 * Give memory that nothing uses at the moment back to the system: after a peak, at a level's end.
 * Thread:  any; best from the creator while the engine is idle. Blocks: lock (bounded).
 * Returns: TUTTI_OK · TUTTI_EINVAL · TUTTI_EFORKED.
 */
TUTTI_API int tutti_trim(tutti_engine *e);

#ifdef __cplusplus
}
#endif
#endif
