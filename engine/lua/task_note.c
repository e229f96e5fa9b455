/* SPDX-License-Identifier: MIT */
/*
 * task_note.c - see task_note.h.
 *
 * Layer: lua. Thread: a note is made at home; references are taken and dropped anywhere.
 */
#include "lua/task_note.h"

#include <stdio.h>
#include <stdlib.h>

struct tutti__task_note {
    TUTTI_ATOMIC(uint32_t) refs; /* [any] its own partner: the last one out frees (acq_rel) */
    tutti_task *task;            /* [const] */
    bool is_loose;               /* [const once others know it] there is no reference on `task` */
    char name[];                 /* [const] empty: it has none but its number */
};

/* Copy the name, or the place where it was started, as tutti__record_push_name would push it. */
static int write_name(lua_State *L, const struct tutti__record *record, int index, char *text,
                      size_t size)
{
    int length = 0;
    if (tutti__record_get_name(L, index) == LUA_TSTRING) {
        length = snprintf(text, size, "%s", lua_tostring(L, -1));
    } else if (record->source != 0) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, record->lua->ref_sources);
        lua_rawgeti(L, -1, record->source);
        length = snprintf(text, size, "%s:%d", lua_tostring(L, -1) + 1, (int)record->line);
        lua_pop(L, 2);
    }
    lua_pop(L, 1);
    return length;
}

struct tutti__task_note *tutti__task_note(lua_State *L, const struct tutti__record *record, int index,
                                          tutti_task *task)
{
    char none[1];
    index = lua_absindex(L, index);
    size_t size = (size_t)write_name(L, record, index, none, 0) + 1;
    struct tutti__task_note *note = (struct tutti__task_note *)calloc(1, sizeof *note + size);
    if (note == NULL)
        return NULL;
    (void)write_name(L, record, index, note->name, size);
    tutti_task_ref(task);
    note->task = task;
    TUTTI_STORE(&note->refs, 1u, relaxed); /* nobody else knows it yet */
    return note;
}

void tutti__task_note_loosen(struct tutti__task_note *note, const tutti_task *task)
{
    if (note->task != task || note->is_loose)
        return;
    note->is_loose = true;
    tutti_task_unref(note->task); /* not the last one: who is about to settle it has another */
}

void tutti__task_note_ref(void *object)
{
    struct tutti__task_note *note = (struct tutti__task_note *)object;
    /* Whoever adds a reference has one, so nothing needs to be ordered. */
    (void)TUTTI_FETCH_ADD(&note->refs, 1u, relaxed);
}

void tutti__task_note_unref(void *object)
{
    struct tutti__task_note *note = (struct tutti__task_note *)object;
    /* acq_rel: pairs with the other droppers, whose reads of the note come before it is freed. */
    if (TUTTI_FETCH_SUB(&note->refs, 1u, acq_rel) != 1u)
        return;
    if (!note->is_loose)
        tutti_task_unref(note->task);
    free(note);
}

void tutti__task_note_push(lua_State *L, struct tutti__lua *lua, void *object)
{
    const struct tutti__task_note *note = (const struct tutti__task_note *)object;
    const struct tutti__record *record = tutti__proxy_push(L, lua, note->task);
    if (record->kind != RECORD_REMOTE || record->source != 0 || note->name[0] == '\0')
        return;
    if (tutti__record_get_name(L, -1) == LUA_TNIL) {
        lua_pushstring(L, note->name);
        tutti__record_set_name(L, -3);
    }
    lua_pop(L, 1);
}
