-- SPDX-License-Identifier: MIT
-- The session that README.md shows, typed line by line: the screen is what stands there.
local program = require("tests.spec.support.program")
local prompt = require("tests.spec.support.prompt")

-- The program that the session runs lasts until the line that shows it has been entered.
local SLEEP = [[
#!/bin/sh
until [ -e "${0%/*}/go" ]; do /bin/sleep 0.05; done
]]

-- Numbers of tasks, times, and what is left of a sleep, differ from run to run.
local function mask(text)
  return (text:gsub("task %d+", "task N"):gsub("%d+%.%d s", "TIME"))
end

-- The block's lines, and which of them are typed.
local function read_block()
  local file <close> = assert(io.open(os.getenv("TUTTI_ROOT") .. "/README.md"))
  local list = {}
  for line in file:read("a"):match("\n```console\n(.-)```\n"):gmatch("([^\n]*)\n") do
    list[#list + 1] = { text = line, typed = line:match("^tutti> (.*)$") or line:match("^>> (.*)$") }
  end
  return list
end

local function wait_for_screen(s, wanted)
  local stop = os.time() + 30
  while mask(s:text()) ~= wanted do
    if os.time() > stop then
      assert.equal(wanted, mask(s:text()))
    end
    os.execute("sleep 0.03")
  end
end

describe("the session in README.md", function()
  it("is what a prompt shows", function()
    local folder = program.folder({ sleep = SLEEP })
    assert(os.execute("chmod +x " .. folder .. "/sleep"))
    local path = folder .. ":" .. os.getenv("PATH")
    local s <close> = prompt.start({ cols = 80, rows = 50, env = { PATH = path } })
    local shown = {}
    for _, line in ipairs(read_block()) do
      if line.typed then
        local sign = line.text:match("^%S+")
        wait_for_screen(s, mask(table.concat(shown) .. sign .. "\n"))
        s:type(line.typed .. "\n")
        if line.typed == "local n = 6" then
          assert(io.open(folder .. "/go", "w")):close()
        end
      end
      shown[#shown + 1] = line.text .. "\n"
    end
    wait_for_screen(s, mask(table.concat(shown) .. "tutti>\n"))
    program.remove(folder)
  end)
end)
