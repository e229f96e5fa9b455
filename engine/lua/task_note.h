/* SPDX-License-Identifier: MIT */
/*
 * task_note.h - a task in a message: the engine's task with the name that its maker gave it.
 *
 * Names live in the records of the Lua layer, not in the engine's task, so a handle that crosses has to
 * bring its name along.
 *
 * Layer: lua. Thread: references are taken and dropped anywhere; the rest at home.
 */
#ifndef TUTTI_LUA_TASK_NOTE_H
#define TUTTI_LUA_TASK_NOTE_H

#include "lua/state.h"

struct tutti__task_note;

/* Note `task`, which stands for the record at `index`. Returns: one reference, or NULL: no memory.
 * Raises nothing and makes nothing in L: see handle_encode in value/codec.h. */
struct tutti__task_note *tutti__task_note(lua_State *L, const struct tutti__record *record, int index,
                                          tutti_task *task);

/* If it is a note of `task`, of whose result it will be a part, so that it lives no longer: it keeps the task
 * no more, which would otherwise keep itself. */
void tutti__task_note_loosen(struct tutti__task_note *note, const tutti_task *task);
void tutti__task_note_ref(void *note);
void tutti__task_note_unref(void *note);

/* Push the handle, with its name if this state did not know it. May raise. */
void tutti__task_note_push(lua_State *L, struct tutti__lua *lua, void *note);

#endif
