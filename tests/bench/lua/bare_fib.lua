-- SPDX-License-Identifier: MIT
-- fib(32) in plain Lua.
local now = require("luv").hrtime

local function fib(n)
  if n < 2 then
    return n
  end
  return fib(n - 1) + fib(n - 2)
end

assert(fib(10) == 55)
local t0 = now()
assert(fib(32) == 2178309)
io.write(('{"ns":%.0f}\n'):format(now() - t0))
