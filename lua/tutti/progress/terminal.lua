-- SPDX-License-Identifier: MIT
--- Programs and the terminal while the live view has it, or the prompt.
---
---     stdout = "inherit"           its lines go where print goes, above the view, each whole
---     stdin = { inherit = true }   it gets the terminal itself; the view, or the line that is typed at the
---                                  prompt, is put away until it has ended
---
--- Layer: the Lua half. Thread: any state's home; `lend` has an effect in the loop state only.
--- Invariant: the view is put away exactly as often as `lent` has tasks.
---@module "tutti.progress.terminal"
local core = require("tutti.core")
local session = require("tutti.session")

local terminal = {}

-- A line that is longer is handed on in pieces.
local LINE_MAX = 64 * 1024

--- What takes the output of a program that inherits `name` ("stdout" or "stderr"), in pieces, nil at the
--- end; nil if it may write there itself. A last line without end gets one.
function terminal.relay(name)
  if not core.is_stream_taken(name) then
    return nil
  end
  local stream, rest = io[name], ""
  return function(piece)
    rest = rest .. (piece or rest ~= "" and "\n" or "")
    local whole = (piece == nil or #rest > LINE_MAX) and #rest or rest:match(".*()\n") or 0
    if whole > 0 then
      stream:write(rest:sub(1, whole))
      stream:flush()
      rest = rest:sub(whole + 1)
    end
  end
end

local lent = {}

--- Give the terminal back that ended tasks had.
function terminal.check()
  for i = #lent, 1, -1 do
    if lent[i]:is_done() then
      table.remove(lent, i)
      session.view.release()
    end
  end
end

local lending = setmetatable({}, { __close = function() session.prompt.release() end })

-- At the prompt: until the task has ended, whose failure stays its owner's.
local function lend_prompt(task)
  session.prompt.hold()
  local watcher = core.start({ name = "terminal", detach = true, background = true, quiet = true,
    no_place = true, priority = 0 }, function()
    local _ <close> = lending
    local next_ended, list, at, _ <close> = require("tutti").completed({ task }, { cancel = false })
    next_ended(list, at)
  end)
  require("tutti.repl.internal").tasks[watcher] = true
end

--- The terminal is this task's until it has ended.
function terminal.lend(task)
  if session.prompt then
    lend_prompt(task)
    return
  end
  if session.view and session.progress == "tty" then
    session.view.hold()
    lent[#lent + 1] = task
  end
end

return terminal
