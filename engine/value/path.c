/* SPDX-License-Identifier: MIT */
/*
 * path.c - say where in a message the encoder stands: `argument 2, field "hooks.on_exit"`.
 *
 * Runs only when something is refused; reads the encoder's frames and the Lua stack as they lie.
 *
 * Layer: value. Locks: none. Invariant: allocates nothing in Lua.
 */
#include "value/encoder.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct text {
    char *start;
    size_t used;
    size_t size;   /* room for the path; the reason has its own behind it */
    bool is_full;  /* something did not fit */
    bool in_field; /* the quotes of `field "` are open */
};

enum { KEY_CHARACTERS_MAX = 40 };

__attribute__((format(printf, 2, 3))) static void add(struct text *t, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    size_t room = t->size - t->used;
    int n = t->is_full ? 0 : vsnprintf(t->start + t->used, room, format, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= room) {
        t->is_full = true;
        t->start[t->used] = '\0';
    } else {
        t->used += (size_t)n;
    }
}

static void end_field(struct text *t)
{
    if (t->in_field) {
        add(t, "\"");
        t->in_field = false;
    }
}

/* Begin the next part. */
static void add_separator(struct text *t)
{
    end_field(t);
    add(t, "%s", t->used > 0 ? ", " : "");
}

static bool is_identifier(const char *s, size_t size)
{
    if (size == 0 || size > KEY_CHARACTERS_MAX || isdigit((unsigned char)s[0])) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        if (!isalnum((unsigned char)s[i]) && s[i] != '_') {
            return false;
        }
    }
    return true;
}

static void add_string_key(struct text *t, const char *key, size_t size, bool is_first)
{
    if (is_identifier(key, size)) {
        add(t, "%s%s", is_first ? "" : ".", key);
        return;
    }
    add(t, "['");
    for (size_t i = 0; i < size && i < KEY_CHARACTERS_MAX; i++) {
        unsigned char c = (unsigned char)key[i];
        add(t, c < ' ' || c == 0x7f || c == '\'' || c == '\\' ? "\\%03d" : "%c", c);
    }
    add(t, size > KEY_CHARACTERS_MAX ? "...']" : "']");
}

/* Add the key at `index` of the stack. */
static void add_key(struct text *t, lua_State *L, int index)
{
    bool is_first = !t->in_field;
    if (is_first) {
        add_separator(t);
        add(t, "field \"");
        t->in_field = true;
    }
    int type = lua_type(L, index);
    if (type == LUA_TSTRING) {
        size_t size;
        const char *key = lua_tolstring(L, index, &size);
        add_string_key(t, key, size, is_first);
    } else if (type == LUA_TBOOLEAN) {
        add(t, "[%s]", lua_toboolean(L, index) ? "true" : "false");
    } else if (lua_isinteger(L, index)) {
        add(t, "[" LUA_INTEGER_FMT "]", lua_tointeger(L, index));
    } else if (type == LUA_TNUMBER) {
        add(t, "[%.14g]", lua_tonumber(L, index));
    } else {
        add(t, "[%s]", lua_typename(L, type));
    }
}

static void add_upvalue(struct text *t, lua_State *L, const struct tutti__encode_frame *f)
{
    add_separator(t);
    const char *name = lua_getupvalue(L, f->index, (int)f->first);
    if (name == NULL || name[0] == '(' || name[0] == '\0') {
        add(t, "upvalue %u", (unsigned)f->first); /* the chunk was stripped of names */
    } else {
        add(t, "upvalue \"%s\"", name);
    }
    lua_pop(L, name != NULL ? 1 : 0);
}

void tutti__path_write(const struct tutti__encoder *e, const char *reason, char *err,
                       size_t err_bytes)
{
    size_t behind = strlen(reason) + sizeof "...\": ";
    struct text t = {.start = err, .size = err_bytes > behind ? err_bytes - behind : 1};
    err[0] = '\0';
    if (e->root >= e->opts->function_count) {
        const char *label = e->opts->label != NULL ? e->opts->label : "value";
        add(&t, "%s %d", label, e->root - e->opts->function_count + 1);
    }
    for (uint32_t i = 0; i < e->depth && !t.is_full; i++) {
        const struct tutti__encode_frame *f = &e->frames[i];
        if (f->is_function) {
            add_upvalue(&t, e->L, f);
        } else if (f->is_box) {
            continue; /* what it is made of are its fields */
        } else if (f->in_key) {
            add_separator(&t);
            add(&t, "key");
        } else {
            add_key(&t, e->L, f->index + 1);
        }
    }
    const char *quote = t.in_field ? "\"" : "";
    snprintf(err + t.used, err_bytes - t.used, "%s%s%s%s", t.is_full ? "..." : "", quote,
             t.used > 0 ? ": " : "", reason);
}
