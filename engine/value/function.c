/* SPDX-License-Identifier: MIT */
/*
 * function.c - the encoder's half that deals with functions: code, and variables that closures share.
 *
 * Code is dumped once and then known by function object, or, for closures that are made anew, by
 * content. Upvalues are read afresh each time. `_ENV` is an upvalue like any other: its value is the
 * globals or it is not.
 *
 * Layer: value. Locks: none. Invariant: as encoder.h.
 */
#include "value/encoder.h"

#include <string.h>

#include "base/alloc.h"
#include "value/cache.h"
#include "value/guess.h"
#include "value/names.h"

static int write_dump(lua_State *L, const void *bytes, size_t size, void *user)
{
    (void)L;
    struct tutti__encoder *e = user;
    if (e->dump_capacity - e->dump_size < size) {
        size_t capacity = e->dump_capacity * 2 + size + 1024;
        uint8_t *more = tutti__realloc(e->dump, capacity);
        if (more == NULL) {
            return 1;
        }
        e->dump = more;
        e->dump_capacity = capacity;
    }
    if (size > 0) {
        memcpy(e->dump + e->dump_size, bytes, size);
        e->dump_size += size;
    }
    return 0;
}

/* Keep the function at the top for tutti__encoder_remember. */
static void hold(struct tutti__encoder *e, const lua_Debug *ar, struct tutti__proto *proto)
{
    if (e->held_count < TUTTI__FUNCTIONS_HELD_MAX) {
        lua_copy(e->L, -1, e->base + TUTTI__SLOT_HELD + e->held_count);
        e->held[e->held_count++] = (struct tutti__place){.proto = tutti__proto_ref(proto),
                                                        .source = ar->source,
                                                        .first_line = ar->linedefined,
                                                        .last_line = ar->lastlinedefined};
    }
}

/* Dump the function at the top. `*out` is owned. */
static int dump_code(struct tutti__encoder *e, const lua_Debug *ar, struct tutti__proto **out)
{
    e->dump_size = 0;
    if (lua_dump(e->L, write_dump, e, 0) != 0) {
        return TUTTI__STEP_NOMEM;
    }
    struct tutti__proto *proto = tutti__proto_new(e->dump, e->dump_size, ar->nups);
    if (proto == NULL) {
        return TUTTI__STEP_NOMEM;
    }
    struct tutti__cache_entry *known =
        tutti__cache_find(e->L, e->base + TUTTI__SLOT_CACHE, proto);
    if (known != NULL) { /* one prototype for one content: the receivers know its address */
        struct tutti__proto *same = tutti__proto_ref(known->proto);
        lua_pop(e->L, 1);
        tutti__proto_unref(proto);
        proto = same;
    }
    hold(e, ar, proto);
    *out = proto;
    return TUTTI__STEP_DONE;
}

/* The code of the function at the top, if that is what was guessed. */
static bool guess_code(struct tutti__encoder *e, const lua_Debug *ar, struct tutti__proto **out)
{
    int cache = e->base + TUTTI__SLOT_CACHE;
    struct tutti__cache_guess *guess = tutti__guess_find(lua_touserdata(e->L, cache), ar);
    if (guess == NULL || !tutti__guess_compare(e->L, cache, guess)) {
        return false;
    }
    if (++guess->hits % TUTTI__CACHE_EVERY == 0) {
        hold(e, ar, guess->place.proto);
    }
    *out = tutti__proto_ref(guess->place.proto);
    return true;
}

/* The code of the function at the top if it was dumped before; `*out` is owned. */
static bool find_code(struct tutti__encoder *e, struct tutti__proto **out)
{
    lua_pushvalue(e->L, -1);
    lua_rawget(e->L, e->base + TUTTI__SLOT_FUNCTIONS);
    struct tutti__cache_entry *entry = lua_touserdata(e->L, -1);
    if (entry != NULL) {
        *out = tutti__proto_ref(entry->proto);
    }
    lua_pop(e->L, 1);
    return entry != NULL;
}

/* Add `proto` to the message's objects, once; takes it. */
static int add_proto(struct tutti__encoder *e, struct tutti__proto *proto, uint32_t *number)
{
    struct tutti__seen_slot *slot = tutti__seen_find(&e->seen, proto);
    if (slot != NULL && slot->key != NULL) {
        *number = slot->number;
        tutti__proto_unref(proto);
        return TUTTI__STEP_DONE;
    }
    if (slot == NULL || !tutti__writer_object(&e->out, TUTTI__OBJECT_PROTO, proto, number)) {
        tutti__proto_unref(proto);
        return TUTTI__STEP_NOMEM;
    }
    tutti__seen_add(&e->seen, slot, proto, 0, *number);
    return TUTTI__STEP_DONE;
}

/* A function of the library goes by its name, if it has one. Returns DONE without popping when not. */
static int put_by_name(struct tutti__encoder *e, const lua_Debug *ar, bool *written)
{
    *written = false;
    if (!tutti__names_own_source(ar->source, e->opts->library)) {
        return TUTTI__STEP_DONE;
    }
    int rc = tutti__encoder_need_names(e);
    if (rc == TUTTI__STEP_DONE && tutti__encoder_name(e) != 0) {
        *written = true;
        return tutti__encoder_put_named(e);
    }
    return rc;
}

/* Open the Lua function at the top. */
static int open_function(struct tutti__encoder *e, struct tutti__proto *proto)
{
    uint8_t upvalue_count = proto->upvalue_count;
    uint32_t number = 0;
    int rc = add_proto(e, proto, &number);
    if (rc == TUTTI__STEP_DONE) {
        rc = tutti__encoder_open(e, TUTTI__TAG_FUNCTION, sizeof number + 1);
    }
    if (rc == TUTTI__STEP_OPENED) {
        struct tutti__encode_frame *f = &e->frames[e->depth - 1];
        f->is_function = true;
        f->first = 0;
        f->second = upvalue_count;
        uint8_t *end = tutti__put_u32(e->out.start + f->offset + 1, number);
        *end = upvalue_count;
    }
    return rc;
}

static int put_lua_function(struct tutti__encoder *e)
{
    lua_State *L = e->L;
    struct tutti__proto *proto = NULL;
    int rc = tutti__encoder_need_cache(e);
    if (rc != TUTTI__STEP_DONE) {
        return rc;
    }
    if (!find_code(e, &proto)) {
        lua_Debug ar;
        bool written;
        lua_pushvalue(L, -1);
        lua_getinfo(L, ">Su", &ar);
        rc = put_by_name(e, &ar, &written);
        if (written || rc != TUTTI__STEP_DONE) {
            return rc;
        }
        if (!guess_code(e, &ar, &proto)) {
            rc = dump_code(e, &ar, &proto);
            if (rc != TUTTI__STEP_DONE) {
                return rc;
            }
        }
    }
    return open_function(e, proto);
}

static int put_c_function(struct tutti__encoder *e)
{
    int rc = tutti__encoder_need_names(e);
    if (rc != TUTTI__STEP_DONE) {
        return rc;
    }
    if (tutti__encoder_name(e) != 0) {
        return tutti__encoder_put_named(e);
    }
    return e->may_retry ? (int)TUTTI__STEP_RETRY
                        : tutti__encoder_foreign(e, "C function that no loaded module has");
}

int tutti__encoder_put_function(struct tutti__encoder *e)
{
    struct tutti__seen_slot *slot = tutti__seen_find(&e->seen, lua_topointer(e->L, -1));
    if (slot == NULL) {
        return TUTTI__STEP_NOMEM;
    }
    if (slot->key != NULL) {
        return tutti__encoder_put_ref(e, slot->offset);
    }
    return lua_iscfunction(e->L, -1) ? put_c_function(e) : put_lua_function(e);
}

/* The variable behind an upvalue has been written before: point at it. */
static int put_cell(struct tutti__encoder *e, const struct tutti__seen_slot *slot)
{
    if (!tutti__writer_reserve(&e->out, 2 + sizeof slot->offset)) {
        return tutti__encoder_no_room(e);
    }
    e->out.start[slot->offset] |= TUTTI__TAG_SHARED_BIT;
    *e->out.next++ = TUTTI__TAG_CELL;
    e->out.next = tutti__put_u32(e->out.next, slot->offset);
    *e->out.next++ = (uint8_t)slot->number;
    return TUTTI__STEP_DONE;
}

int tutti__encoder_step_function(struct tutti__encoder *e)
{
    lua_State *L = e->L;
    struct tutti__encode_frame *f = &e->frames[e->depth - 1];
    while (f->first < f->second) {
        int n = (int)++f->first;
        const void *variable = lua_upvalueid(L, f->index, n);
        struct tutti__seen_slot *slot = tutti__seen_find(&e->seen, variable);
        if (slot == NULL) {
            return TUTTI__STEP_NOMEM;
        }
        int rc;
        if (slot->key != NULL) {
            rc = put_cell(e, slot);
        } else {
            tutti__seen_add(&e->seen, slot, variable, f->offset, (uint32_t)n);
            lua_getupvalue(L, f->index, n);
            rc = tutti__encoder_put(e);
        }
        if (rc != TUTTI__STEP_DONE) {
            return rc;
        }
    }
    e->depth--;
    lua_pop(L, 1);
    return TUTTI__STEP_DONE;
}

static int remember(lua_State *L)
{
    struct tutti__encoder *e = lua_touserdata(L, 1); /* 2: the cache, then the functions */
    for (int i = 0; i < e->held_count; i++) {
        tutti__cache_dumped(L, 2, 3 + i, e->held[i].proto);
    }
    return 0;
}

void tutti__encoder_remember(struct tutti__encoder *e)
{
    lua_State *L = e->L;
    struct tutti__cache *cache = lua_touserdata(L, e->base + TUTTI__SLOT_CACHE);
    for (int i = 0; i < e->held_count; i++) {
        tutti__guess_set(cache, &e->held[i]);
    }
    lua_pushcfunction(L, remember);
    lua_pushlightuserdata(L, e);
    lua_pushvalue(L, e->base + TUTTI__SLOT_CACHE);
    for (int i = 0; i < e->held_count; i++) {
        lua_pushvalue(L, e->base + TUTTI__SLOT_HELD + i);
    }
    /* Out of memory here only means that the functions are dumped again next time. */
    if (lua_pcall(L, e->held_count + 2, 0, 0) != LUA_OK) {
        lua_pop(L, 1);
    }
}
