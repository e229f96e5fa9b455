-- SPDX-License-Identifier: MIT
-- Failures with nobody waiting: each is said or counted, and many equal ones take few lines.
local program = require("tests.spec.support.program")

local HEAD = "local tutti = require('tutti') "
local MANY = HEAD .. [[
  for i = 1, 1000 do
    tutti.spawn({ name = "job-" .. i, detach = DETACH }, function() error("no space for job-" .. i, 0) end)
  end
]]
local LINE = "tutti: task \"%s\" failed with nobody awaiting it: %s\n"

local function line(name, like)
  return LINE:format(name, "no space for " .. name .. (like and (" (the %dth like this)"):format(like) or ""))
end

-- Without the places, which name a temporary file.
local function plain(text)
  return (text:gsub(": [^\n:]*:%d+: ", ": "))
end

local FIRST_LINES = line("job-1") .. line("job-2") .. line("job-3") .. line("job-10", 10)
  .. line("job-100", 100) .. line("job-1000", 1000)

describe("failures that nobody awaits", function()
  it("are said one by one while they are few or differ", function()
    local code, _, err = program.run_script(HEAD .. [[
      for i = 1, 5 do
        tutti.spawn({ name = "job-" .. i, detach = true }, function() error("number " .. i, 0) end)
      end
    ]])
    local expected = {}
    for i = 1, 5 do
      expected[i] = LINE:format("job-" .. i, "number " .. i)
    end
    assert.same({ 1, table.concat(expected) }, { code, plain(err) })
  end)

  it("take a few lines when a thousand are equal, with their number", function()
    local code, _, err = program.run_script((MANY:gsub("DETACH", "true")))
    assert.same({ 1, FIRST_LINES }, { code, plain(err) })
  end)

  it("are counted at the end when the last of them were not said", function()
    local code, _, err = program.run_script((MANY:gsub("DETACH", "true"):gsub("1000", "1001")))
    local rest = 'tutti: 1001 tasks in all failed like task "job-1" with nobody awaiting them\n'
    assert.same({ 1, FIRST_LINES .. rest }, { code, plain(err) })
  end)

  it("are told once more when they end the script: equal ones as one", function()
    local code, _, err = program.run_script((MANY:gsub("DETACH", "false")))
    err = plain(err)
    assert.equal(1, code)
    assert.equal(FIRST_LINES, err:sub(1, #FIRST_LINES))
    local rest = err:sub(#FIRST_LINES + 1)
    assert.matches('^tutti: 1000 tasks failed\ntutti: [^\n]*no space for job%-1 %(task "job%-1"%)\n', rest)
    assert.matches("\ntutti: and 999 more that failed like this\n$", rest)
  end)

  it("are counted in stock Lua too, at the latest when the state is closed", function()
    local _, _, err = program.run(program.lua, "-e", (MANY:gsub("DETACH", "false"):gsub("1000", "20"))
      .. "tutti.sleep(0.01)")
    local rest = 'tutti: 20 tasks in all failed like task "job-1" with nobody awaiting them\n'
    assert.is_truthy(plain(err):find(line("job-10", 10) .. rest, 1, true), err)
  end)

  it("of ever new kinds keep no memory of all kinds", function()
    local _, _, err = program.run_script(HEAD .. [[
      for i = 1, 600 do
        for _ = 1, 4 do
          tutti.spawn({ name = "x", detach = true }, function() error("number " .. i, 0) end)
        end
      end
    ]])
    local _, said = err:gsub("failed with nobody awaiting it", "")
    local _, counted = err:gsub("tutti: 4 tasks in all failed like task \"x\"", "")
    assert.same({ 1800, 600 }, { said, counted })
  end)

  it("show no control characters of what a program wrote", function()
    local _, _, err = program.run_script(HEAD .. [[
      tutti.spawn({ name = "x" }, function() error("a\27[2Jb\rc", 0) end)
    ]])
    assert.is_nil(err:find("[\27\r]"))
  end)
end)
