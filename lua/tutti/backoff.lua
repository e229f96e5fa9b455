-- SPDX-License-Identifier: MIT
--- How long to wait before the next attempt: { first, cap, factor, jitter }, as retry and supervisors
--- take it.
---
--- Layer: the Lua half. Thread: the state's home.
--- Invariant: a delay is never above the cap; jitter only takes away from it, so that many who fail
--- together do not come back together, not even at the cap.
---@module "tutti.backoff"
local core = require("tutti.core")

local backoff = {}

backoff.DEFAULT = { first = 0.1, cap = 30, factor = 2, jitter = 0.2 }

local function refuse(what, level, message, ...)
  core.usage(("%s: option \"backoff\": %s"):format(what, message:format(...)), level + 1)
end

-- The elements that are plain numbers: their place in the list, and what they may be.
local FACTOR = { position = 3, name = "factor", least = 1, most = 1e6 }
local JITTER = { position = 4, name = "jitter", least = 0, most = 1 }

local function read_number(what, given, part, level)
  local value = given[part.position]
  if value == nil then
    return backoff.DEFAULT[part.name]
  end
  if type(value) ~= "number" or not (value >= part.least and value <= part.most) then
    refuse(what, level + 1, "element %d (%s) must be a number from %g to %g, got %s", part.position,
      part.name, part.least, part.most, type(value) == "number" and value or type(value))
  end
  return value
end

local function read_duration(what, value, part, missing, level)
  if value == nil then
    return missing
  end
  return core.duration(value, ("%s, backoff, %s"):format(what, part), level + 1)
end

--- Check the option: a list { first, cap, factor, jitter } whose end may be left out, or one duration, which
--- is the same delay each time. Returns it in the form that `delay` takes. `level` as for core.usage.
function backoff.check(what, given, level)
  if given == nil then
    return backoff.DEFAULT
  elseif type(given) == "number" or type(given) == "string" then
    local delay = read_duration(what, given, "the delay", nil, level + 1)
    return { first = delay, cap = delay, factor = 1, jitter = 0 }
  elseif type(given) ~= "table" then
    refuse(what, level + 1, "{ first, cap, factor, jitter } or a duration was expected, got %s", type(given))
  end
  for key in pairs(given) do
    if math.type(key) ~= "integer" or key < 1 or key > 4 then
      refuse(what, level + 1, "{ first, cap, factor, jitter } has four elements, and no \"%s\"",
        tostring(key))
    end
  end
  local first = read_duration(what, given[1], "first", backoff.DEFAULT.first, level + 1)
  local cap = read_duration(what, given[2], "cap", math.max(first, backoff.DEFAULT.cap), level + 1)
  if cap < first then
    refuse(what, level + 1, "the cap (%g s) is below the first delay (%g s)", cap, first)
  end
  return {
    first = first,
    cap = cap,
    factor = read_number(what, given, FACTOR, level + 1),
    jitter = read_number(what, given, JITTER, level + 1),
  }
end

--- Seconds to wait before the `count`-th further attempt (1, 2, ...).
function backoff.delay(checked, count)
  local full = checked.first == 0 and 0
    or math.min(checked.cap, checked.first * checked.factor ^ (count - 1))
  return full * (1 - checked.jitter * core.random())
end

return backoff
