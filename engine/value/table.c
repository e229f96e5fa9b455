/* SPDX-License-Identifier: MIT */
/*
 * table.c - the encoder's half that deals with tables.
 *
 * One pass of lua_next: as long as the keys come as 1, 2, 3 ... only values are written (the array);
 * from the first other key on, pairs. Both counts go into the head when the table is closed.
 *
 * Layer: value. Locks: none. Invariant: as encoder.h.
 */
#include <string.h>

#include "value/encoder.h"
#include "value/names.h"

static int put_globals(struct tutti__encoder *e)
{
    if (!tutti__writer_reserve(&e->out, 1)) {
        return tutti__encoder_no_room(e);
    }
    *e->out.next++ = TUTTI__TAG_GLOBALS;
    e->out.has_globals = true;
    lua_pop(e->L, 1);
    return TUTTI__STEP_DONE;
}

/* Has the table at the top a metatable, and has that a name? */
static int check_metatable(struct tutti__encoder *e, bool *has_metatable)
{
    lua_State *L = e->L;
    *has_metatable = lua_getmetatable(L, -1) != 0;
    if (!*has_metatable) {
        return TUTTI__STEP_DONE;
    }
    char kind = tutti__encoder_name(e);
    lua_pop(L, kind != 0 ? 2 : 1);
    if (kind != 0) {
        return TUTTI__STEP_DONE;
    }
    *has_metatable = false; /* inside a box it crosses without */
    if (e->may_retry) {
        return TUTTI__STEP_RETRY;
    }
    return e->boxes > 0 ? (int)TUTTI__STEP_DONE
                        : tutti__encoder_foreign(e, "table with a metatable that has no name "
                                                   "(tutti.register gives it one)");
}

int tutti__encoder_put_table(struct tutti__encoder *e)
{
    lua_State *L = e->L;
    const void *address = lua_topointer(L, -1);
    if (address == e->globals || address == e->env) {
        return put_globals(e);
    }
    struct tutti__seen_slot *slot = tutti__seen_find(&e->seen, address);
    if (slot == NULL) {
        return TUTTI__STEP_NOMEM;
    }
    if (slot->key != NULL) {
        return tutti__encoder_put_ref(e, slot->offset);
    }
    int rc = tutti__encoder_need_names(e);
    if (rc != TUTTI__STEP_DONE) {
        return rc;
    }
    char kind = tutti__encoder_name(e);
    if (kind == TUTTI__NAME_MODULE || kind == TUTTI__NAME_CLASS || kind == TUTTI__NAME_REGISTERED) {
        return tutti__encoder_put_named(e);
    }
    lua_pop(L, kind != 0 ? 1 : 0);
    bool has_metatable;
    rc = check_metatable(e, &has_metatable);
    if (rc != TUTTI__STEP_DONE) {
        return rc;
    }
    rc = tutti__encoder_open(e, has_metatable ? TUTTI__TAG_OBJECT : TUTTI__TAG_TABLE,
                             TUTTI__TABLE_HEAD_BYTES);
    if (rc == TUTTI__STEP_OPENED) {
        e->frames[e->depth - 1].has_metatable = has_metatable;
        lua_pushnil(L); /* the first key of lua_next */
    }
    return rc;
}

/* Write array items as long as they are numbers. This is the loop that large arrays take: nothing in it
 * but what each element needs. Returns false when the table is at its end; else there is an entry on
 * the stack that is something else. */
static bool put_numbers(struct tutti__encoder *e, struct tutti__encode_frame *f)
{
    lua_State *L = e->L;
    struct tutti__writer *w = &e->out;
    int index = f->index;
    lua_Integer last = (lua_Integer)f->first;
    bool has_entry;
    while ((has_entry = lua_next(L, index) != 0)) {
        if (!lua_isinteger(L, -2) || lua_tointegerx(L, -2, NULL) != last + 1 ||
            (size_t)(w->end - w->next) < TUTTI__NUMBER_BYTES_MAX) {
            break;
        }
        if (lua_isinteger(L, -1)) {
            w->next = tutti__put_integer(w->next, lua_tointegerx(L, -1, NULL));
        } else if (lua_type(L, -1) == LUA_TNUMBER) {
            w->next = tutti__put_float(w->next, lua_tonumberx(L, -1, NULL));
        } else {
            break;
        }
        last++;
        lua_settop(L, -2);
    }
    f->first = (uint32_t)last;
    return has_entry;
}

/* Is the key below the top the next of the array, `*skipped` nils further? Behind the table's length
 * it is not: `#` must be the same on the other side. */
static bool is_array_key(lua_State *L, const struct tutti__encode_frame *f, lua_Unsigned *skipped)
{
    if (f->second != 0 || !lua_isinteger(L, -2)) {
        return false;
    }
    lua_Unsigned key = (lua_Unsigned)lua_tointegerx(L, -2, NULL);
    *skipped = key - 1 - f->first;
    return *skipped == 0 ||
           (*skipped <= TUTTI__HOLES_MAX && key <= lua_rawlen(L, f->index));
}

/* Write the key below the top, or count it as the next of the array. OPENED: it is a frame now. */
static int put_key(struct tutti__encoder *e, struct tutti__encode_frame *f)
{
    lua_State *L = e->L;
    lua_Unsigned skipped;
    if (is_array_key(L, f, &skipped)) {
        if (!tutti__writer_reserve(&e->out, skipped)) {
            return tutti__encoder_no_room(e);
        }
        memset(e->out.next, TUTTI__TAG_NIL, skipped);
        e->out.next += skipped;
        f->first += (uint32_t)skipped + 1;
        return TUTTI__STEP_DONE;
    }
    f->second++;
    int rc = tutti__encoder_put_plain(e, -2);
    if (rc == TUTTI__STEP_OPENED) {
        f->in_key = true;
        lua_pushvalue(L, -2);
        rc = tutti__encoder_put(e);
        e->frames[e->depth - 1 - (rc == TUTTI__STEP_OPENED)].in_key = rc != TUTTI__STEP_DONE;
    }
    return rc;
}

static int close_table(struct tutti__encoder *e, struct tutti__encode_frame *f)
{
    lua_State *L = e->L;
    uint8_t *at = tutti__put_u32(e->out.start + f->offset + 1, f->first);
    tutti__put_u32(at, f->second);
    int rc = TUTTI__STEP_DONE;
    if (f->has_metatable) {
        lua_getmetatable(L, f->index);
        struct tutti__seen_slot *slot = tutti__seen_find(&e->seen, lua_topointer(L, -1));
        if (slot == NULL) {
            return TUTTI__STEP_NOMEM;
        }
        if (slot->key != NULL) {
            rc = tutti__encoder_put_ref(e, slot->offset);
        } else {
            tutti__encoder_name(e);
            rc = tutti__encoder_put_named(e);
        }
    }
    if (rc == TUTTI__STEP_DONE) {
        e->depth--;
        lua_pop(L, 1);
    }
    return rc;
}

int tutti__encoder_step_table(struct tutti__encoder *e)
{
    lua_State *L = e->L;
    struct tutti__encode_frame *f = &e->frames[e->depth - 1];
    for (;;) {
        if (!f->in_key) {
            bool has_entry = f->second == 0 ? put_numbers(e, f) : lua_next(L, f->index) != 0;
            if (!has_entry) {
                return close_table(e, f);
            }
            int rc = put_key(e, f);
            if (rc != TUTTI__STEP_DONE) {
                return rc;
            }
        }
        f->in_key = false; /* a key that was a frame of its own is written now */
        int rc = tutti__encoder_put(e);
        if (rc != TUTTI__STEP_DONE) {
            return rc;
        }
    }
}
