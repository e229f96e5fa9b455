-- SPDX-License-Identifier: MIT
--- When two failures say the same: told of once, and counted.
---
--- Layer: the Lua half. Thread: any; pure functions.
---@module "tutti.report.alike"

local alike = {}

--- `text` with another sign where `name` stands in it as a word of its own, so that "a.c: no space" of task
--- "a.c" equals "b.c: no space" of task "b.c".
function alike.without_name(text, name)
  local parts, from = {}, 1
  while name ~= "" do
    local first, last = text:find(name, from, true)
    if not first then
      break
    end
    local is_word = not text:find("^[%w_]", last + 1) and (first == 1 or not text:find("^[%w_]", first - 1))
    parts[#parts + 1] = text:sub(from, first - 1) .. (is_word and "\0" or name)
    from = last + 1
  end
  parts[#parts + 1] = text:sub(from)
  return table.concat(parts)
end

--- Put a list into groups of equal key, in the order in which they first appear: lists of members.
---@param list any[]
---@param key_of fun(member: any): any
---@return any[][]
function alike.group(list, key_of)
  local groups, by_key = {}, {}
  for _, member in ipairs(list) do
    local key = key_of(member)
    local group = by_key[key]
    if not group then
      group = {}
      by_key[key], groups[#groups + 1] = group, group
    end
    group[#group + 1] = member
  end
  return groups
end

return alike
