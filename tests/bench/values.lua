-- SPDX-License-Identifier: MIT
-- What it costs that a value crosses: encode and decode, by sending it through a channel of one place
-- and receiving it in the same task. CPU time of the process, the best of several rounds: what else the
-- machine does only adds. The long string against a bare memcpy of as much (memcpy.c).
local tutti = require("tutti")

local ROUNDS = 15
local bare = (os.getenv("TUTTI_BUILD") or "build") .. "/release/bench/tutti-bench-memcpy"
local channel = tutti.channel(1)

local function there_and_back(value)
  channel:send(value)
  return (channel:recv())
end

local function best_of(n, f, ...)
  local best = math.huge
  for _ = 1, ROUNDS do
    local t0 = os.clock()
    for _ = 1, n do
      f(...)
    end
    best = math.min(best, (os.clock() - t0) / n * 1e9)
  end
  return best
end

local LINE = '{"bench":"values","system":"tutti","case":"%s","ns":%.1f,"each":"%s"%s}\n'

local function report(case, ns, each, more)
  io.write(LINE:format(case, ns, each, more or ""))
end

-- Proof before time.
local function check(value)
  local got = there_and_back(value)
  if type(value) ~= "table" then
    assert(got == value)
    return value
  end
  for k, v in pairs(value) do
    assert(got[k] == v)
  end
  assert(#got == #value)
  return value
end

local text = check(("x"):rep(1 << 20))
local mine, copy = math.huge, math.huge
for _ = 1, 3 do -- in turns, so that a busy machine strikes both
  mine = math.min(mine, best_of(20, there_and_back, text))
  copy = math.min(copy, tonumber(tutti.exec({ bare }):await().stdout:match('"ns":([%d.]+)')))
end
report("string 1 MiB", mine, "message",
  (',"copy_ns":%.1f,"ratio":%.2f,"at_most":4,"met":%s'):format(copy, mine / copy, mine <= 4 * copy))

local N = 100000
local integers, floats, words = {}, {}, {}
for i = 1, N do
  integers[i], floats[i], words[i] = i * 1003, i + 0.5, "word" .. i % 100
end
for _, row in ipairs({ { "integers", integers, 60 }, { "floats", floats }, { "short strings", words } }) do
  local ns = best_of(2, there_and_back, check(row[2])) / N
  report("table of 100,000 " .. row[1], ns, "element",
    row[3] and (',"at_most":%d,"met":%s'):format(row[3], ns <= row[3]))
end

local a, b = 1, 2
local function reused() return a + b end
report("number", best_of(20000, there_and_back, check(7)), "message")
report("short string", best_of(20000, there_and_back, check("hello")), "message")
report("small table", best_of(5000, there_and_back, check({ 1, 2, x = 3 })), "message")
report("function, reused", best_of(5000, there_and_back, reused), "message")
report("function, made anew", best_of(5000, function()
  there_and_back(function() return a + b end)
end), "message")
