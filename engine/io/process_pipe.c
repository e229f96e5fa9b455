/* SPDX-License-Identifier: MIT */
/*
 * process_pipe.c - pipelines: processes of one task that feed one another through the kernel's pipes.
 *
 *   queue: source -- started, its pipe's end --> its reader, at the head of the queue --> ... the last
 *   settle: source -- its result --> its reader, once that is reaped --> ... the last: the task
 *
 * Layer: io. Locks: none. Thread: the loop's, but for making and freeing records that are not linked yet.
 * Invariant: a reader settles after its feeder, and what a record names by `feeder` has not settled.
 */
#include <unistd.h>

#include "base/assert.h"
#include "io/process_record.h"

int tutti__process_feeders_new(struct tutti__process *p, const struct tutti__process_spec *spec)
{
    uint32_t count = 1;
    for (; spec->feeder != NULL; spec = spec->feeder, p = p->feeder) {
        if (++count > TUTTI__PIPELINE_MAX || spec->feeder->out[0].kind != TUTTI__STDOUT_PROCESS) {
            return TUTTI_EINVAL;
        }
        int rc = tutti__process_record_new(&p->feeder, spec->feeder, p->memory);
        if (rc != TUTTI_OK) {
            return rc;
        }
        p->feeder->reader = p;
        p->feeder->task = p->task;
        tutti__task_ref(p->task);
    }
    return TUTTI_OK;
}

void tutti__process_feeders_free(struct tutti__process *p)
{
    struct tutti__process *next = NULL;
    for (struct tutti__process *at = p->feeder; at != NULL; at = next) {
        next = at->feeder;
        tutti__task_unref(at->task);
        tutti__process_record_free(at);
    }
    p->feeder = NULL;
}

struct tutti__process *tutti__process_source(struct tutti__process *p)
{
    while (p->feeder != NULL) {
        p = p->feeder;
    }
    return p;
}

uint32_t tutti__process_feeders_holding(const struct tutti__process *p)
{
    uint32_t count = 0;
    for (const struct tutti__process *at = p->feeder; at != NULL; at = at->feeder) {
        count += at->phase == TUTTI__PROCESS_RUNNING || at->phase == TUTTI__PROCESS_ENDED ? 1 : 0;
    }
    return count;
}

void tutti__process_feed(struct tutti__process *p)
{
    struct tutti__process *reader = p->reader;
    if (reader->phase == TUTTI__PROCESS_FED) {
        reader->spawn.feed_fd = p->spawn.pipe_fd;
        p->spawn.pipe_fd = -1;
        tutti__process_start_next(reader);
    } else { /* it has been stopped meanwhile */
        close(p->spawn.pipe_fd);
        p->spawn.pipe_fd = -1;
    }
}

/* What feeds it never started, so neither does it. */
static void fail_unfed(struct tutti__process *p, const struct tutti__process_result *feeder,
                       enum tutti__process_end why)
{
    p->end = why;
    if (why == TUTTI__END_ERROR) {
        p->box->result.start_errno = feeder->start_errno;
        p->box->result.start_what = "feeder";
    }
    tutti__process_settle(p);
}

void tutti__process_fed(struct tutti__process *p, struct tutti__process_box *box)
{
    struct tutti__process *reader = p->reader;
    TUTTI_ASSERT(reader->feeder == p);
    reader->feeder = NULL;
    reader->box->result.feeder = &box->result;
    if (reader->phase == TUTTI__PROCESS_FED) {
        fail_unfed(reader, &box->result, p->end);
    } else if (reader->phase == TUTTI__PROCESS_REAPED) {
        tutti__process_settle(reader);
    }
}
