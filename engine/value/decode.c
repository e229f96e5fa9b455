/* SPDX-License-Identifier: MIT */
/*
 * decode.c - make Lua values of a message (see codec.h, format.h).
 *
 * Tables and functions that are half made are frames; nothing recurses. Above `base` the Lua stack
 * holds SLOTS_MAX_ slots of our own, then the finished values, then for each frame the table or
 * function and, while its value is read, a key. Runs protected: anything may raise, and owns no C
 * memory but what lies in the userdata of slot FRAMES.
 *
 * Layer: value. Locks: none.
 * Invariant: every open frame is owed at least one byte for each value it still waits for; `owed` is
 * their sum. A table is made only when what it claims is covered by bytes that nobody else is owed,
 * so all tables of a message together are no larger than a constant times its bytes.
 */
#include "value/codec.h"

#include <stdbool.h>
#include <string.h>

#include <lauxlib.h>

#include "value/cache.h"
#include "value/names.h"

enum slot {
    SLOT_REFS = 1, /* offset -> object, for those that something refers to; nil until needed */
    SLOT_FRAMES,   /* userdata with the frames, once there are many */
    SLOT_CACHE,    /* see cache.h; nil until needed */
    SLOTS_MAX_ = SLOT_CACHE,
};

enum wants { WANTS_ITEM, WANTS_KEY, WANTS_VALUE, WANTS_METATABLE, WANTS_UPVALUE, WANTS_CONTENT };

struct frame {
    int index;         /* of the table, function or box on the Lua stack */
    uint32_t items;    /* what is still to come: array items or upvalues, */
    uint32_t pairs;    /* then pairs, */
    bool has_metatable; /* then this */
    uint8_t wants;
    uint32_t done;     /* items or upvalues that have come · box: its kind */
};

#ifdef TUTTI_HARD
enum { FIRST_FRAMES = 2 };
#else
enum { FIRST_FRAMES = 12 };
#endif

struct decoder {
    lua_State *L;
    const struct tutti__decode_opts *opts;
    const struct tutti__buffer *buffer; /* NULL: raw bytes, without objects and names */
    const uint8_t *start;
    const uint8_t *next;
    const uint8_t *end;
    size_t owed;
    int base;
    int env_index;
    uint32_t depth;
    uint32_t frame_capacity;
    struct frame *frames; /* first_frames, or in the userdata */
    struct frame first_frames[FIRST_FRAMES];
};

/* ---- bytes ---------------------------------------------------------------------------------- */

static void fail(struct decoder *d, const char *what)
{
    luaL_error(d->L, "damaged message: %s at byte %I", what, (LUAI_UACINT)(d->next - d->start));
}

static const uint8_t *take(struct decoder *d, size_t size)
{
    if (size > (size_t)(d->end - d->next)) {
        fail(d, "it is cut off");
    }
    const uint8_t *at = d->next;
    d->next += size;
    return at;
}

static uint32_t take_u32(struct decoder *d)
{
    uint32_t value;
    memcpy(&value, take(d, sizeof value), sizeof value);
    return value;
}

/* Promise `count` bytes of what remains to a frame that is being opened. */
static void owe(struct decoder *d, uint64_t count)
{
    size_t rest = (size_t)(d->end - d->next);
    if (rest < d->owed || count > rest - d->owed) {
        fail(d, "more values are announced than can follow");
    }
    d->owed += (size_t)count;
}

/* ---- frames --------------------------------------------------------------------------------- */

static void grow_frames(struct decoder *d)
{
    uint32_t capacity = d->frame_capacity * 2;
    struct frame *more = lua_newuserdatauv(d->L, (size_t)capacity * sizeof *more, 0);
    memcpy(more, d->frames, d->depth * sizeof *more);
    lua_replace(d->L, d->base + SLOT_FRAMES);
    d->frames = more;
    d->frame_capacity = capacity;
}

/* Open a frame for the table or function at the top; the caller fills it. */
static struct frame *open_frame(struct decoder *d)
{
    if (d->depth >= TUTTI_VALUE_DEPTH_MAX) {
        fail(d, "nested too deeply");
    }
    luaL_checkstack(d->L, 8, "nested values");
    if (d->depth == d->frame_capacity) {
        grow_frames(d);
    }
    struct frame *f = &d->frames[d->depth++];
    *f = (struct frame){.index = lua_gettop(d->L)};
    return f;
}

/* Remember the object at the top if its tag says that something refers to it. */
static void note_shared(struct decoder *d, const uint8_t *tag)
{
    lua_State *L = d->L;
    int refs = d->base + SLOT_REFS;
    if ((*tag & TUTTI__TAG_SHARED_BIT) == 0) {
        return;
    }
    if (lua_isnil(L, refs)) {
        lua_createtable(L, 0, 0);
        lua_replace(L, refs);
    }
    lua_pushvalue(L, -1);
    lua_rawseti(L, refs, (lua_Integer)(tag - d->start));
}

static int push_ref(struct decoder *d, uint32_t offset)
{
    if (lua_isnil(d->L, d->base + SLOT_REFS)) {
        fail(d, "reference to nothing");
    }
    int type = lua_rawgeti(d->L, d->base + SLOT_REFS, offset);
    if (type == LUA_TNIL) {
        fail(d, "reference to nothing");
    }
    return type;
}

/* ---- values with parts ---------------------------------------------------------------------- */

/* What a table's frame waits for now. Returns false: nothing, it is whole. */
static bool next_want(struct frame *f)
{
    if (f->items > 0) {
        f->wants = WANTS_ITEM;
    } else if (f->pairs > 0) {
        f->wants = WANTS_KEY;
    } else if (f->has_metatable) {
        f->wants = WANTS_METATABLE;
    } else {
        return false;
    }
    return true;
}

/* Returns true when the table is whole already. */
static bool open_table(struct decoder *d, const uint8_t *tag)
{
    uint32_t items = take_u32(d);
    uint32_t pairs = take_u32(d);
    bool has_metatable = (*tag & ~TUTTI__TAG_SHARED_BIT) == TUTTI__TAG_OBJECT;
    owe(d, (uint64_t)items + 2 * (uint64_t)pairs + has_metatable);
    if (items > INT32_MAX || pairs > INT32_MAX) {
        fail(d, "too many values");
    }
    lua_createtable(d->L, (int)items, (int)pairs);
    note_shared(d, tag);
    if (items + pairs + has_metatable == 0) {
        return true;
    }
    struct frame *f = open_frame(d);
    f->items = items;
    f->pairs = pairs;
    f->has_metatable = has_metatable;
    next_want(f);
    return false;
}

static int cache_slot(struct decoder *d)
{
    int at = d->base + SLOT_CACHE;
    if (lua_isnil(d->L, at)) {
        tutti__cache_open(d->L);
        lua_replace(d->L, at);
    }
    return at;
}

static const struct tutti__object *take_object(struct decoder *d)
{
    uint32_t number = take_u32(d);
    if (d->buffer == NULL || number >= d->buffer->object_count) {
        fail(d, "unknown object");
    }
    return &d->buffer->objects[number];
}

/* Returns true when the function is whole already. */
static bool open_function(struct decoder *d, const uint8_t *tag)
{
    const struct tutti__object *object = take_object(d);
    uint8_t count = *take(d, 1);
    if (object->kind != TUTTI__OBJECT_PROTO) {
        fail(d, "a handle in place of code");
    }
    struct tutti__proto *proto = object->pointer;
    if (proto->upvalue_count != count) {
        fail(d, "wrong number of upvalues");
    }
    owe(d, count);
    tutti__cache_closure(d->L, cache_slot(d), proto);
    note_shared(d, tag);
    if (count == 0) {
        return true;
    }
    struct frame *f = open_frame(d);
    f->items = count;
    f->wants = WANTS_UPVALUE;
    return false;
}

static void open_box(struct decoder *d, const uint8_t *tag)
{
    const struct tutti__value_ops *ops = d->opts->ops;
    uint8_t kind = *take(d, 1);
    if (d->buffer == NULL || ops == NULL || ops->box_make == NULL) {
        fail(d, "an unknown object");
    }
    owe(d, 1);
    luaL_checkstack(d->L, LUA_MINSTACK, "objects");
    ops->box_make(d->L, kind, ops->user);
    note_shared(d, tag);
    struct frame *f = open_frame(d);
    f->done = kind;
    f->wants = WANTS_CONTENT;
}

/* Let the upvalue that comes now be the one of a function made before. */
static void join_cell(struct decoder *d, const struct frame *f)
{
    lua_State *L = d->L;
    uint32_t offset = take_u32(d);
    int number = *take(d, 1);
    if (push_ref(d, offset) != LUA_TFUNCTION || lua_iscfunction(L, -1) ||
        lua_upvalueid(L, -1, number) == NULL) {
        fail(d, "no such variable");
    }
    lua_upvaluejoin(L, f->index, (int)f->done + 1, lua_gettop(L), number);
    lua_pop(L, 1);
}

/* ---- values without parts ------------------------------------------------------------------- */

static void push_globals(struct decoder *d)
{
    if (d->env_index != 0) {
        lua_pushvalue(d->L, d->env_index);
    } else {
        lua_rawgeti(d->L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    }
}

static void push_handle(struct decoder *d)
{
    const struct tutti__object *object = take_object(d);
    if (object->kind == TUTTI__OBJECT_PROTO || d->opts->ops == NULL) {
        fail(d, "no handle");
    }
    int top = lua_gettop(d->L);
    luaL_checkstack(d->L, LUA_MINSTACK, "handles");
    d->opts->ops->handle_decode(d->L, (uint8_t)object->kind, object->pointer, d->opts->ops->user);
    lua_settop(d->L, top + 1);
}

static void push_named(struct decoder *d)
{
    int type = *take(d, 1);
    uint32_t size = take_u32(d);
    const char *name = (const char *)take(d, size);
    if (d->buffer == NULL) {
        fail(d, "a name");
    }
    if (!tutti__names_resolve(d->L, name, size, type)) {
        const struct tutti__value_ops *ops = d->opts->ops;
        if (ops != NULL && ops->refuse != NULL) {
            ops->refuse(d->L, ops->user);
        }
        lua_error(d->L);
    }
}

static void push_string(struct decoder *d, size_t size)
{
    lua_pushlstring(d->L, (const char *)take(d, size), size);
}

#define TAKE_NUMBER(d, type, push)                                                                 \
    do {                                                                                           \
        type number_;                                                                              \
        memcpy(&number_, take((d), sizeof number_), sizeof number_);                               \
        push((d)->L, number_);                                                                     \
    } while (0)

/* Push a number, or a value that is its tag alone. Returns false: it is something else. */
static bool push_simple(struct decoder *d, uint8_t tag)
{
    lua_State *L = d->L;
    if (tag >= TUTTI__TAG_SMALL) {
        lua_pushinteger(L, tag & TUTTI__SMALL_MAX);
        return true;
    }
    if (tag >= TUTTI__TAG_SHORT) {
        push_string(d, tag & TUTTI__SHORT_MAX);
        return true;
    }
    switch (tag) {
    case TUTTI__TAG_NIL:
        lua_pushnil(L);
        return true;
    case TUTTI__TAG_FALSE:
    case TUTTI__TAG_TRUE:
        lua_pushboolean(L, tag == TUTTI__TAG_TRUE);
        return true;
    case TUTTI__TAG_FLOAT:
        TAKE_NUMBER(d, lua_Number, lua_pushnumber);
        return true;
    case TUTTI__TAG_INT8:
        TAKE_NUMBER(d, int8_t, lua_pushinteger);
        return true;
    case TUTTI__TAG_INT16:
        TAKE_NUMBER(d, int16_t, lua_pushinteger);
        return true;
    case TUTTI__TAG_INT32:
        TAKE_NUMBER(d, int32_t, lua_pushinteger);
        return true;
    case TUTTI__TAG_INT64:
        TAKE_NUMBER(d, lua_Integer, lua_pushinteger);
        return true;
    default:
        return false;
    }
}

/* Push the value that comes. Returns true when it is whole, false when a frame was opened for it. */
static bool read_value(struct decoder *d)
{
    const uint8_t *tag = take(d, 1);
    if (push_simple(d, *tag)) {
        return true;
    }
    switch (*tag >= TUTTI__TAG_STRING ? *tag & ~TUTTI__TAG_SHARED_BIT : *tag) {
    case TUTTI__TAG_GLOBALS:
        push_globals(d);
        return true;
    case TUTTI__TAG_REF:
        push_ref(d, take_u32(d));
        return true;
    case TUTTI__TAG_STRING:
        push_string(d, take_u32(d));
        break;
    case TUTTI__TAG_HANDLE:
        push_handle(d);
        break;
    case TUTTI__TAG_NAMED:
        push_named(d);
        break;
    case TUTTI__TAG_TABLE:
    case TUTTI__TAG_OBJECT:
        return open_table(d, tag);
    case TUTTI__TAG_FUNCTION:
        return open_function(d, tag);
    case TUTTI__TAG_BOX:
        open_box(d, tag);
        return false;
    default:
        fail(d, "unknown tag");
    }
    note_shared(d, tag);
    return true;
}

/* ---- putting values together ---------------------------------------------------------------- */

/* Only what has a name can be a metatable: the sender refuses others, and bytes from elsewhere must
 * not bring metamethods. */
static void check_metatable(struct decoder *d)
{
    const uint8_t *tag = d->next;
    if (tag < d->end && *tag == TUTTI__TAG_REF) {
        uint32_t offset;
        tag++;
        if ((size_t)(d->end - tag) >= sizeof offset) {
            memcpy(&offset, tag, sizeof offset);
            tag = offset < (size_t)(d->end - d->start) ? d->start + offset : d->end;
        }
    }
    if (tag >= d->end || (*tag & ~TUTTI__TAG_SHARED_BIT) != TUTTI__TAG_NAMED) {
        fail(d, "a metatable without a name");
    }
}

/* Give the value at the top to the top frame. Returns false when that is whole now. */
static bool deliver(struct decoder *d, struct frame *f)
{
    lua_State *L = d->L;
    switch (f->wants) {
    case WANTS_ITEM:
        lua_rawseti(L, f->index, (lua_Integer)++f->done);
        return --f->items > 0 || next_want(f);
    case WANTS_KEY:
        if (lua_isnil(L, -1)) {
            fail(d, "nil as a key");
        }
        f->wants = WANTS_VALUE;
        return true;
    case WANTS_VALUE:
        lua_rawset(L, f->index);
        f->pairs--;
        return next_want(f);
    case WANTS_METATABLE:
        if (!lua_istable(L, -1)) {
            fail(d, "a metatable that is no table");
        }
        lua_setmetatable(L, f->index);
        return false;
    case WANTS_CONTENT:
        d->opts->ops->box_fill(L, f->index, (uint8_t)f->done, d->opts->ops->user);
        return false;
    default:
        lua_setupvalue(L, f->index, (int)++f->done);
        return --f->items > 0;
    }
}

/* Read array items as long as they are integers of up to 32 bits or floats. As read_items, but only what
 * each element needs. */
static void read_numbers(struct decoder *d, struct frame *f)
{
    lua_State *L = d->L;
    int index = f->index;
    const uint8_t *next = d->next;
    lua_Integer first = (lua_Integer)f->done;
    lua_Integer at = first;
    lua_Integer last = first + f->items;
    while (at < last && (size_t)(d->end - next) > sizeof(lua_Number)) {
        uint8_t tag = *next;
        if (tag >= TUTTI__TAG_SMALL) {
            lua_pushinteger(L, tag & TUTTI__SMALL_MAX);
            next++;
        } else if (tag == TUTTI__TAG_INT32) {
            int32_t value;
            memcpy(&value, next + 1, sizeof value);
            lua_pushinteger(L, value);
            next += 1 + sizeof value;
        } else if (tag == TUTTI__TAG_INT16) {
            int16_t value;
            memcpy(&value, next + 1, sizeof value);
            lua_pushinteger(L, value);
            next += 1 + sizeof value;
        } else if (tag == TUTTI__TAG_FLOAT) {
            lua_Number value;
            memcpy(&value, next + 1, sizeof value);
            lua_pushnumber(L, value);
            next += 1 + sizeof value;
        } else {
            break;
        }
        lua_rawseti(L, index, ++at);
    }
    d->next = next;
    d->owed -= (size_t)(at - first);
    f->done = (uint32_t)at;
    f->items -= (uint32_t)(at - first);
}

/* Read array items up to the first that may have parts. */
static bool read_items(struct decoder *d, struct frame *f)
{
    lua_State *L = d->L;
    read_numbers(d, f);
    while (f->items > 0 && d->next < d->end) {
        uint8_t tag = *d->next;
        if (tag >= TUTTI__TAG_GLOBALS && tag < TUTTI__TAG_SHORT) {
            return true;
        }
        d->next++;
        push_simple(d, tag);
        lua_rawseti(L, f->index, (lua_Integer)++f->done);
        d->owed--;
        f->items--;
    }
    return f->items > 0 || next_want(f);
}

/* Read on in the top frame. Returns true when there is a whole value at the top, for the frame that
 * is the top one then. */
static bool read_part(struct decoder *d)
{
    struct frame *f = &d->frames[d->depth - 1];
    if (f->wants == WANTS_ITEM && !read_items(d, f)) {
        d->depth--;
        return true;
    }
    if (f->wants == WANTS_METATABLE) {
        check_metatable(d);
    }
    d->owed--;
    if (f->wants == WANTS_UPVALUE && d->next < d->end && *d->next == TUTTI__TAG_CELL) {
        d->next++;
        join_cell(d, f);
        f->done++;
        d->depth -= --f->items == 0;
        return f->items == 0;
    }
    return read_value(d);
}

/* Push one value of the message. */
static void read_root(struct decoder *d)
{
    bool is_whole = read_value(d);
    for (;;) {
        while (is_whole && d->depth > 0) {
            is_whole = !deliver(d, &d->frames[d->depth - 1]);
            d->depth -= is_whole;
        }
        if (d->depth == 0) {
            return;
        }
        is_whole = read_part(d);
    }
}

static int decode(struct decoder *d)
{
    lua_State *L = d->L;
    d->base = lua_gettop(L);
    d->env_index = d->opts->env_index != 0 ? lua_absindex(L, d->opts->env_index) : 0;
    d->owed = 0;
    d->depth = 0;
    d->frames = d->first_frames;
    d->frame_capacity = FIRST_FRAMES;
    luaL_checkstack(L, SLOTS_MAX_ + 8, "values");
    lua_settop(L, d->base + SLOTS_MAX_);
    uint32_t count = take_u32(d);
    if (count > TUTTI_VALUE_COUNT_MAX) {
        fail(d, "too many values");
    }
    owe(d, count);
    luaL_checkstack(L, (int)count + 8, "values");
    for (uint32_t i = 0; i < count; i++) {
        d->owed--;
        read_root(d);
    }
    if (d->next != d->end) {
        fail(d, "more bytes than values");
    }
    lua_rotate(L, d->base + 1, -SLOTS_MAX_);
    lua_pop(L, SLOTS_MAX_);
    return (int)count;
}

/* The values of a plain message: nothing refers to any of them, so they need no slots. */
static int decode_plain(struct decoder *d)
{
    uint32_t count = take_u32(d);
    if (count > (size_t)(d->end - d->next)) {
        fail(d, "more values are announced than can follow");
    }
    luaL_checkstack(d->L, (int)count, "values");
    for (uint32_t i = 0; i < count; i++) {
        uint8_t tag = *take(d, 1);
        if (tag == TUTTI__TAG_STRING) {
            push_string(d, take_u32(d));
        } else if (!push_simple(d, tag)) {
            fail(d, "unknown tag");
        }
    }
    if (d->next != d->end) {
        fail(d, "more bytes than values");
    }
    return (int)count;
}

/* Push the function of a call, and set its upvalues. The cache, which needs a place of its own, is where
 * the function will be. */
static void push_called(struct decoder *d)
{
    lua_State *L = d->L;
    int at = lua_gettop(L) + 1;
    tutti__cache_open(L);
    if (*take(d, 1) != TUTTI__TAG_FUNCTION) {
        fail(d, "no function");
    }
    const struct tutti__object *object = take_object(d);
    uint8_t count = *take(d, 1);
    struct tutti__proto *proto = object->pointer;
    if (object->kind != TUTTI__OBJECT_PROTO || proto->upvalue_count != count) {
        fail(d, "wrong number of upvalues");
    }
    tutti__cache_closure(L, at, proto);
    lua_replace(L, at);
    for (int n = 1; n <= count; n++) {
        uint8_t tag = *take(d, 1);
        if (tag == TUTTI__TAG_GLOBALS) {
            push_globals(d);
        } else if (!push_simple(d, tag)) {
            fail(d, "unknown tag");
        }
        lua_setupvalue(L, at, n);
    }
}

/* A function and its arguments, all of them without parts: no slots and no frames either. */
static int decode_call(struct decoder *d)
{
    lua_State *L = d->L;
    d->env_index = d->opts->env_index != 0 ? lua_absindex(L, d->opts->env_index) : 0;
    uint32_t count = take_u32(d);
    if (count == 0 || count > (size_t)(d->end - d->next)) {
        fail(d, "more values are announced than can follow");
    }
    luaL_checkstack(L, (int)count + 8, "values");
    push_called(d);
    for (uint32_t i = 1; i < count; i++) {
        uint8_t tag = *take(d, 1);
        if (tag == TUTTI__TAG_GLOBALS) {
            push_globals(d);
        } else if (!push_simple(d, tag)) {
            fail(d, "unknown tag");
        }
    }
    if (d->next != d->end) {
        fail(d, "more bytes than values");
    }
    return (int)count;
}

static const struct tutti__decode_opts no_opts;

int tutti__value_decode(lua_State *L, struct tutti__buffer *b,
                        const struct tutti__decode_opts *opts)
{
    struct decoder d;
    d.L = L;
    d.opts = opts != NULL ? opts : &no_opts;
    d.buffer = b;
    d.start = b->bytes;
    d.next = b->bytes;
    d.end = b->bytes + b->size;
    if (b->is_plain) {
        return decode_plain(&d);
    }
    return b->is_call ? decode_call(&d) : decode(&d);
}

int tutti__value_decode_raw(lua_State *L, const uint8_t *bytes, size_t size)
{
    struct decoder d;
    d.L = L;
    d.opts = &no_opts;
    d.buffer = NULL;
    d.start = bytes;
    d.next = bytes;
    d.end = bytes + size;
    return decode(&d);
}
