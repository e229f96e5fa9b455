-- SPDX-License-Identifier: MIT
-- Durations as texts: what they mean, and where a wrong one stops making sense.
-- threads: one
local tutti = require("tutti")
local duration = require("tutti.grammar.duration")
local texts = require("tests.spec.support.texts")
local describe, it, assert = describe, it, assert -- busted's; in its own _ENV, which cannot cross
local _ENV = _G -- luacheck: ignore

describe("a duration", function()
  it("is numbers with units", function()
    for text, expected in pairs({
      ["0s"] = 0,
      ["0.25s"] = 0.25,
      [".5s"] = 0.5,
      ["250ms"] = 0.25,
      ["1.5s"] = 1.5,
      ["1.s"] = 1,
      ["90s"] = 90,
      ["1m30s"] = 90,
      ["30s1m"] = 90,
      ["2h"] = 7200,
      ["1d"] = 86400,
      ["1d2h3m4s5ms6us7ns"] = 93784.005006007,
      ["1e3s"] = 1000,
      ["1E-3s"] = 0.001,
      ["1e999s"] = math.huge,
    }) do
      local value, err = duration.parse(text)
      assert(value, err and err.message)
      assert(value == expected or math.abs(value - expected) < 1e-9, text .. " is " .. value)
    end
  end)

  it("says where it stops making sense", function()
    for _, case in ipairs({
      { "", 1, "a number was expected, got nothing" },
      { "soon", 1, 'a number was expected, got "soon"' },
      { "5", 2, "the end of the text" },
      { "1 ms", 2, "without blanks" },
      { "1m 30s", 3, "without blanks" },
      { "-5s", 1, "no duration is negative" },
      { "5x", 2, "a unit (ns, us, ms, s, m, h, d) was expected" },
      { "5minutes", 2, 'minutes are "m"' },
      { "5sec", 2, 'seconds are "s"' },
      { "1m30", 5, "the end of the text" },
      { "1 30s", 2, "without blanks" },
      { "1:30", 2, '"1m30s"' },
      { "1,5s", 2, '"0.25s"' },
      { "1m,", 3, "a number or the end" },
      { " 1s", 1, "a number" },
      { "1ss", 2, "a unit" },
      { "1.5.5s", 4, "a unit" },
      { "0x10s", 2, "a unit" },
      { "1s\0", 3, "byte 0x00" },
      { "inf", 1, "a number" },
      { ("("):rep(1024 * 1024), 1, "a number" },
      { ("1s"):rep(512 * 1024) .. "x", 1024 * 1024, "a unit" },
    }) do
      local value, err = duration.parse(case[1])
      assert.is_nil(value, case[1])
      texts.check(case[1], value, err)
      assert.equal(case[2], err.position, err.message)
      assert(err.message:find(case[3], 1, true), err.message)
    end
  end)

  it("is refused at the caller's line, with a caret", function()
    local function f() tutti.sleep("10x") end
    local line = debug.getinfo(f, "S").linedefined
    local ok, err = pcall(f)
    assert.is_false(ok)
    assert.equal("usage", err.kind)
    assert.matches("grammar_duration_spec.lua:" .. line .. ": tutti.sleep: a duration was expected",
      err.message)
    assert.matches("position 3: a unit .-\n  10x\n    ^", err.message)
    assert.has_error(function() tutti.sleep({}) end)
    assert.has_error(function() tutti.sleep(-1) end)
    assert.has_error(function() tutti.sleep(0 / 0) end)
  end)

  it("is read on every state", function()
    tutti.sleep("1us")
    tutti.parallel(function() tutti.sleep("1us") end):await()
    local ok, err = tutti.parallel(function() tutti.sleep("1xs") end):pawait()
    assert.is_false(ok)
    assert.matches("position 2: a unit", err.message)
  end)
end)

describe("durations, at random", function()
  local UNITS = { ns = 1e-9, us = 1e-6, ms = 1e-3, s = 1, m = 60, h = 3600, d = 86400 }
  local NAMES = { "ns", "us", "ms", "s", "m", "h", "d" }

  it("are the sum of their parts", function()
    local seed = texts.start()
    for _ = 1, texts.count // 10 do
      local parts, sum = {}, 0
      for i = 1, math.random(4) do
        local unit = texts.pick(NAMES)
        local number = texts.pick({ "%d", "%.3f", "%.2e" }):format(math.random(0, 1000))
        parts[i] = number .. unit
        sum = sum + tonumber(number) * UNITS[unit]
      end
      local text = table.concat(parts)
      assert(duration.parse(text) == sum, seed .. " " .. text)
    end
  end)

  it("never raise, and have an error inside the text", function()
    local words = { "1", "30", ".", "5", "e", "-", "+", " ", "ms", "s", "m", "h", "d", "ns", "x" }
    texts.fuzz(duration.parse, words, { "1m30s", "0.25s", "250ms", "1d2h3.5m", "1e3s" }, function(_, value)
      assert(value >= 0)
    end)
  end)
end)
