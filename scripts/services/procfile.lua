-- SPDX-License-Identifier: MIT
--- Reads a Procfile: what a project needs while somebody works on it, a line each.
---
---   NAME: COMMAND     must go on: started again whenever it ends
---   NAME?: COMMAND    may go: started again when it fails, and given up after a few times
---   # ...             a comment; empty lines are passed over
---
--- Invariant: what is returned has at least one service, and no two of the same name.
---@module "services.procfile"
local procfile = {}

---@class services.service
---@field name string
---@field command string    # a line of shell
---@field may_go boolean    # the others go on without it

--- The services of a text, in order.
---@param text string
---@return services.service[]? services
---@return string? problem     # "line 3: ...", with nil
function procfile.parse(text)
  local services, line_of, at = {}, {}, 0
  for line in (text .. "\n"):gmatch("(.-)\r?\n") do
    at = at + 1
    if line:find("%S") and not line:find("^%s*#") then
      local name, mark, command = line:match("^%s*([%w_.-]+)(%??)%s*:%s*(.-)%s*$")
      if not name or command == "" then
        return nil, ("line %d: NAME: COMMAND (or NAME?: COMMAND) was expected, got \"%s\""):format(at, line)
      elseif line_of[name] then
        return nil, ("line %d: there is a service \"%s\" already, in line %d"):format(at, name, line_of[name])
      end
      line_of[name] = at
      services[#services + 1] = { name = name, command = command, may_go = mark == "?" }
    end
  end
  if #services == 0 then
    return nil, "there is no service in it"
  end
  return services
end

return procfile
