-- SPDX-License-Identifier: MIT
--- How long tasks took: kept in their nodes, and by the program in a small file for each script and graph.
---
---     $XDG_STATE_HOME/tutti/durations/HASH   (else ~/.local/state/...)
---         tutti durations 1 TAB graph TAB script
---         seconds TAB task
---
--- A file is written at the end of a run that took more than a second, and read when a critical path or the
--- time left is asked for. What cannot be read or written is nothing: never an error.
---
--- Layer: the Lua half. Thread: the state's home.
--- Invariant: a file is replaced whole, so that a reader sees an old one or a new one; names hold no control
--- characters, so that lines and tabs part them.
---@module "tutti.graph.history"
local core = require("tutti.core")
local nodes = require("tutti.graph.nodes")
local session = require("tutti.session")

local history = {}

local HEAD = "tutti durations 1"
local RUN_SECONDS = 1 -- shorter runs are not worth a file
local TASK_SECONDS = 0.01 -- nor are shorter tasks worth a line, or a field in their node
local TASKS_MAX = 10000 -- the longest ones

-- ---- where ---------------------------------------------------------------------------------

local function folder()
  local state = os.getenv("XDG_STATE_HOME")
  if not state or state:sub(1, 1) ~= "/" then
    local home = os.getenv("HOME")
    state = home and home ~= "" and home .. "/.local/state"
  end
  return state and state .. "/tutti/durations"
end

-- FNV-1a, 64 bits.
local function hash(text)
  local value = -3750763034362895579
  for i = 1, #text do
    value = (value ~ text:byte(i)) * 1099511628211
  end
  return ("%016x"):format(value)
end

local function uv()
  return require("tutti.uv").exports.uv
end

-- The file of a graph, and its first line; nil if none is to be kept.
local function file_of(graph)
  local where = session.is_program and session.file and not core.is_testing() and folder()
  local script = where and uv().fs_realpath(session.file)
  if not script or script:find("[\n\t]") then
    return nil
  end
  local head = ("%s\t%s\t%s"):format(HEAD, graph.name, script)
  return ("%s/%s"):format(where, hash(head)), head
end

-- ---- reading -------------------------------------------------------------------------------

local function read(graph)
  local path, head = file_of(graph)
  local file = path and io.open(path, "rb")
  local known = {}
  if not file then
    return known
  end
  if file:read("l") == head then
    for line in file:lines() do
      local seconds, name = line:match("^([%d.]+)\t(.+)$")
      known[name or ""] = tonumber(seconds)
    end
  end
  file:close()
  return known
end

local kept = setmetatable({}, { __mode = "k" })

--- Seconds by name, as the program noted them at an earlier time.
function history.of(graph)
  if not kept[graph] then
    local ok, known = pcall(read, graph)
    kept[graph] = ok and known or {}
  end
  return kept[graph]
end

-- ---- writing -------------------------------------------------------------------------------

local function make_folder(path)
  for slash in (path .. "/"):gmatch("()/") do
    if slash > 1 then
      uv().fs_mkdir(path:sub(1, slash - 1), 448) -- 0700
    end
  end
end

local function text_of(head, known)
  local names = {}
  for name in pairs(known) do
    names[#names + 1] = name
  end
  table.sort(names, function(a, b)
    return known[a] > known[b] or known[a] == known[b] and a < b
  end)
  local lines = { head }
  for i = 1, math.min(#names, TASKS_MAX) do
    local seconds = ("%.3f"):format(known[names[i]]):gsub(",", ".")
    lines[i + 1] = seconds .. "\t" .. names[i]
  end
  return table.concat(lines, "\n") .. "\n"
end

local function write(graph, known)
  local path, head = file_of(graph)
  if not path then
    return
  end
  make_folder(path:match("^(.*)/"))
  local fresh = ("%s.%d"):format(path, uv().os_getpid())
  local file = io.open(fresh, "wb")
  local is_whole = file and file:write(text_of(head, known))
  is_whole = file and file:close() and is_whole
  if not (is_whole and os.rename(fresh, path)) then
    os.remove(fresh)
  end
end

-- Only a node that has been made can have been measured.
local function was_measured(run, entry)
  local index = run.plan.indices[entry.index]
  return (not index or nodes.is_made(run.graph, index)) and entry.node.measured
end

--- A run has ended: keep how long its tasks took.
function history.run_ended(run, elapsed)
  local keeps = session.is_program and elapsed > RUN_SECONDS
  local known = keeps and history.of(run.graph)
  for _, entry in ipairs(run.list) do
    local seconds = entry.state == "done" and entry.ended - entry.began
    if seconds and (seconds >= TASK_SECONDS or was_measured(run, entry)) then
      entry.node.measured = seconds
      if known then
        known[entry.name] = seconds
      end
    end
  end
  if known then
    pcall(write, run.graph, known)
  end
end

return history
