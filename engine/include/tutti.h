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
    X(-15, ENOENT, "no such name")

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

typedef struct tutti_config {
    size_t struct_size; /* sizeof(tutti_config) */
    uint32_t workers;   /* pool threads; 0 = one per usable CPU (affinity mask, cgroup quota) */
    uint32_t loop;      /* enum tutti_loop_mode */
    uint64_t seed;      /* of the steal order; 0 = from the clock */
} tutti_config;

/**
 * Make an engine; its threads run when this returns. The calling thread becomes its creator.
 *
 * Args:    cfg - NULL or all zero behind struct_size = defaults.
 * Memory:  returns owned (tutti_engine_free).
 * Returns: TUTTI_OK · TUTTI_EINVAL (struct_size) · TUTTI_ENOMEM · TUTTI_EAGAIN (no thread could be
 *          started; with at least one worker the engine starts with fewer).
 */
TUTTI_API int tutti_engine_new(tutti_engine **out, const tutti_config *cfg);

/**
 * Stop the engine: what has not started settles as cancelled, what runs is waited for, threads are
 * joined, memory is freed. Task handles must have been released before.
 *
 * Child processes get TERM, what is left of them KILL after their grace. With TUTTI_LOOP_CALLER a
 * running task must not wait for something that only the loop could do.
 *
 * Thread:  the creator, outside tasks and callbacks of the loop.
 * Blocks:  yes, until the running tasks have returned.
 * Returns: TUTTI_OK · TUTTI_EINVAL (called from a task, a callback or another thread).
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
};

typedef struct tutti_task_desc {
    size_t struct_size;
    tutti_task_fn fn;
    void *arg;                   /* arg_bytes = 0: handed to fn as it is */
    size_t arg_bytes;            /* > 0: so many bytes at `arg` are copied into the task and fn gets
                                    the copy (aligned for any type) */
    void (*arg_drop)(void *arg); /* called once when the argument is not needed any more, whether
                                    the task ran or not; may be NULL */
    uint32_t flags;              /* enum tutti_task_flags */
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
 * Returns: TUTTI_OK · TUTTI_EINVAL · TUTTI_ENOMEM · TUTTI_ESTOPPED.
 * Order:   everything before the submit, and everything in the bodies of `after`, happens before fn.
 */
TUTTI_API int tutti_submit(tutti_engine *e, const tutti_task_desc *desc, tutti_task *const *after,
                           size_t after_count, tutti_task **out);

/* Take / drop a reference. The last one may be dropped on any thread. */
TUTTI_API void tutti_task_ref(tutti_task *t);
TUTTI_API void tutti_task_unref(tutti_task *t);

TUTTI_API enum tutti_task_state tutti_task_state(const tutti_task *t);
TUTTI_API bool tutti_task_is_done(const tutti_task *t);

/**
 * Cancel: a task that has not started settles as cancelled before this returns; of one that has, only
 * the flag is set, which its body may ask for with tutti_task_is_cancelled.
 *
 * Returns: TUTTI_OK - it is settled now and this call did it · TUTTI_EPENDING - it has started ·
 *          TUTTI_ESETTLED - it had settled before.
 */
TUTTI_API int tutti_task_cancel(tutti_task *t);

/* Has it been cancelled? Inside its own body this is also true when one of the running tasks it is a
 * child of was cancelled, and while the engine stops. */
TUTTI_API bool tutti_task_is_cancelled(const tutti_task *t);

/**
 * Wait until `t` has settled. The creator's thread runs ready tasks meanwhile; with TUTTI_LOOP_CALLER
 * it runs the loop instead.
 *
 * Thread:  any but the pool's workers.
 * Blocks:  yes, at most timeout_ns (TUTTI_FOREVER = no limit, 0 = poll).
 * Returns: TUTTI_OK - settled · TUTTI_ETIMEDOUT · TUTTI_EDEADLK (from a task body or a callback of the
 *          loop) · TUTTI_ENOLOOP (TUTTI_LOOP_CALLER, on another thread, when the loop has never been
 *          run) · TUTTI_ENOMEM (TUTTI_LOOP_CALLER).
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

/* Block until no task of the engine is waiting, ready, running or suspended. Thread: as for
 * tutti_task_wait. Returns: TUTTI_OK · TUTTI_EDEADLK. */
TUTTI_API int tutti_wait_idle(tutti_engine *e);

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
} tutti_stats;

/* Fill *out (struct_size set by the caller). The numbers are read one after the other, not at once. */
TUTTI_API int tutti_get_stats(tutti_engine *e, tutti_stats *out);

#ifdef __cplusplus
}
#endif
#endif
