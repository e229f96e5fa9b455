-- SPDX-License-Identifier: MIT
-- 100,000 tasks sleep between 0.25 and 0.65 s, every second one is cancelled in its sleep: how long all
-- of that takes, and the p99 of how late the others wake.
local tutti = require("tutti")

local N = 100000

local late, armed, woken = {}, 0, 0

local function body(seconds)
  local t0 = tutti.now()
  armed = armed + 1
  tutti.sleep(seconds)
  woken = woken + 1
  late[woken] = tutti.now() - t0 - seconds
end

math.randomseed(1)
local tasks, begin = {}, tutti.now()
for i = 1, N do
  tasks[i] = tutti.spawn(body, 0.25 + math.random() * 0.4)
end
while armed < N do
  tutti.checkpoint()
end
for i = 1, N, 2 do
  tasks[i]:cancel()
end
tutti.settle(tasks):await()
local took = tutti.now() - begin
assert(woken == N // 2)
table.sort(late)
assert(late[1] >= 0)
io.write(('{"ns":%.0f,"late_ns":%.0f}\n'):format(took * 1e9, late[woken * 99 // 100] * 1e9))
