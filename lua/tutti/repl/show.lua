-- SPDX-License-Identifier: MIT
--- Values as the prompt shows them: in one line if that fits, else over several, and never without end.
---
---     show.value({ 1, 2, name = "x" })          { 1, 2, name = "x" }
---
--- Tables are read raw; of a value's own code only __tostring runs, in a coroutine of its own that is stopped
--- after a number of instructions, which all values of one call share.
---
--- Layer: the Lua half. Thread: the state's home.
--- Invariant: nothing here raises, or observes a task; inside a task nothing awaits. A text has some TEXT_MAX
--- bytes of what is in tables, and at most COUNTED_MAX keys of a table are looked at.
---@module "tutti.repl.show"
local core = require("tutti.core")
local describe = require("tutti.describe")
local errors = require("tutti.errors")
local STATES = require("tutti.tasks").STATES
local text = require("tutti.repl.text")

local show = {}

local DEPTH_MAX = 6
local ITEMS_MAX = { 100, 30, 20, 10, 10, 10 } -- elements, and fields, of one table, by its depth
local STRING_MAX = { 400, 400, 200, 100, 60, 60 } -- bytes of a text in a table, by its depth
local PLAIN_MAX = 64 * 1024 -- bytes of a string that is the value itself
local TEXT_MAX = 32 * 1024
local KEYS_MAX, COUNTED_MAX = 10000, 1000000
local STEPS_EACH, STEPS_MAX = 1000000, 5000000 -- instructions of __tostring: of one, of all

local pcall, tostring, coroutine = core.protected.rawpcall, tostring, core.protected.coroutine
local rawmeta = debug.getmetatable

-- ---- texts of a value's own ----------------------------------------------------------------

local function meta_field(value, name)
  local meta = rawmeta(value)
  return type(meta) == "table" and rawget(meta, name) or nil
end

-- What its __tostring returns, or nil if that raises, returns no string or takes too many instructions. Below
-- tostring it cannot await either.
local function guarded(page, value)
  local room = math.min(page.steps, STEPS_EACH)
  if room <= 0 then
    return nil
  end
  local used = 0
  local co = coroutine.create(tostring)
  debug.sethook(co, function()
    used = used + 1000
    if used > room then
      error("too long", 0)
    end
  end, "", 1000)
  local ok, resumed, result = pcall(coroutine.resume, co, value)
  page.steps = page.steps - used
  return ok and resumed and type(result) == "string" and result or nil
end

-- ---- tasks and errors ----------------------------------------------------------------------

local STATE_COLOURS = { running = "busy", ready = "busy", done = "good", failed = "bad", cancelled = "bad" }

--- `running` in the colour of the state.
function show.state(state, has_colours)
  return text.paint(state, STATE_COLOURS[state] or "dim", has_colours)
end

--- The state of what core.look or a tree gives; a program runs, although nothing of ours does.
function show.state_of(seen)
  local state = STATES[seen.state] or seen.state
  return seen.kind == "process" and state == "suspended" and "running" or state
end

local function task_text(page, task)
  local seen = core.look(task)
  local state = show.state_of(seen)
  local shown = ("task %d \"%s\" %s"):format(seen.id, text.line(seen.name, 80),
    show.state(state, page.color))
  if seen.age and not page.is_raw then
    return shown .. " " .. text.age(seen.age)
  elseif state == "failed" then
    return shown .. ": " .. text.line(errors.text(seen.error), 200)
  end
  return shown
end

-- How many bytes of a text are shown that stands so deep.
local function string_max(page, depth)
  return math.min(STRING_MAX[math.min(depth, DEPTH_MAX)], page.string_max)
end

-- ---- what is one piece ---------------------------------------------------------------------

local function function_text(value)
  local info = debug.getinfo(value, "S")
  if info.what == "C" then
    return "function (C)"
  end
  return ("function (%s:%d)"):format(text.line(info.short_src, 80), info.linedefined)
end

local function address_text(page, value)
  local name = meta_field(value, "__name")
  if page.is_raw then
    return type(name) == "string" and ("%s (%s)"):format(type(value), text.line(name, 80)) or type(value)
  end
  return ("%s: %p"):format(type(name) == "string" and text.line(name, 80) or type(value), value)
end

-- Of userdata, and of tables with a __tostring: their own text, or nil.
local function own_text(page, value, most)
  if page.is_raw or meta_field(value, "__tostring") == nil then
    return nil
  end
  local own = guarded(page, value)
  return own and text.line(own, most) or address_text(page, value) .. " (its __tostring failed)"
end

local function paint(page, shown, colour)
  return text.paint(shown, colour, page.color)
end

-- The text of what is no table without a __tostring.
local function atom(page, value, most)
  local kind = type(value)
  if kind == "string" then
    return paint(page, text.quote(value, most), "string")
  elseif kind == "number" then
    return paint(page, tostring(value), "number")
  elseif kind == "nil" or kind == "boolean" then
    return paint(page, tostring(value), "word")
  elseif core.is_task(value) then
    return task_text(page, value)
  elseif core.error_fields(value) then
    return paint(page, text.line(errors.text(value), most), "bad")
  elseif kind == "function" then
    return paint(page, function_text(value), "dim")
  elseif kind == "thread" then
    return paint(page, ("coroutine (%s)"):format(coroutine.status(value)), "dim")
  end
  return own_text(page, value, most) or paint(page, address_text(page, value), "dim")
end

-- ---- keys ----------------------------------------------------------------------------------

local RANK = { number = 1, string = 2, boolean = 3 }

local function is_before(a, b)
  local left, right = RANK[type(a)] or 4, RANK[type(b)] or 4
  if left ~= right then
    return left < right
  elseif left <= 2 then
    return a < b
  elseif left == 3 then
    return a and not b
  end
  return ("%s%p"):format(type(a), a) < ("%s%p"):format(type(b), b)
end

-- The keys behind the elements 1 to `length`, sorted; how many more there are; whether even more.
local function keys_of(value, length)
  local keys, more, looked = {}, 0, 0
  for key in next, value do
    looked = looked + 1
    if looked > COUNTED_MAX then
      return keys, more, true
    elseif not (math.type(key) == "integer" and key >= 1 and key <= length) then
      if #keys < KEYS_MAX then
        keys[#keys + 1] = key
      else
        more = more + 1
      end
    end
  end
  table.sort(keys, is_before)
  return keys, more
end

local WORDS = {}
for word in ("and break do else elseif end false for function goto if in local nil not or repeat return then "
  .. "true until while"):gmatch("%a+") do
  WORDS[word] = true
end

-- `name`, or `["a b"]`, or `[1]`.
local function key_text(page, key)
  if type(key) == "string" and key:find("^[%a_][%w_]*$") and not WORDS[key] and #key <= 60 then
    return key
  elseif type(key) == "table" and not meta_field(key, "__tostring") then
    return ("[%s]"):format(paint(page, address_text(page, key), "dim"))
  end
  return ("[%s]"):format(atom(page, key, 60))
end

-- ---- tables --------------------------------------------------------------------------------

local render

local function path_of(parent, key)
  if type(key) == "string" and key:find("^[%a_][%w_]*$") and #key <= 60 then
    return parent .. "." .. key
  elseif type(key) == "string" then
    return ("%s[%s]"):format(parent, text.quote(key, 60))
  elseif type(key) == "number" or type(key) == "boolean" then
    return ("%s[%s]"):format(parent, tostring(key))
  end
  return ("%s[%s]"):format(parent, type(key))
end

local function more_text(page, count, even_more)
  return paint(page, ("... %s%s more"):format(even_more and "at least " or "", text.count(count)), "dim")
end

local function add(page, items, shown)
  items[#items + 1] = shown
  page.room = page.room - #shown - 2
end

local function add_elements(page, items, value, length, depth)
  local path = page.above[value]
  local shown = 0
  while shown < math.min(length, ITEMS_MAX[depth]) and page.room > 0 do
    shown = shown + 1
    add(page, items, render(page, rawget(value, shown), depth + 1, path_of(path, shown)))
  end
  if shown < length then
    add(page, items, more_text(page, length - shown))
  end
end

local function add_fields(page, items, value, length, depth)
  local path = page.above[value]
  local keys, more, even_more = keys_of(value, length)
  local shown = 0
  while shown < math.min(#keys, ITEMS_MAX[depth]) and page.room > 0 do
    shown = shown + 1
    local key = keys[shown]
    local name = key_text(page, key)
    page.room = page.room - #name - 3
    items[#items + 1] = ("%s = %s"):format(name,
      render(page, rawget(value, key), depth + 1, path_of(path, key)))
  end
  more = more + #keys - shown
  if more > 0 or even_more then
    add(page, items, more_text(page, math.max(more, 1), even_more))
  end
end

local SHORT = 20 -- columns of an element that may share its line with others

-- Items one below the other, short elements side by side.
local function stacked(page, items, elements, depth)
  local indent = ("  "):rep(depth)
  local lines, line = {}, nil
  for i, item in ipairs(items) do
    local shown = i < #items and item .. "," or item
    local is_short = i <= elements and not item:find("\n", 1, true) and text.columns(item) <= SHORT
    if is_short and line and text.columns(indent .. line .. " " .. shown) <= page.width then
      line = line .. " " .. shown
    else
      lines[#lines + 1] = line and indent .. line
      line = shown
    end
    if not is_short then
      lines[#lines + 1] = indent .. line
      line = nil
    end
  end
  lines[#lines + 1] = line and indent .. line
  return ("{\n%s\n%s}"):format(table.concat(lines, "\n"), ("  "):rep(depth - 1))
end

local function in_one_line(page, items, depth)
  local columns = 2 * depth + 2
  for _, item in ipairs(items) do
    columns = columns + text.columns(item) + 2
    if item:find("\n", 1, true) or columns > page.width then
      return nil
    end
  end
  return "{ " .. table.concat(items, ", ") .. " }"
end

local function table_body(page, value, depth, path)
  local length = rawlen(value)
  if length == 0 and next(value) == nil then
    return "{}"
  elseif depth > DEPTH_MAX or page.room <= 0 then
    return "{ " .. paint(page, "...", "dim") .. " }"
  end
  local items = {}
  page.above[value] = path
  add_elements(page, items, value, length, depth)
  local elements = #items
  add_fields(page, items, value, length, depth)
  page.above[value] = nil
  return in_one_line(page, items, depth) or stacked(page, items, elements, depth)
end

local function table_text(page, value, depth, path)
  local above = page.above[value]
  if above then
    return paint(page, ("<cycle to %s>"):format(above == "" and "the top" or above), "dim")
  end
  local own = own_text(page, value, string_max(page, depth))
  if own then
    return own
  end
  local name = meta_field(value, "__name")
  local body = table_body(page, value, depth, path)
  return type(name) == "string" and text.line(name, 80) .. " " .. body or body
end

-- The text of a value that stands `depth` - 1 tables deep, its further lines indented for that.
function render(page, value, depth, path)
  if type(value) == "table" and not core.error_fields(value) then
    return table_text(page, value, depth, path)
  end
  return atom(page, value, string_max(page, depth))
end

-- ---- values and errors ---------------------------------------------------------------------

local function new_page(opts)
  opts = opts or {}
  local room = opts.room or TEXT_MAX
  return { width = math.max(opts.width or 80, 20), color = opts.color, room = room, above = {},
    steps = STEPS_MAX, is_raw = opts.is_raw, string_max = math.max(room // 4, 20) }
end

-- The value itself: a string as it is, and an own text over as many lines as it has.
local function top(page, value)
  if type(value) == "string" then
    return text.plain(value, PLAIN_MAX)
  elseif core.error_fields(value) then
    return paint(page, text.plain(tostring(value), PLAIN_MAX), "bad")
  end
  local own = not core.is_task(value) and meta_field(value, "__tostring") ~= nil and guarded(page, value)
  return own and text.plain(own, PLAIN_MAX) or render(page, value, 1, "")
end

--- One value, without a newline at the end. `room`: bytes of what is in tables; `is_raw`: no __tostring of
--- what is in them runs, and nothing is said that differs from run to run, such as addresses.
---@param opts { width: number?, color: boolean?, room: integer?, is_raw: boolean? }?
function show.value(value, opts)
  return top(new_page(opts), value)
end

--- The values list[1] ... list[n]: in one line with tabs between them, or one below the other.
---@param opts { width: integer?, color: boolean? }?
function show.values(list, n, opts)
  local page = new_page(opts)
  local texts, columns, is_long = {}, 0, false
  for i = 1, math.min(n, ITEMS_MAX[1]) do
    texts[i] = top(page, list[i])
    columns = columns + (text.columns(texts[i]) // 8 + 1) * 8
    is_long = is_long or texts[i]:find("\n", 1, true) ~= nil
  end
  if n > #texts then
    texts[#texts + 1] = more_text(page, n - #texts)
  end
  return table.concat(texts, (is_long or columns > page.width) and "\n" or "\t")
end

--- An error as the prompt shows it: what, in which task, its last output, and the joined traceback. `typed`
--- is the name of a task that is not named as the one it began in.
---@param opts { color: boolean?, typed: string? }?
function show.error(err, opts)
  local page = new_page(opts)
  if not core.error_fields(err) then
    return paint(page, text.plain(describe.value(err), PLAIN_MAX), "bad")
  end
  local whole = errors.shown(err, opts and opts.typed)
  local shown = paint(page, text.plain(whole, PLAIN_MAX), "bad")
  local lines = errors.trace_lines(err)
  if #lines == 1 then -- its head alone
    return shown
  end
  return shown .. "\n" .. paint(page, text.plain(table.concat(lines, "\n"), PLAIN_MAX), "dim")
end

return show
