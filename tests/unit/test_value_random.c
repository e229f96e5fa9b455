/* SPDX-License-Identifier: MIT */
/*
 * test_value_random.c - random graphs of values and closures come back as they went.
 *
 * A graph is made in one state, carried to another, back again, and compared with the original by a
 * walk that keeps a one-to-one map of tables, functions and variables. Every table carries an `id`,
 * so that tables which are keys can be told apart. TUTTI_SEED repeats a run.
 * threads: one
 */
#include "test_value_make.h"

/* Carry all values of `from`'s stack to `to`; false with the reason in p->err. */
static bool hop(struct test_pair *p, lua_State *from, lua_State *to)
{
    struct tutti__buffer *b = NULL;
    lua_State *before = p->to;
    int rc = tutti__value_encode(from, 1, lua_gettop(from), &p->encode, &b, p->err, sizeof p->err);
    if (rc != TUTTI__VALUE_OK) {
        return false;
    }
    p->to = to;
    bool pass = test_decode(p, b);
    p->to = before;
    tutti__buffer_unref(b);
    if (!pass) {
        snprintf(p->err, sizeof p->err, "decode: %s", lua_tostring(to, -1));
    }
    return pass;
}

/* One graph there and back. Returns how many values it had; 0: p->err says what is wrong. */
static lua_Integer round_trip(struct test_pair *p, uint64_t seed, int size)
{
    lua_settop(p->from, 0);
    lua_getglobal(p->from, "make");
    lua_pushinteger(p->from, (lua_Integer)seed);
    lua_pushinteger(p->from, size);
    if (lua_pcall(p->from, 2, 1, 0) != LUA_OK) {
        snprintf(p->err, sizeof p->err, "make: %s", lua_tostring(p->from, -1));
        return 0;
    }
    lua_pushvalue(p->from, 1);
    lua_setglobal(p->from, "original");
    if (!hop(p, p->from, p->to) || !hop(p, p->to, p->from)) {
        return 0;
    }
    lua_getglobal(p->from, "same");
    lua_getglobal(p->from, "original");
    lua_pushvalue(p->from, 1);
    if (lua_pcall(p->from, 2, 1, 0) != LUA_OK) {
        snprintf(p->err, sizeof p->err, "%s", lua_tostring(p->from, -1));
        return 0;
    }
    return lua_tointeger(p->from, -1);
}

/* The comparison itself must notice a difference. */
static void comparison(struct test_pair *p)
{
    lua_settop(p->from, 0);
    bool pass = test_run(p->from,
        "local function no(a, b) assert(not pcall(same, a, b)) end\n"
        "local t = {} no({ t, t }, { {}, {} }) no({ {}, {} }, { t, t }) no(1, 1.0) no(0.0, -0.0)\n"
        "no({ 1 }, {}) no({ x = 1 }, { x = 2 }) no({}, { 1 })\n"
        "local function one(n) return function() return n end, function() return n end end\n"
        "local a, b = one(1) local c = one(1) local d, e = one(1)\n"
        "no({ a, b }, { d, (one(1)) }) assert(same({ a, b }, { d, e }) == 4)\n"
        "no({ a, a }, { a, c })", 0);
    OK(pass, "the comparison tells things apart: %s", pass ? "" : lua_tostring(p->from, -1));
}

enum { VALUES_MIN = 100000 };

int main(void)
{
    struct test_pair p;
    TAP_BEGIN();
    test_open(&p);
    REQUIRE(test_run(p.from, test_make, 0), "the library loads: %s",
            lua_gettop(p.from) ? lua_tostring(p.from, -1) : "");
    comparison(&p);
    uint64_t state = tap_seed();
    unsigned long rounds = tap_rounds(0);
    unsigned long failed = 0;
    lua_Integer values = 0;
    for (unsigned long i = 0; rounds != 0 ? i < rounds : values < VALUES_MIN; i++) {
        uint64_t seed = tap_random(&state) >> 12;
        int size = (int)(tap_random(&state) % (i % 10 == 0 ? 3000 : 60)) + 1;
        lua_Integer count = round_trip(&p, seed, size);
        values += count;
        if (count == 0) {
            failed++;
            values++;
            FAIL("graph of seed %llu, size %d: %s", (unsigned long long)seed, size, p.err);
        }
    }
    EQ_UINT(failed, 0, "every graph came back as it went");
    NOTE("%lld values", (long long)values);
    test_close(&p);
    return TAP_END();
}
