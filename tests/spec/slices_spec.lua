-- SPDX-License-Identifier: MIT
-- Turns that are cut short in the loop state, as at the prompt: random graphs, scopes, channels, time limits
-- and cancellations in tasks that never give the turn themselves. TUTTI_SEED repeats the choices.
local build = require("tests.spec.support.build")
local program = require("tests.spec.support.program")

local SCRIPT = (os.getenv("TUTTI_ROOT") or ".") .. "/tests/spec/support/slices.lua"

describe("a loop state whose turns are sliced", function()
  local check = build.is_tsan and pending or it
  check("keeps what is promised of tasks, whatever is cut short where", function()
    for round = 1, 3 do
      local seed = tonumber(os.getenv("TUTTI_SEED")) or os.time() * 10 + round
      local code, out, err = program.shell(("TUTTI_PREEMPT=signal timeout 100 %s run -q %s %d 0.5"):format(
        program.quote(program.path), SCRIPT, seed))
      assert.equal(0, code, ("TUTTI_SEED=%d: %s%s"):format(seed, out, err))
      assert.matches("^good: [1-9]%d* actions, [1-9]%d* slices\n$", out)
    end
  end)
end)
