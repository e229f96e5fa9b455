-- SPDX-License-Identifier: MIT
-- Small programs about what a host can break in Lua, for lua_spec.lua. Each is run by stock lua5.4, in a
-- task of the loop state and in a pool task, and must return the same. All three load it as a file, so it
-- uses no tutti.
-- Invariant: what a program returns has no address, time or order of pairs in it.

local programs = {}

-- A text of one value that tells types, integers and floats apart.
local function show(value)
  if type(value) == "string" then
    return ("%q"):format(value)
  elseif type(value) == "number" then
    return ("%s:%s"):format(math.type(value), tostring(value))
  elseif type(value) == "table" then
    local items = {}
    for i = 1, #value do
      items[i] = show(value[i])
    end
    return "{" .. table.concat(items, ", ") .. "}"
  end
  return type(value) == "boolean" and tostring(value) or type(value)
end

local function show_all(...)
  local list = table.pack(...)
  for i = 1, list.n do
    list[i] = show(list[i])
  end
  return table.concat(list, " ", 1, list.n)
end

--- Run each of `list`, { name, source }; returns the text of a table of name = what it returned.
function programs.run(list)
  local lines = {}
  for i, program in ipairs(list) do
    local f = assert(load(program[2], "=program"))
    lines[i] = ("[%q] = %q,"):format(program[1], show_all(pcall(f)))
  end
  return "return {" .. table.concat(lines, "\n") .. "}"
end

-- What is the same everywhere.
programs.same = {
  -- Coroutines.
  { "create, resume, status", [[
    local co = coroutine.create(function(a, b)
      local c = coroutine.yield(a + b)
      local d, e = coroutine.yield(c * 2)
      return d .. e, nil, 3
    end)
    local log = { coroutine.status(co) }
    local function step(...)
      local r = table.pack(coroutine.resume(co, ...))
      for i = 1, r.n do log[#log + 1] = tostring(r[i]) end
      log[#log + 1] = coroutine.status(co)
    end
    step(1, 2) step(10) step("x", "y") step()
    return table.concat(log, " ")]] },
  { "wrap as an iterator", [[
    local function upto(n) return coroutine.wrap(function() for i = 1, n do coroutine.yield(i, i * i)
      end end) end
    local sum = 0
    for i, sq in upto(10) do sum = sum + i * sq end
    return sum]] },
  { "a generator in a generator, recursively", [[
    local function walk(t) return coroutine.wrap(function()
      for _, v in ipairs(t) do
        if type(v) == "table" then for w in walk(v) do coroutine.yield(w) end else coroutine.yield(v) end
      end
    end) end
    local out = {}
    for v in walk({ 1, { 2, { 3, { 4 }, 5 } }, 6 }) do out[#out + 1] = v end
    return out]] },
  { "permutations by generators", [[
    local function permgen(a, n)
      if n <= 1 then coroutine.yield(table.concat(a)) return end
      for i = 1, n do
        a[n], a[i] = a[i], a[n]
        permgen(a, n - 1)
        a[n], a[i] = a[i], a[n]
      end
    end
    local out = {}
    for p in coroutine.wrap(function() permgen({ "a", "b", "c" }, 3) end) do out[#out + 1] = p end
    return table.concat(out, " ")]] },
  { "running and isyieldable", [[
    local outer, main = coroutine.running()
    local co co = coroutine.create(function()
      local me, is_main = coroutine.running()
      return me == co, is_main, coroutine.isyieldable(),
        coroutine.status(outer)
    end)
    return type(outer), main, coroutine.isyieldable(co), coroutine.resume(co)]] },
  { "status of the running and the normal one", [[
    local a, b
    a = coroutine.create(function()
      b = coroutine.create(function() return coroutine.status(a), coroutine.status(b) end)
      return coroutine.resume(b)
    end)
    return coroutine.resume(a)]] },
  { "yield across pcall", [[
    local co = coroutine.wrap(function()
      local ok, v = pcall(function() local x = coroutine.yield(1) error({ x }) end)
      return ok, v[1], coroutine.yield(2)
    end)
    local a, b = co(), co("in")
    return a, b, co("end")]] },
  { "yield across xpcall, nested, with results", [[
    local co = coroutine.wrap(function()
      return xpcall(function(...)
        return "r", select("#", ...), pcall(function() coroutine.yield("y")
          return xpcall(coroutine.yield, print, "z") end)
      end, function(e) return "handled " .. e end, 1, nil, nil)
    end)
    return co(), co(), co("a", "b")]] },
  { "yield across metamethods and iterators", [[
    local mt = { __add = function(a, b) return coroutine.yield("add") end, __index = function(_, k)
      return coroutine.yield(k) end,
      __lt = function() return coroutine.yield("lt") end, __concat = function()
        return coroutine.yield("..") end,
      __call = function(_, x) return coroutine.yield(x) end, __len = function()
        return coroutine.yield("#") end,
      __eq = function() return coroutine.yield("==") end }
    local x, y = setmetatable({}, mt), setmetatable({}, mt)
    local co = coroutine.wrap(function()
      local out = { x + y, x.key, tostring(x < y), x .. y, x("call"), #x, tostring(x == y) }
      for v in function() return coroutine.yield("next") end do out[#out + 1] = v end
      return out
    end)
    local seen, v = {}, co()
    local i = 0
    while type(v) == "string" do
      seen[#seen + 1] = v
      i = i + 1
      if i > 9 then v = co(nil) else v = co(i) end
    end
    return seen, v]] },
  { "an error in a coroutine", [[
    local co = coroutine.create(function() local t = nil; return t.x end)
    local ok, e = coroutine.resume(co)
    local ok2, e2 = coroutine.resume(co)
    return ok, e, coroutine.status(co), ok2, e2]] },
  { "wrap adds the place to texts only", [[
    local t = {}
    local a = { pcall(coroutine.wrap(function() error("plain", 0) end)) }
    local b = { pcall(coroutine.wrap(function() error("placed") end)) }
    local _, c = pcall(coroutine.wrap(function() error(t) end))
    local _, d = pcall(coroutine.wrap(function() error() end))
    return a[2], b[2], c == t, d]] },
  { "resuming the dead, wrapped", [[
    local f = coroutine.wrap(function() return 1 end)
    f()
    return pcall(f)]] },
  { "resuming oneself", [[
    local co co = coroutine.create(function() return coroutine.resume(co) end)
    return coroutine.resume(co)]] },
  { "a wrapped one that calls itself", [[
    local f f = coroutine.wrap(function() return pcall(f) end)
    return f()]] },
  { "close of a suspended one runs its variables, the last first", [[
    local log = {}
    local function var(n) return setmetatable({}, { __close = function(_, e)
      log[#log + 1] = n .. tostring(e) end }) end
    local co = coroutine.create(function() local a <close> = var("a") local b <close> = var("b")
      coroutine.yield() end)
    coroutine.resume(co)
    local r = { coroutine.close(co) }
    return r, coroutine.status(co), log]] },
  { "close reports an error of a variable", [[
    local co = coroutine.create(function()
      local a <close> = setmetatable({}, { __close = function() error("in close", 0) end })
      coroutine.yield()
    end)
    coroutine.resume(co)
    return coroutine.close(co)]] },
  { "close of one that never ran and of a dead one", [[
    local a, b = coroutine.create(print), coroutine.create(function() return 1 end)
    coroutine.resume(b)
    return coroutine.close(a), coroutine.status(a), coroutine.close(b), coroutine.close(b)]] },
  { "close of the dead with an error", [[
    local co = coroutine.create(function() error({ "v" }) end)
    coroutine.resume(co)
    local ok, e = coroutine.close(co)
    return ok, type(e) == "table" and e[1] ]] },
  { "close of the running one is refused", [[
    local co co = coroutine.create(function() return pcall(coroutine.close, co) end)
    return coroutine.resume(co)]] },
  { "many values through yield and resume", [[
    local co = coroutine.create(function(...)
      local n = select("#", ...)
      return select("#", coroutine.yield(table.unpack({}, 1, n + 1)))
    end)
    local r = table.pack(coroutine.resume(co, table.unpack({}, 1, 200)))
    local q = table.pack(coroutine.resume(co, table.unpack({}, 1, 150)))
    return r.n, r[1], q.n, q[2] ]] },
  { "misuse of coroutine functions", [[
    local function text(...) return (select(2, pcall(...)):gsub("coroutine exp", "thread exp")) end
    return text(coroutine.create, 1), text(coroutine.resume, 1), text(coroutine.wrap),
      text(coroutine.status, {})]] },
  { "wrap as a handler's callee, yield in table.sort is refused", [[
    local co = coroutine.create(function() table.sort({ 3, 2, 1 }, function(a, b) coroutine.yield()
      return a < b end) end)
    return coroutine.resume(co)]] },
  { "yield in a gsub callback is refused", [[
    return coroutine.resume(coroutine.create(function() return ("abc"):gsub(".", coroutine.yield) end))]] },
  { "ten thousand coroutines alive", [[
    local list, sum = {}, 0
    for i = 1, 10000 do list[i] = coroutine.wrap(function() coroutine.yield(i) return -i end) end
    for i = 1, 10000 do sum = sum + list[i]() end
    for i = 1, 10000 do sum = sum + 2 * list[i]() end
    return sum]] },
  { "traceback of a suspended coroutine", [[
    local co = coroutine.create(function()
      local function inner() coroutine.yield() end
      inner()
    end)
    coroutine.resume(co)
    local text = debug.traceback(co, "msg")
    return text:match("^msg\nstack traceback:\n") ~= nil,
      text:find("[C]: in function 'coroutine.yield'", 1, true) ~= nil,
      text:find("program:2: in", 1, true) ~= nil, text:find("program:3: in", 1, true) ~= nil]] },
  { "locals and lines of another coroutine", [[
    local co = coroutine.create(function(a) local b = a * 2 coroutine.yield() return b end)
    coroutine.resume(co, 21)
    local info = debug.getinfo(co, 1, "Slf")
    local n1, v1 = debug.getlocal(co, 1, 1)
    local n2, v2 = debug.getlocal(co, 1, 2)
    debug.setlocal(co, 1, 2, "changed")
    return info.currentline, info.short_src, n1, v1, n2, v2, coroutine.resume(co)]] },
  { "producer, filter, consumer", [[
    local function producer() return coroutine.create(function() for _, l in ipairs({ "a", "b", "c" })
      do coroutine.yield(l) end end) end
    local function receive(p) local _, v = coroutine.resume(p) return v end
    local function filter(p) return coroutine.create(function()
      for n = 1, math.huge do local x = receive(p) if not x then return end coroutine.yield(n .. x) end
    end) end
    local f, out = filter(producer()), {}
    for x in receive, f do out[#out + 1] = x end
    return table.concat(out, ",")]] },

  -- Closures, goto, attributes.
  { "closures share and separate their upvalues", [[
    local fs = {}
    for i = 1, 3 do local n = 0 fs[i] = { function() n = n + i return n end, function() return n end } end
    fs[1][1]() fs[1][1]() fs[3][1]()
    return fs[1][2](), fs[2][2](), fs[3][2]()]] },
  { "upvalue ids, join and set", [[
    local a, b = 1, 2
    local function f() return a end
    local function g() return b end
    local before = debug.upvalueid(f, 1) == debug.upvalueid(g, 1)
    debug.upvaluejoin(f, 1, g, 1)
    local name = debug.setupvalue(f, 1, 7)
    return before, debug.upvalueid(f, 1) == debug.upvalueid(g, 1), name, g(), a, (debug.getupvalue(g,
      1))]] },
  { "goto, continue and loops by goto", [[
    local out, i = {}, 1
    ::top::
    if i <= 5 then
      for j = 1, 3 do
        if j == 2 then goto continue end
        if i == 4 then goto out end
        out[#out + 1] = i * 10 + j
        ::continue::
      end
      i = i + 1
      goto top
    end
    ::out::
    return out]] },
  { "a goto closes upvalues anew", [[
    local fs, i = {}, 0
    do
      ::again::
      local x = i
      fs[#fs + 1] = function() return x end
      i = i + 1
      if i < 3 then goto again end
    end
    return fs[1](), fs[2](), fs[3]()]] },
  { "<close> in order, on return, break, goto and error", [[
    local log = {}
    local function var(n) return setmetatable({}, { __close = function(_, e)
      log[#log + 1] = n .. ":" .. tostring(e) end }) end
    local function f() local a <close>, b = var("a"), 1 local c <close> = var("c") return #log end
    local n = f()
    for i = 1, 3 do local d <close> = var("d" .. i) if i == 2 then break end end
    do local e <close> = var("e") goto done end
    ::done::
    pcall(function() local g <close> = var("g") error("x", 0) end)
    return n, log]] },
  { "an error in __close replaces the first", [[
    local seen = {}
    local function var(n) return setmetatable({}, { __close = function(_, e)
      seen[#seen + 1] = tostring(e) error(n, 0) end }) end
    local ok, e = pcall(function() local a <close> = var("a") local b <close> = var("b") error("body",
      0) end)
    return ok, e, seen]] },
  { "the fourth value of a for loop is closed", [[
    local closed = 0
    local h = setmetatable({}, { __close = function() closed = closed + 1 end })
    for i in function(_, c) return (c or 0) + 1 end, nil, nil, h do if i == 3 then break end end
    for _ in function() return nil end, nil, nil, h do end
    return closed]] },
  { "<close> may yield in a coroutine", [[
    local co = coroutine.wrap(function()
      do local a <close> = setmetatable({}, { __close = function() coroutine.yield("closing") end }) end
      return "after"
    end)
    return co(), co()]] },
  { "<const>, and what is not closable", [[
    local f, e = load("local x <const> = 1; x = 2", "=c")
    local g, h = load("local y <strange> = 1", "=c")
    return f, e, g, h, pcall(function() local z <close> = {} end)]] },
  { "tail calls take no stack", [[
    local function loop(n) if n == 0 then return "done" end return loop(n - 1) end
    return loop(200000)]] },
  { "a stack that overflows is an error, and the next call works", [[
    local function deep() return 1 + deep() end
    local ok, e = pcall(deep)
    return ok, e:match("stack overflow") , pcall(function() return 2 end)]] },
  { "deep recursion that fits", [[
    local function depth(n) if n == 0 then return 0 end return 1 + depth(n - 1) end
    return depth(15000)]] },

  -- Errors.
  { "error values of every type", [[
    local t, f = {}, function() end
    local co = coroutine.create(f)
    local out = {}
    for i, v in ipairs({ t, f, co, 1, 1.5, "s", true, false, io.stdout }) do
      local ok, e = pcall(error, v)
      out[i] = not ok and (rawequal(e, v) or e)
    end
    local ok, e = pcall(error, nil)
    return out, ok, e]] },
  { "error levels", [[
    local function at(level) error("m", level) end
    local function call(level) at(level) end
    local out = {}
    for level = 0, 2 do out[#out + 1] = select(2, pcall(call, level)) end
    return out]] },
  { "texts of runtime errors", [[
    local t = { a = {} }
    local out = {}
    for _, f in ipairs({ function() return t.a.b.c end, function() return t.x() end, function()
      return 1 + {} end,
      function() return {} < {} end, function() return #nil end, function() return "a" .. {} end,
      function() return 1 // 0 end, function() return 2^53 | 1.5 end, function() t[nil] = 1 end,
      function() for i = 1, 10, 0 do end end, function() return ("x"):bad() end, function()
        return math.floor("x") end }) do
      out[#out + 1] = select(2, pcall(f))
    end
    return out]] },
  { "xpcall: handler, its arguments, its failure", [[
    local a = { xpcall(function(...) return select("#", ...), ... end, print, 1, nil) }
    local b = { xpcall(error, function(e) return e .. "!" end, "x") }
    local c, d = xpcall(error, function(e) error(e, 0) end, "y")
    return a, b, c, type(d)]] },
  { "a handler sees the stack of the error", [[
    local function fails() local secret = 42; error("x") end
    local _, line = xpcall(fails, function()
      for level = 1, 20 do
        local info = debug.getinfo(level, "f")
        if info and info.func == fails then return select(2, debug.getlocal(level, 1)) end
      end
    end)
    return line]] },
  { "pcall of what is no function, and of nothing", [[
    local t = setmetatable({}, { __call = function(_, x) return x end })
    return { pcall(nil) }, { pcall(t, 5) }, { pcall(pcall) }, { pcall(pcall, error, 1) },
      { pcall(xpcall, print) }]] },
  { "assert", [[
    local t = {}
    local r = { assert(1, 2, 3) }
    local _, e = pcall(assert, false, t)
    return r, e == t, select(2, pcall(assert, nil)), select(2, pcall(assert, nil, "why")), select(2,
      pcall(assert))]] },
  { "tostring that fails, and names of types", [[
    local bad = setmetatable({}, { __tostring = function() error("no text", 0) end })
    local wrong = setmetatable({}, { __tostring = function() return 1 end })
    local named = setmetatable({}, { __name = "Point" })
    return { pcall(tostring, bad) }, { pcall(tostring, wrong) }, tostring(named):match("^Point: "),
      select(2, pcall(math.abs, named))]] },
  { "nested pcall to a depth of 150", [[
    local function nest(n) if n == 0 then error("bottom", 0) end local ok, e = pcall(nest, n - 1)
      error(e .. ".", 0) end
    return #select(2, pcall(nest, 150))]] },

  -- Varargs, numbers.
  { "select and varargs", [[
    local function f(...) local a, b = ... return select("#", ...), a, b, select(-1, ...), (select(2,
      ...)) end
    return { f(1, nil, 3) }, { pcall(select, 0) }, table.pack(f(nil, nil)).n, select("#")]] },
  { "integers and floats", [[
    return 7 // 2, -7 // 2, 7 % -3, -7 % 3, 7.0 // 2, 7 / 2, 2^2, 1e15, 10 // 0.0, -0.0,
      math.maxinteger + 1 == math.mininteger,
      math.mininteger // -1, 5.5 % -2, 3 | 4, ~0, 1 << 63, 1 << 64, -1 >> 1, 0x7fffffffffffffff + 1,
        1e308 * 10]] },
  { "conversions", [[
    return "10" + 5, "0x10" + 0, "3.0" + 1, 10 .. 20, math.tointeger("8"), math.tointeger(3.5),
      tonumber("z", 36),
      tonumber("1e1"), tonumber(" 0x.8p1 "), tonumber("1 2"), tonumber("7fffffffffffffffff", 16),
        2^53 == 2^53 + 1,
      math.type(1), math.type(1.0), math.type("1"), 1 == 1.0, math.ult(1, -1)]] },
  { "NaN, infinities, comparisons", [[
    local nan = 0 / 0
    local t = {}
    return nan == nan, nan < nan, math.huge > math.maxinteger, -math.huge < math.mininteger,
      pcall(function() t[nan] = 1 end),
      math.maxinteger < math.maxinteger + 1.0, math.fmod(-6, 4), math.floor(-3.5), math.ceil(-3.5),
        math.max(1, 2.5)]] },
  { "for loops at the limits", [[
    local n, last = 0
    for i = math.maxinteger - 2, math.maxinteger do n = n + 1 last = i end
    for _ = math.mininteger, math.mininteger + 2 do n = n + 1 end
    for x = 1, 2, 0.25 do n = n + x end
    for _ = 1, 0 do n = -1 end
    return n, last]] },
  { "random with a seed", [[
    math.randomseed(42, 7)
    local a, b, c = math.random(1000), math.random(), math.random(0)
    math.randomseed(42, 7)
    return a == math.random(1000), b == math.random(), c == math.random(0), pcall(math.random, 2, 1)]] },

  -- Strings and tables.
  { "gsub in all its forms", [[
    return { ("hello world"):gsub("o", "0") }, { ("abc"):gsub("%w", "%0%0", 2) },
      { ("k=v"):gsub("(%w)=(%w)", "%2=%1") },
      { ("$a $b"):gsub("%$(%w)", { a = "A" }) }, { ("abc"):gsub("", "-") }, { ("abc"):gsub("b",
        function() return false end) },
      { pcall(string.gsub, "x", "(", "") }, { pcall(string.gsub, "x", "x", "%2") },
        { ("THE (quick)"):gsub("%((%a+)%)", "<%1>") }]] },
  { "format", [[
    return ("%5d|%-5d|%05.1f|%x|%X|%o|%e|%g|%a|%c|%s|%10.3s|%%|%i"):format(42, 42, 3.14159, 255, 255,
      8, 1.5, 1e20, 1, 65, "s", "abcdef", 7),
      ("%q"):format('a\n"\0\\'), ("%q"):format(1 / 3), ("%q"):format(math.mininteger),
      ("%s %s"):format(nil, true),
      { pcall(string.format, "%d", 1.5) }, { pcall(string.format, "%y", 1) }, { pcall(string.format,
        "%d") }]] },
  { "pack and unpack", [[
    local s = string.pack("<i4 >i2 z s1 d !8 i8 B", -5, 300, "zero", "len", 1.5, -1, 255)
    return #s, { string.unpack("<i4 >i2 z s1 d !8 i8 B", s) }, string.packsize("<i4i8"),
      { pcall(string.pack, "i17", 1) },
      { pcall(string.unpack, "i4", "abc") }, string.pack(">I3", 0x010203)]] },
  { "gmatch, find, match, frontier, balance", [[
    local out = {}
    for k, v in ("a=1, b=2, c=3"):gmatch("(%w)=(%d)") do out[#out + 1] = k .. v end
    for p in ("aXbX"):gmatch("()X") do out[#out + 1] = p end
    return out, { ("a.b"):find(".", 1, true) }, { ("f(a(b)c)d"):find("%b()") },
      { ("THE cat"):match("%f[%a]%a+%f[%A]") },
      ("  trim "):match("^%s*(.-)%s*$"), { ("x"):find("", 10) }, { ("abc"):find("b()") },
        ("key = v"):match("^(%w+)%s*=%s*(%w+)$")]] },
  { "bytes, sub, rep, reverse and embedded zeros", [[
    local s = "a\0b\255"
    return #s, { s:byte(1, -1) }, s:sub(-2), s:rep(2, "|"), s:reverse(), s:upper(), s == "a\0b\xff",
      s < "a\0c", ("x"):rep(0), ("abc"):sub(2, 10),
      string.char(104, 105), ("é"):len(), (pcall(string.rep, "x", 1 << 40, "y" )) ]] },
  { "utf8", [[
    local out = {}
    for p, c in utf8.codes("aé€") do out[#out + 1] = p out[#out + 1] = c end
    return out, utf8.len("aé€"), utf8.char(97, 233, 8364), utf8.offset("aé€", 3), { utf8.len("\xff") },
      { utf8.codepoint("é€", 1, -1) }]] },
  { "sort: with an order, with an error, with an invalid order", [[
    local t = { 5, 2, 8, 1, 9, 3 }
    table.sort(t, function(a, b) return a > b end)
    local ok, e = pcall(table.sort, { 3, 2, 1 }, function() error("cmp", 0) end)
    local ok2, e2 = pcall(table.sort, { 1, "x", 2 })
    local ok3 = pcall(table.sort, { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, function() return true end)
    return t, ok, e, ok2, e2:match("attempt to compare"), ok3]] },
  { "move, concat, insert, remove, unpack", [[
    local t = { 1, 2, 3 }
    table.insert(t, 4) table.insert(t, 1, 0)
    local r, e = table.remove(t, 2), table.remove({})
    return t, r, e, table.move({ 1, 2, 3 }, 2, 3, 1), table.move({ 1, 2 }, 1, 2, 3, { 9, 9 }),
      table.concat({ 1, 2.5, "x" }, "-", 2, 3),
      { pcall(table.concat, { {} }) }, { pcall(table.insert, {}, 5, 1) }, { table.unpack({ 1, 2, 3 },
        2) }, { pcall(table.unpack, {}, 1, 1e8) }]] },
  { "table functions respect metamethods", [[
    local log = {}
    local p = setmetatable({}, { __len = function() return 3 end, __index = function(_, i)
      return i * 10 end,
      __newindex = function(_, k, v) log[#log + 1] = k .. "=" .. v end })
    table.insert(p, 7)
    return table.concat(p, ","), { table.unpack(p) }, log]] },
  { "next, pairs and ipairs", [[
    local t, n = { 1, 2, nil, 4, x = 1 }, 0
    for _ in pairs(t) do n = n + 1 end
    local m = 0
    for i in ipairs(t) do m = i end
    for k in pairs(t) do t[k] = nil end
    local via = {}
    for k, v in pairs(setmetatable({}, { __pairs = function() return function(_, k)
      if not k then return 1, "p" end end, nil, nil end })) do
      via[k] = v
    end
    return n, m, next(t), via, { pcall(next, {}, "no") }, type(next), rawlen({ 1, 2 }), rawequal(t, t),
      rawget(t, 1)]] },

  -- Metatables and the collector.
  { "metamethods of operators", [[
    local mt = {}
    for _, op in ipairs({ "add", "sub", "mul", "div", "mod", "pow", "idiv", "band", "bor", "bxor",
      "shl", "shr", "concat" }) do
      mt["__" .. op] = function() return op end
    end
    mt.__unm, mt.__bnot = function() return "unm" end, function() return "bnot" end
    mt.__le, mt.__lt = function() return true end, function() return false end
    local x = setmetatable({}, mt)
    return { x + 1, 1 - x, x * 1, x / 1, x % 1, x ^ 1, x // 1, x & 1, x | 1, x ~ 1, x << 1, x >> 1,
      x .. 1, -x, ~x }, x <= 1, x < 1, x >= 1]] },
  { "inheritance, protection, rawset", [[
    local A = {} A.__index = A
    function A.new(n) return setmetatable({ n = n }, A) end
    function A:get() return self.n end
    local B = setmetatable({}, { __index = A }) B.__index = B
    local b = setmetatable({ n = 3 }, B)
    local p = setmetatable({}, { __metatable = "locked", __newindex = function() error("read only", 0)
      end })
    return b:get(), A.new(2):get(), getmetatable(p), { pcall(setmetatable, p, {}) }, { pcall(function()
      p.x = 1 end) }, rawset(p, "x", 5).x,
      getmetatable("").__index == string]] },
  { "weak tables", [[
    local weak, kept = setmetatable({}, { __mode = "k" }), {}
    weak[kept], weak[{}] = 1, 2
    local values = setmetatable({ {}, "text", kept }, { __mode = "v" })
    local eph = setmetatable({}, { __mode = "k" })
    do local k = {} eph[k] = { k } end
    collectgarbage() collectgarbage()
    local n = 0
    for _ in pairs(weak) do n = n + 1 end
    return n, weak[kept], values[1], values[2], values[3] == kept, next(eph)]] },
  { "finalisers run once, in reverse order, and may revive", [[
    local log, revived = {}
    for i = 1, 3 do setmetatable({}, { __gc = function() log[#log + 1] = i end }) end
    setmetatable({ "back" }, { __gc = function(o) revived = o end })
    collectgarbage() collectgarbage()
    return log, revived]] },
  { "modes of the collector", [[
    local before = collectgarbage("isrunning")
    local mode = collectgarbage("generational")
    local back = collectgarbage("incremental")
    collectgarbage(mode)
    collectgarbage("stop")
    local off = collectgarbage("isrunning")
    collectgarbage("restart")
    return before, mode == "incremental" or mode == "generational", back, off,
      collectgarbage("isrunning"), math.type(collectgarbage("count")),
      collectgarbage(), type(collectgarbage("step")), { pcall(collectgarbage, "wrong") }]] },
  { "coroutines are collected", [[
    local weak = setmetatable({}, { __mode = "k" })
    for i = 1, 100 do
      local co = coroutine.create(function() coroutine.yield(i) end)
      coroutine.resume(co)
      weak[co] = true
    end
    collectgarbage() collectgarbage()
    return next(weak)]] },

  -- Chunks, debug, libraries.
  { "load: with an environment, from pieces, text and binary modes", [[
    local env = { y = 5 }
    local pieces, i = { "return ", "y", nil }, 0
    local f = load(function() i = i + 1 return pieces[i] end, "=pieces", "t", env)
    local g = load("x = y + 1 return x", "=g", "t", env)
    local dumped = string.dump(function(a) return a * 2 end)
    return f(), g(), env.x, x, load(dumped, "d", "b")(4), { load(dumped, "=d", "t") }, { load("return",
      "=d", "b") }, { load("x =", "=bad") },
      { pcall(load("error('e')", "@file.lua")) }, { load(function() error("reader", 0) end) }]] },
  { "_ENV", [[
    local function f() local _ENV = { a = 1 } a = a + 1 return a end
    local function g(_ENV) return z end
    return f(), g({ z = 9 }), _ENV == _G, rawequal(_G._G, _G), undefined_name]] },
  { "globals set by a program are there", [[
    lua_spec_global = 11
    local seen = _G.lua_spec_global
    _G.lua_spec_global = nil
    return seen, lua_spec_global]] },
  { "sethook and gethook: lines", [[
    local lines = {}
    local function hook(_, line) lines[#lines + 1] = line end
    local function f()
      local a = 1
      local b = 2
      return a + b
    end
    debug.sethook(hook, "l")
    f()
    local h, mask, count = debug.gethook()
    debug.sethook()
    local inside = {}
    for _, l in ipairs(lines) do if l >= 3 and l <= 6 then inside[#inside + 1] = l end end
    return inside, h == hook, mask, count]] },
  { "a hook of calls and returns, and one that raises", [[
    local events = {}
    local function f() end
    debug.sethook(function(e) local i = debug.getinfo(2, "f")
      if i.func == f then events[#events + 1] = e end end, "cr")
    f()
    debug.sethook()
    local ok, e = pcall(function() debug.sethook(function() debug.sethook() error("hooked", 0) end, "l")
      local a = 1
      return a end)
    debug.sethook()
    return events, ok, e]] },
  { "a count hook stops a loop", [[
    local n = 0
    local ok, e = pcall(function()
      debug.sethook(function() n = n + 1 if n == 5 then error("enough", 0) end end, "", 10000)
      while true do end
    end)
    debug.sethook()
    return ok, e, n]] },
  { "a hook in another coroutine", [[
    local n = 0
    local co = coroutine.create(function()
      coroutine.yield()
      local a = 1
      return a
    end)
    coroutine.resume(co)
    debug.sethook(co, function() n = n + 1 end, "l")
    coroutine.resume(co)
    return n > 0, (debug.gethook(co)) ~= nil]] },
  { "getinfo", [[
    local function f(a, b, ...) local i = debug.getinfo(1, "nSlutr") return i, a, b, ... end
    local i = f(1, 2)
    local c = debug.getinfo(print)
    return i.name, i.namewhat, i.short_src, i.source, i.what, i.currentline, i.linedefined,
      i.lastlinedefined, i.nups, i.nparams,
      i.isvararg, i.istailcall, c.what, c.short_src, c.currentline, debug.getinfo(1000),
        { pcall(debug.getinfo, 1, "?") }]] },
  { "locals, varargs and user values", [[
    local function f(a, ...) local b = 2 return { debug.getlocal(1, 1) }, { debug.getlocal(1, -1) },
      { debug.getlocal(1, 2) } end
    return { f("x", "v") }, debug.getlocal(f, 1), debug.getmetatable("").__index == string,
      (debug.getuservalue(io.stdout, 1)) ]] },
  { "os and io basics", [[
    local name = os.tmpname()
    local file = assert(io.open(name, "w"))
    file:write("one\n", 2, "\n", 3.5, "\nlast")
    file:close()
    local lines = {}
    for l in io.lines(name) do lines[#lines + 1] = l end
    local handle = io.open(name)
    local n = handle:seek("end")
    handle:seek("set", 4)
    local a, b, rest, eof = handle:read("n", "n", "a", "l")
    local kind = io.type(handle)
    handle:close()
    local removed = os.remove(name)
    return lines, n, a, b, rest, eof, kind, io.type(handle), removed, (io.open(name)) , select(3,
      io.open("/no/such/file")),
      (pcall(io.lines, "/no/such/file")) , tostring(handle)]] },
  { "reading pipes, in all formats", [[
    local function pipe(text) return io.popen("printf '" .. text .. "'") end
    local out = {}
    local p = pipe("12 0x1p4\\n\\n -3word\\nrest\\nof it")
    out[1] = { p:read("n", "n", "n", "l", 2, "L", "a", "l", "a", 0) }
    p:close()
    p = pipe("nan 5")
    out[2] = { p:read("n", "l"), p:read("l"), p:read("n") }
    out[3] = { pcall(p.read, p, "x"), p:close(), pcall(p.read, p), pcall(io.read, "y") }
    local lines = {}
    p = pipe("a\\nb\\n\\nlast")
    for l, n in p:lines("L", 1) do lines[#lines + 1] = { l, n } end
    out[4] = { lines, p:close(), pcall(p.lines, p) }
    local before = io.input()
    p = pipe("1 two\\nthree")
    io.input(p)
    out[5] = { io.read("n", "*l"), io.read(0), io.lines()(), io.read("*a"), io.read("a"), io.read() }
    io.input(before)
    local iterator = p:lines()
    p:close()
    out[6] = { (pcall(iterator)), (pcall(io.lines, 5)) }
    return out]] },
  { "popen and execute", [[
    local p = io.popen("echo out; exit 3")
    local text = p:read("a")
    return text, { p:close() }, { os.execute("exit 4") }, (os.execute())]] },
  { "os.time, date and getenv", [[
    return os.time({ year = 2020, month = 1, day = 2, hour = 12 }) - os.time({ year = 2020, month = 1,
      day = 1, hour = 12 }),
      os.date("!%Y-%m-%d %H:%M:%S", 0), os.date("!*t", 86400).day,
        os.getenv("NO_SUCH_VARIABLE_AT_ALL"), math.type(os.time()), type(os.clock())]] },
  { "require of a plain module, once", [[
    local name = os.tmpname()
    local folder, stem = name:match("^(.*)/([^/]+)$")
    local path = folder .. "/" .. stem .. "_mod.lua"
    local file = assert(io.open(path, "w"))
    file:write("count_of_loads = (count_of_loads or 0) + 1 return { name = ..., loads = count_of_loads }")
    file:close()
    local saved = package.path
    package.path = folder .. "/?.lua;" .. saved
    local a = require(stem .. "_mod")
    local b, where = require(stem .. "_mod")
    package.path = saved
    package.loaded[stem .. "_mod"] = nil
    local loads = count_of_loads
    count_of_loads = nil
    os.remove(path) os.remove(name)
    return a == b, a.name == stem .. "_mod", a.loads, loads, where, ({ pcall(require,
      "no.such.module") })[1] ]] },
  { "require: preload, a module that fails, one that returns nothing", [[
    package.preload["pre.loaded"] = function(...) return { ... } end
    package.preload["pre.fails"] = function() error("broken", 0) end
    package.preload["pre.nothing"] = function() end
    local r = require("pre.loaded")
    local ok, e = pcall(require, "pre.fails")
    local out = { r[1], r[2], ok, e, require("pre.nothing"), package.loaded["pre.fails"] == nil }
    for _, n in ipairs({ "pre.loaded", "pre.fails", "pre.nothing" }) do package.preload[n],
      package.loaded[n] = nil, nil end
    return out, pcall(require)]] },
  { "dofile and loadfile", [[
    local name = os.tmpname()
    local file = io.open(name, "w")
    file:write("#!/usr/bin/lua\nreturn ..., 2")
    file:close()
    local f = loadfile(name)
    local a, b = dofile(name)
    os.remove(name)
    return { f("x") }, a, b, (loadfile("/no/such/file")) ]] },
}

-- What differs, and why (design 2.4, engine/README.md Decisions): `stock` is what Lua returns, `ours` what
-- tutti does.
programs.different = {
  { "coroutines nest less deeply", [[
    local function nest(n) local ok, d = coroutine.resume(coroutine.create(nest), n + 1)
      return ok and d or n end
    local depth = nest(0)
    return depth > 150, depth > 60]],
    why = "the body of each stands in a protected call, so that cleanup may await",
    stock = "true true true", ours = "true false true" },
  { "variables of a coroutine that dies of an error", [[
    local closed = false
    local co = coroutine.create(function()
      local a <close> = setmetatable({}, { __close = function() closed = true end })
      error("x", 0)
    end)
    coroutine.resume(co)
    return closed]],
    why = "they are closed when it dies, not only when it is closed or collected",
    stock = "true false", ours = "true true" },
  { "yield of the task itself", [[
    local ok, e = pcall(coroutine.yield, "escaped")
    return ok, tostring(e):match("yield") ]],
    why = "nobody could resume it rightly, so the call raises usage",
    stock = "true true nil", ours = 'true false "yield"' },
  { "isyieldable of the task itself", [[
    local outer = coroutine.running()
    return coroutine.isyieldable(), coroutine.wrap(function() return coroutine.isyieldable(outer) end)()]],
    why = "it cannot yield, see above",
    stock = "true true true", ours = "true false false" },
}

return programs
