-- SPDX-License-Identifier: MIT
-- Traces of what runs where.
local tutti = require("tutti")
local program = require("tests.spec.support.program")
local repl = require("tutti.repl")
local trace = require("tutti.repl.trace")
local describe, it, assert = describe, it, assert -- busted's; in its own _ENV, which cannot cross
local _ENV = _G -- luacheck: ignore

-- What python makes of the file, for it is strict: a line for each event, fields between tabs.
local READER = [[
import json, sys
for e in json.load(open(sys.argv[1], encoding="utf-8"))["traceEvents"]:
    a = e.get("args", {})
    print("\t".join(str(x) for x in (e["ph"], e.get("tid", ""), e.get("ts", ""), e.get("dur", ""),
        json.dumps(e["name"]), e.get("id", ""), a.get("task", ""), a.get("line", ""), a.get("state", ""),
        a.get("name", ""))))
]]

local NAMES = { "ph", "tid", "ts", "dur", "name", "id", "task", "line", "state", "thread" }

local function read(path)
  local script <close> = program.file(READER)
  local code, out, err = program.run("python3", script.path, path)
  assert.equal(0, code, err)
  local events = {}
  for text in out:gmatch("[^\n]+") do
    local event, at = {}, 0
    for field in (text .. "\t"):gmatch("([^\t]*)\t") do
      at = at + 1
      event[NAMES[at]] = tonumber(field) or field
    end
    event.name = event.name:gsub("^\"(.*)\"$", "%1")
    events[#events + 1] = event
  end
  return events
end

-- Trace what f does, and read that.
local function traced(f)
  local path = os.tmpname()
  trace.on(path)
  local ok, err = pcall(f)
  local count, lost = trace.off()
  local events = ok and read(path)
  os.remove(path)
  assert(ok, err)
  assert.equal(0, lost)
  return events, count
end

local function pick(events, ph)
  local picked = {}
  for _, event in ipairs(events) do
    picked[#picked + 1] = event.ph == ph and event or nil
  end
  return picked
end

-- Slices of a thread, in the order of their begins, never overlap.
local function check_slices(events)
  local threads = {}
  for _, event in ipairs(pick(events, "X")) do
    threads[event.tid] = threads[event.tid] or {}
    table.insert(threads[event.tid], event)
  end
  for tid, slices in pairs(threads) do
    table.sort(slices, function(a, b) return a.ts < b.ts end)
    for i = 2, #slices do
      local before = slices[i - 1]
      assert.is_true(before.ts + before.dur <= slices[i].ts + 0.002,
        ("thread %s: %s at %f overlaps %s"):format(tid, before.name, before.ts, slices[i].name))
    end
  end
  return threads
end

describe("a trace", function()
  it("has each run of each task on its thread, and each task from its begin to its end", function()
    local events, count = traced(function()
      local list = {}
      for i = 1, 50 do
        list[#list + 1] = tutti.spawn({ name = "loop " .. i }, function()
          tutti.sleep(0.001)
          tutti.checkpoint()
        end)
        list[#list + 1] = tutti.parallel({ name = "pool " .. i }, function()
          require("tutti").sleep(0.001)
        end)
      end
      tutti.all(list):await()
      tutti.exec({ "true" }):await()
    end)
    local slices, begins, ends = {}, {}, {}
    for _, event in ipairs(pick(events, "X")) do
      slices[event.name] = (slices[event.name] or 0) + 1
    end
    for _, event in ipairs(pick(events, "b")) do
      begins[event.name] = event
    end
    for _, event in ipairs(pick(events, "e")) do
      assert.equal(begins[event.name].id, event.id)
      assert.is_true(event.ts >= begins[event.name].ts)
      ends[event.name] = event.state
    end
    for i = 1, 50 do
      assert.is_true(slices["loop " .. i] >= 3, slices["loop " .. i])
      assert.is_true(slices["pool " .. i] >= 2, slices["pool " .. i])
      assert.equal("done", ends["loop " .. i])
      assert.equal("done", ends["pool " .. i])
      assert.matches("repl_trace_spec%.lua:%d+$", begins["pool " .. i].line)
    end
    assert.equal("done", ends["true"])
    assert.equal(#pick(events, "X") + #pick(events, "b") + #pick(events, "e"), count)
    local threads = check_slices(events)
    local named = {}
    for _, event in ipairs(pick(events, "M")) do
      named[event.tid] = event.thread ~= "" and event.thread or named[event.tid]
    end
    local loops = 0
    for tid in pairs(threads) do
      assert.truthy(named[tid] == "loop" or named[tid]:find("^worker %d+$"), tid)
      loops = loops + (named[tid] == "loop" and 1 or 0)
    end
    assert.equal(1, loops)
  end)

  it("shows how tasks ended, and names with any bytes", function()
    local events = traced(function()
      tutti.spawn({ name = "bad \"\\\n\xff\u{E4}" }, function() error("no") end):pawait()
      local stopped = tutti.spawn({ name = "stopped" }, function() tutti.sleep(600) end)
      tutti.sleep(0.001)
      stopped:cancel()
      stopped:pawait()
    end)
    local ends = {}
    for _, event in ipairs(pick(events, "e")) do
      ends[event.name] = event.state
    end
    assert.equal("cancelled", ends.stopped)
    assert.equal("failed", ends["bad \\\"\\\\\\n\\ufffd\\u00e4"])
  end)

  it("shows tasks that go on already, and can be made again", function()
    local gate = tutti.event()
    local old = tutti.spawn({ name = "old" }, function() gate:wait() end)
    tutti.sleep(0.001)
    traced(function() end)
    local events = traced(function()
      gate:set()
      old:await()
    end)
    local seen = {}
    for _, event in ipairs(events) do
      seen[event.ph] = event.name == "old" and event or seen[event.ph]
    end
    assert.equal("old", seen.b.name)
    assert.equal("old", seen.X.name)
    assert.equal(seen.b.id, seen.e.id)
  end)

  it("of many tasks on all threads loses nothing, whenever it is ended", function()
    local list = {}
    local events, count = traced(function()
      for i = 1, 2000 do
        list[i] = i % 2 == 0 and tutti.spawn(function() tutti.checkpoint() end)
          or tutti.parallel(function() end)
      end
      tutti.all(list):await()
      for i = 1, 500 do -- these are cut
        list[i] = tutti.parallel(function() require("tutti").checkpoint() end)
      end
    end)
    tutti.all(list):await()
    check_slices(events)
    assert.is_true(#pick(events, "X") >= 3000, #pick(events, "X"))
    assert.equal(#pick(events, "X") + #pick(events, "b") + #pick(events, "e"), count)
  end)

  it("says that one is on already, and that a file cannot be", function()
    local path = os.tmpname()
    trace.on(path)
    local ok, err = pcall(trace.on, path)
    assert.is_false(ok)
    assert.equal("usage", err.kind)
    assert.matches("a trace is on already", err.message)
    trace.off()
    assert.is_nil(trace.off())
    ok, err = pcall(trace.on, path .. "/x")
    assert.is_false(ok)
    assert.matches("/x\": Not a directory", err.message)
    os.remove(path)
  end)

  it("that could not be written says how many events were lost", function()
    if not io.open("/dev/full", "r") then
      return
    end
    trace.on("/dev/full")
    for _ = 1, 2000 do
      tutti.spawn(function() end)
    end
    tutti.sleep(0.05)
    local _, lost, why = trace.off()
    assert.is_true(lost > 0)
    assert.equal("No space left on device", why)
  end)

  it("is ended with the engine", function()
    local path = os.tmpname()
    local code, _, err = program.run_script([[
      require("tutti.repl.trace").on(arg[1])
      require("tutti").spawn({ name = "last" }, function() end)]], path)
    assert.equal(0, code, err)
    local names = {}
    for _, event in ipairs(read(path)) do
      names[event.name] = true
    end
    assert.is_true(names.last)
    os.remove(path)
  end)
end)

describe(":trace", function()
  it("is on and off", function()
    local texts = {}
    local prompt = repl.new({ write = function(text) texts[#texts + 1] = text end })
    local path = os.tmpname()
    prompt:feed(":trace on " .. path)
    prompt:feed("require('tutti').spawn({ name = 'traced' }, function() end):await()")
    prompt:feed(":trace off")
    prompt:feed(":trace off")
    prompt:feed(":trace what")
    prompt:close()
    assert.equal(("tracing into %s until :trace off\n"):format(path), texts[1])
    assert.truthy(texts[2]:find("^" .. path .. ": %d+ events; https://ui%.perfetto%.dev opens it\n$"))
    assert.equal(":trace: no trace is on\n", texts[3])
    assert.equal(":trace: \"on FILE\" or \"off\" was expected, got \"what\"\n", texts[4])
    local names = {}
    for _, event in ipairs(read(path)) do
      names[event.name] = true
    end
    assert.is_true(names.traced)
    os.remove(path)
  end)
end)
