-- SPDX-License-Identifier: MIT
-- buffers and views: bytes that all states share.
local tutti = require("tutti")
local describe, it, assert = describe, it, assert -- busted's; in its own _ENV, which cannot cross
local _ENV = _G -- luacheck: ignore

local PACK = { u8 = "B", i32 = "i4", i64 = "i8", f32 = "f", f64 = "d" } -- for string.pack

-- The message of the error that f(...) raises, which must be of kind `usage` and at a line of this file.
local function refused(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.equal("usage", err.kind)
  assert.matches("buffer_spec.lua:%d+: ", err.message)
  return err.message
end

describe("tutti.buffer", function()
  it("has so many bytes, all zero, or what is given first", function()
    assert.equal(10, #tutti.buffer(10))
    assert.equal(("\0"):rep(10), tutti.buffer(10):string())
    assert.equal(65536, #tutti.buffer("64KiB"))
    assert.equal("ab\0c\0\0", tutti.buffer(6, "ab\0c"):string())
    assert.equal("", tutti.buffer(0):string())
    assert.equal("buffer of 6 bytes", tostring(tutti.buffer(6)))
  end)

  it("says what is wrong with a size or contents", function()
    assert.matches("a size was expected", refused(function() return (tutti.buffer("hello")) end))
    assert.matches("a size was expected", refused(function() return (tutti.buffer(-1)) end))
    assert.matches("3 bytes of contents do not fit into a buffer of 2",
      refused(function() return (tutti.buffer(2, "abc")) end))
    assert.matches("must be a string, got table", refused(function() return (tutti.buffer(2, {})) end))
    assert.matches("more than a buffer can have",
      refused(function() return (tutti.buffer(2 ^ 46 + 2 ^ 10)) end))
  end)

  it("gives bytes as string.sub does", function()
    local text = "0123456789abcdef0123"
    local b = tutti.buffer(#text, text)
    for from = -23, 23 do
      for to = -23, 23 do
        assert.equal(text:sub(from, to), b:string(from, to))
      end
      assert.equal(text:sub(from), b:string(from))
    end
    assert.matches("a position %(an integer%) was expected", refused(function() return (b:string("1")) end))
  end)

  it("copies from strings and buffers, also onto itself", function()
    local b = tutti.buffer(8)
    b:copy(3, "hello world", 1, 5)
    assert.equal("\0\0hello\0", b:string())
    local other = tutti.buffer(2, "!?")
    b:copy(1, other)
    assert.equal("!?hello\0", b:string())
    b:copy(9, "") -- behind the end is a place for nothing
    assert.matches("5 bytes to position 5 do not fit into a buffer of 8",
      refused(function() b:copy(5, "12345") end))
    assert.matches("to position 0", refused(function() b:copy(0, "1") end))
    assert.matches("a string or a buffer was expected", refused(function() b:copy(1, 7) end))
    local bytes = {}
    for i = 1, 5000 do
      bytes[i] = string.char(i * 7 % 256)
    end
    local text = table.concat(bytes)
    for _, to in ipairs({ 1, 2, 9, 1500 }) do
      for _, from in ipairs({ 1, 3, 8, 1700 }) do
        local big = tutti.buffer(#text, text)
        big:copy(to, big, from, from + 3000)
        local moved = text:sub(from, from + 3000)
        assert.equal(text:sub(1, to - 1) .. moved .. text:sub(to + 3001), big:string())
      end
    end
  end)

  it("is the same bytes in every state", function()
    local b = tutti.buffer(16)
    local v = b:view("i32")
    local back, n = tutti.parallel(function(buffer, view)
      view[2] = 42
      buffer:copy(13, "tail")
      return buffer, #view
    end, b, v):await()
    assert.equal(b, back) -- one handle in one state
    assert.equal(4, n)
    assert.equal(42, v[2])
    assert.equal("tail", b:string(13))
    local ch = tutti.channel(2)
    ch:send({ v, v })
    local got = ch:recv()
    assert.equal(v, got[1])
    assert.equal(v, got[2])
    assert.equal(b, got[1]:buffer())
  end)

  it("counts for the collector as many bytes as it has", function()
    local alive = setmetatable({}, { __mode = "v" }) -- a value goes before its finaliser runs
    for i = 1, 500 do
      alive[i] = tutti.buffer("1MiB")
    end
    local count = 0
    for _ in pairs(alive) do
      count = count + 1
    end
    assert.is_true(count < 250, count .. " of 500 dropped buffers are still there")
  end)
end)

describe("a view of a buffer", function()
  it("reads and writes each type, to its limits", function()
    local b = tutti.buffer(64)
    local limits = {
      u8 = { 0, 255, 127 }, i32 = { -2 ^ 31 | 0, 2 ^ 31 - 1 | 0, -1 },
      i64 = { math.mininteger, math.maxinteger, 0 },
      f32 = { 0.5, -math.huge, 3.0 }, f64 = { 0.1, math.huge, -0.0 },
    }
    for name, values in pairs(limits) do
      local v = b:view(name)
      assert.equal(64 // string.packsize(PACK[name]), #v)
      for i, value in ipairs(values) do
        v[i] = value
      end
      for i, value in ipairs(values) do
        assert.equal(value, v[i])
        assert.equal(math.type(value), math.type(v[i]))
      end
      assert.equal(name, v:type())
    end
    local v = b:view("f64")
    v[1] = 0 / 0
    assert.is_true(v[1] ~= v[1])
    assert.equal(string.pack("d", 0.1), (function() v[1] = 0.1 return b:string(1, 8) end)())
  end)

  it("takes floats with an integral value as integers and refuses the rest", function()
    local b = tutti.buffer(8)
    local u8, i32 = b:view("u8"), b:view("i32")
    u8[1.0] = 7.0
    assert.equal("integer", math.type(u8[1]))
    for _, case in ipairs({ { u8, 256 }, { u8, -1 }, { u8, 0.5 }, { i32, 2 ^ 31 }, { i32, -2 ^ 31 - 1 } }) do
      assert.matches("is no " .. case[1]:type() .. " %(an integer from",
        refused(function() case[1][1] = case[2] end))
    end
    assert.matches("a view of u8 holds numbers, got string", refused(function() u8[1] = "1" end))
    assert.matches("a view of f64 holds numbers, got nil", refused(function() b:view("f64")[1] = nil end))
    assert.equal(7, u8[1])
  end)

  it("checks bounds: 1 to n", function()
    local v = tutti.buffer(24):view("f64")
    for _, i in ipairs({ 0, -1, 4, 5, 1.5, math.mininteger, math.maxinteger, 0 / 0 }) do
      assert.matches("is outside of a view of 3 elements", refused(function() return v[i] end))
      assert.matches("is outside of a view of 3 elements", refused(function() v[i] = 1 end))
    end
    assert.matches("outside", refused(function() v[4] = 1 end))
    assert.matches('a view has no field "x"', refused(function() return v.x end))
    assert.matches("outside", refused(function() v.x = 1 end))
    assert.matches("outside", refused(function() return tutti.buffer(7):view("f64")[1] end))
  end)

  it("works with ipairs, table.move, table.concat, table.sort", function()
    local v = tutti.buffer("1KiB"):view("i32", 64, 5)
    for i = 1, #v do
      v[i] = 10 - i
    end
    local seen = {}
    for i, value in ipairs(v) do
      seen[i] = value
    end
    assert.same({ 9, 8, 7, 6, 5 }, seen)
    assert.same(seen, table.move(v, 1, #v, 1, {}))
    table.sort(v)
    assert.equal("5,6,7,8,9", table.concat(v, ","))
  end)

  it("begins where it is told and counts what it is told", function()
    local b = tutti.buffer(20)
    local v = b:view("i32", 8, 2)
    v[1], v[2] = 1, 2
    assert.equal(string.pack("i4i4i4i4i4", 0, 0, 1, 2, 0), b:string())
    assert.equal(8, v:offset())
    assert.equal(3, #b:view("i32", 8))
    assert.equal(0, #b:view("i32", 20))
    assert.equal("view of 2 i32 in a buffer of 20 bytes", tostring(v))
    assert.matches("must be a multiple of 4 bytes, got 2", refused(function() return (b:view("i32", 2)) end))
    assert.matches("4 i32 elements from byte 8 on do not fit",
      refused(function() return (b:view("i32", 8, 4)) end))
    assert.matches("do not fit", refused(function() return (b:view("u8", 21)) end))
    assert.matches("do not fit", refused(function() return (b:view("i64", 0, math.maxinteger)) end))
    assert.matches("must be an integer >= 0, got %-4", refused(function() return (b:view("i32", -4)) end))
    assert.matches('got i16', refused(function() return (b:view("i16")) end))
  end)

  it("fills", function()
    local b = tutti.buffer(6)
    local v = b:view("u8")
    v:fill(1)
    v:fill(2, 2, 3)
    v:fill(9, 4, 3)
    assert.equal("\1\2\2\1\1\1", b:string())
    assert.matches("not all in a view of 6", refused(function() v:fill(1, 0) end))
    assert.matches("not all in a view of 6", refused(function() v:fill(1, 1, 7) end))
  end)

  it("is written by several workers at once", function()
    local v = tutti.buffer(8 * 4000):view("i64")
    local tasks = {}
    for k = 1, 4 do
      tasks[k] = tutti.parallel(function(from)
        for i = from, #v, 4 do
          v[i] = i * i
        end
      end, k)
    end
    tutti.all(tasks):await()
    for i = 1, #v do
      assert.equal(i * i, v[i])
    end
  end)

  it("holds its buffer, and both outlive the state that made them", function()
    local v = tutti.parallel(function()
      return tutti.buffer(16, "0123456789abcdef"):view("u8", 8)
    end):await()
    collectgarbage()
    assert.equal(("8"):byte(), v[1])
    assert.equal("0123456789abcdef", v:buffer():string())
    local view = v
    v = nil -- luacheck: ignore
    collectgarbage()
    assert.equal(("f"):byte(), view[8])
  end)

  it("cannot be fooled by the debug library", function()
    local index = debug.getmetatable(tutti.buffer(1):view("u8")).__index
    assert.matches("a view was expected, got userdata", refused(function() return (index(io.stdout, 1)) end))
    assert.matches("a view was expected", refused(function() return (index(nil, 1)) end))
  end)
end)
