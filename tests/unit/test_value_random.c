/* SPDX-License-Identifier: MIT */
/*
 * test_value_random.c - random graphs of values and closures come back as they went.
 *
 * A graph is made in one state, carried to another, back again, and compared with the original by a
 * walk that keeps a one-to-one map of tables, functions and variables. Every table carries an `id`,
 * so that tables which are keys can be told apart. TUTTI_SEED repeats a run.
 */
#include "test_value.h"

/* make(seed, size) -> list of values; same(a, b) -> true or raises. */
static const char library[] =
    "local function scalars(r)\n"
    "  local k = r(14)\n"
    "  if k == 1 then return r(0, 300) - 150\n"
    "  elseif k == 2 then return r(0)\n" /* any 64 bits */
    "  elseif k == 3 then return r(0) >> r(0, 63)\n"
    "  elseif k == 4 then return math.mininteger + r(0, 1)\n"
    "  elseif k == 5 then return -0.0\n"
    "  elseif k == 6 then return (2.0 ^ r(0, 200)) * (r(2) == 1 and 1 or -1)\n"
    "  elseif k == 7 then return r(3) == 1 and 1 / 0 or 0 / 0\n"
    "  elseif k == 8 then return r(2) == 1\n"
    "  elseif k == 9 then return ('\\0ab\\xff'):rep(r(0, 5))\n"
    "  elseif k == 10 then return ('long '):rep(r(8, 40))\n"
    "  elseif k == 11 then return ({ 'x', 'y', 'name', 'value' })[r(4)]\n"
    "  elseif k == 12 then return ({ print, string.format, math, _G })[r(4)]\n"
    "  elseif k == 13 then return r()\n"
    "  else return string.char(r(0, 255), r(0, 255)) end\n"
    "end\n"
    "local function closures(r, pick)\n"
    "  local a, b = pick(), pick()\n"
    "  local function get() return a, b end\n"
    "  local function set(x) a = x return get end\n"
    "  local function rec(n) return n == 0 and rec or rec(n - 1) end\n"
    "  local function glob() return type, a, function() b = get end end\n"
    "  local function none(...) return ... end\n"
    "  local all = { get, set, rec, glob, none }\n"
    "  local k = r(5)\n"
    "  return all[k], all[r(5)], all[1]\n"
    "end\n"
    "function make(seed, size)\n"
    "  math.randomseed(seed)\n"
    "  local r = math.random\n"
    "  local pool, n = {}, 0\n"
    "  local function new()\n"
    "    n = n + 1\n"
    "    pool[#pool + 1] = { id = n }\n"
    "    return pool[#pool]\n"
    "  end\n"
    "  new()\n"
    "  local function pick()\n"
    "    if r(3) > 1 then return scalars(r) end\n"
    "    if r(3) == 1 and n < size then return new() end\n"
    "    return pool[r(#pool)]\n"
    "  end\n"
    "  for _ = 1, size do\n"
    "    local t = pool[r(#pool)]\n"
    "    if type(t) == 'function' then t = new() end\n"
    "    local how = r(5)\n"
    "    if how == 1 then\n"
    "      for i = 1, r(12) do t[i] = pick() end\n"
    "    elseif how == 2 then\n"
    "      for _, f in ipairs({ closures(r, pick) }) do t[#t + 1] = f pool[#pool + 1] = f end\n"
    "    else\n"
    "      local key = pick()\n"
    "      if key ~= nil and key == key and type(key) ~= 'function' and key ~= 'id' then\n"
    "        t[key] = pick()\n"
    "      end\n"
    "    end\n"
    "  end\n"
    "  local out = {}\n"
    "  for i = 1, r(0, 6) do out[i] = pick() end\n"
    "  out[#out + 1] = pool[1]\n"
    "  return out\n"
    "end\n"
    "local function scalar_same(a, b)\n"
    "  if a ~= a then return b ~= b end\n"
    "  return a == b and math.type(a) == math.type(b)\n"
    "    and (a ~= 0 or math.type(a) ~= 'float' or 1 / a == 1 / b)\n"
    "end\n"
    "local known = { [_G] = true, [math] = true, [print] = true, [string.format] = true }\n"
    "function same(a, b)\n"
    "  local there, back, todo = {}, {}, { { a, b, 'value' } }\n"
    "  local function pair(x, y, what)\n"
    "    if there[x] == nil and back[y] == nil then\n"
    "      there[x], back[y] = y, x\n"
    "      return true\n"
    "    end\n"
    "    assert(there[x] == y and back[y] == x, what .. ': not the same object')\n"
    "  end\n"
    "  local function tables(x, y, path)\n"
    "    local mine, count = {}, 0\n"
    "    for k in pairs(x) do\n"
    "      if type(k) == 'table' and not known[k] then mine[k.id] = k end\n"
    "      count = count + 1\n"
    "    end\n"
    "    for k, v in pairs(y) do\n"
    "      local key = k\n"
    "      if type(k) == 'table' and not known[k] then\n"
    "        key = assert(mine[k.id], path .. ': a table as key that was not there')\n"
    "        todo[#todo + 1] = { key, k, path .. '{key}' }\n"
    "      end\n"
    "      todo[#todo + 1] = { x[key], v, path .. '.' .. tostring(key) }\n"
    "      count = count - 1\n"
    "    end\n"
    "    assert(count == 0, path .. ': another number of entries')\n"
    /* With holes a table has several lengths; it may come back with another of them. */
    "    local length = #y\n"
    "    assert((length == 0 or x[length] ~= nil) and x[length + 1] == nil, path .. ': length')\n"
    "  end\n"
    "  local function functions(x, y, path)\n"
    "    local i, j = debug.getinfo(x, 'Su'), debug.getinfo(y, 'Su')\n"
    "    assert(i.source == j.source and i.linedefined == j.linedefined\n"
    "      and i.nups == j.nups and i.nparams == j.nparams, path .. ': another function')\n"
    "    for n = 1, i.nups do\n"
    "      local name, v = debug.getupvalue(x, n)\n"
    "      local other, w = debug.getupvalue(y, n)\n"
    "      local at = path .. '^' .. name\n"
    "      assert(name == other, at)\n"
    "      if pair(debug.upvalueid(x, n), debug.upvalueid(y, n), at) then\n"
    "        todo[#todo + 1] = { v, w, at }\n"
    "      end\n"
    "    end\n"
    "  end\n"
    "  while #todo > 0 do\n"
    "    local x, y, path = table.unpack(table.remove(todo), 1, 3)\n"
    "    assert(type(x) == type(y), path .. ': ' .. type(x) .. ' became ' .. type(y))\n"
    "    if known[x] then\n"
    "      assert(rawequal(x, y), path)\n"
    "    elseif type(x) == 'table' then\n"
    "      if pair(x, y, path) then tables(x, y, path) end\n"
    "    elseif type(x) == 'function' then\n"
    "      if pair(x, y, path) then functions(x, y, path) end\n"
    "    else\n"
    "      assert(scalar_same(x, y), path .. ': ' .. tostring(x) .. ' became ' .. tostring(y))\n"
    "    end\n"
    "  end\n"
    "  return true\n"
    "end\n";

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

/* One graph there and back. */
static bool round_trip(struct test_pair *p, lua_State *home, uint64_t seed, int size)
{
    lua_settop(home, 0);
    lua_settop(p->from, 0);
    lua_getglobal(p->from, "make");
    lua_pushinteger(p->from, (lua_Integer)seed);
    lua_pushinteger(p->from, size);
    if (lua_pcall(p->from, 2, 1, 0) != LUA_OK) {
        snprintf(p->err, sizeof p->err, "make: %s", lua_tostring(p->from, -1));
        return false;
    }
    lua_pushvalue(p->from, 1);
    lua_setglobal(p->from, "original");
    if (!hop(p, p->from, p->to) || !hop(p, p->to, p->from)) {
        return false;
    }
    lua_getglobal(p->from, "same");
    lua_getglobal(p->from, "original");
    lua_pushvalue(p->from, 1);
    if (lua_pcall(p->from, 2, 1, 0) != LUA_OK) {
        snprintf(p->err, sizeof p->err, "%s", lua_tostring(p->from, -1));
        return false;
    }
    return true;
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
        "no({ a, b }, { d, (one(1)) }) assert(same({ a, b }, { d, e }))\n"
        "no({ a, a }, { a, c })", 0);
    OK(pass, "the comparison tells things apart: %s", pass ? "" : lua_tostring(p->from, -1));
}

int main(void)
{
    struct test_pair p;
    TAP_BEGIN();
    test_open(&p);
    REQUIRE(test_run(p.from, library, 0), "the library loads: %s",
            lua_gettop(p.from) ? lua_tostring(p.from, -1) : "");
    comparison(&p);
    uint64_t state = tap_seed();
    unsigned long rounds = tap_rounds(400);
    unsigned long failed = 0;
    for (unsigned long i = 0; i < rounds; i++) {
        uint64_t seed = tap_random(&state) >> 12;
        int size = (int)(tap_random(&state) % (i % 10 == 0 ? 3000 : 60)) + 1;
        if (!round_trip(&p, p.from, seed, size)) {
            failed++;
            FAIL("graph of seed %llu, size %d: %s", (unsigned long long)seed, size, p.err);
        }
    }
    EQ_UINT(failed, 0, "every graph came back as it went");
    test_close(&p);
    return TAP_END();
}
