/* SPDX-License-Identifier: MIT */
/*
 * plain.c - a C program on an installed tutti: tasks, an edge, a result. Prints "sum 42".
 */
#include <stdio.h>

#include <tutti.h>

static int give(tutti_task *self, void *arg, tutti_value *result)
{
    (void)self;
    result->kind = TUTTI_INT;
    result->as.integer = *(const int *)arg;
    return TUTTI_OK;
}

static int add(tutti_task *self, void *arg, tutti_value *result)
{
    tutti_task *const *parts = (tutti_task *const *)arg;
    (void)self;
    result->kind = TUTTI_INT;
    for (int i = 0; i < 2; i++) {
        const tutti_value *value = NULL;
        if (tutti_task_result(parts[i], &value) != TUTTI_OK)
            return TUTTI_EFAILED;
        result->as.integer += value->as.integer;
    }
    return TUTTI_OK;
}

int main(void)
{
    static int numbers[2] = { 40, 2 };
    tutti_engine *engine = NULL;
    tutti_task *parts[2] = { NULL, NULL }, *sum = NULL;
    tutti_task_desc desc = { .struct_size = sizeof desc, .fn = give, .arg_bytes = sizeof numbers[0] };
    const tutti_value *value = NULL;
    int rc = tutti_engine_new(&engine, NULL);
    for (int i = 0; rc == TUTTI_OK && i < 2; i++) {
        desc.arg = &numbers[i];
        rc = tutti_submit(engine, &desc, NULL, 0, &parts[i]);
    }
    desc = (tutti_task_desc){ .struct_size = sizeof desc, .fn = add, .arg = parts };
    if (rc == TUTTI_OK)
        rc = tutti_submit(engine, &desc, parts, 2, &sum);
    if (rc == TUTTI_OK)
        rc = tutti_task_wait(sum, TUTTI_FOREVER);
    if (rc == TUTTI_OK)
        rc = tutti_task_result(sum, &value);
    if (rc != TUTTI_OK) {
        fprintf(stderr, "plain: %s\n", tutti_status_text(rc));
        return 1;
    }
    printf("sum %d\n", (int)value->as.integer);
    tutti_task_unref(parts[0]);
    tutti_task_unref(parts[1]);
    tutti_task_unref(sum);
    return tutti_engine_free(engine) == TUTTI_OK ? 0 : 1;
}
