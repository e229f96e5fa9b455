-- SPDX-License-Identifier: MIT
-- JSON as the program writes it.
-- threads: one
require("tutti")
local json = require("tutti.json")

describe("json.encode", function()
  local CASES = {
    { nil, "null" }, { json.null, "null" }, { true, "true" }, { false, "false" },
    { 1, "1" }, { -0.5, "-0.5" }, { 0.1, "0.1" },
    { 1 / 3, "0.3333333333333333" }, { 2 ^ 60, "1.152921504606847e+18" },
    { math.mininteger, "-9223372036854775808" }, { 0 / 0, "null" }, { math.huge, "null" },
    { "a\"b\\c\n\t\0\27\127", "\"a\\\"b\\\\c\\n\\t\\u0000\\u001b\\u007f\"" },
    { "häß\u{1F600}", "\"häß\u{1F600}\"" },
    { "\xff", "\"\u{FFFD}\"" }, { "a\xe2\x82", "\"a\u{FFFD}\u{FFFD}\"" },
    { "\xed\xa0\x80x", "\"\u{FFFD}\u{FFFD}\u{FFFD}x\"" },
    { {}, "{}" }, { json.array({}), "[]" }, { { 1, "b", { c = 1 } }, "[1,\"b\",{\"c\":1}]" },
    { { b = 1, a = { 2 }, [""] = "x" }, "{\"\":\"x\",\"a\":[2],\"b\":1}" },
    { json.object({ "z", 1, "none", nil, "a", json.array({}), n = 6 }), "{\"z\":1,\"a\":[]}" },
  }

  for i, case in pairs(CASES) do
    it("case " .. i .. ": " .. ("%q"):format(case[2]), function()
      assert.equal(case[2], json.encode(case[1]))
    end)
  end

  it("gives the same number back, whatever it is", function()
    local seed = os.time()
    math.randomseed(seed)
    for _ = 1, 2000 do
      local number = string.unpack("d", string.pack("j", math.random(0)))
      local text = json.encode(number)
      local finite = number == number and math.abs(number) ~= math.huge
      assert.equal(finite and number or nil, tonumber(text), ("seed %d: %a"):format(seed, number))
    end
  end)

  it("refuses a table that holds itself", function()
    local list = {}
    list[1] = list
    assert.has_error(function() json.encode(list) end)
  end)
end)
