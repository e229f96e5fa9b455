/* SPDX-License-Identifier: MIT */
/*
 * encode.c - write Lua values as one message (see codec.h, encoder.h, format.h).
 *
 * Layer: value. Locks: none.
 * Invariant: a step leaves the Lua stack as the frames describe it, also when it fails: the path is
 * read from it before it is cut back.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "value/cache.h"
#include "value/call.h"
#include "value/encoder.h"
#include "value/names.h"
#include "value/plain.h"

static const struct tutti__encode_opts no_opts;

int tutti__encoder_refuse(struct tutti__encoder *e, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(e->reason, sizeof e->reason, format, ap);
    va_end(ap);
    return TUTTI__STEP_REFUSED;
}

int tutti__encoder_foreign(struct tutti__encoder *e, const char *what)
{
    tutti__encoder_refuse(e, "%s", what);
    return TUTTI__STEP_FOREIGN;
}

int tutti__encoder_no_room(struct tutti__encoder *e)
{
    if (!e->out.too_large) {
        return TUTTI__STEP_NOMEM;
    }
    return tutti__encoder_refuse(e, "the message is larger than %zu bytes", e->out.bytes_max);
}

int tutti__encoder_need_cache(struct tutti__encoder *e)
{
    lua_State *L = e->L;
    if (e->has_cache) {
        return TUTTI__STEP_DONE;
    }
    if (tutti__cache_get(L) == NULL) {
        return TUTTI__STEP_RETRY;
    }
    int at = e->base + TUTTI__SLOT_CACHE;
    lua_replace(L, at);
    lua_getiuservalue(L, at, TUTTI__CACHE_NAMES);
    lua_replace(L, e->base + TUTTI__SLOT_NAMES);
    lua_getiuservalue(L, at, TUTTI__CACHE_FUNCTIONS);
    lua_replace(L, e->base + TUTTI__SLOT_FUNCTIONS);
    e->has_cache = true;
    return TUTTI__STEP_DONE;
}

int tutti__encoder_need_names(struct tutti__encoder *e)
{
    if (e->has_names) {
        return TUTTI__STEP_DONE;
    }
    int rc = tutti__encoder_need_cache(e);
    if (rc != TUTTI__STEP_DONE) {
        return rc;
    }
    int at = e->base + TUTTI__SLOT_CACHE;
    const struct tutti__cache *cache = lua_touserdata(e->L, at);
    if (e->may_retry && cache->loaded_mark != tutti__names_mark(e->L, at)) {
        return TUTTI__STEP_RETRY;
    }
    e->has_names = true;
    return TUTTI__STEP_DONE;
}

char tutti__encoder_name(struct tutti__encoder *e)
{
    lua_State *L = e->L;
    lua_pushvalue(L, -1);
    if (lua_rawget(L, e->base + TUTTI__SLOT_NAMES) == LUA_TSTRING) {
        return lua_tostring(L, -1)[0];
    }
    lua_pop(L, 1);
    return 0;
}

int tutti__encoder_put_ref(struct tutti__encoder *e, uint32_t offset)
{
    if (!tutti__writer_reserve(&e->out, 1 + sizeof offset)) {
        return tutti__encoder_no_room(e);
    }
    e->out.start[offset] |= TUTTI__TAG_SHARED_BIT;
    *e->out.next++ = TUTTI__TAG_REF;
    e->out.next = tutti__put_u32(e->out.next, offset);
    lua_pop(e->L, 1);
    return TUTTI__STEP_DONE;
}

/* Remember that the object at `index` stands at the next byte. */
static int note_seen(struct tutti__encoder *e, int index)
{
    const void *address = lua_topointer(e->L, index);
    struct tutti__seen_slot *slot = tutti__seen_find(&e->seen, address);
    if (slot == NULL) {
        return TUTTI__STEP_NOMEM;
    }
    tutti__seen_add(&e->seen, slot, address, tutti__writer_offset(&e->out), 0);
    return TUTTI__STEP_DONE;
}

int tutti__encoder_put_named(struct tutti__encoder *e)
{
    lua_State *L = e->L;
    size_t size;
    const char *name = lua_tolstring(L, -1, &size);
    name++; /* behind the letter of its kind */
    size--;
    if (!tutti__writer_reserve(&e->out, 2 + sizeof(uint32_t) + size)) {
        return tutti__encoder_no_room(e);
    }
    int rc = note_seen(e, -2);
    if (rc != TUTTI__STEP_DONE) {
        return rc;
    }
    *e->out.next++ = TUTTI__TAG_NAMED;
    *e->out.next++ = (uint8_t)lua_type(L, -2);
    e->out.next = tutti__put_u32(e->out.next, (uint32_t)size);
    memcpy(e->out.next, name, size);
    e->out.next += size;
    lua_pop(L, 2);
    return TUTTI__STEP_DONE;
}

static bool grow_frames(struct tutti__encoder *e)
{
    bool first = e->frames == e->first_frames;
    uint32_t capacity = e->frame_capacity * 2;
    struct tutti__encode_frame *more =
        tutti__realloc(first ? NULL : e->frames, (size_t)capacity * sizeof *more);
    if (more == NULL) {
        return false;
    }
    if (first) {
        memcpy(more, e->first_frames, sizeof e->first_frames);
    }
    e->frames = more;
    e->frame_capacity = capacity;
    return true;
}

int tutti__encoder_open(struct tutti__encoder *e, uint8_t tag, size_t head_bytes)
{
    uint32_t depth_max = e->opts->depth_max != 0 ? e->opts->depth_max : TUTTI_VALUE_DEPTH_MAX;
    if (e->depth >= depth_max) {
        return tutti__encoder_refuse(e, "nested deeper than %u", (unsigned)depth_max);
    }
    if (!lua_checkstack(e->L, TUTTI__STACK_SPARE)) {
        return tutti__encoder_refuse(e, "no room on the Lua stack for more nesting");
    }
    if (e->depth == e->frame_capacity && !grow_frames(e)) {
        return TUTTI__STEP_NOMEM;
    }
    if (!tutti__writer_reserve(&e->out, 1 + head_bytes)) {
        return tutti__encoder_no_room(e);
    }
    int rc = note_seen(e, -1);
    if (rc != TUTTI__STEP_DONE) {
        return rc;
    }
    e->frames[e->depth++] = (struct tutti__encode_frame){
        .index = lua_gettop(e->L), .offset = tutti__writer_offset(&e->out)};
    *e->out.next++ = tag;
    memset(e->out.next, 0, head_bytes);
    e->out.next += head_bytes;
    return TUTTI__STEP_OPENED;
}

/* ---- values without parts ------------------------------------------------------------------ */

/* A long string may be there already: they are known by the address of their characters. */
static int put_long_string(struct tutti__encoder *e, const char *s, size_t size)
{
    struct tutti__seen_slot *slot = tutti__seen_find(&e->seen, s);
    if (slot == NULL) {
        return TUTTI__STEP_NOMEM;
    }
    if (slot->key != NULL) {
        uint32_t offset = slot->offset;
        lua_pushnil(e->L); /* put_ref pops */
        return tutti__encoder_put_ref(e, offset);
    }
    if (size > TUTTI_VALUE_BYTES_MAX ||
        !tutti__writer_reserve(&e->out, TUTTI__STRING_HEAD_BYTES_MAX + size)) {
        e->out.too_large = e->out.too_large || size > TUTTI_VALUE_BYTES_MAX;
        return tutti__encoder_no_room(e);
    }
    tutti__seen_add(&e->seen, slot, s, tutti__writer_offset(&e->out), 0);
    e->out.next = tutti__put_string(e->out.next, s, size);
    return TUTTI__STEP_DONE;
}

static int put_string(struct tutti__encoder *e, int index)
{
    size_t size;
    const char *s = lua_tolstring(e->L, index, &size); /* is a string: nothing is converted */
    if (size > TUTTI__SHORT_MAX) {
        return put_long_string(e, s, size);
    }
    if (!tutti__writer_reserve(&e->out, 1 + size)) {
        return tutti__encoder_no_room(e);
    }
    e->out.next = tutti__put_string(e->out.next, s, size);
    return TUTTI__STEP_DONE;
}

int tutti__encoder_put_plain(struct tutti__encoder *e, int index)
{
    lua_State *L = e->L;
    int type = lua_type(L, index);
    if (type == LUA_TSTRING) {
        return put_string(e, index);
    }
    if (!tutti__writer_reserve(&e->out, TUTTI__NUMBER_BYTES_MAX)) {
        return tutti__encoder_no_room(e);
    }
    switch (type) {
    case LUA_TNIL:
        *e->out.next++ = TUTTI__TAG_NIL;
        return TUTTI__STEP_DONE;
    case LUA_TBOOLEAN:
        *e->out.next++ = lua_toboolean(L, index) ? TUTTI__TAG_TRUE : TUTTI__TAG_FALSE;
        return TUTTI__STEP_DONE;
    case LUA_TNUMBER:
        if (lua_isinteger(L, index)) {
            e->out.next = tutti__put_integer(e->out.next, lua_tointegerx(L, index, NULL));
        } else {
            e->out.next = tutti__put_float(e->out.next, lua_tonumberx(L, index, NULL));
        }
        return TUTTI__STEP_DONE;
    default:
        return TUTTI__STEP_OPENED;
    }
}

/* ---- objects -------------------------------------------------------------------------------- */

static int put_handle(struct tutti__encoder *e, uint8_t kind, void *object)
{
    uint32_t number;
    if (!tutti__writer_object(&e->out, kind, object, &number)) {
        e->opts->ops->handle_drop(kind, object);
        return TUTTI__STEP_NOMEM;
    }
    if (!tutti__writer_reserve(&e->out, 1 + sizeof number)) {
        return tutti__encoder_no_room(e);
    }
    int rc = note_seen(e, -1);
    if (rc == TUTTI__STEP_DONE) {
        *e->out.next++ = TUTTI__TAG_HANDLE;
        e->out.next = tutti__put_u32(e->out.next, number);
        lua_pop(e->L, 1);
    }
    return rc;
}

/* Open the box at the top. */
static int open_box(struct tutti__encoder *e, uint8_t kind)
{
    int rc = tutti__encoder_open(e, TUTTI__TAG_BOX, 1);
    if (rc == TUTTI__STEP_OPENED) {
        struct tutti__encode_frame *f = &e->frames[e->depth - 1];
        e->out.start[f->offset + 1] = kind;
        f->is_box = true;
        f->second = kind;
        e->boxes++;
    }
    return rc;
}

static int step_box(struct tutti__encoder *e)
{
    struct tutti__encode_frame *f = &e->frames[e->depth - 1];
    if (f->first++ == 0) {
        const struct tutti__value_ops *ops = e->opts->ops;
        ops->box_push(e->L, f->index, (uint8_t)f->second, ops->user);
        int rc = tutti__encoder_put(e);
        if (rc != TUTTI__STEP_DONE) {
            return rc;
        }
    }
    e->boxes--;
    e->depth--;
    lua_pop(e->L, 1);
    return TUTTI__STEP_DONE;
}

static int put_foreign(struct tutti__encoder *e)
{
    const struct tutti__value_ops *ops = e->opts->ops;
    int rc = tutti__encoder_need_names(e);
    if (rc == TUTTI__STEP_DONE && tutti__encoder_name(e) != 0) {
        return tutti__encoder_put_named(e);
    }
    if (rc == TUTTI__STEP_DONE && ops != NULL && ops->box_kind != NULL) {
        uint8_t kind = ops->box_kind(e->L, lua_gettop(e->L), ops->user);
        if (kind != 0) {
            return open_box(e, kind);
        }
    }
    return rc != TUTTI__STEP_DONE ? rc : tutti__encoder_foreign(e, "userdata");
}

static int put_userdata(struct tutti__encoder *e)
{
    const struct tutti__value_ops *ops = e->opts->ops;
    struct tutti__seen_slot *slot = tutti__seen_find(&e->seen, lua_topointer(e->L, -1));
    if (slot == NULL) {
        return TUTTI__STEP_NOMEM;
    }
    if (slot->key != NULL) {
        return tutti__encoder_put_ref(e, slot->offset);
    }
    if (ops != NULL && ops->handle_encode != NULL) {
        uint8_t kind = 0;
        void *object = NULL;
        const char *why = "this handle may not cross";
        int answer = ops->handle_encode(e->L, lua_gettop(e->L), &kind, &object, &why, ops->user);
        if (answer != 0) {
            return answer > 0 ? put_handle(e, kind, object) : tutti__encoder_foreign(e, why);
        }
    }
    return put_foreign(e);
}

static int put_object(struct tutti__encoder *e)
{
    switch (lua_type(e->L, -1)) {
    case LUA_TTABLE:
        return tutti__encoder_put_table(e);
    case LUA_TFUNCTION:
        return tutti__encoder_put_function(e);
    case LUA_TUSERDATA:
        return put_userdata(e);
    case LUA_TLIGHTUSERDATA:
        return tutti__encoder_foreign(e, "light userdata");
    default:
        return tutti__encoder_foreign(e, lua_typename(e->L, lua_type(e->L, -1)));
    }
}

/* Write a string in place of the value at the top, which may not cross. */
static int put_description(struct tutti__encoder *e)
{
    char text[sizeof e->reason + 2];
    size_t size = (size_t)snprintf(text, sizeof text, "(%s)", e->reason);
    if (!tutti__writer_reserve(&e->out, TUTTI__STRING_HEAD_BYTES_MAX + size)) {
        return tutti__encoder_no_room(e);
    }
    e->out.next = tutti__put_string(e->out.next, text, size);
    lua_pop(e->L, 1);
    return TUTTI__STEP_DONE;
}

int tutti__encoder_put(struct tutti__encoder *e)
{
    int rc = tutti__encoder_put_plain(e, -1);
    if (rc == TUTTI__STEP_DONE) {
        lua_pop(e->L, 1);
    } else if (rc == TUTTI__STEP_OPENED) {
        rc = put_object(e);
        if (rc == TUTTI__STEP_FOREIGN) {
            rc = e->boxes > 0 ? put_description(e) : (int)TUTTI__STEP_REFUSED;
        }
    }
    return rc;
}

/* ---- messages ------------------------------------------------------------------------------- */

static int encode_root(struct tutti__encoder *e)
{
    lua_pushvalue(e->L, e->first + e->root);
    int rc = tutti__encoder_put(e);
    while (rc >= 0 && e->depth > 0) {
        const struct tutti__encode_frame *f = &e->frames[e->depth - 1];
        rc = f->is_function ? tutti__encoder_step_function(e)
             : f->is_box    ? step_box(e)
                            : tutti__encoder_step_table(e);
    }
    return rc;
}

static int encode_all(struct tutti__encoder *e)
{
    if (e->count > TUTTI_VALUE_COUNT_MAX) {
        return tutti__encoder_refuse(e, "more than %d values in one message",
                                     (int)TUTTI_VALUE_COUNT_MAX);
    }
    if (!tutti__writer_reserve(&e->out, TUTTI__MESSAGE_HEAD_BYTES)) {
        return tutti__encoder_no_room(e);
    }
    e->out.next = tutti__put_u32(e->out.next, (uint32_t)e->count);
    for (e->root = 0; e->root < e->count; e->root++) {
        int rc = encode_root(e);
        if (rc < 0) {
            return rc;
        }
    }
    return TUTTI__STEP_DONE;
}

static size_t message_bytes_max(const struct tutti__encode_opts *opts)
{
    size_t wanted = opts->bytes_max;
    return wanted == 0 || wanted > TUTTI_VALUE_BYTES_MAX ? TUTTI_VALUE_BYTES_MAX : wanted;
}

static void begin(struct tutti__encoder *e)
{
    e->root = 0;
    e->depth = 0;
    e->boxes = 0;
    e->has_cache = false;
    e->has_names = false;
    e->held_count = 0;
    e->dump = NULL;
    e->dump_capacity = 0;
    e->frames = e->first_frames;
    e->frame_capacity = TUTTI__FIRST_FRAMES;
    tutti__writer_init(&e->out, e->opts->ops, message_bytes_max(e->opts));
    tutti__seen_init(&e->seen);
    lua_settop(e->L, e->base + TUTTI__SLOTS_MAX_);
}

static void end(struct tutti__encoder *e)
{
    lua_settop(e->L, e->base);
    for (int i = 0; i < e->held_count; i++) {
        tutti__proto_unref(e->held[i].proto);
    }
    tutti__free(e->dump);
    if (e->frames != e->first_frames) {
        tutti__free(e->frames);
    }
    tutti__seen_deinit(&e->seen);
    tutti__writer_deinit(&e->out);
}

static int fill_names(lua_State *L)
{
    const char *library = lua_touserdata(L, 1);
    tutti__cache_open(L);
    tutti__names_fill(L, lua_gettop(L), library);
    return 0;
}

/* Learn the names of this state. No frame is open. */
static int prepare(struct tutti__encoder *e)
{
    lua_State *L = e->L;
    e->may_retry = false;
    lua_pushcfunction(L, fill_names);
    lua_pushlightuserdata(L, (void *)(uintptr_t)e->opts->library);
    int status = lua_pcall(L, 1, 0, 0);
    if (status == LUA_OK) {
        return TUTTI__STEP_DONE;
    }
    const char *message = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "error";
    tutti__encoder_refuse(e, "%s", message);
    return status == LUA_ERRMEM ? TUTTI__STEP_NOMEM : TUTTI__STEP_REFUSED;
}

static int encode_message(struct tutti__encoder *e)
{
    e->may_retry = true;
    begin(e);
    int rc = encode_all(e);
    if (rc == TUTTI__STEP_RETRY) {
        end(e);
        rc = prepare(e);
        begin(e);
        if (rc == TUTTI__STEP_DONE) {
            rc = encode_all(e);
        }
    }
    return rc;
}

/* The two tables that are the globals, by address. */
static void find_globals(struct tutti__encoder *e)
{
    lua_State *L = e->L;
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    e->globals = lua_topointer(L, -1);
    lua_pop(L, 1);
    e->env = e->opts->env_index != 0 ? lua_topointer(L, e->opts->env_index) : NULL;
}

static int finish(struct tutti__encoder *e, struct tutti__buffer **out)
{
    struct tutti__buffer *b = tutti__writer_seal(&e->out);
    if (b == NULL) {
        return TUTTI__STEP_NOMEM;
    }
    if (e->held_count > 0) {
        tutti__encoder_remember(e);
    }
    *out = b;
    return TUTTI__STEP_DONE;
}

/* The short ways for what most messages are; NULL: it is something else. */
static struct tutti__buffer *encode_shortly(lua_State *L, int first, int count,
                                            const struct tutti__encode_opts *opts)
{
    size_t bytes_max = message_bytes_max(opts);
    if (count > 0 && lua_isfunction(L, first)) {
        return tutti__call_encode(L, first, count, opts, bytes_max);
    }
    return tutti__plain_encode(L, first, count, bytes_max);
}

int tutti__value_encode(lua_State *L, int first, int count, const struct tutti__encode_opts *opts,
                        struct tutti__buffer **out, char *err, size_t err_bytes)
{
    opts = opts != NULL ? opts : &no_opts;
    first = lua_absindex(L, first);
    *out = encode_shortly(L, first, count, opts);
    if (*out != NULL) {
        return TUTTI__VALUE_OK;
    }
    struct tutti__encoder e;
    e.L = L;
    e.opts = opts;
    e.first = first;
    e.count = count;
    e.base = lua_gettop(L);
    if (!lua_checkstack(L, TUTTI__SLOTS_MAX_ + TUTTI__STACK_SPARE)) {
        snprintf(err, err_bytes, "no room on the Lua stack");
        return TUTTI__VALUE_REFUSED;
    }
    find_globals(&e);
    int rc = encode_message(&e);
    if (rc == TUTTI__STEP_DONE) {
        rc = finish(&e, out);
    }
    if (rc == TUTTI__STEP_NOMEM) {
        snprintf(err, err_bytes, "not enough memory");
    } else if (rc == TUTTI__STEP_REFUSED) {
        tutti__path_write(&e, e.reason, err, err_bytes);
    }
    end(&e);
    return rc;
}
