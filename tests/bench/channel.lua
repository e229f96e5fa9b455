-- SPDX-License-Identifier: MIT
-- A message from one task to another of the same state: send and recv, for several capacities and values.
-- The goal is 500 ns a message (shared with nothing else on the machine); the median of 7 rounds counts.
local tutti = require("tutti")

local N, ROUNDS, AT_MOST = tonumber((...)) or 200000, 7, 500

local VALUES = { number = 12345, string = "a short string", table = { 1, 2, 3 } }

local function round(capacity, value, is_proof)
  local ch = tutti.channel(capacity)
  local n = is_proof and 1000 or N
  local started = tutti.now()
  local receiver = tutti.spawn(function()
    local count, last = 0, nil
    for v in ch:iter() do
      count, last = count + 1, v
    end
    return count, last
  end)
  local sender = tutti.spawn(function()
    for i = 1, n do
      ch:send(is_proof and i or value)
    end
    ch:close()
  end)
  sender:await()
  local count, last = receiver:await()
  assert(count == n and (not is_proof or last == n), "a message was lost")
  return (tutti.now() - started) / n * 1e9
end

local LINE = '{"bench":"channel","system":"tutti","value":"%s","capacity":%d,"n":%d,"ns":%.0f,"min":%.0f%s}\n'
for _, capacity in ipairs({ 0, 1, 1000 }) do
  round(capacity, nil, true)
  for _, name in ipairs({ "number", "string", "table" }) do
    local times = {}
    for i = 1, ROUNDS do
      times[i] = round(capacity, VALUES[name], false)
    end
    table.sort(times)
    local ns = times[(ROUNDS + 1) // 2]
    local goal = name == "table" and ""
      or (',"at_most":%d,"met":%s'):format(AT_MOST, tostring(ns <= AT_MOST))
    io.write(LINE:format(name, capacity, N, ns, times[1], goal))
  end
end
