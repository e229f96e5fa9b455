-- SPDX-License-Identifier: MIT
-- Sizes as texts: what they mean, and where a wrong one stops making sense.
-- threads: one
local tutti = require("tutti")
local size = require("tutti.grammar.size")
local texts = require("tests.spec.support.texts")

describe("a size", function()
  it("is a number, or numbers with units", function()
    for text, expected in pairs({
      ["0"] = 0,
      ["4096"] = 4096,
      ["4096B"] = 4096,
      ["64KiB"] = 65536,
      ["1kB"] = 1000,
      ["1KB"] = 1000,
      ["1.5GB"] = 1.5e9,
      ["2MB"] = 2e6,
      ["1TB"] = 1e12,
      ["1MiB"] = 1048576,
      ["0.5GiB"] = 536870912,
      ["1TiB"] = 2 ^ 40,
      ["1MiB512KiB"] = 1572864,
      ["1e999"] = math.huge,
    }) do
      local value, err = size.parse(text)
      assert(value, err and err.message)
      assert.equal(expected, value, text)
    end
  end)

  it("says where it stops making sense", function()
    for _, case in ipairs({
      { "", 1, "a number was expected, got nothing" },
      { "big", 1, 'a number was expected, got "big"' },
      { "64 KiB", 3, "a unit" },
      { "-1", 1, "no size is negative" },
      { "64K", 3, 'with 1024: "KiB", with 1000: "KB"' },
      { "1g", 2, 'with 1024: "GiB", with 1000: "GB"' },
      { "1kb", 2, "a unit (B, kB, KB, MB, GB, TB, KiB, MiB, GiB, TiB)" },
      { "1ms", 2, "a unit" },
      { "1KiBx", 2, "a unit" },
      { "1MiB1", 6, "a unit" },
      { "1MiB!", 5, "a number or the end" },
      { ("9"):rep(1024 * 1024) .. "x", 1024 * 1024 + 1, "a unit" },
    }) do
      local value, err = size.parse(case[1])
      assert.is_nil(value, case[1])
      texts.check(case[1], value, err)
      assert.equal(case[2], err.position, err.message)
      assert(err.message:find(case[3], 1, true), err.message)
    end
  end)

  it("is what options take", function()
    assert.equal(1024, #tutti.buffer("1KiB"))
    assert.equal(16, #tutti.buffer("16"))
    local ok, err = pcall(function() return (tutti.buffer("1 K")) end)
    assert.is_false(ok)
    assert.equal("usage", err.kind)
    assert.matches("tutti.buffer: a size was expected .- position 2: a unit .-\n  1 K\n   ^", err.message)
  end)
end)

describe("sizes, at random", function()
  it("are the same number again when printed as bytes", function()
    local seed = texts.start()
    for _ = 1, texts.count // 10 do
      local bytes = math.random(0, 2 ^ 50 | 0)
      assert(size.parse(bytes .. texts.pick({ "", "B" })) == bytes, seed .. " " .. bytes)
      local count = math.random(0, 1000)
      assert(size.parse(count .. "MiB") == count * 2 ^ 20, seed .. " " .. count)
    end
  end)

  it("never raise, and have an error inside the text", function()
    local words = { "1", "30", ".", "5", "e", "-", " ", "B", "K", "i", "KiB", "MB", "GiB", "TB", "x" }
    texts.fuzz(size.parse, words, { "64KiB", "1.5GB", "4096", "1MiB512KiB" }, function(_, value)
      assert(value >= 0)
    end)
  end)
end)
