-- SPDX-License-Identifier: MIT
--- What the specs of supervisors have in common.
---@module "tests.spec.support.supervision"
local assert = require("luassert")
local tutti = require("tutti")

local supervision = {}

--- A delay between restarts that is short and always the same.
supervision.QUICK = { 0.001, 0.001, 1, 0 }

--- busted's `it` with the test in a world of its own. Delays are virtual there: the clock jumps from timer to
--- timer, so no load on the machine changes an order.
function supervision.virtual(busted_it)
  return function(name, f)
    busted_it(name, function()
      tutti.testing({ seed = 1, name = name }, f)
    end)
  end
end

--- Like assert(pcall(f)), for what must raise.
function supervision.raised(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  return err
end

--- The names of the children, in order, as one text.
function supervision.names(sup)
  local list = {}
  for i, child in ipairs(sup:children()) do
    list[i] = child.name
  end
  return table.concat(list, " ")
end

function supervision.child_of(sup, name)
  for _, child in ipairs(sup:children()) do
    if child.name == name then
      return child
    end
  end
end

function supervision.eventually(what, condition)
  for _ = 1, 2000 do
    if condition() then
      return
    end
    tutti.sleep(0.002)
  end
  error("never came about: " .. what, 2)
end

--- A function that notes its starts and its end in `log`, and then goes on for ever.
function supervision.server(log, name)
  return function()
    log[#log + 1] = "+" .. name
    local _ <close> = setmetatable({}, { __close = function() log[#log + 1] = "-" .. name end })
    tutti.sleep("1h")
  end
end

return supervision
