/* SPDX-License-Identifier: MIT */
/*
 * test_value_memory.c - Lua's memory runs out; caches stay bounded; nothing is left behind.
 */
#include "test_value.h"

#include "value/cache.h"

/* An allocator that fails when `left` allocations have been made; -1: never. */
struct meter {
    long left;
    long used_bytes;
};

static void *meter_alloc(void *user, void *ptr, size_t old_size, size_t new_size)
{
    struct meter *m = user;
    if (new_size == 0) {
        m->used_bytes -= ptr != NULL ? (long)old_size : 0;
        free(ptr);
        return NULL;
    }
    if (m->left == 0 && (ptr == NULL || new_size > old_size)) {
        return NULL;
    }
    m->left -= m->left > 0;
    void *more = realloc(ptr, new_size);
    if (more != NULL) {
        m->used_bytes += (long)new_size - (ptr != NULL ? (long)old_size : 0);
    }
    return more;
}

static lua_State *metered_state(struct meter *m)
{
    m->left = -1;
    m->used_bytes = 0;
    lua_State *L = lua_newstate(meter_alloc, m);
    REQUIRE(L != NULL, "a metered state");
    luaL_openlibs(L);
    return L;
}

static const char values[] =
    "local n = 0 local function f() n = n + 1 return n end "
    "return f, { f, { 1, 2, 3, x = 'y' }, math.floor }, function() return f end, ('x'):rep(5000)";

/* Encode with ever more memory in a state that has never encoded. Never raises, or panic ends us. */
static void encode_starved(void)
{
    int refused = 0;
    for (long allowed = 0; ; allowed++) {
        struct meter m;
        struct tutti__buffer *b = NULL;
        char err[100];
        lua_State *L = metered_state(&m);
        uint64_t live = tutti__alloc_live();
        REQUIRE(test_run(L, values, 0), "values");
        m.left = allowed;
        int rc = tutti__value_encode(L, 1, 4, NULL, &b, err, sizeof err);
        m.left = -1;
        bool is_stack = rc == TUTTI__VALUE_REFUSED && strcmp(err, "no room on the Lua stack") == 0;
        bool right = (rc == TUTTI__VALUE_OK) == (b != NULL) &&
                     (rc == TUTTI__VALUE_OK || rc == TUTTI__VALUE_NOMEM || is_stack);
        OK(right && lua_gettop(L) == 4, "%ld allocations of Lua: rc %d", allowed, rc);
        refused += rc != TUTTI__VALUE_OK;
        tutti__buffer_unref(b);
        lua_close(L);
        EQ_UINT(tutti__alloc_live(), live, "nothing is left");
        EQ_INT(m.used_bytes, 0, "nor of Lua's");
        if (rc == TUTTI__VALUE_OK && allowed > refused + 30) { /* also what is remembered fits */
            break;
        }
    }
    OK(refused > 0, "%d were refused", refused);
}

static void decode_starved(struct test_pair *p)
{
    struct tutti__buffer *b = test_encode(p, values);
    REQUIRE(b != NULL, "encoded");
    lua_State *before = p->to;
    int failed = 0;
    uint64_t live = tutti__alloc_live();
    for (long allowed = 0;; allowed++) {
        struct meter m;
        p->to = metered_state(&m);
        lua_checkstack(p->to, 100);
        m.left = allowed;
        bool pass = test_decode(p, b);
        m.left = -1;
        OK(pass ? lua_gettop(p->to) == 4 : lua_gettop(p->to) == 1, "%ld allocations: %s", allowed,
           pass ? "decoded" : lua_tostring(p->to, -1));
        failed += !pass;
        lua_settop(p->to, 0);
        OK(!pass || (test_decode(p, b) && test_run(p->to, "assert((...)() == 1)", 0)),
           "the state is sound");
        lua_close(p->to);
        EQ_INT(m.used_bytes, 0, "nothing of Lua's is left");
        if (pass) {
            break;
        }
    }
    OK(failed > 5, "%d failed", failed);
    p->to = before;
    EQ_UINT(tutti__alloc_live(), live, "nothing is left");
    tutti__buffer_unref(b);
}

/* Many different functions: what the states keep does not grow with their number. */
static void bounded_caches(struct test_pair *p)
{
    enum { ROUNDS = 4, FUNCTIONS = 3 * TUTTI__CACHE_ENTRIES_MAX };
    struct meter m;
    lua_State *before = p->to;
    p->to = metered_state(&m);
    long used[ROUNDS];
    uint64_t live[ROUNDS];
    int number = 0;
    int wrong = 0;
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < FUNCTIONS; i++) {
            struct tutti__buffer *b = NULL;
            char make[100];
            snprintf(make, sizeof make, "local x = 1 return function() return x + %d end", ++number);
            lua_settop(p->from, 0);
            test_run(p->from, make, 0);
            tutti__value_encode(p->from, 1, 1, &p->encode, &b, p->err, sizeof p->err);
            bool came = b != NULL && test_decode(p, b) && lua_gettop(p->to) == 1;
            if (came) {
                lua_call(p->to, 0, 1);
            }
            wrong += !came || lua_tointeger(p->to, -1) != number + 1;
            tutti__buffer_unref(b);
        }
        lua_gc(p->from, LUA_GCCOLLECT, 0);
        lua_gc(p->to, LUA_GCCOLLECT, 0);
        used[round] = m.used_bytes;
        live[round] = tutti__alloc_live();
    }
    EQ_INT(wrong, 0, "each function was the right one");
    OK(used[ROUNDS - 1] < used[1] + used[1] / 8, "Lua's memory is flat: %ld, %ld, %ld, %ld",
       used[0], used[1], used[2], used[3]);
    OK(live[ROUNDS - 1] <= live[1] + TUTTI__CACHE_ENTRIES_MAX, "ours too: %d, %d, %d, %d",
       (int)live[0], (int)live[1], (int)live[2], (int)live[3]);
    lua_close(p->to);
    p->to = before;
}

/* A finaliser that changes a table in the middle of its encoding would break lua_next. */
static void busy_collector(struct test_pair *p)
{
    lua_settop(p->from, 0);
    REQUIRE(test_run(p->from,
        "T = {} for i = 1, 500 do T['k' .. i] = function() return i end end "
        "local function trap() setmetatable({}, { __gc = function() "
        "for i = 1, 20 do T['new' .. math.random(1e9)] = i T['k' .. math.random(500)] = nil end "
        "trap() end }) end trap() collectgarbage('setpause', 1) collectgarbage('setstepmul', 1000)",
        0), "a trap");
    for (int i = 0; i < 20; i++) {
        struct tutti__buffer *b = test_encode(p, "return T, function() return T end");
        OK(b != NULL && test_decode(p, b), "time %d: %s", i, p->err);
        tutti__buffer_unref(b);
    }
}

int main(void)
{
    struct test_pair p;
    TAP_BEGIN();
    uint64_t live = tutti__alloc_live();
    encode_starved();
    test_open(&p);
    decode_starved(&p);
    bounded_caches(&p);
    busy_collector(&p);
    test_close(&p);
    EQ_UINT(tutti__alloc_live(), live, "nothing is left behind");
    return TAP_END();
}
