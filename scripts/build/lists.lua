-- SPDX-License-Identifier: MIT
--- What the parts of the build do with lists.
---@module "build.lists"
local lists = {}

--- One new list of the members of all of them, in order.
function lists.append(...)
  local all = {}
  for _, list in ipairs({ ... }) do
    table.move(list, 1, #list, #all + 1, all)
  end
  return all
end

return lists
