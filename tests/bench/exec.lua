-- SPDX-License-Identifier: MIT
-- exec against a bare posix_spawn loop: 2,000 /bin/true, 4 in flight, with a Lua heap of 10 and of 300 MiB.
-- The bare loop itself drifts, so the two alternate and the median of the ratios of the pairs counts.
local tutti = require("tutti")

local N, IN_FLIGHT, PAIRS = 2000, 4, tonumber((...)) or 11
local bare = (os.getenv("TUTTI_BUILD") or "build") .. "/release/bench/tutti-bench-spawn"

local function ours()
  local lanes, left = {}, N
  local t0 = tutti.now()
  for i = 1, IN_FLIGHT do
    lanes[i] = tutti.spawn(function()
      while left > 0 do
        left = left - 1
        assert(tutti.exec({ "/bin/true" }):await().code == 0)
      end
    end)
  end
  tutti.all(lanes):await()
  return (tutti.now() - t0) / N * 1e9
end

local function theirs()
  local out = tutti.exec({ bare, tostring(N) }):await().stdout
  return tonumber(out:match('"ns":(%d+)'))
end

local function median(list)
  table.sort(list)
  return list[(#list + 1) // 2]
end

local function heap(mib)
  local ballast = {}
  for i = 1, mib do
    ballast[i] = ("x"):rep(1024 * 1024 - i)
  end
  return ballast
end

local LINE = '{"bench":"exec","system":"%s","threads":%d,"n":%d,"ns":%.0f,"heap_mib":%d%s}\n'
for _, mib in ipairs({ 10, 300 }) do
  local ballast = heap(mib)
  ours() -- warm up
  local mine, bares, ratios = {}, {}, {}
  for i = 1, PAIRS do
    mine[i] = ours()
    bares[i] = theirs()
    ratios[i] = mine[i] / bares[i]
  end
  io.write(LINE:format("posix_spawn", 1, N, median(bares), mib, ""))
  io.write(LINE:format("tutti", 1, N, median(mine), mib, (',"ratio":%.3f'):format(median(ratios))))
  assert(#ballast == mib)
end
