-- SPDX-License-Identifier: MIT
-- What a person sees of a run of 200 programs of which three fail: on terminals, in logs, after Ctrl-C.
--
-- The screens are compared with tests/spec/expected/*.txt, times masked; TUTTI_WRITE_EXPECTED=1 writes those.
local program = require("tests.spec.support.program")
local screen = require("tests.spec.support.screen")

local SCRIPT = [[
-- Pictures, each scaled by a program of its own; three are damaged.
local tutti = require "tutti"

local g = tutti.graph "pictures":limit("damaged", 1) -- the three fail in order
local good = {}
for i = 1, 200 do
  local name = ("scale-%03d"):format(i)
  local bad = i % 66 == 5
  local options = { tags = { "scale" }, limit = bad and "damaged" or nil }
  g:task(name, options, function()
    tutti.sh{ bad and 'echo "$1: not a picture" >&2; exit 3' or ":", name .. ".ppm" }:await()
  end)
  good[#good + 1] = not bad and name or nil
end
g:task("index", { needs = { "scale-001", "scale-005" } }, print)
g:task("publish", { needs = { "index" } }, print)
if os.getenv("HOLD") then
  for _, name in ipairs { "upload", "mirror" } do
    g:task(name, { needs = good }, function()
      print(name .. " has begun")
      local guard <close> = setmetatable({}, { __close = function()
        tutti.shield("2h", tutti.sleep, os.getenv("HOLD"))
      end })
      tutti.sleep("1h")
    end)
  end
end
return g
]]

local folder

local function quote(text) return program.quote(text) end

local function set_up()
  folder = os.tmpname()
  os.remove(folder)
  assert(os.execute("mkdir " .. quote(folder)))
  local file = assert(io.open(folder .. "/pictures.lua", "w"))
  file:write(SCRIPT)
  file:close()
  assert(os.execute(("ln -s %s %s/tutti"):format(quote(program.path), quote(folder))))
end

local function tear_down()
  os.execute("rm -rf " .. quote(folder))
end

local function path() return folder .. ":" .. os.getenv("PATH") end

local function start(words, cols, env)
  env = env or {}
  env.PATH = path()
  return screen.start("tutti run --jobs 4 " .. words, { cols = cols, rows = 60, cwd = folder, env = env })
end

-- A line of shell in the folder; returns status, stdout, stderr.
local function shell(line)
  return program.shell(("cd %s && PATH=%s; %s"):format(quote(folder), quote(path()), line))
end

-- Times, and the terminal's own echo of Ctrl-C, which may come anywhere.
local function mask(text)
  return (text:gsub("%^C", ""):gsub("%f[%w<]<?%d[%d%.]*m?s%f[%W]", "TIME"):gsub("%d+m%d%ds", "TIME"))
end

-- The report at the end of what was written.
local function report_in(text)
  local from = text:find("\nFAILED  ")
  return from and text:sub(from + 1) or text
end

local function assert_expected(name, text)
  local file_name = ("tests/spec/expected/%s.txt"):format(name)
  text = mask(text)
  if os.getenv("TUTTI_WRITE_EXPECTED") then
    local file = assert(io.open(file_name, "w"))
    file:write(text)
    file:close()
  end
  local file = assert(io.open(file_name))
  local expected = file:read("a")
  file:close()
  assert.equal(expected, text)
end

describe("a run of 200 programs with three failures", function()
  setup(set_up)
  teardown(tear_down)

  for _, cols in ipairs({ 80, 40 }) do
    it(("ends on a terminal of %d columns with a report and nothing else"):format(cols), function()
      local s <close> = start("pictures.lua", cols)
      assert.equal(1, s:status())
      assert_expected("report_" .. cols, s:text())
    end)
  end

  it("ends with the same report on TERM=dumb, in CI and in a file", function()
    for _, env in ipairs({ { TERM = "dumb" }, { CI = "1" } }) do
      local s <close> = start("pictures.lua", 80, env)
      assert.equal(1, s:status())
      assert_expected("report_80", report_in(s:text({ all = true })))
    end
    local code, out, err = shell("tutti run --jobs 4 pictures.lua")
    assert.same({ 1, "" }, { code, out })
    assert_expected("report_log", report_in(err))
  end)

  it("tells causes only with -q", function()
    local code, _, err = shell("tutti run -q pictures.lua")
    assert.equal(1, code)
    assert_expected("report_quiet", err)
  end)

  it("is run again in part by the line that the report gives", function()
    local _, _, err = shell("tutti run -q --progress none pictures.lua; tutti run pictures.lua")
    local line = err:match("re%-run +(tutti [^\n]+)\n")
    local code, _, again = shell(line)
    assert.equal(1, code)
    assert.matches("pictures: 3 failed in [%d.<m]+s\n$", again)
  end)

  it("ends with its status where nobody can read the report", function()
    assert.equal(1, (shell("tutti run pictures.lua 2>/dev/full")))
    assert.equal(1, (shell("tutti run pictures.lua 2>&-")))
    local _, out = shell("{ tutti run pictures.lua 2>&1; echo status $? >&2; } | head -1")
    assert.matches("^%[  1/202%] ", out)
  end)
end)

describe("README.md", function()
  setup(set_up)
  teardown(tear_down)

  it("shows the very report that its script gives", function()
    local file = assert(io.open("README.md"))
    local section = file:read("a"):match("\n## When something fails\n(.-)\n## ")
    file:close()
    local source, report = section:match("```lua\n(.-)```.-```text\n(.-)```")
    file = assert(io.open(folder .. "/photos.lua", "w"))
    file:write(source)
    file:close()
    local code, _, err = shell("LC_ALL=C tutti run --progress none photos.lua")
    assert.same({ 1, mask(report) }, { code, mask(err) })
  end)
end)

describe("Ctrl-C in a run of a graph", function()
  setup(set_up)
  teardown(tear_down)

  it("once lets cleanup end and tells what was cancelled", function()
    local s <close> = start("pictures.lua", 80, { HOLD = "100ms" })
    s:wait_for("mirror has begun")
    s:keys("C-c")
    assert.equal(130, s:status())
    assert_expected("report_interrupted", s:text())
  end)

  it("twice ends it at once", function()
    local s <close> = start("pictures.lua", 80, { HOLD = "1h" })
    s:wait_for("mirror has begun")
    s:keys("C-c")
    s:wait_for("once more kills")
    s:keys("C-c")
    assert.equal(130, s:status())
    assert_expected("report_killed", s:text())
  end)
end)
