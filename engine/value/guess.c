/* SPDX-License-Identifier: MIT */
/*
 * guess.c - see guess.h.
 *
 * Layer: value. Locks: none.
 * Invariant: guess->code is the address of the instructions of the function that stands in GUESSED at the
 * guess's number; if none stands there any more, it means nothing.
 */
#include "value/guess.h"

#include <string.h>

#include <lauxlib.h>

/* Where a piece of a dump lies. */
struct piece {
    size_t at;        /* its offset */
    const void *here; /* NULL: there was none at that offset */
    size_t next;      /* offset of the piece that comes now */
};

/* Ends the dump at the wanted piece. */
static int find_piece(lua_State *L, const void *bytes, size_t size, void *user)
{
    (void)L;
    struct piece *piece = user;
    if (piece->next == piece->at && size > 0) {
        piece->here = bytes;
    }
    piece->next += size;
    return piece->next > piece->at;
}

/* Where the instructions of the function at the top lie, if they are at this offset of its dump. */
static const void *instructions(lua_State *L, size_t offset)
{
    struct piece piece = {.at = offset};
    (void)lua_dump(L, find_piece, &piece, 0);
    return piece.here;
}

/* A small dump. */
struct dump {
    size_t size;
    uint8_t bytes[512];
};

static int keep_dump(lua_State *L, const void *bytes, size_t size, void *user)
{
    (void)L;
    struct dump *dump = user;
    if (size > sizeof dump->bytes - dump->size) {
        return 1;
    }
    if (size > 0) {
        memcpy(dump->bytes + dump->size, bytes, size);
    }
    dump->size += size;
    return 0;
}

/* The offset of the instructions in the dump of the function at the top; 0: it is not understood. */
static size_t instructions_offset(lua_State *L)
{
    struct dump dump = {.size = 0};
    struct tutti__chunk chunk;
    bool is_known = lua_dump(L, keep_dump, &dump, 0) == 0 &&
                    tutti__chunk_scan(dump.bytes, dump.size, &chunk);
    return is_known ? chunk.code : 0;
}

/* An implementation that dumped from a buffer of its own would give one address to both of two functions,
 * or two addresses to one. */
bool tutti__guess_can_tell(lua_State *L)
{
    luaL_checkstack(L, 8, "values");
    if (luaL_loadstring(L, "return 1") != LUA_OK || luaL_loadstring(L, "return 2") != LUA_OK) {
        lua_error(L);
    }
    size_t offset = instructions_offset(L);
    const void *second = instructions(L, offset);
    lua_insert(L, -2);
    const void *first = instructions(L, offset);
    const void *again = instructions(L, offset);
    lua_pop(L, 2);
    return offset != 0 && first != NULL && second != NULL && first == again && first != second;
}

/* ---- guesses ------------------------------------------------------------------------------- */

static struct tutti__cache_guess *guess_at(struct tutti__cache *cache,
                                           const struct tutti__place *place)
{
    uint64_t h = (uint64_t)(uintptr_t)place->source + (uint64_t)(unsigned)place->first_line * 0x10001;
    return &cache->guesses[(h * UINT64_C(0x9e3779b97f4a7c15) >> 32) % TUTTI__CACHE_GUESSES];
}

struct tutti__cache_guess *tutti__guess_find(struct tutti__cache *cache, const lua_Debug *ar)
{
    struct tutti__place place = {.source = ar->source, .first_line = ar->linedefined};
    struct tutti__cache_guess *guess = guess_at(cache, &place);
    const struct tutti__place *known = &guess->place;
    bool fits = known->proto != NULL && known->source == ar->source &&
                known->first_line == ar->linedefined && known->last_line == ar->lastlinedefined &&
                known->proto->upvalue_count == ar->nups;
    return fits ? guess : NULL;
}

void tutti__guess_set(struct tutti__cache *cache, const struct tutti__place *place)
{
    enum { CODE_BYTES_MAX = 1 << 16 };
    struct tutti__cache_guess *guess = guess_at(cache, place);
    if (guess->place.proto == place->proto || place->proto->size > CODE_BYTES_MAX) {
        return;
    }
    if (guess->place.proto != NULL) {
        tutti__proto_unref(guess->place.proto);
    }
    *guess = (struct tutti__cache_guess){.place = *place};
    tutti__proto_ref(place->proto);
}

/* ---- comparisons --------------------------------------------------------------------------- */

struct comparison {
    const struct tutti__proto *proto;
    size_t at;
    const void *code; /* the piece that is the instructions */
};

/* Ends the dump at the first difference. */
static int compare_dump(lua_State *L, const void *bytes, size_t size, void *user)
{
    (void)L;
    struct comparison *c = user;
    bool same = tutti__proto_has_piece(c->proto, c->at, bytes, size);
    if (c->at == c->proto->code && size > 0) {
        c->code = bytes;
    }
    c->at += size;
    return !same;
}

/* Which guess this is, counted from 1. */
static lua_Integer number_of(lua_State *L, int at, const struct tutti__cache_guess *guess)
{
    const struct tutti__cache *cache = lua_touserdata(L, at);
    return 1 + (guess - cache->guesses);
}

bool tutti__guess_compare(lua_State *L, int at, struct tutti__cache_guess *guess)
{
    struct comparison c = {.proto = guess->place.proto};
    if (lua_dump(L, compare_dump, &c, 0) != 0 || c.at != c.proto->size) {
        return false;
    }
    guess->code = c.code;
    lua_getiuservalue(L, at, TUTTI__CACHE_GUESSED);
    lua_pushvalue(L, -2);
    lua_rawseti(L, -2, number_of(L, at, guess)); /* there is room for it in the table */
    lua_pop(L, 1);
    return true;
}

bool tutti__guess_is_same(lua_State *L, int at, const struct tutti__cache_guess *guess)
{
    const struct tutti__cache *cache = lua_touserdata(L, at);
    if (!cache->shows_code || guess->code == NULL) {
        return false;
    }
    lua_getiuservalue(L, at, TUTTI__CACHE_GUESSED);
    bool lives = lua_rawgeti(L, -1, number_of(L, at, guess)) == LUA_TFUNCTION;
    lua_pop(L, 2);
    return lives && instructions(L, guess->place.proto->code) == guess->code;
}
