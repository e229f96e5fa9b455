-- SPDX-License-Identifier: MIT
--- Failures with nobody waiting: said at once, in one line each; of equal ones the first few and then ever
--- fewer, with their number, and at the end the number of all.
---
--- Layer: the Lua half. Thread: the state's home.
--- Invariant: every failure has been said, or counted in a line that is said no later than at the end of its
--- reporter (for the state's own: at lua_close).
---@module "tutti.unowned"
local alike = require("tutti.report.alike")
local escape = require("tutti.escape")
local say = require("tutti.say")

local unowned = {}

local FIRST = 3 -- of equal ones these are said in full; then the 10th, the 100th, the 1,000th ...
local KINDS_MAX = 256

local function is_said(count)
  while count % 10 == 0 do
    count = count // 10
  end
  return count == 1
end

---@class tutti.unowned.reporter
---@field say fun(name: string, text: string)  # task `name` failed with nobody waiting; `text` is one line
---@field finish fun()   # say how many there were of those that were only counted since the last line on them

--- A reporter of its own, whose whole lines `write` takes.
---@return tutti.unowned.reporter
function unowned.new(write)
  local reporter, kinds, kind_count = {}, {}, 0

  function reporter.finish()
    local list = {}
    for _, kind in pairs(kinds) do
      list[#list + 1] = kind.count > kind.told and kind or nil
    end
    table.sort(list, function(a, b) return a.place < b.place end)
    for _, kind in ipairs(list) do
      write(("tutti: %d tasks in all failed like task \"%s\" with nobody awaiting them\n")
        :format(kind.count, kind.name))
    end
    kinds, kind_count = {}, 0
  end

  local function kind_of(name, text)
    local key = alike.without_name(text, name)
    if not kinds[key] then
      if kind_count == KINDS_MAX then
        reporter.finish()
      end
      kind_count = kind_count + 1
      kinds[key] = { name = name, count = 0, told = 0, place = kind_count }
    end
    return kinds[key]
  end

  function reporter.say(name, text)
    name, text = escape.line(name), escape.message(text)
    local kind = kind_of(name, text)
    kind.count = kind.count + 1
    if kind.count <= FIRST or is_said(kind.count) then
      kind.told = kind.count
      local like = kind.count > FIRST and (" (the %dth like this)"):format(kind.count) or ""
      write(("tutti: task \"%s\" failed with nobody awaiting it: %s%s\n"):format(name, text, like))
    end
  end

  return reporter
end

local of_state = unowned.new(say)
local sentinel

--- The same for the state, on stderr.
unowned.finish = of_state.finish
function unowned.say(name, text)
  sentinel = sentinel or setmetatable({}, { __gc = of_state.finish }) -- runs at lua_close
  of_state.say(name, text)
end

return unowned
