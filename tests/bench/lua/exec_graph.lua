-- SPDX-License-Identifier: MIT
-- 2,000 programs as tasks of a graph, 4 at a time.
local tutti = require("tutti")

local N = tonumber((...)) or 2000

local graph = tutti.graph("bench")
for i = 1, N do
  graph:task("t" .. i, function()
    return tutti.exec({ "/bin/true" }):await().code
  end)
end
local result = graph:run({ jobs = 4 }):await()
assert(result:ok() and result.succeeded == N)
