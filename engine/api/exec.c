/* SPDX-License-Identifier: MIT */
/*
 * exec.c - child processes of tutti.h: a desc becomes a spec of io/process.h, a result is read.
 *
 * Layer: api. Locks: none.
 */
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "api/engine.h"
#include "base/alloc.h"
#include "base/limits.h"

static const uint64_t capture_default_bytes = UINT64_C(1) << 20;
static const uint64_t grace_default_ns = 5 * TUTTI_NS_PER_S;

/* ---- the environment ------------------------------------------------------------------------ */

/* Length of the name in "NAME=VALUE" or "NAME". */
static size_t name_length(const char *entry)
{
    const char *sign = strchr(entry, '=');
    return sign != NULL ? (size_t)(sign - entry) : strlen(entry);
}

/* Where the entry named as `entry` is among items[count]; `count` if there is none. */
static size_t find_name(const char **items, size_t count, const char *entry)
{
    size_t length = name_length(entry);
    for (size_t i = 0; i < count; i++) {
        if (name_length(items[i]) == length && memcmp(items[i], entry, length) == 0) {
            return i;
        }
    }
    return count;
}

/* Carry out one edit. Returns: the number of items afterwards. */
static size_t edit_one(const char **items, size_t count, const char *entry)
{
    size_t at = find_name(items, count, entry);
    if (strchr(entry, '=') != NULL) {
        items[at] = entry;
        return at == count ? count + 1 : count;
    }
    if (at == count) {
        return count;
    }
    memmove(items + at, items + at + 1, (count - at - 1) * sizeof *items);
    return count - 1;
}

static size_t list_length(const char *const *list)
{
    size_t count = 0;
    while (list != NULL && list[count] != NULL) {
        count++;
    }
    return count;
}

static bool are_edits_valid(const char *const *edits)
{
    for (size_t i = 0; edits[i] != NULL; i++) {
        if (name_length(edits[i]) == 0) {
            return false;
        }
    }
    return true;
}

/* This process's environment with the edits. Memory: `*out` is owned; what it points to is borrowed. */
static int make_env(const char *const *edits, const char ***out)
{
    const char *const *own = (const char *const *)environ;
    size_t count = list_length(own);
    if (!are_edits_valid(edits)) {
        return TUTTI_EINVAL;
    }
    const char **items = tutti__alloc((count + list_length(edits) + 1) * sizeof *items);
    if (items == NULL) {
        return TUTTI_ENOMEM;
    }
    if (count > 0) {
        memcpy(items, own, count * sizeof *items);
    }
    for (size_t i = 0; edits[i] != NULL; i++) {
        count = edit_one(items, count, edits[i]);
    }
    items[count] = NULL;
    *out = items;
    return TUTTI_OK;
}

/* ---- starting ------------------------------------------------------------------------------- */

static int read_output(const tutti_exec_output *output, struct tutti__process_out *out)
{
    static const enum tutti__stdout_kind kinds[] = {
        [TUTTI_STDOUT_CAPTURE] = TUTTI__STDOUT_CAPTURE,
        [TUTTI_STDOUT_INHERIT] = TUTTI__STDOUT_INHERIT,
        [TUTTI_STDOUT_NULL] = TUTTI__STDOUT_NULL,
        [TUTTI_STDOUT_FILE] = TUTTI__STDOUT_FILE,
    };
    if (output->kind > TUTTI_STDOUT_FILE) {
        return TUTTI_EINVAL;
    }
    *out = (struct tutti__process_out){ .kind = kinds[output->kind] };
    if (output->kind == TUTTI_STDOUT_FILE) {
        out->path = output->path;
        out->append = output->append;
    }
    return TUTTI_OK;
}

static int read_stdin(const tutti_exec_desc *desc, struct tutti__process_spec *spec)
{
    static const enum tutti__stdin_kind kinds[] = {
        [TUTTI_STDIN_BYTES] = TUTTI__STDIN_BYTES,
        [TUTTI_STDIN_FILE] = TUTTI__STDIN_FILE,
        [TUTTI_STDIN_INHERIT] = TUTTI__STDIN_INHERIT,
    };
    if (desc->stdin_kind > TUTTI_STDIN_INHERIT) {
        return TUTTI_EINVAL;
    }
    spec->stdin_kind = kinds[desc->stdin_kind];
    if (desc->stdin_kind == TUTTI_STDIN_BYTES) {
        spec->stdin_data = desc->stdin_data;
        spec->stdin_length = desc->stdin_bytes;
    } else if (desc->stdin_kind == TUTTI_STDIN_FILE) {
        spec->stdin_path = desc->stdin_path;
    }
    return TUTTI_OK;
}

static int read_desc(const tutti_exec_desc *desc, struct tutti__process_spec *spec)
{
    if (desc->struct_size != sizeof *desc || desc->flags != 0) {
        return TUTTI_EINVAL;
    }
    *spec = (struct tutti__process_spec){
        .argv = desc->argv,
        .cwd = desc->cwd,
        .capture_bytes = desc->capture_bytes != 0 ? desc->capture_bytes : capture_default_bytes,
        .timeout_ns = desc->timeout_ns != 0 ? desc->timeout_ns : TUTTI_FOREVER,
        .grace_ns = desc->grace_ns != 0 ? desc->grace_ns : grace_default_ns,
    };
    int rc = read_stdin(desc, spec);
    rc = rc == TUTTI_OK ? read_output(&desc->out, &spec->out[0]) : rc;
    return rc == TUTTI_OK ? read_output(&desc->err, &spec->out[1]) : rc;
}

TUTTI_API int tutti_exec(tutti_engine *e, const tutti_exec_desc *desc, tutti_task **out)
{
    struct tutti__process_spec spec;
    const char **env = NULL;
    if (e == NULL || desc == NULL || out == NULL) {
        return TUTTI_EINVAL;
    }
    if (tutti__engine_is_forked(e)) {
        return TUTTI_EFORKED;
    }
    int rc = read_desc(desc, &spec);
    if (rc == TUTTI_OK && desc->env != NULL) {
        rc = make_env(desc->env, &env);
        spec.envp = env;
    }
    if (rc == TUTTI_OK) {
        rc = tutti__process_start(e->processes, &spec, out);
    }
    tutti__free(env);
    return rc;
}

/* An outcome of the first header ended with `err`. */
#define OUTCOME_BYTES_MIN offsetof(tutti_exec_outcome, cpu_user_ns)

/* ---- results -------------------------------------------------------------------------------- */

static tutti_exec_output_bytes output_of(const struct tutti__process_result *result, int i)
{
    return (tutti_exec_output_bytes){ result->out[i].data, result->out[i].length,
                                      result->out[i].truncated };
}

TUTTI_API int tutti_exec_result(const tutti_task *t, tutti_exec_outcome *out)
{
    const tutti_value *value = NULL;
    if (t == NULL || out == NULL || out->struct_size < OUTCOME_BYTES_MIN ||
        out->struct_size > sizeof *out) {
        return TUTTI_EINVAL;
    }
    if (tutti__task_is_forked(t)) {
        return TUTTI_EFORKED;
    }
    int status = tutti__task_result(t, &value);
    if (status == TUTTI_EPENDING && value == NULL) {
        return TUTTI_EPENDING;
    }
    if (value->kind != TUTTI_OPAQUE || value->tag != TUTTI__TAG_PROCESS) {
        return TUTTI_EINVAL;
    }
    const struct tutti__process_result *result = value->as.pointer;
    tutti_exec_outcome outcome = {
        .struct_size = out->struct_size,
        .start_errno = result->start_errno,
        .start_what = result->start_what,
        .code = result->code,
        .signal = result->signal,
        .status_known = result->status_known,
        .leaked = result->leaked,
        .pid = result->pid,
        .elapsed_ns = result->elapsed_ns,
        .out = output_of(result, 0),
        .err = output_of(result, 1),
        .cpu_user_ns = result->cpu_user_ns,
        .cpu_system_ns = result->cpu_system_ns,
        .max_rss_bytes = result->max_rss_bytes,
    };
    memcpy(out, &outcome, out->struct_size);
    return status;
}
