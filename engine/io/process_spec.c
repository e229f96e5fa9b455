/* SPDX-License-Identifier: MIT */
/*
 * process_spec.c - the copy of a spec, and the result: the memory of a process.
 *
 * Layer: io. Locks: none. Thread: any.
 * Invariant: a record and all that its spec points to are one allocation.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "io/process_record.h"

/* Two passes over the same code: with `to` NULL it only counts. */
struct packer {
    char *to;
    size_t bytes;
};

static void *pack(struct packer *packer, const void *data, size_t length)
{
    char *at = packer->to == NULL ? NULL : packer->to + packer->bytes;
    if (at != NULL && length > 0) {
        memcpy(at, data, length);
    }
    packer->bytes += length;
    return at;
}

static const char *pack_string(struct packer *packer, const char *text)
{
    return text == NULL ? NULL : pack(packer, text, strlen(text) + 1);
}

static size_t list_length(const char *const *list)
{
    size_t count = 0;
    while (list[count] != NULL) {
        count++;
    }
    return count;
}

/* Pack the pointers only: they come first, where the alignment is still right. */
static const char **pack_list(struct packer *packer, const char *const *list)
{
    return pack(packer, list, (list_length(list) + 1) * sizeof *list);
}

static void pack_list_strings(struct packer *packer, const char **copy, const char *const *list)
{
    for (size_t i = 0; list[i] != NULL; i++) {
        const char *text = pack_string(packer, list[i]);
        if (copy != NULL) {
            copy[i] = text;
        }
    }
}

static void pack_spec(struct packer *packer, struct tutti__process_spec *copy,
                      const struct tutti__process_spec *spec)
{
    const char *const *envp = spec->envp != NULL ? spec->envp : (const char *const *)environ;
    const char **argv_copy = pack_list(packer, spec->argv);
    const char **envp_copy = pack_list(packer, envp);
    pack_list_strings(packer, argv_copy, spec->argv);
    pack_list_strings(packer, envp_copy, envp);
    *copy = *spec;
    copy->argv = argv_copy;
    copy->envp = envp_copy;
    copy->label = NULL; /* the result has it */
    copy->feeder = NULL; /* it has a record of its own */
    copy->cwd = pack_string(packer, spec->cwd);
    copy->stdin_path = pack_string(packer, spec->stdin_path);
    copy->stdin_data = pack(packer, spec->stdin_data, spec->stdin_length);
    for (int i = 0; i < 2; i++) {
        copy->out[i].path = pack_string(packer, spec->out[i].path);
    }
}

static bool is_valid(const struct tutti__process_spec *spec)
{
    if (spec->argv == NULL || spec->argv[0] == NULL ||
        (spec->stdin_kind == TUTTI__STDIN_FILE && spec->stdin_path == NULL) ||
        (spec->stdin_kind == TUTTI__STDIN_PROCESS) != (spec->feeder != NULL) ||
        (spec->stdin_data == NULL && spec->stdin_length > 0)) {
        return false;
    }
    for (int i = 0; i < 2; i++) {
        const struct tutti__process_out *out = &spec->out[i];
        if ((out->kind == TUTTI__STDOUT_FILE && out->path == NULL) ||
            (out->kind == TUTTI__STDOUT_STREAM && out->chunk == NULL) ||
            (out->kind == TUTTI__STDOUT_PROCESS && i != 0)) {
            return false;
        }
    }
    return true;
}

int tutti__process_record_new(struct tutti__process **out, const struct tutti__process_spec *spec,
                              const tutti_allocator *memory)
{
    if (!is_valid(spec)) {
        return TUTTI_EINVAL;
    }
    struct tutti__process_spec ignored;
    struct packer size = { NULL, 0 };
    pack_spec(&size, &ignored, spec);
    size_t bytes = sizeof(struct tutti__process) + size.bytes;
    struct tutti__process *p = tutti__memory_alloc(memory, TUTTI__ALIGN_ANY, bytes);
    struct tutti__process_box *box = tutti__alloc_zero(1, sizeof *box);
    if (p == NULL || box == NULL) {
        tutti__memory_free(memory, p, bytes);
        tutti__free(box);
        return TUTTI_ENOMEM;
    }
    memset(p, 0, sizeof *p);
    p->memory = memory;
    p->bytes = bytes;
    p->spawn.feed_fd = -1;
    p->spawn.pipe_fd = -1;
    struct packer packer = { (char *)(p + 1), 0 };
    pack_spec(&packer, &p->spec, spec);
    box->result.code = -1;
    box->result.pid = -1;
    (void)snprintf(box->result.label, sizeof box->result.label, "%s",
                   spec->label == NULL ? "process" : spec->label);
    box->result.any_end = spec->any_end;
    box->result.timeout_ns = spec->timeout_ns;
    p->box = box;
    *out = p;
    return TUTTI_OK;
}

void tutti__process_box_free(struct tutti__process_box *box)
{
    tutti__capture_deinit(&box->capture[0]);
    tutti__capture_deinit(&box->capture[1]);
    tutti__free(box->result.start_hint);
    if (box->result.feeder != NULL) {
        tutti__process_box_free((struct tutti__process_box *)(void *)box->result.feeder);
    }
    tutti__free(box);
}

static void drop_box(void *pointer)
{
    tutti__process_box_free(pointer);
}

void tutti__process_record_free(struct tutti__process *p)
{
    for (int i = 0; i < 2; i++) {
        tutti__capture_deinit(&p->capture[i]);
    }
    if (p->box != NULL) {
        tutti__process_box_free(p->box);
    }
    tutti__free(p->spawn.hint);
    tutti__memory_free(p->memory, p, p->bytes);
}

tutti_value tutti__process_box_value(struct tutti__process_box *box)
{
    return (tutti_value){
        .kind = TUTTI_OPAQUE,
        .tag = TUTTI__TAG_PROCESS,
        .as.pointer = &box->result,
        .more.drop = drop_box,
    };
}
