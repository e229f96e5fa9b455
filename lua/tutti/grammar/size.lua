-- SPDX-License-Identifier: MIT
--- Sizes as texts: `64KiB`, `1.5GB`, `4096`. See grammar/quantity.lua.
---
--- Layer: lua. Thread: any state.
---@module "tutti.grammar.size"
local quantity = require("tutti.grammar.quantity")

local UNITS = { { "B", 1 }, { "kB", 1e3 }, { "KB", 1e3 }, { "MB", 1e6 }, { "GB", 1e9 }, { "TB", 1e12 },
  { "KiB", 2 ^ 10 }, { "MiB", 2 ^ 20 }, { "GiB", 2 ^ 30 }, { "TiB", 2 ^ 40 } }

local function hint(text, position)
  local prefix = text:match("^[kKmMgGtT]", position)
  if text:find("^%-", position) then
    return "no size is negative"
  elseif prefix then
    prefix = prefix:upper()
    return ("with 1024: \"%siB\", with 1000: \"%sB\""):format(prefix, prefix)
  end
end

return {
  --- Bytes as a float, or nil and an error.
  ---@type fun(text: string): number?, { position: integer, message: string }?
  parse = quantity.reader(UNITS, true, hint),
}
