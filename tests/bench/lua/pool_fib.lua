-- SPDX-License-Identifier: MIT
-- fib(32) as a task of the pool, from the start to its result.
local tutti = require("tutti")

local function fib(n)
  if n < 2 then
    return n
  end
  return fib(n - 1) + fib(n - 2)
end

assert(tutti.parallel(fib, 10):await() == 55) -- opens the worker's state
local t0 = tutti.now()
assert(tutti.parallel(fib, 32):await() == 2178309)
io.write(('{"ns":%.0f}\n'):format((tutti.now() - t0) * 1e9))
