/* SPDX-License-Identifier: MIT */
/*
 * view.c - typed views of buffers: v[i], bounds, conversions (see bytes.h).
 *
 * Layer: lua. Locks: none.
 * Invariant: v[i] reaches memory only after the handle, the index and the value have been checked.
 */
#include "lua/bytes.h"

#include <stdlib.h>
#include <string.h>

struct kind {
    const char *name;
    size_t size;
    lua_Integer least; /* of integers */
    lua_Integer most;
};

static const struct kind kinds[] = {
    [ELEMENT_U8] = { "u8", 1, 0, UINT8_MAX },
    [ELEMENT_I32] = { "i32", 4, INT32_MIN, INT32_MAX },
    [ELEMENT_I64] = { "i64", 8, LUA_MININTEGER, LUA_MAXINTEGER },
    [ELEMENT_F32] = { "f32", 4, 0, 0 },
    [ELEMENT_F64] = { "f64", 8, 0, 0 },
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

typedef TUTTI_ATOMIC(uint8_t) shared8;
typedef TUTTI_ATOMIC(uint32_t) shared32;
typedef TUTTI_ATOMIC(uint64_t) shared64;

/* ---- life and handles ---------------------------------------------------------------------- */

void tutti__view_ref(struct tutti__view *view)
{
    /* Whoever adds a reference has one, so nothing needs to be ordered. */
    (void)TUTTI_FETCH_ADD(&view->refs, 1u, relaxed);
}

void tutti__view_unref(struct tutti__view *view)
{
    if (TUTTI_FETCH_SUB(&view->refs, 1u, acq_rel) != 1u)
        return;
    tutti__bytes_unref(view->bytes);
    free(view);
}

static void ref_view(void *object)
{
    tutti__view_ref((struct tutti__view *)object);
}

void tutti__view_push(lua_State *L, struct tutti__lua *lua, struct tutti__view *view)
{
    (void)tutti__handle_push(L, lua, "tutti.view", view, ref_view);
}

struct tutti__view *tutti__view_test(lua_State *L, int index)
{
    struct tutti__view **box = (struct tutti__view **)luaL_testudata(L, index, "tutti.view");
    return box == NULL ? NULL : *box;
}

static struct tutti__view *check(lua_State *L)
{
    struct tutti__view *view = tutti__view_test(L, 1);
    if (view == NULL)
        tutti__usage(L, 1, "a view was expected, got %s (methods are called with a colon: v:fill(0))",
                     luaL_typename(L, 1));
    return view;
}

static int l_collect(lua_State *L)
{
    struct tutti__view **box = (struct tutti__view **)lua_touserdata(L, 1);
    if (*box != NULL)
        tutti__view_unref(*box);
    *box = NULL;
    return 0;
}

/* ---- making one ---------------------------------------------------------------------------- */

static enum tutti__element check_element(lua_State *L, int index)
{
    const char *name = lua_type(L, index) == LUA_TSTRING ? lua_tostring(L, index) : NULL;
    for (int i = 0; name != NULL && i < KINDS; i++) {
        if (strcmp(name, kinds[i].name) == 0)
            return (enum tutti__element)i;
    }
    tutti__usage(L, 1, "buffer:view: the type of the elements must be \"u8\", \"i32\", \"i64\", \"f32\" or "
                       "\"f64\", got %s",
                 luaL_tolstring(L, index, NULL));
    return ELEMENT_U8;
}

/* A count at `index` that is not negative. */
static size_t check_count(lua_State *L, int index, size_t missing, const char *what)
{
    int is_integer = 1;
    if (lua_isnoneornil(L, index))
        return missing;
    lua_Integer count = lua_tointegerx(L, index, &is_integer);
    if (!is_integer || lua_type(L, index) != LUA_TNUMBER || count < 0)
        tutti__usage(L, 1, "buffer:view: %s must be an integer >= 0, got %s", what,
                     luaL_tolstring(L, index, NULL));
    return (size_t)count;
}

int tutti__view_new(lua_State *L)
{
    struct tutti__bytes *bytes = tutti__bytes_test(L, 1);
    if (bytes == NULL)
        return tutti__usage(L, 1, "a buffer was expected, got %s (b:view(\"f64\"))", luaL_typename(L, 1));
    enum tutti__element element = check_element(L, 2);
    const struct kind *kind = &kinds[element];
    size_t offset = check_count(L, 3, 0, "the offset (in bytes)");
    if (offset % kind->size != 0)
        return tutti__usage(L, 1, "buffer:view: the offset of %s elements must be a multiple of %d bytes, "
                                  "got %I", kind->name, (int)kind->size, (LUAI_UACINT)offset);
    size_t room = offset <= bytes->size ? (bytes->size - offset) / kind->size : 0;
    size_t count = check_count(L, 4, room, "the count");
    if (offset > bytes->size || count > room)
        return tutti__usage(L, 1, "buffer:view: %I %s elements from byte %I on do not fit into a buffer of "
                                  "%I bytes",
                            (LUAI_UACINT)count, kind->name, (LUAI_UACINT)offset, (LUAI_UACINT)bytes->size);
    struct tutti__view *view = (struct tutti__view *)calloc(1, sizeof *view);
    if (view == NULL)
        return luaL_error(L, "not enough memory for a view");
    TUTTI_STORE(&view->refs, 1u, relaxed); /* nobody else knows it yet */
    tutti__bytes_ref(bytes);
    view->bytes = bytes;
    view->element = element;
    view->offset = offset;
    view->count = count;
    tutti__view_push(L, tutti__lua_of(L), view);
    tutti__view_unref(view);
    return 1;
}

/* ---- elements ------------------------------------------------------------------------------ */

/* Where the n-th element, from 0, lies. */
static void *element_at(const struct tutti__view *view, size_t n)
{
    return view->bytes->data + view->offset + n * kinds[view->element].size;
}

static void push_element(lua_State *L, const struct tutti__view *view, size_t n)
{
    void *at = element_at(view, n);
    uint32_t bits32;
    uint64_t bits64;
    float single;
    double number;
    switch (view->element) {
    case ELEMENT_U8:
        lua_pushinteger(L, TUTTI_LOAD((shared8 *)at, relaxed));
        break;
    case ELEMENT_I32:
        lua_pushinteger(L, (int32_t)TUTTI_LOAD((shared32 *)at, relaxed));
        break;
    case ELEMENT_I64:
        lua_pushinteger(L, (lua_Integer)TUTTI_LOAD((shared64 *)at, relaxed));
        break;
    case ELEMENT_F32:
        bits32 = TUTTI_LOAD((shared32 *)at, relaxed);
        memcpy(&single, &bits32, sizeof single);
        lua_pushnumber(L, (lua_Number)single);
        break;
    default:
        bits64 = TUTTI_LOAD((shared64 *)at, relaxed);
        memcpy(&number, &bits64, sizeof number);
        lua_pushnumber(L, number);
        break;
    }
}

/* The bits of the value at `index` as an element of this kind. */
static uint64_t check_bits(lua_State *L, enum tutti__element element, int index)
{
    const struct kind *kind = &kinds[element];
    if (lua_type(L, index) != LUA_TNUMBER)
        tutti__usage(L, 1, "a view of %s holds numbers, got %s", kind->name, luaL_typename(L, index));
    uint64_t bits64 = 0;
    if (element == ELEMENT_F64) {
        double number = lua_tonumber(L, index);
        memcpy(&bits64, &number, sizeof bits64);
        return bits64;
    }
    if (element == ELEMENT_F32) {
        uint32_t bits32;
        float single = (float)lua_tonumber(L, index);
        memcpy(&bits32, &single, sizeof bits32);
        return bits32;
    }
    int is_integer;
    lua_Integer integer = lua_tointegerx(L, index, &is_integer);
    if (!is_integer || integer < kind->least || integer > kind->most)
        tutti__usage(L, 1, "%s is no %s (an integer from %I to %I)", luaL_tolstring(L, index, NULL),
                     kind->name, (LUAI_UACINT)kind->least, (LUAI_UACINT)kind->most);
    return (uint64_t)integer;
}

static void set_element(const struct tutti__view *view, size_t n, uint64_t bits)
{
    void *at = element_at(view, n);
    switch (kinds[view->element].size) {
    case 1:
        TUTTI_STORE((shared8 *)at, (uint8_t)bits, relaxed);
        break;
    case sizeof(uint32_t):
        TUTTI_STORE((shared32 *)at, (uint32_t)bits, relaxed);
        break;
    default:
        TUTTI_STORE((shared64 *)at, bits, relaxed);
        break;
    }
}

/* The view of v[i], by the metatable in upvalue 2: a search in the registry would cost as much again. */
static const struct tutti__view *indexed_view(lua_State *L)
{
    struct tutti__view **box = (struct tutti__view **)lua_touserdata(L, 1);
    if (box != NULL && lua_getmetatable(L, 1)) {
        bool is_view = lua_rawequal(L, -1, lua_upvalueindex(2)) != 0;
        lua_pop(L, 1);
        if (is_view)
            return *box;
    }
    return check(L);
}

static int refuse_index(lua_State *L, const struct tutti__view *view)
{
    return tutti__usage(L, 1, "index %s is outside of a view of %I elements (from 1)",
                        luaL_tolstring(L, 2, NULL), (LUAI_UACINT)view->count);
}

/* Does C code read the element, as ipairs and table.unpack do? Their loops end with a nil. */
static bool is_read_by_c(lua_State *L)
{
    lua_Debug ar;
    return lua_getstack(L, 1, &ar) && lua_getinfo(L, "S", &ar) && ar.what[0] == 'C';
}

/* view[i] -> number; for ipairs nil one behind the end. Or a method.   [-2, +1, v] */
static int l_index(lua_State *L)
{
    int is_integer;
    const struct tutti__view *view = indexed_view(L);
    if (lua_type(L, 2) != LUA_TNUMBER) {
        lua_pushvalue(L, 2);
        if (lua_rawget(L, lua_upvalueindex(2)) != LUA_TNIL)
            return 1;
        return tutti__usage(L, 1, "a view has no field \"%s\"", luaL_tolstring(L, 2, NULL));
    }
    lua_Unsigned n = (lua_Unsigned)lua_tointegerx(L, 2, &is_integer) - 1;
    if (is_integer && n < view->count)
        push_element(L, view, n);
    else if (is_integer && n == view->count && is_read_by_c(L))
        lua_pushnil(L);
    else
        return refuse_index(L, view);
    return 1;
}

/* view[i] = number   [-3, +0, v] */
static int l_newindex(lua_State *L)
{
    int is_integer = 0;
    const struct tutti__view *view = indexed_view(L);
    lua_Unsigned n = 0;
    if (lua_type(L, 2) == LUA_TNUMBER)
        n = (lua_Unsigned)lua_tointegerx(L, 2, &is_integer) - 1;
    if (!is_integer || n >= view->count)
        return refuse_index(L, view);
    set_element(view, n, check_bits(L, view->element, 3));
    return 0;
}

void tutti__view_accessors(lua_State *L, struct tutti__lua *lua)
{
    static const luaL_Reg accessors[] = {
        { "__index", l_index }, { "__newindex", l_newindex }, { NULL, NULL },
    };
    for (const luaL_Reg *reg = accessors; reg->name != NULL; reg++) {
        lua_pushlightuserdata(L, lua);
        lua_pushvalue(L, -2);
        lua_pushcclosure(L, reg->func, 2);
        lua_setfield(L, -2, reg->name);
    }
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__names"); /* for completion: the methods are in the metatable itself */
}

/* ---- methods ------------------------------------------------------------------------------- */

/* #view, in elements   [-1, +1, v] */
static int l_len(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)check(L)->count);
    return 1;
}

static int l_tostring(lua_State *L)
{
    const struct tutti__view *view = check(L);
    lua_pushfstring(L, "view of %I %s in a buffer of %I bytes", (LUAI_UACINT)view->count,
                    kinds[view->element].name, (LUAI_UACINT)view->bytes->size);
    return 1;
}

/* view:fill(number, [first, last]): set those elements, by default all   [-4, +0, v] */
static int l_fill(lua_State *L)
{
    const struct tutti__view *view = check(L);
    uint64_t bits = check_bits(L, view->element, 2);
    lua_Integer first = luaL_optinteger(L, 3, 1);
    lua_Integer last = luaL_optinteger(L, 4, (lua_Integer)view->count);
    if (first < 1 || last > (lua_Integer)view->count)
        return tutti__usage(L, 1, "view:fill: elements %I to %I are not all in a view of %I (from 1)",
                            (LUAI_UACINT)first, (LUAI_UACINT)last, (LUAI_UACINT)view->count);
    for (lua_Integer i = first; i <= last; i++)
        set_element(view, (size_t)i - 1, bits);
    return 0;
}

/* view:type() -> "u8" | "i32" | "i64" | "f32" | "f64"   [-1, +1, v] */
static int l_type(lua_State *L)
{
    lua_pushstring(L, kinds[check(L)->element].name);
    return 1;
}

/* view:offset() -> where in the buffer it begins, in bytes   [-1, +1, v] */
static int l_offset(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)check(L)->offset);
    return 1;
}

/* view:buffer() -> buffer   [-1, +1, v] */
static int l_buffer(lua_State *L)
{
    tutti__bytes_push(L, tutti__lua_of(L), check(L)->bytes);
    return 1;
}

const luaL_Reg tutti__view_methods[] = {
    { "fill", l_fill },     { "type", l_type },           { "offset", l_offset }, { "buffer", l_buffer },
    { "__len", l_len },     { "__tostring", l_tostring }, { "__gc", l_collect },  { NULL, NULL },
};
