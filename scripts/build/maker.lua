-- SPDX-License-Identifier: MIT
--- Runs the compiler and the linker for what is stale, and records what they made.
---
--- Invariant: a record is written after its file, and has for each input the stamp from before the compiler
--- began, or one that no file has: what changes under a running compiler is compiled again next time.
---@module "build.maker"
local tutti = require("tutti")
local files = require("build.files")
local records = require("build.records")

local CAPTURE = "16MiB" -- of a compiler's messages
local CHANGED = "changed" -- no file has this stamp

local maker = {}
maker.__index = maker

---@param found table # of project.look
function maker.new(found)
  return setmetatable({ found = found, dir = found.settings.dir, compiled = 0, failed = {} }, maker)
end

local function tell(text)
  io.stderr:write(text, text:sub(-1) == "\n" and "" or "\n")
end

-- ---- before the first ----------------------------------------------------------------------

local function drop_what_is_gone(self)
  local found, wanted = self.found, { [self.found.program.path] = true }
  for _, object in ipairs(found.objects) do
    wanted[object.path] = true
  end
  for path in pairs(found.known) do
    if not wanted[path] then
      found.known[path] = nil
      pcall(tutti.fs.remove, files.join(self.dir, path))
      pcall(tutti.fs.remove, files.join(self.dir, path .. ".d"))
    end
  end
end

local function make_folders(self)
  local seen = {}
  for _, path in ipairs({ self.found.program.path, table.unpack(self.found.stale) }) do
    local folder = (path.path or path):match("^(.*)/")
    if folder and not seen[folder] then
      seen[folder] = true
      tutti.fs.mkdir(files.join(self.dir, folder), { parents = true })
    end
  end
end

local function begin(self)
  local found = self.found
  tutti.fs.mkdir(files.join(self.dir, found.settings.build_dir), { parents = true })
  make_folders(self)
  drop_what_is_gone(self)
  tutti.fs.write(found.records_path, records.text(found.known))
  -- The time as the file system sees it: what is written from now on may have been too late for a compiler.
  self.began = select(2, files.stamp(".", found.records_path))
end

-- Once, by whoever comes first; nothing is written before a task of the graph runs.
local function ensure_begun(self)
  self.beginning = self.beginning or tutti.spawn({ name = "prepare" }, begin, self)
  self.beginning:await()
end

-- ---- one command ---------------------------------------------------------------------------

local function run(self, what, target)
  if self.found.settings.verbose then
    print(target.command)
  end
  local words = table.move(target.argv, 1, #target.argv, 1, { cwd = self.dir, check = false,
    capture = CAPTURE })
  local result = tutti.exec(words):await()
  if result.code ~= 0 then
    tell(result.stdout .. result.stderr)
    self.failed[#self.failed + 1] = what
    local how = result.signal and "was ended by " .. result.signal or result.code == nil
      and "could not be started"
      or "ended with status " .. result.code
    error(("%s: %s %s"):format(what, target.argv[1], how), 0)
  end
  return result.stdout .. result.stderr
end

-- The stamps of what has not been looked at yet.
local function look_at_new(self, paths)
  local stamps = self.found.stamps
  for _, path in ipairs(paths) do
    if not stamps[path] then
      local stamp, time = files.stamp(self.dir, path)
      stamps[path] = time >= self.began and CHANGED or stamp
    end
  end
end

local function record(self, target, stamp, messages, inputs)
  local made = { stamp = stamp, command = target.command, warnings = messages, inputs = {}, seen = {} }
  for _, input in ipairs(inputs) do
    if not made.seen[input] then
      made.inputs[#made.inputs + 1], made.seen[input] = input, self.found.stamps[input]
    end
  end
  self.found.known[target.path] = made
  tutti.fs.append(self.found.records_path, records.line(target.path, made))
end

--- Compile one source.
---@async
---@param target build.target
function maker:object(target)
  ensure_begun(self)
  local messages = run(self, target.source, target)
  if messages ~= "" then
    tell(messages)
  end
  local inputs = files.parse_depfile(tutti.fs.read(files.join(self.dir, target.path .. ".d")))
  local stamp = files.stamp(self.dir, target.path)
  look_at_new(self, inputs)
  self.found.stamps[target.path] = stamp
  record(self, target, stamp, messages, { self.found.cc_path, table.unpack(inputs) })
  self.compiled = self.compiled + 1
end

--- Link what there is.
---@async
function maker:program()
  ensure_begun(self)
  local target, inputs = self.found.program, { self.found.cc_path,
    table.unpack(self.found.program.libraries) }
  for _, object in ipairs(self.found.objects) do
    inputs[#inputs + 1] = object.path
  end
  local fresh, path = files.join(self.dir, target.fresh), files.join(self.dir, target.path)
  pcall(tutti.fs.remove, fresh) -- of a build that was interrupted
  local messages = run(self, target.path, target)
  if messages ~= "" then
    tell(messages)
  end
  assert(os.rename(fresh, path))
  record(self, target, (files.stamp(self.dir, target.path)), messages, inputs)
end

-- ---- at the end ----------------------------------------------------------------------------

--- What compilers said about what was not compiled again is still true.
local function repeat_warnings(self)
  local is_stale, texts = {}, {}
  for _, object in ipairs(self.found.stale) do
    is_stale[object.path] = true
  end
  for _, object in ipairs(self.found.objects) do
    local known = self.found.known[object.path]
    if known and known.warnings ~= "" and not is_stale[object.path] then
      texts[#texts + 1] = known.warnings
    end
  end
  if #texts > 0 then
    tell(("build: warnings of what was not compiled again:\n%s"):format(table.concat(texts)))
  end
end

--- Write the records as a whole, and say what there is to say.
---@async
---@return string summary
function maker:finish(result)
  local found = self.found
  if self.began then
    tutti.fs.write(found.records_path, records.text(found.known))
  end
  repeat_warnings(self)
  local compiled = self.compiled
  if result.total == 0 then
    return ("build: %s is up to date (%d objects)"):format(found.program.path, #found.objects)
  elseif not result:ok() then
    local left = #found.stale - compiled
    return ("build: failed: %s; %d of %d objects compiled%s"):format(table.concat(self.failed, ", "),
      compiled, #found.objects, left > 0 and (", %d left"):format(left) or "")
  end
  return ("build: %s: %d of %d objects compiled, linked"):format(found.program.path, compiled, #found.objects)
end

return maker
