/* SPDX-License-Identifier: MIT */
/*
 * export.c - tasks of this state as others see them, and what the codec asks of this state.
 *
 * A LOCAL record gets a task of the engine only when it first crosses to another state or to the pool;
 * its result stays here and is encoded then, or when it settles.
 *
 * Layer: lua. Thread: the state's home; handle_ref and handle_drop run anywhere.
 * Invariant: while a LOCAL record has not settled, its export has not either.
 */
#include <string.h>

#include "lua/bytes.h"
#include "lua/cycle.h"
#include "lua/handle.h"
#include "lua/pool.h"
#include "lua/proxy.h"
#include "lua/task_note.h"

/* ---- outcome of a LOCAL record, in bytes --------------------------------------------------- */

/* Stack of a protected call: [1] record, [2] userdata of it. Returns nothing; settles the export. */
static int settle_export(lua_State *L)
{
    struct tutti__record *record = (struct tutti__record *)lua_touserdata(L, 1);
    tutti_value value;
    memset(&value, 0, sizeof value);
    int status = tutti__pool_encode_outcome(L, record, 2, &value);
    (void)tutti_promise_settle(record->task, status, &value);
    return 0;
}

void tutti__export_settle(lua_State *L, struct tutti__record *record, int index)
{
    index = lua_absindex(L, index);
    lua_pushcfunction(L, settle_export);
    lua_pushlightuserdata(L, record);
    lua_pushvalue(L, index);
    if (lua_pcall(L, 2, 0, 0) != LUA_OK) {
        tutti_value value;
        memset(&value, 0, sizeof value);
        const char *text = luaL_tolstring(L, -1, NULL);
        (void)tutti_value_bytes(&value, text, strlen(text));
        (void)tutti_promise_settle(record->task, TUTTI_EFAILED, &value);
        lua_pop(L, 2);
    }
    if ((record->flags & RECORD_EXPORT_HOME) == 0)
        return; /* the handle's finaliser drops the reference */
    tutti_task_unref(record->task);
    record->task = NULL;
}

/* ---- cancellation from elsewhere ---------------------------------------------------------- */

/* Raises nothing and makes nothing in L but the entry of a table that exists: see codec.h. */
static int note_task(lua_State *L)
{
    struct tutti__record *record = (struct tutti__record *)lua_touserdata(L, 1);
    luaL_getmetatable(L, "tutti.remote"); /* from now on the handle holds a reference */
    lua_setmetatable(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, record->lua->ref_tasks);
    lua_pushvalue(L, 1);
    lua_rawsetp(L, -2, record->task);
    return 0;
}

tutti_task *tutti__export(lua_State *L, struct tutti__record *record, int index)
{
    if (record->task != NULL)
        return record->task;
    index = lua_absindex(L, index);
    tutti_task *task = NULL;
    if (tutti__bridge_suspended_new(record->lua->engine, &task) != TUTTI_OK)
        return NULL;
    record->task = task;
    lua_pushcfunction(L, note_task);
    lua_pushvalue(L, index);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        lua_pop(L, 1);
        tutti_value nothing = { .kind = TUTTI_NIL };
        (void)tutti_promise_settle(task, TUTTI_ENOMEM, &nothing);
        tutti_task_unref(task);
        record->task = NULL;
        return NULL;
    }
    if (tutti__record_is_settled(record)) {
        tutti__export_settle(L, record, index);
        return task;
    }
    tutti__pool_listen(record);
    tutti__cycle_suspect(record->lua, record, false); /* others can wait for it from now on */
    return task;
}

/* ---- handles in messages ------------------------------------------------------------------ */

/* What is 0 is no handle; SHARED is a struct tutti__handle of whatever type. A new kind needs a name here
 * and a line in `shared`. */
enum handle_kind { HANDLE_TASK = 1, HANDLE_SHARED, HANDLE_BUFFER, HANDLE_VIEW, HANDLES_MAX_ };

static void ref_handle(void *object)
{
    tutti__handle_ref((struct tutti__handle *)object);
}

static void unref_handle(void *object)
{
    tutti__handle_unref((struct tutti__handle *)object);
}

static void push_handle(lua_State *L, struct tutti__lua *lua, void *object)
{
    tutti__handle_push_on(L, lua, (struct tutti__handle *)object);
}

static void ref_buffer(void *object)
{
    tutti__bytes_ref((struct tutti__bytes *)object);
}

static void unref_buffer(void *object)
{
    tutti__bytes_unref((struct tutti__bytes *)object);
}

static void push_buffer(lua_State *L, struct tutti__lua *lua, void *object)
{
    tutti__bytes_push(L, lua, (struct tutti__bytes *)object);
}

static void ref_view(void *object)
{
    tutti__view_ref((struct tutti__view *)object);
}

static void unref_view(void *object)
{
    tutti__view_unref((struct tutti__view *)object);
}

static void push_view(lua_State *L, struct tutti__lua *lua, void *object)
{
    tutti__view_push(L, lua, (struct tutti__view *)object);
}

/* Counted C objects that messages hold. */
struct shared_kind {
    const char *metatable; /* of handles that are a pointer to the object; NULL: encoded otherwise */
    void (*ref)(void *object);
    void (*unref)(void *object);
    void (*push)(lua_State *L, struct tutti__lua *lua, void *object);
};

static const struct shared_kind shared[HANDLES_MAX_] = {
    [HANDLE_TASK] = { NULL, tutti__task_note_ref, tutti__task_note_unref, tutti__task_note_push },
    [HANDLE_SHARED] = { NULL, ref_handle, unref_handle, push_handle },
    [HANDLE_BUFFER] = { "tutti.buffer", ref_buffer, unref_buffer, push_buffer },
    [HANDLE_VIEW] = { "tutti.view", ref_view, unref_view, push_view },
};

static int encode_task(lua_State *L, struct tutti__record *record, int index, void **object,
                       const char **why)
{
    if (record->kind == RECORD_ROOT) {
        *why = "the root";
        return -1;
    }
    tutti_task *task = tutti__export(L, record, index);
    if (task != NULL)
        *object = tutti__task_note(L, record, index, task);
    *why = "a task, for which there is no memory";
    return *object != NULL ? 1 : -1;
}

void tutti__export_loosen(struct tutti__buffer *outcome, const tutti_task *task)
{
    for (uint32_t i = 0; i < outcome->object_count; i++) {
        const struct tutti__object *object = &outcome->objects[i];
        if (object->kind == HANDLE_TASK)
            tutti__task_note_loosen((struct tutti__task_note *)object->pointer, task);
    }
}

static int handle_encode(lua_State *L, int index, uint8_t *kind, void **object, const char **why,
                         void *user)
{
    (void)user;
    struct tutti__lua *lua = tutti__lua_find(L);
    struct tutti__record *record = tutti__record_test(L, lua, index);
    if (record != NULL) {
        *kind = HANDLE_TASK;
        return encode_task(L, record, index, object, why);
    }
    if (luaL_testudata(L, index, "tutti.scope") != NULL) {
        *why = "a scope, which belongs to the task that opened it: start there what is to be in it";
        return -1;
    }
    struct tutti__handle *handle = tutti__handle_test(L, lua, index);
    if (handle != NULL) {
        tutti__handle_ref(handle);
        *kind = HANDLE_SHARED;
        *object = handle;
        return 1;
    }
    for (uint8_t i = HANDLE_BUFFER; i < HANDLES_MAX_; i++) {
        void **box = (void **)luaL_testudata(L, index, shared[i].metatable);
        if (box == NULL || *box == NULL)
            continue;
        shared[i].ref(*box);
        *kind = i;
        *object = *box;
        return 1;
    }
    return 0;
}

static void handle_decode(lua_State *L, uint8_t kind, void *object, void *user)
{
    (void)user;
    struct tutti__lua *lua = tutti__lua_find(L);
    shared[kind].push(L, lua, object);
}

static void handle_ref(uint8_t kind, void *object)
{
    shared[kind].ref(object);
}

static void handle_drop(uint8_t kind, void *object)
{
    shared[kind].unref(object);
}

/* ---- objects that cross as what they are made of ------------------------------------------- */

enum box_kind { BOX_ERROR = 1 };

static uint8_t box_kind(lua_State *L, int index, void *user)
{
    (void)user;
    return tutti__error_is(L, index) ? BOX_ERROR : 0;
}

/* Of an error object: the table of its fields. */
static void box_push(lua_State *L, int index, uint8_t kind, void *user)
{
    (void)kind;
    (void)user;
    tutti__error_fields(L, index);
}

static void box_make(lua_State *L, uint8_t kind, void *user)
{
    (void)kind;
    (void)user;
    lua_newuserdatauv(L, 0, 1);
    lua_createtable(L, 0, 0); /* what is in the middle of being read can be looked at */
    lua_setiuservalue(L, -2, 1);
    luaL_setmetatable(L, "tutti.error");
}

static void box_fill(lua_State *L, int index, uint8_t kind, void *user)
{
    (void)kind;
    (void)user;
    lua_setiuservalue(L, index, 1);
}

static int refuse(lua_State *L, void *user)
{
    (void)user;
    tutti__error_push(L, tutti__lua_find(L), "transfer", "%s", lua_tostring(L, -1));
    return lua_error(L);
}

const struct tutti__value_ops tutti__lua_value_ops = {
    .handle_encode = handle_encode,
    .handle_decode = handle_decode,
    .handle_ref = handle_ref,
    .handle_drop = handle_drop,
    .box_kind = box_kind,
    .box_push = box_push,
    .box_make = box_make,
    .box_fill = box_fill,
    .refuse = refuse,
    .user = NULL,
};
