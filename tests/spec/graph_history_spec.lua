-- SPDX-License-Identifier: MIT
-- How long tasks took: kept in the process, and by the program in a file.
local tutti = require("tutti")
local history = require("tutti.graph.history")
local session = require("tutti.session")

local uv = tutti.uv

local function noop() end

local function graph_of(names)
  local g = tutti.graph("kept")
  for _, name in ipairs(names) do
    g:task(name, noop)
  end
  return g
end

-- What a run of `g` leaves behind whose tasks took so many seconds.
local function run_of(g, seconds)
  local run = { graph = g, list = {}, plan = { indices = {} } }
  for name, elapsed in pairs(seconds) do
    table.insert(run.list, { name = name, state = elapsed and "done" or "failed", began = 1,
      ended = 1 + (elapsed or 3), node = g.by_name[name] })
  end
  return run
end

describe("durations", function()
  local folder, before

  before_each(function()
    before = { state = os.getenv("XDG_STATE_HOME"), is_program = session.is_program, file = session.file }
    folder = assert(uv.fs_mkdtemp("/tmp/tutti-history-XXXXXX"))
    uv.os_setenv("XDG_STATE_HOME", folder .. "/state")
    session.is_program, session.file = true, "tests/spec/graph_history_spec.lua"
  end)

  after_each(function()
    session.is_program, session.file = before.is_program, before.file
    if before.state then
      uv.os_setenv("XDG_STATE_HOME", before.state)
    else
      uv.os_unsetenv("XDG_STATE_HOME")
    end
    tutti.fs.remove(folder, { recursive = true })
  end)

  local function has_state()
    return uv.fs_stat(folder .. "/state") ~= nil
  end

  it("of done tasks are kept in the process", function()
    local g = graph_of({ "a", "b" })
    history.run_ended(run_of(g, { a = 0.5, b = false }), 0.5)
    assert.equal(0.5, g.by_name.a.measured)
    assert.is_nil(g.by_name.b.measured)
    assert.is_false(has_state()) -- it was a short run
  end)

  it("of a run of more than a second are there for another process", function()
    local g = graph_of({ "a", "b", "c d" })
    history.run_ended(run_of(g, { a = 0.5, b = false, ["c d"] = 2.25 }), 3)
    history.run_ended(run_of(g, { b = 1 }), 3)
    assert.same({ a = 0.5, b = 1.0, ["c d"] = 2.25 }, history.of(graph_of({ "a" })))
    local names, seconds = graph_of({ "a", "b", "c d" }):plan():critical_path()
    assert.same({ "c d" }, names)
    assert.equal(2.25, seconds)
  end)

  it("belong to the script and the graph's name", function()
    history.run_ended(run_of(graph_of({ "a" }), { a = 2 }), 3)
    assert.same({}, history.of(tutti.graph("another")))
    session.file = "tests/spec/graph_draw_spec.lua"
    assert.same({}, history.of(graph_of({})))
  end)

  it("are not kept outside the program, and nothing is written to read them", function()
    history.of(graph_of({ "a" }))
    assert.is_false(has_state())
    session.is_program = false
    history.run_ended(run_of(graph_of({ "a" }), { a = 2 }), 3)
    assert.is_false(has_state())
  end)

  it("that cannot be written, or were damaged, are no error", function()
    assert(io.open(folder .. "/state", "w")):close()
    history.run_ended(run_of(graph_of({ "a" }), { a = 2 }), 3)
    os.remove(folder .. "/state")
    history.run_ended(run_of(graph_of({ "a" }), { a = 2 }), 3)
    local path = tutti.fs.glob(folder .. "/state/tutti/durations/*")[1]
    tutti.fs.append(path, "rubbish\n1.2.3\tb\n")
    assert.same({ a = 2.0 }, history.of(graph_of({ "a" })))
    tutti.fs.write(path, "\0\n")
    assert.same({}, history.of(graph_of({ "a" })))
  end)
end)
