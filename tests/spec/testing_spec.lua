-- SPDX-License-Identifier: MIT
-- core.random and tutti.testing: one thread, a virtual clock, chance from a seed.
local core = require("tutti.core")

describe("core.random", function()
  it("gives floats in [0, 1) that differ", function()
    local seen, sum = {}, 0
    for _ = 1, 1000 do
      local r = core.random()
      assert.equal("float", math.type(r))
      assert.is_true(r >= 0 and r < 1)
      assert.is_nil(seen[r])
      seen[r] = true
      sum = sum + r
    end
    assert.is_true(sum > 400 and sum < 600)
  end)
end)
