-- SPDX-License-Identifier: MIT
--- What the text before a cursor may go on with: names, fields, methods, file names, commands, tasks.
---
--- Tables are only read raw. Of a metatable nothing is called: an `__index` that is a table is followed,
--- for one that is a function the metatable may hold `__names`, a table (with its own `__index`) whose keys
--- that function knows.
---
--- Layer: the Lua half. Thread: the state's home.
--- Invariant: runs no code of the user, never raises or awaits, and gives at most MOST candidates after
--- looking at at most KEYS_MAX keys of each table.
---@module "tutti.repl.complete"
local commands = require("tutti.repl.commands")
local core = require("tutti.core")
local cursor = require("tutti.repl.cursor")
local internal = require("tutti.repl.internal")

local MOST = 1000
local KEYS_MAX = 20000
local CHAIN_MAX = 100 -- tables that are each other's __index
local FILES_MAX = 10000
local TASKS_MAX = 10000

-- ---- candidates ----------------------------------------------------------------------------

local function new_list(typed)
  return { typed = typed, seen = {} }
end

local function is_full(list)
  return #list >= MOST
end

local function add(list, text)
  if not is_full(list) and not list.seen[text] and text:sub(1, #list.typed) == list.typed then
    list.seen[text] = true
    list[#list + 1] = text
  end
end

local function add_keys(list, set)
  for name in next, set do
    add(list, name)
  end
end

-- ---- values, read raw ----------------------------------------------------------------------

-- The module is this project's own: what it loads on first use may be loaded by a key.
local function is_tutti(value)
  return rawequal(value, package.loaded.tutti)
end

local function raw_meta(value, name)
  local meta = debug.getmetatable(value)
  return type(meta) == "table" and rawget(meta, name) or nil
end

-- The tables that `value[key]` looks into, in order, as far as no function has to be called.
local function tables_of(value)
  local count = 0
  return function()
    if count > 0 or type(value) ~= "table" then
      value = raw_meta(value, "__index")
    end
    count = count + 1
    return type(value) == "table" and count <= CHAIN_MAX and value or nil
  end
end

local function raw_field(value, key)
  if is_tutti(value) then
    local ok, found = pcall(function() return value[key] end)
    return ok and found or nil
  end
  for holder in tables_of(value) do
    local found = rawget(holder, key)
    if found ~= nil then
      return found
    end
  end
  return nil
end

local function is_callable(value)
  return type(value) == "function" or raw_meta(value, "__call") ~= nil
end

local function is_name(key)
  return type(key) == "string" and key:find("^[%a_][%w_]*$") ~= nil and not cursor.KEYWORDS[key]
end

-- Names that begin with two underscores are for Lua: only for who asks for them.
local function is_shown(list, key)
  return key:sub(1, 2) ~= "__" or list.typed:sub(1, 1) == "_"
end

local function add_fields_of(list, holder, is_wanted)
  local looked = 0
  for key, value in next, holder do
    looked = looked + 1
    if looked > KEYS_MAX or is_full(list) then
      return
    end
    if type(key) == "string" and is_wanted(key, value) and is_shown(list, key) then
      add(list, key)
    end
  end
end

local function add_names_of(list, value, is_wanted)
  for names in tables_of(raw_meta(value, "__names")) do
    add_fields_of(list, names, is_wanted)
  end
end

local function add_fields(list, value, is_wanted)
  if type(value) ~= "table" then
    add_names_of(list, value, is_wanted)
  end
  for holder in tables_of(value) do
    add_fields_of(list, holder, is_wanted)
    add_names_of(list, holder, is_wanted)
  end
end

-- What a path of the cursor leads to; nil: nothing, or nothing that is known without running code.
local function value_at(path, locals, declared)
  local value
  if path.text then
    value = path.text
  elseif declared[path.name] then
    return nil -- what a local of the unfinished text will be is not known
  elseif locals[path.name] then
    value = locals[path.name].value
  else
    value = raw_field(_G, path.name)
  end
  for _, key in ipairs(path) do
    if value == nil then
      return nil
    end
    value = raw_field(value, key)
  end
  return value
end

-- ---- files ---------------------------------------------------------------------------------

local function each_file(folder, visit)
  local uv = require("tutti.uv").exports.uv
  local dir <close> = setmetatable({ handle = uv.fs_opendir(folder, nil, 500) }, {
    __close = function(self) return self.handle and uv.fs_closedir(self.handle) end,
  })
  local looked = 0
  while dir.handle and looked < FILES_MAX do
    local entries = uv.fs_readdir(dir.handle)
    if not entries or #entries == 0 then
      return
    end
    for _, file in ipairs(entries) do
      local stat = file.type == "link" and uv.fs_stat(folder .. "/" .. file.name)
      visit(file.name, (stat or file).type == "directory")
    end
    looked = looked + #entries
  end
end

-- File names behind the last "/" of `typed`; `write` puts a name as it has to stand in the text.
local function add_files(list, typed, write)
  local folder, part = typed:match("^(.*/)([^/]*)$")
  pcall(each_file, folder or ".", function(name, is_folder)
    local is_asked_for = name:sub(1, 1) ~= "." or (part or typed):sub(1, 1) == "."
    local text = is_asked_for and not name:find("%c") and write(name)
    if text then
      add(list, text .. (is_folder and "/" or ""))
    end
  end)
end

local function read_escapes(text)
  return (text:gsub("\\(.)", "%1"))
end

local function string_candidates(at, locals)
  local value = at.path and value_at(at.path, locals, at.declared)
  if type(value) == "table" then
    local list = new_list(at.typed)
    add_fields(list, value, function(key) return not key:find("[%c\\\"']") end)
    if #list > 0 then
      return list, at.from
    end
  end
  local is_long = at.quote == "["
  local last = #(at.typed:match("^.*/") or "")
  local list = new_list(at.typed:sub(last + 1))
  add_files(list, is_long and at.typed or read_escapes(at.typed), function(name)
    return is_long and name or (name:gsub("[\\" .. at.quote .. "]", "\\%0"))
  end)
  return list, at.from + last
end

-- ---- code ----------------------------------------------------------------------------------

local function name_candidates(list, at, locals)
  if at.after == "local" then
    add(list, "function")
    return
  elseif at.after == "goto" or at.after == "for" then
    return
  end
  add_keys(list, at.declared)
  for name in next, locals do
    if is_name(name) then
      add(list, name)
    end
  end
  if #at.typed > 0 then -- else they would only be in the way
    add_keys(list, cursor.KEYWORDS)
  end
  add_fields(list, _G, is_name)
end

local function code_candidates(at, locals)
  local list = new_list(at.typed)
  if at.kind == "name" then
    name_candidates(list, at, locals)
  elseif at.path then
    local value = value_at(at.path, locals, at.declared)
    local is_method = at.kind == "method"
    add_fields(list, value, function(key, field)
      return is_name(key) and (not is_method or is_callable(field))
    end)
  end
  return list, at.from
end

-- ---- commands ------------------------------------------------------------------------------

local function add_task_names(list)
  for _, node in ipairs(core.tree(TASKS_MAX)) do
    if node.kind ~= "scope" and not internal.tasks[node.task] and not node.name:find("%c") then
      add(list, node.name)
    end
  end
end

local function task_candidates(list, locals)
  add_task_names(list)
  for name, box in next, locals do
    if core.is_task(box.value) then
      add(list, name)
    end
  end
  local looked = 0
  for name, value in next, _G do
    looked = looked + 1
    if looked <= KEYS_MAX and is_name(name) and core.is_task(value) then
      add(list, name)
    end
  end
end

-- What can be asked of :doc, written as far as what was typed is.
local function doc_names(list)
  local is_long = list.typed:find("^tutti%.") ~= nil or ("tutti."):find(list.typed, 1, true) == 1
  for _, name in ipairs(require("tutti.repl.commands.doc").names()) do
    add(list, is_long and name or (name:gsub("^tutti%.", "")))
  end
end

local function file_argument(text, from)
  local typed = text:sub(from)
  local last = #(typed:match("^.*/") or "")
  local list = new_list(typed:sub(last + 1))
  add_files(list, typed, function(name) return name end)
  return list, from + last
end

local function code_argument(text, from, locals)
  -- What is before the expression is no Lua: the same places, and nothing in them.
  local at = cursor.at((" "):rep(from - 1) .. text:sub(from))
  if at.kind == "string" then
    return string_candidates(at, locals)
  end
  return code_candidates(at, locals)
end

-- By what a command's usage says (commands.lua).
local ARGUMENT = {
  [""] = function(_, from) return {}, from end,
  T = function(text, from, locals)
    local list = new_list(text:sub(from))
    task_candidates(list, locals)
    return list, from
  end,
  EXPR = code_argument,
  ["[G]"] = code_argument,
  FILE = file_argument,
  NAME = function(text, from)
    local list = new_list(text:sub(from))
    doc_names(list)
    return list, from
  end,
  ["on FILE | off"] = function(text, from)
    local behind = text:match("^on%s+()", from)
    if behind then
      return file_argument(text, behind)
    end
    local list = new_list(text:sub(from))
    add_keys(list, { on = true, off = true })
    return list, from
  end,
  ["[TOPIC]"] = function(text, from)
    local list = new_list(text:sub(from))
    add_keys(list, require("tutti.repl.commands.help").topics)
    add_keys(list, commands.list)
    return list, from
  end,
}

local function command_candidates(text, locals)
  local name_at, name, behind = text:match("^%s*:()([%w_]*)%s*()")
  if behind > #text and not text:find("%s$") then
    local list = new_list(name)
    add_keys(list, commands.list)
    return list, name_at
  end
  local command = commands.list[name]
  return ARGUMENT[command and command.usage or ""](text, behind, locals)
end

-- ---- the answer ----------------------------------------------------------------------------

--- Candidates for what stands before the cursor, and `text:sub(from, to)`, what each would replace; with
--- `from > to` nothing of them has been typed. `position`: so many bytes of the text are before the cursor.
---@param locals table<string, { value: any }> # of earlier lines
---@return string[] list, integer from, integer to # sorted
local function complete(locals, text, position)
  position = math.max(0, math.min(position, #text))
  local before = text:sub(1, position)
  local list, from
  if before:find("^%s*:[%w_]*$") or before:find("^%s*:[%w_]+%s") then
    list, from = command_candidates(before, locals)
  else
    list, from = code_argument(before, 1, locals)
  end
  list.typed, list.seen = nil, nil
  table.sort(list)
  return list, from, position
end

return { complete = complete, ARGUMENT = ARGUMENT, MOST = MOST }
