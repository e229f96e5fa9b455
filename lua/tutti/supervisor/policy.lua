-- SPDX-License-Identifier: MIT
--- What sup:start takes: policies read from a table, with a clear message for each mistake.
---
--- Layer: the Lua half. Thread: the state's home.
--- `level` is that of the line to name, as for core.usage in the caller.
---@module "tutti.supervisor.policy"
local backoff = require("tutti.backoff")
local core = require("tutti.core")

local policy = {}

local STOP_SECONDS, MAX_RESTARTS, HEALTHY_SECONDS = 5, 5, 60

local function refuse(what, level, message, ...)
  core.usage(("%s: %s"):format(what, message:format(...)), level + 1)
end

--- One of a few words; the first is the default.
function policy.word(what, given, name, words, level)
  local value = given[name]
  if value == nil then
    return words[1]
  end
  local quoted = {}
  for i, word in ipairs(words) do
    if value == word then
      return word
    end
    quoted[i] = ("\"%s\""):format(word)
  end
  refuse(what, level + 1, "option \"%s\" must be %s or %s, got \"%s\"", name,
    table.concat(quoted, ", ", 1, #quoted - 1), quoted[#quoted], tostring(value))
end

--- A duration in seconds, or `missing`.
function policy.duration(what, given, name, missing, level)
  if given[name] == nil then
    return missing
  end
  return core.duration(given[name], ("%s, %s"):format(what, name), level + 1)
end

--- How many restarts; false or math.huge is any number.
function policy.count(what, name, value, level)
  if value == false or value == math.huge then
    return math.huge
  end
  if math.type(value) ~= "integer" and not (type(value) == "number" and value % 1 == 0) or value < 0 then
    refuse(what, level + 1, "%s must be a whole number >= 0 (false: any number), got %s", name,
      type(value) == "number" and value or type(value))
  end
  return value
end

local RESTART = { "never", "on_failure", "always" }
local ON_EXIT = { "keep", "shutdown", "all" }
local ON_GIVEUP = { "fail", "drop", "shutdown" }

--- Read the policy of one child from `given` into `child`.
function policy.read(what, given, child, level)
  child.restart = policy.word(what, given, "restart", RESTART, level + 1)
  child.on_exit = policy.word(what, given, "on_exit", ON_EXIT, level + 1)
  child.on_giveup = policy.word(what, given, "on_giveup", ON_GIVEUP, level + 1)
  if child.restart == "always" and child.on_exit ~= "keep" then
    refuse(what, level + 1, "on_exit = \"%s\" can never come about with restart = \"always\"", child.on_exit)
  end
  child.max_restarts = given.max_restarts == nil and MAX_RESTARTS
    or policy.count(what, "option \"max_restarts\"", given.max_restarts, level + 1)
  child.healthy_after = given.healthy_after == false and math.huge
    or policy.duration(what, given, "healthy_after", HEALTHY_SECONDS, level + 1)
  child.stop_timeout = policy.duration(what, given, "stop_timeout", STOP_SECONDS, level + 1)
  child.backoff = backoff.check(what, given.backoff, level + 1)
end

return policy
