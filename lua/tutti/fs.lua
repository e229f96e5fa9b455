-- SPDX-License-Identifier: MIT
--- Files and folders for tasks: each call suspends the task, not the loop.
---
--- The operations are engine/lua/fs*.c; here are options, iterators and globs. Each returns its value
--- or raises kind "io" with `code` ("ENOENT") and `path`.
---@module "tutti.fs"
local core = require("tutti.core")
local options = require("tutti.options")

local fs = {
  read = core.fs_read,
  write = core.fs_write,
  append = core.fs_append,
  stat = core.fs_stat,
  lstat = core.fs_lstat,
}

-- ---- checks --------------------------------------------------------------------------------

local function check_path(what, path, level)
  if type(path) ~= "string" then
    core.usage(("%s: a path (a string) was expected, got %s"):format(what, type(path)), level + 1)
  end
end

local function check_options(what, given, known, level)
  if given == nil then
    return {}
  end
  if type(given) ~= "table" then
    core.usage(("%s: a table of options was expected as second argument, got %s")
      :format(what, type(given)), level + 1)
  end
  for key in pairs(given) do
    if type(key) == "number" then
      core.usage(("%s: its options have names, but there is an element %s"):format(what, key), level + 1)
    end
  end
  options.check(what, given, known, level + 1)
  for name, wanted in pairs(known) do
    options.check_type(what, given, name, wanted, level + 1)
  end
  return given
end

local LIST, MKDIR, REMOVE = { types = "boolean" }, { parents = "boolean" }, { recursive = "boolean" }
local WALK = { on_error = "function" }

-- ---- folders -------------------------------------------------------------------------------

---@class tutti.fs.entry
---@field name string
---@field type "file"|"directory"|"link"|"fifo"|"socket"|"char"|"block"|"unknown"

--- The names in a folder, sorted by bytes; with `types = true` a list of { name =, type = }.
--- A link is a link here, whatever it points to.
---@async
---@param path string
---@param given? { types?: boolean }
---@return string[]|tutti.fs.entry[]
function fs.list(path, given)
  local opts = check_options("fs.list", given, LIST, 2)
  return core.fs_list(path, opts.types)
end

--- Make a folder; with `parents = true` those above it as well, and it may be there already.
---@async
function fs.mkdir(path, given)
  local opts = check_options("fs.mkdir", given, MKDIR, 2)
  return core.fs_mkdir(path, opts.parents)
end

--- Remove a file, a link (never what it points to) or an empty folder; with `recursive = true` a folder
--- with all that is in it.
---@async
function fs.remove(path, given)
  local opts = check_options("fs.remove", given, REMOVE, 2)
  return core.fs_remove(path, opts.recursive)
end

local function join(folder, name)
  if folder == "" or folder:sub(-1) == "/" then
    return folder .. name
  end
  return folder .. "/" .. name
end

-- What is in `folder`, or nil when it cannot be read and `on_error` has been told so.
local function list_or_tell(folder, on_error)
  if not on_error then
    return core.fs_list(folder, true)
  end
  local ok, result = pcall(core.fs_list, folder, true)
  if ok then
    return result
  end
  local fields = core.error_fields(result)
  if not fields or fields.kind ~= "io" then
    error(result, 0)
  end
  on_error(result)
  return nil
end

--- All that is below a folder, depth first, each folder before what is in it:
--- `for path, type in tutti.fs.walk(dir) do`. Links are not followed. With `on_error = f` a folder that
--- cannot be read is passed over after f(err); without it, that raises.
---@async
---@param path string
---@param given? { on_error?: fun(err) }
function fs.walk(path, given)
  check_path("fs.walk", path, 2)
  local on_error = check_options("fs.walk", given, WALK, 2).on_error
  -- What is still to be visited, the next one last; a folder is read when the walk goes on from it.
  local paths, types, current = {}, {}, path
  return function()
    local entries = current and list_or_tell(current, on_error)
    for i = entries and #entries or 0, 1, -1 do
      paths[#paths + 1] = join(current, entries[i].name)
      types[#types + 1] = entries[i].type
    end
    local next_path, next_type = table.remove(paths), table.remove(types)
    current = next_type == "directory" and next_path or nil
    return next_path, next_type
  end
end

-- ---- lines ---------------------------------------------------------------------------------

-- A function that returns one line after the other, without the newline, then nil.
local function line_reader(file, path)
  local buffer, from, is_end = "", 1, false
  return function()
    local pieces
    while true do
      local at = buffer:find("\n", from, true)
      if at then
        local line = buffer:sub(from, at - 1)
        from = at + 1
        if pieces then
          pieces[#pieces + 1] = line
          line = table.concat(pieces)
        end
        return line
      end
      if from <= #buffer then
        pieces = pieces or {}
        pieces[#pieces + 1] = buffer:sub(from)
      end
      local piece = not is_end and core.fs_next(file, path) or nil
      buffer, from = piece or "", 1
      if not piece then
        is_end = true
        core.fs_close(file)
        return pieces and table.concat(pieces) or nil
      end
    end
  end
end

--- The lines of a file, without their newlines: `for line in tutti.fs.lines(path) do`. A last line
--- without a newline counts. The file is closed at its end and when the loop is left.
---@async
function fs.lines(path)
  check_path("fs.lines", path, 2)
  local file = core.fs_open(path)
  local closer = setmetatable({}, { __close = function() core.fs_close(file) end })
  return line_reader(file, path), nil, nil, closer
end

-- ---- glob ----------------------------------------------------------------------------------

-- Entries of a folder; none where there is no such folder or it may not be read, as in a shell.
local function entries_of(folder)
  return list_or_tell(folder == "" and "." or folder, function() end) or {}
end

local function exists(path)
  local ok, err = pcall(core.fs_lstat, path)
  local fields = not ok and core.error_fields(err)
  if not ok and not (fields and fields.kind == "io") then
    error(err, 0)
  end
  return ok
end

local expand

local function add(state, path)
  if not state.is_found[path] then
    state.is_found[path] = true
    state.found[#state.found + 1] = path
  end
end

-- `**`: the folder itself, and every folder below it that is not hidden; links are not followed.
local function expand_deep(state, folder, i)
  local is_last = i == #state.parts
  if not is_last then
    expand(state, folder, i + 1)
  end
  for _, entry in ipairs(entries_of(folder)) do
    if entry.name:sub(1, 1) ~= "." then
      local path = join(folder, entry.name)
      if is_last then
        add(state, path)
      end
      if entry.type == "directory" then
        expand_deep(state, path, i)
      end
    end
  end
end

local function expand_pattern(state, folder, i)
  local part, is_last = state.parts[i], i == #state.parts
  for _, entry in ipairs(entries_of(folder)) do
    if part.matches(entry.name) then
      local path = join(folder, entry.name)
      if is_last then
        add(state, path)
      elseif entry.type == "directory" or entry.type == "link" or entry.type == "unknown" then
        expand(state, path, i + 1)
      end
    end
  end
end

-- Add to state.found what the parts from `i` on match below `folder`.
function expand(state, folder, i)
  local part = state.parts[i]
  if part.deep then
    expand_deep(state, folder, i)
  elseif part.matches then
    expand_pattern(state, folder, i)
  elseif i < #state.parts then
    expand(state, join(folder, part.name), i + 1)
  elseif exists(join(folder, part.name)) then
    add(state, join(folder, part.name))
  end
end

--- The paths that match a pattern, sorted by bytes: `*` and `?` match within a name, `[a-z]` and
--- `[!a-z]` one character of a set, `{a,b}` either, `**` as a whole part any number of folders; a backslash
--- takes the next character as it is. A leading dot is matched only by a dot. No match is an empty list.
---@async
---@return string[]
function fs.glob(pattern)
  check_path("fs.glob", pattern, 2)
  local alternatives, err = require("tutti.grammar.glob").paths(pattern)
  if not alternatives then
    core.usage("fs.glob: " .. err.message, 2)
  end
  local state = { found = {}, is_found = {} }
  for _, parts in ipairs(alternatives) do
    state.parts = parts
    if #parts > 0 then
      expand(state, parts.is_absolute and "/" or "", 1)
    elseif parts.is_absolute then
      add(state, "/")
    end
  end
  table.sort(state.found)
  return state.found
end

return { exports = { fs = fs } }
