-- SPDX-License-Identifier: MIT
--- The line to type that runs only some tasks of a script's graph again.
---
--- Layer: the Lua half. Thread: any; pure functions.
--- Invariant: a POSIX shell splits what `rerun.line` returns into exactly the words that were given.
---@module "tutti.report.rerun"

local rerun = {}

--- A word as a shell reads it back.
function rerun.quote(word)
  if word:find("^[%w_@%%+=:,./-]+$") then
    return word
  end
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

--- The word that selects the task of this name and no other: the name itself, for a word that is a task's
--- name is that task (tutti.program), unless it looks like an option or has in it what quotes would need.
function rerun.selector(name)
  if not name:find("^%-") and not name:find("['\"\\]") then
    return name
  end
  return '"' .. name:gsub("['\"\\]", "\\%0") .. '"'
end

--- The whole line. `command` is what comes before the selectors, already as a shell reads it.
---@param command string
---@param names string[]
function rerun.line(command, names)
  local words = { command }
  for i, name in ipairs(names) do
    words[i + 1] = rerun.quote(rerun.selector(name))
  end
  return table.concat(words, " ")
end

--- The command of this program's session, or nil where there is none to type again.
---@param session table # tutti.session
function rerun.command(session)
  if not session.file or not session.command then
    return nil
  end
  local program, command = session.command:match("^(.*) (%S+)$")
  local words = { rerun.quote(program), command }
  for _, given in ipairs(session.args or {}) do
    words[#words + 1] = "--arg " .. rerun.quote(given)
  end
  words[#words + 1] = rerun.quote(session.file)
  return table.concat(words, " ")
end

return rerun
