-- SPDX-License-Identifier: MIT
-- The failure report as text, of runs that were never run: what it shows, how it groups, what it leaves out.
require("tutti") -- makes its other modules known
local clean = require("tutti.report.clean")
local core = require("tutti.core")
local errors = require("tutti.errors")
local report = require("tutti.report")
local rerun = require("tutti.report.rerun")

local LINE = "no/such/pipeline.lua:88"

local function failed_with(fields)
  fields.kind = fields.kind or "exit"
  return errors.new(fields)
end

-- A run of these entries: { name, state, needs = {...}, ... }.
local function make_run(list)
  local run = { name = "deploy", list = {}, entries = {} }
  for i, given in ipairs(list) do
    local entry = { name = given[1], state = given[2] }
    for key, value in pairs(given) do
      entry[key] = type(key) == "string" and value or entry[key]
    end
    entry.node = { name = given[1], needs = given.needs, spec = given.spec, line = given.line or LINE,
      caller = given.caller }
    run.list[i], run.entries[entry.name] = entry, entry
  end
  return run
end

local function text_of(list, options, elapsed)
  return report.text(make_run(list), { elapsed = elapsed or 130 }, options or {})
end

local function numbered(first, last)
  local lines = {}
  for i = first, last do
    lines[#lines + 1] = "line " .. i
  end
  return table.concat(lines, "\n") .. "\n"
end

describe("the failure report", function()
  it("is empty when nothing failed and nothing was cancelled", function()
    assert.equal("", text_of({ { "a", "done" }, { "b", "skipped" } }))
  end)

  it("tells cause, place, path, output, what is blocked, how to run it again, and counts", function()
    local err = failed_with({ message = "exec \"bwa\" was ended by SIGKILL",
      result = { stderr = numbered(1, 1204), stdout = "not this" }, stack = "\tpipeline.lua:90: in f" })
    local list = {
      { "index", "done", elapsed = 12, ended = 12 },
      { "early", "done", elapsed = 1, ended = 1 },
      { "align[S7]", "failed", needs = { "early", "index" }, error = err, attempts = 2, elapsed = 41.2,
        spec = { attempts = { times = 2 } }, caller = "no/such/pipeline.lua:31" },
      { "sort", "skipped", needs = { "align[S7]" } },
      { "merge", "skipped", needs = { "sort" } },
      { "fine", "done" },
    }
    local expected = {
      "FAILED  align[S7]  attempt 2/3  41.2s",
      "  pipeline.lua:90: exec \"bwa\" was ended by SIGKILL",
      "  at       no/such/pipeline.lua:88",
      "  called   from no/such/pipeline.lua:31",
      "  path     index (ok 12.0s) -> align[S7]",
      "  stderr   last 12 of 1,204 lines",
    }
    for i = 1193, 1204 do
      expected[#expected + 1] = "    | line " .. i
    end
    table.move({
      "  blocks   2 tasks: sort, merge",
      "  re-run   tutti run p.lua 'align[S7]'",
      "",
      "deploy: 1 failed, 2 not run, 3 ok in 2m10s",
      "",
    }, 1, 5, #expected + 1, expected)
    assert.equal(table.concat(expected, "\n"), text_of(list, { command = "tutti run p.lua" }))
  end)

  it("shows the line of the script that made the task", function()
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write("-- one\n  g:task(\"a\", function() end)\n")
    file:close()
    local text = text_of({ { "a", "failed", error = failed_with({ message = "no" }), line = path .. ":2" } })
    os.remove(path)
    assert.matches(path .. ":2  g:task(\"a\", function() end)\n", text, 1, true)
  end)

  it("shows the traceback of a Lua error without what stands elsewhere in the report", function()
    local stack = "stack traceback:\n\t[C]: in function 'error'\n\tp.lua:3: in upvalue 'deep'\n"
      .. "\tp.lua:5: in function <p.lua:4>"
    local err = failed_with({ kind = "error", message = "p.lua:3: oh", stack = stack, started = LINE })
    local text = text_of({ { "a", "failed", error = err } })
    assert.matches("\n  p.lua:3: oh\n", text, 1, true)
    local trace = "\n  trace    p.lua:3: in upvalue 'deep'\n           p.lua:5: in function <p.lua:4>\n\n"
    assert.matches(trace, text, 1, true)
    local flat = failed_with({ kind = "error", message = "p.lua:3: oh", started = LINE,
      stack = "stack traceback:\n\t[C]: in function 'error'\n\tp.lua:3: in function <p.lua:2>" })
    assert.not_matches("trace", text_of({ { "a", "failed", error = flat } }), 1, true)
  end)

  it("shows stdout where stderr is empty, and says what it cannot count", function()
    local err = failed_with({ message = "no", result = { stderr = "\n", stdout = "one\ntwo\n" } })
    local text = text_of({ { "a", "failed", error = err } })
    assert.matches("\n  stdout\n    | one\n    | two\n", text, 1, true)
    err = failed_with({ message = "no", tail = "x\ny", result = { stderr = "cut", truncated = true } })
    text = text_of({ { "a", "failed", error = err } })
    assert.matches("\n  stderr   last lines\n    | x\n    | y\n", text, 1, true)
  end)

  it("shows more lines with -v, all that were kept with -vv, none with -q", function()
    local err = failed_with({ message = "no", result = { stderr = numbered(1, 100) } })
    local list = { { "a", "failed", error = err } }
    assert.matches("last 50 of 100 lines", text_of(list, { verbose = 1 }), 1, true)
    assert.matches("\n    | line 1\n", text_of(list, { verbose = 2 }), 1, true)
    assert.equal("FAILED  a\n  no\n", text_of(list, { quiet = true }))
  end)

  it("breaks lines between words where a terminal would break them anywhere", function()
    local err = failed_with({ message = "exec \"convert\" was killed by SIGKILL, probably out of memory" })
    local list = { { "a", "failed", error = err }, { "b", "done" } }
    local text = text_of(list, { width = 28, colours = true }, 4000)
    text = text:gsub("\27%[[%d;]*m", "")
    local cause = "\n  exec \"convert\" was killed\n    by SIGKILL, probably out\n    of memory\n"
    assert.matches(cause, text, 1, true)
    assert.matches("\ndeploy: 1 failed, 1 ok in\n  1h06m\n$", text)
  end)

  it("cuts a long path to its root and what came last", function()
    local list = { { "t1", "done", elapsed = 0.5, ended = 1 } }
    for i = 2, 99 do
      list[i] = { "t" .. i, "done", needs = { "t" .. i - 1 }, elapsed = 0.5, ended = i }
    end
    list[100] = { "last", "failed", needs = { "t99" }, error = failed_with({ message = "no" }) }
    assert.matches("  path     t1 (ok 500ms) -> ... 95 more -> t97 (ok 500ms) -> t98 (ok 500ms) ->\n"
      .. "           t99 (ok 500ms) -> last\n", text_of(list, { width = 80 }), 1, true)
  end)
end)

describe("the failure report of many failures", function()
  local function many(count, make)
    local list = {}
    for i = 1, count do
      list[i] = { "job-" .. i, "failed", error = make(i), ended = i }
    end
    return list
  end

  it("tells equal ones once, by whatever name their task has", function()
    local text = text_of(many(214, function(i)
      return failed_with({ message = ("job-%d: no space"):format(i), tail = "disk of job-" .. i })
    end), { command = "tutti run p.lua" })
    assert.matches("^FAILED  job%-1\n", text)
    local others = "\n  also     213 more with the same failure: job-2, job-3, job-4, job-5, job-6 (+208)\n"
    assert.matches(others, text, 1, true)
    assert.matches("\n  re-run   tutti run p.lua job-1  # the first of 214\n", text, 1, true)
    assert.matches("deploy: 214 failed in 2m10s\n$", text)
    local _, blocks = text:gsub("FAILED", "")
    assert.equal(1, blocks)
  end)

  it("keeps apart what ended alike for different reasons", function()
    local text = text_of(many(2, function(i)
      return failed_with({ message = "exec \"cc\" ended with status 1", tail = i .. ".c: syntax error" })
    end), { command = "tutti run p.lua" })
    assert.matches("1.c: syntax error", text, 1, true)
    assert.matches("2.c: syntax error", text, 1, true)
    assert.matches("re-run   tutti run p.lua job-2\n", text, 1, true)
  end)

  it("puts those with one message together when there are too many", function()
    local text = text_of(many(11, function(i)
      return failed_with({ message = "exec \"cc\" ended with status 1", tail = i .. ".c: syntax error" })
    end))
    assert.matches("\n  stderr   last lines of the first\n", text, 1, true)
    assert.matches("\n  also     10 more with the same message: ", text, 1, true)
  end)

  it("is short for 10,000 different ones, and counts what it leaves out", function()
    local words = {}
    local text = text_of(many(10000, function(i)
      words[i] = ("x"):rep(i % 20 + 1)
      return failed_with({ message = "no " .. words[i], tail = "t" .. i })
    end), { command = "tutti run p.lua" })
    local _, lines = text:gsub("\n", "")
    assert.is_true(lines < 120, lines)
    assert.matches("\nFAILED  5,000 more: ", text, 1, true)
    assert.matches("deploy: 10,000 failed in 2m10s\n$", text)
  end)

  it("begins with what blocks most, and ends with what others caused", function()
    local function err(message)
      return failed_with({ message = message })
    end
    local text = text_of({
      { "small", "failed", error = err("one"), ended = 1 },
      { "clean", "failed", needs = { "small", "skip" }, error = err("two"), ended = 9 },
      { "skip", "skipped", needs = { "small" } },
      { "big", "failed", error = err("three"), ended = 5 },
      { "x", "skipped", needs = { "big" } },
      { "y", "skipped", needs = { "x" } },
      { "z", "skipped", needs = { "clean" } },
      { "w", "skipped", needs = { "clean" } },
      { "v", "skipped", needs = { "clean" } },
      { "not wanted", "skipped" },
    })
    local order = {}
    for name in text:gmatch("FAILED  (%S+)") do
      order[#order + 1] = name
    end
    assert.same({ "small", "big", "clean" }, order)
    assert.matches("deploy: 3 failed, 6 not run, 1 skipped in 2m10s\n", text, 1, true)
  end)

  it("tells what was cancelled, and why", function()
    local list = {}
    for i = 1, 8 do
      list[i] = { "job-" .. i, "cancelled", began = 1, reason = "interrupted (Ctrl-C)" }
    end
    list[9] = { "never", "cancelled" }
    list[10] = { "fine", "done" }
    assert.equal("CANCELLED  8 tasks (interrupted (Ctrl-C)): job-1, job-2, job-3, job-4, job-5 (+3)\n\n"
      .. "deploy: 8 cancelled, 1 not run, 1 ok in 2m10s\n", text_of(list))
  end)
end)

describe("what a report shows of others", function()
  it("moves no cursor and breaks no line", function()
    local cases = {
      { "\27[31mred\27[0m \27[2J\27[1;1Hx", "red x" },
      { "10%\r20%\r100%\r", "100%" },
      { "a\8ab\8b", "ab" },
      { "\27]0;title\7x\27]8;;http://x\27\\link\27]8;;\27\\", "xlink" },
      { "\27Pq...\27\\z\27(B\27=\27", "z" },
      { "bad \xff\xc3 \xe2\x80\xae \xc2\x9b31m é 日本", "bad \u{FFFD}\u{FFFD} \u{FFFD} \u{FFFD}31m é 日本" },
      { "a\0b\7c\tz\127", "a?b?c\tz?" },
      { "\1\27\0021m", "?1m" },
    }
    for _, case in ipairs(cases) do
      assert.equal(case[2], clean.line(case[1]))
    end
    assert.equal("\27[31mred\27[0m x\27[0m", clean.line("\27[31mred\27[0m \27[2Jx\27[3", true))
    assert.equal("plain", clean.line("plain", true))
  end)

  it("stays valid and harmless whatever the bytes", function()
    local seed = os.time()
    math.randomseed(seed)
    local parts = { "\27", "[", "31m", "\27[1m", "]0;", "\7", "\27\\", "P", "\r", "\8", "é", "\xff",
      "\xc2\x9b", "\1", "\2", "x" }
    for _ = 1, 3000 do
      local words = {}
      for i = 1, math.random(12) do
        words[i] = parts[math.random(#parts)]
      end
      local line = table.concat(words)
      for _, colours in ipairs({ false, true }) do
        local shown = clean.line(line, colours)
        local rest = colours and shown:gsub("\27%[[%d;:]*m", "") or shown
        assert(utf8.len(shown) and not rest:find("[%z\1-\8\11-\31\127]"), ("seed %d: %q"):format(seed, line))
      end
    end
  end)

  it("gives lines to type that a shell splits into the very words", function()
    local names = { "plain", "with space", "it's", "a\"b", "$x `y` \\ * [z]", "é", "-n" }
    local line = rerun.line("printf '%s\\n'", names)
    local pipe = assert(io.popen(line))
    local said = pipe:read("a")
    pipe:close()
    local words = { "plain", "with space", [["it\'s"]], [["a\"b"]], [["$x `y` \\ * [z]"]], "é", [["-n"]] }
    assert.equal(table.concat(words, "\n") .. "\n", said)
  end)

  it("repeats the arguments that were given, and names no command where words are no selectors", function()
    local session = { command = "./tutti run", file = "my file.lua", args = { "target=a b", "n=3" } }
    assert.equal("./tutti run --arg 'target=a b' --arg n=3 'my file.lua'", rerun.command(session))
    session = { command = "my programs/tutti run", file = "x.lua" }
    assert.equal("'my programs/tutti' run x.lua", rerun.command(session))
    assert.is_nil(rerun.command({ command = "tutti -e" }))
  end)

  it("is about any error object", function()
    assert.is_table(core.error_fields(failed_with({ message = "x" })))
    local err = failed_with({ kind = "group", message = "2 tasks failed", errors = {
      failed_with({ message = "one", task = "a" }), failed_with({ message = "two", task = "b" }) } })
    local text = text_of({ { "g", "failed", error = err } })
    assert.matches("  2 tasks failed\n    - one (task \"a\")\n    - two (task \"b\")\n", text, 1, true)
  end)
end)
