-- SPDX-License-Identifier: MIT
-- The census's counter against cloc, and for Python against Python's own tokenize and ast.
-- Usage, from the project's root: lua5.4 tests/census/oracle.lua [DIR...]
--
-- Every file that `find DIR -type f` lists is counted by both. They have to agree on the set of files
-- of each language, and for a language with at least FILES_MIN files on blank, comment and code lines
-- to within LIMIT. Where cloc is known to be mistaken (DIFFERENCES.md), it is compared with a grammar
-- that makes the same mistake (`MISTAKES`), so that the rest of the difference is still judged, and
-- the table shows both. What no grammar can show: a comment at the end of a file must count as one,
-- or the grammar has lost its way in that file.

package.path = "scripts/?.lua;" .. package.path

local classify = require("census.classify")
local counter = require("census.counter")
local forms = require("census.forms")
local languages = require("census.languages")
local shell = require("tests.support.shell")
local tap = require("tests.support.tap")

local TREES = {
  "/usr/include", "/usr/lib/python3", "/usr/lib/python3.11", "/usr/share/cmake-3.25",
  "/usr/share/lua", "/usr/share/doc", "/usr/share/automake-1.16", "/etc", "/usr/bin", "/usr/sbin",
  "/var/lib/dpkg/info", "engine", "lua", "scripts", "tests",
}
local CLOCS = 2
local FILES_MIN = 20
local LIMIT, PYTHON_LIMIT = 0.01, 0.001
local EXPLAINED_MAX = 0.01 -- of all files: how many may be counted by one side only
local FIELDS = { "blank", "comment", "code" }
-- Without these, the trees would not show what the census claims; the shells count as one.
local REQUIRED = { "C", "C/C++ Header", "C++", "Lua", "Python", "Shell", "CMake" }
local MARKS = { Lua = "--" } -- how a comment begins; "#" where nothing is said
local MISTAKES = {} -- what cloc does instead, as grammars of ours
for _, name in ipairs({ "C", "C++", "C/C++ Header", "CUDA", "TableGen", "Java", "Go", "Rust" }) do
  MARKS[name] = "//"
  -- It sees no strings.
  MISTAKES[name] = { comments = { forms.line("//"), forms.block("/*", "*/") }, strings = {} }
end

local long, hash = forms.long_bracket("--"), forms.line("#")
MISTAKES.Lua = { comments = { long, forms.line("--") }, strings = {}, interpreters = "lua" }
MISTAKES.CMake = { comments = { hash }, strings = {} }
for _, name in ipairs({ "Bourne Shell", "Bourne Again Shell", "Korn Shell", "zsh" }) do
  MISTAKES[name] = { comments = { hash }, strings = {}, interpreters = "sh" }
end

local function read(path)
  local file = io.open(path, "rb")
  local text = file and file:read("a")
  if file then
    file:close()
  end
  return text
end

-- Why one of the two counts a file that the other does not.
local MEMBERSHIP = {
  { "cloc knows an interpreter only without its version", function(text)
    return text:find("^#![^\n]-%d%s*\n")
  end },
  { "cloc does not know an interpreter after options of env", function(text)
    return text:find("^#!%S*env%s+%-")
  end },
  { "cloc takes text that is not in UTF-8 for binary", function(text)
    return not utf8.len(text) and not text:find("\0", 1, true)
  end },
  { "cloc looks for a NUL in the first 512 bytes only", function(text)
    return text:find("\0", 513, true)
  end },
}

--- The files below the trees, without what neither side enters.
local function list_files(trees)
  local paths = {}
  for _, tree in ipairs(trees) do
    for _, path in ipairs(shell.lines("find " .. shell.quote(tree) .. " -type f | LC_ALL=C sort")) do
      local enters = true
      for directory in path:gmatch("([^/]+)/") do
        enters = enters and classify.enters(directory)
      end
      if enters then
        paths[#paths + 1] = path
      end
    end
  end
  return paths
end

--- Write every CLOCS-th of `paths`, from the `first` on, into a file of its own. Returns its name.
local function write_list(paths, first)
  local list = os.tmpname()
  local file = assert(io.open(list, "w"))
  for i = first, #paths, CLOCS do
    file:write(paths[i], "\n")
  end
  file:close()
  return list
end

--- Note a row of cloc's table in `found`, a file that it gave up in `late`.
local function read_row(row, found, late)
  local language, path, blank, comment, code = row:match("^([^,]+),(.+),(%d+),(%d+),(%d+)$")
  if path then
    found[path] = { language = language, blank = tonumber(blank), comment = tonumber(comment),
      code = tonumber(code) }
  end
  -- cloc gives a file a second at the most and takes the rest for comments
  late[row:match("exceeded timeout:%s+(.*)$") or ""] = true
end

--- What cloc says of each file: path = { language, blank, comment, code }. It uses one CPU, so several
--- run side by side.
local function ask_cloc(paths)
  local found, late, lists, pipes = {}, {}, {}, {}
  for i = 1, CLOCS do
    lists[i] = write_list(paths, i)
    pipes[i] = assert(io.popen("cloc --quiet --skip-uniqueness --by-file --csv --list-file=" .. lists[i]
      .. " --report-file=" .. lists[i] .. ".csv 2>&1"))
  end
  for i, pipe in ipairs(pipes) do
    local said = pipe:read("a")
    pipe:close()
    for row in (said .. "\n" .. (read(lists[i] .. ".csv") or "")):gmatch("[^\n]+") do
      read_row(row, found, late)
    end
    os.remove(lists[i])
    os.remove(lists[i] .. ".csv")
  end
  return found, late
end

local function explain(path)
  local text = read(path) or ""
  for _, reason in ipairs(MEMBERSHIP) do
    if reason[2](text) then
      return reason[1]
    end
  end
end

local function new_sums()
  return { files = 0, ours = {}, mistaken = {}, cloc = {} }
end

local function add(sums, blank, comment, code)
  for i, number in ipairs({ blank, comment, code }) do
    sums[FIELDS[i]] = (sums[FIELDS[i]] or 0) + number
  end
end

--- Whether the grammar is out of every string and comment at the end of the text.
local function ends_outside(text, name)
  local _, comment, code = counter.count(text, name)
  local tail = "\n" .. (MARKS[name] or "#") .. " it's\nx"
  local _, comment_more, code_more = counter.count(text .. tail, name)
  return comment_more == comment + 1 and code_more == code + 1
end

--- Count one file as we do and as cloc would, and add both and cloc's own numbers to `all`.
local function compare_file(all, path, name, cloc)
  local text = assert(read(path))
  local sums = all[name] or new_sums()
  all[name] = sums
  sums.files = sums.files + 1
  add(sums.ours, counter.count(text, name))
  add(sums.mistaken, counter.count(text, MISTAKES[name] or name))
  add(sums.cloc, cloc.blank, cloc.comment, cloc.code)
  -- A text that stops in a comment or after a backslash shows nothing.
  tap.case(text:find("\\%s*$") or ends_outside(text, name), path)
end

--- The language that the census finds, as counter.count_batch does.
local function our_language(path)
  return (next(counter.count_batch({ path }).languages))
end

--- The files that one side counts and the other does not, or not as the same language.
local function judge_strangers(strangers, files)
  local unexplained, explained, total = {}, {}, 0
  for _, stranger in ipairs(strangers) do
    local reason = stranger.is_late and "cloc ran out of its time" or explain(stranger.path)
    if reason then
      explained[reason] = explained[reason] or {}
      table.insert(explained[reason], stranger.path)
      total = total + 1
    else
      table.insert(unexplained, ("%s: %s, cloc: %s"):format(stranger.path, stranger.ours, stranger.theirs))
    end
  end
  for reason, paths in pairs(explained) do
    print(("# not compared: %s (%d files, as %s)"):format(reason, #paths, paths[1]))
  end
  tap.ok(#unexplained == 0 and total <= EXPLAINED_MAX * files, "the same files of each language",
    table.concat(unexplained, "\n"))
end

--- Compare every file; checks that both counted the same ones.
local function compare_files(paths, cloc, late)
  local all, strangers, files = {}, {}, 0
  for _, path in ipairs(paths) do
    local ours = our_language(path)
    local theirs = cloc[path] and cloc[path].language
    theirs = languages[theirs] and theirs
    files = files + (ours and 1 or 0)
    if ours and ours == theirs and not late[path] then
      compare_file(all, path, ours, cloc[path])
    elseif ours or theirs then
      strangers[#strangers + 1] = { path = path, ours = ours, theirs = theirs, is_late = late[path] }
    end
  end
  tap.rule("after each file a comment is a comment")
  judge_strangers(strangers, files)
  return all
end

local function deviation(ours, theirs)
  return ours == theirs and 0 or math.abs(ours - theirs) / math.max(theirs, 1)
end

local function show(name, kind, files, sums)
  print(("# %-20s %-12s %6d %9d %9d %9d"):format(name, kind, files, sums.blank, sums.comment, sums.code))
end

local function judge(name, sums)
  show(name, "census", sums.files, sums.ours)
  if MISTAKES[name] then
    show("", "mistaken", sums.files, sums.mistaken)
  end
  show("", "cloc", sums.files, sums.cloc)
  if sums.files < FILES_MIN then
    print("#   too few files to judge")
    return
  end
  for _, field in ipairs(FIELDS) do
    local is_cloc = name ~= "Python" or field == "blank"
    local ours, theirs = sums.mistaken[field], sums.cloc[field]
    if is_cloc then
      tap.ok(deviation(ours, theirs) <= LIMIT, ("%s: %s lines as cloc"):format(name, field),
        ("%d, cloc %d"):format(ours, theirs))
    end
  end
end

--- Python's files once more, against Python.
local function judge_python(paths)
  local list = os.tmpname()
  local file = assert(io.open(list, "w"))
  file:write(table.concat(paths, "\n"), "\n")
  file:close()
  local ours, theirs, alike, refused = {}, {}, 0, 0
  for row in shell.capture("python3 tests/census/python_lines.py <" .. list):gmatch("[^\n]+") do
    local path, blank, comment, code = row:match("^(.*)\t(%d+)\t(%d+)\t(%d+)$")
    if path then
      add(ours, counter.count(read(path), "Python"))
      add(theirs, tonumber(blank), tonumber(comment), tonumber(code))
      alike = alike + 1
    else
      refused = refused + 1
    end
  end
  os.remove(list)
  print(("# %d files of Python, %d more that it cannot parse"):format(alike, refused))
  tap.ok(alike + refused == #paths and alike >= FILES_MIN, "Python reads its own files")
  show("Python", "census", alike, ours)
  show("", "ast", alike, theirs)
  for _, field in ipairs(FIELDS) do
    tap.ok(deviation(ours[field], theirs[field]) <= PYTHON_LIMIT,
      ("Python: %s lines as tokenize and ast"):format(field),
      ("%d, Python %d"):format(ours[field], theirs[field]))
  end
end

local function check_required(all)
  local files = { Shell = 0 }
  for name, sums in pairs(all) do
    files[name] = sums.files
    if MISTAKES[name] and MISTAKES[name].interpreters == "sh" then
      files.Shell = files.Shell + sums.files
    end
  end
  for _, name in ipairs(REQUIRED) do
    tap.case((files[name] or 0) >= FILES_MIN, ("%s: %d files"):format(name, files[name] or 0))
  end
  tap.rule(("at least %d files of each language"):format(FILES_MIN))
end

local function main()
  local paths = list_files(#arg > 0 and arg or TREES)
  local cloc, late = ask_cloc(paths)
  local all = compare_files(paths, cloc, late)
  local names, python = {}, {}
  for name in pairs(all) do
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    judge(name, all[name])
  end
  for _, path in ipairs(paths) do
    if cloc[path] and cloc[path].language == "Python" then
      python[#python + 1] = path
    end
  end
  if #python >= FILES_MIN then
    judge_python(python)
  end
  if #arg == 0 then
    check_required(all)
  end
  tap.finish()
end

main()
