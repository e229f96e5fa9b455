/* SPDX-License-Identifier: MIT */
/*
 * stuck.c - see stuck.h.
 *
 * A signal handler may not ask Lua anything, so names and chunk names are noted as plain pointers to the
 * bytes of strings that Lua keeps: names in their record, chunk names in the registry.
 *
 * Layer: lua. Thread: the state's home; tutti__stuck_describe in a signal handler of it.
 * Invariant: the array that lua->source_texts points to is whole whenever the handler may look.
 */
#include "lua/stuck.h"

#include "lua/pool.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 16, SOURCES_STEP = 16 };

void tutti__stuck_note_name(lua_State *L, struct tutti__record *record, int index)
{
    if ((record->flags & RECORD_NAMED) == 0)
        return;
    if (tutti__record_get_name(L, index) == LUA_TSTRING)
        tutti__pool_set_label(record, lua_tostring(L, -1));
    lua_pop(L, 1);
}

void tutti__stuck_note_source(struct tutti__lua *lua, uint32_t index, const char *text)
{
    if (index >= lua->source_texts_size) {
        uint32_t size = index + SOURCES_STEP;
        const char **bigger = (const char **)calloc(size, sizeof *bigger);
        if (bigger == NULL)
            return;
        const char **old = lua->source_texts;
        if (old != NULL)
            memcpy((void *)bigger, (const void *)old, lua->source_texts_size * sizeof *bigger);
        atomic_signal_fence(memory_order_seq_cst); /* filled before the handler sees it */
        lua->source_texts = bigger;
        atomic_signal_fence(memory_order_seq_cst); /* seen before it believes the size */
        lua->source_texts_size = size;
        free((void *)old);
    }
    lua->source_texts[index] = text;
}

void tutti__stuck_forget(struct tutti__lua *lua)
{
    lua->source_texts_size = 0;
    free((void *)lua->source_texts);
    lua->source_texts = NULL;
}

/* ---- in the handler ----------------------------------------------------------------------- */

struct text {
    char *at;
    char *end; /* of what may be written, before the final zero */
};

static void add_text(struct text *text, const char *more)
{
    while (*more != '\0' && text->at < text->end)
        *text->at++ = *more++;
    *text->at = '\0';
}

static void add_number(struct text *text, uint64_t number)
{
    char digits[24];
    char *at = digits + sizeof digits - 1;
    *at = '\0';
    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    add_text(text, at);
}

static void add_record(struct text *text, const struct tutti__record *record)
{
    const struct tutti__lua *lua = record->lua;
    const char *source = record->source < lua->source_texts_size ? lua->source_texts[record->source] : NULL;
    const char *label = tutti__pool_label(record);
    if (label != NULL) {
        add_text(text, label);
    } else if (source != NULL) {
        add_text(text, source + 1);
        add_text(text, ":");
        add_number(text, (uint64_t)record->line);
    } else {
        add_text(text, "task ");
        add_number(text, tutti__record_id(record));
    }
}

/* Is one of them cancelled, or about to be (its post is not taken yet), or past a deadline? */
static bool must_end(const struct tutti__watched *watched, const struct tutti__record *record)
{
    /* relaxed: as the handler. */
    if ((TUTTI_LOAD(&watched->asked, relaxed) & TUTTI__ASK_DEADLINE) != 0)
        return true;
    for (; record != NULL && record->kind != RECORD_ROOT; record = record->parent) {
        if ((record->flags & (RECORD_CANCEL | RECORD_LIVE)) != 0)
            return true;
        if (record->task != NULL && tutti__task_was_cancelled(record->task))
            return true;
    }
    return false;
}

bool tutti__stuck_describe(struct tutti__watched *watched, char *out, size_t size)
{
    const struct tutti__lua *lua =
        (const struct tutti__lua *)(const void *)((const char *)watched
                                                  - offsetof(struct tutti__lua, watched));
    const struct tutti__record *path[DEPTH_MAX];
    int depth = 0;
    const struct tutti__record *record = lua->current;
    if (record == NULL || !must_end(watched, record))
        return false;
    for (; record != NULL && record->kind != RECORD_ROOT && depth < DEPTH_MAX; record = record->parent) {
        if (record->kind == RECORD_LOCAL)
            path[depth++] = record;
    }
    struct text text = { out, out + size - 2 };
    add_text(&text, record == NULL || record->kind == RECORD_ROOT ? "task \"" : "task \"... > ");
    while (depth-- > 0) {
        add_record(&text, path[depth]);
        if (depth > 0)
            add_text(&text, " > ");
    }
    text.end = out + size - 1;
    add_text(&text, "\"");
    return true;
}
