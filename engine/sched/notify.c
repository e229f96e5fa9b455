/* SPDX-License-Identifier: MIT */
/*
 * notify.c - being told when a task settles.
 *
 * Layer: sched. Locks: none.
 */
#include "sched/core.h"

bool tutti__task_notify(tutti_task *task, struct tutti__notice *notice)
{
    return tutti__edge_push(&task->succ, &notice->edge, TUTTI__EDGE_NOTICE);
}
