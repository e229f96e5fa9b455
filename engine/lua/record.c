/* SPDX-License-Identifier: MIT */
/*
 * record.c - records of tasks: made, held by slots, owned by parents, waited for.
 *
 * Layer: lua. Thread: the state's home.
 * Invariant: slots[r->slot] == r exactly while r holds a slot.
 */
#include "lua/scope.h"
#include "lua/tree.h"

#include <stdlib.h>
#include <string.h>

#include "lua/stuck.h"
#include "lua/supervise.h"

struct tutti__deps *tutti__record_deps(const struct tutti__record *record)
{
    return (struct tutti__deps *)(uintptr_t)(record + 1);
}

static size_t size_behind(enum tutti__record_kind kind, uint32_t deps)
{
    if (kind == RECORD_SCOPE)
        return sizeof(struct tutti__scope);
    if (kind == RECORD_GATHER || deps > 0)
        return sizeof(struct tutti__deps) + deps * sizeof(struct tutti__waiter);
    return 0;
}

static void set_metatable(lua_State *L, struct tutti__lua *lua, enum tutti__record_kind kind)
{
    /* Only a handle that may hold a reference into the engine needs a finaliser. */
    static const char *const names[] = { [RECORD_LOCAL] = "tutti.task", [RECORD_REMOTE] = "tutti.remote",
                                         [RECORD_GATHER] = "tutti.task", [RECORD_ROOT] = "tutti.task",
                                         [RECORD_SCOPE] = "tutti.scope" };
    if (lua->ref_metas[kind] == 0) {
        luaL_getmetatable(L, names[kind]);
        lua->ref_metas[kind] = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, lua->ref_metas[kind]);
    lua_setmetatable(L, -2);
}

struct tutti__record *tutti__record_new(lua_State *L, struct tutti__lua *lua,
                                        enum tutti__record_kind kind, uint32_t deps, bool has_args)
{
    size_t size = sizeof(struct tutti__record) + size_behind(kind, deps);
    int values = (kind == RECORD_LOCAL && deps <= TUTTI__AFTER_FEW ? (int)deps : 0) + has_args;
    struct tutti__record *record =
        (struct tutti__record *)lua_newuserdatauv(L, size, UV_COUNT + values);
    memset(record, 0, size);
    record->lua = lua;
    record->kind = (unsigned)kind & 7u;
    record->priority = TUTTI__PRIORITY_NORMAL;
    lua->next_id++;
    record->id_low = (uint32_t)lua->next_id;
    record->id_high = (uint8_t)(lua->next_id >> 32); /* a task each microsecond for twelve days */
    record->born_ms = tutti__tick_ms(lua);
    record->await.owner = record;
    if (kind == RECORD_GATHER || deps > 0) {
        record->flags = RECORD_DEPS;
        tutti__record_deps(record)->count = deps;
    }
    set_metatable(L, lua, kind);
    return record;
}

/* ---- slots -------------------------------------------------------------------------------- */

static void grow_slots(lua_State *L, struct tutti__lua *lua)
{
    uint32_t size = lua->slots_size == 0 ? 64 : lua->slots_size * 2;
    uint32_t *free_slots = (uint32_t *)realloc(lua->slots_free, size * sizeof *free_slots);
    if (free_slots == NULL) {
        luaL_error(L, "not enough memory for %d tasks", (int)size);
        return;
    }
    lua->slots_free = free_slots;
    struct tutti__record **slots =
        (struct tutti__record **)realloc((void *)lua->slots, size * sizeof *slots);
    if (slots == NULL) {
        luaL_error(L, "not enough memory for %d tasks", (int)size);
        return;
    }
    lua->slots = slots;
    lua->slots_size = size;
}

static uint32_t take_slot(lua_State *L, struct tutti__lua *lua)
{
    if (lua->slots_free_count > 0)
        return lua->slots_free[--lua->slots_free_count];
    if (lua->slots_used + 1 >= lua->slots_size)
        grow_slots(L, lua);
    return ++lua->slots_used;
}

void tutti__record_hold(lua_State *L, struct tutti__record *record, int index)
{
    if (record->slot != 0)
        return;
    struct tutti__lua *lua = record->lua;
    index = lua_absindex(L, index);
    lua_rawgeti(L, LUA_REGISTRYINDEX, lua->ref_slots);
    uint32_t slot = take_slot(L, lua);
    lua_pushvalue(L, index);
    lua_rawseti(L, -2, slot);
    lua_pop(L, 1);
    lua->slots[slot] = record;
    record->slot = slot;
}

void tutti__record_push(lua_State *L, struct tutti__record *record)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, record->lua->ref_slots);
    lua_rawgeti(L, -1, record->slot);
    lua_remove(L, -2);
}

int tutti__record_push_slots(lua_State *L, const struct tutti__record *record)
{
    int index = lua_gettop(L) + 2;
    lua_rawgeti(L, LUA_REGISTRYINDEX, record->lua->ref_slots);
    lua_rawgeti(L, -1, record->slot);
    return index;
}

void tutti__record_release(lua_State *L, struct tutti__record *record)
{
    struct tutti__lua *lua = record->lua;
    if (record->slot == 0 || !tutti__record_is_settled(record))
        return;
    lua_rawgeti(L, LUA_REGISTRYINDEX, lua->ref_slots);
    tutti__record_release_from(L, record, lua_gettop(L));
    lua_pop(L, 1);
}

void tutti__record_release_from(lua_State *L, struct tutti__record *record, int slots)
{
    struct tutti__lua *lua = record->lua;
    if ((record->flags & (RECORD_ARMED | RECORD_QUEUED)) != 0)
        return; /* still pointed at: whoever clears that flag releases it */
    lua_pushboolean(L, 0); /* not nil: the array part stays an array */
    lua_rawseti(L, slots, record->slot);
    lua->slots[record->slot] = NULL;
    lua->slots_free[lua->slots_free_count++] = record->slot;
    record->slot = 0;
}

/* ---- arguments ---------------------------------------------------------------------------- */

struct tutti__record *tutti__record_test(lua_State *L, struct tutti__lua *lua, int index)
{
    void *block = lua_touserdata(L, index);
    if (block == NULL || !lua_getmetatable(L, index))
        return NULL;
    const void *meta = lua_topointer(L, -1);
    lua_pop(L, 1);
    bool is_task = meta == lua->meta_local || meta == lua->meta_remote;
    return is_task ? (struct tutti__record *)block : NULL;
}

struct tutti__record *tutti__record_check(lua_State *L, struct tutti__lua *lua, int index)
{
    struct tutti__record *record = tutti__record_test(L, lua, index);
    if (record == NULL)
        tutti__usage(L, 1, "a task was expected as argument %d, got %s%s", index,
                     luaL_typename(L, index),
                     index == 1 ? " (methods are called with a colon: task:await())" : "");
    else if ((record->flags & RECORD_COLLECTED) != 0)
        tutti__usage(L, 1, "this handle has been collected already: a finaliser cannot use it");
    return record;
}

/* ---- owners ------------------------------------------------------------------------------- */

/* Behind `before`, or as the first child if that is NULL. */
static void link_child(struct tutti__record *parent, struct tutti__record *child,
                       struct tutti__record *before)
{
    struct tutti__record *next = before == NULL ? parent->child_first : before->sibling_next;
    child->parent = parent;
    child->sibling_prev = before;
    child->sibling_next = next;
    if (next != NULL)
        next->sibling_prev = child;
    if (before == NULL)
        parent->child_first = child;
    else
        before->sibling_next = child;
}

void tutti__record_adopt(struct tutti__record *parent, struct tutti__record *child)
{
    struct tutti__record *before = NULL;
    if ((child->flags & RECORD_BACKGROUND) != 0) { /* rare, so it may walk */
        struct tutti__record *at = parent->child_first;
        for (; at != NULL && (at->flags & RECORD_BACKGROUND) == 0; at = at->sibling_next)
            before = at;
    }
    link_child(parent, child, before);
}

void tutti__record_observe(struct tutti__record *record)
{
    record->flags |= RECORD_OBSERVED;
    /* What has an owner here keeps it; of what came from elsewhere the owner must learn. */
    if (record->kind == RECORD_REMOTE && record->parent == NULL && record->task != NULL)
        tutti__task_observe(record->task);
}

bool tutti__record_is_observed(const struct tutti__record *record)
{
    return (record->flags & RECORD_OBSERVED) != 0
        || (record->task != NULL && tutti__task_is_observed(record->task));
}

/* ---- where it was started ----------------------------------------------------------------- */

uint32_t tutti__record_source(lua_State *L, struct tutti__lua *lua, const char *source)
{
    /* The cached pointer is that of a string anchored in the table, so it cannot be another text. */
    if (source == lua->source_last)
        return lua->source_last_index;
    lua_rawgeti(L, LUA_REGISTRYINDEX, lua->ref_sources);
    const char *anchored = lua_pushstring(L, source);
    lua_pushvalue(L, -1);
    lua_rawget(L, -3);
    uint32_t index = (uint32_t)lua_tointeger(L, -1);
    lua_pop(L, 1);
    if (index == 0) {
        index = ++lua->sources_count;
        lua_pushvalue(L, -1);
        lua_rawseti(L, -3, index);
        lua_pushvalue(L, -1);
        lua_pushinteger(L, index);
        lua_rawset(L, -4);
        lua->source_last = anchored;
        lua->source_last_index = index;
        tutti__stuck_note_source(lua, index, anchored);
    } else if (anchored == source) {
        lua->source_last = anchored; /* short strings are unique, so this is the anchored one */
        lua->source_last_index = index;
    }
    lua_pop(L, 2);
    return index;
}

void tutti__record_note_place(lua_State *L, struct tutti__record *record, int level)
{
    lua_Debug ar;
    struct tutti__lua *lua = record->lua;
    /* A frame of C or of the Lua half stands for its caller. */
    do {
        if (!lua_getstack(L, level++, &ar) || !lua_getinfo(L, "Sl", &ar))
            return;
        if (ar.source == lua->source_last && ar.currentline > 0) { /* one line starts many */
            record->line = ar.currentline;
            record->source = lua->source_last_index;
            return;
        }
    } while (ar.currentline <= 0 || strncmp(ar.source, "@tutti/", strlen("@tutti/")) == 0);
    record->line = ar.currentline;
    /* A chunk made from a string has the whole text for a name: one entry serves them all. */
    bool is_file = ar.source[0] == '@' || ar.source[0] == '=';
    record->source = tutti__record_source(L, lua, is_file ? ar.source : "=[string]");
}

void tutti__record_push_place_of(lua_State *L, struct tutti__lua *lua, uint32_t source, int32_t line,
                                 uint64_t id)
{
    if (source == 0) {
        lua_pushfstring(L, "task %I", (LUAI_UACINT)id);
        return;
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, lua->ref_sources);
    lua_rawgeti(L, -1, source);
    lua_pushfstring(L, "%s:%d", lua_tostring(L, -1) + 1, (int)line);
    lua_replace(L, -3);
    lua_pop(L, 1);
}

void tutti__record_push_place(lua_State *L, struct tutti__record *record)
{
    tutti__record_push_place_of(L, record->lua, record->source, record->line, tutti__record_id(record));
}

void tutti__record_push_name(lua_State *L, struct tutti__record *record, int index)
{
    index = lua_absindex(L, index);
    if (tutti__record_get_name(L, index) == LUA_TSTRING)
        return;
    lua_pop(L, 1);
    tutti__record_push_place(L, record);
}

/* ---- extras ------------------------------------------------------------------------------- */

void tutti__record_get_extra(lua_State *L, int index, int key)
{
    int type = lua_getiuservalue(L, index, UV_EXTRA);
    if (type == LUA_TNIL)
        return; /* which stands for it */
    if (type == LUA_TTABLE)
        lua_rawgeti(L, -1, key);
    else if (key == (type == LUA_TUSERDATA ? EXTRA_CANCEL : EXTRA_NAME))
        return;
    else
        lua_pushnil(L);
    lua_remove(L, -2);
}

void tutti__record_set_extra(lua_State *L, int index, int key)
{
    index = lua_absindex(L, index);
    int type = lua_getiuservalue(L, index, UV_EXTRA);
    if (type == LUA_TNIL && key == EXTRA_CANCEL && lua_isuserdata(L, -2)) {
        lua_pop(L, 1);
        lua_setiuservalue(L, index, UV_EXTRA);
        return;
    }
    if (type != LUA_TTABLE) {
        lua_createtable(L, key, 0);
        lua_insert(L, -2);
        lua_rawseti(L, -2, type == LUA_TUSERDATA ? EXTRA_CANCEL : EXTRA_NAME);
        lua_pushvalue(L, -1);
        lua_setiuservalue(L, index, UV_EXTRA);
    }
    lua_insert(L, -2);
    lua_rawseti(L, -2, key);
    lua_pop(L, 1);
}

/* Most tasks that have a name have no other extra: then it needs no table. */
void tutti__record_set_name(lua_State *L, int index)
{
    index = lua_absindex(L, index);
    struct tutti__record *record = (struct tutti__record *)lua_touserdata(L, index);
    int type = lua_getiuservalue(L, index, UV_EXTRA);
    record->flags |= RECORD_NAMED;
    lua_pop(L, 1);
    if (type == LUA_TTABLE || type == LUA_TUSERDATA)
        tutti__record_set_extra(L, index, EXTRA_NAME);
    else
        lua_setiuservalue(L, index, UV_EXTRA);
}

int tutti__record_get_name(lua_State *L, int index)
{
    tutti__record_get_extra(L, index, EXTRA_NAME);
    return lua_type(L, -1);
}

/* ---- waiters ------------------------------------------------------------------------------ */

void tutti__waiter_link(struct tutti__waiter *waiter, struct tutti__record *target)
{
    if ((target->flags & RECORD_SUPERVISES) != 0)
        tutti__supervise_awaited(target);
    struct tutti__waiter *first = target->waiters_first;
    waiter->target = target;
    waiter->next = NULL;
    if (first == NULL) {
        waiter->prev = waiter;
        target->waiters_first = waiter;
        return;
    }
    waiter->prev = first->prev;
    first->prev->next = waiter;
    first->prev = waiter;
}

void tutti__waiter_unlink(struct tutti__waiter *waiter)
{
    struct tutti__record *target = waiter->target;
    if (target == NULL)
        return;
    struct tutti__waiter *first = target->waiters_first;
    if (waiter->next != NULL)
        waiter->next->prev = waiter->prev;
    else
        first->prev = waiter->prev;
    if (waiter == first)
        target->waiters_first = waiter->next;
    else
        waiter->prev->next = waiter->next;
    waiter->target = NULL;
}

void tutti__record_unlink_deps(struct tutti__record *record)
{
    struct tutti__deps *deps = tutti__record_deps(record);
    for (uint32_t i = 0; i < tutti__record_deps_count(record); i++)
        tutti__waiter_unlink(&deps->list[i]);
}
