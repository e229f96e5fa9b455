-- SPDX-License-Identifier: MIT
--- Counts blank, comment and code lines with the grammars of `languages.lua`.
--
-- A line is blank if it has only white space (also inside a comment or a string), code if any of it
-- is code, and comment otherwise. Two LPeg patterns run over a text: one knows nothing of languages
-- and counts lines, blank or not; the other, made from a language's entry, counts the lines of code,
-- and steps over comments in spans as long as it can. Neither makes a Lua value per line: a capture
-- stands for up to RUN lines. Comment lines are what is left.
--
-- Plain Lua and LPeg, no globals, no state but a cache: the same module serves every Lua state.
local lpeg = require("lpeg")
local classify = require("census.classify")
local forms = require("census.forms")
local languages = require("census.languages")

local P, S, Cc, Ct = lpeg.P, lpeg.S, lpeg.Cc, lpeg.Ct
local any, newline, space, blank = forms.any, forms.newline, forms.space, forms.blank

local counter = {}

local RUN = 16 -- each run costs one capture; longer ones cost backtrack entries and save little
local BYTES_MAX = 100 * 1024 * 1024
local FIRST_BYTES = 8192

--- A run of `unit`, from one to RUN: captures its length times `factor`.
local function run(unit, factor)
  local tail = Cc(RUN * factor)
  for length = RUN - 1, 1, -1 do
    tail = unit * tail + Cc(length * factor)
  end
  return unit * tail
end

local full_line = blank ^ 0 * (any - space) * (any - newline) ^ 0 * newline ^ -1
local blank_line = blank ^ 0 * newline + blank ^ 1 * -any
local physical = Ct((run(full_line, 1) + run(blank_line, -1)) ^ 0)

--- The pattern that captures the numbers whose sum is a text's lines of code.
--
-- `skip` passes over all that is not code, lines and lines of it; then comes the first code of a
-- line, which is what a unit counts, and `rest` ends at the end of that line at the latest, except
-- in a string, which counts its own further lines. A comment that leaves the line ends `rest` too.
local function compile(language)
  local comment = forms.choice(language.comments)
  local inline = forms.inline_choice(language.comments)
  local string = forms.choice(language.strings)
  local firsts = ""
  for _, list in ipairs({ language.comments, language.strings }) do
    for _, form in ipairs(list) do
      firsts = firsts .. form.first
    end
  end
  local skip = space ^ 0 * (comment * space ^ 0) ^ 0
  local stop = firsts == "" and P(false) or S(firsts)
  local rest = ((any - stop - newline) ^ 1 + string + inline + (stop - comment)) ^ 1
  local unit = skip * ((language.head or P(false)) + rest)
  return Ct((language.top or P(true)) ^ -1 * run(unit, 1) ^ 0)
end

-- [language entry] = pattern; an entry is compiled when its first file is counted
local compiled = setmetatable({}, { __mode = "k" })

local function sum(numbers)
  local total = 0
  for i = 1, #numbers do
    total = total + numbers[i]
  end
  return total
end

--- Where counting of code begins, and the lines of code before it: a `#!` line is code.
local function start_of(text, language)
  if language.interpreters and language.shebang ~= "comment" and text:find("^#!") then
    return text:find("\n", 1, true) or #text + 1, 1
  end
  return 1, 0
end

--- Count the lines of `text`.
---@param text     string
---@param language table|string # an entry of `census.languages`, or its name
---@return integer blank
---@return integer comment
---@return integer code
function counter.count(text, language)
  if type(language) == "string" then
    language = languages[language] or error("no language is called " .. language, 2)
  end
  local pattern = compiled[language]
  if not pattern then
    pattern = compile(language)
    compiled[language] = pattern
  end
  if text:find("^\xEF\xBB\xBF") then
    text = text:sub(4) -- a byte order mark is no text
  end
  local start, code = start_of(text, language)
  code = code + sum(pattern:match(text, start))
  local full, blanks = 0, 0
  local lengths = physical:match(text)
  for i = 1, #lengths do
    if lengths[i] > 0 then
      full = full + lengths[i]
    else
      blanks = blanks - lengths[i]
    end
  end
  return blanks, full - code, code
end

---@class census.sums
---@field files   integer
---@field blank   integer
---@field comment integer
---@field code    integer

---@class census.result
---@field languages table<string, census.sums>
---@field skipped   { path: string, reason: string }[] # binary, unreadable, too large, not countable
---@field passed    table<string, integer>             # how many were not even looked at, by reason

--- A result of nothing, to merge others into.
---@return census.result
function counter.empty()
  return { languages = {}, skipped = {}, passed = {} }
end

--- Read a file that is to be counted; of others no more than the first bytes.
--- Returns its text and language, or nil, why not, and whether that is nothing to tell.
local function read(path, file)
  local head, problem = file:read(FIRST_BYTES)
  if problem then
    return nil, problem
  end
  local name, reason, is_ordinary = classify.file(path, head or "")
  if not name or #head < FIRST_BYTES then
    return name and head, name or reason, is_ordinary
  end
  if (file:seek("end") or 0) > BYTES_MAX then
    return nil, "larger than 100 MiB"
  end
  file:seek("set", 0)
  local text, late_problem = file:read("a")
  return text, text and name or late_problem
end

local function pass_over(result, path, reason, is_ordinary)
  if is_ordinary then
    result.passed[reason] = (result.passed[reason] or 0) + 1
  else
    result.skipped[#result.skipped + 1] = { path = path, reason = reason }
  end
end

local function add(result, name, sums)
  local mine = result.languages[name] or { files = 0, blank = 0, comment = 0, code = 0 }
  result.languages[name] = mine
  for field, number in pairs(sums) do
    mine[field] = mine[field] + number
  end
end

local function count_file(result, path)
  local known, why = classify.name(path)
  if known == false then
    return pass_over(result, path, why, true)
  end
  local file, problem = io.open(path, "rb")
  if not file then
    return pass_over(result, path, problem:sub(#path + #": " + 1)) -- it begins with the path
  end
  local text, name, is_ordinary = read(path, file)
  file:close()
  if not text then
    return pass_over(result, path, name, is_ordinary)
  end
  local ok, blanks, comments, code = pcall(counter.count, text, name)
  if not ok then -- LPeg gives up on brackets that are ten thousand deep
    return pass_over(result, path, "not countable: " .. tostring(blanks))
  end
  add(result, name, { files = 1, blank = blanks, comment = comments, code = code })
end

--- Count a list of regular files (opening a FIFO would wait for its writer: `lstat` first). The
--- result holds plain tables only, so that it can cross from one Lua state to another.
---@param paths string[]
---@return census.result
function counter.count_batch(paths)
  local result = counter.empty()
  for _, path in ipairs(paths) do
    count_file(result, path)
  end
  return result
end

--- Add `other` to `result`, and return `result`.
---@param result census.result
---@param other  census.result
---@return census.result
function counter.merge(result, other)
  for name, sums in pairs(other.languages) do
    add(result, name, sums)
  end
  table.move(other.skipped, 1, #other.skipped, #result.skipped + 1, result.skipped)
  for reason, number in pairs(other.passed) do
    result.passed[reason] = (result.passed[reason] or 0) + number
  end
  return result
end

return counter
