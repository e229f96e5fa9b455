-- SPDX-License-Identifier: MIT
--- Durations as texts: `250ms`, `1m30s`. See grammar/quantity.lua.
---
--- Layer: lua. Thread: any state.
---@module "tutti.grammar.duration"
local quantity = require("tutti.grammar.quantity")

local UNITS = { { "ns", 1e-9 }, { "us", 1e-6 }, { "ms", 1e-3 }, { "s", 1 }, { "m", 60 }, { "h", 3600 },
  { "d", 86400 } }

local function hint(text, position)
  local at = text:sub(position)
  if at:find("^%-") then
    return "no duration is negative"
  elseif at:find("^min") or at:find("^M$") then
    return "minutes are \"m\""
  elseif at:find("^sec") or at:find("^S$") then
    return "seconds are \"s\""
  elseif at == "" or at:find("^ ") then
    return "as in \"1m30s\", without blanks"
  elseif at:find("^%d*:") or at:find("^,%d") then
    return "write it as in \"1m30s\" or \"0.25s\""
  end
end

return {
  --- Seconds, or nil and an error.
  ---@type fun(text: string): number?, { position: integer, message: string }?
  parse = quantity.reader(UNITS, false, hint),
}
